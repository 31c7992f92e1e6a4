"""Variances and quantiles of the past, one series at a time; NaN is a return that is not there."""

from __future__ import annotations

import math
from collections.abc import Sequence


def ewma_variance(returns: Sequence[float], decay: float, first: float) -> list[float]:
    """h₀ = `first`, h = λ·h + (1 − λ)·r² of the day before."""
    h = [first]
    for r in returns[:-1]:
        h.append(decay * h[-1] + (1.0 - decay) * r * r)
    return h


def garch_variance(e: Sequence[float], omega: float, alpha: float, beta: float, presample: float) -> list[float]:
    """h = ω + α·e² + β·h of the day before; before the first day e² and h are `presample`."""
    h = [omega + alpha * presample + beta * presample]
    for x in e[:-1]:
        h.append(omega + alpha * x * x + beta * h[-1])
    return h


def gjr_variance(
    e: Sequence[float], omega: float, alpha: float, gamma: float, beta: float, share: float, presample: float
) -> list[float]:
    """h = ω + (α + γ·1{e < 0})·e² + β·h of the day before; before the first day a `share` of e² came from falls."""
    h = [omega + (alpha + gamma * share) * presample + beta * presample]
    for x in e[:-1]:
        h.append(omega + (alpha + (gamma if x < 0.0 else 0.0)) * x * x + beta * h[-1])
    return h


def filter_variances(
    returns: Sequence[float], parameters: Sequence[float], variance: float, warm_up: int
) -> tuple[list[float], float]:
    """Variances before each return of one series, and of the next; a NaN `variance` warms up first."""
    mean, omega, alpha, gamma, beta, share = parameters
    h, path, seen = variance, [], []
    for r in returns:
        path.append(h)
        if not math.isnan(r):
            e = r - mean
            seen.append(e * e)
            if not math.isnan(h):
                h = omega + (alpha + (gamma if e < 0.0 else 0.0)) * e * e + beta * h
            elif len(seen) >= warm_up:
                h = omega + (alpha + gamma * share + beta) * math.fsum(seen) / len(seen)
        elif seen:
            h = omega + (alpha + gamma * share + beta) * h
    return path, h


def running_quantiles(values: Sequence[float], level: float, window: int, count_min: int) -> list[float]:
    """The ceil(n·level)-th smallest of the last `window` values up to each date."""
    found = []
    for t in range(len(values)):
        past = sorted(x for x in values[max(0, t - window + 1) : t + 1] if not math.isnan(x))
        rank = max(1, math.ceil(len(past) * level - 1e-12 * len(past)))
        found.append(past[rank - 1] if len(past) >= count_min else math.nan)
    return found
