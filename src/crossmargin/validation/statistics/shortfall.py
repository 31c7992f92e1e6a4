"""Whether losses beyond the value at risk are as large as the expected shortfall says.

P&L [..., date] is positive for a gain; value at risk and expected shortfall [..., date] are positive losses at the same
tail probability a, set before the move. An exception is X + VaR < 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, require_finite
from crossmargin.core.errors import InvalidInput
from crossmargin.validation import check
from crossmargin.validation.statistics.results import UNDEFINED, Tested, flags

Predictive: TypeAlias = Callable[[FloatArray, IntArray], FloatArray]
_CELLS = 4_000_000  # Uniform numbers drawn at once: 32 MB.
# A draw at the value at risk is an exception: of n scenarios ⌈n·a⌉ then are, as many as the shortfall averages, and one
# fewer without it. Of a law without atoms none lies there. The share allows for rounding in forecasts made anew.
_BOUNDARY = 1e-9


class _Tail(NamedTuple):
    """The checked series of a test, and the exceptions in them [..., date]."""

    pnl: FloatArray
    value_at_risk: FloatArray
    shortfall: FloatArray
    exceptional: BoolArray


def scenario_predictive(pnl: ArrayLike) -> Predictive:
    """The forecast that is a set of equally likely scenarios [..., date, scenario] for each date.

    Probability u gives the ⌈n·u⌉-th smallest P&L. Raises `InvalidInput` for no scenarios, NaN or infinity."""
    scenarios = np.asarray(pnl, np.float64)
    if scenarios.ndim < 2 or 0 in scenarios.shape:
        raise InvalidInput(
            "scenarios",
            where="scenario_predictive",
            value=scenarios.shape,
            limit="an array [..., date, scenario] that is not empty",
            remedy="Give the P&L of each date in each scenario of its forecast.",
        )
    require_finite(scenarios, "pnl", where="scenario_predictive")
    ascending, count = np.sort(scenarios, axis=-1), scenarios.shape[-1]

    def quantile(probability: FloatArray, date: IntArray) -> FloatArray:
        rank = np.clip(np.ceil(count * probability).astype(np.int64) - 1, 0, count - 1)
        return ascending[..., date, rank]

    return quantile


def scaled_predictive(
    standard: Callable[[FloatArray], ArrayLike], scale: ArrayLike, location: float = 0.0
) -> Predictive:
    """The forecast location + scale · Q(u), `scale` [..., date] above zero, Q the quantile function of one law.

    Raises `InvalidInput` for a scale that is not above zero."""
    width = check.above_zero(scale, "scale", where="scaled_predictive")
    return lambda probability, date: location + width[..., date] * np.asarray(standard(probability), np.float64)


class AcerbiSzekely(NamedTuple):
    """Both tests of expected shortfall, from the same simulations."""

    z1: Tested
    z2: Tested


def acerbi_szekely(
    pnl: ArrayLike,
    value_at_risk: ArrayLike,
    shortfall: ArrayLike,
    *,
    rate: float,
    predictive: Predictive,
    seed: int,
    simulations: int = 1_999,
    significance: float = 0.05,
) -> AcerbiSzekely:
    """Z₁ = (1/n) Σ X_t I_t/ES_t + 1 over the n exceptions, and Z₂ = Σ X_t I_t/(T a ES_t) + 1; a true model has mean 0.

    Negative is understated. Z₁ looks at the size of exceptions and not at their number, Z₂ at both:
    Z₂ = 1 − (1 − Z₁) n/(T a). One-sided, p = (1 + #{Z ≤ z})/(B + 1) over simulations of the model's own forecast
    `predictive`, for Z₁ over those that have exceptions; `critical` is their `significance` quantile. A series without
    exceptions has no Z₁, a Z₂ of 1, and a flag. Source: Acerbi and Székely (2014), "Back-testing expected shortfall",
    Risk, December, tests 1 and 2. Raises `InvalidInput` for shapes, NaN, a shortfall that is not above zero, or a rate
    out of range."""
    a = check.rate(rate, where="acerbi_szekely")
    level = check.rate(significance, "significance", where="acerbi_szekely")
    drawn = check.simulations(simulations, where="acerbi_szekely")
    tail = _tail(pnl, value_at_risk, shortfall, "acerbi_szekely")
    expected, count = tail.pnl.shape[-1] * a, tail.exceptional.sum(axis=-1)
    total = np.where(tail.exceptional, tail.pnl / tail.shortfall, 0.0).sum(axis=-1)
    totals, counts = _simulate(tail, predictive, _reach(tail, predictive, a), seed, drawn)
    rule = f"one-sided, Z < 0; {drawn} simulations of the model's own forecast, seed {seed}; critical at {level:g}"
    sized = _mean_or_undefined(total, count) + 1.0, _mean_or_undefined(totals, counts) + 1.0
    return AcerbiSzekely(
        z1=_against_law("z1", *sized, count == 0, level, rule),
        z2=_against_law("z2", total / expected + 1.0, totals / expected + 1.0, count == 0, level, rule),
    )


def exceedance_residuals(
    pnl: ArrayLike,
    value_at_risk: ArrayLike,
    shortfall: ArrayLike,
    *,
    scale: ArrayLike | None = None,
    seed: int | None = None,
    simulations: int = 1_999,
) -> Tested:
    """McNeil and Frey's test that (X_t + ES_t)/σ_t has mean zero on exceptions, against a mean below zero.

    The statistic is Student's t of the n residuals. Without a seed p is that of n − 1 degrees of freedom; with one it
    is from `simulations` resamples of the centred residuals, for residuals are skewed. `scale` is σ [..., date], the
    shortfall itself by default. Fewer than two exceptions leave no statistic, and a flag. Source: McNeil and Frey
    (2000), Journal of Empirical Finance 7, 271–300, section 4.2; Efron and Tibshirani (1993), algorithm 16.2.
    Raises `InvalidInput` for shapes, NaN, a shortfall or scale that is not above zero."""
    tail = _tail(pnl, value_at_risk, shortfall, "exceedance_residuals")
    width = tail.shortfall
    if scale is not None:
        width = check.above_zero(scale, "scale", where="exceedance_residuals", like=tail.pnl)
    mark = tail.exceptional.reshape(-1, tail.pnl.shape[-1])
    residual = ((tail.pnl + tail.shortfall) / width).reshape(mark.shape)[mark]
    count = mark.sum(axis=-1)
    owner = np.repeat(np.arange(len(mark)), count)
    mean, deviation = _means_and_deviations(residual, owner, count)
    student, few = _student(mean, deviation, count), count < 2
    p_value = np.asarray(special.stdtr(np.maximum(count - 1, 1), student))
    if seed is not None:
        centred = residual - mean[owner]
        reached = _resampled_below(
            centred, owner, count, student, seed, check.simulations(simulations, where="residuals")
        )
        p_value = (1.0 + reached) / (simulations + 1.0)
    shape = tail.pnl.shape[:-1]
    return Tested(
        test="exceedance_residuals",
        distribution="student" if seed is None else "simulated",
        rule="one-sided, mean < 0" + ("" if seed is None else f"; {simulations} resamples, seed {seed}"),
        statistic=np.where(few, UNDEFINED, student).reshape(shape),
        p_value=np.where(few, UNDEFINED, p_value).reshape(shape),
        degrees_of_freedom=np.maximum(count - 1, 0).reshape(shape),
        side=np.where(few, 0, -np.sign(mean)).astype(np.int64).reshape(shape),
        flag=flags(shape, ("no_exceptions", (count == 0).reshape(shape)), ("few_exceptions", few.reshape(shape))),
    )


def _tail(pnl: ArrayLike, value_at_risk: ArrayLike, shortfall: ArrayLike, where: str) -> _Tail:
    gain = check.series(pnl, "pnl", where=where)
    quantile = check.series(value_at_risk, "value at risk", where=where, like=gain)
    beyond = check.above_zero(shortfall, "expected shortfall", where=where, like=gain)
    return _Tail(gain, quantile, beyond, gain + quantile < 0.0)


def _against_law(
    test: str, statistic: FloatArray, law: FloatArray, none: BoolArray, significance: float, rule: str
) -> Tested:
    """A statistic [...] against its simulated law [..., simulation]; of the law what is not defined does not count."""
    usable = np.isfinite(law).sum(axis=-1)
    below = (law <= statistic[..., None]).sum(axis=-1)  # A comparison with NaN is false.
    place = np.clip(np.ceil(usable * significance).astype(np.int64) - 1, 0, None)
    ascending = np.sort(law, axis=-1)  # NaN stand last.
    known = np.isfinite(statistic)
    return Tested(
        test=test,
        distribution="simulated",
        rule=rule,
        statistic=np.asarray(statistic),
        p_value=np.where(known, (1.0 + below) / (usable + 1.0), UNDEFINED),
        degrees_of_freedom=np.zeros(none.shape, np.int64),
        side=np.where(known, -np.sign(np.where(known, statistic, 0.0)), 0).astype(np.int64),
        flag=flags(none.shape, ("no_exceptions", none)),
        critical=np.take_along_axis(ascending, place[..., None], axis=-1)[..., 0],
    )


def _reach(tail: _Tail, predictive: Predictive, rate: float) -> float:
    """A probability above which no draw is an exception on any date: it spares nearly all quantiles."""
    dates, u = np.arange(tail.pnl.shape[-1]), rate
    while u < 1.0 and _hits(predictive(np.full(len(dates), u), dates), tail.value_at_risk).any():
        u = min(1.0, 1.25 * u)
    return u


def _simulate(
    tail: _Tail, predictive: Predictive, reach: float, seed: int, simulations: int
) -> tuple[FloatArray, IntArray]:
    """Sums of X/ES over exceptions, and their number, in series drawn from the forecast [..., simulation].

    All series share the uniform numbers, so a batch gives each series what it would get alone."""
    dates, series = tail.pnl.shape[-1], int(np.prod(tail.pnl.shape[:-1]))
    totals, counts = np.zeros((series, simulations)), np.zeros((series, simulations), np.int64)
    # Numbers drawn for dates, and those kept of them for every series, both stay within bounds.
    width, rng = dates * max(1.0, series * reach), np.random.default_rng(seed)
    block = max(1, int(_CELLS / width))
    for start in range(0, simulations, block):
        size = min(block, simulations - start)
        u = 1.0 - rng.random((size, dates))
        run, date = np.nonzero(u <= reach)
        drawn = predictive(u[run, date], date)
        hit = _hits(drawn, tail.value_at_risk[..., date])
        ratio = np.where(hit, drawn / tail.shortfall[..., date], 0.0).reshape(series, -1)
        for row, (part, marked) in enumerate(zip(ratio, hit.reshape(series, -1), strict=True)):
            totals[row, start : start + size] = np.bincount(run, weights=part, minlength=size)
            counts[row, start : start + size] = np.bincount(run[marked], minlength=size)
    shape = (*tail.pnl.shape[:-1], simulations)
    return totals.reshape(shape), counts.reshape(shape)


def _hits(drawn: FloatArray, value_at_risk: FloatArray) -> BoolArray:
    return np.asarray(drawn + value_at_risk <= _BOUNDARY * np.abs(value_at_risk), np.bool_)


def _mean_or_undefined(total: FloatArray, count: IntArray) -> FloatArray:
    return np.where(count > 0, total / np.maximum(count, 1), UNDEFINED)


def _means_and_deviations(values: FloatArray, owner: IntArray, count: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (n − 1) of the values of each owner [owner]."""
    some = np.maximum(count, 1)
    mean = np.bincount(owner, weights=values, minlength=len(count)) / some
    square = np.bincount(owner, weights=(values - mean[owner]) ** 2, minlength=len(count))
    return mean, np.sqrt(square / np.maximum(count - 1, 1))


def _student(mean: FloatArray, deviation: FloatArray, count: IntArray) -> FloatArray:
    """mean √n/deviation; where nothing varies 0 for a mean of 0, else infinite with its sign."""
    still = deviation == 0.0
    return np.where(
        still,
        np.where(mean == 0.0, 0.0, np.copysign(np.inf, mean)),
        mean * np.sqrt(count) / np.where(still, 1.0, deviation),
    )


def _resampled_below(
    centred: FloatArray, owner: IntArray, count: IntArray, student: FloatArray, seed: int, simulations: int
) -> IntArray:
    """In how many resamples of the centred residuals Student's t is at most the observed one [owner]."""
    rng, start = np.random.default_rng(seed), np.cumsum(count) - count
    reached = np.zeros(len(count), np.int64)
    for _ in range(simulations if len(centred) else 0):
        picked = centred[start[owner] + (rng.random(len(owner)) * count[owner]).astype(np.int64)]
        reached += _student(*_means_and_deviations(picked, owner, count), count) <= student
    return reached
