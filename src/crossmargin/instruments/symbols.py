"""Canonical ids: Deribit-style symbol, a dot, the venue (`BTC-27MAR26-100000-C.DERIBIT`).

A symbol says which contract is meant, never what kind it is: payout, settlement and multiplier come from a
`Product`, a dated row of the catalogue or of the user's own file.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

import msgspec

from crossmargin.core.check import known
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS, format_expiry_code, parse_expiry_code, to_milliseconds
from crossmargin.instruments.terms import AnyTerms, Exercise, Future, Option, Payout, Perpetual, Premium

_SYMBOL = re.compile(
    r"(?P<prefix>[A-Z0-9_]+)-(?:(?P<perpetual>PERPETUAL)"
    r"|(?P<expiry>[1-9]\d?[A-Z]{3}\d{2})(?:-(?P<strike>\d{1,15}(?:d\d{1,15})?)-(?P<right>[CP]))?)",
    re.ASCII,
)


class Product(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every contract `prefix-….venue` of one family has in common.

    `inverse` products count options in coins (`multiplier` coins a contract) and futures in quote currency.
    """

    venue: str
    prefix: str
    family: Literal["perpetual", "future", "option"]
    underlying: str
    payout: Payout
    settle: str
    multiplier: float
    expiry_hour_utc: int = 8
    exercise: Exercise = "european"
    premium: Premium = "upfront"
    discounted: bool = False
    source: str = ""


class Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """A canonical id in its parts; `expiry_code` is empty for a perpetual, `right` for anything but an option."""

    venue: str
    prefix: str
    expiry_code: str = ""
    strike: float = 0.0
    right: Literal["", "C", "P"] = ""

    @property
    def family(self) -> Literal["perpetual", "future", "option"]:
        """The family that the form of the symbol implies."""
        return "option" if self.right else "future" if self.expiry_code else "perpetual"


def parse_symbol(text: str, *, where: str) -> Symbol:
    """The parts of `PREFIX-PERPETUAL.VENUE`, `PREFIX-27MAR26.VENUE` or `PREFIX-27MAR26-100000-C.VENUE`.

    Raises `InvalidInput` for what has none of these forms, and for a strike in a longer form than its shortest: two
    names of one contract would be two positions.
    """
    body, dot, venue = text.rpartition(".")
    match = _SYMBOL.fullmatch(body)
    if not dot or not venue or match is None:
        raise InvalidInput(
            "instrument",
            where=where,
            value=text,
            limit="an instrument defined in the book, or a symbol like BTC-27MAR26-100000-C.DERIBIT",
            remedy="Define it under [[instruments]], or correct the symbol.",
        )
    right: Literal["", "C", "P"] = "C" if match["right"] == "C" else "P" if match["right"] == "P" else ""
    symbol = Symbol(
        venue=venue,
        prefix=match["prefix"],
        expiry_code=match["expiry"] or "",
        strike=float((match["strike"] or "0").replace("d", ".")),
        right=right,
    )
    written = format_symbol(symbol)
    if written != text:
        remedy = "One contract has one name; use it."
        raise InvalidInput("instrument", where=where, value=text, limit=f"written {written}", remedy=remedy)
    return symbol


def format_symbol(symbol: Symbol) -> str:
    """The inverse of `parse_symbol`."""
    if not symbol.expiry_code:
        return f"{symbol.prefix}-PERPETUAL.{symbol.venue}"
    tail = f"-{format_strike(symbol.strike)}-{symbol.right}" if symbol.right else ""
    return f"{symbol.prefix}-{symbol.expiry_code}{tail}.{symbol.venue}"


def format_strike(strike: float) -> str:
    """Shortest decimal text, with `d` for the decimal point; never an exponent."""
    return (str(int(strike)) if strike == int(strike) else f"{Decimal(repr(strike)):f}").replace(".", "d")


def option_id(prefix: str, expiry_ns: int, strike: float, right: Literal["C", "P"], venue: str) -> str:
    """The canonical id of a listed option."""
    code = format_expiry_code(expiry_ns)
    return format_symbol(Symbol(venue=venue, prefix=prefix, expiry_code=code, strike=strike, right=right))


def resolve_symbol(text: str, products: dict[tuple[str, str, str], Product], *, where: str) -> AnyTerms:
    """The terms of a listed contract from its symbol and the `products` table, keyed (venue, prefix, family)."""
    symbol = parse_symbol(text, where=where)
    key = (symbol.venue, symbol.prefix, symbol.family)
    if key not in products:
        names = {f"{prefix}-….{venue} ({family})" for venue, prefix, family in products}
        known(
            f"{symbol.prefix}-….{symbol.venue} ({symbol.family})",
            names,
            f"product of {text}",
            where=where,
            remedy="Define the instrument under [[instruments]], or its product under [[products]].",
        )
    return _terms(text, symbol, products[key], where)


def _terms(text: str, symbol: Symbol, product: Product, where: str) -> AnyTerms:
    common = {
        "id": text,
        "underlying": product.underlying,
        "payout": product.payout,
        "settle": product.settle,
        "multiplier": product.multiplier,
    }
    if symbol.family == "perpetual":
        return msgspec.convert(common | {"family": "perpetual"}, Perpetual)
    expiry = to_milliseconds(parse_expiry_code(symbol.expiry_code, hour_utc=0, where=where))
    expiry += product.expiry_hour_utc * (DAY_NS // 24) // 1_000_000
    if symbol.family == "future":
        return msgspec.convert(common | {"family": "future", "expiry": expiry}, Future)
    option = {
        "family": "option",
        "expiry": expiry,
        "strike": symbol.strike,
        "right": "call" if symbol.right == "C" else "put",
        "exercise": product.exercise,
        "premium": product.premium,
        "discounted": product.discounted,
    }
    return msgspec.convert(common | option, Option)
