"""Books and markets on chains for tests: a registry, what the market says of it, and one pool that holds tokens."""

from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

import crossmargin as xm
from crossmargin.margin.chain_terms import CHAIN_TERMS
from crossmargin.market.build import build_snapshot
from crossmargin.market.registry.build import build_registry
from crossmargin.market.registry.document import RegistryDocument
from crossmargin.market.registry.registry import Registry
from crossmargin.market.representations.document import (
    BridgeState,
    ChainsDocument,
    ChainState,
    InstanceState,
    Transfer,
)
from crossmargin.market.transfers.document import TransferDocument
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import BookDocument, Holding
from tests.margin.desk import CONTRACTS, account, desk_market, group, plain_model

HOME, ROLLUP, FAR = "eip155:1", "eip155:42161", "eip155:10"
SINCE = "2020-01-01T00:00:00Z"
SOURCED = {"valid_from": SINCE, "source": "made up", "date": "2026-11-22"}


def erc20(chain: str, digit: str) -> str:
    return f"{chain}/erc20:0x{digit * 40}"


USDC, USDC_ROLLUP, BRIDGED, THIN, HOPPED = (
    erc20(HOME, "1"),
    erc20(ROLLUP, "1"),
    erc20(ROLLUP, "2"),
    erc20(FAR, "3"),
    erc20(FAR, "4"),
)
FORGED = erc20(FAR, "5")


def _chain(chain: str, final_s: float, halt_s: float) -> dict[str, Any]:
    finality = {"method": "tag", "final_s": final_s, "halt_s": halt_s}
    return {"chain": chain, "name": chain, "family": "evm", "finality": finality} | SOURCED


def _bridge(name: str, verifiers: dict[str, Any], cap: float, **more: Any) -> dict[str, Any]:
    return (
        {"bridge": name, "name": name, "verifiers": verifiers, "finality_knob": "final", "exposure_cap": cap}
        | more
        | SOURCED
    )


def _token(instance: str, kind: str, *edges: tuple[str, str], canonical: str = "USDC") -> dict[str, Any]:
    ramp = {"start": SINCE, "days": 7.0, "cap_usd": 1e9, "liquidity_share": 1.0}
    backing = [{"bridge": bridge, "home": home} for bridge, home in edges]
    fields = {"instance": instance, "symbol": canonical, "canonical": canonical, "decimals": 6, "kind": kind}
    return fields | {"backing": backing, "ramp": ramp} | SOURCED


def registry(*, share: float = 0.2) -> Registry:
    """Three chains; USDC by its issuer, over bridges of three and of two verifiers, over both, and over one alone."""
    document = {
        "chains": [_chain(HOME, 1140.0, 3600.0), _chain(ROLLUP, 1140.0, 86_400.0), _chain(FAR, 1440.0, 86_400.0)],
        "assets": [{"asset": "USDC", "name": "USDC", "decimals": 6, "issuer": "circle"} | SOURCED],
        "bridges": [
            _bridge("three", {"committee": {"members": 5, "quorum": 3}}, share),
            _bridge("two", {"required": ["a", "b"]}, share),
            _bridge("one", {"required": ["a"]}, 0.0),
        ],
        "instances": [
            _token(USDC, "issuer_native"),
            _token(USDC_ROLLUP, "issuer_native"),
            _token(BRIDGED, "lock_mint", ("three", USDC)),
            _token(THIN, "lock_mint", ("two", USDC)),
            _token(HOPPED, "lock_mint", ("two", BRIDGED)),
            _token(FORGED, "lock_mint", ("one", USDC)),
        ],
    }
    return build_registry(msgspec.convert(document, RegistryDocument))


def chains(**changes: Any) -> ChainsDocument:
    """All chains healthy, all bridges fully backed, all tokens at par with liquidity of a million; with changes."""
    health = changes.pop("health", {})
    backing = changes.pop("backing", {})
    closed = changes.pop("closed", {})
    tokens = changes.pop("tokens", {})
    names = (USDC, USDC_ROLLUP, BRIDGED, THIN, HOPPED, FORGED)
    plain = {"liquidity_usd": 1e9, "market_ratio": 1.0}
    if changes.get("needed_on"):
        plain["transfer"] = Transfer(route="way", p50_s=600.0, p95_s=1200.0, cost_usd=5.0, cost_bps=10.0)
    return ChainsDocument(
        chains=tuple(
            ChainState(chain=c, health=health.get(c, "healthy"), final_age_s=900.0) for c in (HOME, ROLLUP, FAR)
        ),
        bridges=tuple(
            BridgeState(bridge=b, backing_ratio=backing.get(b, 1.0), state=closed.get(b, "open"))
            for b in ("three", "two", "one")
        ),
        instances=tuple(InstanceState(instance=x, **(plain | tokens.get(x, {}))) for x in names),
        **changes,
    )


@dataclass(frozen=True)
class Pool:
    """One account on chains: its market, its book and its margin."""

    snapshot: xm.Snapshot
    book: xm.Book
    result: Any

    def column(self, name: str, *, held: bool = False) -> list[float]:
        """A column of its holdings, for new or for held risk, in the order of the book's lines."""
        return getattr(self.result.held if held else self.result.holdings, name).tolist()

    def counts(self, *, held: bool = False) -> dict[str, float]:
        """What each token counts for, for new or for held risk, by the id of its line."""
        rows = self.book.holdings.instrument
        return {self.book.table.ids[i]: x for i, x in zip(rows, self.column("recognised", held=held), strict=True)}

    def term(self, name: str) -> float:
        """One term of chains, before its factors, summed over the pools."""
        return float(self.result.pools.chain_terms[:, CHAIN_TERMS.index(name)].sum())


def pool(
    *holdings: Holding,
    said: ChainsDocument | None = None,
    known: Registry | None = None,
    positions: dict[str, float] | None = None,
    routes: TransferDocument | None = None,
    **model: Any,
) -> Pool:
    """The margin of one account that holds `holdings` against `positions`."""
    document = replace(desk_market(), chains=said or chains())
    snapshot = build_snapshot(document, registry=known or registry(), routes=routes)
    one = replace(account(group(positions or {})), collateral=holdings)
    assert snapshot.chains is not None
    book = build_book(
        BookDocument(accounts=(one,), instruments=CONTRACTS), now_ns=snapshot.time_ns, instances=snapshot.chains.assets
    )
    return Pool(snapshot=snapshot, book=book, result=xm.margin(book, snapshot, plain_model(**model)))


def holding(instance: str, amount: float, **more: Any) -> Holding:
    return Holding(instance=instance, amount=amount, **more)
