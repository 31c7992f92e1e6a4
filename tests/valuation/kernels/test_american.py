"""American options: published prices, and what must hold for every one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.valuation.kernels.american import american_values
from crossmargin.valuation.kernels.black76 import black_values

sides = st.sampled_from([1.0, -1.0])


def american(spot, strike, vol, tau, rate, payout, side):
    return american_values(*(np.array([float(x)]) for x in (spot, strike, vol, tau, rate, payout, side)))[0]


def european(spot, strike, vol, tau, rate, payout, side):
    forward = spot * np.exp((rate - payout) * tau)
    undiscounted = black_values(*(np.array([float(x)]) for x in (forward, strike, vol * np.sqrt(tau), side)))[0]
    return np.exp(-rate * tau) * undiscounted


def test_published_premium():
    """Andersen, Lake and Offengenden (2016), table 2: S = K = 100, r = q = 5 %, σ = 25 %, one year."""
    terms = (100.0, 100.0, 0.25, 1.0, 0.05, 0.05, -1.0)
    assert american(*terms) - european(*terms) == pytest.approx(0.106952702747, abs=5e-5)


@pytest.mark.parametrize(("spot", "price"), [(80.0, 23.22834), (100.0, 12.60521), (120.0, 6.482425)])
def test_published_puts(spot, price):
    """Andersen, Lake and Offengenden (2016): K = 100, r = q = 4 %, σ = 20 %, three years."""
    assert american(spot, 100.0, 0.2, 3.0, 0.04, 0.04, -1.0) == pytest.approx(price, abs=1e-4)


spots = st.floats(40.0, 250.0)
vols = st.floats(0.08, 1.0)
times = st.floats(0.01, 2.0)
rates = st.floats(-0.05, 0.12)


@given(spots, vols, times, rates, rates, sides)
def test_worth_no_less_than_exercise_or_the_european_option(spot, vol, tau, rate, payout, side):
    terms = (spot, 100.0, vol, tau, rate, payout, side)
    price = american(*terms)
    assert price >= max(side * (spot - 100.0), 0.0) - 1e-12
    assert price >= european(*terms) - 2e-4  # both rates negative: the tree's error
    assert price <= (spot if side > 0.0 else 100.0) * np.exp(max(-rate, -payout, 0.0) * tau)


@given(spots, vols, times, st.floats(0.0, 0.12))
def test_a_call_that_pays_nothing_is_never_exercised(spot, vol, tau, rate):
    terms = (spot, 100.0, vol, tau, rate, 0.0, 1.0)
    assert american(*terms) == pytest.approx(european(*terms), abs=1e-10)


@given(spots, vols, times, rates, rates)
def test_call_and_put_are_symmetric(spot, vol, tau, rate, payout):
    """McDonald and Schroder (1998): exchange spot and strike, rate and payout."""
    call = american(spot, 100.0, vol, tau, rate, payout, 1.0)
    assert call == pytest.approx(american(100.0, spot, vol, tau, payout, rate, -1.0), abs=1e-9)


@given(spots, vols, times, st.floats(0.0, 0.12), st.floats(0.0, 0.12), sides, st.floats(1.05, 2.0))
def test_more_time_is_worth_no_less(spot, vol, tau, rate, payout, side, factor):
    shorter = american(spot, 100.0, vol, tau, rate, payout, side)
    assert american(spot, 100.0, vol, tau * factor, rate, payout, side) >= shorter - 5e-3


def test_without_volatility_the_best_date_is_known():
    assert american(90.0, 100.0, 0.0, 1.0, 0.05, 0.0, -1.0) == pytest.approx(10.0)
    assert american(90.0, 100.0, 0.0, 1.0, 0.0, 0.05, -1.0) == pytest.approx(100.0 - 90.0 * np.exp(-0.05))
    assert american(90.0, 100.0, 0.3, 0.0, 0.05, 0.0, -1.0) == pytest.approx(10.0)
    # e^(−rt)·K − e^(−qt)·S is largest at t* = ln(r·K/(q·S))/(r − q)
    t = np.log(0.04 * 100.0 / (0.06 * 60.0)) / (0.04 - 0.06)
    best = max(100.0 * np.exp(-0.04 * x) - 60.0 * np.exp(-0.06 * x) for x in (0.0, 2.0, min(max(t, 0.0), 2.0)))
    assert american(60.0, 100.0, 0.0, 2.0, 0.04, 0.06, -1.0) == pytest.approx(best)
