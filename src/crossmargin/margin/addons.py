"""The terms of portfolio margin that are no scenario, for many groups at once.

Everything is summed over cells, a cell being one bucket (underlying) of one group. Lines come sorted by group, bucket
and expiry (see `portfolio.book`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray, IntArray, tally
from crossmargin.margin.document import MarginModel
from crossmargin.margin.exposure import Exposure


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stock:
    """Lines of one kind as they are summed: `group`, `instrument`, `quantity` [line]."""

    group: IndexArray
    instrument: IndexArray
    quantity: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Addons:
    """Each term before its factors [group], USD."""

    liquidity: FloatArray
    concentration: FloatArray
    basis: FloatArray
    short_option_minimum: FloatArray
    oracle: FloatArray


def addons(positions: Stock, orders: Stock, cell_scan: FloatArray, exposure: Exposure, model: MarginModel) -> Addons:
    """The add-ons of each group; `cell_scan` [group, bucket] is the scan of each bucket standing alone.

    Orders count at the fill that is worst for each term: delta as large as buys or sells alone can make it, every
    short option sold, every order crossing its spread, and matched against the rest at the basis floor.
    """
    shape = cell_scan.shape
    own = _cell_sum(positions, exposure.delta, exposure, shape)
    order_delta = orders.quantity * exposure.delta[orders.instrument]
    up = _sum_cells(np.maximum(order_delta, 0.0), orders, exposure, shape)
    down = _sum_cells(np.minimum(order_delta, 0.0), orders, exposure, shape)
    delta = np.maximum(np.abs(own + up), np.abs(own + down))
    spread = _group_sum(np.abs(positions.quantity) * exposure.spread[positions.instrument], positions, shape[0])
    spread += _group_sum(np.abs(orders.quantity) * exposure.spread[orders.instrument], orders, shape[0])
    rules = model.liquidity
    impact = (rules.impact * exposure.daily_vol * delta * np.sqrt(delta / exposure.adv)).sum(axis=1)
    days = delta / (rules.participation * exposure.adv)
    longer = np.sqrt(np.maximum(days / rules.horizon_days, 1.0)) - 1.0
    short = _short_notional(positions, exposure, shape[0]) + _short_notional(orders, exposure, shape[0])
    return Addons(
        liquidity=spread + impact,
        concentration=(cell_scan * longer).sum(axis=1),
        basis=_basis(positions, exposure, model, shape) + model.basis.floor * (up - down).sum(axis=1),
        short_option_minimum=model.short_option.rate * short,
        oracle=model.oracle.multiplier * (exposure.uncertainty * delta).sum(axis=1),
    )


def _cell(lines: Stock, exposure: Exposure, buckets: int) -> IntArray:
    return lines.group.astype(np.int64) * buckets + exposure.bucket[lines.instrument]


def _sum_cells(amount: FloatArray, lines: Stock, exposure: Exposure, shape: tuple[int, ...]) -> FloatArray:
    groups, buckets = shape
    return tally(_cell(lines, exposure, buckets), amount, groups * buckets).reshape(groups, buckets)


def _cell_sum(lines: Stock, per_contract: FloatArray, exposure: Exposure, shape: tuple[int, ...]) -> FloatArray:
    return _sum_cells(lines.quantity * per_contract[lines.instrument], lines, exposure, shape)


def _group_sum(amount: FloatArray, lines: Stock, groups: int) -> FloatArray:
    return tally(lines.group, amount, groups)


def _short_notional(lines: Stock, exposure: Exposure, groups: int) -> FloatArray:
    """Underlying notional of the options sold, gross: a spread's long leg does not remove its short one (as SPAN)."""
    return _group_sum(np.maximum(-lines.quantity, 0.0) * exposure.option_notional[lines.instrument], lines, groups)


def _basis(positions: Stock, exposure: Exposure, model: MarginModel, shape: tuple[int, ...]) -> FloatArray:
    """Longs against shorts of each underlying, matched at least distance along the curve [group].

    With longs and shorts scaled to the matched notional M, the least total distance is ∫|Σ_{τ' ≤ τ} d(τ')| dτ, the
    earth mover's distance on a line (Vallender 1974); charge = floor·M + annual·distance + venue·(part of M whose
    two sides stand at different places).
    """
    groups, buckets = shape
    if not len(positions.quantity):
        return np.zeros(groups)
    cell = _cell(positions, exposure, buckets)
    delta = positions.quantity * exposure.delta[positions.instrument]
    size = groups * buckets
    longs = tally(cell, np.maximum(delta, 0.0), size)
    shorts = tally(cell, np.maximum(-delta, 0.0), size)
    matched = np.minimum(longs, shorts)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(delta > 0.0, (matched / longs)[cell], (matched / shorts)[cell])
    balanced = delta * np.where(np.isfinite(scale), scale, 0.0)
    distance = _distance(balanced, cell, exposure.tenor_years[positions.instrument], size)
    apart = _apart(balanced, cell, exposure.place[positions.instrument], exposure.places, size)
    rules = model.basis
    charge = rules.floor * matched + rules.annual * distance + rules.venue * apart
    return np.asarray(charge.reshape(groups, buckets).sum(axis=1))


def _distance(balanced: FloatArray, cell: IntArray, tenor_years: FloatArray, size: int) -> FloatArray:
    """Σ |running imbalance| × step to the next tenor, within each cell [cell]."""
    same = np.diff(cell, append=-1) == 0
    step = np.where(same, np.diff(tenor_years, append=0.0), 0.0)
    return tally(cell, np.abs(_running(balanced, cell)) * step, size)


def _running(amount: FloatArray, cell: IntArray) -> FloatArray:
    """Running sums within each run of one cell, untouched by the cells before it (Hillis and Steele 1986).

    One running sum over all lines would leave a small account the last bits of a large one.
    """
    sums, shift = amount.copy(), 1
    while shift < len(cell) and (same := cell[shift:] == cell[:-shift]).any():
        sums[shift:] += np.where(same, sums[:-shift], 0.0)
        shift *= 2
    return sums


def _apart(balanced: FloatArray, cell: IntArray, place: IndexArray, places: int, size: int) -> FloatArray:
    """Half of Σ_place |net of the balanced deltas at that place| [cell]: what must match across places."""
    if places < 2:
        return np.zeros(size)
    key, index = np.unique(cell * places + place, return_inverse=True)
    net = tally(index.reshape(-1), balanced, len(key))
    return tally(key // places, np.abs(net), size) / 2.0
