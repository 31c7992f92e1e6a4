"""One row of losses to one number: worst, value at risk, expected shortfall, and the share of each scenario in it.

Rule of the tail: with n scenarios and confidence c the tail is the ceil(n·(1 − c)) largest losses, the boundary
included. Value at risk is the smallest loss in it (the inverted distribution function), expected shortfall their mean.
With unequal scenario weights the tail is the fewest largest losses that weigh at least 1 − c of the total, and the mean
is weighted. A row without positions, and a matrix without columns, have risk 0 and scenario −1.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy import ndarray

from crossmargin.measures.kernels.reduce import WEIGHT_SLACK, tail_rows, weighted_tail_rows, worst_rows

Kind = Literal["worst", "value_at_risk", "expected_shortfall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How a row of losses becomes one number; `level` is the confidence of value at risk and expected shortfall."""

    kind: Kind = "worst"
    level: float = 0.99

    def tail_count(self, scenarios: int) -> int:
        """How many of equally likely scenarios the tail holds: ceil(n·(1 − level)), at least 1."""
        return max(1, math.ceil(scenarios * (1.0 - self.level) - WEIGHT_SLACK * scenarios))


def reduce_rows(
    ptr: ndarray,
    instrument: ndarray,
    quantity: ndarray,
    pnl: ndarray,
    measure: Measure,
    *,
    weight: ndarray | None = None,
    threads: int = 1,
) -> tuple[ndarray, ndarray]:
    """Risk of each row of positions [row], USD, not floored, and the scenario of its greatest loss [row].

    Row r holds `quantity[p]` of `instrument[p]` for p in `ptr[r]` … `ptr[r + 1]`; `pnl` is [instrument, scenario] a
    unit; `weight` [scenario] need not sum to 1, and none means equal."""
    risk, scenario = np.zeros(ptr.size - 1), np.full(ptr.size - 1, -1, dtype=np.int64)
    if pnl.shape[1] == 0 or instrument.size == 0:
        return risk, scenario
    if measure.kind == "worst":
        risk, scenario = worst_rows(ptr, instrument, quantity, pnl, threads=threads)
    else:
        if weight is None or _equal(weight):
            count = measure.tail_count(pnl.shape[1])
            tails = tail_rows(ptr, instrument, quantity, pnl, count, threads=threads)
        else:
            tail = (1.0 - measure.level) * weight.sum()
            tails = weighted_tail_rows(ptr, instrument, quantity, pnl, weight, tail, threads=threads)
        quantile, shortfall, scenario = tails
        risk = quantile if measure.kind == "value_at_risk" else shortfall
    empty = np.diff(ptr) == 0
    return np.where(empty, 0.0, risk), np.where(empty, -1, scenario)


def reduce_losses(losses: ndarray, measure: Measure, *, weight: ndarray | None = None) -> tuple[float, int]:
    """Risk of one row of losses [scenario], and the scenario of its greatest loss."""
    if losses.size == 0:
        return 0.0, -1
    assert np.isfinite(losses).all(), "losses are finite"
    worst = int(np.argmax(losses))
    if measure.kind == "worst":
        return float(losses[worst]), worst
    return float(tail_weights(losses, measure, weight=weight) @ losses), worst


def tail_weights(losses: ndarray, measure: Measure, *, weight: ndarray | None = None) -> ndarray:
    """What each scenario counts in the risk of one row [scenario]: risk = weights @ losses, Σ weights = 1.

    The weights of the whole applied to the losses of a part are its Euler contribution, and these add up to the whole.
    Source: Tasche (1999), "Risk contributions and performance measurement", Technische Universität München."""
    shares = np.zeros(losses.size)
    if measure.kind == "worst":
        shares[int(np.argmax(losses))] = 1.0
        return shares
    order = np.argsort(-losses, kind="stable")
    if weight is None or _equal(weight):
        tail, share = order[: measure.tail_count(losses.size)], np.ones(losses.size)
    else:
        weighed = np.cumsum(weight[order])
        wanted = (1.0 - measure.level) * weighed[-1] * (1.0 - WEIGHT_SLACK)
        tail, share = order[: int(np.searchsorted(weighed, wanted)) + 1], weight
    if measure.kind == "value_at_risk":
        shares[tail[-1]] = 1.0
    else:
        shares[tail] = share[tail] / share[tail].sum()
    return shares


def standard_error(losses: ndarray, measure: Measure) -> float:
    """Sampling error of the risk of one row, its scenarios being independent draws; NaN for the worst loss.

    Value at risk: half the distance of the order statistics one binomial standard deviation √(n·q·(1 − q)) to either
    side of the boundary, q = 1 − level. Expected shortfall: √(Var[(L − VaR)⁺]/n)/q, which leaves out the error of VaR
    as it is of lower order. Source: Chen (2008), Journal of Financial Econometrics 6, 87–107."""
    if measure.kind == "worst":
        return math.nan
    n, q = losses.size, 1.0 - measure.level
    descending = -np.sort(-losses)
    count = measure.tail_count(n)
    if measure.kind == "value_at_risk":
        spread = math.sqrt(n * q * (1.0 - q))
        high = descending[max(0, math.floor(count - 1 - spread))]
        low = descending[min(n - 1, math.ceil(count - 1 + spread))]
        return float(0.5 * (high - low))
    beyond = np.maximum(losses - descending[count - 1], 0.0)
    return float(math.sqrt(beyond.var() / n) / q)


def _equal(weight: ndarray) -> bool:
    return bool((weight == weight[0]).all())
