"""OKX portfolio margin of one risk unit, term by term, from its legs: MR1 to MR7 and MR9.

    MMR = max( max(MR1, MR2, MR6) + MR3 + MR4 + MR5 + MR9 , MR7 )        IMR = 1.3·MMR

Units merge contracts of all settlements, so coins that a scenario gains or loses count at its price: contracts of one
size and of opposite sides offset whatever they settle in.

Sources: OKX help, "Portfolio margin mode: cross-margin trading (risk unit merge)" (2024-12-30) and "OKX will further
adjust portfolio margin parameters" (2025-01-02); OKX API documentation, position builder (2025-01-15).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import MissingFactors
from crossmargin.margin.rulebooks.okx_pm.parameters import LoanRates, Parameters, PegRow, RiskClass
from crossmargin.margin.rulebooks.rulebook import RuleScenario
from crossmargin.margin.rulebooks.scanning import (
    RiskUnit,
    losses,
    option_values,
    order_losses,
    shocked_vols,
    unit_pnl,
)
from crossmargin.margin.rulebooks.spreads import (
    Currency,
    QuotedUnit,
    cash_deltas,
    is_derivative,
    largest,
    matched_pairs,
    reach,
    sizes,
    tenors,
    tiered,
    unit_deltas_usd,
)

Amounts: TypeAlias = Mapping[str, float]
_VOLS: Final = ((-1.0, "down"), (0.0, "same"), (1.0, "up"))


class Portfolio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account: its risk units, debts by currency (USD, not negative), and prices of stablecoins in USD.

    A stablecoin needs a price where contracts quoted in it stand against others.
    """

    units: tuple[QuotedUnit, ...] = ()
    debts: Mapping[str, float] = {}
    stablecoins: Mapping[Currency, float] = {}

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name, value in self.debts.items():
            check.within(value, f"debt in {name}", 0.0, np.inf, where="okx portfolio")
        for coin, price in self.stablecoins.items():
            check.positive(price, f"price of {coin}", where="okx portfolio")


class UnitMargin(msgspec.Struct, frozen=True, kw_only=True):
    """A risk unit, USD. `terms` of positions (MR1 … MR9), `order_terms` with orders filled where that asks for more.

    `scenarios` are the P&L of the positions over MR1, then MR6 (the whole move, not halved), then MR2.
    """

    coin: str
    initial: float
    maintenance: float
    terms: Amounts
    order_terms: Amounts
    scenarios: tuple[RuleScenario, ...]
    worst: str


class AccountMargin(msgspec.Struct, frozen=True, kw_only=True):
    """An account, USD: its units, what its debts ask (initial, maintenance) by currency, and the sums."""

    units: tuple[UnitMargin, ...]
    loans: Mapping[str, tuple[float, float]]
    initial: float
    maintenance: float


def margin_of(portfolio: Portfolio, parameters: Parameters) -> AccountMargin:
    """Margin of an account: units summed without offset, and the margin of its debts (MR8)."""
    units = tuple(unit_margin(u, parameters, portfolio.stablecoins) for u in portfolio.units)
    loans = {c: loan_margin(x, parameters.loans.get(c, parameters.other_loan)) for c, x in portfolio.debts.items()}
    return AccountMargin(
        units=units,
        loans=loans,
        initial=math.fsum([*(u.initial for u in units), *(initial for initial, _ in loans.values())]),
        maintenance=math.fsum([*(u.maintenance for u in units), *(least for _, least in loans.values())]),
    )


def loan_margin(debt: float, rates: LoanRates) -> tuple[float, float]:
    """MR8 of a debt, initial and maintenance."""
    return debt * rates.initial, debt * rates.maintenance


def unit_margin(quoted: QuotedUnit, parameters: Parameters, stablecoins: Mapping[Currency, float]) -> UnitMargin:
    """One risk unit; raises `UnknownName` for a coin that has no class."""
    unit, columns = quoted.unit, _columns(quoted.unit, parameters)
    terms, filled = (_terms(quoted, columns, parameters, stablecoins, orders=o) for o in (False, True))
    with_orders = max(terms, filled, key=requirement)
    pnl = -losses(unit, columns.pnl)
    counted = pnl * columns.weight
    worst = int(np.argmin(counted)) if counted.size and counted.min() < 0.0 else -1
    return UnitMargin(
        coin=unit.coin,
        initial=parameters.initial_factor * requirement(with_orders),
        maintenance=requirement(terms),
        terms=terms,
        order_terms=with_orders,
        scenarios=tuple(RuleScenario(label=n, pnl_usd=float(x)) for n, x in zip(columns.labels, pnl, strict=True)),
        worst=columns.labels[worst] if worst >= 0 else "",
    )


def requirement(terms: Amounts) -> float:
    """max( max(MR1, MR2, MR6) + MR3 + MR4 + MR5 + MR9 , MR7 )."""
    return max(math.fsum(binding(terms).values()), terms["MR7"])


def binding(terms: Amounts) -> dict[str, float]:
    """The parts whose sum is the requirement: the largest scan and what is added to it, or the minimum charge alone."""
    scan = max(("MR1", "MR2", "MR6"), key=lambda name: terms[name])
    parts = {name: terms[name] for name in (scan, "MR3", "MR4", "MR5", "MR9")}
    return {"MR7": terms["MR7"]} if terms["MR7"] > math.fsum(parts.values()) else parts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Columns:
    """R of one coin [leg, scenario] and what its columns are; `weight` [scenario] is the part of a loss that counts.

    `still` are the columns of MR1 in which no price moves, volatilities down and up.
    """

    labels: tuple[str, ...]
    weight: FloatArray
    pnl: FloatArray
    regular: slice
    extreme: slice
    decay: slice
    still: tuple[int, int]


def _columns(unit: RiskUnit, parameters: Parameters) -> _Columns:
    """7 prices × 3 volatilities (MR1), two extreme moves (MR6), a day's decay (MR2)."""
    steps, extreme = parameters.steps_of(unit.coin), parameters.risk_of(unit.coin).extreme
    prices = [*(-x for x in reversed(steps)), 0.0, *steps]
    grid = [(x, d, f"MR1 {x:+.0%} vol {name}") for d, name in _VOLS for x in prices]
    far = [(x, 0.0, f"MR6 {x:+.0%}") for x in (-extreme, extreme)]
    move, direction, labels = zip(*grid, *far, (0.0, 0.0, "MR2 decay"), strict=True)
    parts = np.repeat((0, 1, 2), (len(grid), len(far), 1))
    vols = shocked_vols(unit.options, np.asarray(direction), parameters.volatility)
    days = np.where(parts == 2, parameters.decay_days, 0.0)
    return _Columns(
        labels=labels,
        weight=np.where(parts == 1, parameters.extreme_factor, 1.0),
        pnl=unit_pnl(unit, np.asarray(move), vols, coins_at="index moved", days_passed=days),
        regular=slice(0, len(grid)),
        extreme=slice(len(grid), len(grid) + 2),
        decay=slice(len(grid) + 2, None),
        still=(len(steps), len(grid) - len(steps) - 1),
    )


def _terms(
    quoted: QuotedUnit,
    columns: _Columns,
    parameters: Parameters,
    stablecoins: Mapping[Currency, float],
    *,
    orders: bool,
) -> dict[str, float]:
    unit, risk = quoted.unit, parameters.risk_of(quoted.unit.coin)
    loss = losses(unit, columns.pnl) + (order_losses(unit, columns.pnl) if orders else 0.0)
    return {
        "MR1": _worst(loss[columns.regular]),
        "MR2": _worst(loss[columns.decay]),
        "MR3": parameters.vega_share * _apart(unit, columns.pnl[:, list(columns.still)], orders=orders),
        "MR4": basis_risk(unit, risk, orders=orders),
        "MR5": parameters.rate_shock * _discounting(unit, orders=orders),
        "MR6": parameters.extreme_factor * _worst(loss[columns.extreme]),
        "MR7": minimum_charge(unit, risk, orders=orders),
        "MR9": _pegs(quoted, parameters.pegs, stablecoins, orders=orders),
    }


def _worst(loss: FloatArray) -> float:
    return max(float(loss.max(initial=0.0)), 0.0)


def _apart(unit: RiskUnit, still: FloatArray, *, orders: bool) -> float:
    """What expiries lose when each one's volatility moves against it, beyond all of them moving one way [leg, 2]."""
    by = tenors(unit)
    held, buys, sells = sizes(unit, orders=orders)
    loss = -held[:, None] * still + buys[:, None] * np.maximum(-still, 0.0) + sells[:, None] * np.maximum(still, 0.0)
    each = np.column_stack([by.summed(loss[:, vol]) for vol in (0, 1)])
    return max(float(np.maximum(each.max(axis=1), 0.0).sum()) - _worst(each.sum(axis=0)), 0.0)


def basis_risk(unit: RiskUnit, risk: RiskClass, *, orders: bool = False) -> float:
    """MR4: Σ over expiries of |delta notional|·max(annual move·years, floor), of contracts; spot asks for nothing."""
    by = tenors(unit)
    deltas = reach(unit, unit_deltas_usd(unit) * is_derivative(unit), by, orders=orders)
    return float(deltas @ np.maximum(risk.basis_annual * by.years(), risk.basis_floor))


def minimum_charge(unit: RiskUnit, risk: RiskClass, *, orders: bool = False) -> float:
    """MR7: the rate on |delta| notional of each contract, summed, then through the tiers."""
    notional = largest(unit, orders=orders) * np.abs(unit_deltas_usd(unit)) * is_derivative(unit)
    return tiered(risk.reduction * float(notional.sum()), risk.tiers)


def _discounting(unit: RiskUnit, *, orders: bool) -> float:
    """Σ over expiries of |value of options|·years: what a point of rates does to their discounting."""
    by = tenors(unit)
    values = np.concatenate([np.zeros(len(unit.linear)), option_values(unit)])
    return float(reach(unit, values, by, orders=orders) @ by.years())


def _pegs(quoted: QuotedUnit, rows: Sequence[PegRow], stablecoins: Mapping[Currency, float], *, orders: bool) -> float:
    """MR9 of the positions, or the largest with all buys or all sells filled too."""
    held, buys, sells = sizes(quoted.unit, orders=orders)
    deltas = unit_deltas_usd(quoted.unit)
    return max(
        hedge_charge(cash_deltas(quoted, q * deltas), rows, stablecoins) for q in (held, held + buys, held - sells)
    )


def hedge_charge(
    cash: Mapping[Currency, float], rows: Sequence[PegRow], stablecoins: Mapping[Currency, float]
) -> float:
    """MR9: matched sizes through the tiers of the row of each pair's peg; a pair above par counts as as far below.

    Raises `MissingFactors` for a matched stablecoin without a price.
    """
    total = 0.0
    for (a, b), size in matched_pairs(cash).items():
        if size > 0.0:
            ratio = _price(a, stablecoins) / _price(b, stablecoins)
            peg = min(ratio, 1.0 / ratio)
            total += tiered(size, next(row for row in rows if peg >= row.peg_min).tiers)
    return total


def _price(currency: Currency, stablecoins: Mapping[Currency, float]) -> float:
    if currency == "USD":
        return 1.0
    if currency not in stablecoins:
        raise MissingFactors([f"peg:{currency}"], where="okx portfolio")
    return stablecoins[currency]
