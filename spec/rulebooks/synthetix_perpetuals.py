"""Synthetix v3 margins in exact fractions, without the venue's cuts; section 14 of the rulebook reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction


def margins(size: Fraction, price: Fraction, market: Mapping[str, Fraction]) -> tuple[Fraction, Fraction]:
    """Initial and maintenance margin of a position."""
    if size == 0:
        return Fraction(0), Fraction(0)
    ratio = abs(size) / market["skew_scale"] * market["initial_ratio"] + market["initial_ratio_min"]
    notional, least = abs(size) * price, market["position_margin_min"]
    return notional * ratio + least, notional * ratio * market["maintenance_scalar"] + least


def collateral(
    amount: Fraction, price: Fraction, scale: Fraction, scalar: Fraction, low: Fraction, high: Fraction
) -> Fraction:
    """What a token counts for."""
    taken = min(max(amount / scale * scalar, low), high) if scale else Fraction(0)
    return amount * price * (1 - taken)


def reward(
    flagged: Fraction, secured: Fraction, margin: Fraction, steps: int, terms: Mapping[str, Fraction]
) -> Fraction:
    """The possible reward of liquidators; `secured` is the collateral's share already."""
    cost = terms["cost"]
    low = max(cost + terms["reward_min"], cost * (1 + terms["profit_ratio_min"]))
    high = min(max(margin, Fraction(0)) * terms["margin_ratio_max"], terms["reward_max"])

    def clamp(x: Fraction) -> Fraction:
        return min(max(x, low), high)

    return clamp(max(flagged, secured) + cost) + (steps - 1) * clamp(cost)


def windows(size: Fraction, fees: Sequence[Fraction], scale: Fraction, multiplier: Fraction, seconds: int) -> int:
    """In how many windows a position can be closed."""
    return math.ceil(abs(size) / (sum(fees, Fraction(0)) * scale * multiplier * seconds))
