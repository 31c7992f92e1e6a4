"""A volatility surface: one raw-SVI smile per expiry, and how to read between them.

Total variance at equal moneyness is linear in time between listed expiries, and proportional to time before the first
and after the last (flat volatility). Smiles are linear in |k| far out, with slopes at most 2 (Lee, 2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.instant import YEAR_NS
from crossmargin.market.svi import total_variance


class Blend(NamedTuple):
    """Each expiry as a mixture of two listed smiles: w(k) = weight_low·w_low(k) + weight_high·w_high(k)."""

    low: IntArray
    high: IntArray
    weight_low: FloatArray
    weight_high: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VolSurface:
    """Smiles `params` [expiry, 5] in the order a, b, rho, m, sigma, at `expiry_ns` [expiry], ascending.

    `lognormal`: k = ln(K/F) and implied vol √(w/τ). Otherwise (Bachelier) k = (K − F)/scale and normal vol
    scale·√(w/τ), in price units.
    """

    time_ns: int
    expiry_ns: IntArray
    params: FloatArray
    lognormal: bool = True
    scale: float = 1.0

    def blend(self, expiry_ns: ArrayLike) -> Blend:
        """The two listed smiles, and their weights, that make the smile of each expiry."""
        when = np.asarray(expiry_ns, np.int64)
        last = len(self.expiry_ns) - 1
        high = np.clip(np.searchsorted(self.expiry_ns, when), 0, last)
        low = np.where((when < self.expiry_ns[high]) & (high > 0), high - 1, high)
        tau, tau_low = self._tenor(when), self._tenor(self.expiry_ns[low])
        span = np.where(low == high, 1.0, self._tenor(self.expiry_ns[high]) - tau_low)
        weight_high = np.where(low == high, 0.0, (tau - tau_low) / span)
        weight_low = np.where(low == high, tau / tau_low, 1.0 - weight_high)
        return Blend(low, high, weight_low, weight_high)

    def total_variance(self, moneyness: ArrayLike, expiry_ns: ArrayLike) -> FloatArray:
        """w(k) at `expiry_ns`; both broadcast."""
        k = np.asarray(moneyness, np.float64)
        blend = self.blend(expiry_ns)
        low = blend.weight_low * total_variance(k, self.params[blend.low])
        return low + blend.weight_high * total_variance(k, self.params[blend.high])

    def vol(self, moneyness: ArrayLike, expiry_ns: ArrayLike) -> FloatArray:
        """Implied volatility (decimal a year), or normal volatility in price units."""
        variance = self.total_variance(moneyness, expiry_ns)
        vol = np.sqrt(variance / self._tenor(np.asarray(expiry_ns, np.int64)))
        return vol if self.lognormal else self.scale * vol

    def _tenor(self, expiry_ns: IntArray) -> FloatArray:
        return (expiry_ns - self.time_ns) / YEAR_NS
