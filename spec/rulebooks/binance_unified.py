"""Brackets and uniMMR; section 5 of the rulebook reference."""

from __future__ import annotations

from collections.abc import Sequence


def marginal(notional: float, floors: Sequence[float], rates: Sequence[float]) -> float:
    """Each tier's rate on the part of the notional in it, which is what the deduction amounts to."""
    total = 0.0
    for i, rate in enumerate(rates):
        top = floors[i + 1] if i + 1 < len(floors) else float("inf")
        total += rate * max(min(notional, top) - floors[i], 0.0)
    return total


def equity(net: float, index: float, rate: float) -> float:
    """A haircut on what is owned, none on what is owed."""
    return net * index * rate if net >= 0.0 else net * index
