"""SSVI: the published conditions, the pooling of variances, and the calibration."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crossmargin.market import ssvi
from crossmargin.market.arbitrage import examine
from crossmargin.market.svi import total_variance

shapes = st.builds(ssvi.Ssvi, rho=st.floats(-0.9, 0.9), eta=st.floats(0.05, 2.0), gamma=st.floats(0.05, 0.5))
thetas = arrays(np.float64, st.integers(1, 12), elements=st.floats(1e-5, 2.0))


@given(shapes, thetas)
def test_free_shapes_are_free(shape, theta):
    assume(shape.is_free())
    assert examine(shape.smiles(ssvi.growing(theta))).is_free


def test_shapes_beyond_the_bound_are_named():
    assert not ssvi.Ssvi(rho=0.5, eta=1.5, gamma=0.4).is_free()
    assert not ssvi.Ssvi(rho=0.0, eta=1.0, gamma=0.6).is_free()


@given(shapes, thetas)
def test_theta_is_the_variance_at_the_money(shape, theta):
    assert np.allclose(total_variance(np.zeros(1), shape.smiles(theta)), theta, rtol=1e-9)


@given(thetas)
def test_pooled_variances_grow(theta):
    pooled = ssvi.growing(theta)
    assert (np.diff(np.log(pooled)) >= 0.999 * ssvi.GROWTH_MIN).all()


@given(thetas)
def test_pooling_twice_changes_nothing(theta):
    pooled = ssvi.growing(theta)
    assert np.allclose(ssvi.growing(pooled), pooled, rtol=1e-9)


@given(thetas)
def test_pooling_keeps_the_mean(theta):
    assert np.isclose(np.log(ssvi.growing(theta)).mean(), np.log(theta).mean())


@given(shapes)
def test_calibration_finds_the_shape_it_was_given(shape):
    assume(shape.eta * (1.0 + abs(shape.rho)) < ssvi.SPREAD_MAX)
    tenor = np.array([0.02, 0.1, 0.5, 1.0])
    theta = 0.5**2 * tenor
    k = (np.sqrt(theta)[:, None] * np.linspace(-2.5, 2.5, 11)).ravel()
    start = 11 * np.arange(5)
    smiles = np.repeat(shape.smiles(theta), 11, axis=0)
    vol = np.sqrt(total_variance(k, smiles) / np.repeat(tenor, 11))
    found = ssvi.calibrate(theta, tenor, start, k, vol, np.full(k.size, 0.002))
    fitted = np.sqrt(total_variance(k, np.repeat(found.smiles(theta), 11, axis=0)) / np.repeat(tenor, 11))
    assert np.abs(fitted - vol).max() < 2e-3
    assert found.is_free()
