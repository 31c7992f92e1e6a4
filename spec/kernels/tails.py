"""Generalised Pareto tails, one sample at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

SHAPE_MIN, SHAPE_MAX = -0.5, 2.0


def gpd_share_beyond(y: float, xi: float, beta: float) -> float:
    """1 − F(y) = (1 + ξ·y/β)^(−1/ξ), e^(−y/β) at ξ = 0."""
    if abs(xi) < 1e-12:
        return math.exp(-y / beta)
    return math.exp(-math.log1p(xi * y / beta) / xi) if xi * y > -beta else 0.0


def gpd_log_likelihood(excess: Sequence[float], xi: float, beta: float) -> float:
    """Σ ln f(y), f(y) = (1 + ξ·y/β)^(−1/ξ − 1)/β; minus infinity where an excess is impossible."""
    if beta <= 0.0 or any(1.0 + xi * y / beta <= 0.0 for y in excess):
        return -math.inf
    if abs(xi) < 1e-12:
        return -len(excess) * math.log(beta) - math.fsum(excess) / beta
    return -len(excess) * math.log(beta) - (1.0 / xi + 1.0) * math.fsum(math.log1p(xi * y / beta) for y in excess)


def best_beta(excess: Sequence[float], xi: float) -> float:
    """The β of greatest likelihood at ξ, by golden section on ln β."""
    low = math.log(max(1e-12, -xi * max(excess) * (1.0 + 1e-12), 1e-3 * max(excess) / len(excess)))
    high = math.log(10.0 * max(excess))
    golden = 0.5 * (math.sqrt(5.0) - 1.0)
    for _ in range(60):
        a, b = high - golden * (high - low), low + golden * (high - low)
        if gpd_log_likelihood(excess, xi, math.exp(a)) < gpd_log_likelihood(excess, xi, math.exp(b)):
            low = a
        else:
            high = b
    return math.exp(0.5 * (low + high))


def fit_excesses(excess: Sequence[float], shape_max: float = SHAPE_MAX) -> tuple[float, float, float]:
    """ξ in its limits, β and log-likelihood: the best of a grid over ξ, refined six times."""
    low, high = SHAPE_MIN, shape_max
    best = (0.0, 1.0, -math.inf)
    for _ in range(7):
        width = (high - low) / 10.0
        for k in range(11):
            xi = low + k * width
            beta = best_beta(excess, xi)
            found = gpd_log_likelihood(excess, xi, beta)
            if found > best[2]:
                best = (xi, beta, found)
        low, high = max(SHAPE_MIN, best[0] - width), min(shape_max, best[0] + width)
    return best


def spliced_quantiles(
    p: float, ordered: Sequence[float], low: tuple[int, float, float], high: tuple[int, float, float]
) -> float:
    """The value below which `p` lies; `low` and `high` are the number beyond the threshold, ξ and β."""
    n = len(ordered)
    k, m = low[0], high[0]

    def excess(share: float, xi: float, beta: float) -> float:
        return -beta * math.log(share) if abs(xi) < 1e-12 else beta / xi * math.expm1(-xi * math.log(share))

    if p < k / n:
        return ordered[k] - excess(p * n / k, low[1], low[2])
    if p > (n - m) / n:
        return ordered[n - m - 1] + excess((1.0 - p) * n / m, high[1], high[2])
    place = k + (p - k / n) * n / (n - m - k) * (n - m - 1 - k)
    i = min(n - m - 2, int(place))
    return ordered[i] + (place - i) * (ordered[i + 1] - ordered[i])


def spliced_cdf(
    value: float, ordered: Sequence[float], low: tuple[int, float, float], high: tuple[int, float, float]
) -> float:
    """The probability at or below `value`."""
    n = len(ordered)
    k, m = low[0], high[0]
    if value < ordered[k]:
        return k / n * gpd_share_beyond(ordered[k] - value, low[1], low[2])
    if value >= ordered[n - m - 1]:
        return 1.0 - m / n * gpd_share_beyond(value - ordered[n - m - 1], high[1], high[2])
    i = max(j for j in range(k, n - m) if ordered[j] <= value)
    place = i + (value - ordered[i]) / (ordered[i + 1] - ordered[i])
    return k / n + (place - k) / (n - m - 1 - k) * (n - m - k) / n
