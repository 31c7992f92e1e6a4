"""Deribit's portfolio margin of accounts: the worst bucket, what nets between coins, shocks and reserves, USD.

IM = risk matrix + spot + market maker protection + open orders,  MM = mm_factor · risk matrix
risk matrix = worst case + roll shock + delta shock + correlation contingency
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray
from crossmargin.margin.rulebooks.deribit_pm.matrix import counted, delta_shock, grid_of, roll_shock, unit_matrix
from crossmargin.margin.rulebooks.deribit_pm.parameters import CurrencyRules, Parameters
from crossmargin.margin.rulebooks.scanning import LinearLeg, Part, RiskUnit, losses, order_losses

CROSS: Final = "cross"
DOLLAR: Final = "USD"


class Reserved(Part, frozen=True, kw_only=True):
    """What an account sets aside beside its positions, USD, where the venue says so."""

    spot: float = 0.0
    mmp: float = 0.0
    open_orders: float = 0.0

    def __post_init__(self) -> None:
        """Check all amounts."""
        for name in self.__struct_fields__:
            check.within(getattr(self, name), name, 0.0, check.QUANTITY_LIMIT, where="reserved margin")


class Portfolio(Part, frozen=True, kw_only=True):
    """`units` by coin; `equity` in units by currency (cross collateral only); `reserved` by account."""

    units: tuple[RiskUnit, ...] = ()
    equity: dict[str, float] = msgspec.field(default_factory=dict)
    reserved: dict[str, Reserved] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that a coin stands once, and that equity in a coin has a price."""
        check.unique((unit.coin for unit in self.units), "coin", where="portfolio")
        for currency, amount in self.equity.items():
            check.quantity(amount, "equity", where=currency)
            check.known(currency, (*(u.coin for u in self.units), DOLLAR), "currency of equity", where="portfolio")


class UnitMargin(Part, frozen=True, kw_only=True):
    """One coin in one account. `pnl` of every bucket as it is, `counted` after dampener and offset; `orders` what
    working orders add to its worst case and roll shock."""

    coin: str
    labels: tuple[str, ...]
    pnl: tuple[float, ...]
    counted: tuple[float, ...]
    worst_case: float
    roll_shock: float
    delta_shock: float
    orders: float

    @property
    def worst(self) -> str:
        """The bucket that loses most."""
        return self.labels[int(np.argmin(self.counted))]


class AccountMargin(Part, frozen=True, kw_only=True):
    """One margin account: that of a currency, or the one of cross collateral. `worst_case` is of one bucket for all
    coins; the contingency charges what nets between them."""

    name: str
    units: tuple[UnitMargin, ...]
    worst_case: float
    correlation_contingency: float
    open_orders: float
    reserved: Reserved
    mm_factor: float

    @property
    def roll_shock(self) -> float:
        """Of all coins."""
        return math.fsum(u.roll_shock for u in self.units)

    @property
    def delta_shock(self) -> float:
        """Of all coins."""
        return math.fsum(u.delta_shock for u in self.units)

    @property
    def risk_matrix(self) -> float:
        """Worst case, roll shock, delta shock, correlation contingency."""
        return math.fsum((self.worst_case, self.roll_shock, self.delta_shock, self.correlation_contingency))

    @property
    def initial(self) -> float:
        """Initial margin."""
        own = self.reserved
        return math.fsum((self.risk_matrix, own.spot, own.mmp, own.open_orders, self.open_orders))

    @property
    def maintenance(self) -> float:
        """Maintenance margin: of the risk matrix only."""
        return self.mm_factor * self.risk_matrix


class PortfolioMargin(Part, frozen=True, kw_only=True):
    """All accounts of a portfolio, USD."""

    accounts: tuple[AccountMargin, ...]

    @property
    def initial(self) -> float:
        """Initial margin of all accounts."""
        return math.fsum(a.initial for a in self.accounts)

    @property
    def maintenance(self) -> float:
        """Maintenance margin of all accounts."""
        return math.fsum(a.maintenance for a in self.accounts)


def margin_of(portfolio: Portfolio, parameters: Parameters) -> PortfolioMargin:
    """Segregated: an account for each coin, of what settles in it, and "USD" for what settles in dollars.

    Raises `UnknownName` for a coin without parameters, or for what is reserved in an account that nobody has.
    """
    _check_known(portfolio, parameters, (*parameters.pairs, DOLLAR))
    accounts: dict[str, list[RiskUnit]] = {name: [] for name in portfolio.reserved}
    for unit in portfolio.units:
        for name, part in ((unit.coin, _part(unit, inverse=True)), (DOLLAR, _part(unit, inverse=False))):
            if part.legs:
                accounts.setdefault(name, []).append(part)
    return PortfolioMargin(
        accounts=tuple(
            _account(name, units, portfolio, parameters, in_coins=name != DOLLAR)
            for name, units in sorted(accounts.items())
        )
    )


def cross_margin_of(portfolio: Portfolio, parameters: Parameters) -> PortfolioMargin:
    """Cross collateral: one account, a coin's contracts of every settlement together, and its equity among them.

    Equity in a coin stands in the matrix as so many coins of spot where `equity_side_impact` says so, less its haircut.
    Raises what `margin_of` raises.
    """
    _check_known(portfolio, parameters, (CROSS,))
    units = [_with_equity(unit, portfolio.equity, parameters.currencies[unit.coin]) for unit in portfolio.units]
    account = _account(CROSS, [u for u in units if u.legs], portfolio, parameters, in_coins=False)
    return PortfolioMargin(accounts=(account,))


def _check_known(portfolio: Portfolio, parameters: Parameters, accounts: Iterable[str]) -> None:
    for unit in portfolio.units:
        check.known(unit.coin, parameters.pairs, "coin", where=f"Deribit parameters of {parameters.date}")
    for name in portfolio.reserved:
        check.known(name, accounts, "account", where="reserved margin")


def _part(unit: RiskUnit, *, inverse: bool) -> RiskUnit:
    """What settles in the coin, or in dollars."""
    return msgspec.structs.replace(
        unit,
        linear=tuple(leg for leg in unit.linear if leg.inverse == inverse),
        options=tuple(leg for leg in unit.options if leg.inverse == inverse),
    )


def _with_equity(unit: RiskUnit, equity: Mapping[str, float], row: CurrencyRules) -> RiskUnit:
    amount = equity.get(unit.coin, 0.0)
    side = "long" if amount > 0.0 else "short"
    if amount == 0.0 or row.equity_side_impact not in ("both", side):
        return unit
    coins = amount * (1.0 - row.haircut) if amount > 0.0 else amount
    spot = LinearLeg(instrument=f"equity {unit.coin}", kind="spot", price=unit.index, quantity=coins)
    return msgspec.structs.replace(unit, linear=(*unit.linear, spot))


def _linear_row(coin: str, parameters: Parameters) -> CurrencyRules:
    return parameters.currencies[DOLLAR if parameters.readings.linear_row == "dollar" else coin]


def _account(
    name: str, units: Sequence[RiskUnit], portfolio: Portfolio, parameters: Parameters, *, in_coins: bool
) -> AccountMargin:
    rows = [
        _linear_row(unit.coin, parameters) if name == DOLLAR else parameters.currencies[unit.coin] for unit in units
    ]
    found = [_unit(unit, row, parameters, in_coins=in_coins) for unit, row in zip(units, rows, strict=True)]
    together, apart = _netted([f.counted for f in found])
    return AccountMargin(
        name=name,
        units=tuple(found),
        worst_case=together,
        correlation_contingency=parameters.readings.correlation_contingency * max(apart - together, 0.0),
        open_orders=math.fsum(f.orders for f in found),
        reserved=portfolio.reserved.get(name, Reserved()),
        mm_factor=parameters.mm_factor,
    )


def _netted(counts: Iterable[Sequence[float]]) -> tuple[float, float]:
    """The worst loss of all coins in one bucket, and the sum of the worst of each by itself."""
    rows = np.asarray([*counts], float)
    if not len(rows):
        return 0.0, 0.0
    return _worst(rows.sum(axis=0)), math.fsum(_worst(row) for row in rows)


def _worst(counts: FloatArray) -> float:
    return max(-float(counts.min()), 0.0)


def _unit(unit: RiskUnit, row: CurrencyRules, parameters: Parameters, *, in_coins: bool) -> UnitMargin:
    pair, readings = parameters.pairs[unit.coin], parameters.readings
    grid = grid_of(pair, parameters)
    matrix = unit_matrix(unit, grid, pair, readings, in_coins=in_coins)
    pnl = -losses(unit, matrix)
    counts = counted(pnl, grid, row, readings, in_coins=in_coins)
    worst, roll, orders = _worst(counts), _roll(unit, parameters), 0.0
    if readings.open_orders == "worst fill" and any(leg.buys or leg.sells for leg in unit.legs):
        filled = counted(pnl - order_losses(unit, matrix), grid, row, readings, in_coins=in_coins)
        orders = max(_worst(filled) - worst, 0.0) + _roll(unit, parameters, orders=True) - roll
    return UnitMargin(
        coin=unit.coin,
        labels=grid.labels,
        pnl=tuple(pnl.tolist()),
        counted=tuple(counts.tolist()),
        worst_case=worst,
        roll_shock=roll,
        delta_shock=delta_shock(unit, pair, readings),
        orders=orders,
    )


def _roll(unit: RiskUnit, parameters: Parameters, *, orders: bool = False) -> float:
    """Of what settles in the coin and of what settles in dollars, each gross by itself."""
    sides = ((True, parameters.currencies[unit.coin]), (False, _linear_row(unit.coin, parameters)))
    return math.fsum(
        roll_shock(_part(unit, inverse=inverse), row, parameters.readings, orders=orders) for inverse, row in sides
    )
