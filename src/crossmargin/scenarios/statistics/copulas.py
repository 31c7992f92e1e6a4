"""Joint moves apart from their sizes: Gaussian, t, grouped-t and vine copulas, fitted and simulated.

Uniforms are [factor, scenario] and lie in (0, 1); a quantile function of each factor makes moves of them. Draws are
scrambled Sobol points, so a seed gives the same scenarios every time, and tails are filled more evenly than by chance.

A grouped t gives each group of factors (an asset class) its own degrees of freedom and one common source of heaviness:
W_g = ν_g/χ²_g with all χ²_g at the same quantile. One group is the t copula, infinite degrees of freedom the Gaussian.
Source: Daul, De Giorgi, Lindskog and McNeil (2003), "The grouped t-copula with an application to credit risk", Risk
16(11), 73–76; McNeil, Frey and Embrechts (2015), Quantitative Risk Management, second edition, chapter 7.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from scipy import special

from crossmargin.core.arrays import FloatArray, IntArray, frozen
from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.kernels.copulas import BELOW_ONE, student_cdf
from crossmargin.scenarios.kernels.dependence import cholesky_, kendall_taus
from crossmargin.scenarios.statistics.dependence import Repair, repair

DATES_MIN: Final = 100  # Fewer complete dates say next to nothing of joint tails.
NU_MIN, NU_MAX = 2.05, 200.0  # Above the upper end a t copula is the Gaussian in all that 10⁵ scenarios can show.
_HALF_CELL: Final = 2.0**-31  # Sobol points have 30 bits; their cells' middles are never 0 or 1.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EllipticalCopula:
    """A Gaussian, t or grouped-t copula: `correlation` [factor, factor], `group` of each factor, `nu` of each group.

    Raises `InvalidInput` for degrees of freedom below 1 and for groups that are not 0 … number of groups − 1."""

    correlation: FloatArray
    group: IntArray
    nu: FloatArray

    def __post_init__(self) -> None:
        if not (self.nu >= 1.0).all():
            raise InvalidInput(
                "degrees of freedom", where="copula", value=self.nu.tolist(), limit="at least 1", remedy="Fit again."
            )
        if self.group.shape != self.correlation.shape[:1] or set(self.group.tolist()) != set(range(self.nu.size)):
            raise InvalidInput(
                "groups", where="copula", value=self.group.tolist(), limit="one of each group's", remedy="Number them."
            )

    def simulate(self, scenarios: int, *, seed: int) -> FloatArray:
        """Uniforms [factor, scenario] from scrambled Sobol points; the same seed gives the same bits."""
        return self.uniforms(sobol(scenarios, self.group.size + 1, seed=seed))

    def uniforms(self, points: FloatArray) -> FloatArray:
        """Dependent uniforms [factor, scenario] of independent ones [factor + 1, scenario].

        The first row is the common source of heaviness, the others go through the root of the correlation."""
        moves = correlation_root(self.correlation) @ special.ndtri(points[1:])
        heavy = np.isfinite(self.nu)
        if heavy.any():
            scale = np.ones((self.nu.size, points.shape[1]))
            scale[heavy] = np.sqrt(self.nu[heavy, None] / special.chdtri(self.nu[heavy, None], points[0]))
            moves *= scale[self.group]
        light = ~heavy[self.group]
        if not light.any():
            return student_cdf(moves, self.nu[self.group])
        out: FloatArray = np.empty_like(moves)
        out[light] = np.clip(special.ndtr(moves[light]), 1e-300, BELOW_ONE)
        out[~light] = student_cdf(moves[~light], self.nu[self.group[~light]])
        return out

    def tail_dependence(self) -> FloatArray:
        """The chance that one factor is beyond its quantile q given that another is, as q → 0 [factor, factor].

        The upper tail has the same. Within a group 2·t_{ν+1}(−√((ν + 1)(1 − ρ)/(1 + ρ))), between groups
        E min(N₁^ν₁/m₁, N₂^ν₂/m₂), N the negative parts of normals with correlation ρ and m = E N^ν; 0 if either ν is
        infinite. Source: Demarta and McNeil (2005), International Statistical Review 73, 111–129; for groups
        Banachewicz and van der Vaart (2008), Statistics and Probability Letters 78, 2388–2399."""
        out = np.eye(self.group.size)
        for i in range(self.group.size):
            for j in range(i):
                one, other = (float(self.nu[self.group[k]]) for k in (i, j))
                out[i, j] = out[j, i] = _tail_dependence(float(self.correlation[i, j]), one, other)
        return out

    def log_likelihood(self, uniforms: FloatArray) -> float:
        """Σ ln c of a Gaussian or t copula (one group) at uniforms [date, factor]; minus infinity if singular."""
        assert self.nu.size == 1, "groups are fitted one by one: the density of all together has no closed form"
        return _log_likelihood(self.correlation, float(self.nu[0]), uniforms)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CopulaFit:
    """A fitted copula with the standard errors of `nu` [group] from the curvature of the pseudo-likelihood (NaN at a
    limit or for a Gaussian), the log-likelihood of each group on the `dates` that have all its factors, and what the
    repair of the rank correlations took."""

    copula: EllipticalCopula
    nu_error: FloatArray
    log_likelihood: FloatArray
    dates: IntArray
    change: Repair


def sobol(scenarios: int, dimensions: int, *, seed: int) -> FloatArray:
    """Scrambled Sobol points in (0, 1) [dimension, scenario]; a power of two of scenarios is balanced best.

    Source: Owen (1998), "Scrambling Sobol' and Niederreiter-Xing points", Journal of Complexity 14, 466–489."""
    from scipy.stats import qmc  # noqa: PLC0415 scipy.stats takes half a second to import

    assert scenarios > 0, "a simulation has scenarios"
    engine: Any = qmc.Sobol(dimensions, scramble=True, seed=np.random.default_rng(seed))
    # Asked for in two parts the engine does not warn of a number that is no power of two.
    points = np.concatenate([engine.random(1), engine.random(scenarios - 1)]) if scenarios > 1 else engine.random(1)
    return np.ascontiguousarray(points.T) + _HALF_CELL


def correlation_root(correlation: FloatArray) -> FloatArray:
    """The lower triangular L with L·L′ = R [factor, factor]; R may be singular, and then so is L."""
    root = np.zeros_like(correlation)
    places = np.arange(len(correlation))
    cholesky_(np.ascontiguousarray(correlation), places, len(correlation), root)
    return root


def gaussian_copula(correlation: FloatArray) -> EllipticalCopula:
    """The Gaussian copula, which has no tail dependence."""
    return t_copula(correlation, math.inf)


def t_copula(correlation: FloatArray, nu: float) -> EllipticalCopula:
    """The t copula with `nu` degrees of freedom for all factors."""
    group = np.zeros(len(correlation), dtype=np.int64)
    return EllipticalCopula(correlation=frozen(correlation), group=frozen(group, np.int64), nu=frozen([nu]))


def grouped_t_copula(correlation: FloatArray, group: Sequence[int], nu: Sequence[float]) -> EllipticalCopula:
    """The grouped t copula: `group` of each factor, `nu` of each group."""
    return EllipticalCopula(correlation=frozen(correlation), group=frozen(group, np.int64), nu=frozen(nu))


def pseudo_observations(values: FloatArray) -> FloatArray:
    """Ranks over n + 1 of each factor [date, factor], n its own number of values; equal ones share their mean rank.

    A NaN stays one. Source: Genest, Ghoudi and Rivest (1995), Biometrika 82, 543–552."""
    out = np.full(values.shape, np.nan)
    for f in range(values.shape[1]):
        there = ~np.isnan(values[:, f])
        _, place, count = np.unique(values[there, f], return_inverse=True, return_counts=True)
        out[there, f] = (np.cumsum(count) - 0.5 * (count - 1))[place] / (there.sum() + 1.0)
    return out


def rank_correlation(values: FloatArray) -> Repair:
    """The correlation of an elliptical copula, sin(½π·τ) of Kendall's τ over the dates a pair shares, repaired.

    Source: Lindskog, McNeil and Schmock (2003), "Kendall's tau for elliptical distributions". Raises `InvalidInput` for
    a factor that stands still."""
    tau = kendall_taus(np.asarray(values, dtype=np.float64))
    if np.isnan(tau).any():
        i, j = (int(k) for k in np.argwhere(np.isnan(tau))[0])
        raise InvalidInput(
            "Kendall's tau",
            where=f"factors {min(i, j)} and {max(i, j)}",
            value=math.nan,
            limit="a number",
            remedy="One of them stands still, or they share no two dates: leave one out.",
        )
    return repair(np.sin(0.5 * math.pi * tau))


def fit_gaussian(values: FloatArray, correlation: Repair | None = None) -> CopulaFit:
    """The Gaussian copula of values [date, factor], by rank correlation or a `correlation` that is given."""
    change = rank_correlation(values) if correlation is None else correlation
    u = _complete(pseudo_observations(values), "Gaussian copula")
    return _fit(
        gaussian_copula(change.matrix), [math.nan], [_log_likelihood(change.matrix, math.inf, u)], [len(u)], change
    )


def fit_t(values: FloatArray, correlation: Repair | None = None) -> CopulaFit:
    """The t copula of values [date, factor]: rank correlation, or the one that is given, then ν of greatest
    pseudo-likelihood in [2.05, 200].

    Source: Mashal and Zeevi (2002), "Beyond correlation: extreme co-movements between financial assets"."""
    return fit_grouped_t(values, [0] * values.shape[1], correlation)


def fit_grouped_t(values: FloatArray, group: Sequence[int], correlation: Repair | None = None) -> CopulaFit:
    """The grouped t copula: correlation of all factors, by rank or as given, then ν of each group from it alone.

    A group of one factor has no copula to take ν from, and gets that of all factors together. Raises `InvalidInput` for
    fewer than 100 dates that have all factors of a group."""
    change = rank_correlation(values) if correlation is None else correlation
    u, of = pseudo_observations(values), np.asarray(group, dtype=np.int64)
    fits = []
    for g in range(int(of.max()) + 1):
        members = np.flatnonzero(of == g) if (of == g).sum() > 1 else np.arange(of.size)
        rows = _complete(u[:, members], f"t copula, group {g}")
        fits.append((*_fit_nu(change.matrix[np.ix_(members, members)], rows), len(rows)))
    nu, error, best, dates = zip(*fits, strict=True)
    return _fit(grouped_t_copula(change.matrix, group, nu), error, best, dates, change)


def tail_counts(uniforms: FloatArray, q: float) -> tuple[FloatArray, FloatArray]:
    """How often both of two factors are beyond q where one is, at the lower and the upper end [factor, factor].

    Of uniforms [factor, scenario]: #(u_i ≤ q, u_j ≤ q)/(q·n), which goes to the tail dependence as q → 0."""
    low, high = (uniforms <= q).astype(np.float64), (uniforms >= 1.0 - q).astype(np.float64)
    expected = q * uniforms.shape[1]
    return low @ low.T / expected, high @ high.T / expected


class VineCopula(msgspec.Struct, frozen=True, kw_only=True):
    """A regular vine copula as `pyvinecopulib` writes it (JSON), with its log-likelihood and number of parameters."""

    document: str
    log_likelihood: float
    parameters: float

    def simulate(self, scenarios: int, *, seed: int, threads: int = 1) -> FloatArray:
        """Uniforms [factor, scenario] from scrambled Sobol points, through the inverse Rosenblatt transform.

        Needs the extra `calibrate`."""
        vine = _pyvinecopulib().Vinecop.from_json(self.document)
        points = sobol(scenarios, vine.dim, seed=seed)
        drawn = vine.inverse_rosenblatt(np.asfortranarray(points.T), num_threads=threads)
        return np.ascontiguousarray(np.clip(drawn.T, 1e-300, BELOW_ONE))


def fit_vine(values: FloatArray, *, truncation: int | None = None, threads: int = 1) -> VineCopula:
    """A regular vine of values [date, factor], structure and parametric pair copulas chosen by AIC.

    `truncation` is the number of trees; all without one. Source: Dissmann, Brechmann, Czado and Kurowicka (2013),
    Computational Statistics and Data Analysis 59, 52–69. Needs the extra `calibrate`; raises `InvalidInput` without it,
    and for fewer than 100 complete dates."""
    library = _pyvinecopulib()
    u = np.asfortranarray(_complete(pseudo_observations(values), "vine copula"))
    controls = library.FitControlsVinecop(family_set=list(library.families.parametric), num_threads=threads)
    if truncation is not None:
        controls.trunc_lvl = truncation
    vine = library.Vinecop.from_data(u, controls=controls)
    return VineCopula(document=vine.to_json(), log_likelihood=float(vine.loglik(u)), parameters=float(vine.npars))


def _pyvinecopulib() -> Any:
    try:
        import pyvinecopulib  # noqa: PLC0415 it is an extra
    except ImportError:
        raise InvalidInput(
            "pyvinecopulib",
            where="vine copula",
            value="not installed",
            limit="installed",
            remedy='Install the extra: pip install "crossmargin[calibrate]".',
        ) from None
    return pyvinecopulib


def _fit(
    copula: EllipticalCopula,
    error: Sequence[float],
    best: Sequence[float],
    dates: Sequence[int],
    change: Repair,
) -> CopulaFit:
    return CopulaFit(
        copula=copula,
        nu_error=frozen(error),
        log_likelihood=frozen(best),
        dates=frozen(dates, np.int64),
        change=change,
    )


def _complete(u: FloatArray, where: str) -> FloatArray:
    rows: FloatArray = u[~np.isnan(u).any(axis=1)]
    if len(rows) < DATES_MIN:
        raise InvalidInput(
            "number of complete dates",
            where=where,
            value=len(rows),
            limit=f"at least {DATES_MIN}",
            remedy="Give a longer history, or take young factors by a proxy.",
        )
    return rows


def _log_likelihood(correlation: FloatArray, nu: float, u: FloatArray) -> float:
    """Σ ln c(u) [date, factor]: the joint log density less those of the factors."""
    sign, log_det = np.linalg.slogdet(correlation)
    if sign <= 0.0:
        return -math.inf
    x = special.ndtri(u) if math.isinf(nu) else special.stdtrit(nu, u)
    square = np.einsum("ti,ti->t", x, np.linalg.solve(correlation, x.T).T)
    dates, size = u.shape
    if math.isinf(nu):
        return float(-0.5 * (dates * log_det + np.sum(square) - np.sum(x * x)))
    one = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu)
    joint = math.lgamma(0.5 * (nu + size)) - math.lgamma(0.5 * nu) - size * one - 0.5 * log_det
    bend = 0.5 * (nu + 1.0) * np.sum(np.log1p(x * x / nu)) - 0.5 * (nu + size) * np.sum(np.log1p(square / nu))
    return float(dates * joint + bend)


def _fit_nu(correlation: FloatArray, u: FloatArray) -> tuple[float, float, float]:
    """ν of greatest pseudo-likelihood, its standard error (NaN at a limit), and that likelihood; sought in 1/ν."""
    from scipy import optimize  # noqa: PLC0415 it takes a fifth of a second, and few fit

    def cost(inverse: float) -> float:
        return -_log_likelihood(correlation, 1.0 / inverse, u)

    found = optimize.minimize_scalar(
        cost, bounds=(1.0 / NU_MAX, 1.0 / NU_MIN), method="bounded", options={"xatol": 1e-7}
    )
    inverse = float(found.x)
    step = 1e-3 * inverse
    curvature = (cost(inverse + step) - 2.0 * cost(inverse) + cost(inverse - step)) / step**2
    inside = 1.02 / NU_MAX < inverse < 0.98 / NU_MIN and curvature > 0.0
    # The error of ν from that of 1/ν: dν = −ν²·d(1/ν).
    return 1.0 / inverse, 1.0 / (inverse**2 * math.sqrt(curvature)) if inside else math.nan, -float(found.fun)


def _tail_dependence(rho: float, one: float, other: float) -> float:
    if math.isinf(one) or math.isinf(other):
        return 1.0 if rho >= 1.0 and one == other else 0.0
    if one == other:
        ratio = (1.0 - rho) / (1.0 + rho) if rho > -1.0 else math.inf
        return float(2.0 * special.stdtr(one + 1.0, -math.sqrt((one + 1.0) * ratio)))
    return _grouped_tail_dependence(rho, one, other)


def _grouped_tail_dependence(rho: float, one: float, other: float) -> float:
    """E min(N₁^ν₁/m₁, N₂^ν₂/m₂) by quadrature over the first normal, and over the second up to where the two are equal.

    m = E N^ν = 2^(ν/2 − 1)·Γ((ν + 1)/2)/√π; beyond the equal point the first is the least, and its part is closed."""
    nodes, weights = np.polynomial.legendre.leggauss(128)

    def log_moment(nu: float) -> float:
        return (0.5 * nu - 1.0) * math.log(2.0) + math.lgamma(0.5 * (nu + 1.0)) - 0.5 * math.log(math.pi)

    half = 0.5 * (math.sqrt(one) + 10.0)
    x = half * (nodes + 1.0)
    first = one * np.log(x) - log_moment(one)
    equal = np.exp((first + log_moment(other)) / other)
    spread = math.sqrt(max(1e-12, 1.0 - rho * rho))
    low = np.maximum(0.0, rho * x - 10.0 * spread)
    high = np.maximum(low, np.minimum(equal, rho * x + (math.sqrt(other) + 10.0) * spread))
    y = low[:, None] + 0.5 * (high - low)[:, None] * (nodes + 1.0)
    second = np.exp(other * np.log(y) - log_moment(other) - 0.5 * ((y - rho * x[:, None]) / spread) ** 2)
    below = 0.5 * (high - low) * (second @ weights) / (spread * math.sqrt(2.0 * math.pi))
    above = np.exp(first) * special.ndtr((rho * x - equal) / spread)
    return float(half * weights @ ((below + above) * np.exp(-0.5 * x * x)) / math.sqrt(2.0 * math.pi))
