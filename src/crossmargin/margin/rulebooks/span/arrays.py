"""Risk arrays of a book's own contracts, from the scan range of their underlying: full revaluation at every point.

The price of the underlying moves, its forwards and marks in proportion, and each option keeps its strike and the
volatility it has there, which the scan moves by a part of itself or by points. Losses are in USD a contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

import msgspec
import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import NEVER_NS, format_instant
from crossmargin.instruments.table import Family, InstrumentTable, PayoutCode, build_table
from crossmargin.instruments.terms import Right
from crossmargin.margin.rulebooks.span.parameters import (
    CommodityRules,
    IntraLeg,
    IntraSpread,
    ScanPoint,
    ScanRange,
    SpanContract,
)
from crossmargin.market.snapshot import Snapshot, Underlying, normal_scale
from crossmargin.scenarios.scenario_set import Scenario, ScenarioSet, collect
from crossmargin.valuation.kernels.black76 import black_values
from crossmargin.valuation.marks import marks
from crossmargin.valuation.pnl import pnl, values_usd
from crossmargin.valuation.world import World, surface_of

_STEPS: Final = np.asarray([0.0, 1 / 3, -1 / 3, 2 / 3, -2 / 3, 1.0, -1.0])
_WEIGHT_AT: Final = np.asarray([0, 1, 1, 2, 2, 3, 3])
_BUMP: Final = 1e-4  # Of the price: its difference quotient is within 1e-4 of a delta for v ≥ 0.5 %, clear of rounding.


def own_table(table: InstrumentTable, rows: Sequence[int], snapshot: Snapshot) -> InstrumentTable:
    """The table of the chosen rows alone, in their order."""
    return build_table([table.terms[row] for row in rows], now_ns=snapshot.time_ns)


def scanned_contracts(
    table: InstrumentTable, snapshot: Snapshot, name: str, scan: ScanRange, points: tuple[ScanPoint, ...]
) -> tuple[SpanContract, ...]:
    """The contracts of a table all on the underlying `name`: arrays and values in USD, deltas in coins.

    What never expires stands under the day of the market. Raises `MissingFactors` where the market lacks a price,
    `InvalidInput` for a range that takes a price to zero, and for a volatility range in points where an option is no
    European one on a lognormal surface.
    """
    losses = -scanned_pnl(table, snapshot, name, scan, points)
    delta, value = composite_deltas(table, snapshot, name, scan), values_usd(table, snapshot)
    options = table.family == Family.OPTION
    minimum = np.where(options, scan.short_minimum * table.multiplier, 0.0)
    return tuple(
        SpanContract(
            id=table.ids[row],
            losses=tuple(losses[row].tolist()),
            delta=float(delta[row]),
            period=_period(int(table.expiry_ns[row]), snapshot),
            right=_right(float(table.right[row])),
            premium=bool(table.upfront[row]),
            value=float(value[row]),
            short_minimum=float(minimum[row]),
        )
        for row in range(len(table))
    )


def _right(sign: float) -> Right | None:
    if sign == 0.0:
        return None
    return "call" if sign > 0.0 else "put"


def _period(expiry_ns: int, snapshot: Snapshot) -> str:
    when = snapshot.time_ns if expiry_ns == NEVER_NS else expiry_ns
    return format_instant(when)[:10].replace("-", "")


def _unit(u: Underlying, scan: ScanRange) -> float:
    """The price scan range as the market's moves are written: relative, or in units of a normal surface's scale."""
    size = scan.price * abs(u.spot) if scan.price_unit == "relative" else scan.price
    move = size / (u.spot if u.curve.lognormal else normal_scale(u))
    if u.curve.lognormal and move * max(scan.extreme_multiple, 1.0) >= 1.0:
        raise InvalidInput(
            "price scan range",
            where=f"scan range of {u.name}",
            value=scan.price,
            limit=f"such that the far move leaves a price above zero (spot {u.spot:g} in {u.quote})",
            remedy="Correct the range or its unit.",
        )
    return move


def scanned_pnl(
    table: InstrumentTable, snapshot: Snapshot, name: str, scan: ScanRange, points: tuple[ScanPoint, ...]
) -> FloatArray:
    """USD gain of one contract held long at each point [instrument, point], the cover fraction in it."""
    u = snapshot.underlyings[name]
    step = np.asarray([p.price * (scan.extreme_multiple if p.extreme else 1.0) for p in points])
    move, shift = step * _unit(u, scan), np.asarray([p.volatility for p in points]) * scan.volatility
    relative = scan.volatility_unit == "relative"
    columns = collect(
        [
            Scenario(
                label=f"point {number + 1}",
                family="scan",
                shocks={u.factor: float(move[number]), f"vol:{name}": float(shift[number]) if relative else 0.0},
                horizon_days=scan.horizon_days,
                damping=scan.cover if point.extreme else 1.0,
            )
            for number, point in enumerate(points)
        ],
        where=f"scan range of {name}",
    )
    found = np.array(pnl(table, snapshot, columns, sticky=0.0).values)
    rows = table.rows_of(Family.OPTION)
    if not relative and len(rows):
        found[rows] = _points_pnl(table, World(snapshot=snapshot, scenarios=columns), u, rows, shift)
    return found


def _points_pnl(table: InstrumentTable, world: World, u: Underlying, rows: IndexArray, shift: FloatArray) -> FloatArray:
    """USD gain of options [row, point] where volatilities move by points, none below zero."""
    _require_points(table, u, rows)
    strike, right, expiry = table.strike[rows], table.right[rows], table.expiry_ns[rows]
    forward = u.curve(expiry)
    vol = surface_of(u).vol(np.log(strike / forward), expiry)[:, None]

    def values(at: World, vols: FloatArray) -> FloatArray:
        moved = forward[:, None] * np.exp(at.log_move(u, expiry))
        total = np.maximum(vols, 0.0) * np.sqrt(at.tenor_after(expiry))
        flat = [np.broadcast_to(x, moved.shape).ravel() for x in (moved, strike[:, None], total, right[:, None])]
        price = black_values(*flat).reshape(moved.shape)
        settle = np.stack([at.asset_price(table.assets[a]) for a in table.settle[rows]])
        inverse = (table.payout[rows] == PayoutCode.INVERSE)[:, None]
        discounted = table.discounted[rows][:, None] & ~inverse
        discount = at.discount(u.quote, expiry) if discounted.any() else 1.0
        return np.asarray(np.where(inverse, price / moved, price * np.where(discounted, discount, 1.0)) * settle)

    after = values(world, vol + shift[None, :])
    before = values(replace(world, scenarios=_still(u)), vol)
    return np.asarray(world.scenarios.damping * table.multiplier[rows, None] * (after - before))


def _still(u: Underlying) -> ScenarioSet:
    return collect([Scenario(label="now", family="scan", shocks={u.factor: 0.0})])


def _require_points(table: InstrumentTable, u: Underlying, rows: IndexArray) -> None:
    other = rows[table.american[rows]] if surface_of(u).lognormal else rows
    if len(other):
        raise InvalidInput(
            "volatility_unit",
            where=f"scan range of {u.name}: {table.ids[other[0]]}",
            value="absolute",
            limit="relative, unless options are European on a lognormal surface",
            remedy="State the volatility range as a part of volatility.",
        )


def composite_deltas(table: InstrumentTable, snapshot: Snapshot, name: str, scan: ScanRange) -> FloatArray:
    """Mean delta of one contract [instrument], in coins, over prices unmoved and up to one scan range away.

    Each is ∂V/∂F of the contract's own forward after the look-ahead time, at unchanged volatility.
    """
    u = snapshot.underlyings[name]
    moves = (_STEPS * _unit(u, scan))[:, None] + np.asarray([_BUMP, -_BUMP])
    columns = collect(
        [
            Scenario(label=f"{i}", family="delta", shocks={u.factor: float(x)}, horizon_days=scan.horizon_days)
            for i, x in enumerate(moves.ravel())
        ],
        where=f"scan range of {name}",
    )
    gain = pnl(table, snapshot, columns, sticky=0.0).values.reshape(len(table), len(_STEPS), 2)
    unit = marks(table, snapshot).price if u.curve.lognormal else np.full(len(table), normal_scale(u))
    slope = (gain[..., 0] - gain[..., 1]) / (2.0 * _BUMP * unit[:, None] * snapshot.asset_price(u.quote))
    return np.asarray(slope @ np.asarray(scan.delta_weights)[_WEIGHT_AT])


def scanned_rules(
    contracts: Sequence[SpanContract], table: InstrumentTable, snapshot: Snapshot, name: str, scan: ScanRange
) -> CommodityRules:
    """The rules of a scanned underlying: its price scan range in USD, and a spread between any two months held.

    Spreads at the `calendar` rate come after those that the rules state, by the earlier and then the later month.
    """
    u, quote = snapshot.underlyings[name], snapshot.asset_price(snapshot.underlyings[name].quote)
    unit = _unit(u, scan) * (u.spot if u.curve.lognormal else normal_scale(u)) * quote
    price_scan = scan.rules.price_scan or unit
    price = dict(zip((c.period for c in contracts), np.abs(u.curve(table.expiry_ns)) * quote, strict=True))
    after = max((spread.priority for spread in scan.rules.spreads), default=0) + 1
    pairs = combinations(sorted(price), 2) if scan.calendar is not None else ()
    spreads = tuple(
        IntraSpread(
            priority=after + number,
            charge=float((scan.calendar or 0.0) * price[far]),
            legs=(IntraLeg(side="A", period=near), IntraLeg(side="B", period=far)),
        )
        for number, (near, far) in enumerate(pairs)
    )
    return msgspec.structs.replace(scan.rules, price_scan=price_scan, spreads=(*scan.rules.spreads, *spreads))
