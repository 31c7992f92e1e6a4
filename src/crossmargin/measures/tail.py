"""Value at risk and expected shortfall of rows of P&L by a named rule, weighted or not, with the error of each.

P&L [row, scenario] is positive for a gain, results are positive losses. With q = 1 − level and P&L ascending:

- quantile rules `inverted_cdf` (the first value at which the weights reach q; the ⌈n·q⌉-th smallest if they are equal),
  `linear`, `weibull` and `median_unbiased` (types 7, 6 and 8 of Hyndman and Fan, 1996, American Statistician 50,
  361–365; with weights after Akinshin, 2023, "Weighted quantile estimators", with Kish's effective number as n);
- shortfall rules `tail_mean` (the mean up to and including the value at which the weights reach q) and `weighted_tail`
  (of that value only what is missing to q: Acerbi and Tasche, 2002, Journal of Banking & Finance 26, 1487–1503).

The fused reduction of whole books is `measures.reduce`, which is `inverted_cdf` and `tail_mean`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import special

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IntArray, require_finite
from crossmargin.core.errors import InvalidInput

QuantileRule = Literal["inverted_cdf", "linear", "weibull", "median_unbiased"]
ShortfallRule = Literal["tail_mean", "weighted_tail"]
_SLACK: Final = 1e-12  # Relative rounding in a sum of weights that must not move the boundary of the tail by one.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TailEstimate:
    """Risk of each row [row] in the unit of the P&L, and how well the scenarios determine it.

    `low` and `high` bound the value at risk with at least `confidence` whatever the law (infinite where scenarios are
    too few); the errors are standard errors. `effective` is the number of independent, equally weighted scenarios that
    say as much: Kish's (Σw)²/Σw², over the windows that share a bar. The rules are those that were applied."""

    value_at_risk: FloatArray
    expected_shortfall: FloatArray
    value_at_risk_error: FloatArray
    expected_shortfall_error: FloatArray
    low: FloatArray
    high: FloatArray
    level: float
    confidence: float
    effective: float
    quantile_rule: QuantileRule
    shortfall_rule: ShortfallRule


def estimate_tail(
    pnl: FloatArray,
    level: float,
    *,
    weight: FloatArray | None = None,
    quantile_rule: QuantileRule = "inverted_cdf",
    shortfall_rule: ShortfallRule = "tail_mean",
    confidence: float = 0.95,
    overlap: int = 1,
) -> TailEstimate:
    """Value at risk and expected shortfall of each row at confidence `level`; `weight` [scenario] need not sum to 1.

    Bounds: order statistics with binomial ranks of the effective number (David and Nagaraja, 2003, Order Statistics,
    section 7.1). Error of value at risk: half the distance of the quantiles one standard deviation √(q(1 − q)/n) of the
    empirical distribution to either side; of expected shortfall √(Var[(L − VaR)⁺]/n)/q (Chen, 2008, Journal of
    Financial Econometrics 6, 87–107).

    `overlap` is h where each scenario is a sum of h consecutive bars and shares them with its neighbours.
    Correlations 1 − k/h make the variance of a mean 1 + 2·Σ(1 − k/h) = h times that of independent ones (Hansen and
    Hodrick, 1980, Journal of Political Economy 88, 829–853), so n of them count as n/h. Losses beyond a level hang
    together less than the sums: of 1,000 windows of normal moves the error of a shortfall is 1.1 to 1.25 times the
    true one.

    Raises `InvalidInput` for NaN, a level outside (0, 1), weights that are negative or all zero, or an overlap that
    leaves no whole window."""
    q = 1.0 - _share(level, "confidence level")
    sides = 0.5 * (1.0 - _share(confidence, "confidence"))
    require_finite(pnl, "P&L", where="tail estimate")
    shares = _normal(weight, pnl.shape[1])
    count = 1.0 / float(np.sum(shares**2))
    effective = count / check.within(overlap, "overlap", 1, max(pnl.shape[1], 1), where="tail estimate")
    order = np.argsort(pnl, axis=1, kind="stable")
    x, w = np.take_along_axis(pnl, order, axis=1), shares[order]
    reached = np.cumsum(w, axis=1)
    spread = math.sqrt(q * (1.0 - q) / effective)
    var = -_quantile(x, reached, q, count, quantile_rule)
    beyond = np.maximum(-x - var[:, None], 0.0)
    excess_variance = np.sum(w * beyond**2, axis=1) - np.sum(w * beyond, axis=1) ** 2
    low, high = _bounds(x, reached, q, effective, sides)
    return TailEstimate(
        value_at_risk=var,
        expected_shortfall=-_shortfall(x, w, reached, q, shortfall_rule),
        value_at_risk_error=0.5 * (_at(x, reached, q + spread) - _at(x, reached, max(q - spread, _SLACK))),
        expected_shortfall_error=np.sqrt(np.maximum(excess_variance, 0.0) / effective) / q,
        low=low,
        high=high,
        level=level,
        confidence=confidence,
        effective=effective,
        quantile_rule=quantile_rule,
        shortfall_rule=shortfall_rule,
    )


def _share(value: float, what: str) -> float:
    if not 0.0 < value < 1.0:
        raise InvalidInput(what, where="tail estimate", value=value, limit="between 0 and 1", remedy="Give 0.99, say.")
    return value


def _normal(weight: FloatArray | None, scenarios: int) -> FloatArray:
    """Weights that sum to 1."""
    if weight is None:
        return np.full(scenarios, 1.0 / max(scenarios, 1))
    if weight.shape != (scenarios,) or not (weight >= 0.0).all() or not 0.0 < weight.sum() < math.inf:
        limit = f"{scenarios} numbers, none negative, not all zero"
        raise InvalidInput("weights", where="tail estimate", value=weight.tolist(), limit=limit, remedy="Correct them.")
    return np.asarray(weight / weight.sum())


def _places(reached: FloatArray, q: float) -> IntArray:
    """The first scenario [row, 1] at which the weights reach q."""
    wanted = q * (1.0 - _SLACK)
    return np.asarray(np.minimum((reached < wanted).sum(axis=1), reached.shape[1] - 1)[:, None])


def _at(x: FloatArray, reached: FloatArray, q: float) -> FloatArray:
    """The inverted distribution function at q [row]."""
    return np.asarray(np.take_along_axis(x, _places(reached, q), axis=1)[:, 0])


def _quantile(x: FloatArray, reached: FloatArray, q: float, n: float, rule: QuantileRule) -> FloatArray:
    """The quantile of ascending `x` by rule [row]."""
    if rule == "inverted_cdf":
        return _at(x, reached, q)
    place = {
        "linear": (n - 1.0) * q + 1.0,
        "weibull": (n + 1.0) * q,
        "median_unbiased": (n + 1.0 / 3.0) * q + 1.0 / 3.0,
    }
    h = min(max(place[rule], 1.0), n)
    share = np.diff(np.clip(n * reached - h + 1.0, 0.0, 1.0), axis=1, prepend=0.0)
    return np.asarray(np.sum(share * x, axis=1))


def _shortfall(x: FloatArray, w: FloatArray, reached: FloatArray, q: float, rule: ShortfallRule) -> FloatArray:
    """The mean of the tail of ascending `x` [row]."""
    last = _places(reached, q)
    inside = np.arange(x.shape[1])[None, :] <= last
    if rule == "tail_mean":
        held = np.where(inside, w, 0.0)
        return np.asarray(np.sum(held * x, axis=1) / np.sum(held, axis=1))
    held = np.clip(w - np.maximum(reached - q, 0.0), 0.0, None) * inside
    return np.asarray(np.sum(held * x, axis=1) / q)


def _bounds(x: FloatArray, reached: FloatArray, q: float, n: float, sides: float) -> tuple[FloatArray, FloatArray]:
    """Least and greatest value at risk [row]: ranks r of n with P(B < r) and P(B ≥ s) at most `sides`, B binomial.

    A rank stands at its share of the weights, r/n; at equal weights it is that order statistic."""
    whole = max(round(n), 1)
    cumulative = special.bdtr(np.arange(whole), whole, q)
    below, above = int(np.sum(cumulative <= sides)), int(np.sum(cumulative < 1.0 - sides)) + 1
    unbounded = np.full(len(x), np.inf)
    low = -_at(x, reached, above / whole) if above <= whole else -unbounded
    high = -_at(x, reached, below / whole) if below >= 1 else unbounded
    return low, high
