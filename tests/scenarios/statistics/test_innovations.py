"""Innovations: mean 0, variance 1, quantile against distribution against density, and known special cases."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.statistics.innovations import Innovation

innovations = st.builds(Innovation, nu=st.floats(2.2, 60.0), skew=st.floats(-0.9, 0.9)) | st.just(Innovation())
heavy = st.builds(Innovation, nu=st.floats(4.5, 60.0), skew=st.floats(-0.9, 0.9)) | st.just(Innovation())


@given(innovations, st.floats(1e-9, 1.0 - 1e-9))
def test_quantile_inverts_the_distribution(innovation, p):
    assert innovation.cdf(innovation.quantile(p)) == pytest.approx(p, rel=1e-9, abs=1e-12)


@given(innovations, st.floats(-8.0, 8.0))
def test_density_is_the_slope_of_the_distribution(innovation, z):
    h = 1e-5
    slope = (innovation.cdf(z + h) - innovation.cdf(z - h)) / (2.0 * h)
    assert innovation.density(z) == pytest.approx(float(slope), rel=1e-4, abs=1e-9)


@given(heavy)
def test_mean_zero_and_variance_one(innovation):
    cuts = sorted({-np.inf, -8.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 8.0, np.inf})  # the mode may lie anywhere

    def moment(power):
        parts = [
            (low, integrate.quad(lambda z: z**power * float(innovation.density(z)), low, high, limit=200)[0])
            for low, high in itertools.pairwise(cuts)
        ]
        return sum(part for _, part in parts), sum(part for low, part in parts if low < 0.0)

    assert moment(0)[0] == pytest.approx(1.0, abs=1e-6)
    assert moment(1)[0] == pytest.approx(0.0, abs=1e-6)
    variance, falls = moment(2)
    assert variance == pytest.approx(1.0, abs=1e-5)
    assert innovation.fall_share() == pytest.approx(falls, abs=1e-6)


@given(st.floats(2.2, 50.0), st.floats(1e-6, 1.0 - 1e-6))
def test_without_skew_it_is_a_scaled_t(nu, p):
    scale = math.sqrt((nu - 2.0) / nu)
    innovation, reference = Innovation(nu=nu), stats.t(nu, scale=scale)
    assert innovation.quantile(p) == pytest.approx(reference.ppf(p), rel=1e-9, abs=1e-12)
    z = reference.ppf(p)
    assert innovation.log_density(z) == pytest.approx(reference.logpdf(z), rel=1e-9, abs=1e-9)


@given(st.floats(2.2, 50.0), st.floats(-0.9, 0.9), st.floats(-6.0, 6.0))
def test_the_mirror_of_a_skew(nu, skew, z):
    one, other = Innovation(nu=nu, skew=skew), Innovation(nu=nu, skew=-skew)
    assert one.cdf(z) == pytest.approx(1.0 - other.cdf(-z), abs=1e-12)
    assert one.density(z) == pytest.approx(other.density(-z), rel=1e-9)


def test_agrees_with_arch():
    """`arch` orders the parameters (ν, λ)."""
    univariate = pytest.importorskip("arch.univariate")
    p = np.array([1e-4, 0.01, 0.3, 0.5, 0.9, 0.999])
    for nu, skew in ((3.5, -0.4), (8.0, 0.3)):
        theirs = univariate.SkewStudent().ppf(p, [nu, skew])
        np.testing.assert_allclose(Innovation(nu=nu, skew=skew).quantile(p), theirs, rtol=1e-9)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"nu": 2.0}, "degrees of freedom is 2.0, but must be above 2"),
        ({"nu": math.nan}, "above 2"),
        ({"nu": 5.0, "skew": 1.0}, "skewness is 1.0"),
        ({"skew": 0.2}, "0 for the normal"),
    ],
)
def test_what_is_refused(parameters, message):
    with pytest.raises(InvalidInput, match=message):
        Innovation(**parameters)
