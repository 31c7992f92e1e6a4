"""Which of two forecasts of the tail is better: consistent scores, and the test of their difference.

P&L, quantile and shortfall are in the terms of P&L here: a gain is positive, so both forecasts are as a rule negative
(quantile = −value at risk). Lower scores are better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput
from crossmargin.validation import check
from crossmargin.validation.statistics.results import UNDEFINED, Tested, flags


def pinball(pnl: ArrayLike, quantile: ArrayLike, *, q: float) -> FloatArray:
    """u (q − 1{u < 0}), u = P&L − quantile [..., date]; least in the mean for the q-quantile.

    Source: Koenker and Bassett (1978), Econometrica 46, 33–50. Raises `InvalidInput` for shapes, NaN, or a wrong q."""
    level = check.rate(q, "q", where="pinball")
    gain = check.series(pnl, "pnl", where="pinball")
    miss = gain - check.series(quantile, "quantile", where="pinball", like=gain)
    return miss * (level - (miss < 0.0))


def fz0(pnl: ArrayLike, quantile: ArrayLike, shortfall: ArrayLike, *, q: float) -> FloatArray:
    """−1{X ≤ v}(v − X)/(q e) + v/e + ln(−e) − 1 [..., date], v the quantile and e ≤ v, e < 0 the shortfall of X.

    Least in the mean for the pair of quantile and expected shortfall, and for no other; differences of it do not change
    with the unit of X. Source: Fissler and Ziegel (2016), Annals of Statistics 44, 1680–1707; Patton, Ziegel and Chen
    (2019), Journal of Econometrics 211, 388–413, equation 6. Raises `InvalidInput` for shapes, NaN, a shortfall that is
    not negative or above its quantile, or q outside (0, 1)."""
    level = check.rate(q, "q", where="fz0")
    gain = check.series(pnl, "pnl", where="fz0")
    v = check.series(quantile, "quantile", where="fz0", like=gain)
    e = -check.above_zero(np.negative(shortfall), "minus shortfall", where="fz0", like=gain)
    above = np.argwhere(e > v)
    if len(above):
        at = tuple(int(i) for i in above[0])
        raise InvalidInput(
            "shortfall",
            where=f"fz0 at {list(at)}",
            value=float(e[at]),
            limit=f"at most the quantile {float(v[at]):g}",
            remedy="The mean beyond a quantile lies beyond it; state both in the terms of P&L.",
        )
    return np.where(gain <= v, v - gain, 0.0) / (-level * e) + v / e + np.log(-e) - 1.0


def newey_west_lags(dates: int) -> int:
    """⌊4 (T/100)^(2/9)⌋: the lags of a long-run variance where no horizon asks for more.

    Source: Newey and West (1994), Review of Economic Studies 61, 631–653."""
    return int(4.0 * (dates / 100.0) ** (2.0 / 9.0))


def long_run_variance(series: ArrayLike, *, lags: int) -> FloatArray:
    """γ₀ + 2 Σ_k (1 − k/(lags + 1)) γ_k over dates [...], which is never negative; γ_k divide by T.

    Source: Newey and West (1987), Econometrica 55, 703–708. Raises `InvalidInput` for NaN or lags outside 0 … T − 1."""
    values = check.series(series, "series", where="long_run_variance")
    dates = values.shape[-1]
    if not 0 <= lags < dates:
        raise InvalidInput(
            "lags", where="long_run_variance", value=lags, limit=f"between 0 and {dates - 1}", remedy="Take fewer lags."
        )
    centred = values - values.mean(axis=-1, keepdims=True)
    total = np.einsum("...t,...t->...", centred, centred)
    for k in range(1, lags + 1):
        cross = np.einsum("...t,...t->...", centred[..., k:], centred[..., :-k])
        total = total + 2.0 * (1.0 - k / (lags + 1.0)) * cross
    return np.asarray(np.maximum(total, 0.0) / dates)


def diebold_mariano(first: ArrayLike, second: ArrayLike, *, lags: int | None = None) -> Tested:
    """Equal mean scores of two forecasts [..., date]: mean(first − second)/√(long-run variance/T), standard normal.

    Two-sided; a negative statistic says that the first is better. `lags` are those of Newey and West by default, and at
    least h − 1 for overlapping horizons of h dates. Scores that are the same on all dates have statistic 0 and a flag.
    Source: Diebold and Mariano (1995), Journal of Business & Economic Statistics 13, 253–263. Raises `InvalidInput` for
    shapes, NaN, fewer than five dates, or lags out of range."""
    a = check.series(first, "score", where="diebold_mariano")
    difference = a - check.series(second, "score", where="diebold_mariano", like=a)
    dates = difference.shape[-1]
    if dates < 5:
        raise InvalidInput("dates", where="diebold_mariano", value=dates, limit="at least 5", remedy="Score longer.")
    used = newey_west_lags(dates) if lags is None else lags
    variance, mean = long_run_variance(difference, lags=used), difference.mean(axis=-1)
    # A difference that never moves has no sampling error: none at all is no evidence, any other is certain.
    same, certain = ~difference.any(axis=-1), variance == 0.0
    score = np.where(same, 0.0, np.where(certain, np.copysign(np.inf, mean), mean))
    statistic = np.where(certain, score, score / np.sqrt(np.where(certain, 1.0, variance) / dates))
    return Tested(
        test="diebold_mariano",
        distribution="normal",
        rule=f"two-sided; Newey–West variance with {used} lags; negative: the first is better",
        statistic=statistic,
        p_value=np.asarray(2.0 * special.ndtr(-np.abs(statistic))),
        degrees_of_freedom=np.zeros(same.shape, np.int64),
        side=np.zeros(same.shape, np.int64),
        flag=flags(same.shape, ("identical", same)),
        critical=np.asarray(UNDEFINED),
    )
