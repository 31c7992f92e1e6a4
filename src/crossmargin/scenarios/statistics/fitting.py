"""Volatility models by maximum likelihood, with what is needed to judge them, or a stated way out.

The estimates start from those of `arch` (extra `calibrate`) with an explicit presample, and end with Newton's steps on
the likelihood of our own filter, so what is fitted is what is filtered. Presample rule: before the first return e² and
h are the mean of the squared residuals, and half of e² came from falls.

A fit is refused when the optimiser does not converge, the persistence reaches 0.9999, the curvature at the estimates is
not that of a maximum inside the parameter space, or the likelihood stays below that of EWMA(0.97). Heavy-tailed laws on
short or trending histories often end at a persistence of 1; then the fit is made again with the persistence held at
0.995. If that is refused too, EWMA(0.97) stands in its place. Either is named as such, with the `reason`; `strict`
raises instead. Nothing is ever filled in silently.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.kernels.volatility import filter_variances
from crossmargin.scenarios.statistics.innovations import Innovation
from crossmargin.scenarios.statistics.volatility import SYMMETRIC, VarianceModel, build_model

OBSERVATIONS_MIN: Final = 500  # Two years of trading days: with less the persistence is hardly estimated.
PERSISTENCE_MAX: Final = 0.9999
PERSISTENCE_HELD: Final = 0.995  # A shock to the variance is halved in 138 days.
FALLBACK_DECAY: Final = 0.97
NU_CEILING: Final = 200.0
_NEWTON_STEPS: Final = 8
_LAWS: Final = {"normal": "normal", "t": "t", "skew_t": "skewt"}

Kind = Literal["garch", "gjr", "ewma"]
Law = Literal["normal", "t", "skew_t"]


class VolatilityFit(msgspec.Struct, frozen=True, kw_only=True):
    """One factor's volatility model: `names` and `estimates`, and three kinds of standard errors in their order.

    `hessian` errors are from the curvature, `opg` from the outer products of the scores, `qmle` from both and robust to
    a wrong law (Bollerslev and Wooldridge, 1992). `reason` is empty for a free fit, and says otherwise why the
    persistence was held (β then has no error of its own: NaN) or EWMA took its place (no errors). Units are those of
    the returns."""

    kind: Kind
    law: Law
    names: tuple[str, ...]
    estimates: tuple[float, ...]
    hessian: tuple[float, ...]
    opg: tuple[float, ...]
    qmle: tuple[float, ...]
    log_likelihood: float
    presample: float
    observations: int
    converged: bool
    persistence: float
    reason: str = ""

    def value(self, name: str) -> float:
        """The estimate of a parameter; 0 for one that the model does not have."""
        return self.estimates[self.names.index(name)] if name in self.names else 0.0

    def innovation(self) -> Innovation:
        """The law of standardised returns."""
        return Innovation(nu=self.value("nu") or math.inf, skew=self.value("skew"))


def join_fits(fits: Sequence[VolatilityFit]) -> VarianceModel:
    """The models of several factors as one, for the filter; gaps count falls by the fitted law."""
    shares = [fit.innovation().fall_share() for fit in fits]
    mean, omega, alpha, gamma, beta = (
        [fit.value(name) for fit in fits] for name in ("mean", "omega", "alpha", "gamma", "beta")
    )
    return build_model(mean=mean, omega=omega, alpha=alpha, gamma=gamma, beta=beta, fall_share=shares)


def fit_volatility(
    returns: FloatArray,
    kind: Literal["garch", "gjr"] = "gjr",
    law: Law = "t",
    *,
    where: str = "returns",
    strict: bool = False,
) -> VolatilityFit:
    """The maximum-likelihood GARCH(1,1) or GJR model of one factor's returns [date]; NaN are left out.

    Needs the extra `calibrate`. Raises `InvalidInput` without it, for fewer than 500 returns, for an infinite one, for
    returns that stand still, and with `strict` for a fit that is refused (see above)."""
    known = _checked(returns, where)
    scale = float(np.std(known))
    unit = known / scale
    guess, converged = _arch_estimates(unit, kind, law)
    free = _fit(guess, converged, unit, _Shape(kind, law))
    if not free.reason:
        return _report(free, unit, scale)
    said = f"{kind}-{law}: {free.reason}"
    if strict:
        remedy = "Use EWMA, another law, or a fit that is not strict."
        raise InvalidInput("fit", where=where, value=said, limit="a maximum inside the limits", remedy=remedy)
    held = _fit_held(guess, unit, _Shape(kind, law, PERSISTENCE_HELD))
    if not held.reason:
        return _report(held, unit, scale, f"persistence held at {PERSISTENCE_HELD}; {said}")
    return _fallback(unit, scale, law, f"{said}; held at {PERSISTENCE_HELD}: {held.reason}")


class _Shape(NamedTuple):
    """What is fitted: with `held` the persistence is given, and β follows from α and γ."""

    kind: Kind
    law: Law
    held: float | None = None

    def names(self) -> tuple[str, ...]:
        """The free parameters."""
        middle = ("gamma",) if self.kind == "gjr" else ()
        tail = {"normal": (), "t": ("nu",), "skew_t": ("nu", "skew")}[self.law]
        return ("mean", "omega", "alpha", *middle, *(() if self.held else ("beta",)), *tail)

    def columns(self, rows: FloatArray) -> dict[str, FloatArray]:
        """Every parameter [candidate] of free ones [candidate, parameter]."""
        found = {name: rows[:, k] for k, name in enumerate(self.names())}
        zero = np.zeros(len(rows))
        found = {"gamma": zero, "nu": zero + math.inf, "skew": zero} | found
        if self.held:
            found["beta"] = self.held - found["alpha"] - SYMMETRIC * found["gamma"]
        return found


class _Estimates(NamedTuple):
    """Free parameters at the end of a search, the Hessian there, and why they may not be used, if so."""

    shape: _Shape
    best: FloatArray
    hessian: FloatArray
    converged: bool
    reason: str


def _fit(guess: FloatArray, converged: bool, unit: FloatArray, shape: _Shape) -> _Estimates:
    best, hessian = _polish(guess, unit, shape)
    return _Estimates(shape, best, hessian, converged, _reason_to_refuse(best, hessian, converged, unit, shape))


def _fit_held(guess: FloatArray, unit: FloatArray, shape: _Shape) -> _Estimates:
    """The fit with the persistence held: Nelder and Mead from the free estimates, then Newton's steps."""
    from scipy import optimize  # noqa: PLC0415 it takes a fifth of a second, and few fit

    at = _Shape(shape.kind, shape.law).columns(guess[None, :])
    first = {name: float(column[0]) for name, column in at.items()}
    first |= {"alpha": min(max(first["alpha"], 0.02), 0.3), "gamma": min(max(first["gamma"], -0.01), 0.2)}
    first |= {"omega": (1.0 - PERSISTENCE_HELD) * float(np.var(unit)), "nu": min(max(first["nu"], 2.2), 50.0)}
    begin = np.array([first[name] for name in shape.names()])
    options = {"xatol": 1e-5, "fatol": 1e-6, "maxiter": 2000, "initial_simplex": _simplex(begin)}
    found = optimize.minimize(lambda x: -_total(x, unit, shape), begin, method="Nelder-Mead", options=options)
    return _fit(np.asarray(found.x), bool(found.success), unit, shape)


def _simplex(begin: FloatArray) -> FloatArray:
    """Corners a tenth away in each parameter."""
    return np.concatenate([begin[None, :], begin + np.diag(0.1 * np.maximum(np.abs(begin), 0.02))])


def _report(fit: _Estimates, unit: FloatArray, scale: float, reason: str = "") -> VolatilityFit:
    """Estimates and errors in the units of the returns."""
    names = _Shape(fit.shape.kind, fit.shape.law).names()
    values = {name: float(column[0]) for name, column in fit.shape.columns(fit.best[None, :]).items()}
    units = {"mean": scale, "omega": scale**2}

    def in_units(found: dict[str, float]) -> tuple[float, ...]:
        return tuple(found.get(name, math.nan) * units.get(name, 1.0) for name in names)

    hessian, opg, qmle = (
        in_units(dict(zip(fit.shape.names(), row.tolist(), strict=True))) for row in _errors(fit, unit)
    )
    return VolatilityFit(
        kind=fit.shape.kind,
        law=fit.shape.law,
        names=names,
        estimates=in_units(values),
        hessian=hessian,
        opg=opg,
        qmle=qmle,
        log_likelihood=_total(fit.best, unit, fit.shape) - unit.size * math.log(scale),
        presample=float(np.mean((unit - values["mean"]) ** 2)) * scale**2,
        observations=unit.size,
        converged=fit.converged,
        persistence=_persistence(fit.best, fit.shape),
        reason=reason,
    )


def _checked(returns: FloatArray, where: str) -> FloatArray:
    known: FloatArray = returns[~np.isnan(returns)]
    for wrong, what, value, limit in (
        (known.size < OBSERVATIONS_MIN, "number of returns", known.size, f"at least {OBSERVATIONS_MIN}"),
        (not np.isfinite(known).all(), "return", "infinite", "finite"),
        (known.size > 0 and float(np.ptp(known)) == 0.0, "range of returns", 0.0, "above zero"),
    ):
        if wrong:
            remedy = "Give a longer history, or take EWMA of a proxy."
            raise InvalidInput(what, where=where, value=value, limit=limit, remedy=remedy)
    return known


def _arch_estimates(unit: FloatArray, kind: str, law: str) -> tuple[FloatArray, bool]:
    """The estimates of `arch` for returns of unit variance, and whether its optimiser says that it converged."""
    try:
        from arch import arch_model  # noqa: PLC0415 it is an extra
    except ImportError:
        raise InvalidInput(
            "arch",
            where="volatility fit",
            value="not installed",
            limit="installed",
            remedy='Install the extra: pip install "crossmargin[calibrate]".',
        ) from None
    order = 1 if kind == "gjr" else 0
    model: Any = arch_model(unit, mean="Constant", vol="GARCH", p=1, o=order, q=1, dist=_LAWS[law], rescale=False)
    fitted = model.fit(disp="off", show_warning=False, backcast=float(np.mean((unit - unit.mean()) ** 2)))
    return np.asarray(fitted.params, dtype=np.float64), fitted.convergence_flag == 0


def _log_likelihoods(rows: FloatArray, unit: FloatArray, shape: _Shape) -> FloatArray:
    """The log-likelihood of each date [date, candidate] for candidates of free parameters [candidate, parameter].

    Minus infinity for a candidate outside the parameter space."""
    at, zero = shape.columns(rows), np.zeros(len(rows))
    omega, alpha, gamma, beta, nu, skew = (at[name] for name in ("omega", "alpha", "gamma", "beta", "nu", "skew"))
    inside = (omega > 0.0) & (alpha >= 0.0) & (alpha + gamma >= 0.0) & (beta >= 0.0)
    inside &= (alpha + SYMMETRIC * gamma + beta < 1.0) & (nu > 2.0) & (np.abs(skew) < 1.0)
    e = unit[:, None] - at["mean"]
    m = np.mean(e**2, axis=0)
    start = omega + (alpha + SYMMETRIC * gamma + beta) * m
    model = np.stack([zero, omega, alpha, gamma, beta, zero + SYMMETRIC])
    h, _ = filter_variances(e, model, np.stack([start, zero, zero]), 1)
    out = np.full(e.shape, -np.inf)
    for k in np.flatnonzero(inside):
        innovation = Innovation(nu=float(nu[k]), skew=float(skew[k]))
        out[:, k] = innovation.log_density(e[:, k] / np.sqrt(h[:, k])) - 0.5 * np.log(h[:, k])
    return out


def _total(row: FloatArray, unit: FloatArray, shape: _Shape) -> float:
    return float(_log_likelihoods(row[None, :], unit, shape).sum())


def _steps(best: FloatArray) -> FloatArray:
    """How far each parameter is moved for differences: about the fourth root of rounding."""
    return 1e-4 * np.maximum(np.abs(best), 1e-2)


def _differences(best: FloatArray, unit: FloatArray, shape: _Shape) -> tuple[FloatArray, FloatArray]:
    """Scores of each date [date, parameter] and the Hessian of the log-likelihood, by central differences."""
    size, step = best.size, _steps(best)
    moves = np.diag(step)
    single = _log_likelihoods(np.concatenate([best + moves, best - moves]), unit, shape)
    with np.errstate(invalid="ignore"):  # A step across a limit gives NaN, which the caller sees.
        scores = (single[:, :size] - single[:, size:]) / (2.0 * step)
    pairs = [(i, j) for i in range(size) for j in range(i + 1)]
    corners = [best + a * moves[i] + b * moves[j] for a in (1, -1) for b in (1, -1) for i, j in pairs]
    sums = _log_likelihoods(np.array(corners), unit, shape).sum(axis=0).reshape(4, len(pairs))
    hessian = np.empty((size, size))
    for k, (i, j) in enumerate(pairs):
        with np.errstate(invalid="ignore"):
            bend = (sums[0, k] - sums[1, k] - sums[2, k] + sums[3, k]) / (4.0 * step[i] * step[j])
        hessian[i, j] = hessian[j, i] = bend
    return scores, hessian


def _polish(guess: FloatArray, unit: FloatArray, shape: _Shape) -> tuple[FloatArray, FloatArray]:
    """Newton's steps from `guess`, as long as they raise the likelihood; the estimates and the Hessian there."""
    best, level = guess, _total(guess, unit, shape)
    for _ in range(_NEWTON_STEPS):
        scores, hessian = _differences(best, unit, shape)
        if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[-1] >= 0.0:
            return best, hessian
        move = -np.linalg.solve(hessian, scores.sum(axis=0))
        trial = best + move
        found = _total(trial, unit, shape)
        if not found > level:
            return best, hessian
        best, level = trial, found
    return best, _differences(best, unit, shape)[1]


def _errors(fit: _Estimates, unit: FloatArray) -> list[FloatArray]:
    """Standard errors of the free parameters from the Hessian, from outer products of scores, and from both."""
    scores, _ = _differences(fit.best, unit, fit.shape)
    outer, inverse = scores.T @ scores, np.linalg.inv(-fit.hessian)
    return [np.sqrt(np.diag(c)) for c in (inverse, np.linalg.inv(outer), inverse @ outer @ inverse)]


def _persistence(best: FloatArray, shape: _Shape) -> float:
    """α + γ·(share of falls under the fitted law) + β."""
    at = {name: float(column[0]) for name, column in shape.columns(best[None, :]).items()}
    share = Innovation(nu=at["nu"], skew=at["skew"]).fall_share()
    return at["alpha"] + share * at["gamma"] + at["beta"]


def _reason_to_refuse(best: FloatArray, hessian: FloatArray, converged: bool, unit: FloatArray, shape: _Shape) -> str:
    """Why a fit may not be used; nothing where it may."""
    if not converged:
        return "the optimiser did not converge"
    if (persistence := _persistence(best, shape)) >= PERSISTENCE_MAX:
        return f"the persistence {persistence:.5f} is not below {PERSISTENCE_MAX}: shocks would never fade"
    if not math.isfinite(level := _total(best, unit, shape)):
        return "the estimates lie outside the parameter space"
    if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[-1] >= 0.0:
        return "the curvature is not that of a maximum inside the parameter space"
    steady = _ewma_log_likelihood(unit, shape.law)[0]
    if level < steady:
        return f"the log-likelihood {level:.2f} is below the {steady:.2f} of EWMA({FALLBACK_DECAY})"
    return ""


def _ewma_log_likelihood(unit: FloatArray, law: str) -> tuple[float, float]:
    """The log-likelihood of EWMA with the law's own best degrees of freedom, and these."""
    from scipy import optimize  # noqa: PLC0415 it takes a fifth of a second, and few fit

    m = float(np.mean(unit**2))
    rows = np.array([[0.0], [0.0], [1.0 - FALLBACK_DECAY], [0.0], [FALLBACK_DECAY], [SYMMETRIC]])
    h = filter_variances(unit[:, None], rows, np.array([[m], [0.0], [0.0]]), 1)[0][:, 0]
    z, base = unit / np.sqrt(h), -0.5 * float(np.sum(np.log(h)))
    if law == "normal":
        return base + float(Innovation().log_density(z).sum()), math.inf

    def cost(inverse: float) -> float:
        return -float(Innovation(nu=1.0 / inverse).log_density(z).sum())

    found = optimize.minimize_scalar(cost, bounds=(1.0 / NU_CEILING, 0.49), method="bounded")
    return base - float(found.fun), 1.0 / float(found.x)


def _fallback(unit: FloatArray, scale: float, law: Law, reason: str) -> VolatilityFit:
    """EWMA in the place of a fit that was refused: without skew, its degrees of freedom of the greatest likelihood."""
    level, nu = _ewma_log_likelihood(unit, law)
    heavy = () if law == "normal" else (nu,)
    return VolatilityFit(
        kind="ewma",
        law="normal" if law == "normal" else "t",
        names=("mean", "omega", "alpha", "beta", *(("nu",) if heavy else ())),
        estimates=(0.0, 0.0, 1.0 - FALLBACK_DECAY, FALLBACK_DECAY, *heavy),
        hessian=(),
        opg=(),
        qmle=(),
        log_likelihood=level - unit.size * math.log(scale),
        presample=float(np.mean(unit**2)) * scale**2,
        observations=unit.size,
        converged=False,
        persistence=1.0,
        reason=reason,
    )
