"""Tails of many factors: generalised Pareto fits, and quantiles of spliced distributions for Monte Carlo."""

import numpy as np
from scipy import stats

from benchmarks.case import Bar, Case, Contender
from crossmargin.scenarios.kernels.tails import fit_excesses, spliced_cdf, spliced_quantiles
from crossmargin.scenarios.statistics.tails import splice

FACTORS, EXCESSES = 20, 100


def samples(factors: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.sort(stats.genpareto.rvs(0.2, size=(factors, EXCESSES), random_state=rng), axis=1)


def fits(factors: int) -> list[Contender]:
    excess = samples(factors)
    ptr, packed, few = EXCESSES * np.arange(factors + 1), excess.ravel(), excess[:10]
    return [
        Contender(name="crossmargin", run=lambda: fit_excesses(ptr, packed), cells=factors),
        Contender(
            name="scipy genpareto.fit", run=lambda: [stats.genpareto.fit(y, floc=0) for y in few], cells=len(few)
        ),
    ]


def fit_error() -> float:
    """How far the log-likelihood lies below that of SciPy, at worst, relative."""
    excess = samples(20)
    ours = fit_excesses(EXCESSES * np.arange(21), excess.ravel())[:, 2]
    theirs = [stats.genpareto.logpdf(y, *stats.genpareto.fit(y, floc=0)).sum() for y in excess]
    return float(np.maximum(0.0, (np.array(theirs) - ours) / np.abs(ours)).max())


def draws(scenarios: int) -> list[Contender]:
    rng = np.random.default_rng(1)
    values = rng.standard_t(4, (1000, FACTORS))
    law, p, cells = splice(values), rng.random((FACTORS, scenarios)), FACTORS * scenarios
    low, high = (np.stack([t.excesses.astype(float), t.shape, t.scale]) for t in (law.low, law.high))
    columns = (law.ptr, law.ordered, low, high)
    x = spliced_quantiles(p, *columns)
    return [
        Contender(name="crossmargin", run=lambda: spliced_quantiles(p, *columns), cells=cells),
        Contender(
            name="numpy quantile of the sample",
            run=lambda: [np.quantile(values[:, f], p[f]) for f in range(FACTORS)],
            cells=cells,
        ),
        Contender(name="distribution function", run=lambda: spliced_cdf(x, *columns), cells=cells),
    ]


def cases() -> list[Case]:
    return [
        Case(
            name="tails, Pareto fits",
            unit=f"factors × {EXCESSES} excesses",
            sizes=(20, 200, 2_000),
            contest=fits,
            bars=(Bar(against="scipy genpareto.fit", ratio_min=5.0),),
            error=fit_error,
            error_max=1e-12,
        ),
        Case(
            name="tails, spliced quantiles",
            unit=f"scenarios × {FACTORS} factors",
            sizes=(10_000, 30_000, 100_000),
            contest=draws,
            bars=(Bar(against="numpy quantile of the sample", ratio_min=1.0),),
        ),
    ]
