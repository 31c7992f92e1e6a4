"""Distributions of standardised returns, mean 0 and variance 1: normal, Student's t, and Hansen's skewed t.

Hansen's density, with ν degrees of freedom and skewness λ, |λ| < 1:

    g(z) = b·c·(1 + ((b·z + a)/(1 ∓ λ))²/(ν − 2))^(−(ν + 1)/2),  1 − λ for z < −a/b and 1 + λ above,
    c = Γ((ν + 1)/2)/(√(π(ν − 2))·Γ(ν/2)),  a = 4λc(ν − 2)/(ν − 1),  b² = 1 + 3λ² − a².

λ = 0 is Student's t scaled to variance 1, and ν = ∞ with λ = 0 the normal.
Source: Hansen (1994), "Autoregressive conditional density estimation", International Economic Review 35, 705–730.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Innovation:
    """A standardised distribution: `nu` > 2 degrees of freedom (infinite: normal) and `skew` λ in (−1, 1).

    Raises `InvalidInput` for degrees of freedom at or below 2, where no variance exists, and for a skewed normal."""

    nu: float = math.inf
    skew: float = 0.0

    def __post_init__(self) -> None:
        if not self.nu > 2.0:
            raise InvalidInput(
                "degrees of freedom", where="innovation", value=self.nu, limit="above 2", remedy="Fit again."
            )
        if not -1.0 < self.skew < 1.0:
            raise InvalidInput("skewness", where="innovation", value=self.skew, limit="in (−1, 1)", remedy="Fit again.")
        if math.isinf(self.nu) and self.skew != 0.0:
            raise InvalidInput(
                "skewness", where="innovation", value=self.skew, limit="0 for the normal", remedy="Give nu too."
            )

    def quantile(self, p: ArrayLike) -> FloatArray:
        """The z below which a share `p` lies, elementwise; p in [0, 1]."""
        p = np.asarray(p, dtype=np.float64)
        if math.isinf(self.nu):
            return np.asarray(special.ndtri(p))
        a, b, _ = self._constants()
        scale = math.sqrt((self.nu - 2.0) / self.nu)
        low = p < 0.5 * (1.0 - self.skew)
        side = np.where(low, 1.0 - self.skew, 1.0 + self.skew)
        share = np.where(low, p / side, (p + self.skew) / side)
        return np.asarray((side * scale * special.stdtrit(self.nu, share) - a) / b)

    def cdf(self, z: ArrayLike) -> FloatArray:
        """The share that lies below z, elementwise."""
        z = np.asarray(z, dtype=np.float64)
        if math.isinf(self.nu):
            return np.asarray(special.ndtr(z))
        y, side = self._standard(z)
        below = special.stdtr(self.nu, y * math.sqrt(self.nu / (self.nu - 2.0)))
        return np.asarray(side * below - np.where(y < 0.0, 0.0, self.skew))

    def log_density(self, z: ArrayLike) -> FloatArray:
        """ln g(z), elementwise."""
        z = np.asarray(z, dtype=np.float64)
        if math.isinf(self.nu):
            return np.asarray(-0.5 * z * z - 0.5 * math.log(2.0 * math.pi))
        _, b, log_c = self._constants()
        y, _ = self._standard(z)
        return np.asarray(math.log(b) + log_c - 0.5 * (self.nu + 1.0) * np.log1p(y * y / (self.nu - 2.0)))

    def density(self, z: ArrayLike) -> FloatArray:
        """g(z), elementwise."""
        return np.asarray(np.exp(self.log_density(z)))

    def fall_share(self) -> float:
        """The share of the variance that falls bring, ∫ z²·g(z) dz over z < 0: ½ where there is no skew."""
        if self.skew == 0.0:
            return 0.5
        from scipy import integrate  # noqa: PLC0415 it takes a fifth of a second, and few ask

        a, b, _ = self._constants()
        bend = min(-a / b, 0.0)  # The two halves of the density meet here; a quadrature across it loses digits.
        parts = ((-math.inf, bend), (bend, 0.0))
        return sum(float(integrate.quad(lambda z: z * z * float(self.density(z)), *part)[0]) for part in parts)

    def _constants(self) -> tuple[float, float, float]:
        """a, b and ln c."""
        log_c = math.lgamma(0.5 * (self.nu + 1.0)) - math.lgamma(0.5 * self.nu)
        log_c -= 0.5 * math.log(math.pi * (self.nu - 2.0))
        a = 4.0 * self.skew * math.exp(log_c) * (self.nu - 2.0) / (self.nu - 1.0)
        return a, math.sqrt(1.0 + 3.0 * self.skew**2 - a * a), log_c

    def _standard(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(b·z + a)/(1 ∓ λ), and 1 ∓ λ."""
        a, b, _ = self._constants()
        shifted = b * z + a
        side = np.where(shifted < 0.0, 1.0 - self.skew, 1.0 + self.skew)
        return shifted / side, side
