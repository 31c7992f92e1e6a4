"""Whether exceptions come alone: transitions between neighbouring dates, and a regression on what was known before.

Marks and series are [..., date]; p is the nominal exception rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.validation import check
from crossmargin.validation.statistics.coverage import joined, likelihood_ratio, pof
from crossmargin.validation.statistics.results import Tested, flags

LAGS = 4  # Engle and Manganelli (2004), section 5.
# A regressor that moves by less than this share of its mean is a constant, and a direction whose share of the unit
# Gram matrix is less is no direction: both are far above rounding (1e-16) and far below any move of a margin.
VARIATION_MIN, DIRECTION_MIN = 1e-9, 1e-10


class Transitions(NamedTuple):
    """Pairs of neighbouring dates [...] by exception (1) or not (0) on the first and on the second; N − 1 in all."""

    n00: IntArray
    n01: IntArray
    n10: IntArray
    n11: IntArray


def transitions(exceptional: ArrayLike) -> Transitions:
    """Counts of pairs from marks [..., date]. Raises `InvalidInput` for fewer than two dates."""
    marks = check.exceptions(exceptional, where="transitions", dates_min=2)
    before, after = marks[..., :-1], marks[..., 1:]
    n11, n01, n10 = ((a & b).sum(axis=-1) for a, b in ((before, after), (~before, after), (before, ~after)))
    return Transitions(before.shape[-1] - n01 - n10 - n11, n01, n10, n11)


def independence(pairs: Transitions) -> Tested:
    """Christoffersen's test that an exception does not depend on the date before; chi-square with 1 degree of freedom.

    π01 = n01/(n00 + n01), π11 = n11/(n10 + n11), π = (n01 + n11)/(N − 1);
    LR = −2 ln[(1 − π)^(n00+n10) π^(n01+n11)] + 2 ln[(1 − π01)^n00 π01^n01 (1 − π11)^n10 π11^n11], 0·ln 0 = 0.
    Without exceptions the test is not defined, and without pairs of them it has little power: the statistic comes with
    a flag. The side is `understated` where an exception makes another likelier.
    Source: Christoffersen (1998), International Economic Review 39, 841–862. Raises `InvalidInput` for bad counts."""
    # A row of the table that is empty counts as one pair without exception: its term is 0 either way.
    after_none, n01 = check.counts(np.maximum(pairs.n00 + pairs.n01, 1), pairs.n01, where="independence")
    after_one, n11 = check.counts(np.maximum(pairs.n10 + pairs.n11, 1), pairs.n11, where="independence")
    n00, n10 = np.asarray(pairs.n00), np.asarray(pairs.n10)
    total = n00 + n01 + n10 + n11
    rate, rate_none, rate_one = (n01 + n11) / total, n01 / after_none, n11 / after_one
    split = _log_likelihood(n01, n00, rate_none) + _log_likelihood(n11, n10, rate_one)
    ratio = 2.0 * (split - _log_likelihood(n01 + n11, n00 + n10, rate))
    none = n01 + n10 + n11 == 0
    return likelihood_ratio(
        "independence",
        ratio,
        1,
        "transitions over N − 1 pairs",
        np.where(none | (n10 + n11 == 0), 0, np.sign(rate_one - rate_none)),
        flags(none.shape, ("no_exceptions", none), ("all_exceptions", n00 + n01 + n10 == 0), ("no_pairs", n11 == 0)),
    )


def conditional_coverage(exceptional: ArrayLike, *, rate: float) -> Tested:
    """Christoffersen's joint test from marks [..., date]: `pof` over N dates + `independence` over N − 1 pairs.

    Chi-square with 2 degrees of freedom. Raises `InvalidInput` for fewer than two dates or a rate out of range."""
    marks = check.exceptions(exceptional, where="conditional_coverage", dates_min=2)
    counted = pof(marks.sum(axis=-1), marks.shape[-1], rate=rate)
    return joined("conditional_coverage", counted, independence(transitions(marks)))


def dynamic_quantile(exceptional: ArrayLike, value_at_risk: ArrayLike, *, rate: float, lags: int = LAGS) -> Tested:
    """Engle and Manganelli's test that neither past exceptions nor the forecast itself foretell an exception.

    Hit = 1{exception} − p is regressed on a constant, its `lags` own lags and `value_at_risk` [..., date]; the first
    `lags` dates are dropped. DQ = Hit'X (X'X)⁺ X'Hit/(p(1 − p)), chi-square with as many degrees of freedom as X'X has
    rank: a forecast that never moves is collinear with the constant, and flagged. The side is that of the mean hit.
    Source: Engle and Manganelli (2004), Journal of Business & Economic Statistics 22, 367–381. Raises `InvalidInput`
    for shapes, NaN, or no more dates than regressors and lags together."""
    p = check.rate(rate, where="dynamic_quantile")
    marks = check.exceptions(exceptional, where="dynamic_quantile", dates_min=2 * lags + 3)
    forecast = check.series(value_at_risk, "value at risk", where="dynamic_quantile", like=marks)
    if lags < 1:
        raise InvalidInput("lags", where="dynamic_quantile", value=lags, limit="at least 1", remedy="Use 4.")
    hit = marks.astype(np.float64) - p
    explained = hit[..., lags:]
    regressors = _regressors(hit, forecast, lags)
    explained_sum, rank = _projection(regressors, explained)
    missed = np.sign(explained.mean(axis=-1))
    none = ~marks.any(axis=-1)
    return likelihood_ratio(
        "dynamic_quantile",
        explained_sum / (p * (1.0 - p)),
        rank,
        f"constant, {lags} lagged hits, value at risk of the date; first {lags} dates dropped; rank by pseudo-inverse",
        missed,
        flags(none.shape, ("no_exceptions", none), ("collinear", rank < lags + 2)),
    )


def _regressors(hit: FloatArray, forecast: FloatArray, lags: int) -> FloatArray:
    """The regressors [..., date, lags + 2], centred and of unit length but for the constant; zero where they are one.

    This changes the basis and not the space, so DQ stays the same, and rank has no unit."""
    count = hit.shape[-1]
    moving = np.stack([forecast[..., lags:], *(hit[..., lags - k : count - k] for k in range(1, lags + 1))], axis=-1)
    centred = moving - moving.mean(axis=-2, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=-2, keepdims=True))
    varies = length > VARIATION_MIN * np.sqrt((moving**2).sum(axis=-2, keepdims=True))
    unit = np.where(varies, centred / np.where(varies, length, 1.0), 0.0)
    constant = np.full((*unit.shape[:-1], 1), unit.shape[-2] ** -0.5)
    return np.concatenate([constant, unit], axis=-1)


def _projection(regressors: FloatArray, explained: FloatArray) -> tuple[FloatArray, IntArray]:
    """The squared length of the projection of `explained` [..., date] on the regressors, and their rank."""
    turned = np.swapaxes(regressors, -1, -2)
    share, direction = np.linalg.eigh(turned @ regressors)
    seen: BoolArray = share > DIRECTION_MIN
    along = np.swapaxes(direction, -1, -2) @ (turned @ explained[..., None])
    lengths = np.where(seen, along[..., 0] ** 2 / np.where(seen, share, 1.0), 0.0)
    return lengths.sum(axis=-1), seen.sum(axis=-1)


def _log_likelihood(ones: IntArray, zeros: IntArray, p: FloatArray) -> FloatArray:
    return np.asarray(special.xlogy(ones, p) + special.xlog1py(zeros, -p), np.float64)
