"""Expiries under shocks of spot and volatility, as both portfolio managers revalue them.

Source: rulebook reference 1.3 to 1.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.margin.rulebooks.derive.building import Basis, VolShock, expiry_values, limit_assets, vol_multipliers
from crossmargin.margin.rulebooks.derive.columns import Columns
from crossmargin.margin.rulebooks.derive.native import Portfolio


def shocked_vols(columns: Columns, shock: VolShock) -> dict[str, FloatArray]:
    """Volatilities [option] by the name of their shock; one shocked up is not below the floor."""
    up, down = (factor[columns.options.expiry] for factor in vol_multipliers(columns.expiries.seconds, shock))
    vol = columns.options.vol
    return {"none": vol, "up": np.maximum(vol * up, shock.vol_floor), "down": vol * down}


def revalued(
    columns: Columns, basis: Basis, scenarios: Sequence[tuple[float, str]], vols: Mapping[str, FloatArray]
) -> FloatArray:
    """Undiscounted values [expiry, 3 + scenario]: now, basis up, basis down, then each (factor on spot, shock of vol).

    A factor moves the variable part of the forward only. `vols` [option] by the name of the shock."""
    expiries, options = columns.expiries, columns.options
    spots = np.asarray([1.0, basis.up, basis.down, *(spot for spot, _ in scenarios)])
    names = list(vols)
    return expiry_values(
        options.expiry_ptr,
        options.strike,
        options.right,
        options.amount,
        np.stack([vols[name] for name in names], axis=1) * np.sqrt(expiries.tenor_years)[options.expiry, None],
        expiries.variable[:, None] * spots + expiries.fixed[:, None],
        np.asarray([names.index(name) for name in ("none", "none", "none", *(vol for _, vol in scenarios))], np.int64),
    )


def basis_losses(columns: Columns, basis: Basis, values: FloatArray) -> FloatArray:
    """The basis contingency of each expiry, ≤ 0: min(0, up, down)·(add + mult·T), of `values` as `revalued` gives."""
    worst = np.minimum(np.minimum(values[:, 1], values[:, 2]) - values[:, 0], 0.0)
    return np.asarray(worst * (basis.add + basis.mult * columns.expiries.tenor_years))


def check_size(portfolio: Portfolio, *, assets_max: int, expiries_max: int) -> None:
    """Raise `InvalidInput` for an account with more assets or expiries than its manager takes."""
    assets = len(portfolio.options) + len(portfolio.collaterals) + (portfolio.perp != 0.0)
    limit_assets(assets, assets_max, "assets")
    limit_assets(len({o.seconds_to_expiry for o in portfolio.options}), expiries_max, "expiries")
