"""Dependence: degenerate cases, recovery of what was simulated, and matrices that stay correlations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.kernels.dependence import kendall_taus
from crossmargin.scenarios.statistics.dependence import (
    Block,
    DccModel,
    correlation,
    ewma_correlation,
    filter_dcc,
    fit_dcc,
    ledoit_wolf,
    repair,
    stress_correlation,
)
from tests.strategies import few

seeds = st.integers(0, 100_000)


def any_correlation(seed: int, size: int = 6, ties: float = 1.0):
    rng = np.random.default_rng(seed)
    return np.corrcoef(
        rng.normal(0.0, 1.0, (size, 3)) @ rng.normal(0.0, 1.0, (3, 200)) + ties * rng.normal(size=(size, 200))
    )


def returns(seed: int, dates: int = 300, size: int = 6):
    root = np.linalg.cholesky(any_correlation(seed, size))
    return np.random.default_rng(seed + 1).normal(0.0, 1.0, (dates, size)) @ root.T


def is_correlation(matrix) -> bool:
    ones = np.abs(np.diag(matrix) - 1.0).max() < 1e-12
    return bool(ones and np.array_equal(matrix, matrix.T) and np.linalg.eigvalsh(matrix)[0] > -1e-9)


@given(seeds)
def test_without_weights_correlation_is_constant(seed):
    """a = b = 0 is constant conditional correlation, to the bit."""
    z, target = returns(seed), any_correlation(seed)
    path = filter_dcc(DccModel(a=0.0, b=0.0, target=target), z).correlation
    np.testing.assert_allclose(path, np.broadcast_to(target, path.shape), rtol=1e-14, atol=1e-15)


@given(seeds, st.floats(0.0, 0.15), st.floats(0.0, 0.84), st.integers(0, 299), st.booleans())
def test_the_future_changes_nothing_before_and_parts_are_the_whole(seed, a, b, at, gaps):
    z, model = returns(seed), DccModel(a=a, b=b, target=any_correlation(seed))
    if gaps:
        z[np.random.default_rng(seed).random(z.shape) < 0.1] = np.nan
    whole = filter_dcc(model, z)
    changed = z.copy()
    changed[at:] = 7.0
    np.testing.assert_array_equal(filter_dcc(model, changed).correlation[: at + 1], whole.correlation[: at + 1])
    first = filter_dcc(model, z[:at])
    second = filter_dcc(model, z[at:], first.state)
    np.testing.assert_array_equal(np.concatenate([first.correlation, second.correlation]), whole.correlation)
    np.testing.assert_array_equal(second.state, whole.state)
    assert all(is_correlation(r) for r in whole.correlation[::37])


def test_what_is_missing_counts_as_expected():
    """With all of a date missing Q moves as R is expected to; the expectation of M is R for any pattern of gaps."""
    target = any_correlation(3, 3)
    model = DccModel(a=0.05, b=0.9, target=target)
    gone = filter_dcc(model, np.full((50, 3), np.nan))
    np.testing.assert_allclose(gone.correlation[-1], target, rtol=1e-12)
    z = np.random.default_rng(0).normal(size=(20_000, 3)) @ np.linalg.cholesky(target).T
    z[:, 1] = np.nan
    mean = [filter_dcc(DccModel(a=1.0, b=0.0, target=target), row[None, :]).state for row in z]
    np.testing.assert_allclose(np.mean(mean, axis=0), target, atol=0.03)


def test_exponential_weights_are_a_dcc_without_target():
    z = returns(5, dates=2000)
    model = DccModel(a=0.03, b=0.97, target=np.eye(6))
    state = filter_dcc(model, z).state
    scale = 1.0 / np.sqrt(np.diag(state))
    np.testing.assert_allclose(ewma_correlation(z, 0.97).matrix, state * scale * scale[:, None], atol=1e-10)


@few
@given(seeds)
def test_correlation_of_complete_dates_needs_no_repair(seed):
    z = returns(seed)
    found = correlation(z)
    assert found.change_max == 0.0
    second_moment = z.T @ z
    scale = 1.0 / np.sqrt(np.diag(second_moment))
    np.testing.assert_allclose(found.matrix, second_moment * scale * scale[:, None], atol=1e-14)


def test_a_factor_listed_late_uses_the_dates_it_shares():
    z = returns(9, dates=400)
    z[:300, 2] = np.nan
    found = correlation(z)
    assert found.matrix[2, 4] == pytest.approx(correlation(z[300:]).matrix[2, 4], abs=found.change_max + 1e-12)
    z[:380, 2] = np.nan
    with pytest.raises(InvalidInput, match=r"factors 0 and 2: number of common dates is 20, but must be at least 30"):
        correlation(z)


@few
@given(seeds)
def test_repair_gives_a_correlation_and_says_what_it_changed(seed):
    wild = np.random.default_rng(seed).uniform(-1.0, 1.0, (7, 7))
    wild = np.triu(wild, 1) + np.triu(wild, 1).T + np.eye(7)
    found = repair(wild)
    assert is_correlation(found.matrix)
    assert found.change_max == pytest.approx(np.abs(found.matrix - wild).max())
    assert found.change_norm == pytest.approx(np.linalg.norm(found.matrix - wild))
    assert (found.change_max == 0.0) == (found.eigenvalue_min >= -1e-12)
    assert repair(found.matrix).change_max < 1e-8
    clipped = np.linalg.eigh(wild)
    plain = (clipped.eigenvectors * np.maximum(clipped.eigenvalues, 0.0)) @ clipped.eigenvectors.T
    plain = plain / np.sqrt(np.outer(np.diag(plain), np.diag(plain)))
    assert found.change_norm <= np.linalg.norm(plain - wild) + 1e-6


def test_the_nearest_correlation_matrix_of_the_paper():
    """Source: Higham (2002), IMA J. Numer. Anal. 22, p. 334: the distance of this matrix is 0.5278."""
    found = repair(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]))
    assert found.change_norm == pytest.approx(0.5278, abs=5e-5)
    np.testing.assert_allclose(found.matrix[0], [1.0, 0.7607, 0.1573], atol=5e-5)


def test_dcc_is_recovered():
    """Standardised returns simulated with a = 0.04, b = 0.93: estimates within three of their errors."""
    rng, target = np.random.default_rng(7), any_correlation(11, 3)
    a, b, q, rows = 0.04, 0.93, target.copy(), []
    for _ in range(4000):
        scale = 1.0 / np.sqrt(np.diag(q))
        z = np.linalg.cholesky(q * scale * scale[:, None]) @ rng.normal(size=3)
        rows.append(z)
        q = (1 - a - b) * target + a * np.outer(z, z) + b * q
    fit = fit_dcc(np.array(rows))
    assert fit.converged
    assert fit.log_likelihood > fit.constant_log_likelihood + 20.0
    assert abs(fit.model.a - a) < 3.0 * fit.errors[0]
    assert abs(fit.model.b - b) < 3.0 * fit.errors[1]
    assert 0.0 < fit.errors[0] < 0.02


def test_without_dynamics_little_is_found():
    fit = fit_dcc(returns(2, dates=1500))
    assert fit.log_likelihood - fit.constant_log_likelihood < 4.0  # chi-square(2), 98 %
    assert fit.model.a < 0.02


@few
@given(seeds, st.integers(8, 200))
def test_shrinkage_agrees_with_scikit_learn(seed, dates):
    covariance = pytest.importorskip("sklearn.covariance")
    z = returns(seed, dates=dates)
    found, shrinkage = ledoit_wolf(z)
    theirs = covariance.LedoitWolf(assume_centered=True).fit(z)
    assert shrinkage == pytest.approx(theirs.shrinkage_, rel=1e-9)
    np.testing.assert_allclose(found, theirs.covariance_, rtol=1e-9, atol=1e-12)
    assert np.linalg.cond(found) <= np.linalg.cond(z.T @ z) * (1.0 + 1e-9)


@given(seeds, st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.sampled_from([(1, 1, 1), (1, -1, 1)]))
def test_stressed_blocks_are_exact_and_the_rest_is_kept_as_far_as_can_be(seed, first, second, signs):
    matrix = any_correlation(seed)
    blocks = [Block(factors=(0, 2, 4), signs=signs, stress=first), Block(factors=(1, 3), stress=second)]
    found = stress_correlation(matrix, blocks)
    assert is_correlation(found.matrix)
    for (i, s), (j, u) in (
        ((0, signs[0]), (2, signs[1])),
        ((2, signs[1]), (4, signs[2])),
        ((0, signs[0]), (4, signs[2])),
    ):
        assert found.matrix[i, j] == pytest.approx(matrix[i, j] + first * (s * u - matrix[i, j]), abs=1e-12)
    assert found.matrix[1, 3] == pytest.approx(matrix[1, 3] + second * (1.0 - matrix[1, 3]), abs=1e-12)
    assert (found.kept == 1.0) == (found.change_max < 1e-12)
    if found.kept == 1.0:
        assert found.matrix[0, 1] == pytest.approx(matrix[0, 1], abs=1e-12)


def test_stress_at_its_ends():
    matrix = any_correlation(4)
    np.testing.assert_allclose(stress_correlation(matrix, [Block(factors=(0, 1, 2), stress=0.0)]).matrix, matrix)
    apart = stress_correlation(matrix, [Block(factors=(0, 1), signs=(1, -1), stress=1.0)])
    assert apart.matrix[0, 1] == pytest.approx(-1.0)
    assert is_correlation(apart.matrix)
    one = stress_correlation(matrix, [Block(factors=tuple(range(6)), stress=1.0)])
    np.testing.assert_allclose(one.matrix, 1.0)


def test_kendall_is_that_of_scipy():
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(size=(200, 4)), 1)
    found = kendall_taus(values)
    assert found[1, 3] == pytest.approx(stats.kendalltau(values[:, 1], values[:, 3]).statistic)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: repair(np.array([[1.0, 2.0], [2.0, 1.0]])), r"factors 0 and 1: correlation is 2.0"),
        (lambda: repair(np.array([[1.0, 0.2], [0.1, 1.0]])), "symmetric with ones"),
        (lambda: repair(np.array([[1.0, np.nan], [np.nan, 1.0]])), "finite"),
        (lambda: DccModel(a=0.2, b=0.9, target=np.eye(2)), r"DCC model: a \+ b is 1.1"),
        (lambda: correlation(np.column_stack([np.zeros(50), np.ones(50)])), "factor 0: variance is 0.0"),
        (lambda: ledoit_wolf(np.array([[1.0, np.nan]])), "standardised return is nan"),
        (lambda: stress_correlation(np.eye(3), [Block(factors=(0, 1)), Block(factors=(1, 2))]), "in one block only"),
        (lambda: stress_correlation(np.eye(3), [Block(factors=(0, 1), signs=(1, 0))]), "1 or −1"),
        (lambda: stress_correlation(np.eye(3), [Block(factors=(0, 1), stress=1.5)]), "stress is 1.5"),
        (lambda: stress_correlation(1.9 * np.eye(3) - 0.9, [Block(factors=(0, 1))]), "Repair it first"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
