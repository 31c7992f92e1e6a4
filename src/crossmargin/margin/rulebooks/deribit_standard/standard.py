"""Deribit standard margin of options and futures, segregated by settlement currency.

Requirements are positive, in the settlement currency. The value of options is not in the equity that they are compared
with: a short option's mark is in its requirement, a long option is worth nothing as collateral.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import LINEAR, Contract, Holdings, cash_usd, read_holdings, split_listed
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleTerm
from crossmargin.margin.rulebooks.short_options import (
    ListedOption,
    OptionHoldings,
    OptionMargin,
    ShortOptionRates,
    option_margins,
    option_term,
    read_options,
)
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class CoinRates(_Part, frozen=True, kw_only=True):
    """Rates of one coin: futures ask `future_initial` + `future_slope` a coin of the position."""

    future_initial: float
    future_slope: float
    option: ShortOptionRates

    def __post_init__(self) -> None:
        """Check that rates are parts."""
        check.within(self.future_initial, "future_initial", 0.0, 1.0, where="deribit-standard")
        check.within(self.future_slope, "future_slope", 0.0, 1.0, where="deribit-standard")


class Parameters(_Part, frozen=True, kw_only=True):
    """Rates by coin; `future_maintenance` says which reading of the open rule is used."""

    source: str
    date: str
    collateral: tuple[str, ...]
    coins: dict[str, CoinRates]
    future_maintenance: Literal["fraction", "base", "higher"]
    future_maintenance_fraction: float
    future_maintenance_base: float

    def __post_init__(self) -> None:
        """Check that rates are parts."""
        for name in ("future_maintenance_fraction", "future_maintenance_base"):
            check.within(getattr(self, name), name, 0.0, 1.0, where="deribit-standard")


class FuturePosition(_Part, frozen=True, kw_only=True):
    """`coins` of a future or perpetual, long > 0, with coins on order; `mark` in the quote currency."""

    instrument: str
    settle: str
    mark: float
    coins: float
    inverse: bool = True
    buys: float = 0.0
    sells: float = 0.0

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.positive(self.mark, "mark", where=self.instrument)
        check.finite(self.coins, "coins", where=self.instrument)
        for name in ("buys", "sells"):
            check.within(getattr(self, name), name, 0.0, math.inf, where=self.instrument)


class Portfolio(_Part, frozen=True, kw_only=True):
    """Positions by coin."""

    options: dict[str, tuple[ListedOption, ...]] = {}
    futures: dict[str, tuple[FuturePosition, ...]] = {}


class FutureMargin(_Part, frozen=True, kw_only=True):
    """Of one future, in its settlement currency, orders included in `initial`."""

    instrument: str
    settle: str
    initial: float
    maintenance: float


class StandardMargin(_Part, frozen=True, kw_only=True):
    """Every position's margin by coin, and the sums by settlement currency."""

    options: dict[str, tuple[OptionMargin, ...]]
    futures: dict[str, tuple[FutureMargin, ...]]
    initial: dict[str, float]
    maintenance: dict[str, float]


def margin_of(portfolio: Portfolio, parameters: Parameters) -> StandardMargin:
    """Standard margin of a portfolio; nothing nets between instruments.

    Short call: IM max(0.15 − O/S, 0.10) + V, MM 0.075 + V; short put: MM max(0.075, 0.075 V) + V, IM not below MM; in
    coins, or times S in USD. Futures: (2 % + slope·Q)·Q. Raises `UnknownName` for a coin without rates.
    Source: Deribit, support article on standard margin.
    """
    for coin in (*portfolio.options, *portfolio.futures):
        check.known(coin, parameters.coins, "coin", where="deribit-standard")
    options = {c: option_margins(rows, parameters.coins[c].option) for c, rows in portfolio.options.items()}
    futures = {
        coin: tuple(_future(row, parameters.coins[coin], parameters) for row in rows)
        for coin, rows in portfolio.futures.items()
    }
    found = [m for rows in options.values() for m in rows]
    traded = [m for rows in futures.values() for m in rows]
    return StandardMargin(
        options=options,
        futures=futures,
        initial=_by_currency(
            [(m.settle, m.initial + m.orders) for m in found], [(m.settle, m.initial) for m in traded]
        ),
        maintenance=_by_currency(
            [(m.settle, m.maintenance) for m in found], [(m.settle, m.maintenance) for m in traded]
        ),
    )


def _by_currency(*parts: list[tuple[str, float]]) -> dict[str, float]:
    rows = [row for part in parts for row in part]
    return {settle: math.fsum(x for s, x in rows if s == settle) for settle in sorted({s for s, _ in rows})}


def _future(position: FuturePosition, coin: CoinRates, parameters: Parameters) -> FutureMargin:
    worst = max(abs(position.coins + position.buys), abs(position.coins - position.sells))
    size = abs(position.coins)
    unit = 1.0 if position.inverse else position.mark
    return FutureMargin(
        instrument=position.instrument,
        settle=position.settle,
        initial=(coin.future_initial + coin.future_slope * worst) * worst * unit,
        maintenance=future_maintenance_rate(size, coin, parameters) * size * unit,
    )


def future_maintenance_rate(size: float, coin: CoinRates, parameters: Parameters) -> float:
    """Part of a position of `size` coins that is its maintenance margin, under the chosen reading."""
    fraction = parameters.future_maintenance_fraction * (coin.future_initial + coin.future_slope * size)
    base = parameters.future_maintenance_base + coin.future_slope * size
    return {"fraction": fraction, "base": base, "higher": float(np.maximum(fraction, base))}[
        parameters.future_maintenance
    ]


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """Standard margin of a book of one account, the segregated accounts of all currencies added up, USD.

    Raises `InvalidInput` for more than one account, `MissingFactors` where the market lacks a price.
    """
    held = read_holdings(book, snapshot, families=LINEAR, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.coins)
    options = read_options(book, snapshot, coins=parameters.coins, inverse=True)
    portfolio = Portfolio(options=options.options, futures=_futures(listed))
    found = margin_of(portfolio, parameters)
    cash, left_out = cash_usd(held, parameters.collateral)
    terms = [*_option_terms(found, options), *_future_terms(found, snapshot)]
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        cash + math.fsum(c.pnl for c in listed),
        notes=(*held.notes, *_shortfalls(found, held, listed, snapshot)),
        refused=(*(r for r in refused if r.removeprefix("order ") not in options.names), *left_out),
    )


def _futures(contracts: Iterable[Contract]) -> dict[str, tuple[FuturePosition, ...]]:
    found: dict[str, list[FuturePosition]] = {}
    for c in contracts:
        settle = c.coin if c.inverse else "USD"
        row = FuturePosition(
            instrument=c.instrument,
            settle=settle,
            mark=c.mark,
            coins=c.coins,
            inverse=c.inverse,
            buys=c.buys,
            sells=c.sells,
        )
        found.setdefault(c.coin, []).append(row)
    return {coin: tuple(rows) for coin, rows in found.items()}


def _option_terms(found: StandardMargin, held: OptionHoldings) -> Iterable[RuleTerm]:
    for coin, rows in found.options.items():
        yield option_term(rows, held.settle_usd, f"options {coin}")


def _future_terms(found: StandardMargin, snapshot: Snapshot) -> Iterable[RuleTerm]:
    for coin, rows in found.futures.items():
        usd = [1.0 if m.settle == "USD" else snapshot.usd_price(coin) for m in rows]
        yield RuleTerm(
            name=f"futures {coin}",
            initial=math.fsum(m.initial * x for m, x in zip(rows, usd, strict=True)),
            maintenance=math.fsum(m.maintenance * x for m, x in zip(rows, usd, strict=True)),
            certainty="approximate",
            note="two accounts of the maintenance rate are public; the higher is used",
        )


def _shortfalls(found: StandardMargin, held: Holdings, listed: Iterable[Contract], snapshot: Snapshot) -> Iterable[str]:
    """Coins whose own account is short, though the sum may not be."""
    for settle, initial in found.initial.items():
        gain = math.fsum(c.pnl for c in listed if c.inverse and c.coin == settle)
        own = held.balances.get(settle, 0.0) * snapshot.asset_price(settle) + gain
        if settle in snapshot.underlyings and initial > 0.0 and own < initial * snapshot.asset_price(settle):
            yield f"accounts are segregated: that of {settle} alone does not hold its own initial margin"


RULEBOOK = Rulebook(
    id="deribit-standard",
    name="Deribit standard margin",
    family="strategy",
    products="inverse and linear options, futures and perpetuals on BTC and ETH",
    method="a formula for each short option, brackets for futures, nothing netted",
    formulas=(
        "short call: IM max(0.15 - OTM/S, 0.10) + mark, MM 0.075 + mark (coins; linear: times S)\n"
        "short put: MM max(0.075, 0.075 mark) + mark, IM max(max(0.15 - OTM/S, 0.10) + mark, MM)\n"
        "future: IM (2 % + slope Q) Q; MM the higher of 2/3 IM and (1 % + slope Q) Q"
    ),
    sources=("Deribit, support article on standard margin", "Deribit, contract specifications"),
    certainty="approximate",
    parameters=Parameters,
    folder="deribit_standard",
    evaluate=evaluate,
    open_parts=(
        "maintenance rate of futures: the higher of two public accounts is used",
        "constants of coins other than BTC and ETH",
        "margin of working option orders: premium of buys, initial margin of the shorts that sells would open",
    ),
    venues=("DERIBIT",),
)
