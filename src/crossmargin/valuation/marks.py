"""Prices and values of instruments at the snapshot itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.core.errors import UnknownName
from crossmargin.instruments.table import Family, InstrumentTable, PayoutCode
from crossmargin.market.snapshot import USD, Snapshot, factors_of

LINEAR_FAMILIES = (Family.PERPETUAL, Family.FUTURE, Family.BOND_FUTURE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marks:
    """`price` [instrument] in quote currency: the mark, or the curve's forward where no mark is given; NaN for
    instruments without a price (options are marked in `value_usd`, sensitivities have none). `settle_usd` is the USD
    price of the settlement asset, `notional_usd` of one contract, without sign.
    """

    price: FloatArray
    settle_usd: FloatArray
    notional_usd: FloatArray


def required_factors(table: InstrumentTable, assets: Iterable[str] = ()) -> dict[str, str]:
    """Every market figure that valuing `table` (and holding `assets`) takes, with one instrument that needs it."""
    need: dict[str, str] = {f"asset {asset}": asset for asset in assets if asset != USD}
    for i, name in enumerate(table.ids):
        family = table.family[i]
        settle = table.assets[table.settle[i]]
        if settle != USD:
            need.setdefault(f"asset {settle}", name)
        if table.underlying[i] >= 0 and family != Family.SENSITIVITIES:
            need.setdefault(f"underlying {table.underlyings[table.underlying[i]]}", name)
        if family == Family.OPTION:
            need.setdefault(f"vol:{table.underlyings[table.underlying[i]]}", name)
    return need


def missing_factors(table: InstrumentTable, snapshot: Snapshot, assets: Iterable[str] = ()) -> dict[str, str]:
    """What the market lacks of what valuing `table` takes: each factor, with one instrument that needs it."""
    have = {f"asset {name}" for name in snapshot.assets} | {f"underlying {name}" for name in snapshot.underlyings}
    have |= set(factors_of(snapshot))
    need = required_factors(table, assets) | _discounting(table, snapshot)
    need |= {factor: table.ids[i] for i, t in table.ladders.items() for factor in ladder_names(t.deltas, t.gammas)}
    return {factor: user for factor, user in need.items() if factor not in have}


def ladder_names(deltas: Iterable[object], gammas: Iterable[object]) -> set[str]:
    """The factors of a ladder, without their tenor nodes."""
    names = {getattr(term, field, "") for term in (*deltas, *gammas) for field in ("factor", "other")}
    return {":".join(name.split(":")[:2]) for name in names if name}


def _discounting(table: InstrumentTable, snapshot: Snapshot) -> dict[str, str]:
    need: dict[str, str] = {}
    for i in table.rows_of(Family.OPTION, Family.FORWARD):
        name = table.underlyings[table.underlying[i]]
        discounted = table.discounted[i] and table.payout[i] == PayoutCode.LINEAR
        if discounted and name in snapshot.underlyings:
            need.setdefault(f"rate:{discount_currency(table, snapshot, int(i))}", table.ids[i])
    return need


def discount_currency(table: InstrumentTable, snapshot: Snapshot, row: int) -> str:
    """The currency whose zero curve discounts an instrument: that of its underlying's quote."""
    return snapshot.underlyings[table.underlyings[table.underlying[row]]].quote


def marks(table: InstrumentTable, snapshot: Snapshot) -> Marks:
    """Prices of all instruments at the snapshot."""
    price = np.full(len(table), np.nan)
    quote_usd = np.ones(len(table))
    for code, name in enumerate(table.underlyings):
        rows = np.flatnonzero(table.underlying == code)
        if name in snapshot.underlyings:
            u = snapshot.underlyings[name]
            price[rows] = u.curve(table.expiry_ns[rows])
            quote_usd[rows] = snapshot.asset_price(u.quote)
    for i, name in enumerate(table.ids):
        if name in snapshot.marks:
            price[i] = _checked_mark(table, snapshot, i)
    settle_usd = np.asarray([snapshot.asset_price(a) for a in table.assets])[table.settle] if len(table) else price
    spot_rows = table.family == Family.SPOT
    price = np.where(spot_rows, settle_usd, price)
    inverse_future = (table.payout == PayoutCode.INVERSE) & np.isin(table.family, LINEAR_FAMILIES)
    linear_notional = table.multiplier * np.nan_to_num(price) * np.where(spot_rows, 1.0, quote_usd)
    notional = np.where(inverse_future, table.multiplier * quote_usd, linear_notional)
    return Marks(price=frozen(price), settle_usd=frozen(settle_usd), notional_usd=frozen(np.abs(notional)))


def _checked_mark(table: InstrumentTable, snapshot: Snapshot, row: int) -> float:
    mark, name = snapshot.marks[table.ids[row]], table.ids[row]
    if Family(table.family[row]) not in LINEAR_FAMILIES or table.underlyings[table.underlying[row]] != mark.underlying:
        raise UnknownName(
            f"mark of {name}",
            where="market: marks",
            value=mark.underlying,
            known=table.underlyings,
            remedy="Mark futures and perpetuals, on their own underlying; options are marked by the surface.",
        )
    return mark.price
