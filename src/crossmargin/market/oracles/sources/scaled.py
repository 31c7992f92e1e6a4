"""Integers with decimals as prices."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

_EXPONENT_MAX: Final = 255  # what a contract's uint8 can claim


def scaled(number: int, exponent: int) -> float:
    """number · 10^exponent, rounded once; NaN for an exponent that no contract can mean, which no gate lets through.

    >>> scaled(184136023127, -8)
    1841.36023127
    """
    if not -_EXPONENT_MAX <= exponent <= _EXPONENT_MAX or abs(number) >= 2**256:
        return math.nan
    exact = Fraction(number) * Fraction(10) ** exponent
    try:
        return float(exact)
    except OverflowError:
        return math.inf
