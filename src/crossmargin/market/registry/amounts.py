"""Amounts of tokens as integers, and exact conversion between representations of one asset."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Final

from crossmargin.core.errors import InvalidInput

AMOUNT_MAX: Final = 2**256 - 1  # what a token contract can count
DECIMALS_MAX: Final = 36  # more than any token in use; a contract may claim 255


def check_amount(amount: int, *, where: str) -> int:
    """`amount`, if a token contract can hold it: an integer from 0 to 2²⁵⁶ − 1."""
    if type(amount) is not int or not 0 <= amount <= AMOUNT_MAX:
        raise InvalidInput(
            "amount",
            where=where,
            value=amount,
            limit="an integer of the smallest unit, from 0 to 2^256 − 1",
            remedy="Take it from the contract as it is.",
        )
    return amount


def check_decimals(decimals: int, *, where: str) -> int:
    """`decimals`, if they are from 0 to 36."""
    if type(decimals) is not int or not 0 <= decimals <= DECIMALS_MAX:
        raise InvalidInput(
            "decimals", where=where, value=decimals, limit=f"from 0 to {DECIMALS_MAX}", remedy="Read its contract."
        )
    return decimals


def parse_scale(text: str, *, where: str) -> Fraction:
    """The ratio that "3", "1/1000" or "1000/3" states; raises `InvalidInput` for any other text and for zero."""
    numerator, slash, denominator = text.partition("/")
    parts = (numerator, denominator) if slash else (numerator,)
    if not all(p.isascii() and p.isdigit() and len(p) <= DECIMALS_MAX + 1 and int(p) > 0 for p in parts):
        raise InvalidInput(
            "scale", where=where, value=text, limit="a positive ratio", remedy='Write it like "1/1000000000000".'
        )
    return Fraction(int(numerator), int(denominator) if slash else 1)


def whole_tokens(amount: int | Fraction, decimals: int) -> Fraction:
    """How many whole tokens an amount of smallest units is, exactly."""
    return amount * Fraction(1, 10**decimals)


def to_canonical(amount: int, scale: Fraction) -> Fraction:
    """Smallest canonical units in `amount` smallest units of an instance, exactly."""
    return amount * scale


def paid_out(amount: int, scale: Fraction) -> int:
    """Smallest units of an instance that `amount` canonical units buy: rounded down, against who receives them."""
    return floor(amount / scale)


def owed(amount: int, scale: Fraction) -> int:
    """Smallest units of an instance that cover a debt of `amount` canonical units: rounded up."""
    return -floor(-amount / scale)
