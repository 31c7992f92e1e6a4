"""Public lists propose: what is new, what contradicts, what cannot be judged; the registry stays as it was."""

import json
from pathlib import Path
from typing import Any

import pytest

from crossmargin.adapters.registries.files import default_registry
from crossmargin.adapters.registries.lanes import read_lanes
from crossmargin.adapters.registries.proposals import Proposals
from crossmargin.adapters.registries.token_lists import read_token_list
from crossmargin.core.errors import InvalidInput
from crossmargin.market.registry.registry import Registry

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
ARBITRUM_USDC = "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"
WBTC_ARBITRUM = "0x2f2a2543B76A4166549F7aaB2e75Bef0aefC5B0f"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return default_registry()


def token(chain_id: int, address: str, decimals: int = 6, **bridged: str) -> dict[str, Any]:
    links = {chain[1:]: {"tokenAddress": target} for chain, target in bridged.items()}
    extensions = {"bridgeInfo": links} if links else {}
    return {"chainId": chain_id, "address": address, "decimals": decimals, "symbol": "USDC", "extensions": extensions}


def listed(folder: Path, registry: Registry, *tokens: dict[str, Any]) -> Proposals:
    file = folder / "tokens.json"
    file.write_text(json.dumps({"name": "made up", "version": {"major": 1}, "tokens": tokens}))
    return read_token_list(file, registry, time_ns=registry.times_ns[-1])


def verdicts(found: Proposals) -> list[str]:
    return [proposal.verdict for proposal in found.proposals]


def test_known_new_and_unknown_chains(registry: Registry, tmp_path: Path):
    new = token(1, "0x" + "12" * 20)
    found = listed(tmp_path, registry, token(1, USDC), new, token(59144, "0x" + "12" * 20), token(1, "0x12"))
    assert verdicts(found) == ["known", "new", "left out", "left out"]
    assert found.proposals[1].record == {
        "instance": "eip155:1/erc20:0x" + "12" * 20,
        "symbol": "USDC",
        "decimals": 6,
    }
    assert found.registry_sha256 == registry.sha256


def test_other_decimals_are_a_conflict(registry: Registry, tmp_path: Path):
    found = listed(tmp_path, registry, token(1, USDC, 18))
    assert verdicts(found) == ["conflict"]
    assert "18 decimals, the registry 6" in found.proposals[0].reason


def test_links_between_different_assets_are_a_conflict(registry: Registry, tmp_path: Path):
    good = listed(tmp_path, registry, token(1, USDC, c42161=ARBITRUM_USDC))
    assert verdicts(good) == ["known"]
    bad = listed(tmp_path, registry, token(1, USDC, c42161=WBTC_ARBITRUM))
    assert verdicts(bad) == ["known", "conflict"]
    assert "USDC and WBTC" in bad.proposals[1].reason
    broken = listed(tmp_path, registry, token(1, USDC, c42161="0x1"))
    assert verdicts(broken) == ["known", "left out"]


def test_a_list_without_tokens_is_refused(registry: Registry, tmp_path: Path):
    file = tmp_path / "tokens.json"
    file.write_text('{"name": "x"}')
    with pytest.raises(InvalidInput, match="tokens"):
        read_token_list(file, registry, time_ns=0)


def lanes(folder: Path, registry: Registry, symbol: str, capacity: str, *, on: bool = True, to: str = "") -> Proposals:
    bucket = {"capacity": capacity, "isEnabled": on, "rate": "1500000000000"}
    row = {"rateLimiterConfig": {"in": bucket, "out": bucket}}
    file = folder / "lanes.json"
    destination = to or "ethereum-mainnet-base-1"
    file.write_text(json.dumps({"bsc-mainnet": {destination: {"onRamp": {}, "supportedTokens": {symbol: row}}}}))
    return read_lanes(file, registry, bridge="ccip", time_ns=registry.times_ns[-1])


def test_buckets_become_canonical_units(registry: Registry, tmp_path: Path):
    found = lanes(tmp_path, registry, "USDC", "2000000000000000000")
    assert verdicts(found) == ["new"]
    assert found.proposals[0].record == {
        "asset": "USDC",
        "origin": "eip155:56",
        "destination": "eip155:8453",
        "capacity": "2000000",
        "refill_per_s": "1.5",
    }


@pytest.mark.parametrize(
    ("symbol", "capacity", "to", "reason"),
    [
        ("WBTC", "1", "", "0 instances"),
        ("USDC", "1.5", "", "digits"),
        ("USDC", "1", "moon-mainnet", "no chain has the ccip_lane alias moon-mainnet"),
    ],
)
def test_what_cannot_be_matched_is_left_out(symbol, capacity, to, reason: str, registry: Registry, tmp_path: Path):
    found = lanes(tmp_path, registry, symbol, capacity, to=to)
    assert verdicts(found) == ["left out"]
    assert reason in found.proposals[0].reason


def test_a_limiter_that_is_off_limits_nothing(registry: Registry, tmp_path: Path):
    assert verdicts(lanes(tmp_path, registry, "USDC", "0", on=False)) == []


def extended(chain_id: int, address: str, **extensions: str) -> dict[str, Any]:
    return token(chain_id, address) | {"extensions": extensions}


def test_tokens_that_op_takes_for_one_are_compared(registry: Registry, tmp_path: Path):
    wbtc = token(42161, WBTC_ARBITRUM, 8) | {"extensions": {"opTokenId": "USDC"}}
    found = listed(
        tmp_path, registry, extended(1, USDC, opTokenId="USDC", optimismBridgeAddress="0x" + "42" * 20), wbtc
    )
    assert verdicts(found) == ["known", "known", "conflict"]
    assert "the registry for USDC and WBTC" in found.proposals[2].reason


def test_what_arbitrum_names_on_l1_is_compared(registry: Registry, tmp_path: Path):
    found = listed(tmp_path, registry, token(42161, WBTC_ARBITRUM, 8) | {"extensions": {"l1Address": USDC}})
    assert verdicts(found) == ["known", "conflict"]
    same = extended(42161, ARBITRUM_USDC, l1Address=USDC, l1GatewayAddress="0x" + "11" * 20)
    assert verdicts(listed(tmp_path, registry, same)) == ["known"]


def test_a_new_token_names_its_bridges(registry: Registry, tmp_path: Path):
    new = extended(10, "0x" + "12" * 20, optimismBridgeAddress="0x" + "42" * 20)
    found = listed(tmp_path, registry, new)
    assert verdicts(found) == ["new"]
    assert f"Optimism bridge 0x{'42' * 20}" in found.proposals[0].reason


def test_a_wrong_checksum_is_left_out(registry: Registry, tmp_path: Path):
    pytest.importorskip("sha3", reason="checksums need the extra chains")
    found = listed(tmp_path, registry, token(1, USDC[:-1] + "9"))
    assert verdicts(found) == ["left out"]
    assert "EIP-55" in found.proposals[0].reason
