"""Conformal correction over time of a quantile that many portfolios share.

A score is what came over what was said, so a correction multiplies. Scores of all portfolios over the last dates make
one pool, since one portfolio has too few exceptions; the level at which each reads the pool is its own, and moves with
its own misses. Scores enter when they are known, all of them made out of sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, frozen
from crossmargin.engine.outlook.foretelling import read_pool
from crossmargin.engine.outlook.predictor import PredictiveSpec

LEVEL_MOST: Final = 2.0  # Of the rate: a long calm may not wear a margin down further than to twice the exceptions.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corrected:
    """What each quantile is to be multiplied with [account, date]; NaN while the pool is filling.

    `quantile` for the value at risk, `shortfall` for the mean beyond it; `level` the exception rate asked for, `missed`
    where the score came out above the quantile, `capped` where the level asked for more than the pool holds: there the
    largest score is taken, for no margin is infinite, and coverage is not assured."""

    quantile: FloatArray
    shortfall: FloatArray
    level: FloatArray
    missed: BoolArray
    capped: BoolArray


def correct(scores: FloatArray, spec: PredictiveSpec, *, lag: int) -> Corrected:
    """Corrections of every date from scores [account, date] of the past, which are NaN where there is none.

    On each date the ⌈(n + 1)(1 − α)⌉-th smallest of the n scores of the `window_dates` that are known, with
    α' = min(max(α + γ (rate − missed), 0), 2·rate) for each portfolio. With γ = 0 and exchangeable scores the chance
    of a miss is at most the rate (and at least rate − 1/(n + 1)). Sources: Romano, Patterson and Candès (2019),
    "Conformalized quantile regression", NeurIPS 32; Gibbs and Candès (2021), "Adaptive conformal inference under
    distribution shift", NeurIPS 34: levels there are not held between bounds."""
    shape = scores.shape
    quantile, shortfall, levels = (np.full(shape, np.nan) for _ in range(3))
    missed, capped = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    begun = np.flatnonzero(~np.isnan(scores).all(axis=0))
    level = np.full(shape[0], spec.rate)
    start = (begun[0] if len(begun) else shape[1]) + spec.window_dates + lag - 1
    for t in range(start, shape[1]):  # Each level rests on the miss before it.
        pool = scores[:, t - lag - spec.window_dates + 1 : t - lag + 1]
        ascending = np.sort(pool[~np.isnan(pool)])
        if not len(ascending):
            continue
        if t - lag >= start:
            judged = ~np.isnan(scores[:, t - lag])
            level = np.where(judged, _stepped(level, missed[:, t - lag], spec), level)
        levels[:, t] = level
        quantile[:, t], shortfall[:, t], capped[:, t] = read_pool(ascending, level)
        missed[:, t] = scores[:, t] > quantile[:, t]
    return Corrected(
        quantile=frozen(quantile),
        shortfall=frozen(shortfall),
        level=frozen(levels),
        missed=frozen(missed, np.bool_),
        capped=frozen(capped, np.bool_),
    )


def _stepped(level: FloatArray, missed: BoolArray, spec: PredictiveSpec) -> FloatArray:
    return np.clip(level + spec.gamma * (spec.rate - missed), 0.0, LEVEL_MOST * spec.rate)
