"""What scenario rulebooks share: the holdings of one coin in the venue's own terms, and their P&L over its grid.

A venue revalues every contract at its own mark: the price moves by a factor, and an option keeps its strike and its own
implied volatility, which the grid shocks. So a holding is stated with its mark price, or its forward and volatility, as
the venue's ticker gives them. `R` here is [leg, scenario] of one coin, P&L of one unit held long; L = q·R.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray
from crossmargin.core.instant import YEAR_DAYS
from crossmargin.instruments.terms import Right
from crossmargin.valuation.kernels.black76 import black_greeks, black_values

Settlement: TypeAlias = Literal["index now", "index moved"]
_VOL_LEAST: Final = 1e-14  # σ√T below which time value is less than a rounding of the forward.
_VOL_MOST: Final = 24.0  # σ√T from which on a call is worth its forward.


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class LinearLeg(Part, frozen=True, kw_only=True):
    """`quantity` coins of a spot holding, perpetual or future, long > 0; `buys` and `sells` coins on order.

    `price` is its mark in the quote currency; an `inverse` one settles in coins, its coins being those at the mark.
    `days` to expiry, none for spot and perpetuals.
    """

    instrument: str
    kind: Literal["spot", "perpetual", "future"]
    price: float
    quantity: float
    inverse: bool = False
    days: float | None = None
    buys: float = 0.0
    sells: float = 0.0

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.positive(self.price, "price", where=self.instrument)
        _check_sizes(self)
        if self.days is not None or self.kind == "future":
            days = math.nan if self.days is None else self.days
            check.within(days, "days to expiry", 0.0, 36_500.0, where=self.instrument)


class OptionLeg(Part, frozen=True, kw_only=True):
    """`quantity` coins of a European option, long > 0; `buys` and `sells` coins on order.

    `forward` of its expiry and `strike` in the quote currency, `volatility` a decimal a year, `discount` the factor on
    a linear one's value. An `inverse` one settles in coins and is worth its value over the forward.
    """

    instrument: str
    strike: float
    right: Right
    days: float
    forward: float
    volatility: float
    quantity: float
    inverse: bool = False
    discount: float = 1.0
    buys: float = 0.0
    sells: float = 0.0

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name in ("strike", "forward", "discount"):
            check.positive(getattr(self, name), name, where=self.instrument)
        check.within(self.days, "days to expiry", 0.0, 36_500.0, where=self.instrument)
        check.within(self.volatility, "volatility", 0.0, 100.0, where=self.instrument)
        _check_sizes(self)


class RiskUnit(Part, frozen=True, kw_only=True):
    """All that is held in one coin. `index` is its price in the quote currency."""

    coin: str
    index: float
    linear: tuple[LinearLeg, ...] = ()
    options: tuple[OptionLeg, ...] = ()

    def __post_init__(self) -> None:
        """Check the index."""
        check.positive(self.index, "index", where=self.coin)

    @property
    def legs(self) -> tuple[LinearLeg | OptionLeg, ...]:
        """The rows of R: linear legs, then options."""
        return (*self.linear, *self.options)


def _check_sizes(leg: LinearLeg | OptionLeg) -> None:
    check.quantity(leg.quantity, "quantity", where=leg.instrument)
    for name in ("buys", "sells"):
        check.within(getattr(leg, name), name, 0.0, check.QUANTITY_LIMIT, where=leg.instrument)


class VolRule(Part, frozen=True, kw_only=True):
    """How a volatility moves: up by `up`·g, down by `down`·g, g = (30 d / max(days, `floor_days`))^power.

    The power is `short_power` to 30 days, `long_power` beyond. In `relative` terms vol' = vol·(1 + x), else x is added
    in volatility points (0.5 = 50 points). After a rise the vol is at least `min_up` (0: no floor), and never below 0.
    """

    up: float
    down: float
    short_power: float = 0.0
    long_power: float = 0.0
    floor_days: float = 0.0
    min_up: float = 0.0
    relative: bool = True

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name in self.__struct_fields__[:-1]:
            check.within(getattr(self, name), name, 0.0, 100.0, where="volatility rule")


def shocked_vols(options: Sequence[OptionLeg], direction: FloatArray, rule: VolRule) -> FloatArray:
    """Volatilities [option, scenario]; `direction` [scenario] is +1 up, 0 same, −1 down, or a part of either.

    Where a rule without a floor grows without bound, an option that expires now has g = 1: for powers below a half its
    σ√T still goes to zero with the time left, and it is worth its intrinsic value. Raises `InvalidInput` for others.
    """
    vol, days = (np.asarray([getattr(o, name) for o in options], float) for name in ("volatility", "days"))
    power = np.where(days <= 30.0, rule.short_power, rule.long_power)
    tenor = np.maximum(days, rule.floor_days)
    growing = np.flatnonzero((power >= 0.5) & (tenor <= 0.0))
    if len(growing):
        check.positive(0.0, "days to expiry (the volatility rule has no floor)", where=options[growing[0]].instrument)
    spread = (30.0 / np.where(tenor > 0.0, tenor, 30.0)) ** power
    move = np.where(direction > 0.0, rule.up, rule.down) * direction
    shock = spread[:, None] * move[None, :]
    moved = vol[:, None] * (1.0 + shock) if rule.relative else vol[:, None] + shock
    least = np.where(move > 0.0, rule.min_up, 0.0)
    return np.asarray(np.maximum(moved, least[None, :]))


def unit_pnl(
    unit: RiskUnit,
    move: FloatArray,
    vols: FloatArray,
    *,
    coins_at: Settlement = "index now",
    days_passed: FloatArray | float = 0.0,
) -> FloatArray:
    """R of one coin [leg, scenario]: P&L of one coin of each leg held long, in the quote currency.

    `move` [scenario] is the relative price move, `vols` [option, scenario] the volatilities after it, `days_passed`
    [scenario] the time. Linear: P·x; inverse: x/(1 + x) coins. Linear option: D·(C' − C); inverse: C'/F' − C/F coins.
    Coins count at the index as it is now, or as it has moved. Raises `InvalidInput` for a move of −100 % or beyond.
    """
    if len(move) and not move.min() > -1.0:
        check.positive(1.0 + float(move.min()), "price factor of a scenario", where=unit.coin)
    coin = unit.index * (np.ones_like(move) if coins_at == "index now" else 1.0 + move)
    price = np.asarray([leg.price for leg in unit.linear], float)[:, None]
    inverse = np.asarray([leg.inverse for leg in unit.linear], bool)[:, None]
    linear = np.where(inverse, move / (1.0 + move) * coin, price * move)
    if not unit.options:
        return np.asarray(linear)
    return np.vstack([linear, _option_pnl(unit.options, move, vols, coin, days_passed)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Options:
    """Columns [option, 1]."""

    strike: FloatArray
    right: FloatArray
    days: FloatArray
    forward: FloatArray
    discount: FloatArray
    inverse: FloatArray

    @staticmethod
    def of(options: Sequence[OptionLeg]) -> _Options:
        def column(values: Iterable[float]) -> FloatArray:
            return np.asarray(list(values), float)[:, None]

        return _Options(
            strike=column(o.strike for o in options),
            right=column(1.0 if o.right == "call" else -1.0 for o in options),
            days=column(o.days for o in options),
            forward=column(o.forward for o in options),
            discount=column(o.discount for o in options),
            inverse=column(o.inverse for o in options),
        )


def _option_pnl(
    options: Sequence[OptionLeg],
    move: FloatArray,
    vols: FloatArray,
    coin: FloatArray,
    days_passed: FloatArray | float,
) -> FloatArray:
    rows = _Options.of(options)
    now = np.asarray([o.volatility for o in options], float)[:, None]
    before = _values(rows, rows.forward, now, rows.days)
    forward = rows.forward * (1.0 + move[None, :])
    after = _values(rows, forward, vols, np.maximum(rows.days - days_passed, 0.0))
    coins = (after / forward - before / rows.forward) * coin
    return np.where(rows.inverse > 0.0, coins, rows.discount * (after - before))


def _values(rows: _Options, forward: FloatArray, vol: FloatArray, days: FloatArray) -> FloatArray:
    """Undiscounted Black-76 values [option, scenario]."""
    shape = np.broadcast_shapes(forward.shape, vol.shape, days.shape)
    total = vol * np.sqrt(days / YEAR_DAYS)
    total = np.minimum(np.where(total < _VOL_LEAST, 0.0, total), _VOL_MOST)
    flat = [np.broadcast_to(x, shape).ravel() for x in (forward, rows.strike, total, rows.right)]
    return black_values(*flat).reshape(shape)


def option_values(unit: RiskUnit) -> FloatArray:
    """What one coin of each option is worth now [option], in the quote currency, coins at the index."""
    if not unit.options:
        return np.zeros(0)
    rows = _Options.of(unit.options)
    vol = np.asarray([o.volatility for o in unit.options], float)[:, None]
    value = _values(rows, rows.forward, vol, rows.days)
    return np.where(rows.inverse > 0.0, value / rows.forward * unit.index, rows.discount * value)[:, 0]


def option_deltas(unit: RiskUnit) -> FloatArray:
    """Coins that hedge one coin of each option [option]: D·∂C/∂F, for an inverse one ∂C/∂F − C/F."""
    if not unit.options:
        return np.zeros(0)
    rows = _Options.of(unit.options)
    vol = np.asarray([o.volatility for o in unit.options], float)
    forward, tau = rows.forward[:, 0], rows.days[:, 0] / YEAR_DAYS
    greeks = black_greeks(forward, rows.strike[:, 0], vol, tau, np.zeros_like(tau), rows.right[:, 0])
    coins = greeks.delta - greeks.value / forward
    return np.asarray(np.where(rows.inverse[:, 0] > 0.0, coins, rows.discount[:, 0] * greeks.delta))


def quantities(unit: RiskUnit) -> FloatArray:
    """Signed coins of each leg [leg]."""
    return np.asarray([leg.quantity for leg in unit.legs], float)


def losses(unit: RiskUnit, pnl: FloatArray) -> FloatArray:
    """−q·R [scenario]: what the positions lose."""
    return np.asarray(-(quantities(unit) @ pnl))


def order_losses(unit: RiskUnit, pnl: FloatArray) -> FloatArray:
    """What working orders add [scenario], each filled where its fill hurts: Σ buys·max(0, −R) + sells·max(0, R)."""
    buys, sells = (np.asarray([getattr(leg, side) for leg in unit.legs], float) for side in ("buys", "sells"))
    return np.asarray(buys @ np.maximum(-pnl, 0.0) + sells @ np.maximum(pnl, 0.0))
