"""Whether a surface of raw SVI smiles admits static arbitrage, looked at without regard to how it was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import SurfaceArbitrage
from crossmargin.market.svi import LEE_SLOPE_MAX, density_factor, total_variance

_EVEN: Final = np.linspace(-3.0, 3.0, 1201)
# Dense at the money, where the smiles of the nearest expiries bend; out to where every price has faded.
_FAR: Final = 0.002 * np.sinh(np.linspace(-1.0, 1.0, 801) * np.arcsinh(10.0 / 0.002))
_AROUND_BEND: Final = np.sinh(np.linspace(-4.0, 4.0, 41))
# What rounding makes of zero in w, whose terms are of the order of one.
_ROUNDING: Final = 1e-14


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArbitrageFindings:
    """The least of each measure that arbitrage makes negative; arrays are [expiry].

    `density_min` of g(k) and `density_k` where; `growth_min` of w(k) − w(k) of the expiry before (of w itself for the
    first) and `growth_k` where; `slope_max` the steeper wing, which Lee bounds by 2; `slope_growth_min` of the two
    wings' slopes since the expiry before, which decides beyond every grid.
    """

    density_min: FloatArray
    density_k: FloatArray
    growth_min: FloatArray
    growth_k: FloatArray
    slope_max: FloatArray
    slope_growth_min: FloatArray

    @property
    def butterfly(self) -> FloatArray:
        """Which smiles [expiry] admit butterfly arbitrage, or wings beyond Lee's bound."""
        return np.asarray((self.density_min < 0.0) | (self.slope_max > LEE_SLOPE_MAX))

    @property
    def calendar(self) -> FloatArray:
        """Which smiles [expiry] admit calendar arbitrage with the one before (the first: negative variance)."""
        return np.asarray((self.growth_min < -_ROUNDING) | (self.slope_growth_min < -_ROUNDING))

    @property
    def is_free(self) -> bool:
        """Whether there is no static arbitrage."""
        return not (self.butterfly.any() or self.calendar.any())


def examine(params: FloatArray) -> ArbitrageFindings:
    """Findings for smiles `params` [expiry, 5], ascending in expiry, on some 2,000 moneynesses out to |k| = 100.

    The grid holds an even part, one dense at the money, and nodes around the bend of every smile.
    Source of the conditions: Gatheral and Jacquier (2014), sections 2.1 and 2.2; Lee (2004)."""
    bends = params[:, 3:4] + params[:, 4:5] * _AROUND_BEND
    k = np.unique(np.concatenate([_EVEN, _FAR, bends.ravel()]))
    smiles = params[:, None, :]
    w = total_variance(k, smiles)
    growth = np.diff(w, axis=0, prepend=np.zeros((1, k.size)))
    with np.errstate(divide="ignore", invalid="ignore"):
        g = density_factor(k, smiles)
    g = np.where(np.isfinite(g) & (w > 0.0), g, -np.inf)
    slopes = params[:, 1:2] * (1.0 + params[:, 2:3] * np.array([1.0, -1.0]))
    rise = np.diff(slopes, axis=0, prepend=np.zeros((1, 2)))
    return ArbitrageFindings(
        density_min=g.min(axis=1),
        density_k=k[g.argmin(axis=1)],
        growth_min=growth.min(axis=1),
        growth_k=k[growth.argmin(axis=1)],
        slope_max=slopes.max(axis=1),
        slope_growth_min=rise.min(axis=1),
    )


def require_free(params: FloatArray, *, where: str) -> ArbitrageFindings:
    """The findings of a surface without static arbitrage; raises `SurfaceArbitrage` at the first smile that has it."""
    found = examine(params)
    for e in np.flatnonzero(found.butterfly)[:1]:
        what, value = f"g at k = {found.density_k[e]:.4g}", float(found.density_min[e])
        if value >= 0.0:
            what, value = "slope of a wing", float(found.slope_max[e])
        raise _arbitrage(
            what, f"{where}[{e}]", value, "at least 0 (g) and at most 2 (slope): a butterfly costs less than 0"
        )
    for e in np.flatnonzero(found.calendar)[:1]:
        what, value = f"growth of total variance at k = {found.growth_k[e]:.4g}", float(found.growth_min[e])
        if value >= -_ROUNDING:
            what, value = "growth of a wing's slope", float(found.slope_growth_min[e])
        raise _arbitrage(what, f"{where}[{e}]", value, "at least 0: the later option costs less than the earlier")
    return found


def _arbitrage(what: str, where: str, value: float, limit: str) -> SurfaceArbitrage:
    remedy = "Fit the smiles together (`build_chain` does), or correct the parameters."
    return SurfaceArbitrage(what, where=where, value=value, limit=limit, remedy=remedy)
