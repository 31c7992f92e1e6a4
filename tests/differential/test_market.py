"""The parts of market building against their plain twins."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.market import ssvi, svi
from crossmargin.market.forwards import fit_forwards
from crossmargin.market.implied import implied_total_vol, unit_price
from spec.market import forwards as plain_forwards
from spec.market import svi as plain
from tests.market.option_chains import NOW_NS, known_chain, with_value

moneyness = st.floats(-3.0, 3.0)
smiles = st.tuples(
    st.floats(0.0, 0.3), st.floats(0.0, 1.5), st.floats(-0.99, 0.99), st.floats(-1.0, 1.0), st.floats(0.01, 2.0)
)


@given(moneyness, smiles)
def test_total_variance_and_density(k, params):
    w = plain.total_variance(k, *params)
    assert math.isclose(svi.total_variance(np.array(k), np.array(params)), w, rel_tol=1e-12, abs_tol=1e-15)
    if w > 1e-6:
        g = plain.density_factor(k, *params)
        assert math.isclose(svi.density_factor(np.array(k), np.array(params)), g, rel_tol=1e-9, abs_tol=1e-9)


@given(moneyness, st.floats(1e-5, 2.0), st.floats(-0.95, 0.95), st.floats(0.05, 1.0), st.floats(0.01, 0.5))
def test_ssvi_smiles_are_raw_smiles(k, theta, rho, eta, gamma):
    params = ssvi.Ssvi(rho=rho, eta=eta, gamma=gamma).smiles(np.array([theta]))[0]
    w = plain.ssvi_total_variance(k, theta, rho, eta, gamma)
    assert math.isclose(plain.total_variance(k, *params), w, rel_tol=1e-9, abs_tol=1e-14)


@given(moneyness, st.floats(0.0, 5.0), st.booleans())
def test_unit_price(k, total_vol, is_call):
    price = unit_price(np.array([k]), np.array([total_vol]), np.array([is_call]))[0]
    assert math.isclose(price, plain.unit_price(k, total_vol, is_call), rel_tol=1e-12, abs_tol=1e-15)


@given(moneyness, st.floats(0.01, 4.0), st.booleans())
def test_implied_total_vol(k, total_vol, is_call):
    price = plain.unit_price(k, total_vol, is_call)
    if price - plain.unit_price(k, 0.0, is_call) > 1e-9:
        found = implied_total_vol(np.array([k]), np.array([price]), np.array([is_call]))[0]
        twin = plain.implied_total_vol(k, price, is_call)
        assert math.isclose(plain.unit_price(k, found, is_call), price, rel_tol=1e-10, abs_tol=1e-15)
        assert math.isclose(found, twin, rel_tol=1e-6)


@given(st.booleans(), st.integers(0, 2**32 - 1), st.floats(0.001, 0.02))
def test_forwards(in_coin, seed, half_width):
    """Whichever pairs are stale."""
    made = known_chain(in_coin=in_coin, half_width_vol=half_width, days=(5, 40))
    quotes = made.quotes
    random = np.random.default_rng(seed)
    stale = random.choice(len(quotes.instrument), 12, replace=False)
    shift = random.uniform(0.9, 1.1, 12)
    for column in ("bid", "ask"):
        quotes = with_value(quotes, column, stale, getattr(quotes, column)[stale] * shift)
    quotes = with_value(quotes, "underlying_price", slice(None), 0.0)
    usable = np.ones(len(quotes.instrument), bool)
    fitted = fit_forwards(quotes, usable, made.expiry_ns, now_ns=NOW_NS, parity_limit_bps=5.0)
    for e, when in enumerate(made.expiry_ns):
        rows = np.flatnonzero(quotes.expiry_ns == when)
        intervals = []
        for call, put in rows.reshape(-1, 2):
            sides = [(quotes.bid[i], quotes.ask[i]) for i in (call, put)]
            if in_coin:
                intervals.append(plain_forwards.coin_interval(quotes.strike[call], *sides))
            else:
                intervals.append(plain_forwards.cash_interval(quotes.strike[call], *sides, 1.0))
        settled = plain_forwards.settle(intervals, 1e-4 * quotes.spot, 0.25)
        assert math.isclose(fitted.forward[e], settled, rel_tol=1e-9)
