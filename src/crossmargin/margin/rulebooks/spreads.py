"""What scenario rulebooks charge beside their grid: deltas along the curve, across stablecoins, and by tiers.

All of it reads the legs of one coin and returns USD. Orders count as a reach: what all buys, or all sells, would leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeAlias, cast

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import YEAR_DAYS
from crossmargin.instruments.table import InstrumentTable
from crossmargin.margin.rulebooks.scanning import RiskUnit, option_deltas

Currency: TypeAlias = Literal["USD", "USDT", "USDC"]
PAIRS: Final[tuple[tuple[Currency, Currency], ...]] = (("USDT", "USD"), ("USDT", "USDC"), ("USDC", "USD"))
_CURRENCIES: Final[tuple[Currency, ...]] = ("USD", "USDT", "USDC")


class QuotedUnit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is held in one coin, and the currency that each contract is quoted in, by its name.

    Inverse contracts are quoted in USD and spot in none, so neither is named.
    """

    unit: RiskUnit
    quotes: Mapping[str, Currency] = {}

    def __post_init__(self) -> None:
        """Check that every contract that needs a currency has one."""
        for leg in self.unit.legs:
            if not leg.inverse and getattr(leg, "kind", "") != "spot":
                check.known(leg.instrument, self.quotes, "contract without a quote currency", where=self.unit.coin)


def quote_units(units: Mapping[str, RiskUnit], table: InstrumentTable) -> tuple[dict[str, QuotedUnit], tuple[str, ...]]:
    """Units with the currency each contract settles in, and notes on those that settle in another than a known one."""
    settles = {name: table.assets[table.settle[row]] for row, name in enumerate(table.ids)}
    found, notes = {}, []
    for coin, unit in units.items():
        names = [leg.instrument for leg in unit.legs if leg.instrument in settles]
        odd = [n for n in names if settles[n] not in _CURRENCIES and settles[n] != coin]
        notes += [f"{name}: settled in {settles[name]}, counted as quoted in USD" for name in odd]
        quotes = {n: cast(Currency, settles[n]) if settles[n] in _CURRENCIES else "USD" for n in names}
        found[coin] = QuotedUnit(unit=unit, quotes=quotes)
    return found, tuple(notes)


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of an amount (USD) up to `cap`, and above the tier before, counts `factor` times."""

    cap: float
    factor: float


def check_tiers(tiers: Sequence[Tier], *, where: str) -> None:
    """Raise `InvalidInput` unless caps rise to infinity and factors do not fall."""
    rising = all(a.cap < b.cap and a.factor <= b.factor for a, b in pairwise(tiers))
    if not tiers or not rising or tiers[-1].cap != np.inf or not tiers[0].cap > 0.0 or not tiers[0].factor >= 0.0:
        caps = [(t.cap, t.factor) for t in tiers]
        limit, remedy = "rising caps, the last infinite, and factors that do not fall", "Correct the tiers."
        raise InvalidInput("tiers", where=where, value=caps, limit=limit, remedy=remedy)


def tiered(amount: float, tiers: Sequence[Tier]) -> float:
    """Σ factor·(part of `amount` in the tier): each factor on its own part, like tax brackets."""
    caps, factors = (np.asarray([getattr(t, name) for t in tiers], float) for name in ("cap", "factor"))
    floors = np.concatenate(([0.0], caps[:-1]))
    return float(factors @ np.clip(amount - floors, 0.0, caps - floors))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tenors:
    """Legs by time to expiry: `days` [tenor] ascending from 0, where spot and perpetuals are; `of` [leg]."""

    days: FloatArray
    of: IntArray

    def summed(self, amounts: FloatArray) -> FloatArray:
        """Sums of `amounts` [leg] by tenor [tenor]."""
        return np.asarray(np.bincount(self.of, amounts, minlength=len(self.days)), float)

    def years(self) -> FloatArray:
        """`days` in years of 365."""
        return self.days / YEAR_DAYS


def tenors(unit: RiskUnit) -> Tenors:
    """The times to expiry of the legs."""
    days, of = np.unique([0.0, *(leg.days or 0.0 for leg in unit.legs)], return_inverse=True)
    return Tenors(days=days, of=np.asarray(of[1:], np.int64))


def unit_deltas_usd(unit: RiskUnit) -> FloatArray:
    """What one coin of each leg gains on a rise by 100 %, to first order [leg], USD.

    The mark of a linear contract, the forward times the delta of a linear option, the index times that of what settles
    in coins.
    """
    linear = [unit.index if leg.inverse else leg.price for leg in unit.linear]
    options = [unit.index if leg.inverse else leg.forward for leg in unit.options]
    return np.concatenate([linear, option_deltas(unit) * np.asarray(options, float)])


def is_derivative(unit: RiskUnit) -> FloatArray:
    """1 for contracts, 0 for spot [leg]."""
    return np.asarray([0.0 if getattr(leg, "kind", "") == "spot" else 1.0 for leg in unit.legs], float)


def sizes(unit: RiskUnit, *, orders: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Signed coins held, and those on order to buy and to sell, each [leg]; no orders where they do not count."""
    held, buys, sells = (
        np.asarray([getattr(leg, n) for leg in unit.legs], float) for n in ("quantity", "buys", "sells")
    )
    return (held, buys, sells) if orders else (held, np.zeros_like(buys), np.zeros_like(sells))


def reach(unit: RiskUnit, per_coin: FloatArray, by: Tenors, *, orders: bool) -> FloatArray:
    """The largest |Σ q·x| by tenor [tenor] that fills of orders can leave, x = `per_coin` [leg]."""
    held, buys, sells = sizes(unit, orders=orders)
    at = by.summed(held * per_coin)
    up = by.summed(buys * np.maximum(per_coin, 0.0) + sells * np.maximum(-per_coin, 0.0))
    down = by.summed(buys * np.maximum(-per_coin, 0.0) + sells * np.maximum(per_coin, 0.0))
    return np.maximum(np.abs(at + up), np.abs(at - down))


def largest(unit: RiskUnit, *, orders: bool) -> FloatArray:
    """The largest size of each leg [leg], coins, that its orders can leave."""
    held, buys, sells = sizes(unit, orders=orders)
    return np.maximum(np.abs(held + buys), np.abs(held - sells))


def matched_days(amounts: FloatArray, days: FloatArray) -> float:
    """Σ matched amount·|days apart| of long against short, the nearest matched first; 0 where nothing is matched.

    `amounts` [tenor] are signed, `days` ascend. The smaller side is matched in full, the larger one in proportion.
    With both sides scaled to the same total, this is the area under their running sum.
    """
    long, short = np.maximum(amounts, 0.0), np.maximum(-amounts, 0.0)
    matched = min(long.sum(), short.sum())
    if matched <= 0.0:
        return 0.0
    flow = long * (matched / long.sum()) - short * (matched / short.sum())
    return float(np.abs(np.cumsum(flow)[:-1]) @ np.diff(days))


def cash_deltas(quoted: QuotedUnit, amounts: FloatArray) -> dict[Currency, float]:
    """Signed sums of `amounts` [leg] over the contracts of each currency; spot in none."""
    legs = quoted.unit.legs
    names = ["" if getattr(x, "kind", "") == "spot" else quoted.quotes.get(x.instrument, "USD") for x in legs]
    return {currency: float(amounts[[n == currency for n in names]].sum()) for currency in _CURRENCIES}


def matched_pairs(cash: Mapping[Currency, float]) -> dict[tuple[Currency, Currency], float]:
    """What is long in one currency against short in another, USDT-USD first, then USDT-USDC, then USDC-USD."""
    left, found = dict(cash), {}
    for a, b in PAIRS:
        size = min(abs(left[a]), abs(left[b])) if left[a] * left[b] < 0.0 else 0.0
        found[a, b] = size
        left[a] -= np.copysign(size, left[a])
        left[b] -= np.copysign(size, left[b])
    return found


def spot_hedge(balance: float, delta: float) -> float:
    """Coins of a balance that stand against a delta of contracts: the smaller of the two, 0 on the same side."""
    return float(np.copysign(min(abs(balance), abs(delta)), balance)) if balance * delta < 0.0 else 0.0
