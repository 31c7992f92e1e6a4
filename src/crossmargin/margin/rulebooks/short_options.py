"""The rule by which most coin venues margin short options one by one, and a Crossmargin account as such options.

Per coin, in the currency of settlement, with index S, strike K, mark V and out-of-the-money amount O:

    MM = max(m·S, n·V) + V + f·S          IM = max(max(a·S − O, b·S) + P, MM)

P is the mark, or the higher of entry and mark. An inverse option counts in coins: S becomes 1, and O becomes O/S. Long
options ask for nothing but their premium, and their value is no collateral.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.instruments.table import Family, InstrumentTable, PayoutCode
from crossmargin.instruments.terms import Right
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import Holdings, cash_usd, read_holdings
from crossmargin.margin.rulebooks.rulebook import RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.valuation.pnl import values_usd

Premium: TypeAlias = Literal["mark", "higher_of_entry_and_mark"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class ShortOptionRates(_Part, frozen=True, kw_only=True):
    """a, b, m, n of calls and of puts, f; all of the index but n, which is of the mark.

    `order_fee` of the index, at most `order_fee_cap` of the price, is set aside with an order; where
    `premium_offsets_order`, a sell order asks for its margin less the premium that it would bring.
    """

    initial: float
    initial_floor: float
    maintenance: float
    mark_call: float = 0.0
    mark_put: float = 0.0
    liquidation_fee: float = 0.0
    premium: Premium = "mark"
    order_fee: float = 0.0
    order_fee_cap: float = 0.0
    premium_offsets_order: bool = False

    def __post_init__(self) -> None:
        """Check that all rates are numbers of sense."""
        names = [n for n in self.__struct_fields__ if isinstance(getattr(self, n), float)]
        for name in names:
            check.within(getattr(self, name), name, 0.0, 10.0, where="short option rates")


class ListedOption(_Part, frozen=True, kw_only=True):
    """`quantity` coins of an option, long > 0; `buys` and `sells` coins on order, at `buy_price` and `sell_price`.

    `mark`, `entry` and prices are a coin, in coins for an `inverse` option, else in `settle`; `strike` and `index` in
    the quote currency.
    """

    instrument: str
    settle: str
    right: Right
    strike: float
    index: float
    mark: float
    quantity: float
    inverse: bool = False
    entry: float | None = None
    buys: float = 0.0
    sells: float = 0.0
    buy_price: float = 0.0
    sell_price: float = 0.0

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name in ("strike", "index"):
            check.positive(getattr(self, name), name, where=self.instrument)
        for name in ("mark", "buys", "sells", "buy_price", "sell_price"):
            check.within(getattr(self, name), name, 0.0, math.inf, where=self.instrument)
        check.finite(self.quantity, "quantity", where=self.instrument)
        if self.entry is not None:
            check.within(self.entry, "entry", 0.0, math.inf, where=self.instrument)


class OptionMargin(_Part, frozen=True, kw_only=True):
    """Of one option, in its settlement currency: the position's initial and maintenance margin, and its orders'."""

    instrument: str
    settle: str
    initial: float
    maintenance: float
    orders: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Columns of options, all [option]; `index` is 1 for inverse ones, and `out` a part of it."""

    call: BoolArray
    index: FloatArray
    out: FloatArray
    mark: FloatArray
    entry: FloatArray


def _rows(options: Sequence[ListedOption]) -> _Rows:
    sign = np.asarray([1.0 if o.right == "call" else -1.0 for o in options])
    strike, index = (np.asarray([getattr(o, name) for o in options]) for name in ("strike", "index"))
    inverse = np.asarray([o.inverse for o in options], bool)
    out = np.maximum(sign * (strike - index), 0.0)
    mark = np.asarray([o.mark for o in options], float)
    return _Rows(
        call=sign > 0.0,
        index=np.where(inverse, 1.0, index),
        out=np.where(inverse, out / index, out) if len(options) else out,
        mark=mark,
        entry=np.asarray([o.mark if o.entry is None else o.entry for o in options], float),
    )


def short_option_margin(options: Sequence[ListedOption], rates: ShortOptionRates) -> tuple[FloatArray, FloatArray]:
    """Initial and maintenance margin of one coin sold of each option [option], in its settlement currency."""
    rows = _rows(options)
    of_mark = np.where(rows.call, rates.mark_call, rates.mark_put) * rows.mark
    maintenance = np.maximum(rates.maintenance * rows.index, of_mark) + rows.mark + rates.liquidation_fee * rows.index
    premium = np.maximum(rows.entry, rows.mark) if rates.premium == "higher_of_entry_and_mark" else rows.mark
    initial = np.maximum(rates.initial * rows.index - rows.out, rates.initial_floor * rows.index) + premium
    return np.maximum(initial, maintenance), maintenance


def option_margins(options: Sequence[ListedOption], rates: ShortOptionRates) -> tuple[OptionMargin, ...]:
    """Margin of positions and orders, option by option; nothing nets between them.

    A sell order that closes a long asks for nothing, beyond it as much as the short it opens; a buy order, its premium.
    """
    initial, maintenance = short_option_margin(options, rates)
    size, long, buys, sells, bid, ask = (
        np.asarray(column, float)
        for column in (
            [max(-o.quantity, 0.0) for o in options],
            [max(o.quantity, 0.0) for o in options],
            [o.buys for o in options],
            [o.sells for o in options],
            [o.buy_price for o in options],
            [o.sell_price for o in options],
        )
    )
    index = _rows(options).index
    fee_bid, fee_ask = (np.minimum(rates.order_fee * index, rates.order_fee_cap * price) for price in (bid, ask))
    offset = ask if rates.premium_offsets_order else 0.0
    opened = np.maximum(sells - long, 0.0)
    orders = buys * (bid + fee_bid) + opened * np.maximum(initial + fee_ask - offset, 0.0)
    rows = zip(options, size * initial, size * maintenance, orders, strict=True)
    return tuple(
        OptionMargin(
            instrument=o.instrument, settle=o.settle, initial=float(im), maintenance=float(mm), orders=float(order)
        )
        for o, im, mm, order in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionHoldings:
    """Options of an account by coin, the USD price of what they settle in, and the names that were read."""

    options: dict[str, tuple[ListedOption, ...]]
    settle_usd: dict[str, float]
    names: frozenset[str]


def read_options(book: Book, snapshot: Snapshot, *, coins: Iterable[str], inverse: bool) -> OptionHoldings:
    """The European, premium-paid options of a book on `coins`; `inverse` ones only where the venue lists them.

    Positions and orders of several groups are added up. Raises `MissingFactors` where the market lacks a price.
    """
    return _read(book, snapshot, frozenset(coins), inverse)


@lru_cache(maxsize=8)  # for the rulebooks of a comparison, which ask in turn; all values are frozen
def _read(book: Book, snapshot: Snapshot, coins: frozenset[str], inverse: bool) -> OptionHoldings:
    table, listed = book.table, _listed_rows(book.table, coins, inverse=inverse)
    value = values_usd(table, snapshot)
    found: dict[str, dict[str, ListedOption]] = {}
    prices: dict[str, float] = {}
    held: dict[int, _Line] = {}
    for lines, is_order in ((book.positions, False), (book.orders, True)):
        columns = (lines.instrument.tolist(), lines.quantity.tolist(), lines.price.tolist())
        for row, quantity, price in zip(*columns, strict=True):
            if listed[row]:
                held.setdefault(row, _Line()).add(quantity, price, is_order=is_order)
    for row, line in sorted(held.items(), key=lambda item: table.ids[item[0]]):
        coin, settle = table.underlyings[table.underlying[row]], table.assets[table.settle[row]]
        prices[settle] = snapshot.asset_price(settle)
        option = _listed(book, snapshot, row, line, float(value[row]) / prices[settle])
        found.setdefault(coin, {})[option.instrument] = option
    names = frozenset(o.instrument for options in found.values() for o in options.values())
    return OptionHoldings(
        options={coin: tuple(options.values()) for coin, options in sorted(found.items())},
        settle_usd=prices,
        names=names,
    )


@dataclass(slots=True)
class _Line:
    quantity: float = 0.0
    sold: float = 0.0
    sold_cost: float = 0.0
    buys: float = 0.0
    sells: float = 0.0
    buy_cost: float = 0.0
    sell_cost: float = 0.0

    def add(self, quantity: float, price: float, *, is_order: bool) -> None:
        """Add a position, or an order; a price that is not given is that of the mark, filled in later."""
        if not is_order:
            self.quantity += quantity
            known = quantity < 0.0 and not math.isnan(price)
            self.sold += -quantity if known else 0.0
            self.sold_cost += -quantity * price if known else 0.0
        elif quantity > 0.0:
            self.buys += quantity
            self.buy_cost += quantity * price
        else:
            self.sells -= quantity
            self.sell_cost -= quantity * price


def _listed_rows(table: InstrumentTable, coins: frozenset[str], *, inverse: bool) -> list[bool]:
    """By instrument."""
    payouts = (PayoutCode.LINEAR, PayoutCode.INVERSE) if inverse else (PayoutCode.LINEAR,)
    coin = np.asarray([name in coins for name in table.underlyings] + [False])[table.underlying]
    listed = coin & (table.family == Family.OPTION) & np.isin(table.payout, payouts)
    return list((listed & table.upfront & ~table.american).tolist())


def _listed(book: Book, snapshot: Snapshot, row: int, line: _Line, value: float) -> ListedOption:
    table = book.table
    per, mark = float(table.multiplier[row]), value / float(table.multiplier[row])

    def mean(cost: float, size: float) -> float:
        return mark if size <= 0.0 or math.isnan(cost) else cost / size

    return ListedOption(
        instrument=table.ids[row],
        settle=table.assets[table.settle[row]],
        right="call" if table.right[row] > 0 else "put",
        strike=float(table.strike[row]),
        index=snapshot.underlyings[table.underlyings[table.underlying[row]]].spot,
        mark=mark,
        quantity=line.quantity * per,
        inverse=bool(table.payout[row] == PayoutCode.INVERSE),
        entry=line.sold_cost / line.sold if line.sold > 0.0 else None,
        buys=line.buys * per,
        sells=line.sells * per,
        buy_price=mean(line.buy_cost, line.buys),
        sell_price=mean(line.sell_cost, line.sells),
    )


def option_term(margins: Iterable[OptionMargin], settle_usd: dict[str, float], name: str) -> RuleTerm:
    """The options of one coin as a term, USD; venues state positions exactly, and orders less so."""
    rows = tuple(margins)
    orders = any(m.orders for m in rows)
    return RuleTerm(
        name=name,
        certainty="approximate" if orders else "exact",
        note="orders: what buys would pay, and initial margin of the shorts that sells would open" if orders else "",
        initial=math.fsum((m.initial + m.orders) * settle_usd[m.settle] for m in rows),
        maintenance=math.fsum(m.maintenance * settle_usd[m.settle] for m in rows),
    )


class OptionParameters(_Part, frozen=True, kw_only=True):
    """A venue's rates of short options by coin, and the part of each asset's value that counts as equity."""

    source: str
    date: str
    collateral: dict[str, float]
    coins: dict[str, ShortOptionRates]

    def __post_init__(self) -> None:
        """Check that the parts are parts."""
        for asset, ratio in self.collateral.items():
            check.within(ratio, f"collateral ratio of {asset}", 0.0, 1.0, where="parameters")


class OptionPortfolio(_Part, frozen=True, kw_only=True):
    """Options by coin."""

    options: dict[str, tuple[ListedOption, ...]]


class OptionBookMargin(_Part, frozen=True, kw_only=True):
    """Margin of every option by coin, and the sums in the venue's currency (orders in `initial`)."""

    options: dict[str, tuple[OptionMargin, ...]]
    initial: float
    maintenance: float


def book_margin(portfolio: OptionPortfolio, parameters: OptionParameters, *, where: str) -> OptionBookMargin:
    """The margin of all options of a venue; raises `UnknownName` for a coin without rates."""
    for coin in portfolio.options:
        check.known(coin, parameters.coins, "coin", where=where)
    found = {coin: option_margins(rows, parameters.coins[coin]) for coin, rows in portfolio.options.items()}
    every = [m for rows in found.values() for m in rows]
    return OptionBookMargin(
        options=found,
        initial=math.fsum(m.initial + m.orders for m in every),
        maintenance=math.fsum(m.maintenance for m in every),
    )


def linear_answer(book: Book, snapshot: Snapshot, parameters: OptionParameters, *, rulebook: str) -> RuleResult:
    """The answer of a venue that lists linear options alone, for a book of one account.

    An inverse option is read as a linear one of its size in coins; whatever else the account holds is refused by name.
    Option values are not in the equity. Raises `InvalidInput` for more than one account, `MissingFactors` where the
    market lacks a price.
    """
    held = read_holdings(book, snapshot, families=(), where=rulebook)
    options = read_options(book, snapshot, coins=parameters.coins, inverse=True)
    linear = {coin: tuple(as_linear(o, snapshot, coin) for o in rows) for coin, rows in options.options.items()}
    usd = {o.settle: snapshot.asset_price(o.settle) for rows in linear.values() for o in rows}
    found = book_margin(OptionPortfolio(options=linear), parameters, where=rulebook)
    equity, left_out = _collateral_usd(held, parameters.collateral)
    inverse = any(o.inverse for rows in options.options.values() for o in rows)
    return summed(
        rulebook,
        parameters.date,
        [option_term(rows, usd, f"options {coin}") for coin, rows in found.options.items()],
        equity,
        notes=(*held.notes, *(("inverse options are read as linear ones",) if inverse else ())),
        refused=(*(r for r in held.refused if r.removeprefix("order ") not in options.names), *left_out),
    )


def as_linear(option: ListedOption, snapshot: Snapshot, coin: str) -> ListedOption:
    """An inverse option with its prices in the quote currency of `coin`; a linear one as it is."""
    if not option.inverse:
        return option
    prices = {
        name: value * option.index
        for name in ("mark", "entry", "buy_price", "sell_price")
        if (value := getattr(option, name)) is not None
    }
    return msgspec.structs.replace(option, inverse=False, settle=snapshot.underlyings[coin].quote, **prices)


def _collateral_usd(held: Holdings, ratios: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
    """USD of the balances, assets at their ratio and debts in full, and the names of what is left out."""
    _, left_out = cash_usd(held, ratios)
    parts = (x * held.prices[a] * (ratios.get(a, 0.0) if x > 0.0 else 1.0) for a, x in held.balances.items())
    return math.fsum(parts), left_out
