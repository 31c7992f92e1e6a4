"""A book as it crosses a border (TOML, JSON, API): frozen, typed, unknown fields refused."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from crossmargin.core.finality import DEFAULT_LEVEL, DEFAULT_TRUST, LevelName, TrustName
from crossmargin.instruments.symbols import Product
from crossmargin.instruments.terms import AnyTerms, Instant

ModeName: TypeAlias = Literal["isolated", "cross", "portfolio"]
Number: TypeAlias = str | int | float


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts of a book."""


class Position(_Part, frozen=True, kw_only=True):
    """A signed quantity of an instrument; long > 0.

    `entry_price` gives the unsettled P&L since entry. Without it the position is taken as settled at its mark.
    """

    instrument: str
    quantity: Number
    entry_price: float | None = None


class Order(_Part, frozen=True, kw_only=True):
    """A working order: a signed quantity and its limit `price` (at the mark when absent)."""

    instrument: str
    quantity: Number
    price: float | None = None


class Holding(_Part, frozen=True, kw_only=True):
    """Collateral: an amount of `asset`, on `chain` (CAIP-2) where it lives on one; negative when borrowed.

    With an `instance` (CAIP-19) the registry says which asset and chain it is, and what is stated must agree. `level`
    is how final the credit is, `trust` by what the balance is known; both are for instances alone.
    """

    amount: Number
    asset: str = ""
    chain: str = ""
    instance: str = ""
    level: LevelName = DEFAULT_LEVEL
    trust: TrustName = DEFAULT_TRUST


class Group(_Part, frozen=True, kw_only=True):
    """Positions margined together, by one mode.

    `collateral` of its own serves this group alone. An isolated group has nothing else; the others share the
    account's collateral when they have none of their own.
    """

    id: str
    mode: ModeName
    positions: tuple[Position, ...] = ()
    orders: tuple[Order, ...] = ()
    collateral: tuple[Holding, ...] = ()


class Account(_Part, frozen=True, kw_only=True):
    """A tree of margin groups over shared collateral.

    `pool` "multi": every asset secures everything. "single": each settlement asset is a pool of its own, secured by
    collateral in that asset only.
    """

    id: str
    groups: tuple[Group, ...] = ()
    collateral: tuple[Holding, ...] = ()
    pool: Literal["multi", "single"] = "multi"
    as_of: Instant | None = None


class BookDocument(_Part, frozen=True, kw_only=True):
    """A book: accounts, and the instruments and products that the catalogue does not know."""

    accounts: tuple[Account, ...]
    instruments: tuple[AnyTerms, ...] = ()
    products: tuple[Product, ...] = ()
    as_of: Instant | None = None
    name: str = ""
