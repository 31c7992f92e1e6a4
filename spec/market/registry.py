"""Registries of assets again, slowly: forging by trying every set of operators, conversion digit by digit."""

from __future__ import annotations

from itertools import combinations


def effective_verifiers(
    required: list[str],
    optional: list[str],
    threshold: int,
    quorum: int,
    operator: dict[str, str],
) -> int:
    """The fewest operators that control all required verifiers and enough optional ones, and the committee's quorum."""
    operators = sorted({operator.get(name, name) for name in [*required, *optional]})
    for size in range(len(operators) + 1):
        for corrupt in combinations(operators, size):
            all_required = all(operator.get(name, name) in corrupt for name in required)
            signed = sum(operator.get(name, name) in corrupt for name in optional)
            if all_required and signed >= threshold:
                return size + quorum
    raise AssertionError("all operators together can forge anything")


def canonical_units(amount: int, decimals: int, canonical_decimals: int) -> tuple[int, int]:
    """Smallest canonical units in `amount`, as numerator and denominator, by moving the decimal point."""
    if canonical_decimals >= decimals:
        return amount * 10 ** (canonical_decimals - decimals), 1
    return amount, 10 ** (decimals - canonical_decimals)


def in_force(versions: list[tuple[int, str]], time: int) -> str | None:
    """The value of the last version whose time has come."""
    current = None
    for effective, value in versions:
        if effective <= time:
            current = value
    return current
