"""dYdX v4 margin in exact fractions, rounded where section 11 of the rulebook reference rounds."""

from __future__ import annotations

import math
from fractions import Fraction

MILLION = 1_000_000


def truncated(x: Fraction) -> int:
    """Toward zero."""
    return math.floor(x) if x >= 0 else math.ceil(x)


def notional(quantums: int, price: int, price_exponent: int, base_exponent: int) -> int:
    """Quote quantums (10⁻⁶ USD)."""
    usd = Fraction(quantums) * price * Fraction(10) ** price_exponent * Fraction(10) ** base_exponent
    return truncated(usd * MILLION)


def fraction(base: int, open_notional: int, lower: int, upper: int) -> int:
    """The initial fraction in whole parts per million."""
    if upper == 0:
        return base
    share = Fraction(open_notional - lower, upper - lower) if upper > lower else Fraction(open_notional > lower)
    share = min(max(share, Fraction(0)), Fraction(1))
    return math.floor(base + (MILLION - base) * share)


def margin(size: int, base: int, scaled: int, custom: int, maintenance_fraction: int) -> tuple[int, int]:
    """Initial and maintenance of a notional `size`, both rounded up; maintenance knows the base fraction only."""
    initial = math.ceil(Fraction(size * max(scaled, custom), MILLION))
    of_base = math.ceil(Fraction(size * base, MILLION))
    return initial, math.ceil(Fraction(of_base * maintenance_fraction, MILLION))
