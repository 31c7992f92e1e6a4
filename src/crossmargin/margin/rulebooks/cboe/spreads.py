"""Spreads: their greatest loss, what they cost, and what they are called."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from crossmargin.margin.rulebooks.cboe.portfolio import ZERO, OptionLeg
from crossmargin.margin.rulebooks.cboe.strategies import Sheet, Strategy


def spread_loss(legs: Sequence[tuple[OptionLeg, int]]) -> Decimal:
    """The greatest loss a share at expiry over the strikes, at least zero; `legs` are options and signed contracts."""
    payoffs = (sum(((n * leg.intrinsic(at.strike)) for leg, n in legs), ZERO) for at, _ in legs)
    return max(ZERO, *(-payoff for payoff in payoffs))


def spread_strategy(sheet: Sheet, used: Sequence[tuple[int, int]]) -> tuple[Strategy, int]:
    """The spread of `used` contracts (leg, count without sign) as its smallest whole unit, and how many of it."""
    count = math.gcd(*(n for _, n in used))
    unit = tuple((i, n // count) for i, n in used)
    options, size = sheet.portfolio.options, sheet.parameters.multiplier
    signed = [(options[i], n if options[i].quantity > 0 else -n) for i, n in unit]
    longs = sum((n * leg.price for leg, n in signed if n > 0), ZERO)
    shorts = sum((-n * leg.price for leg, n in signed if n < 0), ZERO)
    gross = (spread_loss(signed) + longs) * size
    return Strategy(name=spread_name(signed), legs=unit, gross=gross, proceeds=shorts * size), count


def spread_name(legs: Sequence[tuple[OptionLeg, int]]) -> str:
    """What traders call it; "spread of n legs" where they have no name."""
    rights = {leg.right for leg, _ in legs}
    strikes = sorted({leg.strike for leg, _ in legs})
    sizes = [n for _, n in sorted(legs, key=lambda x: (x[0].right, x[0].strike))]
    if len({leg.days for leg, _ in legs}) > 1:
        return _calendar_name(legs, strikes) if len(legs) == 2 else f"spread of {len(legs)} legs"
    right = legs[0][0].right
    if len(rights) == 1:
        names = {(1, -1): "spread", (1, -2, 1): "butterfly", (1, -1, -1, 1): "condor"}
        found = names.get(tuple(sizes)) or names.get(tuple(-n for n in sizes))
        return f"{right} {found}" if found else f"spread of {len(legs)} legs"
    return _iron_name(legs, strikes) if sorted(sizes) == [-1, -1, 1, 1] else f"spread of {len(legs)} legs"


def _calendar_name(legs: Sequence[tuple[OptionLeg, int]], strikes: Sequence[Decimal]) -> str:
    return f"{legs[0][0].right} {'calendar' if len(strikes) == 1 else 'diagonal'}"


def _iron_name(legs: Sequence[tuple[OptionLeg, int]], strikes: Sequence[Decimal]) -> str:
    at = {(leg.right, n): leg.strike for leg, n in legs}
    if len(strikes) == 2 and at["call", 1] == at["put", -1]:
        return "box"
    return "iron butterfly" if at["call", -1] == at["put", -1] else "iron condor"
