"""A Crossmargin account as a margin account of shares and listed options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS
from crossmargin.instruments.table import Family, PayoutCode
from crossmargin.margin.rulebooks.cboe.portfolio import CENT, Kind, OptionLeg, Parameters, Portfolio, ShareLeg
from crossmargin.market.snapshot import USD, Snapshot, Underlying
from crossmargin.portfolio.book import Book
from crossmargin.valuation.pnl import values_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginAccount:
    """`portfolios` by underlying; `equity_usd`: cash, long shares and long options, nothing deducted for shorts."""

    portfolios: Mapping[str, Portfolio]
    equity_usd: float
    refused: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Reading:
    book: Book
    snapshot: Snapshot
    multiplier: int
    options: dict[str, list[OptionLeg]] = field(default_factory=dict)
    shares: dict[str, list[ShareLeg]] = field(default_factory=dict)
    equity: float = 0.0
    refused: list[str] = field(default_factory=list)


def read_account(book: Book, snapshot: Snapshot, parameters: Parameters) -> MarginAccount:
    """Options on equity underlyings that are paid up front in USD, whole contracts; shares; cash in USD.

    Everything else is refused by name. A debt in another asset still counts, since leaving it out would raise equity.
    """
    if len(book.accounts) != 1:
        limit, remedy = "one: a rulebook margins an account", "Pass the accounts one at a time."
        where = "cboe-strategy"
        raise InvalidInput("number of accounts", where=where, value=len(book.accounts), limit=limit, remedy=remedy)
    reading = _Reading(book, snapshot, parameters.multiplier)
    value = values_usd(book.table, snapshot)
    held = book.positions
    for row, quantity, entry in zip(held.instrument.tolist(), held.quantity, held.price, strict=True):
        _read_position(reading, row, float(quantity), float(entry), float(value[row]))
    for row, quantity in zip(book.holdings.instrument.tolist(), book.holdings.quantity, strict=True):
        _read_holding(reading, book.table.assets[book.table.settle[row]], float(quantity))
    reading.refused += [f"order {book.table.ids[row]}" for row in book.orders.instrument.tolist()]
    names = dict.fromkeys([*reading.options, *reading.shares])
    marked = ("option prices are those of the surface, to the cent",) if reading.options else ()
    return MarginAccount(
        portfolios={name: _portfolio(reading, name) for name in sorted(names)},
        equity_usd=reading.equity,
        refused=tuple(dict.fromkeys(reading.refused)),
        notes=marked,
    )


def _is_equity(u: Underlying) -> bool:
    return u.risk_class.startswith("equity") and u.quote == USD


def _kind(u: Underlying) -> Kind:
    return "broad_index" if u.kind == "index" else "equity"


def _cents(price: float) -> Decimal:
    return Decimal(repr(price)).quantize(CENT)


def _portfolio(reading: _Reading, name: str) -> Portfolio:
    u = reading.snapshot.underlyings[name]
    return Portfolio(
        underlying=_cents(u.spot),
        options=tuple(reading.options.get(name, ())),
        shares=tuple(reading.shares.get(name, ())),
        kind=_kind(u),
    )


def _read_position(reading: _Reading, row: int, quantity: float, entry: float, value: float) -> None:
    table = reading.book.table
    if table.family[row] == Family.SPOT:
        _read_holding(reading, table.assets[table.settle[row]], quantity, entry)
        return
    name = table.underlyings[table.underlying[row]] if table.underlying[row] >= 0 else ""
    u = reading.snapshot.underlyings.get(name)
    listed = table.family[row] == Family.OPTION and u is not None and _is_equity(u)
    listed &= table.payout[row] == PayoutCode.LINEAR and bool(table.upfront[row]) and not table.on_future[row]
    listed &= table.assets[table.settle[row]] == USD and table.multiplier[row] == reading.multiplier
    if not listed or quantity != math.floor(quantity):
        reading.refused.append(table.ids[row])
        return
    leg = OptionLeg(
        right="call" if table.right[row] > 0 else "put",
        strike=Decimal(repr(float(table.strike[row]))),
        price=_cents(value / reading.multiplier),
        quantity=int(quantity),
        days=int((table.expiry_ns[row] - reading.snapshot.time_ns) // DAY_NS),
    )
    reading.options.setdefault(name, []).append(leg)
    reading.equity += max(leg.quantity, 0) * float(leg.price) * reading.multiplier


def _read_holding(reading: _Reading, asset: str, amount: float, entry: float = math.nan) -> None:
    """USD is cash; one unit of an equity underlying is a share. Shares are lent on at their price where none is given.

    What is sold short is no cash of the account until the sale, and no deduction after it: it is in the requirement.
    """
    found = reading.snapshot.assets.get(asset)
    u = reading.snapshot.underlyings.get(found.reference) if found else None
    if asset == USD:
        reading.equity += amount
    elif u is not None and _is_equity(u) and found is not None and found.ratio == 1.0 and amount == math.floor(amount):
        price = u.spot if math.isnan(entry) else entry
        reading.shares.setdefault(u.name, []).append(ShareLeg(price=_cents(price), quantity=int(amount)))
        reading.equity += max(amount, 0.0) * u.spot
    elif amount < 0.0:
        reading.equity += amount * reading.snapshot.asset_price(asset)
    elif amount > 0.0:
        reading.refused.append(f"collateral {asset}")
