"""The scan: what each group loses over the scenarios, together and underlying by underlying.

Working orders count at their worst fill in each scenario: an order adds max(0, its loss there), so the maximum over
scenarios is also the maximum over all ways in which the orders may be filled. For measures that average over
scenarios this is an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray, IntArray, frozen
from crossmargin.instruments.table import Family, InstrumentTable, PayoutCode
from crossmargin.margin.document import MeasureChoice
from crossmargin.margin.exposure import Exposure
from crossmargin.measures.kernels.reduce import losses_rows, order_losses_rows
from crossmargin.measures.reduce import Measure, reduce_rows
from crossmargin.portfolio.book import Lines
from crossmargin.valuation.marks import LINEAR_FAMILIES
from crossmargin.valuation.pnl import ScenarioPnl


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanMatrix:
    """R in two contiguous parts, [instrument, scenario]: regular columns and far moves; `weight` of the regular."""

    regular: FloatArray
    tail: FloatArray
    weight: FloatArray

    @staticmethod
    def of(pnl: ScenarioPnl) -> ScanMatrix:
        """Split R where the far moves begin."""
        n = pnl.scenarios.regular
        return ScanMatrix(
            regular=frozen(pnl.values[:, :n]), tail=frozen(pnl.values[:, n:]), weight=frozen(pnl.scenarios.weight[:n])
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """Risk of each group [group], USD, not below zero: over regular scenarios and over far moves, with orders at their
    worst fill; the column of the greatest loss of each kind (−1 for none); and `cells` [group, bucket], the risk of
    each bucket standing alone, its orders filled likewise."""

    regular: FloatArray
    tail: FloatArray
    worst: IndexArray
    worst_tail: IndexArray
    cells: FloatArray


def measure_of(choice: MeasureChoice) -> Measure:
    """The measure a model asks for."""
    return Measure(kind=choice.kind, level=choice.level)


def scan(
    positions: Lines,
    orders: Lines,
    matrix: ScanMatrix,
    exposure: Exposure,
    table: InstrumentTable,
    choice: MeasureChoice,
    *,
    threads: int = 1,
) -> Scan:
    """The scan of the groups that own `positions` and `orders`."""
    measure, worst_case = measure_of(choice), Measure(kind="worst")

    def risk(held: Lines, working: Lines, pnl: FloatArray, by: Measure) -> tuple[FloatArray, IndexArray]:
        weight = matrix.weight if pnl is matrix.regular else None
        csr = (held.ptr, held.instrument, held.quantity)
        found, worst = (x.copy() for x in reduce_rows(*csr, pnl, by, weight=weight, threads=threads))
        at = np.flatnonzero(np.diff(working.ptr))
        if len(at):
            losses = losses_with_orders(held.select(at), working.select(at), pnl, exposure, table)
            found[at], worst[at] = reduce_stored(losses, by, weight)
        return np.maximum(found, 0.0), np.where(found > 0.0, worst, -1)

    regular, worst = risk(positions, orders, matrix.regular, measure)
    tail, worst_tail = risk(positions, orders, matrix.tail, worst_case)
    key, cell, working = shared_cells(positions, orders, exposure)
    shape = (len(positions.ptr) - 1, len(exposure.names))
    cells = np.zeros(shape[0] * shape[1])
    cells[key], _ = risk(cell, working, matrix.regular, measure)
    return Scan(
        regular=regular,
        tail=tail,
        worst=worst,
        worst_tail=worst_tail,
        cells=cells.reshape(shape),
    )


def shared_cells(positions: Lines, orders: Lines, exposure: Exposure) -> tuple[IntArray, Lines, Lines]:
    """The cells (group × bucket) in which anything stands, and positions and orders as lines of these cells.

    Lines are sorted by group and bucket, so that a cell is a range of them.
    """
    keys = [cell_of(lines, exposure) for lines in (positions, orders)]
    found = np.unique(np.concatenate(keys))
    ptrs = [frozen(np.append(np.searchsorted(key, found), len(key)), np.int64) for key in keys]
    return found, replace(positions, ptr=ptrs[0]), replace(orders, ptr=ptrs[1])


def cell_of(lines: Lines, exposure: Exposure) -> IntArray:
    """The cell of each line: group × number of buckets + bucket."""
    return np.asarray(lines.owner.astype(np.int64) * len(exposure.names) + exposure.bucket[lines.instrument])


def reduce_stored(losses: FloatArray, measure: Measure, weight: FloatArray | None) -> tuple[FloatArray, IndexArray]:
    """The measure of rows of losses that are stored [row, scenario]: each is a unit short in itself."""
    rows = len(losses)
    unit = (np.arange(rows + 1), np.arange(rows, dtype=np.int32), np.full(rows, -1.0))
    return reduce_rows(*unit, losses, measure, weight=weight)


def losses_with_orders(
    positions: Lines, orders: Lines, pnl: FloatArray, exposure: Exposure, table: InstrumentTable
) -> FloatArray:
    """Losses of each group [group, scenario], every order filled where its fill hurts."""
    if not pnl.shape[1]:
        return np.zeros((len(positions.ptr) - 1, 0))
    held = losses_rows(positions.ptr, positions.instrument, positions.quantity, pnl)
    return np.asarray(held + order_losses(orders, pnl, exposure, table))


def order_losses(orders: Lines, pnl: FloatArray, exposure: Exposure, table: InstrumentTable) -> FloatArray:
    """What the orders of each group can add to its loss [group, scenario]: Σ max(0, loss if filled)."""
    if not pnl.shape[1]:
        return np.zeros((len(orders.ptr) - 1, 0))
    gain = gain_since(table, exposure, orders.instrument, orders.quantity, orders.price)
    return np.asarray(order_losses_rows(orders.ptr, orders.instrument, orders.quantity, gain, pnl))


def gain_since(
    table: InstrumentTable, exposure: Exposure, rows: IntArray | IndexArray, quantity: FloatArray, price: FloatArray
) -> FloatArray:
    """P&L in USD of `quantity` contracts dealt at `price` and marked now [line]; zero where no price is given.

    Linear q·m·(P − p), inverse q·m·(1/p − 1/P) coins; options q·(value − m·p), the price being in the settlement
    asset; spot q·(value − p), the price being in USD. Forwards and sensitivities are dealt at their terms, not at a
    price.
    """
    family, m = table.family[rows], table.multiplier[rows]
    now, settle = exposure.price[rows], exposure.settle_usd[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = quantity * m * (1.0 / price - 1.0 / now) * settle
    linear = quantity * m * (now - price) * settle
    futures = np.where(table.payout[rows] == PayoutCode.INVERSE, inverse, linear)
    paid = np.where(family == Family.SPOT, price, m * price * settle)
    valued = quantity * (exposure.value[rows] - paid)
    gain = np.where(np.isin(family, LINEAR_FAMILIES), futures, 0.0)
    gain = np.where(np.isin(family, (Family.OPTION, Family.SPOT)), valued, gain)
    return np.asarray(np.where(np.isnan(price), 0.0, gain))
