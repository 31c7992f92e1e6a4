"""What `transfer` does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from crossmargin.adapters.files import read_market
from crossmargin.adapters.registries.files import read_registry
from crossmargin.adapters.registries.transfers import read_transfers
from crossmargin.cli.output import print_report
from crossmargin.cli.transferring.report import TransferReport, persisting, route_rows
from crossmargin.cli.transferring.tables import transfer_tables
from crossmargin.core import check
from crossmargin.market.registry.registry import RegistryView
from crossmargin.market.snapshot import Snapshot
from crossmargin.market.transfers.buckets import Bucket, wait_s
from crossmargin.market.transfers.build import TransferTable
from crossmargin.market.transfers.cost import Conditions, TransferCosts, transfer_costs
from crossmargin.market.transfers.ways import lane_limit
from crossmargin.optimize.transfers.arbitrage import band
from crossmargin.optimize.transfers.choose import cheapest_in_time

LADDER_USD: Final = np.logspace(3.0, 8.0, 51)  # Where an arbitrageur may trade: 1,000 to 100 million USD.


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of the routes."""

    asset: str
    origin: str
    destination: str
    amount: float
    deadline_s: float
    confidence: float
    gas_multiple: float
    delay_multiple: float
    depth_usd: float | None
    rate: float


def transfer(asked: Asked, *, market: Path, routes: Path, registry: Path, as_json: bool) -> None:
    """Print what a transfer costs by every route, and which one to take."""
    snapshot, records = read_market(market), read_registry(registry)
    view = records.at(records.times_ns[-1] if records.times_ns else 0)
    table = read_transfers(routes, view)
    check.known(asked.asset, snapshot.assets, "asset", where="market", remedy="Add it to the market's assets.")
    amount_usd = check.positive(asked.amount, "amount", where="--amount") * snapshot.asset_price(asked.asset)
    costs = _costs(asked, np.asarray([amount_usd]), table, view, snapshot)
    waits = {name: _wait_s(asked, table.routes[name].bridge, view) for name in costs.routes}
    choice = cheapest_in_time(costs, amount=0, deadline_s=asked.deadline_s, confidence=asked.confidence, wait_s=waits)
    bridges = {name: table.routes[name].bridge for name in costs.routes}
    width, band_route, band_amount = persisting(band(_costs(asked, LADDER_USD, table, view, snapshot)))
    report = TransferReport(
        asset=asked.asset,
        origin=asked.origin,
        destination=asked.destination,
        amount=asked.amount,
        amount_usd=amount_usd,
        deadline_s=asked.deadline_s,
        confidence=asked.confidence,
        taken=choice.route,
        routes=route_rows(costs, choice, bridges, waits, asked.deadline_s),
        band=width,
        band_route=band_route,
        band_amount_usd=band_amount,
        registry_sha256=records.sha256,
        routes_sha256=table.sha256,
    )
    print_report(report, as_json=as_json, tables=transfer_tables)


def _costs(
    asked: Asked, amount_usd: np.ndarray, table: TransferTable, view: RegistryView, snapshot: Snapshot
) -> TransferCosts:
    coins = {gas.coin for gas in table.gas.values()} & set(snapshot.assets)
    return transfer_costs(
        table,
        view,
        asset=asked.asset,
        origin=asked.origin,
        destination=asked.destination,
        amount_usd=amount_usd,
        conditions=Conditions(
            coin_usd={coin: snapshot.asset_price(coin) for coin in coins},
            rate=asked.rate,
            depth_usd=asked.depth_usd,
            gas_multiple=asked.gas_multiple,
            delay_multiple=asked.delay_multiple,
        ),
    )


def _wait_s(asked: Asked, bridge: str, view: RegistryView) -> float | None:
    """The queue at the lane's limit, if the registry has one and it is full now; None where nothing ever passes."""
    limit = lane_limit(view, bridge, asked.asset, asked.origin, asked.destination)
    if limit is None:
        return 0.0
    capacity = int(Fraction(limit.capacity))
    bucket = Bucket(capacity=capacity, refill_per_s=Fraction(limit.refill_per_s), left=capacity, time_ns=0)
    wait = wait_s(bucket, math.ceil(Fraction(str(asked.amount)) * 10 ** view.assets[asked.asset].decimals), 0)
    return None if wait is None else float(wait)
