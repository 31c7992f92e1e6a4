"""The desk of the demonstration: what margin reads of it, made of what was read of two chains.

Its market is the bundled one, held still while the chains run; only its time goes on. Registry, chains, tokens and
amounts are those of the chains that the demonstration has started.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import msgspec

from crossmargin.adapters.documents import decode
from crossmargin.adapters.files import read_model_document
from crossmargin.core.finality import HEALTH_NAMES, LEVEL_NAMES, TRUST_NAMES, Level, Trust
from crossmargin.core.instant import format_instant, parse_instant, to_milliseconds
from crossmargin.engine.accounts import margin_report
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.reports import AccountReport
from crossmargin.instruments.terms import Instant
from crossmargin.market.build import build_snapshot
from crossmargin.market.chains.health import Condition
from crossmargin.market.document import MarketDocument, Underlying
from crossmargin.market.registry.build import build_registry
from crossmargin.market.registry.document import (
    AssetInstance,
    BackingEdge,
    Bridge,
    CanonicalAsset,
    Chain,
    Committee,
    Finality,
    ProofSlot,
    Ramp,
    RegistryDocument,
    VerifierSet,
)
from crossmargin.market.registry.registry import Registry
from crossmargin.market.representations.document import (
    BridgeState,
    ChainsDocument,
    ChainState,
    InstanceState,
    PegName,
    Transfer,
)
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Position

ASSET: Final = "USDC"  # The test token stands in for it: the model knows its haircut.
DECIMALS: Final = 6
BRIDGE: Final = "demo-bridge"
# Finality of the local chains: eight blocks of twelve seconds, as both backends tag them.
PROFILE: Final = Finality(method="tag", final_s=96.0, halt_s=3_600.0)
STARTED: Final = "2026-03-31T16:10:45Z"
_VALID_FROM, _SOURCE, _DATE = "2025-01-01T00:00:00Z", "made up for the demonstration", "2026-11-22"
_RAMP: Final = Ramp(start=_VALID_FROM, days=30.0, cap_usd=5e7, liquidity_share=0.05)
_LIQUIDITY_USD: Final = 2e8
# What expires while the chains' clocks are set forward is left out.
_EXPIRIES_FROM: Final = "2026-04-10T00:00:00Z"
# A long and a short strangle and two perpetuals: bounded both ways, so that the worst loss is below the collateral.
_POSITIONS: Final = (
    ("BTC-24APR26-60000-P.DERIBIT", -30),
    ("BTC-24APR26-75000-C.DERIBIT", -30),
    ("BTC-26JUN26-55000-P.DERIBIT", 30),
    ("BTC-26JUN26-90000-C.DERIBIT", 30),
    ("BTC_USDC-PERPETUAL.DERIBIT", -0.5),
    ("ETH_USDC-PERPETUAL.DERIBIT", 20),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A chain and what stands on it: `instance` is the token's CAIP-19."""

    chain: str
    name: str
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was read of a chain: amounts by level in whole tokens, how well proven, and how the chain does."""

    amounts: Mapping[Level, str]
    trust: Trust
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is known beside the balances: how far the bridge is backed, and how its token trades by either clock."""

    backing: float = 1.0
    market_ratio: float = 1.0
    held_ratio: float = 1.0
    peg: PegName = "normal"


def registry_of(home: Place, abroad: Place, lockbox: str) -> Registry:
    """Two chains, and a token that is native on one and came to the other over a bridge with a lockbox."""
    chains = tuple(
        Chain(
            chain=place.chain,
            name=place.name,
            family="evm",
            finality=PROFILE,
            valid_from=_VALID_FROM,
            source=_SOURCE,
            date=_DATE,
        )
        for place in (home, abroad)
    )
    verifiers = VerifierSet(committee=Committee(members=5, quorum=3))
    bridge = Bridge(
        bridge=BRIDGE,
        name="a lockbox and a minter",
        verifiers=verifiers,
        finality_knob="finalized",
        exposure_cap=0.2,
        valid_from=_VALID_FROM,
        source=_SOURCE,
        date=_DATE,
    )
    backing = BackingEdge(bridge=BRIDGE, home=home.instance, lockbox=lockbox, proof=ProofSlot(slot=0, layout="vyper"))
    token = AssetInstance(
        instance=home.instance,
        symbol=ASSET,
        canonical=ASSET,
        decimals=DECIMALS,
        kind="issuer_native",
        ramp=_RAMP,
        valid_from=_VALID_FROM,
        source=_SOURCE,
        date=_DATE,
    )
    wrapped = msgspec.structs.replace(
        token, instance=abroad.instance, symbol=f"{ASSET}.b", kind="lock_mint", backing=(backing,)
    )
    asset = CanonicalAsset(
        asset=ASSET,
        name="a test token",
        decimals=DECIMALS,
        peg="USD",
        valid_from=_VALID_FROM,
        source=_SOURCE,
        date=_DATE,
    )
    return build_registry(
        RegistryDocument(chains=chains, assets=(asset,), bridges=(bridge,), instances=(token, wrapped))
    )


def chains_document(home: Place, abroad: Place, known: Mapping[str, Known], sight: Sight) -> ChainsDocument:
    """What a market says of the two chains; margin is needed on the second."""
    states = tuple(
        ChainState(
            chain=place.chain,
            health=HEALTH_NAMES[known[place.chain].condition.health],
            final_age_s=known[place.chain].condition.final_age_s,
        )
        for place in (home, abroad)
    )
    way = Transfer(route=BRIDGE, p50_s=180.0, p95_s=600.0, cost_usd=5.0)
    return ChainsDocument(
        needed_on=abroad.chain,
        chains=states,
        bridges=(BridgeState(bridge=BRIDGE, backing_ratio=sight.backing),),
        instances=(
            InstanceState(instance=home.instance, liquidity_usd=_LIQUIDITY_USD, transfer=way),
            InstanceState(
                instance=abroad.instance,
                liquidity_usd=_LIQUIDITY_USD,
                market_ratio=sight.market_ratio,
                held_ratio=sight.held_ratio,
                peg=sight.peg,
            ),
        ),
    )


def book_document(account: str, home: Place, abroad: Place, known: Mapping[str, Known]) -> BookDocument:
    """The desk's positions, and its balances as they were read, level by level."""
    held = tuple(
        Holding(
            instance=place.instance,
            amount=amount,
            level=LEVEL_NAMES[level],
            trust=TRUST_NAMES[known[place.chain].trust],
        )
        for place in (home, abroad)
        for level, amount in sorted(known[place.chain].amounts.items(), reverse=True)
    )
    positions = tuple(Position(instrument=name, quantity=quantity) for name, quantity in _POSITIONS)
    group = Group(id="desk", mode="portfolio", positions=positions)
    return BookDocument(accounts=(Account(id=account, collateral=held, groups=(group,)),), name="demonstration")


def margined(book: BookDocument, chains: ChainsDocument, registry: Registry, *, time_s: int) -> MarginResult:
    """The ordinary margin of the desk at a time."""
    snapshot = build_snapshot(market_document(chains, time_s=time_s), registry=registry)
    assert snapshot.chains is not None, "the document states chains"
    return margin(build_book(book, now_ns=snapshot.time_ns, instances=snapshot.chains.assets), snapshot, _model())


def market_document(chains: ChainsDocument, *, time_s: int) -> MarketDocument:
    """The bundled market at a time, with the two chains."""
    return msgspec.structs.replace(_market(), as_of=format_instant(time_s * 10**9), chains=chains)


def account_of(result: MarginResult) -> AccountReport:
    """The one account of a result."""
    return margin_report(result).accounts[0]


def started_s() -> int:
    """When the chains begin, in Unix seconds: the time of the bundled market."""
    return to_milliseconds(parse_instant(STARTED, where="demonstration")) // 1000


@cache
def _model() -> ModelDocument:
    return read_model_document()


@cache
def _market() -> MarketDocument:
    """The bundled market, without its chains and without what expires during the demonstration."""
    raw = resources.files("crossmargin.cli").joinpath("demo", "market.toml").read_bytes()
    found = decode(raw, MarketDocument, syntax="toml", where="market.toml")
    kept = tuple(_later(underlying) for underlying in found.underlyings)
    return msgspec.structs.replace(found, underlyings=kept)


def _later(underlying: Underlying) -> Underlying:
    forwards = tuple(point for point in underlying.forwards if _is_later(point.expiry))
    surface = underlying.surface
    if surface is not None:
        slices = tuple(one for one in surface.slices if _is_later(one.expiry))
        surface = msgspec.structs.replace(surface, slices=slices)
    return msgspec.structs.replace(underlying, forwards=forwards, surface=surface)


def _is_later(expiry: Instant) -> bool:
    return parse_instant(expiry, where="market.toml") >= parse_instant(_EXPIRIES_FROM, where="demonstration")
