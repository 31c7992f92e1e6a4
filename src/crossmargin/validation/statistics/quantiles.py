"""The rules by which a sample becomes a value at risk or an expected shortfall, the error of that, and its conformal
correction. P&L [..., scenario] is positive for a gain; results are positive losses unless their name says otherwise.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.core.check import positive
from crossmargin.core.errors import InvalidInput
from crossmargin.measures.tail import QuantileRule, ShortfallRule, TailEstimate, estimate_tail
from crossmargin.validation import check

_SLACK: Final = 1e-12  # (n + 1)(1 − α) is a whole number up to rounding.


def value_at_risk(pnl: ArrayLike, *, q: float, rule: QuantileRule = "inverted_cdf") -> FloatArray:
    """−(quantile of P&L at q) [...]; by default of the ⌈n·q⌉-th smallest, other rules are NumPy's of that name.

    Source: Hyndman and Fan (1996), American Statistician 50, 361–365: types 1, 7, 6 and 8. Raises `InvalidInput` for
    NaN, no scenarios, or q outside (0, 1)."""
    shape, found = _tail(pnl, q, "value_at_risk", quantile_rule=rule)
    return found.value_at_risk.reshape(shape)


def expected_shortfall(pnl: ArrayLike, *, q: float, rule: ShortfallRule = "tail_mean") -> FloatArray:
    """The mean loss of the tail q [...].

    `tail_mean`: of the ⌈n·q⌉ smallest P&L. `weighted_tail`: −(Σ_{i≤k} x_(i) + (n·q − k) x_(k+1))/(n·q), k = ⌊n·q⌋,
    which is coherent for every n. The two agree where n·q is whole. Source: Acerbi and Tasche (2002), Journal of
    Banking & Finance 26, 1487–1503. Raises `InvalidInput` as `value_at_risk`."""
    shape, found = _tail(pnl, q, "expected_shortfall", shortfall_rule=rule)
    return found.expected_shortfall.reshape(shape)


class Interval(NamedTuple):
    """Bounds of a value at risk [...]; infinite where the sample is too small to bound it."""

    low: FloatArray
    high: FloatArray


def value_at_risk_interval(pnl: ArrayLike, *, q: float, confidence: float = 0.95) -> Interval:
    """Bounds of −(quantile at q) [...] that hold with at least `confidence` for independent draws of any law.

    Order statistics with binomial ranks: P(x_(r) > ξ) = P(B < r) and P(x_(s) < ξ) = P(B ≥ s), B ~ Binomial(n, q), each
    at most half of 1 − confidence. Source: David and Nagaraja (2003), Order Statistics, section 7.1. Raises
    `InvalidInput` as `value_at_risk`, and for a confidence outside (0, 1)."""
    share = check.rate(confidence, "confidence", where="value_at_risk_interval")
    shape, found = _tail(pnl, q, "value_at_risk_interval", confidence=share)
    return Interval(low=found.low.reshape(shape), high=found.high.reshape(shape))


def _tail(
    pnl: ArrayLike,
    q: float,
    where: str,
    *,
    quantile_rule: QuantileRule = "inverted_cdf",
    shortfall_rule: ShortfallRule = "tail_mean",
    confidence: float = 0.95,
) -> tuple[tuple[int, ...], TailEstimate]:
    """The shape of the rows of P&L, and the estimate of each of them."""
    level = 1.0 - check.rate(q, "q", where=where)
    gain = check.series(pnl, "pnl", where=where)
    found = estimate_tail(
        gain.reshape(-1, gain.shape[-1]),
        level,
        quantile_rule=quantile_rule,
        shortfall_rule=shortfall_rule,
        confidence=confidence,
    )
    return gain.shape[:-1], found


def conformal_correction(scores: ArrayLike, *, alpha: float) -> FloatArray:
    """What to add to a margin so that it covers the next loss with at least 1 − alpha, whatever the law [...].

    The ⌈(n + 1)(1 − alpha)⌉-th smallest of the scores loss − margin [..., calibration date]; infinite where there are
    fewer than 1/alpha − 1 of them. Holds for dates that are exchangeable with those of the calibration.
    Source: Romano, Patterson and Candès (2019), "Conformalized quantile regression", NeurIPS 32. Raises `InvalidInput`
    for NaN, no scores, or alpha outside (0, 1)."""
    level = check.rate(alpha, "alpha", where="conformal_correction")
    return _ranked(np.sort(check.series(scores, "score", where="conformal_correction"), axis=-1), np.float64(level))


class Adaptive(NamedTuple):
    """What adaptive conformal inference said before each date [..., date], and whether the loss passed it."""

    alpha: FloatArray
    correction: FloatArray
    missed: BoolArray


def adaptive_correction(scores: ArrayLike, *, alpha: float, gamma: float, window: int) -> Adaptive:
    """Corrections that keep the rate of misses at alpha over time although the law of scores drifts.

    α_{t+1} = α_t + γ (α − err_t), the correction of date t being `conformal_correction` at α_t over the `window` dates
    before it; α_t ≤ 0 asks for an infinite one, α_t ≥ 1 for none at all. Results start after the first window. Misses
    average to alpha within (max(α, 1 − α) + γ)/(γ T). Source: Gibbs and Candès (2021), "Adaptive conformal inference
    under distribution shift", NeurIPS 34, proposition 4.1. Raises `InvalidInput` for NaN, alpha outside (0, 1), gamma
    not above zero, or a window that leaves no date."""
    target = check.rate(alpha, "alpha", where="adaptive_correction")
    speed = positive(gamma, "gamma", where="adaptive_correction")
    series = check.series(scores, "score", where="adaptive_correction")
    dates = series.shape[-1]
    if not 1 <= window < dates:
        raise InvalidInput(
            "window", where="adaptive_correction", value=window, limit=f"1 to {dates - 1}", remedy="Shorten it."
        )
    shape = (*series.shape[:-1], dates - window)
    levels, corrections, missed = np.empty(shape), np.empty(shape), np.empty(shape, np.bool_)
    level = np.full(series.shape[:-1], target)
    for t in range(dates - window):  # Each level rests on the miss before it.
        levels[..., t] = level
        corrections[..., t] = _ranked(np.sort(series[..., t : t + window], axis=-1), level)
        missed[..., t] = series[..., t + window] > corrections[..., t]
        level = level + speed * (target - missed[..., t])
    return Adaptive(levels, corrections, missed)


def _ranked(ascending: FloatArray, alpha: FloatArray | np.float64) -> FloatArray:
    """The ⌈(n + 1)(1 − α)⌉-th smallest [...]; −∞ for rank 0, ∞ beyond the last."""
    count = ascending.shape[-1]
    rank = np.ceil((count + 1) * (1.0 - np.clip(alpha, 0.0, 1.0)) * (1.0 - _SLACK)).astype(np.int64)
    rank = np.broadcast_to(np.where(alpha <= 0.0, count + 1, rank), ascending.shape[:-1])
    at = np.clip(rank - 1, 0, count - 1)
    picked = np.take_along_axis(ascending, at[..., None], axis=-1)[..., 0]
    return np.where(rank > count, np.inf, np.where(rank < 1, -np.inf, picked))
