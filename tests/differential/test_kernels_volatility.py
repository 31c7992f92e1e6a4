"""Variance filters and running quantiles against one series at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.scenarios.kernels.volatility import filter_variances, running_quantiles
from spec.kernels import volatility as spec


def draw(seed: int, *, dates: int = 60, factors: int = 4):
    """Returns with gaps, factors that are listed late, and parameters of all three kinds."""
    rng = np.random.default_rng(seed)
    returns = 0.02 * rng.standard_t(4, (dates, factors))
    returns[rng.random(returns.shape) < 0.1] = np.nan
    returns[: dates // 3, 0] = np.nan
    parameters = np.stack([
        rng.normal(0.0, 1e-3, factors), rng.uniform(0.0, 1e-5, factors), rng.uniform(0.0, 0.2, factors),
        rng.uniform(0.0, 0.2, factors), rng.uniform(0.5, 0.9, factors), rng.uniform(0.3, 0.7, factors),
    ])  # fmt: skip
    return returns, parameters


@given(st.integers(0, 10_000), st.integers(1, 20), st.booleans())
def test_filter_variances(seed, warm_up, warming):
    returns, parameters = draw(seed)
    first = np.full(4, np.nan) if warming else np.full(4, 4e-4)
    path, after = filter_variances(returns, parameters, np.stack([first, np.zeros(4), np.zeros(4)]), warm_up)
    for f in range(4):
        plain, last = spec.filter_variances(returns[:, f].tolist(), parameters[:, f].tolist(), first[f], warm_up)
        np.testing.assert_allclose(path[:, f], plain, rtol=1e-13)
        assert after[0, f] == pytest.approx(last, rel=1e-13)


@given(st.integers(0, 10_000))
def test_filter_variances_is_each_textbook_recursion(seed):
    rng = np.random.default_rng(seed)
    r, m = 0.02 * rng.standard_t(4, 50), 3e-4
    omega, alpha, gamma, beta, share, decay = 1e-6, 0.05, 0.08, 0.85, 0.55, 0.97

    def kernel(*row):
        rows = np.array([[0.0], *([x] for x in row), [share]])
        first = row[0] + (row[1] + row[2] * share + row[3]) * m
        return filter_variances(r[:, None], rows, np.array([[first], [0.0], [0.0]]), 1)[0][:, 0]

    np.testing.assert_allclose(kernel(0.0, 1 - decay, 0.0, decay), spec.ewma_variance(r, decay, m), rtol=1e-13)
    np.testing.assert_allclose(
        kernel(omega, alpha, 0.0, beta), spec.garch_variance(r, omega, alpha, beta, m), rtol=1e-13
    )
    np.testing.assert_allclose(
        kernel(omega, alpha, gamma, beta), spec.gjr_variance(r, omega, alpha, gamma, beta, share, m), rtol=1e-13
    )


@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.29, 0.5, 0.9, 1.0]), st.sampled_from([3, 10, 200]))
def test_running_quantiles(seed, level, window):
    values = np.round(draw(seed)[0], 2)
    found = running_quantiles(values, level, window, 2)
    for f in range(values.shape[1]):
        np.testing.assert_array_equal(found[:, f], spec.running_quantiles(values[:, f].tolist(), level, window, 2))


def test_levels_are_not_rounded_up_by_a_bit():
    """100 · 0.07 is 7.000000000000001 in floating point; the rank is 7."""
    assert math.ceil(100 * 0.07) == 8
    values = np.arange(100.0)[:, None]
    assert running_quantiles(values, 0.07, 100, 1)[-1, 0] == 6.0
