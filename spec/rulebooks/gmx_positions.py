"""GMX v2 liquidation in exact fractions; section 17 of the rulebook reference."""

from __future__ import annotations

from fractions import Fraction


def remaining(
    collateral: Fraction,
    pnl: Fraction,
    gain_max: Fraction | None,
    impact: Fraction,
    impact_max: Fraction,
    costs: Fraction,
) -> Fraction:
    """What a position would leave; `impact_max` is in USD."""
    gain = pnl if gain_max is None or pnl < gain_max else gain_max
    if impact > 0:
        impact = Fraction(0)
    elif impact < -impact_max:
        impact = -impact_max
    return collateral + gain + impact - costs


def liquidated(left: Fraction, size: Fraction, factor: Fraction, least: Fraction, test_minimum: bool) -> bool:
    """Whether a position of that size may be liquidated."""
    if size == 0:
        return False
    return (test_minimum and left < least) or left <= 0 or left < size * factor
