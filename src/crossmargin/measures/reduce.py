"""One row of losses to one number: worst, value at risk, expected shortfall.

CONTRACT used by margin/ and engine/ (helper kernels: keep these names and signatures, replace the bodies by the fused
kernels): Measure(kind, level), reduce_rows(ptr, instrument, quantity, pnl, measure, *, weight=None, threads=1) ->
(risk[row], worst_scenario[row]), reduce_losses(losses[scenario], measure, *, weight=None) -> (risk, worst_scenario),
tail_weights(losses[scenario], measure, *, weight=None) -> weights[scenario] with risk = weights @ losses.
An empty row, and a matrix without columns, have risk 0 and scenario -1.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    kind: str = "worst"
    level: float = 0.99


def tail_weights(losses, measure, *, weight=None):
    n = len(losses)
    w = np.ones(n) if weight is None else np.asarray(weight, float)
    out = np.zeros(n)
    if measure.kind == "worst":
        out[int(np.argmax(losses))] = 1.0
        return out
    order = np.argsort(-losses, kind="stable")
    cum = np.cumsum(w[order]) / w.sum()
    k = int(np.searchsorted(cum, (1 - measure.level) - 1e-12)) + 1
    if measure.kind == "value_at_risk":
        out[order[k - 1]] = 1.0
        return out
    out[order[:k]] = w[order[:k]] / w[order[:k]].sum()
    return out


def reduce_losses(losses, measure, *, weight=None):
    if not len(losses):
        return 0.0, -1
    return float(tail_weights(losses, measure, weight=weight) @ losses), int(np.argmax(losses))


def reduce_rows(ptr, instrument, quantity, pnl, measure, *, weight=None, threads=1):
    rows = len(ptr) - 1
    risk, worst = np.zeros(rows), np.full(rows, -1)
    if pnl.shape[1] == 0:
        return risk, worst
    L = -(csr_matrix((quantity, instrument, ptr), shape=(rows, len(pnl))) @ pnl)
    for r in range(rows):
        if ptr[r] < ptr[r + 1]:
            risk[r], worst[r] = reduce_losses(L[r], measure, weight=weight)
    return risk, worst
