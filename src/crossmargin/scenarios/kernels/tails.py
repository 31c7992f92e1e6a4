"""Generalised Pareto tails: likelihood, and distributions of an empirical body between two of them.

The excess y ≥ 0 over a threshold has F(y) = 1 − (1 + ξ·y/β)^(−1/ξ), and 1 − e^(−y/β) at ξ = 0. Everything is written in
x·l(x) with l(x) = ln(1 + x)/x, or in expm1(x)/x, so nothing happens at ξ = 0.

Samples of several factors stand one after the other: those of factor f from `ptr[f]` to `ptr[f + 1]`, ascending.
"""

import math

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from crossmargin.core.compile import compiled

# Below −½ the estimates are not normal and their errors unknown (Smith, 1985); at 1 the mean excess is infinite, at 2
# there is nothing left to margin, and zero excesses would make the likelihood infinite.
SHAPE_MIN, SHAPE_MAX = -0.5, 2.0
GRID = 24
STEPS_MAX = 100
SERIES = 1e-4


def fit_excesses(
    ptr: Int[ndarray, "rows_and_one"], excess: Float[ndarray, "excess"], shape_max: float = SHAPE_MAX
) -> Float[ndarray, "row 5"]:
    """Maximum-likelihood ξ and β of each row of excesses, log-likelihood, distance, and 1 if ξ is inside its limits.

    With θ = ξ/β the best ξ is mean ln(1 + θy), so that the likelihood is a function of θ alone: its greatest value is
    found on a grid over all ξ in [−½, `shape_max`], then to rounding from its slope. The distance is that of Kolmogorov
    and Smirnov, max |empirical − fitted distribution|. Excesses are ascending and above zero.
    Source: Grimshaw (1993), "Computing maximum likelihood estimates for the generalized Pareto distribution",
    Technometrics 35, 185–191."""
    out = np.empty((ptr.size - 1, 5))
    _fit_loop(np.ascontiguousarray(ptr), np.ascontiguousarray(excess), shape_max, out)
    return out


def spliced_quantiles(
    probability: Float[ndarray, "factor scenario"],
    ptr: Int[ndarray, "factors_and_one"],
    ordered: Float[ndarray, "value"],
    low: Float[ndarray, "3 factor"],
    high: Float[ndarray, "3 factor"],
) -> Float[ndarray, "factor scenario"]:
    """The value below which `probability` lies, for each factor: order statistics, joined by lines, between two tails.

    `low` and `high` hold by row how many values lie beyond the threshold, ξ and β. With n values, k below and m above
    the thresholds, the body has order statistic i (from 0) at k/n + (i − k)/(n − m − 1 − k)·(n − m − k)/n, so it meets
    each tail at its threshold. 0 and 1 give the end of a tail, which may be infinite."""
    out = np.empty(probability.shape)
    _quantile_loop(np.ascontiguousarray(probability), ptr, ordered, low, high, out)
    return out


def spliced_cdf(
    value: Float[ndarray, "factor scenario"],
    ptr: Int[ndarray, "factors_and_one"],
    ordered: Float[ndarray, "value"],
    low: Float[ndarray, "3 factor"],
    high: Float[ndarray, "3 factor"],
) -> Float[ndarray, "factor scenario"]:
    """The probability at or below `value`: the inverse of `spliced_quantiles`; where values tie, the upper end."""
    out = np.empty(value.shape)
    _cdf_loop(np.ascontiguousarray(value), ptr, ordered, low, high, out)
    return out


@compiled()
def _log1p_ratio(x: float) -> float:
    """ln(1 + x)/x, 1 at zero."""
    if abs(x) < SERIES:
        return 1.0 + x * (-0.5 + x * (1.0 / 3.0 - 0.25 * x))
    return math.log1p(x) / x


@compiled()
def _log1p_slope(x: float) -> float:
    """The derivative of ln(1 + x)/x, −½ at zero."""
    if abs(x) < 10.0 * SERIES:
        return -0.5 + x * (2.0 / 3.0 + x * (-0.75 + x * (0.8 - x * 5.0 / 6.0)))
    return (1.0 / (1.0 + x) - math.log1p(x) / x) / x


@compiled()
def _expm1_ratio(x: float) -> float:
    """(e^x − 1)/x, 1 at zero."""
    return 1.0 + 0.5 * x if abs(x) < 1e-8 else math.expm1(x) / x


@compiled()
def _profile(theta: float, y: ndarray) -> tuple[float, float, float]:
    """ξ, β and the slope in θ of the mean negative log-likelihood, ln β + ξ + 1, at its best for θ."""
    beta = shape_slope = beta_slope = 0.0
    for i in range(y.size):
        x = theta * y[i]
        beta += y[i] * _log1p_ratio(x)
        beta_slope += y[i] * y[i] * _log1p_slope(x)
        shape_slope += y[i] / (1.0 + x)
    beta /= y.size
    return theta * beta, beta, (beta_slope / beta + shape_slope) / y.size


@compiled()
def _theta(s: float, top: float) -> float:
    """θ of the search variable: 1 + θ·(greatest excess) = e^s, so that every s is allowed."""
    return math.expm1(s) / top


@compiled()
def _objective(s: float, y: ndarray, shape: float) -> float:
    """What is sought the root of: ξ − `shape`, or the slope of the likelihood where `shape` is NaN."""
    xi, _, slope = _profile(_theta(s, y[-1]), y)
    return slope if np.isnan(shape) else xi - shape


@compiled()
def _root(low: float, high: float, y: ndarray, shape: float) -> float:
    """The root of the objective in [low, high], its signs at the ends being − and + (Illinois method)."""
    at_low, at_high = _objective(low, y, shape), _objective(high, y, shape)
    side = 0
    for _ in range(STEPS_MAX):
        if at_low >= 0.0 or at_high <= 0.0 or high - low <= 4e-16 * max(1.0, abs(low), abs(high)):
            break
        s = (low * at_high - high * at_low) / (at_high - at_low)
        if not low < s < high:
            s = 0.5 * (low + high)
        at = _objective(s, y, shape)
        if at < 0.0:
            low, at_low = s, at
            at_high *= 0.5 if side == -1 else 1.0
            side = -1
        else:
            high, at_high = s, at
            at_low *= 0.5 if side == 1 else 1.0
            side = 1
        if at == 0.0:
            return s
    return low if abs(at_low) < abs(at_high) else high


@compiled()
def _fit(y: ndarray, shape_max: float) -> tuple[float, float, float]:
    """ξ, β and whether ξ lies inside its limits, of excesses with mean 1."""
    left, right = _root(-30.0, 60.0, y, SHAPE_MIN), _root(-30.0, 60.0, y, shape_max)
    best, least = 0, np.inf
    for k in range(GRID + 1):
        xi, beta, _ = _profile(_theta(left + (right - left) * k / GRID, y[-1]), y)
        cost = math.log(beta) + xi
        if cost < least:
            best, least = k, cost
    below = left + (right - left) * max(0, best - 1) / GRID
    above = right if best + 1 >= GRID else left + (right - left) * (best + 1) / GRID
    if best == GRID and _objective(right, y, np.nan) < 0.0:  # still falling at a limit: no root inside
        s = right
    else:
        s = left if best == 0 and _objective(left, y, np.nan) > 0.0 else _root(below, above, y, np.nan)
    if left < s < right:
        xi, beta, _ = _profile(_theta(s, y[-1]), y)
        return xi, beta, 1.0
    xi = SHAPE_MIN if s <= left else shape_max
    return xi, _scale_at(xi, y), 0.0


@compiled()
def _scale_at(xi: float, y: ndarray) -> float:
    """The β of greatest likelihood at a fixed ξ: where (1 + ξ)·mean(y/(β + ξy)) falls to 1.

    At a limit of ξ the best β is this one, and not that of the profile, whose ξ moves along with β.
    """
    low = max(0.0, -xi * float(y[-1]))
    high = low + 1.0 + abs(xi)
    while _scale_score(high, xi, y) > 0.0:
        high *= 2.0
    for _ in range(STEPS_MAX):
        beta = 0.5 * (low + high)
        if _scale_score(beta, xi, y) > 0.0:
            low = beta
        else:
            high = beta
    return high


@compiled()
def _scale_score(beta: float, xi: float, y: ndarray) -> float:
    total = 0.0
    for i in range(y.size):
        total += y[i] / (beta + xi * y[i])
    return (1.0 + xi) * total / y.size - 1.0


@compiled()
def _fit_loop(ptr: ndarray, excess: ndarray, shape_max: float, out: ndarray) -> None:
    for row in range(out.shape[0]):
        y = excess[ptr[row] : ptr[row + 1]]
        mean = y.mean()
        xi, beta, inside = _fit(y / mean, shape_max)
        beta *= mean
        distance = exponent = 0.0
        for i in range(y.size):
            own = y[i] / beta * _log1p_ratio(xi * y[i] / beta)
            exponent += own
            below = -math.expm1(-own)
            distance = max(distance, below - i / y.size, (i + 1) / y.size - below)
        out[row] = xi, beta, -y.size * math.log(beta) - (1.0 + xi) * exponent, distance, inside


@compiled(inline=True)
def _excess_at(share: float, xi: float, beta: float) -> float:
    """The excess that a `share` of all excesses lie beyond."""
    if share <= 0.0:
        return np.inf if xi >= 0.0 else -beta / xi
    log_share = -math.log(share)
    return beta * log_share * _expm1_ratio(xi * log_share)


@compiled(inline=True)
def _share_beyond(y: float, xi: float, beta: float) -> float:
    """The share of all excesses that lie beyond y."""
    x = xi * y / beta
    return 0.0 if x <= -1.0 or y == np.inf else math.exp(-y / beta * _log1p_ratio(x))


@compiled()
def _quantile_loop(p: ndarray, ptr: ndarray, ordered: ndarray, low: ndarray, high: ndarray, out: ndarray) -> None:
    for f in range(p.shape[0]):
        x = ordered[ptr[f] : ptr[f + 1]]
        first, last = int(low[0, f]), x.size - 1 - int(high[0, f])
        p_low, p_high = first / x.size, (last + 1) / x.size
        scale = (last - first) / (p_high - p_low)
        for s in range(p.shape[1]):
            if p[f, s] < p_low:
                out[f, s] = x[first] - _excess_at(p[f, s] / p_low, low[1, f], low[2, f])
            elif p[f, s] > p_high:
                out[f, s] = x[last] + _excess_at((1.0 - p[f, s]) / (1.0 - p_high), high[1, f], high[2, f])
            else:
                place = first + (p[f, s] - p_low) * scale
                i = min(last - 1, int(place))
                out[f, s] = x[i] + (place - i) * (x[i + 1] - x[i])


@compiled()
def _cdf_loop(value: ndarray, ptr: ndarray, ordered: ndarray, low: ndarray, high: ndarray, out: ndarray) -> None:
    for f in range(value.shape[0]):
        x = ordered[ptr[f] : ptr[f + 1]]
        first, last = int(low[0, f]), x.size - 1 - int(high[0, f])
        p_low, p_high = first / x.size, (last + 1) / x.size
        for s in range(value.shape[1]):
            v = value[f, s]
            if v < x[first]:
                out[f, s] = p_low * _share_beyond(x[first] - v, low[1, f], low[2, f])
            elif v >= x[last]:
                out[f, s] = 1.0 - (1.0 - p_high) * _share_beyond(v - x[last], high[1, f], high[2, f])
            else:
                i = int(np.searchsorted(x[first : last + 1], v, side="right")) - 1 + first
                place = i + (v - x[i]) / (x[i + 1] - x[i])
                out[f, s] = p_low + (place - first) / (last - first) * (p_high - p_low)
