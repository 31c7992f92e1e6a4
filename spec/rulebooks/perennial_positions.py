"""Perennial v2; section 19 of the rulebook reference. Whole numbers of 10⁻⁶, rounded up."""

from __future__ import annotations

import math
from fractions import Fraction


def margin(size: int, price: int, ratio: int, least: int) -> int:
    """A ratio of notional, with a least amount; nothing without a position."""
    if size == 0:
        return 0
    usd = Fraction(abs(size), 10**6) * Fraction(abs(price), 10**6) * Fraction(ratio, 10**6)
    return max(math.ceil(usd * 10**6), least)
