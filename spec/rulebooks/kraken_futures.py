"""Kraken's levels and netting; section 10 of the rulebook reference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def initial(size: float, levels: Sequence[tuple[float, float]], marginal: bool) -> float:
    """Margin of a size by levels of (cap, rate)."""
    total, floor = 0.0, 0.0
    for cap, rate in levels:
        if not marginal and size <= cap:
            return size * rate
        total += rate * max(min(size, cap) - floor, 0.0)
        floor = cap
    return total


def netted(legs: Iterable[tuple[str, float, float]]) -> float:
    """Σ over names of the larger side; legs are (name, signed size, margin)."""
    sides: dict[tuple[str, bool], float] = {}
    for name, signed, margin in legs:
        sides[name, signed < 0.0] = sides.get((name, signed < 0.0), 0.0) + margin
    names = {name for name, _ in sides}
    return sum(max(sides.get((name, False), 0.0), sides.get((name, True), 0.0)) for name in names)
