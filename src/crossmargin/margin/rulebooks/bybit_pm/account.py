"""A Crossmargin account under Bybit portfolio margin: what it holds by base coin, debts, collateral at value ratios."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from crossmargin.core import check
from crossmargin.instruments.table import Family
from crossmargin.margin.rulebooks.answers import summed, weakest
from crossmargin.margin.rulebooks.bybit_cross.accounts import valued_collateral
from crossmargin.margin.rulebooks.bybit_pm.stress import (
    CONTINGENCIES,
    AccountMargin,
    CoinRates,
    Loan,
    Portfolio,
    UnitMargin,
    margin_of,
)
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.margin.rulebooks.scan_answers import option_value, with_scenarios
from crossmargin.margin.rulebooks.scanning import LinearLeg, RiskUnit
from crossmargin.margin.rulebooks.spreads import quote_units
from crossmargin.margin.rulebooks.units import read_units
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

_FAMILIES = (Family.PERPETUAL, Family.FUTURE, Family.OPTION)


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dated set: rates by base coin, value ratios of collateral, rates of debts.

    `spot_hedging` is the account's choice: whether spot of a base coin enters its grid.
    """

    source: str
    date: str
    coins: Mapping[str, CoinRates]
    value_ratios: Mapping[str, float]
    spot_hedging: bool = False
    loan_initial_rate: float = 0.1
    loan_maintenance_rate: float = 0.05
    value_ratio_certainty: Certainty = "unknown"

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name, ratio in self.value_ratios.items():
            check.within(ratio, f"value ratio of {name}", 0.0, 1.0, where="bybit portfolio margin")
        check.within(self.loan_initial_rate, "loan_initial_rate", 0.0, 10.0, where="bybit portfolio margin")
        most = self.loan_initial_rate
        check.within(self.loan_maintenance_rate, "loan_maintenance_rate", 0.0, most, where="bybit portfolio margin")


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book; initial margin counts orders at their worst fill.

    Equity: balances at their value ratio, debts and unsettled P&L in full, and the value of options.
    """
    reading = read_units(book, snapshot, coins=parameters.coins, families=_FAMILIES, where=RULEBOOK.id)
    held = reading.held
    units = {coin: _with_spot(unit, held.balances, parameters) for coin, unit in reading.units.items()}
    quoted, odd = quote_units(units, book.table)
    debts = {name: -x * held.prices[name] for name, x in held.balances.items() if x < 0.0}
    portfolio = Portfolio(units=tuple(quoted.values()), loans=tuple(_loan(x, parameters) for x in debts.values()))
    margins = margin_of(portfolio, parameters.coins)
    worth, unlisted = valued_collateral(held, parameters.value_ratios)
    answer = summed(
        RULEBOOK.id,
        parameters.date,
        [*_terms(portfolio, margins, parameters), *_loan_terms(debts, parameters)],
        worth + reading.pnl + sum(option_value(unit) for unit in reading.units.values()),
        certainty=parameters.value_ratio_certainty,
        notes=(*reading.notes, *odd, f"spot hedging is {'on' if parameters.spot_hedging else 'off'}"),
        refused=(*reading.refused, *unlisted),
    )
    return with_scenarios(answer, {u.coin: (u, u.max_loss) for u in margins.units})


def _with_spot(unit: RiskUnit, balances: Mapping[str, float], parameters: Parameters) -> RiskUnit:
    amount = balances.get(unit.coin, 0.0)
    if not parameters.spot_hedging or amount == 0.0:
        return unit
    spot = LinearLeg(instrument=f"{unit.coin} spot", kind="spot", price=unit.index, quantity=amount)
    return msgspec.structs.replace(unit, linear=(*unit.linear, spot))


def _loan(value: float, parameters: Parameters) -> Loan:
    return Loan(
        value=value, initial_rate=parameters.loan_initial_rate, maintenance_rate=parameters.loan_maintenance_rate
    )


def _loan_terms(debts: Mapping[str, float], parameters: Parameters) -> Iterator[RuleTerm]:
    for name, value in debts.items():
        yield RuleTerm(
            name=f"loan {name}",
            initial=value * parameters.loan_initial_rate,
            maintenance=value * parameters.loan_maintenance_rate,
            certainty="unknown",
            note="rates as in cross mode, which are not in the reference: a conservative reading",
        )


def _terms(portfolio: Portfolio, margins: AccountMargin, parameters: Parameters) -> Iterator[RuleTerm]:
    for quoted, one in zip(portfolio.units, margins.units, strict=True):
        rates = parameters.coins[one.coin]
        certainties = _certainties(quoted.unit, rates)
        for name, (then, now) in _parts(one).items():
            certainty = certainties[name]
            if then or now:
                yield RuleTerm(
                    name=f"{one.coin} {name}",
                    initial=rates.initial_factor * then,
                    maintenance=now,
                    certainty=certainty,
                    note=_note(name, quoted.unit, rates) if certainty != "exact" else "",
                )


def _parts(margin: UnitMargin) -> dict[str, tuple[float, float]]:
    """Each part with orders and without."""
    beside = {str(n): (margin.order_contingencies[n], margin.contingencies[n]) for n in CONTINGENCIES}
    return {"scenarios": (margin.order_loss, margin.max_loss), **beside}


_OPEN = {
    "scenarios": "volatility moves fit one published example; coins count at the moved price",
    "net short options": "the factor is not public: a conservative reading",
    "vega": "what counts as hedged vega is a reading",
    "delta": "gross over expiries: a conservative reading",
    "USDT-USDC": "the factor is not public: a conservative reading",
}


def _ordered(unit: RiskUnit) -> bool:
    return any(leg.buys or leg.sells for leg in unit.legs)


def _is_reading(unit: RiskUnit) -> bool:
    """Whether its scenarios rest on volatility moves, or on what coins count at."""
    return bool(unit.options) or any(leg.inverse for leg in unit.linear)


def _note(name: str, unit: RiskUnit, rates: CoinRates) -> str:
    carried = ("ranges and factors carried over from BTC, wider",) if rates.factor_certainty != "exact" else ()
    fills = ("orders at their worst fill: a reading",) if _ordered(unit) else ()
    why = (_OPEN[name],) if name in _OPEN and (name != "scenarios" or _is_reading(unit)) else ()
    return "; ".join((*why, *carried, *fills))


def _certainties(unit: RiskUnit, rates: CoinRates) -> dict[str, Certainty]:
    """Of each part; its initial margin also rests on the coin's factor, and on how orders are counted."""
    grid: Certainty = weakest([rates.grid_certainty, "approximate" if _is_reading(unit) else "exact"])
    parts: dict[str, Certainty] = {
        "scenarios": grid,
        "net short options": "unknown",
        "vega": "unknown",
        "delta": "unknown",
        "perpetuals and futures": rates.contract_certainty,
        "USDT-USDC": "unknown",
    }
    orders: Certainty = "approximate" if _ordered(unit) else "exact"
    return {name: weakest([part, rates.factor_certainty, orders]) for name, part in parts.items()}


RULEBOOK = Rulebook(
    id="bybit-pm",
    name="Bybit unified account, portfolio margin",
    family="scenario",
    products="perpetual, future, option, spot where it hedges, loans",
    method="worst of 11 prices × 3 volatilities by base coin, with five contingencies; coins summed",
    formulas="""\
MM of a coin = max loss over 33 scenarios + contingencies;  IM = factor·MM;  account = Σ coins + loans
net short options: rate·index·coins short of one expiry and right beyond those long
vega: rate·index·days apart of options long and short, matched;  delta: Σ over expiries of |delta notional|·years·rate
perpetuals and futures: rate·index·Σ|coins|;  USDT-USDC: rate·deltas matched between the two
spot is in the grid only with spot hedging on; loans and negative balances are outside it, as in cross mode""",
    sources=(
        "Bybit help: Margin Calculations under Portfolio Margin (UTA), 2024-09-04",
        "Bybit API documentation: Get Portfolio Margin Info, response example of 2026-03-24",
    ),
    certainty="approximate",
    parameters=Parameters,
    folder="bybit_pm",
    evaluate=evaluate,
    open_parts=(
        "ranges, initial factors and rates of coins other than BTC (`step`, `initial_factor`, `contract`)",
        "volatility moves: +24 % and −20 % at 30 days with power 0.3 fit one published example; below 30 days assumed",
        "net short options, vega, delta and USDT-USDC: names are public, rates and matching are readings",
        "one published example charges about a quarter of delta notional a year, unhedged; 45 % here",
        "spot with hedging on gains and loses here; the same example counts only what it gains",
        "rates of debts, value ratios, and how open orders count in each contingency",
    ),
)
