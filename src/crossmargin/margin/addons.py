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
    """Lines of one kind as they are summed: `group`, `instrument`, `quantity` [line], and what working orders are to
    deal at, `price` [line] (NaN for the mark)."""

    group: IndexArray
    instrument: IndexArray
    quantity: FloatArray
    price: FloatArray | None = None


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
    cell, delta_held = _cell(positions, exposure, shape[1]), positions.quantity * exposure.delta[positions.instrument]
    own = tally(cell, delta_held, cell_scan.size).reshape(shape)
    up, down = _order_deltas(orders, exposure, shape)
    delta = np.maximum(np.abs(own + up), np.abs(own + down))
    spread = _spread(positions, exposure, shape[0]) + _spread(orders, exposure, shape[0])
    rules = model.liquidity
    impact = (rules.impact * exposure.daily_vol * delta * np.sqrt(delta / exposure.adv)).sum(axis=1)
    days = delta / (rules.participation * exposure.adv)
    longer = np.sqrt(np.maximum(days / rules.horizon_days, 1.0)) - 1.0
    short = _short_notional(positions, exposure, shape[0]) + _short_notional(orders, exposure, shape[0])
    return Addons(
        liquidity=spread + impact,
        concentration=(cell_scan * longer).sum(axis=1),
        basis=_basis(positions, cell, delta_held, exposure, model, shape) + model.basis.floor * (up - down).sum(axis=1),
        short_option_minimum=model.short_option.rate * short,
        oracle=model.oracle.multiplier * (exposure.uncertainty * delta).sum(axis=1),
    )


def _cell(lines: Stock, exposure: Exposure, buckets: int) -> IntArray:
    return lines.group.astype(np.int64) * buckets + exposure.bucket[lines.instrument]


def _order_deltas(orders: Stock, exposure: Exposure, shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Delta that all buying and all selling orders would bring [group, bucket]."""
    if not len(orders.quantity):
        return np.zeros(shape), np.zeros(shape)
    cell, delta = _cell(orders, exposure, shape[1]), orders.quantity * exposure.delta[orders.instrument]
    size = shape[0] * shape[1]
    up, down = (tally(cell, part, size).reshape(shape) for part in (np.maximum(delta, 0.0), np.minimum(delta, 0.0)))
    return up, down


def _spread(lines: Stock, exposure: Exposure, groups: int) -> FloatArray:
    """Cost of crossing half the spread with every line [group]."""
    return tally(lines.group, np.abs(lines.quantity) * exposure.spread[lines.instrument], groups)


def _short_notional(lines: Stock, exposure: Exposure, groups: int) -> FloatArray:
    """Underlying notional of the options sold, gross: a spread's long leg does not remove its short one (as SPAN)."""
    return tally(lines.group, np.maximum(-lines.quantity, 0.0) * exposure.option_notional[lines.instrument], groups)


def _basis(
    positions: Stock,
    cell: IntArray,
    delta: FloatArray,
    exposure: Exposure,
    model: MarginModel,
    shape: tuple[int, ...],
) -> FloatArray:
    """Longs against shorts of each underlying, matched at least distance along the curve [group].

    With longs and shorts scaled to the matched notional M, the least total distance is ∫|Σ_{τ' ≤ τ} d(τ')| dτ, the
    earth mover's distance on a line (Vallender 1974); charge = floor·M + annual·distance + venue·(part of M whose
    two sides stand at different places).
    """
    groups, buckets = shape
    if not len(positions.quantity):
        return np.zeros(groups)
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
    return tally(cell, np.abs(running_sums(balanced, cell)) * step, size)


def running_sums(amount: FloatArray, cell: IntArray) -> FloatArray:
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
    net = tally(cell * places + place, balanced, size * places)
    return np.asarray(np.abs(net).reshape(size, places).sum(axis=1) / 2.0)
