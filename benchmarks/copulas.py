"""Copulas of twenty factors: Monte Carlo scenarios, and fits, against SciPy, pyvinecopulib and skfolio."""

from functools import cache
from typing import Any

import numpy as np
from scipy import special, stats

from benchmarks.case import Bar, Case, Contender, Limit, optional
from crossmargin.scenarios.kernels.copulas import student_cdf
from crossmargin.scenarios.statistics.copulas import fit_t, t_copula

FACTORS, NU = 20, 4.3
SLOW = 5_000  # Scenarios that the vines draw; they take minutes for all.


@cache
def correlation() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.corrcoef(rng.normal(size=(FACTORS, 3)) @ rng.normal(size=(3, 300)) + rng.normal(size=(FACTORS, 300)))


def scipy_draw(scenarios: int) -> np.ndarray:
    law = stats.multivariate_t(shape=correlation(), df=NU, seed=1)
    return special.stdtr(NU, law.rvs(scenarios).T)


@cache
def student_vine() -> Any:
    """A vine of t copulas over all factors; its depth, not its parameters, sets the time."""
    import pyvinecopulib as pv

    pairs = [
        [pv.Bicop(family=pv.BicopFamily.student, parameters=np.array([[0.3], [NU]])) for _ in range(FACTORS - 1 - tree)]
        for tree in range(FACTORS - 1)
    ]
    return pv.Vinecop.from_structure(structure=pv.DVineStructure(list(range(1, FACTORS + 1))), pair_copulas=pairs)


@cache
def skfolio_vine(factors: int) -> Any:
    """A vine that may use nothing but t copulas, fitted to draws of ours."""
    from skfolio.distribution import StudentTCopula, VineCopula

    u = t_copula(correlation()[:factors, :factors], NU).simulate(1_000, seed=1).T
    model = VineCopula(fit_marginals=False, copula_candidates=[StudentTCopula()], max_depth=factors)
    return model.fit(u)


def draws(scenarios: int) -> list[Contender]:
    copula, cells = t_copula(correlation(), NU), FACTORS * scenarios
    no_vine, no_skfolio = optional("pyvinecopulib"), optional("skfolio")
    return [
        Contender(name="crossmargin, Sobol", run=lambda: copula.simulate(scenarios, seed=1), cells=cells),
        Contender(name="scipy multivariate_t, stdtr", run=lambda: scipy_draw(scenarios), cells=cells),
        Contender(
            name="pyvinecopulib, vine of t",
            run=None if no_vine else lambda: student_vine().sample(SLOW, seeds=[1]),
            cells=FACTORS * SLOW,
            absent=no_vine,
        ),
        Contender(
            name="skfolio, vine of t, 5 factors",
            run=None if no_skfolio else lambda: skfolio_vine(5).sample(SLOW),
            cells=5 * SLOW,
            absent=no_skfolio,
        ),
    ]


def draw_seconds() -> float:
    import time

    copula = t_copula(correlation(), NU)

    def once() -> float:
        begin = time.perf_counter()
        copula.simulate(100_000, seed=1)
        return time.perf_counter() - begin

    return min(once() for _ in range(3))


def distribution(scenarios: int) -> list[Contender]:
    x = np.random.default_rng(0).standard_t(NU, (FACTORS, scenarios))
    nu, cells = np.full(FACTORS, NU), FACTORS * scenarios
    return [
        Contender(name="crossmargin", run=lambda: student_cdf(x, nu), cells=cells),
        Contender(name="scipy stdtr", run=lambda: special.stdtr(NU, x), cells=cells),
    ]


def distribution_error() -> float:
    x = -np.geomspace(1e-6, 1e6, 20_000)[None]
    return float(np.abs(student_cdf(x, np.array([NU])) / special.stdtr(NU, x) - 1.0).max())


def fits(dates: int) -> list[Contender]:
    values = t_copula(correlation(), NU).simulate(dates, seed=1).T
    no_vine = optional("pyvinecopulib")

    def vine() -> object:
        import pyvinecopulib as pv

        controls = pv.FitControlsVinecop(family_set=[pv.BicopFamily.student], trunc_lvl=1)
        return pv.Vinecop.from_data(np.asfortranarray(values), controls=controls)

    return [
        Contender(name="crossmargin, t copula", run=lambda: fit_t(values), cells=dates),
        Contender(
            name="pyvinecopulib, one tree of t",
            run=None if no_vine else vine,
            cells=dates,
            absent=no_vine,
        ),
    ]


def cases() -> list[Case]:
    unit = f"scenarios × {FACTORS} factors"
    return [
        Case(
            name="copulas, t scenarios",
            unit=unit,
            sizes=(10_000, 30_000, 100_000),
            contest=draws,
            bars=(
                Bar(against="scipy multivariate_t, stdtr", ratio_min=1.5),
                Bar(against="pyvinecopulib, vine of t", ratio_min=10.0),
                Bar(against="skfolio, vine of t, 5 factors", ratio_min=2.0),
            ),
            limits=(Limit(name="100,000 × 20", unit="s", at_most=0.5, measure=draw_seconds),),
        ),
        Case(
            name="copulas, Student distribution",
            unit=unit,
            sizes=(10_000, 30_000, 100_000),
            contest=distribution,
            bars=(Bar(against="scipy stdtr", ratio_min=3.0),),
            error=distribution_error,
            error_max=1e-9,
        ),
        Case(
            name="copulas, t fit",
            unit=f"dates × {FACTORS} factors",
            sizes=(250, 500, 1_000),
            contest=fits,
            notes="one ν and 190 correlations against 19 pairs",
        ),
    ]
