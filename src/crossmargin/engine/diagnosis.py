"""How well a calibration fits: what the filter left in the residuals, how stable it is, and how sure its tails are."""

from __future__ import annotations

import math
from typing import Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
from scipy.special import chdtrc

from crossmargin.core.arrays import FloatArray
from crossmargin.core.instant import format_instant
from crossmargin.measures.reduce import Measure, reduce_losses, standard_error
from crossmargin.scenarios.calibrating.calibrated import calibrated_columns
from crossmargin.scenarios.calibrating.calibration import Calibration, TailFit
from crossmargin.scenarios.calibrating.law import copula_of
from crossmargin.scenarios.statistics.copulas import EllipticalCopula, pseudo_observations, tail_counts
from crossmargin.scenarios.statistics.tails import EXCESSES_MIN, fit_tail

LAGS: Final = 10  # of the Ljung–Box test: two weeks of trading days
TAIL_SHARE: Final = 0.1
JOINT_LEVEL: Final = 0.05  # further out too few of a thousand residuals are left to count
JOINT_DRAWS: Final = 16_384
Rows: TypeAlias = tuple[tuple[float, ...], ...]
SHORTFALL: Final = Measure(kind="expected_shortfall", level=0.975)


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts."""


class FactorDiagnosis(_Part, frozen=True, kw_only=True):
    """One factor: volatilities of as many bars as close in a year (decimals; of absolute moves for rates), residuals.

    A filter that takes the changes of volatility out leaves residuals of `residual_deviation` about 1 (± its standard
    error under a normal distribution with the kurtosis found) and squares without memory: `squares_p_value` of the
    Ljung–Box test on ten lags is small where memory is left. `halves_ratio` is the deviation of the later half over
    that of the earlier. `fall` and `rise` are the expected shortfall at 97.5 % of either side, in residuals, and
    `fall_shape` and `rise_shape` the shape of a generalised Pareto tail beyond the outer tenth, with standard errors
    (None where too few residuals lie there, or the shape stands at its limit).
    `lower` and `upper` are the tails that the model itself uses, and `reason` says why a filter is not the one asked
    for. `stress` is the state of the factor's market, 0 calm to 1 full stress. `rise_max` is the greatest rise among
    the columns of the method (1 is +100 %), None of what moves absolutely.
    """

    factor: str
    observations: int
    now: float
    long_run: float
    stressed: float
    used: float
    residual_deviation: float
    residual_deviation_error: float
    excess_kurtosis: float
    squares_p_value: float
    halves_ratio: float
    fall: float
    fall_error: float
    rise: float
    rise_error: float
    fall_shape: float | None
    fall_shape_error: float | None
    rise_shape: float | None
    rise_shape_error: float | None
    proxy: str
    proxy_beta: float
    proxied: int
    parameters: dict[str, float]
    standard_errors: dict[str, float]
    reason: str
    lower: TailFit | None
    upper: TailFit | None
    stress: float
    rise_max: float | None = None


class Family(_Part, frozen=True, kw_only=True):
    """Columns of one kind, and the share of all that they weigh."""

    name: str
    columns: int
    share: float


class CopulaDiagnosis(_Part, frozen=True, kw_only=True):
    """How factors are drawn together.

    `degrees` of freedom of each group with errors (None at a limit); `shrinkage` of the correlation, and what its
    repair took. Matrices are [factor, factor]: how often both of two factors are beyond their own `level` where one is,
    seen among the residuals and drawn, for falls and for rises; `tail_dependence` is the limit further out, which is
    the same for both, and missing for a vine.
    """

    copula: str
    method: str
    factors: tuple[str, ...]
    degrees: tuple[float, ...]
    degrees_error: tuple[float | None, ...]
    log_likelihood: tuple[float, ...]
    shrinkage: float
    repair_max: float
    eigenvalue_min: float
    level: float
    seen_falls: Rows
    seen_rises: Rows
    drawn_falls: Rows
    drawn_rises: Rows
    tail_dependence: Rows | None


class Diagnosis(_Part, frozen=True, kw_only=True):
    """A calibration and how it fits; `stretch` says when the worst time was, "" where it has no columns."""

    model: str
    source: str
    method: str
    rows: int
    first: str
    last: str
    bar_days: float
    horizon_days: float
    factors: tuple[FactorDiagnosis, ...]
    correlation: Rows
    families: tuple[Family, ...]
    stretch: str
    copula: CopulaDiagnosis | None


def diagnose(calibration: Calibration, *, model: str) -> Diagnosis:
    """The diagnosis of a calibration; correlations are those of its residuals."""
    residuals, used = calibration.residuals.array, calibration.scales()
    year, rises = math.sqrt(calibration.bars_a_year), np.expm1(calibrated_columns(calibration)[0].moves.max(axis=0))
    closes = [format_instant(ms * 1_000_000) for ms in (calibration.close_ms[0], calibration.close_ms[-1])]
    return Diagnosis(
        model=model,
        source=calibration.source,
        method=calibration.method,
        rows=len(residuals),
        first=closes[0],
        last=closes[1],
        bar_days=calibration.bar_days,
        horizon_days=calibration.horizon_days,
        factors=tuple(
            _factor(calibration, i, residuals[:, i], float(used[i]), year, float(rises[i])) for i in range(len(used))
        ),
        correlation=_rows(calibration.correlation()),
        families=_families(calibration),
        stretch=_stretch(calibration),
        copula=_copula(calibration) if calibration.dependence else None,
    )


def _rows(matrix: FloatArray) -> Rows:
    return tuple(tuple(float(x) for x in row) for row in matrix)


def _families(calibration: Calibration) -> tuple[Family, ...]:
    found = calibrated_columns(calibration)
    total = sum(len(f.moves) * f.weight for f in found)
    return tuple(Family(name=f.family, columns=len(f.moves), share=len(f.moves) * f.weight / total) for f in found)


def _stretch(calibration: Calibration) -> str:
    if calibration.stretch is None:
        return ""
    first, last = (format_instant(calibration.stretch.close_ms[i] * 1_000_000)[:10] for i in (0, -1))
    return f"{first} to {last}"


def _copula(calibration: Calibration) -> CopulaDiagnosis:
    """What a copula says of joint tails beside what was seen; draws for it are made by the calibration's seed."""
    fitted = calibration.dependence
    assert fitted is not None, "asked of calibrations that draw"
    made = copula_of(fitted)
    places = [calibration.names.index(name) for name in fitted.factors]
    seen = tail_counts(pseudo_observations(calibration.residuals.array[:, places]).T, JOINT_LEVEL)
    drawn = tail_counts(made.simulate(JOINT_DRAWS, seed=calibration.seed), JOINT_LEVEL)
    limit = _rows(made.tail_dependence()) if isinstance(made, EllipticalCopula) else None
    return CopulaDiagnosis(
        copula=fitted.copula,
        method=fitted.method,
        factors=fitted.factors,
        degrees=fitted.degrees,
        degrees_error=fitted.degrees_error,
        log_likelihood=fitted.log_likelihood,
        shrinkage=fitted.shrinkage,
        repair_max=fitted.repair_max,
        eigenvalue_min=fitted.eigenvalue_min,
        level=JOINT_LEVEL,
        seen_falls=_rows(seen[0]),
        seen_rises=_rows(seen[1]),
        drawn_falls=_rows(drawn[0]),
        drawn_rises=_rows(drawn[1]),
        tail_dependence=limit,
    )


def _factor(
    calibration: Calibration, i: int, residual: FloatArray, used: float, year: float, rise_max: float
) -> FactorDiagnosis:
    fit = calibration.factors[i]
    own = residual[fit.proxied :]
    deviation, kurtosis = float(np.sqrt(np.mean(own**2))), excess_kurtosis(own)
    half = len(own) // 2
    earlier, later = (float(np.sqrt(np.mean(part**2))) for part in (own[:half], own[half:]))
    fall, rise = _side(-own), _side(own)
    named = ("decay", "mean", "omega", "alpha", "gamma", "beta", "degrees", "skew")
    return FactorDiagnosis(
        factor=fit.factor,
        observations=fit.observations,
        now=fit.now * year,
        long_run=fit.long_run * year,
        stressed=fit.stressed * year,
        used=used * year,
        residual_deviation=deviation,
        residual_deviation_error=deviation * math.sqrt((2.0 + max(kurtosis, 0.0)) / (4.0 * len(own))),
        excess_kurtosis=kurtosis,
        squares_p_value=ljung_box(own**2, LAGS),
        halves_ratio=later / earlier if earlier > 0.0 else 1.0,
        fall=fall.shortfall,
        fall_error=fall.shortfall_error,
        rise=rise.shortfall,
        rise_error=rise.shortfall_error,
        fall_shape=fall.shape,
        fall_shape_error=fall.shape_error,
        rise_shape=rise.shape,
        rise_shape_error=rise.shape_error,
        proxy=fit.proxy,
        proxy_beta=fit.proxy_beta,
        proxied=fit.proxied,
        parameters={name: getattr(fit.filter, name) for name in named if getattr(fit.filter, name)},
        standard_errors=dict(fit.filter.standard_errors),
        reason=fit.filter.reason,
        lower=fit.lower,
        upper=fit.upper,
        stress=fit.stress,
        rise_max=rise_max if fit.is_log else None,
    )


class _Side(NamedTuple):
    shortfall: float
    shortfall_error: float
    shape: float | None
    shape_error: float | None


def _side(losses: FloatArray) -> _Side:
    """The tail of one side; a factor that never moved has none, and few residuals have no shape."""
    if not np.ptp(losses) > 0.0:
        return _Side(0.0, 0.0, None, None)
    shortfall = reduce_losses(losses, SHORTFALL)[0], standard_error(losses, SHORTFALL)
    if np.sum(losses > np.quantile(losses, 1.0 - TAIL_SHARE)) <= EXCESSES_MIN:
        return _Side(*shortfall, None, None)
    tail = fit_tail(losses[:, None], TAIL_SHARE)
    error = float(tail.shape_error[0]) if tail.inside[0] else None
    return _Side(*shortfall, float(tail.shape[0]), error)


def excess_kurtosis(values: FloatArray) -> float:
    """E[(x − m)⁴]/Var² − 3; 0 for values that do not vary."""
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    return float(np.mean(centred**4)) / variance**2 - 3.0 if variance > 0.0 else 0.0


def ljung_box(values: FloatArray, lags: int) -> float:
    """The p-value of no autocorrelation up to `lags`: n(n + 2)·Σ ρ²ₖ/(n − k) against chi-square; 1 for constants.

    Source: Ljung and Box (1978), Biometrika 65, 297–303.
    """
    centred, n = values - values.mean(), len(values)
    total = float(centred @ centred)
    if total == 0.0 or n <= lags + 1:
        return 1.0
    rho = np.asarray([centred[k:] @ centred[:-k] / total for k in range(1, lags + 1)])
    statistic = n * (n + 2.0) * float(np.sum(rho**2 / (n - np.arange(1, lags + 1))))
    return float(chdtrc(lags, statistic))
