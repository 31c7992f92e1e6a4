"""A file of quotes around USDC on Arbitrum and wstETH on Ethereum, with calldata and an answer of Hermes."""

from pathlib import Path
from typing import Any

import msgspec

from crossmargin.core.instant import SECOND_NS, format_instant
from tests.adapters.oracles.signers import (
    ADDRESSES,
    EMITTER,
    ETH_ID,
    KEYS,
    NOW_S,
    envelope,
    hermes,
    message,
    package,
    payload,
    tree,
    update,
)

USDC = "eip155:42161/erc20:0xaf88d065e77c8cC2239327C5EDb3A432268e5831"
WSTETH = "eip155:1/erc20:0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0"
REGISTRY = "2026-11-22T00:00:00Z"


def when(offset_s: float = 0.0) -> str:
    return format_instant(round((NOW_S + offset_s) * SECOND_NS))


def feed(source: str, kind: str = "venue", **more: Any) -> dict[str, Any]:
    return {"source": source, "family": source, "kind": kind, "liquidity_usd": 1e7} | more


def ticker(source: str, price: float, offset_s: float = 0.0) -> dict[str, Any]:
    return {"source": source, "bid": price * 0.9998, "ask": price * 1.0002, "time": when(offset_s)}


def quotes(folder: Path, prices: dict[str, float], **more: Any) -> Path:
    """USDC on venues of these prices, said twice, 90 s apart; a RedStone payload and Hermes beside them."""
    leaves = [message(99_990_000, 10_000), *(message(n, key=f"{n:064x}") for n in (1, 2, 3))]
    root, paths = tree(leaves)
    (folder / "hermes.json").write_bytes(
        hermes(update(leaves[:1], envelope(root, (0, 1, 2)), paths[:1]), price="99990000", conf="10000")
    )
    feeds = [feed(name) for name in prices]
    feeds += [feed("redstone", "pull", decimals=8), feed("pyth", "pull", decimals=8)]
    signed = payload(*(package(key, 99_970_000, feed_id="USDC") for key in KEYS[:3]))
    document = {
        "assets": [{"instance": USDC, "daily_vol": 0.002, "feeds": feeds}],
        "tickers": [ticker(name, price, at) for name, price in prices.items() for at in (-90.0, -5.0)],
        "packages": [
            {
                "source": "redstone",
                "feed_id": "USDC",
                "calldata": signed.hex(),
                "signers": [f"0x{one.hex()}" for one in ADDRESSES[:4]],
                "threshold": 3,
                "seen": when(),
            }
        ],
        "hermes": [
            {
                "file": "hermes.json",
                "feeds": {ETH_ID: "pyth"},
                "seen": when(),
                "routers": {
                    "addresses": [one.hex() for one in ADDRESSES[:5]],
                    "emitter": EMITTER.hex(),
                    "emitter_chain": 26,
                },
            }
        ],
    }
    file = folder / "quotes.json"
    file.write_bytes(msgspec.json.encode(document | more))
    return file


def market(folder: Path) -> Path:
    """USDC on Arbitrum in a market with chains."""
    document = {
        "as_of": when(),
        "underlyings": [{"name": "ETH", "kind": "spot", "risk_class": "crypto_major", "spot": 4_000.0}],
        "assets": [{"name": "USDC", "reference": "USD"}],
        "chains": {
            "registry": "registry.json",
            "chains": [{"chain": "eip155:42161", "health": "healthy", "final_age_s": 10.0}],
            "instances": [{"instance": USDC.lower(), "liquidity_usd": 1e9}],
        },
    }
    file = folder / "market.json"
    file.write_bytes(msgspec.json.encode(document))
    return file


def registry(folder: Path) -> Path:
    """A registry in which USDC on Arbitrum counts already."""
    said = {"valid_from": "2020-01-01T00:00:00Z", "source": "made up", "date": "2026-11-22"}
    ramp = {"start": "2020-01-01T00:00:00Z", "days": 7.0, "cap_usd": 1e9, "liquidity_share": 1.0}
    finality = {"method": "tag", "final_s": 1_140.0, "halt_s": 3_600.0}
    document = {
        "chains": [{"chain": "eip155:42161", "name": "Arbitrum", "family": "evm", "finality": finality} | said],
        "assets": [{"asset": "USDC", "name": "USDC", "decimals": 6, "issuer": "circle", "peg": "USD"} | said],
        "instances": [
            {"instance": USDC, "symbol": "USDC", "canonical": "USDC", "decimals": 6, "kind": "issuer_native"}
            | {"ramp": ramp}
            | said
        ],
    }
    file = folder / "registry.json"
    file.write_bytes(msgspec.json.encode(document))
    return file
