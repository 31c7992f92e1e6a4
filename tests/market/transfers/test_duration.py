"""Times of arrival: a distribution, its quantiles and its mean agree with each other and with the plain formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.market.transfers.duration import Duration, chance_by, log_sd, mean_s, quantile_s
from spec import transfers as spec

figures = st.tuples(st.floats(1.0, 1e6), st.floats(0.0, 1.5), st.floats(0.0, 0.3), st.floats(0.0, 1e6))


def one(median: float, sd: float, share: float, retry: float) -> Duration:
    return Duration(
        median_s=np.array([median]), log_sd=np.array([sd]), retry_share=np.array([share]), retry_s=np.array([retry])
    )


@given(figures, st.floats(-10.0, 1e7))
def test_chance_is_that_of_its_twin(of, time):
    assert chance_by(one(*of), np.array([time]))[0] == pytest.approx(spec.chance_by(time, *of), abs=1e-13)


@given(figures, st.floats(0.01, 0.995))
def test_a_quantile_is_the_first_time_with_that_chance(of, level):
    duration = one(*of)
    found = quantile_s(duration, level)
    assert chance_by(duration, found * (1.0 + 1e-9))[0] >= level - 1e-9
    assert chance_by(duration, found * (1.0 - 1e-9))[0] <= level + 1e-6


@given(figures)
def test_mean_is_that_of_its_twin(of):
    assert mean_s(one(*of))[0] == pytest.approx(spec.mean_s(*of), rel=1e-12)


def test_mean_is_the_integral_of_what_has_not_arrived():
    duration = one(1_200.0, float(log_sd(np.array([1.5]))[0]), 0.02, 14_400.0)
    grid = np.linspace(0.0, 200_000.0, 400_001)
    late = 1.0 - chance_by(duration, grid)
    assert np.trapezoid(late, grid) == pytest.approx(mean_s(duration)[0], rel=1e-6)


def test_the_spread_is_the_ratio_of_its_quantiles():
    duration = one(100.0, float(log_sd(np.array([1.8]))[0]), 0.0, 0.0)
    assert quantile_s(duration, 0.95)[0] / quantile_s(duration, 0.5)[0] == pytest.approx(1.8, rel=1e-9)
