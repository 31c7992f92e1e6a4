"""Prices and values of instruments at the snapshot itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray, frozen
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.instruments.table import Family, InstrumentTable, PayoutCode
from crossmargin.market.snapshot import USD, Snapshot, factors_of, normal_scale
from crossmargin.scenarios.factors import parse_factor

LINEAR_FAMILIES = (Family.PERPETUAL, Family.FUTURE, Family.BOND_FUTURE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marks:
    """`price` [instrument] in quote currency: the mark, or the curve's forward where no mark is given (also for an
    option, which is valued on it), for a perpetual spot · exp(basis); NaN for sensitivities, which have none.
    `settle_usd` is the USD price of the settlement asset. `notional_usd` is that of one contract, without sign: m·P in
    quote currency, m·P of the settlement asset for a quanto, m of quote currency for an inverse future, zero for
    sensitivities.
    """

    price: FloatArray
    settle_usd: FloatArray
    notional_usd: FloatArray


def required_factors(table: InstrumentTable, assets: Iterable[str] = ()) -> dict[str, str]:
    """Every market figure that valuing `table` (and holding `assets`) takes, with one instrument that needs it."""
    need: dict[str, str] = {f"asset {asset}": asset for asset in assets if asset != USD}
    for i in _kinds(table):
        name, family = table.ids[i], table.family[i]
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
    # Any chain may fail: the market holds no figure of it.
    return {name: user for name, user in need.items() if name not in have and not name.startswith("chain:")}


def ladder_names(deltas: Iterable[object], gammas: Iterable[object]) -> set[str]:
    """The factors of a ladder, without their tenor nodes."""
    names = {getattr(term, field, "") for term in (*deltas, *gammas) for field in ("factor", "other")}
    parts = [parse_factor(name, where="sensitivities") for name in names if name]
    return {f"{part.kind}:{part.name}" for part in parts}


def _kinds(table: InstrumentTable) -> IntArray:
    """The first row of each kind that needs the same figures, ascending."""
    columns = (table.family, table.underlying, table.settle, table.payout, table.discounted)
    keys = np.stack([np.asarray(column, np.int64) for column in columns])
    return np.sort(np.unique(keys, axis=1, return_index=True)[1])


def _discounting(table: InstrumentTable, snapshot: Snapshot) -> dict[str, str]:
    need: dict[str, str] = {}
    for i in _kinds(table):
        if table.family[i] not in (Family.OPTION, Family.FORWARD):
            continue
        name = table.underlyings[table.underlying[i]]
        discounted = table.discounted[i] and table.payout[i] != PayoutCode.INVERSE
        if discounted and name in snapshot.underlyings:
            need.setdefault(f"rate:{discount_currency(table, snapshot, int(i))}", table.ids[i])
    return need


def discount_currency(table: InstrumentTable, snapshot: Snapshot, row: int) -> str:
    """The currency whose zero curve discounts an instrument: that of its underlying's quote."""
    return snapshot.underlyings[table.underlyings[table.underlying[row]]].quote


def marks(table: InstrumentTable, snapshot: Snapshot) -> Marks:
    """Prices of all instruments at the snapshot.

    Raises `MissingFactors` for assets and underlyings it lacks, `InvalidInput` for a mark on another underlying, and
    for an inverse contract that does not settle in its coin.
    """
    _require_names(table, snapshot)
    _require_coins(table, snapshot)
    price, basis = np.full(len(table), np.nan), np.zeros(len(table))
    quote_usd = np.ones(len(table))
    for code, name in enumerate(table.underlyings):
        rows = np.flatnonzero(table.underlying == code)
        if name in snapshot.underlyings:
            u = snapshot.underlyings[name]
            price[rows], basis[rows] = u.curve(table.expiry_ns[rows]), u.basis
            quote_usd[rows] = snapshot.asset_price(u.quote)
    for i, name in enumerate(table.ids):
        if name in snapshot.marks:
            price[i], basis[i] = _checked_mark(table, snapshot, i), snapshot.marks[name].basis_move
    price = _with_basis(table, snapshot, price, basis)
    settle_usd = np.asarray([snapshot.asset_price(a) for a in table.assets])[table.settle] if len(table) else price
    spot_rows = table.family == Family.SPOT
    ladders = table.family == Family.SENSITIVITIES
    price = np.where(spot_rows, settle_usd, np.where(ladders, np.nan, price))
    inverse_future = (table.payout == PayoutCode.INVERSE) & np.isin(table.family, LINEAR_FAMILIES)
    quanto = table.payout == PayoutCode.QUANTO
    unit_usd = np.where(spot_rows, 1.0, np.where(quanto, settle_usd, quote_usd))
    linear_notional = table.multiplier * np.nan_to_num(price) * unit_usd
    notional = np.where(inverse_future, table.multiplier * quote_usd, linear_notional)
    return Marks(price=frozen(price), settle_usd=frozen(settle_usd), notional_usd=frozen(np.abs(notional)))


def _with_basis(table: InstrumentTable, snapshot: Snapshot, price: FloatArray, basis: FloatArray) -> FloatArray:
    """Prices of perpetuals `basis` [instrument] away: in logs, or by units of scale where prices may be negative."""
    moved = np.flatnonzero((table.family == Family.PERPETUAL) & (basis != 0.0))
    found = price.copy()
    for row in moved:
        u = snapshot.underlyings[table.underlyings[table.underlying[row]]]
        away = basis[row]
        found[row] = price[row] * np.exp(away) if u.curve.lognormal else price[row] + away * normal_scale(u)
    return found


def _require_names(table: InstrumentTable, snapshot: Snapshot) -> None:
    priced = set(np.unique(table.underlying[table.family != Family.SENSITIVITIES]))
    missing = [f"asset {name}" for name in table.assets if name != USD and name not in snapshot.assets]
    missing += [
        f"underlying {name}"
        for code, name in enumerate(table.underlyings)
        if code in priced and name not in snapshot.underlyings
    ]
    if missing:
        raise MissingFactors(missing, where="market")


def _require_coins(table: InstrumentTable, snapshot: Snapshot) -> None:
    """An inverse contract pays 1/P of the coin it settles in: of another asset it would be a wrong number of units."""
    rows = np.flatnonzero(table.payout == PayoutCode.INVERSE)
    _, first = np.unique(np.stack([table.settle[rows], table.underlying[rows]]), axis=1, return_index=True)
    for row in rows[first]:
        settle, u = table.assets[table.settle[row]], snapshot.underlyings[table.underlyings[table.underlying[row]]]
        if settle == USD or snapshot.assets[settle].reference != u.name:
            raise InvalidInput(
                "settlement asset",
                where=table.ids[row],
                value=settle,
                limit=f"an asset whose reference is {u.name}: the contract is inverse",
                remedy="Correct `settle`, or state payout linear or quanto.",
            )


def _checked_mark(table: InstrumentTable, snapshot: Snapshot, row: int) -> float:
    mark, name = snapshot.marks[table.ids[row]], table.ids[row]
    if Family(table.family[row]) not in LINEAR_FAMILIES:
        raise InvalidInput(
            f"mark of {name}",
            where="market: marks",
            value=mark.price,
            limit="a future or perpetual",
            remedy="Leave it out: options are marked by the surface, other instruments by their underlying.",
        )
    if table.underlyings[table.underlying[row]] != mark.underlying:
        raise InvalidInput(
            f"underlying of the mark of {name}",
            where="market: marks",
            value=mark.underlying,
            limit=f"{table.underlyings[table.underlying[row]]}, as the instrument's",
            remedy="Correct the mark or the instrument.",
        )
    return mark.price
