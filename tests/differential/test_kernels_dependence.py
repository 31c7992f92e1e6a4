"""Correlations over time against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.scenarios.kernels.dependence import correlation_log_likelihood, filter_correlations, kendall_taus
from spec.kernels import dependence as spec
from tests.strategies import few


def draw(seed: int, gaps: float, *, dates: int = 12, factors: int = 4):
    rng = np.random.default_rng(seed)
    loading = rng.normal(0.0, 1.0, (factors, 2))
    target = np.corrcoef(loading @ rng.normal(0.0, 1.0, (2, 50)) + rng.normal(0.0, 0.5, (factors, 50)))
    z = rng.normal(0.0, 1.0, (dates, factors))
    z[rng.random(z.shape) < gaps] = np.nan
    return z, 0.5 * (target + target.T)


gaps = st.sampled_from([0.0, 0.3, 1.0])
weights = st.tuples(st.floats(0.0, 0.2), st.floats(0.0, 0.8))


@few
@given(st.integers(0, 10_000), gaps, weights)
def test_filter_correlations(seed, gap, weight):
    z, target = draw(seed, gap)
    state = 1.3 * target
    path, after = filter_correlations(z, target, state, *weight)
    plain, last = spec.filter_correlations(z.tolist(), target.tolist(), state.tolist(), *weight)
    np.testing.assert_allclose(path, plain, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(after, last, rtol=1e-9, atol=1e-12)


@few
@given(st.integers(0, 10_000), gaps, weights)
def test_correlation_log_likelihood(seed, gap, weight):
    z, target = draw(seed, gap)
    plain = spec.correlation_log_likelihood(z.tolist(), target.tolist(), *weight)
    assert correlation_log_likelihood(z, target, *weight) == pytest.approx(plain, rel=1e-9, abs=1e-10)


@few
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3]), st.booleans())
def test_kendall_taus(seed, gap, ties):
    z, _ = draw(seed, gap, dates=25)
    values = np.round(z) if ties else z
    found = kendall_taus(values)
    for i in range(4):
        for j in range(i):
            plain = spec.kendall_taus(values[:, i].tolist(), values[:, j].tolist())
            assert found[i, j] == found[j, i] == pytest.approx(plain, nan_ok=True)
