"""Copulas of two factors in closed form: what a pair can look like in its corners, and the oracle for simulations.

C(u, v) is the chance that both factors lie below their quantiles u and v; `density` is its derivative to both, and
`conditional` to v: the chance that the first lies below u given that the second stands at v.
Source: Joe (2014), Dependence Modeling with Copulas, chapter 4; Nelsen (2006), An Introduction to Copulas, section 4.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput

Family = Literal["gaussian", "student", "clayton", "gumbel", "frank"]
_LIMITS: Final[dict[str, tuple[float, float, str]]] = {
    "gaussian": (-1.0, 1.0, "in (−1, 1)"),
    "student": (-1.0, 1.0, "in (−1, 1)"),
    "clayton": (0.0, math.inf, "above 0"),
    "gumbel": (1.0, math.inf, "at least 1"),
    "frank": (-math.inf, math.inf, "finite and not 0"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BivariateCopula:
    """A copula of two factors: `parameter` is ρ (gaussian, student) or θ; `nu` the degrees of freedom of student.

    Raises `InvalidInput` for a parameter outside the family's range."""

    family: Family
    parameter: float
    nu: float = math.nan

    def __post_init__(self) -> None:
        low, high, said = _LIMITS[self.family]
        inside = low < self.parameter < high or (self.family == "gumbel" and self.parameter == 1.0)
        if not inside or (self.family == "frank" and self.parameter == 0.0):
            raise InvalidInput(
                "parameter", where=f"{self.family} copula", value=self.parameter, limit=said, remedy="Correct it."
            )
        if self.family == "student" and not self.nu > 0.0:
            raise InvalidInput(
                "degrees of freedom", where="student copula", value=self.nu, limit="above 0", remedy="Give nu."
            )

    def density(self, u: ArrayLike, v: ArrayLike) -> FloatArray:
        """∂²C/∂u∂v at u and v in (0, 1), elementwise."""
        return _DENSITIES[self.family](np.asarray(u, np.float64), np.asarray(v, np.float64), self)

    def conditional(self, u: ArrayLike, v: ArrayLike) -> FloatArray:
        """∂C/∂v, the distribution of the first at u given the second at v, elementwise."""
        return _CONDITIONALS[self.family](np.asarray(u, np.float64), np.asarray(v, np.float64), self)

    @property
    def kendall_tau(self) -> float:
        """Kendall's τ: (2/π)·asin ρ; θ/(θ + 2); 1 − 1/θ; Frank 1 − 4/θ·(1 − D₁(θ)), D₁ the first Debye function."""
        theta = self.parameter
        if self.family in ("gaussian", "student"):
            return 2.0 / math.pi * math.asin(theta)
        if self.family == "clayton":
            return theta / (theta + 2.0)
        return 1.0 - 1.0 / theta if self.family == "gumbel" else _frank_tau(theta)

    @property
    def tail_dependence(self) -> tuple[float, float]:
        """Of the lower and the upper tail: the chance that one is beyond q given the other is, q going to its end."""
        theta = self.parameter
        if self.family == "student":
            ratio = (self.nu + 1.0) * (1.0 - theta) / (1.0 + theta)
            both = float(2.0 * special.stdtr(self.nu + 1.0, -math.sqrt(ratio)))
            return both, both
        if self.family == "clayton":
            return 2.0 ** (-1.0 / theta), 0.0
        return (0.0, 2.0 - 2.0 ** (1.0 / theta)) if self.family == "gumbel" else (0.0, 0.0)


def of_kendall_tau(family: Family, tau: float, *, nu: float = math.nan) -> BivariateCopula:
    """The copula of a family with Kendall's τ; raises `InvalidInput` for a τ that the family cannot have."""
    lowest = 0.0 if family in ("clayton", "gumbel") else -1.0
    if not lowest <= tau < 1.0 or (tau == lowest and family != "gumbel") or (tau == 0.0 and family == "frank"):
        limit = f"above {lowest:g}, below 1" + (", not 0" if family == "frank" else "")
        raise InvalidInput(
            "Kendall's tau", where=f"{family} copula", value=tau, limit=limit, remedy="Take another family."
        )
    if family in ("gaussian", "student"):
        parameter = math.sin(0.5 * math.pi * tau)
    elif family == "clayton":
        parameter = 2.0 * tau / (1.0 - tau)
    elif family == "gumbel":
        parameter = 1.0 / (1.0 - tau)
    else:
        ceiling = 8.0 / (1.0 - abs(tau))
        parameter = math.copysign(optimize.brentq(lambda x: _frank_tau(x) - abs(tau), 1e-9, ceiling, xtol=1e-13), tau)
    return BivariateCopula(family=family, parameter=parameter, nu=nu)


def _frank_tau(theta: float) -> float:
    if abs(theta) < 1e-4:
        return theta / 9.0
    size = abs(theta)
    # ∫₀^θ t/(e^t − 1) dt = π²/6 + θ·ln(1 − e^−θ) − Li₂(e^−θ), and Li₂(x) = spence(1 − x).
    debye = math.pi**2 / 6.0 + size * math.log(-math.expm1(-size)) - float(special.spence(-math.expm1(-size)))
    return math.copysign(1.0 - 4.0 / size * (1.0 - debye / size), theta)


def _gaussian_density(u: FloatArray, v: FloatArray, c: BivariateCopula) -> FloatArray:
    x, y, free = special.ndtri(u), special.ndtri(v), 1.0 - c.parameter**2
    exponent = c.parameter * (2.0 * x * y - c.parameter * (x * x + y * y)) / (2.0 * free)
    return np.asarray(np.exp(exponent) / math.sqrt(free))


def _gaussian_conditional(u: FloatArray, v: FloatArray, c: BivariateCopula) -> FloatArray:
    x, y = special.ndtri(u), special.ndtri(v)
    return np.asarray(special.ndtr((x - c.parameter * y) / math.sqrt(1.0 - c.parameter**2)))


def _student_density(u: FloatArray, v: FloatArray, c: BivariateCopula) -> FloatArray:
    x, y, nu, free = special.stdtrit(c.nu, u), special.stdtrit(c.nu, v), c.nu, 1.0 - c.parameter**2
    square = (x * x - 2.0 * c.parameter * x * y + y * y) / free
    constant = math.lgamma(0.5 * nu + 1.0) + math.lgamma(0.5 * nu) - 2.0 * math.lgamma(0.5 * (nu + 1.0))
    bend = 0.5 * (nu + 1.0) * (np.log1p(x * x / nu) + np.log1p(y * y / nu)) - 0.5 * (nu + 2.0) * np.log1p(square / nu)
    return np.asarray(np.exp(constant + bend) / math.sqrt(free))


def _student_conditional(u: FloatArray, v: FloatArray, c: BivariateCopula) -> FloatArray:
    x, y = special.stdtrit(c.nu, u), special.stdtrit(c.nu, v)
    spread = np.sqrt((c.nu + y * y) * (1.0 - c.parameter**2) / (c.nu + 1.0))
    return np.asarray(special.stdtr(c.nu + 1.0, (x - c.parameter * y) / spread))


def _clayton_density(u: FloatArray, v: FloatArray, c: BivariateCopula) -> FloatArray:
    theta = c.parameter
    total = u**-theta + v**-theta - 1.0
    return np.asarray((1.0 + theta) * (u * v) ** (-1.0 - theta) * total ** (-2.0 - 1.0 / theta))


def _clayton_conditional(u: FloatArray, v: FloatArray, c: BivariateCopula) -> FloatArray:
    theta = c.parameter
    return np.asarray(v ** (-1.0 - theta) * (u**-theta + v**-theta - 1.0) ** (-1.0 - 1.0 / theta))


def _gumbel_density(u: FloatArray, v: FloatArray, c: BivariateCopula) -> FloatArray:
    theta, x, y = c.parameter, -np.log(u), -np.log(v)
    total = x**theta + y**theta
    root = total ** (1.0 / theta)
    shape = (x * y) ** (theta - 1.0) * total ** (1.0 / theta - 2.0) * (root + theta - 1.0)
    return np.asarray(np.exp(-root) * shape / (u * v))


def _gumbel_conditional(u: FloatArray, v: FloatArray, c: BivariateCopula) -> FloatArray:
    theta, x, y = c.parameter, -np.log(u), -np.log(v)
    total = x**theta + y**theta
    return np.asarray(np.exp(-(total ** (1.0 / theta))) * total ** (1.0 / theta - 1.0) * y ** (theta - 1.0) / v)


def _frank_density(u: FloatArray, v: FloatArray, c: BivariateCopula) -> FloatArray:
    theta = c.parameter
    whole = -np.expm1(-theta)
    bottom = whole - np.expm1(-theta * u) * np.expm1(-theta * v)
    return np.asarray(theta * whole * np.exp(-theta * (u + v)) / bottom**2)


def _frank_conditional(u: FloatArray, v: FloatArray, c: BivariateCopula) -> FloatArray:
    theta = c.parameter
    bottom = -np.expm1(-theta) - np.expm1(-theta * u) * np.expm1(-theta * v)
    return np.asarray(-np.expm1(-theta * u) * np.exp(-theta * v) / bottom)


_DENSITIES: Final = {
    "gaussian": _gaussian_density,
    "student": _student_density,
    "clayton": _clayton_density,
    "gumbel": _gumbel_density,
    "frank": _frank_density,
}
_CONDITIONALS: Final = {
    "gaussian": _gaussian_conditional,
    "student": _student_conditional,
    "clayton": _clayton_conditional,
    "gumbel": _gumbel_conditional,
    "frank": _frank_conditional,
}
