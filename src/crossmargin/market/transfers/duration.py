"""How long a transfer takes: lognormal, with a heavy tail of messages that fail and are executed by hand.

    P(T ≤ t) = (1 − w) Φ(ln((t − queue)/m) / s) + w Φ(ln((t − queue)/(m + retry)) / s),   s = ln(p95/p50) / 1.645

with m the median of what is awaited, attested and executed, and w the share that is retried. All arrays are [route].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri

from crossmargin.core.arrays import FloatArray

_Z95: Final = float(ndtri(0.95))
_STEPS: Final = 200  # Halvings of a bracket in log time, to the last bit of it.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Duration:
    """Seconds [route]: `median_s` of a message that works, its `log_sd`, `retry_s` more for a `retry_share` of them."""

    median_s: FloatArray
    log_sd: FloatArray
    retry_share: FloatArray
    retry_s: FloatArray


def log_sd(p95_over_p50: FloatArray) -> FloatArray:
    """The standard deviation of log time from a ratio of quantiles ≥ 1."""
    return np.asarray(np.log(p95_over_p50) / _Z95)


def chance_by(duration: Duration, time_s: FloatArray) -> FloatArray:
    """P(T ≤ `time_s`) without waiting for a rate limit; 0 for times that are not positive."""
    usual = _lognormal(time_s, duration.median_s, duration.log_sd)
    retried = _lognormal(time_s, duration.median_s + duration.retry_s, duration.log_sd)
    return np.asarray((1.0 - duration.retry_share) * usual + duration.retry_share * retried)


def _lognormal(time_s: FloatArray, median_s: FloatArray, sd: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        z = (np.log(np.maximum(time_s, 0.0)) - np.log(median_s)) / sd
    certain = np.where(time_s >= median_s, 1.0, 0.0)
    return np.asarray(np.where(time_s > 0.0, np.where(sd > 0.0, ndtr(np.where(sd > 0.0, z, 0.0)), certain), 0.0))


def quantile_s(duration: Duration, level: float | FloatArray) -> FloatArray:
    """The time by which a share `level` in (0, 1), one for all or [route], has arrived [route].

    By bisection between the two medians' own.
    """
    spread = np.exp(duration.log_sd * ndtri(level))
    low, high = duration.median_s * spread, (duration.median_s + duration.retry_s) * spread
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        reached = chance_by(duration, middle) >= level
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return np.asarray(high)


def mean_s(duration: Duration) -> FloatArray:
    """E[T] [route]: each part's median × exp(s²/2)."""
    return np.asarray(
        (duration.median_s + duration.retry_share * duration.retry_s) * np.exp(0.5 * duration.log_sd * duration.log_sd)
    )
