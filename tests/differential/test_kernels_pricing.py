"""Pricing kernels against their scalar twins."""

from dataclasses import astuple, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.valuation.kernels import american, bachelier, black76, implied
from spec.kernels import american as spec_american
from spec.kernels import bachelier as spec_bachelier
from spec.kernels import black76 as spec_black76

moneyness = st.floats(-2.0, 2.0)
total_vols = st.floats(0.01, 4.0)
sides = st.sampled_from([1.0, -1.0])


def arrays(*numbers: float) -> tuple[np.ndarray, ...]:
    return tuple(np.array([x]) for x in numbers)


@given(st.floats(1e-3, 1e6), moneyness, total_vols, sides)
def test_black_values(forward, k, v, side):
    strike = forward * np.exp(k)
    (got,) = black76.black_values(*arrays(forward, strike, v, side))
    assert got == pytest.approx(spec_black76.black_values(forward, strike, v, side), abs=1e-13 * (forward + strike))


@given(moneyness, st.floats(0.05, 3.0), st.floats(0.01, 3.0), st.floats(-0.05, 0.2), sides)
def test_black_greeks(k, vol, tau, rate, side):
    strike = 100.0 * np.exp(k)
    got = black76.black_greeks(*arrays(100.0, strike, vol, tau, rate, side))
    expected = spec_black76.black_greeks(100.0, strike, vol, tau, rate, side)
    for name, value in zip((f.name for f in fields(got)), astuple(expected), strict=True):
        assert getattr(got, name)[0] == pytest.approx(value, rel=1e-9, abs=1e-10), name


@given(st.floats(-0.5, 0.5), st.floats(0.2, 1.5), st.floats(0.1, 2.0), sides)
def test_price_adjusted_greeks(k, vol, tau, side):
    strike = 100.0 * np.exp(k)
    plain = black76.black_greeks(*arrays(100.0, strike, vol, tau, 0.0, side))
    got = black76.price_adjusted_greeks(plain, np.array([100.0]))
    expected = spec_black76.price_adjusted_greeks(100.0, strike, vol, tau, side)
    # The twin takes differences: their error is what is allowed here.
    for name in ("value", "delta", "gamma", "vega", "theta", "vanna", "volga", "charm", "rho"):
        assert getattr(got, name)[0] == pytest.approx(getattr(expected, name), rel=2e-4, abs=2e-7), name


@given(moneyness, total_vols, sides)
def test_implied_total_vol(k, v, side):
    forward, strike = 100.0, 100.0 * np.exp(k)
    price = spec_black76.black_values(forward, strike, v, side)
    time_value = price - max(side * (forward - strike), 0.0)
    (got,) = implied.implied_total_vol(*arrays(price, forward, strike, side))
    expected = spec_black76.implied_total_vol(price, forward, strike, side)
    if time_value > 1e-6 and min(forward, strike) - time_value > 1e-3:  # elsewhere the twin's own digits are gone
        assert got == pytest.approx(expected, rel=1e-7)


@given(st.floats(-100.0, 100.0), st.floats(-100.0, 100.0), st.floats(0.1, 100.0), sides)
def test_normal_values(forward, strike, s, side):
    (got,) = bachelier.normal_values(*arrays(forward, strike, s, side))
    assert got == pytest.approx(spec_bachelier.normal_values(forward, strike, s, side), abs=1e-12 * (200.0 + s))


@given(st.floats(-50.0, 50.0), st.floats(1.0, 80.0), st.floats(0.01, 3.0), st.floats(-0.05, 0.2), sides)
def test_normal_greeks(forward, vol, tau, rate, side):
    got = bachelier.normal_greeks(*arrays(forward, 5.0, vol, tau, rate, side))
    expected = spec_bachelier.normal_greeks(forward, 5.0, vol, tau, rate, side)
    for name, value in zip((f.name for f in fields(got)), astuple(expected), strict=True):
        assert getattr(got, name)[0] == pytest.approx(value, rel=1e-9, abs=1e-10), name


@given(st.floats(-10.0, 10.0), st.floats(1.0, 50.0), sides)
def test_implied_normal_vol(gap, s, side):
    price = spec_bachelier.normal_values(20.0 + gap, 20.0, s, side)
    (got,) = implied.implied_normal_vol(*arrays(price, 20.0 + gap, 20.0, side))
    if price - max(side * gap, 0.0) > 1e-6:
        assert got == pytest.approx(spec_bachelier.implied_normal_vol(price, 20.0 + gap, 20.0, side), rel=1e-8)


AMERICAN = [
    (90.0, 0.25, 0.5, 0.05, 0.0),
    (100.0, 0.25, 0.5, 0.05, 0.0),
    (110.0, 0.25, 0.5, 0.05, 0.0),
    (100.0, 0.6, 0.05, 0.04, 0.01),
    (95.0, 0.15, 2.0, 0.02, 0.06),
    (120.0, 0.4, 1.0, 0.08, 0.08),
    (100.0, 0.3, 1.0, 0.0, 0.05),
    (100.0, 0.3, 1.0, 0.05, -0.02),
    (100.0, 0.3, 1.0, -0.02, 0.01),
    (100.0, 0.3, 1.0, -0.03, -0.06),
    (100.0, 0.3, 1.0, -0.06, -0.03),
]


@pytest.mark.parametrize("terms", AMERICAN, ids=str)
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_american_values(terms, side):
    spot, *rest = terms
    (got,) = american.american_values(*arrays(spot, 100.0, *rest, side))
    expected = spec_american.american_values(spot, 100.0, *rest, side)
    assert got == pytest.approx(expected, abs=8e-3)  # the tree's own error at 401 steps
