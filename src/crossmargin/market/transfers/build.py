"""A checked table of routes: every name in it is known to the registry, every figure within its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from crossmargin.core import check
from crossmargin.core.canon import digest
from crossmargin.core.errors import InvalidInput
from crossmargin.market.registry.registry import RegistryView
from crossmargin.market.transfers.document import ANY, Fee, GasPrice, Route, TransferDocument

YEAR_S = 365 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTable:
    """Routes by name and gas by chain, checked beside a registry; `sha256` is of the document."""

    routes: Mapping[str, Route]
    gas: Mapping[str, GasPrice]
    sha256: str


def build_transfers(document: TransferDocument, registry: RegistryView, *, where: str) -> TransferTable:
    """The routes of a document, checked; raises `UnknownName`, `DuplicateName` or `InvalidInput` with the place."""
    check.unique((route.route for route in document.routes), "route", where=f"{where}: routes")
    check.unique((gas.chain for gas in document.gas), "chain", where=f"{where}: gas")
    for route in document.routes:
        _check_route(route, registry, where=f"{where}: route {route.route}")
    for gas in document.gas:
        place = f"{where}: gas of {gas.chain}"
        check.known(gas.chain, registry.chains, "chain", where=place)
        check.within(gas.price_gwei, "gas price (gwei)", 0.0, 1e6, where=place)
        check.within(gas.data_gwei, "price of data (gwei a byte)", 0.0, 1e6, where=place)
    priced = {gas.chain for gas in document.gas}
    for chain in sorted({c for route in document.routes for c in (*route.origins, *route.destinations)} - priced):
        raise InvalidInput(
            "gas", where=where, value=chain, limit="priced for every chain of a route", remedy="Add its gas price."
        )
    return TransferTable(
        routes=MappingProxyType({route.route: route for route in document.routes}),
        gas=MappingProxyType({gas.chain: gas for gas in document.gas}),
        sha256=digest(document),
    )


def known_part(document: TransferDocument, registry: RegistryView) -> TransferDocument:
    """What a registry knows of a table that was made beside another one: its bridges, assets and chains.

    For the table that ships; of a table that somebody names, every name must be known.
    """

    def kept(names: tuple[str, ...], known: Mapping[str, object]) -> tuple[str, ...]:
        return tuple(name for name in names if name in known)

    routes = [
        msgspec.structs.replace(
            route,
            assets=kept(route.assets, registry.assets),
            origins=kept(route.origins, registry.chains),
            destinations=kept(route.destinations, registry.chains),
        )
        for route in document.routes
        if route.bridge in registry.bridges
    ]
    gas = tuple(gas for gas in document.gas if gas.chain in registry.chains)
    return TransferDocument(routes=tuple(r for r in routes if r.assets and r.origins and r.destinations), gas=gas)


def _check_route(route: Route, registry: RegistryView, *, where: str) -> None:
    check.known(route.bridge, registry.bridges, "bridge", where=where, remedy="Add it to the registry first.")
    for asset in route.assets:
        check.known(asset, registry.assets, "asset", where=where)
    for chain in (*route.origins, *route.destinations):
        check.known(chain, registry.chains, "chain", where=where)
    for origin in route.origins:
        finality = registry.chains[origin].finality
        if {"soft": finality.soft_s, "final": finality.final_s, "exit": finality.exit_s}[route.level] is None:
            raise InvalidInput(
                "level",
                where=where,
                value=route.level,
                limit=f"one that {origin} has",
                remedy="Choose another, or add its time to the chain's record.",
            )
    for what, value in (("attest_s", route.attest_s), ("execute_s", route.execute_s), ("retry_s", route.retry_s)):
        check.within(value, what, 0.0, 90 * 86_400.0, where=where)
    check.within(route.p95_over_p50, "p95 over p50", 1.0, 1e3, where=where)
    check.within(route.retry_share, "retry share", 0.0, 0.5, where=where)
    check.within(route.years, "years observed", 1e-3, 1e4, where=where)
    check.within(route.incidents, "incidents", 0, route.years, where=where)
    for what, gas in (("gas at the origin", route.gas_origin), ("gas at the destination", route.gas_destination)):
        check.within(gas, what, 0.0, 1e9, where=where)
    for origin in route.origins:
        for destination in route.destinations:
            if origin != destination:
                fee_between(route, origin, destination)
    for fee in route.fees:
        check.within(fee.share_bps, "fee (bp)", 0.0, 1e4, where=where)
        check.within(fee.fixed_usd, "fee (USD)", 0.0, 1e9, where=where)
        check.within(fee.utilisation_bps, "fee by utilisation (bp)", 0.0, 1e4, where=where)


def fee_between(route: Route, origin: str, destination: str) -> Fee:
    """The first fee that fits the pair; raises `InvalidInput` where the route states none for it.

    A fee that nobody stated is not zero.
    """
    for fee in route.fees:
        if fee.origin in (ANY, origin) and fee.destination in (ANY, destination):
            return fee
    raise InvalidInput(
        "fee",
        where=f"route {route.route}",
        value=f"{origin} → {destination}",
        limit="stated for every pair that the route serves",
        remedy='Add it; "*" stands for any chain.',
    )
