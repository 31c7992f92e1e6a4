"""A Crossmargin account as Derive would hold it: its perpetuals and options by underlying, its balances, its cash.

Contracts of other venues on the same coin are read as Derive's: linear and settled in cash, sized in coins. An inverse
option pays what a linear one pays at expiry; an inverse perpetual is read at its size in coins now.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from crossmargin.core.instant import SECOND_NS
from crossmargin.instruments.table import Family, InstrumentTable, PayoutCode
from crossmargin.margin.rulebooks.derive.native import (
    SETTLEMENT_WINDOW_S,
    YEAR_S,
    ExpiryFeed,
    Feeds,
    Option,
    settlement_forward,
)
from crossmargin.margin.rulebooks.holdings import PERPETUALS, Contract, by_coin, read_holdings, split_listed
from crossmargin.margin.rulebooks.units import implied_vols
from crossmargin.market.snapshot import USD, Snapshot
from crossmargin.portfolio.book import Book


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What an account has on one underlying."""

    feeds: Feeds
    perp: float
    perp_pnl: float
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`markets` by underlying, `cash` in units of the stablecoin, `balances` of all else (amount and USD price)."""

    markets: Mapping[str, Held]
    cash: float
    stable_price: float
    balances: Mapping[str, tuple[float, float]]
    notes: tuple[str, ...]
    approximate: bool
    refused: tuple[str, ...]


def read_account(
    book: Book,
    snapshot: Snapshot,
    *,
    perps: Collection[str],
    options: Collection[str],
    cash: str,
    where: str,
) -> Reading:
    """The account of a book of one, as a manager sees it that lists perpetuals and options on these underlyings.

    A debt in any asset counts as a debt in cash at its price. Raises what `read_holdings` raises, and `MissingFactors`
    for an option without a volatility.
    """
    held = read_holdings(book, snapshot, families=PERPETUALS, where=where)
    listed, refused = split_listed(held, perps)
    # Without their orders, which the venue does not see: they would weigh in the mean of the marks.
    contracts = by_coin(replace(c, buys=0.0, sells=0.0) for c in listed if c.coins != 0.0 or c.pnl != 0.0)
    rows = _option_rows(book, options)
    read = {book.table.ids[row] for row in rows}
    stable = snapshot.asset_price(cash) if cash in snapshot.assets else 1.0
    owned = {a: x for a, x in held.balances.items() if x >= 0.0 and a not in (cash, USD)}
    money = math.fsum(
        x if a == cash else x * held.prices[a] / stable for a, x in held.balances.items() if a not in owned
    )
    coins = sorted({*contracts, *(_coin(book, row) for row in rows)})
    notes, approximate = _notes(book, snapshot, contracts, rows, cash)
    return Reading(
        markets={coin: _held(coin, book, snapshot, contracts, rows, stable) for coin in coins},
        cash=money,
        stable_price=stable,
        balances={a: (x, held.prices[a]) for a, x in owned.items() if x > 0.0},
        notes=(*held.notes, *notes),
        approximate=approximate,
        # The venue's own simulation of margin does not see open orders.
        refused=tuple(name for name in refused if name not in read and not name.startswith("order ")),
    )


def _coin(book: Book, row: int) -> str:
    return str(book.table.underlyings[book.table.underlying[row]])


def _option_rows(book: Book, options: Collection[str]) -> dict[int, float]:
    """The number of coins of each listed option, by its row of the table."""
    amounts, listed = dict[int, float](), _is_listed(book.table)
    for row, quantity in zip(book.positions.instrument.tolist(), book.positions.quantity.tolist(), strict=True):
        if listed[row] and _coin(book, row) in options:
            amounts[row] = amounts.get(row, 0.0) + quantity * float(book.table.multiplier[row])
    return amounts


def _is_listed(table: InstrumentTable) -> list[bool]:
    """By instrument: European options whose premium is paid up front; no quantos."""
    european = (table.family == Family.OPTION) & ~table.american & table.upfront
    return list((european & (table.payout != PayoutCode.QUANTO)).tolist())


def _held(
    coin: str,
    book: Book,
    snapshot: Snapshot,
    contracts: Mapping[str, Contract],
    rows: Mapping[int, float],
    stable: float,
) -> Held:
    perp = contracts.get(coin)
    own = {row: amount for row, amount in rows.items() if _coin(book, row) == coin}
    return Held(
        feeds=Feeds(
            spot=snapshot.usd_price(coin),
            perp_price=perp.mark if perp else None,
            stable_price=stable,
            expiries=_expiry_feeds(coin, book, snapshot, own),
        ),
        perp=perp.coins if perp else 0.0,
        perp_pnl=perp.pnl if perp else 0.0,
        options=_options(book, snapshot, own, coin),
    )


def _seconds(book: Book, snapshot: Snapshot, row: int) -> int:
    return (int(book.table.expiry_ns[row]) - snapshot.time_ns) // SECOND_NS


def _expiry_feeds(coin: str, book: Book, snapshot: Snapshot, rows: Mapping[int, float]) -> tuple[ExpiryFeed, ...]:
    u = snapshot.underlyings[coin]
    quote_usd, rates = snapshot.asset_price(u.quote), snapshot.rates.get(USD)
    feeds = {}
    for row in {int(book.table.expiry_ns[row]): row for row in rows}.values():  # one of each expiry
        seconds = _seconds(book, snapshot, row)
        forward = float(u.curve(book.table.expiry_ns[row])) * quote_usd
        variable, fixed = settlement_forward(forward, seconds_to_expiry=seconds, spot_average=u.spot * quote_usd)
        rate = float(rates.rate_at(seconds / YEAR_S)) if rates is not None else 0.0
        feeds[seconds] = ExpiryFeed(
            seconds_to_expiry=seconds, forward_variable=variable, forward_fixed=fixed, rate=rate
        )
    return tuple(feeds.values())


def _options(book: Book, snapshot: Snapshot, rows: Mapping[int, float], coin: str) -> tuple[Option, ...]:
    if not rows:
        return ()
    table, u, of = book.table, snapshot.underlyings[coin], np.asarray([*rows])
    vols = implied_vols(u, table.strike[of], table.expiry_ns[of]).tolist()
    scale = snapshot.asset_price(u.quote)
    return tuple(
        Option(
            seconds_to_expiry=_seconds(book, snapshot, row),
            strike=float(table.strike[row]) * scale,
            right="call" if table.right[row] > 0.0 else "put",
            amount=amount,
            vol=vol,
        )
        for (row, amount), vol in zip(rows.items(), vols, strict=True)
    )


def _notes(
    book: Book, snapshot: Snapshot, contracts: Mapping[str, Contract], rows: Mapping[int, float], cash: str
) -> tuple[list[str], bool]:
    """What a reader must know of how the account was read, and whether it makes the number approximate."""
    settling = [row for row in rows if _seconds(book, snapshot, row) < SETTLEMENT_WINDOW_S]
    said = {
        "an inverse contract is read as the linear one of the same coins": any(c.inverse for c in contracts.values())
        or any(book.table.payout[row] == PayoutCode.INVERSE for row in rows),
        "the market states no USD rate: taken as zero": bool(rows) and USD not in snapshot.rates,
        f"the market states no price of {cash}: taken as 1 USD": cash not in snapshot.assets,
        "the settlement average so far is taken as the spot": bool(settling),
    }
    notes = [note for note, holds in said.items() if holds]
    plain = ["feeds are taken as sure (confidence 1)"] + (["open orders are not counted"] if len(book.orders) else [])
    return [*notes, *plain], bool(notes)
