"""The largest size that still fits, for many candidates at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crossmargin.core.arrays import FloatArray

DOUBLINGS = 60  # from a millionth of the start to about 1e12 times it
RELATIVE_TOLERANCE = 1e-9


def largest_fits(excess: Callable[[FloatArray], FloatArray], start: FloatArray) -> FloatArray:
    """The largest size of each candidate at which `excess(size) ≥ 0` [candidate].

    `excess` is evaluated for all candidates at once; `start` > 0 is a size of the order of what may fit. Zero where
    no size tried fits, infinity where the largest still does. The search doubles until sizes that fit are behind it
    and then halves the bracket. It is exact when the sizes that fit are an interval, as they are for convex
    requirements; one that begins above zero (an order that mends an account) is found if it spans a factor of two.
    """
    size = np.asarray(start, np.float64) * 1e-6
    low, high = np.zeros(len(size)), np.full(len(size), np.inf)
    for _ in range(DOUBLINGS):
        fits = excess(size) >= 0.0
        open_above = np.isinf(high)
        low = np.where(fits & open_above, size, low)
        high = np.where(~fits & open_above & (low > 0.0), size, high)
        if not np.isinf(high).any():
            break
        size = np.where(np.isinf(high), 2.0 * size, size)
    high = np.where(low > 0.0, high, 0.0)
    bounded = np.isfinite(high)
    while (bounded & (high - low > RELATIVE_TOLERANCE * np.where(bounded, high, 1.0)) & (high > start * 1e-6)).any():
        middle = np.where(bounded, 0.5 * (low + np.where(bounded, high, 0.0)), size)
        fits = excess(middle) >= 0.0
        low = np.where(bounded & fits, middle, low)
        high = np.where(bounded & ~fits, middle, high)
    return np.where(bounded, low, np.inf)
