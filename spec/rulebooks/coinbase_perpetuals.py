"""Coinbase International's rates and pair offsets; section 9 of the rulebook reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def rate(coins: float, base: float, risk: float, volume: float) -> float:
    """The initial rate, at most one."""
    return min(max(base, risk * math.sqrt(abs(coins) / volume)), 1.0)


def credit(
    notionals: Mapping[str, float], rates: Mapping[str, float], pairs: Sequence[tuple[str, str, float]], both: bool
) -> float:
    """What pairs of opposite sides take off, each dollar of notional used once."""
    left = dict(notionals)
    total = 0.0
    for a, b, share in pairs:
        if a not in left or b not in left or notionals[a] * notionals[b] >= 0.0:
            continue
        matched = min(abs(left[a]), abs(left[b]))
        for name in (a, b):
            left[name] -= matched if left[name] > 0.0 else -matched
        margins = [matched * rates[a], matched * rates[b]]
        total += share * (margins[0] + margins[1] if both else min(margins))
    return total


def value(units: float, price: float, base: float, slope: float, volume: float, limit: float) -> float:
    """Collateral after its haircut."""
    haircut = min(max(base, slope * math.sqrt(units / volume)), 1.0)
    return min(units, limit) * price * (1.0 - haircut)
