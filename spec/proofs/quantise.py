"""Worst losses in integers from exact fractions: the least of q·R over the box that the integers stand for."""

from fractions import Fraction
from math import floor


def quanta(value: Fraction, decimals: int) -> int:
    """A value in whole quanta of 10^−decimals, rounded down."""
    return floor(value * Fraction(10) ** decimals)


def lots(quantity: Fraction, decimals: int) -> tuple[int, bool]:
    """A quantity in whole lots, rounded down, and whether something is left."""
    scaled = quantity * Fraction(10) ** decimals
    return floor(scaled), scaled != floor(scaled)


def least_pnl(held: int, between: bool, moved: int) -> int:
    """The least product over the corners of [held, held + between] × [moved, moved + 1]."""
    return min(x * y for x in (held, held + between) for y in (moved, moved + 1))


def worst_loss(positions: list[tuple[int, bool]], rows: list[list[int]]) -> tuple[int, int]:
    """The greatest loss over scenarios, and the first scenario that has it; (0, −1) without positions."""
    if not positions:
        return 0, -1
    losses = [
        -sum(least_pnl(held, between, row[s]) for (held, between), row in zip(positions, rows, strict=True))
        for s in range(len(rows[0]))
    ]
    return max(losses), losses.index(max(losses))


def exact_worst_loss(quantities: list[Fraction], rows: list[list[Fraction]]) -> Fraction:
    """The worst loss in USD without any rounding."""
    losses = [Fraction(0)] * len(rows[0])
    for quantity, row in zip(quantities, rows, strict=True):
        losses = [loss - quantity * moved for loss, moved in zip(losses, row, strict=True)]
    return max(losses)


def error_bound(positions: list[tuple[int, bool]], rows: list[list[int]]) -> int:
    """How many quanta of money the integer loss may lie above the exact one."""
    bound = 0
    for (held, between), row in zip(positions, rows, strict=True):
        bound += max(abs(held), abs(held + between)) + between * max(max(abs(f), abs(f + 1)) for f in row)
    return bound
