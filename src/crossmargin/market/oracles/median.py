"""Weighted medians, which no minority of the weight can move beyond what the others say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# A normal distribution's standard deviation is 1.4826 times the median of its absolute deviations (1/Φ⁻¹(3/4)).
MAD_TO_SIGMA: Final = 1.4826


def weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    """The value at half of the weight; where half falls between two values, their middle.

    The values need no order; weights are above zero. Source: Edgeworth (1888), Philosophical Magazine 25, 184–191.
    """
    ordered = sorted(zip(values, weights, strict=True))
    half, below = sum(weight for _, weight in ordered) / 2.0, 0.0
    for at, (value, weight) in enumerate(ordered):
        below += weight
        if below > half:
            return value
        if below == half:
            return value + (ordered[at + 1][0] - value) / 2.0
    raise AssertionError("half of the weight lies within it")


def median(values: Sequence[float]) -> float:
    """The median of values that weigh the same."""
    return weighted_median(values, [1.0] * len(values))


def absolute_deviation(values: Sequence[float], centre: float) -> float:
    """The median of |value − centre|."""
    return median([abs(value - centre) for value in values])
