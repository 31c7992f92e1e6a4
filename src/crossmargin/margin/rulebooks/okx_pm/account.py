"""A Crossmargin account under OKX portfolio margin: one risk unit a coin, debts, equity after discounts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import msgspec

from crossmargin.instruments.table import Family
from crossmargin.margin.rulebooks.answers import summed, weakest
from crossmargin.margin.rulebooks.holdings import Holdings
from crossmargin.margin.rulebooks.okx_cross.accounts import discounted
from crossmargin.margin.rulebooks.okx_pm.parameters import LoanRates, Parameters, RiskClass
from crossmargin.margin.rulebooks.okx_pm.stress import (
    AccountMargin,
    Portfolio,
    UnitMargin,
    binding,
    margin_of,
)
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.margin.rulebooks.scan_answers import option_value, with_scenarios
from crossmargin.margin.rulebooks.scanning import LinearLeg, RiskUnit, quantities
from crossmargin.margin.rulebooks.spreads import Currency, QuotedUnit, quote_units, spot_hedge, unit_deltas_usd
from crossmargin.margin.rulebooks.units import ScanReading, read_units
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

_FAMILIES = (Family.PERPETUAL, Family.FUTURE, Family.OPTION)
_NAMES = {
    "MR1": "price and volatility (MR1)",
    "MR2": "time decay (MR2)",
    "MR3": "vega by expiry (MR3)",
    "MR4": "basis (MR4)",
    "MR5": "interest rate (MR5)",
    "MR6": "extreme move (MR6)",
    "MR7": "minimum charge (MR7)",
    "MR9": "stablecoin hedge (MR9)",
}


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book; initial margin counts orders at their worst fill, scenario by scenario.

    Equity: balances after discounts, debts and unsettled P&L in full, and the value of options.
    """
    reading = read_units(book, snapshot, coins=parameters.coins, families=_FAMILIES, where=RULEBOOK.id)
    units = {coin: _with_spot(unit, reading.held, parameters) for coin, unit in reading.units.items()}
    quoted, odd = quote_units(units, book.table)
    portfolio = Portfolio(
        units=tuple(quoted.values()), debts=_debts(reading.held), stablecoins=_stablecoins(quoted, snapshot)
    )
    margins = margin_of(portfolio, parameters)
    equity, unlisted = _equity(reading, parameters)
    answer = summed(
        RULEBOOK.id,
        parameters.date,
        [*_terms(portfolio, margins, parameters)],
        equity,
        certainty=parameters.discount_certainty,
        notes=(*reading.notes, *odd),
        refused=(*reading.refused, *unlisted),
    )
    return with_scenarios(answer, {u.coin: (u, u.maintenance) for u in margins.units})


def _with_spot(unit: RiskUnit, held: Holdings, parameters: Parameters) -> RiskUnit:
    """The unit with what of the coin's balance stands against the delta of its contracts."""
    delta = float(quantities(unit) @ unit_deltas_usd(unit)) / unit.index
    used = spot_hedge(held.balances.get(unit.coin, 0.0), delta) if parameters.spot_in_use else 0.0
    if used == 0.0:
        return unit
    spot = LinearLeg(instrument=f"{unit.coin} spot in use", kind="spot", price=unit.index, quantity=used)
    return msgspec.structs.replace(unit, linear=(*unit.linear, spot))


def _debts(held: Holdings) -> dict[str, float]:
    return {name: -x * held.prices[name] for name, x in held.balances.items() if x < 0.0}


def _stablecoins(quoted: Mapping[str, QuotedUnit], snapshot: Snapshot) -> dict[Currency, float]:
    used = {currency for one in quoted.values() for currency in one.quotes.values()}
    return {currency: snapshot.asset_price(currency) for currency in used}


def _equity(reading: ScanReading, parameters: Parameters) -> tuple[float, tuple[str, ...]]:
    held = reading.held
    counted = {n: x for n, x in held.balances.items() if n in parameters.discounts or x < 0.0}
    worth = [discounted(x * held.prices[n], parameters.discounts.get(n, ())) for n, x in counted.items()]
    worth += [reading.pnl, *(option_value(unit) for unit in reading.units.values())]
    return math.fsum(worth), tuple(f"collateral {n}" for n in held.balances if n not in counted)


def _terms(portfolio: Portfolio, margins: AccountMargin, parameters: Parameters) -> Iterator[RuleTerm]:
    for quoted, one in zip(portfolio.units, margins.units, strict=True):
        yield from _unit_terms(quoted.unit, one, parameters)
    for name, (initial, maintenance) in margins.loans.items():
        rates: LoanRates = parameters.loans.get(name, parameters.other_loan)
        note = "" if rates.certainty == "exact" else "loan rates are a conservative reading"
        yield RuleTerm(
            name=f"loan {name} (MR8)",
            initial=initial,
            maintenance=maintenance,
            certainty=rates.certainty,
            note=note,
        )


def _unit_terms(unit: RiskUnit, margin: UnitMargin, parameters: Parameters) -> Iterator[RuleTerm]:
    now, then = binding(margin.terms), binding(margin.order_terms)
    for name in (n for n in _NAMES if now.get(n, 0.0) or then.get(n, 0.0)):
        certainty = _certainty(name, unit, margin, parameters.risk_of(unit.coin))
        ordered = any(leg.buys or leg.sells for leg in unit.legs)
        open_parts = ("orders at their worst fill: a reading",) if ordered else ()
        yield RuleTerm(
            name=f"{unit.coin} {_NAMES[name]}",
            initial=parameters.initial_factor * then.get(name, 0.0),
            maintenance=now.get(name, 0.0),
            certainty=weakest([certainty, "approximate"]) if ordered else certainty,
            note="; ".join((*(() if certainty == "exact" else (_OPEN[name],)), *open_parts)),
        )


_OPEN = {
    "MR1": "sizes of the volatility moves, and what coins count at: readings",
    "MR2": "a day's decay at unchanged prices and volatilities: a reading",
    "MR3": "each expiry's volatility moves against the account: a conservative reading",
    "MR4": "gross over expiries, or a floor that is carried over: a conservative reading",
    "MR5": "discounting of options gross over expiries: a conservative reading",
    "MR6": "volatilities unchanged, coins at the moved price: readings",
    "MR7": "delta notional of options, carried rates or carried tiers: a conservative reading",
    "MR9": "the factors by size and peg are a conservative reading beyond the first",
}


def _certainty(name: str, unit: RiskUnit, margin: UnitMargin, risk: RiskClass) -> Certainty:
    lone = not unit.options and all(leg.kind == "perpetual" for leg in unit.linear)
    first_tier = margin.terms["MR7"] <= risk.tiers[0].cap
    plain = not unit.options and not any(leg.inverse for leg in unit.linear)
    exact = {
        "MR1": plain,
        "MR4": lone and risk.certainty == "exact",
        "MR6": plain,
        "MR7": not unit.options and risk.certainty == "exact" and (first_tier or risk.tier_certainty == "exact"),
    }
    if exact.get(name, False):
        return "exact"
    return "approximate" if name in ("MR2", "MR6", "MR7") or (name == "MR1" and not unit.options) else "unknown"


RULEBOOK = Rulebook(
    id="okx-pm",
    name="OKX portfolio margin",
    family="scenario",
    products="perpetual, future, option, spot in use, loans",
    method="worst of a grid, of decay and of an extreme move, with charges beside it; a minimum charge; units summed",
    formulas="""\
MMR of a unit = max( max(MR1, MR2, MR6) + MR3 + MR4 + MR5 + MR9 , MR7 );  IMR = 1.3·MMR
MR1: 7 prices × 3 volatilities;  MR2: a day's decay;  MR3: expiries' volatilities apart;  MR6: half the extreme loss
MR4: Σ over expiries of |delta notional|·max(annual·years, floor);  MR5: Σ |option value|·years·shock
MR7: rate·|delta notional| through marginal tiers;  MR9: stablecoin hedges matched USDT-USD, USDT-USDC, USDC-USD
account: MMR = Σ units + loans (MR8);  IMR = Σ 1.3·units + loans;  equity after discount tiers""",
    sources=(
        "OKX help: Portfolio margin mode, cross-margin trading (risk unit merge), 2024-12-30",
        "OKX help: OKX will further adjust portfolio margin parameters, 2025-01-02",
        "OKX API documentation: position builder, response example of 2025-01-15",
    ),
    certainty="approximate",
    parameters=Parameters,
    folder="okx_pm",
    evaluate=evaluate,
    open_parts=(
        "MR1: the sizes of volatility moves are not public (`volatility`)",
        "MR2, MR3, MR5 have no public formula (`decay_days`, `vega_share`, `rate_shock`)",
        "inverse contracts: coins count at the moved price",
        "MR4 of several expiries: gross; its floor for coins outside the first two classes",
        "MR7: the tiers now in force are second-hand; those of other coins are of 2022",
        "MR9: the table of factors is public in part (`pegs`)",
        "loan rates beyond the first tier of USDT, discount tiers, spot in use, open orders",
    ),
)
