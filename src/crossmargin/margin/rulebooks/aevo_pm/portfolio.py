"""Aevo portfolio margin: the worst of 15 scenarios of spot and volatility, and a floor margin whose formula is open.

Source: Aevo documentation, "Portfolio Margin" (read November 2026).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Literal

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.instruments.table import Family
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import cash_usd
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleScenario, RuleTerm
from crossmargin.margin.rulebooks.scanning import (
    Part,
    RiskUnit,
    VolRule,
    losses,
    option_values,
    order_losses,
    quantities,
    shocked_vols,
    unit_pnl,
)
from crossmargin.margin.rulebooks.units import read_units
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

_SHIFTS: Final = {-1.0: "down", 0.0: "unchanged", 1.0: "up"}


class CoinRates(Part, frozen=True, kw_only=True):
    """The largest moves of a coin, up and down: of the spot a part, of volatilities points; and the floor's rates."""

    spot_up: float
    spot_down: float
    vol_up: float
    vol_down: float
    floor_short_option: float
    floor_perpetual: float

    def __post_init__(self) -> None:
        """Check all rates; a price cannot fall by all it is worth."""
        for name in self.__struct_fields__:
            check.within(getattr(self, name), name, 0.0, 0.99 if name == "spot_down" else 10.0, where="aevo-pm")


class Parameters(Part, frozen=True, kw_only=True):
    """Rates by coin; `floor` and `maintenance_factor` say how open parts are read."""

    source: str
    date: str
    moves: tuple[float, ...]
    floor: Literal["added", "greater"]
    maintenance_factor: float
    collateral: dict[str, float]
    coins: dict[str, CoinRates]

    def __post_init__(self) -> None:
        """Check that parts are parts."""
        for name, part in (("maintenance_factor", self.maintenance_factor), *self.collateral.items()):
            check.within(part, name, 0.0, 1.0, where="aevo-pm")
        for move in self.moves:
            check.within(move, "part of the largest move", -1.0, 1.0, where="aevo-pm")


class UnitMargin(Part, frozen=True, kw_only=True):
    """One coin: P&L of every scenario, the worst loss, what working orders add to it, and the floor, USD."""

    coin: str
    labels: tuple[str, ...]
    pnl: tuple[float, ...]
    scenario: float
    orders: float
    floor: float

    @property
    def worst(self) -> str:
        """The scenario that loses most."""
        return self.labels[int(np.argmin(self.pnl))]


class PortfolioMargin(Part, frozen=True, kw_only=True):
    """Every coin's margin, added up."""

    units: tuple[UnitMargin, ...]
    floor_added: bool
    maintenance_factor: float

    @property
    def initial(self) -> float:
        """Scenario margin, orders and floor."""
        return math.fsum(u.scenario + self.floor_of(u) + u.orders for u in self.units)

    @property
    def maintenance(self) -> float:
        """The same without orders, times the factor."""
        return self.maintenance_factor * math.fsum(u.scenario + self.floor_of(u) for u in self.units)

    def floor_of(self, unit: UnitMargin) -> float:
        """What the floor adds to the scenario margin of a coin."""
        return unit.floor if self.floor_added else max(unit.floor - unit.scenario, 0.0)


def margin_of(units: tuple[RiskUnit, ...], parameters: Parameters) -> PortfolioMargin:
    """Portfolio margin of the linear contracts of each coin, coins added up.

    Scenario margin: the largest loss of spot × volatility, spot parts of the largest move, volatilities shifted by
    points. Floor: rate·index·(coins of options sold) + rate·|perpetual|·mark. Raises `UnknownName` for a coin without
    rates.
    """
    for unit in units:
        check.known(unit.coin, parameters.coins, "coin", where="aevo-pm")
    return PortfolioMargin(
        units=tuple(_unit(unit, parameters.coins[unit.coin], parameters.moves) for unit in units),
        floor_added=parameters.floor == "added",
        maintenance_factor=parameters.maintenance_factor,
    )


def _unit(unit: RiskUnit, rates: CoinRates, moves: tuple[float, ...]) -> UnitMargin:
    part = np.repeat(np.asarray(moves, float), len(_SHIFTS))
    move = np.where(part > 0.0, rates.spot_up, rates.spot_down) * part
    shift = np.tile([*_SHIFTS], len(moves))
    rule = VolRule(up=rates.vol_up, down=rates.vol_down, relative=False)
    matrix = unit_pnl(unit, move, shocked_vols(unit.options, shift, rule))
    lost = losses(unit, matrix)
    worst = max(float(lost.max()), 0.0)
    sold = math.fsum(max(-o.quantity, 0.0) for o in unit.options)
    notional = math.fsum(abs(leg.quantity) * leg.price for leg in unit.linear)
    return UnitMargin(
        coin=unit.coin,
        labels=tuple(f"spot {x:+.1%}, vol {_SHIFTS[s]}" for x, s in zip(move.tolist(), shift.tolist(), strict=True)),
        pnl=tuple((-lost).tolist()),
        scenario=worst,
        orders=max(float((lost + order_losses(unit, matrix)).max()), 0.0) - worst,
        floor=rates.floor_short_option * unit.index * sold + rates.floor_perpetual * notional,
    )


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """Portfolio margin of a book of one account, USD.

    Raises `InvalidInput` for more than one account, `MissingFactors` where the market lacks a price or a volatility.
    """
    families = (Family.PERPETUAL, Family.OPTION)
    reading = read_units(book, snapshot, coins=parameters.coins, families=families, where=RULEBOOK.id, inverse=False)
    units, held = tuple(reading.units.values()), reading.held
    found = margin_of(units, parameters)
    _, left_out = cash_usd(held, parameters.collateral)
    cash = (
        x * held.prices[a] * (parameters.collateral.get(a, 0.0) if x > 0.0 else 1.0) for a, x in held.balances.items()
    )
    options = (float(quantities(u)[len(u.linear) :] @ option_values(u)) for u in units)
    worst = max(found.units, key=lambda u: u.scenario, default=None)
    answer = summed(
        RULEBOOK.id,
        parameters.date,
        [t for unit in found.units for t in _terms(unit, found)],
        math.fsum([*cash, *options, reading.pnl]),
        notes=reading.notes,
        refused=(*reading.refused, *left_out),
    )
    return msgspec.structs.replace(
        answer,
        worst_scenario=f"{worst.coin}: {worst.worst}" if worst and worst.scenario > 0.0 else "",
        scenarios=tuple(
            RuleScenario(label=f"{u.coin}: {label}", pnl_usd=x)
            for u in found.units
            for label, x in zip(u.labels, u.pnl, strict=True)
        ),
    )


def _terms(unit: UnitMargin, found: PortfolioMargin) -> Iterator[RuleTerm]:
    for name, initial, factor, note in (
        ("scenarios", unit.scenario, found.maintenance_factor, ""),
        ("floor", found.floor_of(unit), found.maintenance_factor, "formula not public: rates of similar venues"),
        ("orders", unit.orders, 0.0, "not public: each filled where it hurts"),
    ):
        yield RuleTerm(
            name=f"{unit.coin} {name}",
            initial=initial,
            maintenance=factor * initial,
            certainty="unknown" if note and initial else "approximate" if initial else "exact",
            note=note or "maintenance not public: read as the initial margin",
        )


RULEBOOK: Final = Rulebook(
    id="aevo-pm",
    name="Aevo portfolio margin",
    family="scenario",
    products="linear options and perpetuals on ETH",
    method="worst of 15 scenarios of spot and volatility, and a floor",
    formulas="""\
margin = scenario margin + floor margin
scenarios: spot {-100, -50, 0, +50, +100 %} of the largest move x volatility {down, unchanged, up}, in points
floor (a reading): rate x index x coins of options sold + rate x perpetual notional""",
    sources=("Aevo, documentation: portfolio margin", "Aevo, documentation: collateral ratios"),
    certainty="unknown",
    parameters=Parameters,
    folder="aevo_pm",
    evaluate=evaluate,
    open_parts=(
        "floor margin: its formula and rates (floor_short_option, floor_perpetual), and whether it is added (floor)",
        "maintenance margin: read as the initial margin without orders (maintenance_factor)",
        "margin of working orders: the worst fill of each scenario",
        "netting between coins: none; parameters of coins other than ETH",
    ),
)
