"""Checks of scalars where they enter: each says what, where, the value, the limit and the remedy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable
from decimal import Decimal, InvalidOperation

from crossmargin.core.errors import DuplicateName, InvalidInput, UnknownName

# Above this a float64 quantity no longer holds eight decimals, and products with prices lose cents.
QUANTITY_LIMIT = 1e15


def finite(value: float, what: str, *, where: str) -> float:
    """`value`, if it is neither NaN nor infinite."""
    if not math.isfinite(value):
        raise InvalidInput(what, where=where, value=value, limit="a finite number", remedy="Correct the source.")
    return float(value)


def positive(value: float, what: str, *, where: str) -> float:
    """`value`, if it is finite and above zero."""
    if not finite(value, what, where=where) > 0.0:
        raise InvalidInput(what, where=where, value=value, limit="above zero", remedy="Correct the source.")
    return float(value)


def within(value: float, what: str, low: float, high: float, *, where: str) -> float:
    """`value`, if it is finite and in [low, high]."""
    if not low <= finite(value, what, where=where) <= high:
        raise InvalidInput(
            what, where=where, value=value, limit=f"between {low:g} and {high:g}", remedy="Correct the source."
        )
    return float(value)


def quantity(value: str | float, what: str, *, where: str) -> float:
    """A signed quantity from a number or decimal text; refuses NaN, infinity and overflow."""
    if isinstance(value, str):
        try:
            value = float(Decimal(value))
        except (InvalidOperation, ValueError, OverflowError):
            raise InvalidInput(
                what, where=where, value=value, limit="a decimal number", remedy='Write it like "12.5".'
            ) from None
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isnan(number) or abs(number) > QUANTITY_LIMIT:
        raise InvalidInput(
            what,
            where=where,
            value=value,
            limit=f"a number of size at most {QUANTITY_LIMIT:g}",
            remedy="Check its unit: quantities are in contracts or coins, not in the smallest unit.",
        )
    return number


def unique(names: Iterable[str], what: str, *, where: str) -> None:
    """Raise `DuplicateName` at the first name that stands twice."""
    seen: dict[str, int] = {}
    for position, name in enumerate(names):
        if name in seen:
            raise DuplicateName(what, where=f"{where}[{position}]", value=name, first=f"{where}[{seen[name]}]")
        seen[name] = position


def known(name: str, names: Iterable[str], what: str, *, where: str, remedy: str = "") -> str:
    """`name`, if it is one of `names`; else `UnknownName` with the nearest of them."""
    options = names if isinstance(names, Collection) else set(names)
    if name not in options:
        near = difflib.get_close_matches(name, list(options), n=5, cutoff=0.6) or sorted(options)[:8]
        raise UnknownName(what, where=where, value=name, known=near, remedy=remedy)
    return name
