"""Drift v2: weights by size, orders, gains, and books read as accounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.vectors_drift import read_drift
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.drift.accounts import (
    RULEBOOK,
    PerpMarket,
    PerpPosition,
    Portfolio,
    SpotMarket,
    SpotPosition,
    margin_of,
)
from crossmargin.margin.rulebooks.drift.weights import (
    Weights,
    asset_weight,
    deposit_scaled,
    high_leverage_ratio,
    liability_weight,
)
from tests.margin.rulebooks.accounts import account, ask

USD, COIN = 10**6, 10**9
PERP = PerpMarket(ratio=Weights(initial=1_000, maintenance=500))


def perp(coins: float, **more) -> PerpPosition:
    return PerpPosition(
        **{"market": PERP, "coins": int(coins * COIN), "quote": int(-coins * 100 * USD), "price": 100 * USD} | more
    )


def test_reference_cases_hold(shared):
    cases = list(read_drift(shared / "vectors/drift"))
    assert len(cases) >= 5
    for case in cases:
        assert all(c.passed for c in case.check()), case


@given(st.integers(0, 10**16), st.integers(0, 10**16), st.integers(0, 10**6), st.integers(0, 20_000))
def test_size_never_helps(a, b, imf, weight):
    small, large = sorted((a, b))
    assert asset_weight(weight, large, imf) <= asset_weight(weight, small, imf) <= weight
    assert liability_weight(weight, large, imf) >= liability_weight(weight, small, imf) >= weight


def test_weights_at_their_thresholds():
    assert asset_weight(9_000, 10**13, 0) == 9_000
    assert deposit_scaled(8_000, 2_000, 1_000) == 4_000
    assert deposit_scaled(8_000, 1_000, 1_000) == 8_000
    # r = 1,000, imf·√1 = 0.01: a = 800 + 100 = 900 < r; share = 1 − 100/200: 500 + 500·½.
    assert high_leverage_ratio(500, 1_000, COIN, 10_000) == 750
    # imf·√4 = 0.02: a = r gives the default; imf·√9 = 0.03: a = 1,100 stands by itself.
    assert high_leverage_ratio(500, 1_000, 4 * COIN, 10_000) == 500
    assert high_leverage_ratio(500, 1_000, 9 * COIN, 10_000) == 1_100


def test_orders_count_at_their_worse_fill():
    # |5 + 10| = 15 against |5 − 30| = 25 coins at 100: 2,500·10 % and one cent for each of two orders.
    held = Portfolio(perpetuals=(perp(5, bids=10 * COIN, asks=30 * COIN, orders=2),))
    assert margin_of(held, "initial").requirement == 250 * USD + 20_000


def test_gains_count_up_to_a_hundred_for_initial_only():
    held = Portfolio(perpetuals=(perp(10, quote=-500 * USD),))  # worth 1,000, paid 500
    assert margin_of(held, "initial").collateral == 100 * USD
    assert margin_of(held, "maintenance").collateral == 500 * USD
    assert margin_of(Portfolio(perpetuals=(perp(10, quote=-1_500 * USD),)), "initial").collateral == -500 * USD


def test_strict_price_works_against_the_account():
    market = SpotMarket(
        asset=Weights(initial=8_000, maintenance=9_000), liability=Weights(initial=12_000, maintenance=11_000)
    )
    deposit = SpotPosition(market=market, tokens=10 * COIN, price=100 * USD, price_mean=90 * USD)
    borrow = SpotPosition(market=market, tokens=-10 * COIN, price=100 * USD, price_mean=110 * USD)
    assert margin_of(Portfolio(spot=(deposit,)), "initial").collateral == 720 * USD
    assert margin_of(Portfolio(spot=(borrow,)), "initial").requirement == 1_320 * USD


def test_bids_that_would_repay_a_debt_do_not_help():
    market = SpotMarket(
        asset=Weights(initial=8_000, maintenance=9_000), liability=Weights(initial=12_000, maintenance=11_000)
    )
    short = SpotPosition(
        market=market, tokens=-10 * COIN, price=100 * USD, price_mean=100 * USD, bids=10 * COIN, orders=1
    )
    # Filled, the debt of 1,200 would be a payment of 1,000; unfilled it stands, with a cent for the order.
    assert margin_of(Portfolio(spot=(short,)), "initial").requirement == 1_200 * USD + 10_000


def test_own_ratio_acts_on_initial_alone():
    held = Portfolio(perpetuals=(perp(10),), user_ratio=5_000)
    assert margin_of(held, "initial").requirement == 500 * USD
    assert margin_of(held, "maintenance").requirement == 50 * USD


def test_market_in_settlement_asks_nothing():
    closed = PerpMarket(ratio=Weights(initial=1_000, maintenance=500), in_settlement=True)
    assert margin_of(Portfolio(perpetuals=(perp(10, market=closed),)), "initial").requirement == 0
    assert margin_of(Portfolio(), "initial").free == 0


def test_book_is_read_as_an_account():
    answer = ask(RULEBOOK, account(("BTC-P.V", 1, 99_000.0), ("PEPE-P.V", 5), collateral={"USDC": 50_000}))
    # Ratio max(10 %, 8 % + 0.045 %): 10,000; a gain of 1,000 counts as 100: 900 more; USDC at full weight.
    assert answer.initial_usd == pytest.approx(10_900)
    assert answer.maintenance_usd == pytest.approx(5_000)
    assert answer.equity_usd == pytest.approx(51_000)
    assert answer.refused == ("PEPE-P.V",)
    assert answer.certainty == "unknown"


def test_missing_price_is_refused():
    with pytest.raises(InvalidInput, match="price"):
        perp(1, price=0)
