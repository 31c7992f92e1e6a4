"""Numbers with 48 binary places, as Mango computes: whole multiples of 2⁻⁴⁸, products and quotients cut toward zero."""

from __future__ import annotations

from fractions import Fraction

from crossmargin.core import check

ONE = 1 << 48


def fixed(value: float | int, what: str, *, where: str) -> int:
    """The nearest number with 48 binary places; raises `InvalidInput` for what is not finite."""
    return round(Fraction(check.finite(value, what, where=where) if isinstance(value, float) else value) * ONE)


def product(*factors: int) -> int:
    """The product, cut after each factor."""
    total = factors[0]
    for factor in factors[1:]:
        total = _cut(total * factor, ONE)
    return total


def quotient(numerator: int, denominator: int) -> int:
    """The quotient, cut; the denominator is above zero."""
    return _cut(numerator * ONE, denominator)


def plain(value: int) -> float:
    """The nearest float."""
    return float(Fraction(value, ONE))


def _cut(numerator: int, denominator: int) -> int:
    size = abs(numerator) // denominator
    return size if numerator >= 0 else -size
