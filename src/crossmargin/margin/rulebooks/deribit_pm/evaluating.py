"""Deribit's portfolio margin as rulebooks: what each asks of a Crossmargin account, and what may be doubted in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import numpy as np

from crossmargin.instruments.table import Family
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.deribit_pm.account import (
    CROSS,
    DOLLAR,
    AccountMargin,
    Portfolio,
    PortfolioMargin,
    UnitMargin,
    cross_margin_of,
    margin_of,
)
from crossmargin.margin.rulebooks.deribit_pm.parameters import Parameters
from crossmargin.margin.rulebooks.holdings import LINEAR
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleScenario, RuleTerm
from crossmargin.margin.rulebooks.scanning import RiskUnit, option_values, quantities
from crossmargin.margin.rulebooks.units import ScanReading, read_units
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """The account as the venue sees it: positions, equity in units by currency, what is left out by name."""

    units: tuple[RiskUnit, ...]
    equity: Mapping[str, float]
    notes: tuple[str, ...]
    refused: tuple[str, ...]

    def index(self, currency: str) -> float:
        """USD a unit."""
        return next((u.index for u in self.units if u.coin == currency), 1.0)

    @property
    def equity_usd(self) -> float:
        """Of all currencies."""
        return math.fsum(x * self.index(name) for name, x in self.equity.items())


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """Segregated portfolio margin of a book of one account, the accounts of all currencies added up, USD.

    Raises `InvalidInput` for more than one account, `MissingFactors` where the market lacks a price or a volatility.
    """
    account = _read(book, snapshot, parameters, SEGREGATED.id)
    found = margin_of(Portfolio(units=account.units), parameters)
    notes = (*account.notes, *_shortfalls(found, account))
    return _answer(SEGREGATED, parameters, found, account, account.equity_usd, notes)


def evaluate_cross(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """Cross-collateral portfolio margin of a book of one account, USD; equity counts less its haircuts.

    Raises what `evaluate` raises.
    """
    account = _read(book, snapshot, parameters, CROSS_COLLATERAL.id)
    found = cross_margin_of(Portfolio(units=account.units, equity=dict(account.equity)), parameters)
    rows = parameters.currencies
    cut = math.fsum(max(x, 0.0) * account.index(name) * rows[name].haircut for name, x in account.equity.items())
    return _answer(CROSS_COLLATERAL, parameters, found, account, account.equity_usd - cut, account.notes)


def _read(book: Book, snapshot: Snapshot, parameters: Parameters, where: str) -> _Account:
    reading = read_units(book, snapshot, coins=parameters.pairs, families=(*LINEAR, Family.OPTION), where=where)
    held = reading.held
    taken = {name: x for name, x in held.balances.items() if name in parameters.pairs or name in parameters.dollars}
    debts = {name: x for name, x in held.balances.items() if name not in taken and x < 0.0}
    left_out = tuple(f"collateral {name}" for name, x in held.balances.items() if name not in taken and x > 0.0)
    coins = sorted({*reading.units, *(name for name in taken if name in parameters.pairs)})
    units = {c: reading.units.get(c) or RiskUnit(coin=c, index=held.prices[c]) for c in coins}
    equity = {c: taken.get(c, 0.0) + _unsettled(u, reading, inverse=True) / u.index for c, u in units.items()}
    dollars = [x * held.prices[name] for name, x in (taken | debts).items() if name not in parameters.pairs]
    equity[DOLLAR] = math.fsum([*dollars, *(_unsettled(u, reading, inverse=False) for u in units.values())])
    return _Account(
        units=tuple(units.values()), equity=equity, notes=reading.notes, refused=(*reading.refused, *left_out)
    )


def _unsettled(unit: RiskUnit, reading: ScanReading, *, inverse: bool) -> float:
    """P&L of futures and the value of options that settle in the coin, or in dollars, USD."""
    gains = [c.pnl for c in reading.held.contracts if c.coin == unit.coin and c.inverse == inverse]
    of = np.asarray([o.inverse == inverse for o in unit.options], bool)
    return math.fsum([*gains, float((quantities(unit)[len(unit.linear) :] * option_values(unit))[of].sum())])


def _answer(
    rulebook: Rulebook,
    parameters: Parameters,
    found: PortfolioMargin,
    account: _Account,
    equity_usd: float,
    notes: Iterable[str],
) -> RuleResult:
    units = [(a, u) for a in found.accounts for u in a.units]
    worst = max(units, key=lambda row: row[1].worst_case, default=None)
    answer = summed(
        rulebook.id,
        parameters.date,
        [t for a in found.accounts for t in _terms(a, account)],
        equity_usd,
        certainty="approximate" if found.accounts else "exact",
        notes=(*notes, *_uncertain(account, parameters)),
        refused=account.refused,
    )
    return msgspec.structs.replace(
        answer,
        worst_scenario=f"{_named(*worst)}: {worst[1].worst}" if worst and worst[1].worst_case > 0.0 else "",
        scenarios=tuple(
            RuleScenario(label=f"{_named(a, u)}: {label}", pnl_usd=x)
            for a, u in units
            for label, x in zip(u.labels, u.counted, strict=True)
        ),
    )


def _named(account: AccountMargin, unit: UnitMargin) -> str:
    return f"{unit.coin} in USD" if account.name == DOLLAR else unit.coin


def _terms(account: AccountMargin, held: _Account) -> Iterator[RuleTerm]:
    """The parts of the risk matrix, `mm_factor` of each for maintenance, and orders; each says how it is read."""
    units = [u for u in held.units if account.name in (u.coin, DOLLAR, CROSS)]
    optional = any(u.options for u in units)
    perpetual = account.name != DOLLAR and all(leg.days is None for u in units for leg in u.legs)
    for name, amount, reading in (
        ("worst case", account.worst_case, "volatility floor and extended table" if optional else ""),
        ("roll shock", account.roll_shock, "" if perpetual else "form in time, parameters of what settles in dollars"),
        ("delta shock", account.delta_shock, "delta that long options do not cover"),
        ("correlation contingency", account.correlation_contingency, "netting between coins that is charged back"),
    ):
        if amount or not reading:
            yield _term(account.name, name, amount, account.mm_factor * amount, reading)
    if account.open_orders:
        yield _term(account.name, "open orders", account.open_orders, 0.0, "each filled where it hurts")


def _term(account: str, name: str, initial: float, maintenance: float, reading: str) -> RuleTerm:
    certainty: Certainty = "approximate" if reading else "exact"
    note = f"open part, read by a named parameter: {reading}" if reading else ""
    return RuleTerm(name=f"{account} {name}", initial=initial, maintenance=maintenance, certainty=certainty, note=note)


def _uncertain(account: _Account, parameters: Parameters) -> Iterator[str]:
    """Values in force that are not published for the day of the set."""
    for name in (*(u.coin for u in account.units), DOLLAR):
        pair = parameters.pairs.get(name)
        for source in {**(pair.uncertain if pair else {}), **parameters.currencies[name].uncertain}:
            yield f"parameters of {name}: some are {source}"


def _shortfalls(found: PortfolioMargin, account: _Account) -> Iterator[str]:
    """Currencies whose own account is short, though the sum may not be."""
    for own in found.accounts:
        if own.initial > account.equity.get(own.name, 0.0) * account.index(own.name):
            yield f"accounts are segregated: that of {own.name} alone does not hold its own initial margin"


_SOURCES: Final = (
    "Deribit, support article 25944756247837: portfolio margin",
    "Deribit, API reference: private/pme/simulate, public/pme/get_params",
    "an account of 2026-02-15 that its holder published: private/pme/simulate, private/get_account_summaries",
)
_OPEN: Final = (
    "volatility after a shock up: its floor is put on the shocked volatility (vol_floor)",
    "extended table: coins of options are counted at the edge of the range, as those of futures are (extended_coins)",
    "roll shock: the move to expiry is e^(a T) - 1 (roll_form); what settles in dollars: whose parameters (linear_row)",
    "delta shock: charged on the delta that long options do not cover (delta_shock)",
    "netting between coins: none, each coin moves by itself (correlation_contingency = 1)",
    "gains count offset x min(gain, max_offsetable_pnl), after the dampener (offset_cap)",
    "margin of working orders: the worst fill of each scenario (open_orders)",
    "options settle on an average of the last half hour, which is read as the price now",
    "parameters of coins other than BTC and ETH",
)
_FORMULAS: Final = """\
IM = risk matrix + spot + market maker protection + open orders; MM = mm_factor x risk matrix
risk matrix = worst case + roll shock + delta shock + correlation contingency
buckets: price range x k/4, k = -4..4, times volatility down, same, up; vol x (1 +- range (30/days)^power)
extended: -66 % .. +500 %, volatility up, factor x range/|move| of the P&L, less (|move|/range - 1) x dampener
counted: losses in full, gains x pnl_offset up to max_offsetable_pnl
roll shock: per expiry |delta| x max(move to expiry, minimum); perpetuals the minimum
delta shock: |net| x min(m_inc (|net| - threshold/index), max_delta_shock)"""

SEGREGATED: Final = Rulebook(
    id="deribit-pm",
    name="Deribit portfolio margin, segregated (S:PM)",
    family="scenario",
    products="inverse and linear options, futures and perpetuals on BTC and ETH",
    method="worst of 27 price and volatility buckets and 8 dampened far moves, an account for each settlement currency",
    formulas=f"{_FORMULAS}\ninverse contract: Q x/(1 + x) coins; each currency has an account of its own",
    sources=_SOURCES,
    certainty="approximate",
    parameters=Parameters,
    folder="deribit_pm",
    evaluate=evaluate,
    open_parts=_OPEN,
)

CROSS_COLLATERAL: Final = replace(
    SEGREGATED,
    id="deribit-pm-cross",
    name="Deribit portfolio margin, cross collateral (X:PM)",
    products="inverse and linear options, futures and perpetuals on BTC and ETH; BTC, ETH, USDC as collateral",
    method="worst of 27 price and volatility buckets and 8 dampened far moves; equity in coins moves with them",
    formulas=f"{_FORMULAS}\nUSD at the moved price; a coin's contracts and its equity net in full, coins do not",
    evaluate=evaluate_cross,
)

RULEBOOKS: Final = (SEGREGATED, CROSS_COLLATERAL)
