"""Chains, bridges and tokens at one time, checked beside the registry: nothing that is needed is missing or assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf, prod
from types import MappingProxyType
from typing import Final

import msgspec

from crossmargin.core import check
from crossmargin.core.canon import digest
from crossmargin.core.chain_ids import parse_asset
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.core.finality import HEALTHS, Health
from crossmargin.market.registry.registry import CUT_OFF, Registry, RegistryView, chain_of
from crossmargin.market.registry.verifiers import effective_verifiers
from crossmargin.market.representations.document import (
    NEEDED_WITHIN_S,
    BridgeState,
    ChainsDocument,
    ChainState,
    InstanceState,
    Transfer,
)
from crossmargin.market.transfers.build import TransferTable, build_transfers
from crossmargin.market.transfers.cost import serves
from crossmargin.market.transfers.document import TransferDocument
from crossmargin.market.transfers.ways import Ways, stated_way, ways_between

LAGGING_MULTIPLE: Final = 2.0  # a final block older than twice the chain's profile lags (this project, 2026-11-22)
TRANSFER_S_MAX: Final = 90 * 86_400.0  # the longest way out in use takes weeks
NOTHING: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainMarket:
    """The registry in force and the state of what it names; `share` is what a fall of a `chain:` factor has left.

    `registry_sha256` is the hash of all records, the past ones too. `routes` lead to `needed_on`, none where every
    instance states its own way.
    """

    registry: RegistryView
    registry_sha256: str
    needed_on: str
    chains: Mapping[str, ChainState]
    bridges: Mapping[str, BridgeState]
    instances: Mapping[str, InstanceState]
    share: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    routes: TransferTable | None = None
    needed_within_s: float = NEEDED_WITHIN_S

    @property
    def hash(self) -> str:
        """Canonical digest: the states, the registry and routes by their own hash, and the time of reading them."""
        names = ("registry_sha256", "needed_on", "chains", "bridges", "instances", "share")
        said = {name: getattr(self, name) for name in names} | {"time_ns": self.registry.time_ns}
        if self.routes is not None:
            said["routes_sha256"] = self.routes.sha256
        if self.needed_within_s != NEEDED_WITHIN_S:
            said["needed_within_s"] = self.needed_within_s
        return digest(said)

    @property
    def assets(self) -> Mapping[str, str]:
        """The canonical asset of each instance that is stated."""
        return {key: self.registry.instances[key].canonical for key in self.instances}

    def factors_of(self, instance: str) -> tuple[str, ...]:
        """The factors that move a token beside its asset and its chain: the backing of each bridge behind it."""
        return tuple(f"backing:{bridge}" for bridge in self.registry.bridges_behind(instance))

    def backing(self, instance: str) -> float:
        """What stands behind a token, at most all of it: the product over the bridges behind it."""
        behind = self.registry.bridges_behind(instance)
        return prod((min(self.bridges[bridge].backing_ratio, 1.0) for bridge in behind), start=1.0)

    def ratio(self, instance: str, *, held: bool = False) -> float:
        """The price of a token over that of its asset: the lower of backing and its own market, where it can be had;
        `held` for risk that was taken before."""
        state = self.instances[instance]
        own = state.held_ratio if held and state.held_ratio is not None else state.market_ratio
        left = self.share.get(chain_of(instance), 1.0)
        return left * min(self.backing(instance), inf if own is None else own)

    def health(self, chain: str) -> Health:
        """The health of a chain; one whose last final block is older than twice its profile lags."""
        state = self.chains[chain]
        late = state.final_age_s > LAGGING_MULTIPLE * self.registry.chains[chain].finality.final_s
        return Health.LAGGING if late and state.health == "healthy" else HEALTHS[state.health]

    def is_closed(self, bridge: str, *, held: bool = False) -> bool:
        """Whether nothing comes home over a bridge, by the registry or by its state now; of one that is only paused
        what stands behind risk taken before (`held`) is thought to come later."""
        found = {self.bridges[bridge].state, self.registry.bridges[bridge].incident}
        return "exploited" in found if held else not found.isdisjoint(CUT_OFF)

    def ways(self, instance: str, coin_usd: Mapping[str, float]) -> Ways | None:
        """The ways of a token to where it is needed, none where it is there: the one that it states, else all routes.

        Not over a bridge that is closed. `coin_usd` has the prices of coins that pay for gas; raises `MissingFactors`
        for one that it lacks."""
        origin, stated = chain_of(instance), self.instances[instance].transfer
        if self.needed_on in {"", origin}:
            return None
        if stated is not None:
            times = [self.registry.chains[origin].finality.final_s + x for x in (stated.p50_s, stated.p95_s)]
            price = {"fixed_usd": stated.cost_usd, "share": stated.cost_bps * 1e-4}
            return stated_way(stated.route, **price, p50_s=times[0], p95_s=times[1])
        assert self.routes is not None, "the way to where it is needed is checked where the market is built"
        shut = {bridge for bridge in self.bridges if self.is_closed(bridge)}
        carrying = {name: route for name, route in self.routes.routes.items() if route.bridge not in shut}
        asset = self.registry.instances[instance].canonical
        lane = {"asset": asset, "origin": origin, "destination": self.needed_on}
        return ways_between(replace(self.routes, routes=carrying), self.registry, **lane, coin_usd=coin_usd)

    def verifiers(self, bridge: str) -> int:
        """How many independent parties must be corrupted before a bridge believes a lie."""
        return effective_verifiers(self.registry.bridges[bridge].verifiers)

    def moved(self, moves: Mapping[str, float]) -> ChainMarket:
        """After relative moves of `backing:` and `chain:` factors, everything else held."""
        bridges = {
            name: msgspec.structs.replace(b, backing_ratio=b.backing_ratio * (1.0 + moves.get(f"backing:{name}", 0.0)))
            for name, b in self.bridges.items()
        }
        fallen = {name: 1.0 + moves[f"chain:{name}"] for name in self.chains if f"chain:{name}" in moves}
        share = dict(self.share) | {name: left * self.share.get(name, 1.0) for name, left in fallen.items()}
        return replace(self, bridges=bridges, share=share)


def build_chains(
    document: ChainsDocument,
    registry: Registry,
    *,
    time_ns: int,
    routes: TransferDocument | None = None,
    where: str = "chains",
) -> ChainMarket:
    """The chains of a market, with the registry as it stands at its time, and the routes that it names.

    Raises `UnknownName` for what the registry does not hold then, `DuplicateName`, `InvalidInput` for figures out of
    range, and `MissingFactors` for all that a stated instance needs and nobody stated: the state of its chain and of
    each bridge behind it, the market price of what is bridged, and the way to where it is needed.
    """
    view = registry.at(time_ns)
    states = tuple(_checked_instance(x, f"{where}.instances[{i}]") for i, x in enumerate(document.instances))
    keyed = {
        "chain": ([c.chain for c in document.chains], view.chains),
        "bridge": ([b.bridge for b in document.bridges], view.bridges),
        "asset instance": ([x.instance for x in states], view.instances),
    }
    for what, (names, records) in keyed.items():
        check.unique(names, what, where=f"{where}: {what}s")
        for name in names:
            check.known(
                name, records, what, where=where, remedy="Add it to the registry, in force at the market's time."
            )
    if document.needed_on:
        check.known(document.needed_on, view.chains, "chain", where=f"{where}: needed_on")
    for chain in document.chains:
        check.within(chain.final_age_s, "final_age_s", 0.0, 1e9, where=f"{where}: {chain.chain}")
    for bridge in document.bridges:
        check.within(bridge.backing_ratio, "backing_ratio", 0.0, 1e9, where=f"{where}: {bridge.bridge}")
    found = ChainMarket(
        registry=view,
        registry_sha256=registry.sha256,
        needed_on=document.needed_on,
        chains={c.chain: c for c in document.chains},
        bridges={b.bridge: b for b in document.bridges},
        instances={x.instance: x for x in states},
        routes=_routes(document, routes, view, where),
        needed_within_s=check.within(document.needed_within_s, "needed_within_s", 0.0, TRANSFER_S_MAX, where=where),
    )
    _require(found, where)
    return found


def _routes(
    document: ChainsDocument, routes: TransferDocument | None, view: RegistryView, where: str
) -> TransferTable | None:
    if not document.routes:
        return None
    if routes is None:
        limit, remedy = "given where a market names them", "Read the market from a file, or give its routes."
        raise InvalidInput("routes", where=where, value=document.routes, limit=limit, remedy=remedy)
    return build_transfers(routes, view, where=f"{where}: routes")


def _checked_instance(x: InstanceState, where: str) -> InstanceState:
    check.within(x.liquidity_usd, "liquidity_usd", 0.0, 1e15, where=where)
    if x.market_ratio is not None:
        check.within(x.market_ratio, "market_ratio", 0.0, 1e3, where=where)
    if x.held_ratio is not None:
        least = 0.0 if x.market_ratio is None or x.peg == "broken" else x.market_ratio
        check.within(x.held_ratio, "held_ratio", least, 1e3, where=where)
    if x.transfer is not None:
        _check_transfer(x.transfer, f"{where}.transfer")
    return msgspec.structs.replace(x, instance=str(parse_asset(x.instance, where=where)))


def _check_transfer(way: Transfer, where: str) -> None:
    check.within(way.p50_s, "p50_s", 0.0, TRANSFER_S_MAX, where=where)
    check.within(way.p95_s, "p95_s", way.p50_s, TRANSFER_S_MAX, where=where)
    check.within(way.cost_usd, "cost_usd", 0.0, 1e9, where=where)
    check.within(way.cost_bps, "cost_bps", 0.0, 1e4, where=where)


def _require(found: ChainMarket, where: str) -> None:
    missing: dict[str, str] = {}
    for key, state in found.instances.items():
        behind = found.registry.bridges_behind(key)
        if chain_of(key) not in found.chains:
            missing.setdefault(f"chain:{chain_of(key)}", key)
        for bridge in behind:
            if bridge not in found.bridges:
                missing.setdefault(f"backing:{bridge}", key)
        if behind and state.market_ratio is None:
            missing[f"market_ratio of {key}"] = key
        if found.needed_on and chain_of(key) != found.needed_on and not (state.transfer or _is_served(found, key)):
            missing[f"transfer of {key} to {found.needed_on}"] = key
    if missing:
        raise MissingFactors(missing, where=where, needed_by=missing)


def _is_served(found: ChainMarket, instance: str) -> bool:
    """Whether a route leads to where it is needed, be it open or not."""
    lane = (found.registry.instances[instance].canonical, chain_of(instance), found.needed_on)
    return found.routes is not None and any(serves(route, *lane) for route in found.routes.routes.values())


def require_registry(registry: Registry | None, *, where: str) -> Registry:
    """`registry`, if there is one; chains without it mean nothing."""
    if registry is None:
        raise InvalidInput(
            "registry",
            where=where,
            value=None,
            limit="given for a market that states chains",
            remedy="Name it (--registry FILE), or give one that was built.",
        )
    return registry
