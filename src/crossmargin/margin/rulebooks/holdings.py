"""What a venue sees of an account: linear contracts by coin, balances by asset, and what it cannot take.

A venue lists one market a coin. Contracts of other venues on the same coin are read as that market, by their size in
coins; all groups of the account are read as one cross account.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.table import Family, PayoutCode
from crossmargin.market.snapshot import USD, Snapshot
from crossmargin.portfolio.book import Book, Mode
from crossmargin.valuation.marks import Marks, marks

PERPETUALS = (Family.PERPETUAL,)
LINEAR = (Family.PERPETUAL, Family.FUTURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The net of one linear contract: signed `coins`, the coins that orders would buy and sell (not negative).

    `mark`, `oracle` and `entry` are USD a coin (`entry` is the mark where none is stated); `pnl` is unsettled, USD.
    """

    instrument: str
    coin: str
    inverse: bool
    dated: bool
    coins: float
    mark: float
    oracle: float
    entry: float
    pnl: float
    buys: float = 0.0
    sells: float = 0.0
    orders: int = 0

    @property
    def notional(self) -> float:
        """Size at the mark, USD, not negative."""
        return abs(self.coins) * self.mark

    @property
    def worst_coins(self) -> float:
        """The larger size of the two that all buys, or all sells, filled would leave."""
        return max(abs(self.coins + self.buys), abs(self.coins - self.sells))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """`contracts` in the order of their ids, `balances` in units by asset, `prices` USD a unit, `refused` by name."""

    account: str
    contracts: tuple[Contract, ...]
    balances: Mapping[str, float]
    prices: Mapping[str, float]
    refused: tuple[str, ...]
    isolated: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of how the account was read."""
        return ("isolated groups are read as cross",) if self.isolated else ()

    @property
    def pnl(self) -> float:
        """Unsettled P&L of all contracts, USD."""
        return math.fsum(c.pnl for c in self.contracts)


@dataclass(slots=True)
class _Line:
    quantity: float = 0.0
    gain: float = 0.0
    size: float = 0.0
    cost: float = 0.0
    buys: float = 0.0
    sells: float = 0.0
    orders: int = 0


@dataclass(slots=True)
class _Reading:
    """Lines in the making, by row of the table."""

    lines: dict[int, _Line] = field(default_factory=dict)
    balances: dict[str, float] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def read_holdings(book: Book, snapshot: Snapshot, *, families: Collection[Family], where: str) -> Holdings:
    """The account of a book of one, as a venue that lists `families` sees it.

    Spot, held as position or as collateral, is a balance. Raises `InvalidInput` for a book of more or fewer accounts,
    `MissingFactors` where the market lacks a price.
    """
    if len(book.accounts) != 1:
        raise InvalidInput(
            "number of accounts",
            where=where,
            value=len(book.accounts),
            limit="one: a rulebook margins an account",
            remedy="Pass the accounts one at a time.",
        )
    return _read(book, snapshot, tuple(families))


# Most rulebooks see an account alike, and a comparison asks them in turn. All values are frozen: one reading serves.
@lru_cache(maxsize=8)
def _read(book: Book, snapshot: Snapshot, families: tuple[Family, ...]) -> Holdings:
    price = marks(book.table, snapshot)
    readable = _readable(book, price, families)
    reading = _Reading()
    _read_positions(reading, book, price, readable)
    _read_orders(reading, book, readable)
    for row, amount in zip(book.holdings.instrument, book.holdings.quantity, strict=True):
        _hold(reading, book.table.assets[book.table.settle[row]], float(amount))
    found = sorted(reading.lines.items(), key=lambda item: book.table.ids[item[0]])
    return Holdings(
        account=book.accounts[0],
        contracts=tuple(_contract(row, line, book, snapshot, price) for row, line in found),
        balances=dict(sorted(reading.balances.items())),
        prices={name: snapshot.asset_price(name) for name in {*reading.balances, USD}},
        refused=tuple(dict.fromkeys(reading.refused)),
        isolated=bool((book.group_mode == Mode.ISOLATED).any()),
    )


def _hold(reading: _Reading, asset: str, amount: float) -> None:
    reading.balances[asset] = reading.balances.get(asset, 0.0) + amount


def _readable(book: Book, price: Marks, families: tuple[Family, ...]) -> list[bool]:
    """By instrument; no venue here lists quantos, nor prices that may be negative."""
    listed = np.isin(book.table.family, families) & (book.table.payout != PayoutCode.QUANTO)
    return list((listed & (price.price > 0.0)).tolist())


def _read_positions(reading: _Reading, book: Book, price: Marks, readable: list[bool]) -> None:
    held, spot = book.positions, (book.table.family == Family.SPOT).tolist()
    lines = zip(held.instrument.tolist(), held.quantity.tolist(), held.price.tolist(), strict=True)
    for row, quantity, stated in lines:
        if spot[row]:
            _hold(reading, book.table.assets[book.table.settle[row]], quantity)
        elif not readable[row]:
            reading.refused.append(book.table.ids[row])
        else:
            line = reading.lines.setdefault(row, _Line())
            entry = float(price.price[row]) if math.isnan(stated) else stated
            line.quantity += quantity
            line.gain += _gain(book, price.price, row, quantity, entry) * float(price.settle_usd[row])
            line.size += abs(quantity)
            line.cost += abs(quantity) * (1.0 / entry if book.table.payout[row] == PayoutCode.INVERSE else entry)


def _gain(book: Book, price: FloatArray, row: int, quantity: float, entry: float) -> float:
    """P&L since entry in the settlement asset."""
    scale = quantity * float(book.table.multiplier[row])
    if book.table.payout[row] == PayoutCode.INVERSE:
        return scale * (1.0 / entry - 1.0 / float(price[row]))
    return scale * (float(price[row]) - entry)


def _read_orders(reading: _Reading, book: Book, readable: list[bool]) -> None:
    for row, quantity in zip(book.orders.instrument.tolist(), book.orders.quantity.tolist(), strict=True):
        if not readable[row]:
            reading.refused.append(f"order {book.table.ids[row]}")
            continue
        line = reading.lines.setdefault(row, _Line())
        line.buys += max(quantity, 0.0)
        line.sells += max(-quantity, 0.0)
        line.orders += 1


def _contract(row: int, line: _Line, book: Book, snapshot: Snapshot, price: Marks) -> Contract:
    table = book.table
    coin = table.underlyings[table.underlying[row]]
    quote_usd = snapshot.asset_price(snapshot.underlyings[coin].quote)
    mark = float(price.price[row]) * quote_usd
    inverse = bool(table.payout[row] == PayoutCode.INVERSE)
    per = float(price.notional_usd[row]) / mark
    entry = _mean_entry(line, inverse=inverse) * quote_usd if line.size else mark
    return Contract(
        instrument=table.ids[row],
        coin=coin,
        inverse=inverse,
        dated=bool(table.family[row] == Family.FUTURE),
        coins=line.quantity * per,
        mark=mark,
        oracle=snapshot.usd_price(coin),
        entry=entry,
        pnl=line.gain,
        buys=line.buys * per,
        sells=line.sells * per,
        orders=line.orders,
    )


def _mean_entry(line: _Line, *, inverse: bool) -> float:
    """By size, whichever way each part was dealt: the mean of inverse contracts is harmonic."""
    return line.size / line.cost if inverse else line.cost / line.size


def by_coin(contracts: Iterable[Contract]) -> dict[str, Contract]:
    """One market a coin: contracts on the same coin netted, at the mean of their marks by size."""
    markets: dict[str, Contract] = {}
    for contract in contracts:
        other = markets.get(contract.coin)
        markets[contract.coin] = contract if other is None else _netted(other, contract)
    return dict(sorted(markets.items()))


def _netted(first: Contract, second: Contract) -> Contract:
    sizes = (abs(first.coins) + first.buys + first.sells, abs(second.coins) + second.buys + second.sells)
    share = sizes[0] / sum(sizes) if sum(sizes) > 0.0 else 0.5
    return Contract(
        instrument=f"{first.instrument}, {second.instrument}",
        coin=first.coin,
        inverse=first.inverse and second.inverse,
        dated=first.dated and second.dated,
        coins=first.coins + second.coins,
        mark=share * first.mark + (1.0 - share) * second.mark,
        oracle=first.oracle,
        entry=share * first.entry + (1.0 - share) * second.entry,
        pnl=first.pnl + second.pnl,
        buys=first.buys + second.buys,
        sells=first.sells + second.sells,
        orders=first.orders + second.orders,
    )


def split_listed(held: Holdings, coins: Collection[str]) -> tuple[tuple[Contract, ...], tuple[str, ...]]:
    """The contracts on listed coins, and the names of all that the venue does not take."""
    listed = tuple(c for c in held.contracts if c.coin in coins)
    return listed, (*held.refused, *(c.instrument for c in held.contracts if c.coin not in coins))


def cash_usd(held: Holdings, assets: Collection[str]) -> tuple[float, tuple[str, ...]]:
    """USD of the balances in `assets` at their price, debts in any asset with them, and the names of what is left out.

    A debt in an asset that the venue does not list still counts in full: leaving it out would raise equity.
    """
    used = {name: x for name, x in held.balances.items() if name in assets or x < 0.0}
    refused = tuple(f"collateral {name}" for name, x in held.balances.items() if name not in used and x > 0.0)
    return math.fsum(x * held.prices[name] for name, x in used.items()), refused
