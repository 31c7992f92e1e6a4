"""Copulas: uniform margins, the dependence asked for, tails as in the formulas, and fits that find what was drawn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.kernels.copulas import student_cdf
from crossmargin.scenarios.kernels.dependence import kendall_taus
from crossmargin.scenarios.statistics.copulas import (
    EllipticalCopula,
    correlation_root,
    fit_gaussian,
    fit_grouped_t,
    fit_t,
    fit_vine,
    gaussian_copula,
    grouped_t_copula,
    pseudo_observations,
    rank_correlation,
    sobol,
    t_copula,
    tail_counts,
)
from tests.strategies import few

seeds = st.integers(0, 100_000)


def correlation(seed: int, size: int = 4):
    rng = np.random.default_rng(seed)
    return np.corrcoef(rng.normal(size=(size, 2)) @ rng.normal(size=(2, 300)) + rng.normal(size=(size, 300)))


copulas = st.builds(
    lambda seed, nu, kind: {
        "gaussian": gaussian_copula(correlation(seed)),
        "t": t_copula(correlation(seed), nu),
        "grouped": grouped_t_copula(correlation(seed), [0, 1, 0, 2], [nu, 6.0, math.inf]),
    }[kind],
    seeds, st.floats(2.05, 40.0), st.sampled_from(["gaussian", "t", "grouped"]),
)  # fmt: skip


@few
@given(copulas, seeds)
def test_margins_are_uniform_and_draws_repeat(copula, seed):
    u = copula.simulate(4096, seed=seed)
    assert u.shape == (4, 4096)
    assert ((u > 0.0) & (u < 1.0)).all()
    np.testing.assert_array_equal(u, copula.simulate(4096, seed=seed))
    assert not np.array_equal(u, copula.simulate(4096, seed=seed + 1))
    for row in u:  # quasi-random draws lie closer to the law than independent ones would
        assert stats.kstest(row, "uniform").statistic < 0.02


@few
@given(copulas, seeds)
def test_rank_correlations_are_those_asked_for(copula, seed):
    """Kendall's tau is (2/π)·asin ρ for Gaussian and t; between groups of different ν nearly so."""
    tau = kendall_taus(copula.simulate(2048, seed=seed).T)
    np.testing.assert_allclose(tau, 2.0 / np.pi * np.arcsin(np.clip(copula.correlation, -1.0, 1.0)), atol=0.04)


def test_quasi_random_tails_are_even():
    """The error of a 1 % quantile of a sum is a fraction of that of independent draws."""
    copula = t_copula(correlation(1), 5.0)

    def quantile(u):
        return np.quantile(special.ndtri(u).sum(axis=0), 0.01)

    rng = np.random.default_rng(0)
    quasi = np.std([quantile(copula.simulate(8192, seed=seed)) for seed in range(12)])
    plain = np.std([quantile(copula.uniforms(rng.random((5, 8192)))) for _ in range(12)])
    assert quasi < 0.6 * plain


@pytest.mark.parametrize("nu", [2.05, 4.3, 30.0, 180.0])
def test_student_distribution_is_that_of_scipy(nu):
    x = np.concatenate([-np.geomspace(1e-9, 1e9, 400), np.geomspace(1e-9, 1e3, 400), [0.0]])[None]
    expected = special.stdtr(nu, x)
    known = expected > 1e-280
    np.testing.assert_allclose(student_cdf(x, np.array([nu]))[known], expected[known], rtol=2e-9)
    far = student_cdf(np.array([[-1e12, 1e12]]), np.array([nu]))[0]
    assert 0.0 < far[0] < 1e-20
    assert 1.0 - 1e-15 < far[1] < 1.0


def test_tail_dependence_of_the_formulas():
    """Within a group the closed form; across groups a mixture that must agree with it where the groups are equal."""
    r = correlation(2)
    t = t_copula(r, 4.0).tail_dependence()
    nearly = grouped_t_copula(r, [0, 0, 1, 1], [4.0, 4.0 + 1e-9]).tail_dependence()
    np.testing.assert_allclose(nearly, t, atol=1e-8)
    assert t[0, 1] == pytest.approx(2.0 * stats.t(5.0).cdf(-math.sqrt(5.0 * (1.0 - r[0, 1]) / (1.0 + r[0, 1]))))
    np.testing.assert_array_equal(gaussian_copula(r).tail_dependence(), np.eye(4))
    mixed = grouped_t_copula(r, [0, 0, 1, 1], [4.0, math.inf]).tail_dependence()
    np.testing.assert_array_equal(mixed[:2, 2:], 0.0)
    assert mixed[0, 1] == t[0, 1]


def test_tail_dependence_is_seen_in_draws():
    r = np.array([[1.0, 0.6, 0.6], [0.6, 1.0, 0.6], [0.6, 0.6, 1.0]])
    copula = grouped_t_copula(r, [0, 0, 1], [3.0, 5.0])
    low, high = tail_counts(copula.simulate(2**19, seed=5), 5e-4)
    expected = copula.tail_dependence()
    assert low[0, 1] == pytest.approx(expected[0, 1], abs=0.06)
    assert low[0, 2] == pytest.approx(expected[0, 2], abs=0.06)
    np.testing.assert_allclose(low, high, atol=0.08)
    gaussian, _ = tail_counts(gaussian_copula(r).simulate(2**17, seed=5), 5e-4)
    assert gaussian[0, 1] < 0.75 * low[0, 1]


@few
@given(seeds, st.floats(2.5, 12.0))
def test_the_fit_finds_what_was_drawn(seed, nu):
    copula = t_copula(correlation(seed), nu)
    fit = fit_t(copula.simulate(1500, seed=seed).T)
    assert abs(fit.copula.nu[0] - nu) < 4.0 * fit.nu_error[0] + 0.3
    np.testing.assert_allclose(fit.copula.correlation, copula.correlation, atol=0.1)
    assert fit.dates[0] == 1500
    u = pseudo_observations(copula.simulate(1500, seed=seed).T)
    assert fit.log_likelihood[0] == pytest.approx(fit.copula.log_likelihood(u))
    for other in (0.8, 1.25):
        assert fit.log_likelihood[0] >= t_copula(fit.copula.correlation, other * fit.copula.nu[0]).log_likelihood(u)


def test_groups_get_their_own_degrees_of_freedom():
    copula = grouped_t_copula(correlation(6), [0, 0, 1, 1], [2.8, 12.0])
    fit = fit_grouped_t(copula.simulate(4000, seed=8).T, [0, 0, 1, 1])
    assert fit.copula.nu[0] == pytest.approx(2.8, rel=0.25)
    assert fit.copula.nu[1] > 6.0
    alone = fit_grouped_t(copula.simulate(1000, seed=8).T, [0, 0, 0, 1])
    assert alone.copula.nu[1] == fit_t(copula.simulate(1000, seed=8).T).copula.nu[0]


def test_a_gaussian_is_seen_as_one():
    """ν goes to its limit, and no error is claimed there."""
    u = gaussian_copula(correlation(3)).simulate(2000, seed=1).T
    fit = fit_t(u)
    assert fit.copula.nu[0] > 40.0
    plain = fit_gaussian(u)
    assert np.isinf(plain.copula.nu).all() or np.isnan(plain.nu_error).all()
    assert fit.log_likelihood[0] == pytest.approx(plain.log_likelihood[0], abs=2.0)


def test_log_likelihood_is_that_of_the_densities():
    """Joint density less those of the factors, from SciPy."""
    r, nu = correlation(4), 5.0
    u = np.random.default_rng(0).random((50, 4))
    x = stats.t(nu).ppf(u)
    expected = stats.multivariate_t(shape=r, df=nu).logpdf(x).sum() - stats.t(nu).logpdf(x).sum()
    assert t_copula(r, nu).log_likelihood(u) == pytest.approx(expected)
    z = stats.norm.ppf(u)
    expected = stats.multivariate_normal(cov=r).logpdf(z).sum() - stats.norm.logpdf(z).sum()
    assert gaussian_copula(r).log_likelihood(u) == pytest.approx(expected)


@given(seeds)
def test_monotone_changes_of_a_factor_change_nothing(seed):
    values = np.random.default_rng(seed).standard_t(3, (120, 3))
    values[:15, 1] = np.nan
    other = np.stack([np.exp(values[:, 0]), values[:, 1] ** 3, 5.0 + 2.0 * values[:, 2]], axis=1)
    np.testing.assert_array_equal(pseudo_observations(values), pseudo_observations(other))
    np.testing.assert_array_equal(rank_correlation(values).matrix, rank_correlation(other).matrix)


def test_ranks():
    values = np.array([[3.0, 1.0], [1.0, np.nan], [3.0, 2.0], [2.0, 0.5]])
    np.testing.assert_allclose(
        pseudo_observations(values), np.array([[3.5 / 5, 2 / 4], [1 / 5, np.nan], [3.5 / 5, 3 / 4], [2 / 5, 1 / 4]])
    )


def test_singular_correlations_are_simulated():
    """Two factors that are one move as one; the root says so."""
    r = np.array([[1.0, 1.0, 0.3], [1.0, 1.0, 0.3], [0.3, 0.3, 1.0]])
    np.testing.assert_allclose(correlation_root(r) @ correlation_root(r).T, r, atol=1e-12)
    u = t_copula(r, 4.0).simulate(500, seed=0)
    np.testing.assert_allclose(u[0], u[1], rtol=1e-9)
    opposite = gaussian_copula(np.array([[1.0, -1.0], [-1.0, 1.0]])).simulate(500, seed=0)
    np.testing.assert_allclose(opposite[0] + opposite[1], 1.0)


def test_sobol_points_are_balanced():
    points = sobol(1024, 7, seed=3)
    assert ((points > 0.0) & (points < 1.0)).all()
    counts = np.apply_along_axis(lambda row: np.histogram(row, 32, (0.0, 1.0))[0], 1, points)
    np.testing.assert_array_equal(counts, 32)
    np.testing.assert_array_equal(sobol(700, 7, seed=3), points[:, :700])
    assert sobol(1, 2, seed=0).shape == (2, 1)


def test_vines():
    pytest.importorskip("pyvinecopulib")
    copula = t_copula(correlation(9, 3), 4.0)
    values = copula.simulate(600, seed=2).T
    vine = fit_vine(values)
    assert vine.log_likelihood > 0.8 * fit_t(values).log_likelihood[0]
    assert 0 < vine.parameters <= 9
    u = vine.simulate(2048, seed=4)
    np.testing.assert_array_equal(u, vine.simulate(2048, seed=4))
    np.testing.assert_allclose(kendall_taus(u.T), kendall_taus(values), atol=0.08)
    shallow = fit_vine(values, truncation=1)
    assert shallow.parameters < vine.parameters
    assert shallow.log_likelihood < vine.log_likelihood


def test_vines_say_what_they_need(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyvinecopulib", None)
    with pytest.raises(InvalidInput, match=r'pip install "crossmargin\[calibrate\]"'):
        fit_vine(np.zeros((200, 2)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: t_copula(np.eye(2), 0.5), "degrees of freedom is"),
        (lambda: grouped_t_copula(np.eye(2), [0, 2], [3.0, 4.0]), "groups is"),
        (lambda: EllipticalCopula(correlation=np.eye(2), group=np.array([0]), nu=np.array([3.0])), "groups is"),
        (
            lambda: fit_t(np.random.default_rng(0).normal(size=(60, 2))),
            "complete dates is 60, but must be at least 100",
        ),
        (
            lambda: rank_correlation(np.column_stack([np.ones(9), np.arange(9.0)])),
            "factors 0 and 1: Kendall's tau is nan",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
