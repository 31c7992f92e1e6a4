"""The normal model: what must hold for every option, negative prices included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.valuation.kernels.bachelier import normal_greeks, normal_values
from crossmargin.valuation.kernels.implied import implied_normal_vol

prices = st.floats(-1e3, 1e3)
vols = st.floats(1e-2, 1e3)


def value(forward, strike, s, side):
    return normal_values(*(np.atleast_1d(np.asarray(x, float)) for x in (forward, strike, s, side)))[0]


@given(prices, prices, vols)
def test_parity(forward, strike, s):
    gap = value(forward, strike, s, 1.0) - value(forward, strike, s, -1.0)
    assert gap == pytest.approx(forward - strike, abs=1e-12)


@given(prices, prices, vols, st.floats(-1e3, 1e3))
def test_only_the_distance_counts(forward, strike, s, shift):
    moved = value(forward + shift, strike + shift, s, 1.0)
    assert moved == pytest.approx(value(forward, strike, s, 1.0), abs=1e-9)


def test_at_the_money():
    assert value(-5.0, -5.0, 7.0, 1.0) == pytest.approx(7.0 / np.sqrt(2.0 * np.pi), rel=1e-15)


@given(st.floats(-35.0, 35.0), vols)
def test_implied_volatility_comes_back(distance, s):
    strike, side = 10.0 + distance * s, np.sign(distance) or 1.0
    price = value(10.0, strike, s, side)
    got = implied_normal_vol(*(np.array([x]) for x in (price, 10.0, strike, side)))[0]
    if price > 1e-280:
        assert got == pytest.approx(s, rel=1e-12)


def test_prices_that_no_volatility_gives():
    f, k, right = np.zeros(3), np.array([-1.0, -1.0, 1.0]), np.ones(3)
    price = np.array([0.5, 1.0, np.nan])
    np.testing.assert_array_equal(implied_normal_vol(price, f, k, right), [np.nan, 0.0, np.nan])


def test_without_volatility_only_intrinsic_value_is_left():
    f, k, zero, one = np.array([-3.0, -3.0]), np.array([-4.0, -3.0]), np.zeros(2), np.ones(2)
    got = normal_greeks(f, k, zero, one, zero, one)
    np.testing.assert_array_equal(got.value, [1.0, 0.0])
    np.testing.assert_array_equal(got.delta, [1.0, 0.5])
    np.testing.assert_array_equal(got.gamma, 0.0)
