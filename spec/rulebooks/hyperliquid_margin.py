"""Hyperliquid's tiers and portfolio ratio; section 6 of the rulebook reference."""

from __future__ import annotations

from collections.abc import Sequence


def maintenance(notional: float, tiers: Sequence[tuple[float, float]]) -> float:
    """Rate of the tier on all of the notional, less the running deduction; `tiers` are (lower bound, leverage)."""
    deduction, rate = 0.0, 0.5 / tiers[0][1]
    for lower, leverage in tiers[1:]:
        if notional <= lower:
            break
        deduction += lower * (0.5 / leverage - rate)
        rate = 0.5 / leverage
    return notional * rate - deduction


def ratio(
    offset: float, maintained: float, owed: float, balance: float, others: Sequence[tuple[float, float, float, float]]
) -> float:
    """A token's ratio; `others` are (units, supply cap, price·threshold, borrow cap)."""
    secured = sum(min(cap, min(units, most) * unit) for units, most, unit, cap in others)
    return (offset + maintained + owed) / (balance + secured)
