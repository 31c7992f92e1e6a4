"""Black-76 and its inversion: a 60-digit reference, and what must hold for every option."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.valuation.kernels.black76 import black_greeks, black_values, price_adjusted_greeks
from crossmargin.valuation.kernels.implied import implied_total_vol

prices = st.floats(1e-3, 1e6)
moneyness = st.floats(-3.0, 3.0)
vols = st.floats(1e-4, 6.0)


def value(forward, strike, v, side):
    return black_values(*(np.atleast_1d(np.asarray(x, float)) for x in (forward, strike, v, side)))


@pytest.fixture(scope="module")
def reference(shared):
    rows = list(csv.DictReader((shared / "vectors/black76/black76_otm.csv").read_text().splitlines()))
    table = {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "flag"}
    table["right"] = np.array([1.0 if row["flag"] == "c" else -1.0 for row in rows])
    return table


def terms(reference):
    return (reference[name] for name in ("F", "K", "sigma", "T_years", "r", "right"))


def test_reference_prices_and_greeks(reference):
    got = black_greeks(*terms(reference))
    np.testing.assert_allclose(got.value, reference["price"], rtol=1e-11)  # also where it is 1e-199
    for found, name in (
        (got.delta, "delta"),
        (got.gamma, "gamma"),
        (got.vega * 100.0, "vega_per_1.00_vol"),
        (got.theta * 365.0, "theta_per_year"),
        (got.rho * 100.0, "rho_per_1.00_rate"),
    ):
        np.testing.assert_allclose(found, reference[name], rtol=1e-10, err_msg=name)


def test_reference_implied_volatility(reference):
    f, k, sigma, t, r, right = terms(reference)
    got = implied_total_vol(reference["price"] * np.exp(r * t), f, k, right) / np.sqrt(t)
    np.testing.assert_allclose(got, sigma, rtol=2e-13)


@given(prices, moneyness, vols)
def test_parity(forward, k, v):
    strike = forward * np.exp(k)
    call, put = value(forward, strike, v, 1.0), value(forward, strike, v, -1.0)
    assert call - put == pytest.approx(forward - strike, abs=1e-15 * (forward + strike))


@given(prices, moneyness, vols, st.sampled_from([1.0, -1.0]))
def test_bounds(forward, k, v, side):
    strike = forward * np.exp(k)
    (price,) = value(forward, strike, v, side)
    assert max(side * (forward - strike), 0.0) <= price <= (forward if side > 0.0 else strike) * (1.0 + 1e-15)


@given(prices, moneyness, vols, st.floats(1.0001, 2.0), st.sampled_from([1.0, -1.0]))
def test_more_volatility_is_worth_no_less(forward, k, v, factor, side):
    strike = forward * np.exp(k)
    (less,), (more,) = value(forward, strike, v, side), value(forward, strike, v * factor, side)
    assert more >= less * (1.0 - 1e-14)


@given(prices, moneyness, vols, st.floats(1e-3, 1e3), st.sampled_from([1.0, -1.0]))
def test_scales_with_forward_and_strike(forward, k, v, size, side):
    strike = forward * np.exp(k)
    (one,), (many,) = value(forward, strike, v, side), value(size * forward, size * strike, v, side)
    assert many == pytest.approx(size * one, rel=1e-9, abs=1e-300)


@given(moneyness, st.floats(-1.0, -1e-3), st.floats(1e-3, 1.0), vols)
def test_convex_in_strike(k, below, above, v):
    low, middle, high = np.exp(k + np.array([below, 0.0, above]))
    share = (high - middle) / (high - low)
    prices_at = [value(1.0, strike, v, 1.0)[0] for strike in (low, middle, high)]
    assert prices_at[1] <= share * prices_at[0] + (1.0 - share) * prices_at[2] + 1e-14


@given(moneyness, vols)
def test_implied_volatility_comes_back(k, v):
    side = 1.0 if k > 0.0 else -1.0
    forward, strike, right = np.array([100.0]), np.array([100.0 * np.exp(k)]), np.array([side])
    price = black_values(forward, strike, np.array([v]), right)
    roof = min(forward[0], strike[0])
    if price[0] > 1e-280 and (roof - price[0]) / roof > 1e-3:  # nearer the roof the price itself has no digits
        assert implied_total_vol(price, forward, strike, right)[0] == pytest.approx(v, rel=1e-12)


def test_prices_that_no_volatility_gives():
    f, k = np.full(5, 100.0), np.array([90.0, 90.0, 110.0, 110.0, 110.0])
    right = np.array([1.0, 1.0, 1.0, -1.0, 1.0])
    price = np.array([9.99, 10.0, 100.0, 110.5, np.nan])
    np.testing.assert_array_equal(implied_total_vol(price, f, k, right), [np.nan, 0.0, np.nan, np.nan, np.nan])


def test_without_volatility_only_intrinsic_value_is_left():
    f, right = np.full(4, 100.0), np.array([1.0, -1.0, 1.0, -1.0])
    k, zero = np.array([90.0, 90.0, 100.0, 120.0]), np.zeros(4)
    got = black_greeks(f, k, zero, np.ones(4), zero, right)
    np.testing.assert_array_equal(got.value, [10.0, 0.0, 0.0, 20.0])
    np.testing.assert_array_equal(got.delta, [1.0, 0.0, 0.5, -1.0])
    for flat in (got.gamma, got.vega, got.vanna, got.volga):
        np.testing.assert_array_equal(flat, 0.0)


@given(st.floats(0.2, 5.0), st.floats(0.05, 2.0))
def test_price_adjusted_delta_hedges_the_coin_value(ratio, v):
    """A deep call on an inverse contract is worth 1 − K/F coins, whose delta in coins is K/F."""
    f, k = np.array([100.0]), np.array([100.0 * ratio])
    one, tau, none = np.ones(1), np.ones(1), np.zeros(1)
    call = price_adjusted_greeks(black_greeks(f, k, np.array([v]), tau, none, one), f)
    put = price_adjusted_greeks(black_greeks(f, k, np.array([v]), tau, none, -one), f)
    assert call.value - put.value == pytest.approx(1.0 - ratio, abs=1e-14)
    assert call.delta - put.delta == pytest.approx(ratio, abs=1e-14)
    assert call.gamma - put.gamma == pytest.approx(-ratio / 100.0, abs=1e-14)
