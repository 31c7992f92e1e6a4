"""Greeks of options by the field's names, in quote currency and, for inverse options, price-adjusted in coin."""

from __future__ import annotations

import numpy as np

from crossmargin.core.arrays import BoolArray, IndexArray
from crossmargin.core.instant import YEAR_NS
from crossmargin.instruments.table import Family, InstrumentTable, PayoutCode
from crossmargin.market.snapshot import Snapshot, Underlying
from crossmargin.valuation.kernels.bachelier import normal_greeks
from crossmargin.valuation.kernels.black76 import Greeks, black_greeks, price_adjusted_greeks
from crossmargin.valuation.world import rate_curve, surface_of


def option_greeks(table: InstrumentTable, snapshot: Snapshot, *, price_adjusted: bool = False) -> dict[str, Greeks]:
    """Greeks of one unit of the underlying for every European option, by underlying, in the order of the table.

    `price_adjusted`: inverse options in coin (delta net of the premium, as venues quote it). Units as in `Greeks`:
    vega per vol point, theta per day. Raises `MissingFactors` for a surface or curve the market lacks.
    """
    found: dict[str, Greeks] = {}
    rows = table.rows_of(Family.OPTION)
    rows = rows[~table.american[rows]]
    for code in np.unique(table.underlying[rows]):
        u = snapshot.underlyings[table.underlyings[code]]
        mine = rows[table.underlying[rows] == code]
        inverse = table.payout[mine] == PayoutCode.INVERSE
        greeks = _greeks(table, snapshot, u, mine, inverse)
        if price_adjusted and inverse.any():
            in_coin = price_adjusted_greeks(greeks, u.curve(table.expiry_ns[mine]))
            greeks = _choose(inverse, in_coin, greeks)
        found[u.name] = greeks
    return found


def _greeks(table: InstrumentTable, snapshot: Snapshot, u: Underlying, rows: IndexArray, inverse: BoolArray) -> Greeks:
    surface, expiry, strike = surface_of(u), table.expiry_ns[rows], table.strike[rows]
    forward = u.curve(expiry)
    tenor = (expiry - snapshot.time_ns) / YEAR_NS
    moneyness = np.log(strike / forward) if surface.lognormal else (strike - forward) / surface.scale
    discounted = table.discounted[rows] & ~inverse
    rate = np.zeros(len(rows))
    if discounted.any():
        rate = np.where(discounted, rate_curve(snapshot, u.quote).rate_at(tenor), 0.0)
    kernel = black_greeks if surface.lognormal else normal_greeks
    return kernel(forward, strike, surface.vol(moneyness, expiry), tenor, rate, table.right[rows])


def _choose(where: BoolArray, first: Greeks, second: Greeks) -> Greeks:
    return Greeks(
        **{name: np.where(where, getattr(first, name), getattr(second, name)) for name in Greeks.__dataclass_fields__}
    )
