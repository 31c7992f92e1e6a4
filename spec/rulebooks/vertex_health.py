"""Vertex health of one asset; section 15 of the rulebook reference."""

from __future__ import annotations


def weighted(amount: float, price: float, long: float, short: float) -> float:
    """A product's health."""
    return amount * price * (long if amount >= 0.0 else short)


def spread(spot: float, perp: float, p_spot: float, p_perp: float, w_spot: float, w_perp: float) -> float:
    """What the hedged part is worth above its weighted legs; `w` are long weights."""
    if spot > 0.0 > perp:
        weight = 1.0 - (1.0 - w_perp) / 5.0
    elif spot < 0.0 < perp:
        weight = 1.0 - (1.0 - w_spot) / 5.0
    else:
        return 0.0
    return min(abs(spot), abs(perp)) * (p_spot + p_perp) * (weight - (w_spot + w_perp) / 2.0)
