"""Bybit portfolio margin of one base coin: the worst of 33 scenarios and five contingencies.

    MM = maxLoss + contingencies          IM = factor·MM          coins summed

Sources: Bybit help, "Margin Calculations under Portfolio Margin (UTA)" (2024-09-04); Bybit API documentation, "Get
Portfolio Margin Info", response example of 2026-03-24; formulas of contingencies from a third-party copy of the help.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray
from crossmargin.margin.rulebooks.rulebook import Certainty, RuleScenario
from crossmargin.margin.rulebooks.scanning import (
    RiskUnit,
    VolRule,
    losses,
    order_losses,
    shocked_vols,
    unit_pnl,
)
from crossmargin.margin.rulebooks.spreads import (
    QuotedUnit,
    cash_deltas,
    is_derivative,
    matched_days,
    matched_pairs,
    sizes,
    tenors,
    unit_deltas_usd,
)

Contingency: TypeAlias = Literal["net short options", "vega", "delta", "perpetuals and futures", "USDT-USDC"]
CONTINGENCIES: Final[tuple[Contingency, ...]] = (
    "net short options",
    "vega",
    "delta",
    "perpetuals and futures",
    "USDT-USDC",
)
_VOLS: Final = ((-1.0, "down"), (0.0, "same"), (1.0, "up"))
_SIDE: Final = 5  # Price steps to either side of none: 11 × 3 volatilities are 33 scenarios.


class CoinRates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rates of a base coin.

    Prices move by five times `step` both ways. Of the index: `short_option` on net short options, `vega_day` a day that
    matched options lie apart, `contract` on perpetuals and futures, `stable_spread` on deltas matched between USDT and
    USDC. `basis_annual` of delta notional a year of tenor. Certainties of the grid and of each contingency.
    """

    step: float
    volatility: VolRule
    initial_factor: float
    short_option: float
    vega_day: float
    basis_annual: float
    contract: float
    stable_spread: float
    grid_certainty: Certainty = "exact"
    factor_certainty: Certainty = "exact"
    contract_certainty: Certainty = "exact"

    def __post_init__(self) -> None:
        """Check all numbers; a price cannot fall by all it is worth."""
        check.within(self.step, "step", 0.0, 0.19, where="bybit coin rates")
        check.within(self.initial_factor, "initial_factor", 1.0, 10.0, where="bybit coin rates")
        for name in ("short_option", "vega_day", "basis_annual", "contract", "stable_spread"):
            check.within(getattr(self, name), name, 0.0, 10.0, where="bybit coin rates")


class Loan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A debt (USD, not negative) and its rates; it is outside the stress test."""

    value: float
    initial_rate: float
    maintenance_rate: float

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.within(self.value, "value", 0.0, math.inf, where="bybit loan")
        check.within(self.initial_rate, "initial_rate", 0.0, 10.0, where="bybit loan")
        check.within(self.maintenance_rate, "maintenance_rate", 0.0, self.initial_rate, where="bybit loan")


class Portfolio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account: what it holds by base coin (spot only where it hedges), and its debts."""

    units: tuple[QuotedUnit, ...] = ()
    loans: tuple[Loan, ...] = ()


class UnitMargin(msgspec.Struct, frozen=True, kw_only=True):
    """One base coin, USD: the largest loss and contingencies of the positions, then with orders at their worst fill."""

    coin: str
    initial: float
    maintenance: float
    max_loss: float
    contingencies: Mapping[Contingency, float]
    order_loss: float
    order_contingencies: Mapping[Contingency, float]
    scenarios: tuple[RuleScenario, ...]
    worst: str


class AccountMargin(msgspec.Struct, frozen=True, kw_only=True):
    """An account, USD."""

    units: tuple[UnitMargin, ...]
    initial: float
    maintenance: float


def margin_of(portfolio: Portfolio, parameters: Mapping[str, CoinRates]) -> AccountMargin:
    """Margin of an account: coins summed without offset, and debts. Raises `UnknownName` for a coin without rates."""
    units = tuple(unit_margin(u, parameters) for u in portfolio.units)
    loans = portfolio.loans
    return AccountMargin(
        units=units,
        initial=math.fsum([*(u.initial for u in units), *(x.value * x.initial_rate for x in loans)]),
        maintenance=math.fsum([*(u.maintenance for u in units), *(x.value * x.maintenance_rate for x in loans)]),
    )


def unit_margin(quoted: QuotedUnit, parameters: Mapping[str, CoinRates]) -> UnitMargin:
    """One base coin. Raises `UnknownName` for one without rates."""
    unit = quoted.unit
    check.known(unit.coin, parameters, "coin", where="bybit portfolio margin")
    rates = parameters[unit.coin]
    move, direction, labels = grid(rates)
    pnl = unit_pnl(unit, move, shocked_vols(unit.options, direction, rates.volatility), coins_at="index moved")
    loss = losses(unit, pnl)
    filled = loss + order_losses(unit, pnl)
    held, buys, sells = sizes(unit, orders=True)
    now, bought, sold = (contingencies(quoted, q, rates) for q in (held, held + buys, held - sells))
    worst = {name: max(now[name], bought[name], sold[name]) for name in CONTINGENCIES}
    max_loss, order_loss = (max(float(x.max()), 0.0) for x in (loss, filled))
    return UnitMargin(
        coin=unit.coin,
        initial=rates.initial_factor * math.fsum([order_loss, *worst.values()]),
        maintenance=math.fsum([max_loss, *now.values()]),
        max_loss=max_loss,
        contingencies=now,
        order_loss=order_loss,
        order_contingencies=worst,
        scenarios=tuple(RuleScenario(label=n, pnl_usd=-float(x)) for n, x in zip(labels, loss, strict=True)),
        worst=labels[int(np.argmax(loss))] if max_loss > 0.0 else "",
    )


def grid(rates: CoinRates) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Relative price moves, directions of the volatility and labels of the 33 scenarios [scenario]."""
    prices = [k * rates.step for k in range(-_SIDE, _SIDE + 1)]
    cells = [(x, d, f"{x:+.0%} vol {name}") for d, name in _VOLS for x in prices]
    move, direction, labels = zip(*cells, strict=True)
    return np.asarray(move), np.asarray(direction), labels


def contingencies(quoted: QuotedUnit, held: FloatArray, rates: CoinRates) -> dict[Contingency, float]:
    """The five contingencies of positions of `held` coins [leg], USD."""
    unit, index, by = quoted.unit, quoted.unit.index, tenors(quoted.unit)
    options = np.asarray([i >= len(unit.linear) for i in range(len(held))], float)
    contracts = is_derivative(unit) - options
    deltas = held * unit_deltas_usd(unit)
    pairs = matched_pairs(cash_deltas(quoted, deltas))
    return {
        "net short options": rates.short_option * index * _net_short(unit, held[len(unit.linear) :]),
        "vega": rates.vega_day * index * matched_days(by.summed(held * options), by.days),
        "delta": rates.basis_annual * float(np.abs(by.summed(deltas * is_derivative(unit))) @ by.years()),
        "perpetuals and futures": rates.contract * index * float(np.abs(held * contracts).sum()),
        "USDT-USDC": rates.stable_spread * pairs["USDT", "USDC"],
    }


def _net_short(unit: RiskUnit, held: FloatArray) -> float:
    """Coins of calls, and of puts, that are short beyond what is long in the same expiry."""
    if not unit.options:
        return 0.0
    keys = np.asarray([(o.days, o.right == "call") for o in unit.options], float)
    _, of = np.unique(keys, axis=0, return_inverse=True)
    return float(np.maximum(-np.bincount(of.ravel(), held), 0.0).sum())
