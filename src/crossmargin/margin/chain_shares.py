"""What each holding has in the terms of chains: parts that add up to the term of its pool.

Time and cost are sums over holdings already. Where the worst of several cases is asked for (two bridges, a scenario),
each holding has what it loses in that case: Euler's theorem, for the case is the same for a little more of any holding.
"""

from __future__ import annotations

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray, frozen, tally
from crossmargin.margin.chain_terms import NONE, Arrivals, ChainRisk, Held, lost_beyond, transfer_parts, units
from crossmargin.margin.document import MarginModel
from crossmargin.margin.scan import ScanMatrix, measure_of
from crossmargin.measures.reduce import tail_weights


def worst_pairs(held: Held, risk: ChainRisk, pools: int) -> IntArray:
    """The pair of bridges whose failure costs each pool most [pool], −1 where none costs anything."""
    pairs = risk.failure.shape[1]
    lost = [tally(held.pool, lost_beyond(held, risk.failure[held.row, pair]), pools) for pair in range(pairs)]
    table = np.asarray(lost, np.float64).reshape(pairs, pools)
    if not pairs:
        return frozen(np.full(pools, NONE), np.int64)
    return frozen(np.where(table.max(axis=0) > 0.0, table.argmax(axis=0), NONE), np.int64)


def bridge_parts(held: Held, risk: ChainRisk, pair: IntArray) -> FloatArray:
    """What each holding loses when the pair [pool] that costs its pool most fails [holding], USD."""
    at = pair[held.pool]
    share = risk.failure[held.row, at] if risk.failure.shape[1] else np.zeros(len(held.row))
    return np.where(at >= 0, lost_beyond(held, share), 0.0)


def late_parts(used: FloatArray, found: Arrivals) -> FloatArray:
    """The loss of time of each holding [holding], USD."""
    return np.asarray(used * (found.stretch - 1.0))


def unavailable_parts(held: Held, risk: ChainRisk, matrix: ScanMatrix, model: MarginModel) -> FloatArray:
    """What each holding has in the loss that is expected of a halt of its chain [holding], USD.

    P(halt) · (its Euler share of the risk of what stands there · √(max(halt, τ₀)/τ₀) − what haircuts took off it):
    below zero for what hedges the rest, or is covered by its haircut.
    """
    parts, measure = np.zeros(len(held.row)), measure_of(model.measure)
    counted = (risk.chain[held.row] >= 0) & (held.recognised > 0.0)
    amount = units(held, risk)
    places = np.unique(np.stack([held.pool, risk.chain[held.row]], axis=1)[counted], axis=0)
    for pool, chain in places:
        on = np.flatnonzero(counted & (held.pool == pool) & (risk.chain[held.row] == chain))
        losses = -amount[on, None] * matrix.regular[held.row[on]]
        euler = losses @ tail_weights(losses.sum(axis=0), measure, weight=matrix.weight)
        row = held.row[on]
        found = euler * risk.halt_stretch[row] - (held.value[on] - held.recognised[on])
        parts[on] = model.chains.halt_probability * risk.works[row] * found if found.sum() > 0.0 else 0.0
    return parts


def term_parts(
    held: Held, risk: ChainRisk, found: Arrivals, used: FloatArray, matrix: ScanMatrix, model: MarginModel, pools: int
) -> FloatArray:
    """What each holding has in each term [holding, term], USD, in the order of `CHAIN_TERMS`.

    Before what positions need of them and what the requirement holds already, which scale all parts of a pool alike.
    """
    return np.stack(
        [
            bridge_parts(held, risk, worst_pairs(held, risk, pools)),
            late_parts(used, found),
            unavailable_parts(held, risk, matrix, model),
            transfer_parts(used, held, found, risk),
        ],
        axis=1,
    )
