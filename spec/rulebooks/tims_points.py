"""Customer portfolio margin by ten points, in plain Python; section 24 of the rulebook reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Position = tuple[str, str, float, tuple[float, ...], float, float | None]


def minimum(quantity: float, size: float, value: float | None, rate: float) -> float:
    """Of one position: a rate times the multiplier a contract, of a long with a value at most that."""
    each = rate * size
    if quantity > 0.0 and value is not None:
        each = min(each, max(value, 0.0))
    return abs(quantity) * each


def product_group(positions: Iterable[Position], offset: float, rate: float) -> float:
    """Requirement of a product group; a position is (underlying, group, quantity, gains, size, value)."""
    rows = list(positions)
    worst = 0.0
    for point in range(10):
        by_underlying: dict[str, float] = {}
        for underlying, _, quantity, gains, _, _ in rows:
            by_underlying[underlying] = by_underlying.get(underlying, 0.0) + quantity * gains[point]
        losses = sum(-x for x in by_underlying.values() if x < 0.0)
        worst = max(worst, losses - offset * sum(x for x in by_underlying.values() if x > 0.0))
    return max(worst, sum(minimum(q, size, value, rate) for _, _, q, _, size, value in rows))


def requirement(positions: Iterable[Position], offsets: Mapping[str, float], rate: float) -> float:
    """The sum over product groups."""
    rows = list(positions)
    return sum(product_group([r for r in rows if r[1] == name], offset, rate) for name, offset in offsets.items())
