"""Whole numbers of a venue's smallest units, with the rounding said at each step."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from crossmargin.core.errors import InvalidInput

PPM = 1_000_000


def whole(value: int, what: str, low: int, high: int | None = None, *, where: str) -> int:
    """`value`, if it is at least `low` and at most `high`; compared as integers, so that none is too large."""
    if value < low or (high is not None and value > high):
        limit = f"{low} or more" if high is None else f"between {low} and {high}"
        remedy = "Give it in the venue's smallest units."
        raise InvalidInput(what, where=where, value=value, limit=limit, remedy=remedy)
    return value


def ceil_div(numerator: int, denominator: int) -> int:
    """⌈numerator / denominator⌉ of whole numbers, denominator > 0."""
    return -(-numerator // denominator)


def times_power_of_ten(value: int, exponent: int) -> int:
    """value·10^exponent, truncated toward zero."""
    if exponent >= 0:
        return value * int(10**exponent)
    size = abs(value) // int(10**-exponent)
    return size if value >= 0 else -size


def units_up(value: float, exponent: int) -> int:
    """A decimal number in units of 10^exponent, its size rounded up: what is at risk is never made smaller."""
    size = Decimal(repr(abs(value))).scaleb(-exponent).to_integral_value(ROUND_CEILING)
    return int(math.copysign(1, value)) * int(size)


def units_down(value: float, exponent: int) -> int:
    """A decimal number in units of 10^exponent, rounded down: what is owned is never made larger."""
    return int(Decimal(repr(value)).scaleb(-exponent).to_integral_value(ROUND_FLOOR))
