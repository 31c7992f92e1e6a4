"""Correlations over time of twenty factors, and rank correlations, against NumPy and SciPy."""

import numpy as np
from scipy import stats

from benchmarks.case import Bar, Case, Contender
from crossmargin.scenarios.kernels.dependence import correlation_log_likelihood, filter_correlations, kendall_taus

FACTORS = 20
A, B = 0.02, 0.96


def draw(dates: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    target = np.corrcoef(rng.normal(size=(FACTORS, 3)) @ rng.normal(size=(3, 300)) + rng.normal(size=(FACTORS, 300)))
    return rng.normal(size=(dates, FACTORS)) @ np.linalg.cholesky(target).T, target


def numpy_filter(z: np.ndarray, target: np.ndarray) -> np.ndarray:
    q, path = target, np.empty((len(z), *target.shape))
    for t, row in enumerate(z):
        scale = 1.0 / np.sqrt(np.diag(q))
        path[t] = q * scale * scale[:, None]
        q = (1.0 - A - B) * target + A * np.outer(row, row) + B * q
    return path


def numpy_likelihood(z: np.ndarray, target: np.ndarray) -> float:
    path = numpy_filter(z, target)
    solved = np.linalg.solve(path, z[:, :, None])[:, :, 0]
    return -0.5 * float(np.sum(np.linalg.slogdet(path)[1] + np.sum(z * (solved - z), axis=1)))


def dcc(dates: int) -> list[Contender]:
    z, target = draw(dates)
    return [
        Contender(name="crossmargin", run=lambda: filter_correlations(z, target, target, A, B), cells=dates),
        Contender(name="numpy, a date at a time", run=lambda: numpy_filter(z, target), cells=dates),
    ]


def likelihood(dates: int) -> list[Contender]:
    z, target = draw(dates)
    return [
        Contender(name="crossmargin", run=lambda: correlation_log_likelihood(z, target, A, B), cells=dates),
        Contender(name="numpy, stacked matrices", run=lambda: numpy_likelihood(z, target), cells=dates),
    ]


def likelihood_error() -> float:
    z, target = draw(500)
    return abs(correlation_log_likelihood(z, target, A, B) / numpy_likelihood(z, target) - 1.0)


def kendall(dates: int) -> list[Contender]:
    z, _ = draw(dates)
    pairs = FACTORS * (FACTORS - 1) // 2
    return [
        Contender(name="crossmargin", run=lambda: kendall_taus(z), cells=pairs),
        Contender(
            name="scipy kendalltau",
            run=lambda: [stats.kendalltau(z[:, i], z[:, j]) for i in range(6) for j in range(i)],
            cells=15,
        ),
    ]


def cases() -> list[Case]:
    sizes = (250, 1_000, 4_000)
    return [
        Case(
            name="dependence, DCC filter",
            unit=f"dates × {FACTORS} factors",
            sizes=sizes,
            contest=dcc,
            bars=(Bar(against="numpy, a date at a time", ratio_min=3.0),),
        ),
        Case(
            name="dependence, DCC likelihood",
            unit=f"dates × {FACTORS} factors",
            sizes=sizes,
            contest=likelihood,
            bars=(Bar(against="numpy, stacked matrices", ratio_min=2.0),),
            error=likelihood_error,
            error_max=1e-10,
        ),
        Case(
            name="dependence, Kendall",
            unit=f"dates × {FACTORS} factors",
            sizes=(250, 500, 1_000),
            contest=kendall,
            bars=(Bar(against="scipy kendalltau", ratio_min=1.0),),
        ),
    ]
