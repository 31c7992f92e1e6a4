"""Pareto tails and spliced distributions against one sample at a time."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from crossmargin.scenarios.kernels.tails import fit_excesses, spliced_cdf, spliced_quantiles
from spec.kernels import tails as spec
from tests.strategies import few


@few
@example(seed=1128, shapes=[0.0], scale=1.0, limit=2.0)  # its best ξ lies beyond the limit
@given(
    st.integers(0, 10_000),
    st.lists(st.floats(-0.4, 1.2), min_size=1, max_size=3),
    st.floats(1e-6, 1e6),
    st.sampled_from([2.0, 0.5]),
)
def test_fit_excesses(seed, shapes, scale, limit):
    """The twin seeks over ξ and β as two numbers, by trying; ours over one, by its slope."""
    samples = [np.sort(stats.genpareto.rvs(xi, size=60, scale=scale, random_state=seed)) for xi in shapes]
    found = fit_excesses(60 * np.arange(len(samples) + 1), np.concatenate(samples), limit)
    for row, sample in zip(found, samples, strict=True):
        xi, beta, best = spec.fit_excesses(sample.tolist(), limit)
        assert row[2] == pytest.approx(best, rel=1e-9, abs=1e-7)
        assert row[0] == pytest.approx(xi, abs=2e-4)
        assert row[1] == pytest.approx(beta, rel=1e-3)
        assert row[2] == pytest.approx(spec.gpd_log_likelihood(sample.tolist(), row[0], row[1]), rel=1e-10, abs=1e-8)
        distance = stats.kstest(sample, stats.genpareto(row[0], scale=row[1]).cdf).statistic
        assert row[3] == pytest.approx(distance, abs=1e-9)


shapes = st.sampled_from([-0.4, -1e-7, 0.0, 1e-9, 0.2, 1.3])


@given(st.integers(0, 10_000), shapes, shapes, st.integers(1, 12), st.integers(1, 12))
def test_spliced_quantiles_and_spliced_cdf(seed, low_shape, high_shape, below, above):
    rng = np.random.default_rng(seed)
    sizes = np.array([40, 55])
    samples = [np.sort(rng.normal(0.0, 1.0, n)) for n in sizes]
    low, high = (
        np.array([[below] * 2, [low_shape] * 2, [0.3, 0.7]]),
        np.array([[above] * 2, [high_shape] * 2, [0.5, 1.1]]),
    )
    ptr, ordered = np.array([0, 40, 95]), np.concatenate(samples)
    p = rng.random((2, 200))
    x = spliced_quantiles(p, ptr, ordered, low, high)
    back = spliced_cdf(x, ptr, ordered, low, high)
    for f, sample in enumerate(samples):
        tails = (below, low_shape, low[2, f]), (above, high_shape, high[2, f])
        plain = [spec.spliced_quantiles(q, sample.tolist(), *tails) for q in p[f].tolist()]
        np.testing.assert_allclose(x[f], plain, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(
            back[f], [spec.spliced_cdf(v, sample.tolist(), *tails) for v in x[f].tolist()], atol=1e-9
        )
    np.testing.assert_allclose(back, p, atol=1e-12)
