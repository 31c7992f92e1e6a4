"""Forwards: found through stale quotes, settled by who is there, and every pair that disagrees is named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.arrays import frozen
from crossmargin.market.curve import RateCurve
from crossmargin.market.forwards import Forwards, fit_forwards
from crossmargin.market.quotes import ChainQuotes, FutureQuotes
from tests.market.option_chains import NOW_NS, KnownChain, known_chain, with_value

FIVE_PERCENT = RateCurve(tenor_years=np.array([1.0]), rate=np.array([0.05]))
ALL = slice(None)


def fitted(made: KnownChain, quotes: ChainQuotes, usable: np.ndarray | None = None) -> Forwards:
    rows = np.ones(len(quotes.instrument), bool) if usable is None else usable
    return fit_forwards(quotes, rows, made.expiry_ns, now_ns=NOW_NS, parity_limit_bps=5.0)


@given(st.booleans(), st.floats(0.0005, 0.02), st.floats(-0.1, 0.2))
def test_parity_finds_the_forward(in_coin, half_width, carry):
    made = known_chain(in_coin=in_coin, half_width_vol=half_width, carry=carry, rates=FIVE_PERCENT)
    found = fitted(made, with_value(made.quotes, "underlying_price", ALL, 0.0))
    assert np.allclose(found.forward, made.forward, rtol=2e-4)
    assert set(found.source) == {"parity"}
    assert found.violations == ()


@given(st.integers(0, 2**32 - 1), st.floats(0.8, 1.25))
def test_a_fifth_of_stale_pairs_moves_nothing(seed, shift):
    made = known_chain()
    quotes = with_value(made.quotes, "underlying_price", ALL, 0.0)
    stale = np.random.default_rng(seed).choice(17, 3, replace=False) * 2  # three of the first expiry's calls
    for column in ("bid", "ask"):
        quotes = with_value(quotes, column, stale, getattr(quotes, column)[stale] * shift)
    assert np.allclose(fitted(made, quotes).forward, made.forward, rtol=3e-4)


def test_stale_pairs_are_named():
    made = known_chain()
    quotes = made.quotes
    for column in ("bid", "ask"):
        quotes = with_value(quotes, column, 16, getattr(quotes, column)[16] * 1.3)
    (violation,) = fitted(made, quotes).violations
    assert violation.strike == quotes.strike[16]
    assert violation.expiry_ns == made.expiry_ns[0]
    assert violation.gap_bps > 5.0
    assert violation.forward_low > violation.forward


def test_the_venue_chooses_within_the_middle_of_what_pairs_allow():
    made = known_chain(half_width_vol=0.02)
    below = with_value(made.quotes, "underlying_price", ALL, 0.9 * made.quotes.underlying_price)
    above = with_value(made.quotes, "underlying_price", ALL, 1.1 * made.quotes.underlying_price)
    assert (fitted(made, below).forward < fitted(made, made.quotes).forward).all()
    assert (fitted(made, made.quotes).forward < fitted(made, above).forward).all()
    assert np.allclose(fitted(made, above).forward, made.forward, rtol=5e-3)


def futures_at(made: KnownChain, bid: float, ask: float, mark: float) -> FutureQuotes:
    one = [1.0]
    return FutureQuotes(
        instrument=("BTC-F",),
        expiry_ns=frozen(made.expiry_ns[:1], np.int64),
        bid=frozen(np.multiply(one, bid)),
        ask=frozen(np.multiply(one, ask)),
        mark=frozen(np.multiply(one, mark)),
    )


@pytest.mark.parametrize(
    ("bid", "ask", "mark"), [(60_100.0, 60_102.0, 0.0), (0.0, 0.0, 60_101.0), (3.0, 2.0, 60_101.0)]
)
def test_without_pairs_the_future_settles(bid, ask, mark):
    made = known_chain()
    quotes = replace(made.quotes, futures=futures_at(made, bid, ask, mark))
    quotes = with_value(quotes, "underlying_price", ALL, 0.0)
    found = fitted(made, quotes, usable=made.quotes.expiry_ns != made.expiry_ns[0])
    assert found.source[0] == "future"
    assert 60_100.0 <= found.forward[0] <= 60_102.0


def test_without_votes_the_venue_then_the_carry_then_the_rates_decide():
    made = known_chain(in_coin=False, rates=FIVE_PERCENT)
    first = made.quotes.expiry_ns == made.expiry_ns[0]
    assert fitted(made, made.quotes, usable=~first).source[0] == "venue"
    mute = with_value(made.quotes, "underlying_price", ALL, 0.0)
    by_carry = fitted(made, mute, usable=~first)
    assert by_carry.source[0] == "carry"
    assert by_carry.forward[0] == pytest.approx(made.forward[0], rel=1e-4)
    by_rates = fitted(made, mute, usable=np.zeros(first.size, bool))
    assert np.allclose(by_rates.forward, 60_000.0 * np.exp(0.05 * made.tenor_years))


def test_closing_prices_alone_settle_forwards():
    made = known_chain(in_coin=False, rates=FIVE_PERCENT)
    quotes = replace(made.quotes, bid=np.zeros(len(made.quotes.instrument)), ask=np.zeros(len(made.quotes.instrument)))
    found = fitted(made, with_value(quotes, "underlying_price", ALL, 0.0))
    assert np.allclose(found.forward, made.forward, rtol=1e-3)
