"""Listed options and shares on one underlying, and the numbers of the rule; all money is decimal, USD."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from crossmargin.core.errors import InvalidInput

Kind: TypeAlias = Literal["equity", "narrow_index", "broad_index"]
QUANTITY_MAX = 1_000_000  # the search counts contracts in floats; beyond this a position is a mistake of unit


def _require(value: Decimal, what: str, low: Decimal, high: Decimal, *, where: str) -> None:
    if not value.is_finite() or not low <= value <= high:
        limit = f"between {low} and {high}"
        raise InvalidInput(what, where=where, value=str(value), limit=limit, remedy="Correct the source.")


def _require_whole(value: int, what: str, *, where: str) -> None:
    if abs(value) > QUANTITY_MAX:
        limit = f"of size at most {QUANTITY_MAX}"
        raise InvalidInput(what, where=where, value=value, limit=limit, remedy="Count contracts and shares.")


PRICE_MAX = Decimal(10_000_000)
ZERO, ONE, CENT = Decimal(0), Decimal(1), Decimal("0.01")


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class OptionLeg(_Part, frozen=True, kw_only=True):
    """`quantity` contracts (long > 0) at `price` USD a share; `days` to expiry."""

    right: Literal["call", "put"]
    strike: Decimal
    price: Decimal
    quantity: int
    days: int = 0

    def __post_init__(self) -> None:
        """Check all numbers."""
        _require(self.strike, "strike", CENT, PRICE_MAX, where="option")
        _require(self.price, "price", ZERO, PRICE_MAX, where="option")
        _require_whole(self.quantity, "quantity", where="option")
        _require(Decimal(self.days), "days", ZERO, Decimal(100_000), where="option")

    def intrinsic(self, underlying: Decimal) -> Decimal:
        """What exercise pays a share."""
        gain = underlying - self.strike
        return max(gain if self.right == "call" else -gain, ZERO)


class ShareLeg(_Part, frozen=True, kw_only=True):
    """`quantity` shares (long > 0), bought or sold short at `price` USD."""

    price: Decimal
    quantity: int

    def __post_init__(self) -> None:
        """Check all numbers."""
        _require(self.price, "price", ZERO, PRICE_MAX, where="shares")
        _require_whole(self.quantity, "quantity", where="shares")


class Portfolio(_Part, frozen=True, kw_only=True):
    """Positions on one underlying at `underlying` USD a share; `leverage` of a leveraged fund, else 1."""

    underlying: Decimal
    options: tuple[OptionLeg, ...] = ()
    shares: tuple[ShareLeg, ...] = ()
    kind: Kind = "equity"
    leverage: Decimal = ONE

    def __post_init__(self) -> None:
        """Check all numbers."""
        _require(self.underlying, "price of the underlying", CENT, PRICE_MAX, where="portfolio")
        _require(self.leverage, "leverage", CENT, Decimal(100), where="portfolio")


class ShortOptionRates(_Part, frozen=True, kw_only=True):
    """Parts of the underlying by kind; `minimum` of the underlying (call) or the strike (put)."""

    equity: Decimal
    narrow_index: Decimal
    broad_index: Decimal
    minimum: Decimal

    def of(self, kind: Kind) -> Decimal:
        """The rate of a kind of underlying."""
        return {"equity": self.equity, "narrow_index": self.narrow_index, "broad_index": self.broad_index}[kind]


class ShareRates(_Part, frozen=True, kw_only=True):
    """Rates on shares without options, and the least that a short share costs."""

    initial: Decimal
    maintenance_long: Decimal
    maintenance_short: Decimal
    short_low_price: Decimal
    short_minimum: Decimal
    short_minimum_low: Decimal


class HedgedShareRates(_Part, frozen=True, kw_only=True):
    """Rates on strikes for the maintenance of shares with options beside them."""

    strike_rate: Decimal
    collar_call_rate: Decimal


class Parameters(_Part, frozen=True, kw_only=True):
    """The numbers of the rule, each a decimal; see the dated file for their sources."""

    source: str
    date: str
    multiplier: int
    long_term_days: int
    long_term_rate: Decimal
    minimum_equity: Decimal
    short_option: ShortOptionRates
    shares: ShareRates
    hedged_shares: HedgedShareRates

    def __post_init__(self) -> None:
        """Check that every rate is a part of one."""
        _require(Decimal(self.multiplier), "multiplier", ONE, Decimal(1_000_000), where="cboe parameters")
        rates = {"long_term_rate": self.long_term_rate}
        rates |= {
            f"short_option.{name}": getattr(self.short_option, name) for name in ShortOptionRates.__struct_fields__
        }
        rates |= {f"shares.{n}": getattr(self.shares, n) for n in ShareRates.__struct_fields__[:3]}
        rates |= {f"hedged_shares.{n}": getattr(self.hedged_shares, n) for n in HedgedShareRates.__struct_fields__}
        for name, value in rates.items():
            _require(value, name, ZERO, ONE, where="cboe parameters")
