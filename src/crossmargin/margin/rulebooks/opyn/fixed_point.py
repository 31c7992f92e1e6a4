"""Signed fixed point of 27 decimals, truncated toward zero after each product, as the protocol computes."""

from __future__ import annotations

from decimal import Decimal

ONE = 10**27
TOKEN = 10**8  # option tokens, strikes and oracle prices have 8 decimals
FROM_TOKEN = ONE // TOKEN


def mul(a: int, b: int) -> int:
    """a·b."""
    return truncated(a * b, ONE)


def div(a: int, b: int) -> int:
    """a/b; b is not zero."""
    return truncated(a * ONE, b)


def truncated(a: int, b: int) -> int:
    """a/b toward zero."""
    size = abs(a) // abs(b)
    return size if (a < 0) == (b < 0) else -size


def to_units(value: int, decimals: int, *, down: bool) -> int:
    """A fixed-point number, not negative, in units of 10^−decimals; rounded down or up."""
    unit = ONE // int(10**decimals)
    return value // unit if down else -(-value // unit)


def fixed(value: Decimal) -> int:
    """A decimal as fixed point; further digits are cut."""
    return int(value.scaleb(27))
