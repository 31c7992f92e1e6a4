"""The scan: what each group loses over the scenarios, together and underlying by underlying.

Working orders count at their worst fill in each scenario: an order adds max(0, its loss there), so the maximum over
scenarios is also the maximum over all ways in which the orders may be filled. For measures that average over
scenarios this is an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """Risk of each group [group], USD, not below zero: over regular scenarios with orders, without them, and over
    far moves; the column of the greatest loss of each kind (−1 for none); and `cells` [group, bucket], the risk of
    each bucket's positions alone."""

    regular: FloatArray
    positions_only: FloatArray
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
    csr = (positions.ptr, positions.instrument, positions.quantity)
    alone, worst = reduce_rows(*csr, matrix.regular, measure, weight=matrix.weight, threads=threads)
    tail, worst_tail = reduce_rows(*csr, matrix.tail, worst_case, threads=threads)
    regular, tail, worst, worst_tail = alone.copy(), tail.copy(), worst.copy(), worst_tail.copy()
    working = np.flatnonzero(np.diff(orders.ptr))
    if len(working):
        held, open_orders = positions.select(working), orders.select(working)
        losses = losses_with_orders(held, open_orders, matrix.regular, exposure, table)
        regular[working], worst[working] = _reduced(losses, measure, matrix.weight)
        losses = losses_with_orders(held, open_orders, matrix.tail, exposure, table)
        tail[working], worst_tail[working] = _reduced(losses, worst_case, None)
    return Scan(
        regular=np.maximum(regular, 0.0),
        positions_only=np.maximum(alone, 0.0),
        tail=np.maximum(tail, 0.0),
        worst=np.where(regular > 0.0, worst, -1),
        worst_tail=np.where(tail > 0.0, worst_tail, -1),
        cells=_cells(positions, matrix, exposure, measure, threads),
    )


def _cells(positions: Lines, matrix: ScanMatrix, exposure: Exposure, measure: Measure, threads: int) -> FloatArray:
    """The risk of each bucket of each group standing alone [group, bucket]."""
    buckets, groups = len(exposure.names), len(positions.ptr) - 1
    key = positions.owner.astype(np.int64) * buckets + exposure.bucket[positions.instrument]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    ptr = np.append(first, len(key)).astype(np.int64)
    risk, _ = reduce_rows(
        ptr, positions.instrument, positions.quantity, matrix.regular, measure, weight=matrix.weight, threads=threads
    )
    cells = np.zeros(groups * buckets)
    cells[key[first]] = np.maximum(risk, 0.0)
    return cells.reshape(groups, buckets)


def _reduced(losses: FloatArray, measure: Measure, weight: FloatArray | None) -> tuple[FloatArray, IndexArray]:
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

    Linear q·m·(P − p), inverse q·m·(1/p − 1/P) coins; for options and spot q·(value − m·p), the price being in the
    settlement asset. Forwards and sensitivities are dealt at their terms, not at a price.
    """
    family, m = table.family[rows], table.multiplier[rows]
    now, settle = exposure.price[rows], exposure.settle_usd[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = quantity * m * (1.0 / price - 1.0 / now) * settle
    linear = quantity * m * (now - price) * settle
    futures = np.where(table.payout[rows] == PayoutCode.INVERSE, inverse, linear)
    valued = quantity * (exposure.value[rows] - m * price * settle)
    gain = np.where(np.isin(family, LINEAR_FAMILIES), futures, 0.0)
    gain = np.where(np.isin(family, (Family.OPTION, Family.SPOT)), valued, gain)
    return np.asarray(np.where(np.isnan(price), 0.0, gain))
