"""OKX cross mode: tiers on the whole position, discounts tier by tier; section 3 of the rulebook reference."""

from __future__ import annotations

from collections.abc import Sequence


def maintenance(notional: float, floors: Sequence[float], rates: Sequence[float]) -> float:
    """The rate of the highest tier whose floor the position passes, on all of it."""
    rate = rates[0]
    for floor, here in zip(floors[1:], rates[1:], strict=True):
        if notional > floor:
            rate = here
    return notional * rate


def discounted(value: float, tiers: Sequence[tuple[float, float]]) -> float:
    """What a balance counts for; tiers are (cap, rate)."""
    if value <= 0.0:
        return value
    total, left, floor = 0.0, value, 0.0
    for cap, rate in tiers:
        part = min(left, cap - floor)
        total, left, floor = total + rate * part, left - part, cap
    return total
