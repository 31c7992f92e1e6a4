"""Berkowitz's ratios against a general optimiser, and what they see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from crossmargin.validation.statistics import distribution
from crossmargin.validation.statistics.results import Conventions

DATES = 60


def normals(seed, *, rho=0.0, spread=1.0):
    rng = np.random.default_rng(seed)
    noise, z = rng.normal(size=DATES), np.empty(DATES)
    z[0] = noise[0] / np.sqrt(1.0 - rho**2)
    for t in range(1, DATES):
        z[t] = rho * z[t - 1] + noise[t]
    return spread * z


def log_density(x, mean, deviation):
    return -0.5 * ((x - mean) / deviation) ** 2 - np.log(deviation) - 0.5 * np.log(2.0 * np.pi)


def autoregressive(z, mean, spread, rho, *, exact):
    later = log_density(z[1:], mean + rho * (z[:-1] - mean), spread).sum()
    return later + (log_density(z[0], mean, spread / np.sqrt(1.0 - rho**2)) if exact else 0.0)


def best(log_likelihood, start):
    found = optimize.minimize(
        lambda p: -log_likelihood(p),
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 5000},
    )
    return -found.fun


@pytest.mark.parametrize(
    ("likelihood", "seed", "rho"),
    [("conditional", 1, 0.0), ("conditional", 2, 0.5), ("exact", 3, 0.0), ("exact", 4, 0.8), ("exact", 5, -0.6)],
)
def test_ratio_of_an_optimiser(likelihood, seed, rho):
    z, exact = normals(seed, rho=rho), likelihood == "exact"
    highest = best(lambda p: autoregressive(z, p[0], np.exp(p[1]), np.tanh(p[2]), exact=exact), [0.0, 0.0, 0.0])
    expected = 2.0 * (highest - autoregressive(z, 0.0, 1.0, 0.0, exact=exact))
    tested = distribution.berkowitz(special.ndtr(z), likelihood=likelihood)
    assert float(tested.statistic) == pytest.approx(expected, rel=1e-6)
    assert int(tested.degrees_of_freedom) == 3


@pytest.mark.parametrize(("seed", "tail", "spread"), [(1, 0.1, 1.0), (2, 0.1, 1.6), (3, 0.3, 0.8), (7, 0.05, 1.2)])
def test_tail_ratio_of_an_optimiser(seed, tail, spread):
    z, cut = normals(seed, spread=spread), special.ndtri(tail)
    assert (z < cut).sum() >= 2

    def censored(p):
        inside = log_density(z[z < cut], p[0], np.exp(p[1])).sum()
        return inside + (z >= cut).sum() * special.log_ndtr((p[0] - cut) / np.exp(p[1]))

    expected = 2.0 * (best(censored, [0.0, 0.0]) - censored([0.0, 0.0]))
    tested = distribution.berkowitz_tail(special.ndtr(z), tail=tail)
    assert float(tested.statistic) == pytest.approx(expected, rel=1e-6)


@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.05, 0.2]))
def test_a_ratio_is_never_negative_and_rows_are_alone(seed, tail):
    u = np.random.default_rng(seed).random((4, 80))
    for test in (
        distribution.berkowitz,
        lambda x: distribution.berkowitz(x, likelihood="exact"),
        lambda x: distribution.berkowitz_tail(x, tail=tail),
    ):
        together = test(u)
        assert (together.statistic >= 0.0).all()
        assert np.isfinite(together.statistic).all()
        for row in range(4):
            assert float(test(u[row]).statistic) == pytest.approx(float(together.statistic[row]), rel=1e-9, abs=1e-9)


def test_sides_and_flags():
    wide, narrow = special.ndtr(normals(1, spread=1.8)), special.ndtr(normals(1, spread=0.5))
    assert distribution.berkowitz(np.stack([wide, narrow])).side.tolist() == [1, -1]
    assert distribution.berkowitz_tail(np.stack([wide, narrow]), tail=0.1).side.tolist() == [1, -1]
    sure = wide.copy()
    sure[3] = 0.0
    assert distribution.berkowitz(sure).at((), Conventions()).flag == "clipped"


def test_a_series_that_never_enters_the_tail():
    u = np.linspace(0.2, 0.9, 100)
    tested = distribution.berkowitz_tail(u, tail=0.05).at((), Conventions())
    assert (tested.flag, tested.side) == ("no_exceptions", "overstated")
    assert tested.statistic == pytest.approx(-200.0 * np.log(0.95))
    u[0] = 0.01
    assert distribution.berkowitz_tail(u, tail=0.05).at((), Conventions()).flag == "few_exceptions"
