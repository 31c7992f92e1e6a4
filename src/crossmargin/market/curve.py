"""Forward curves of underlyings and zero curves of currencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.instant import NEVER_NS, YEAR_NS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForwardCurve:
    """Forwards by expiry, in quote currency.

    Between `time_ns` (at the spot) and the listed expiries the forward is log-linear in time; beyond the last the
    carry is constant. Curves of prices that may be negative (`lognormal` false) are linear instead.
    """

    time_ns: int
    spot: float
    expiry_ns: IntArray
    forward: FloatArray
    lognormal: bool = True

    def __call__(self, expiry_ns: ArrayLike) -> FloatArray:
        """Forwards for `expiry_ns`; the spot for `NEVER_NS`."""
        when = np.asarray(expiry_ns, np.int64)
        tenor = np.where(when == NEVER_NS, 0, when - self.time_ns) / YEAR_NS
        if not len(self.expiry_ns):
            return np.full(np.shape(tenor), self.spot)
        known = (self.expiry_ns - self.time_ns) / YEAR_NS
        level = np.log(self.forward / self.spot) if self.lognormal else self.forward - self.spot
        moved = np.interp(tenor, np.concatenate([[0.0], known]), np.concatenate([[0.0], level]))
        moved = np.where(tenor > known[-1], level[-1] * tenor / known[-1], moved)
        return np.asarray(self.spot * np.exp(moved) if self.lognormal else self.spot + moved)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RateCurve:
    """Continuously compounded zero rates, linear in tenor and flat outside its points."""

    tenor_years: FloatArray
    rate: FloatArray

    def rate_at(self, tenor_years: ArrayLike) -> FloatArray:
        """Zero rate (decimal a year) for each tenor."""
        return np.asarray(np.interp(np.asarray(tenor_years, np.float64), self.tenor_years, self.rate))

    def discount(self, tenor_years: ArrayLike) -> FloatArray:
        """exp(−r τ) for each tenor."""
        tenor = np.asarray(tenor_years, np.float64)
        return np.exp(-self.rate_at(tenor) * tenor)
