"""Vega: factors, sides, auctions, isolated positions, and books."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.vectors_vega import read_vega
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.vega.lognormal import (
    RULEBOOK,
    Lognormal,
    Market,
    Position,
    Scaling,
    margin_of,
    risk_factors,
)
from tests.margin.rulebooks.accounts import account, ask

MODEL = Lognormal(risk_aversion=0.001, tau_years=0.01, sigma=1.0)
MARKET = Market(risk=MODEL, scaling=Scaling(search=1.1, initial=1.2, release=1.4), linear_slippage=0.1)


def test_reference_cases_hold(shared):
    cases = list(read_vega(shared / "vectors/vega"))
    assert len(cases) >= 6
    for case in cases:
        assert all(c.passed for c in case.check()), case


@given(st.floats(0.01, 5.0), st.floats(0.01, 5.0), st.floats(1e-7, 0.4))
def test_factors_rise_with_volatility_and_long_stays_below_one(a, b, tail):
    low, high = sorted((a, b))
    calm, wild = (risk_factors(Lognormal(risk_aversion=tail, tau_years=0.01, sigma=s)) for s in (low, high))
    assert 0.0 <= calm.short <= wild.short + 1e-12
    assert 0.0 <= calm.long <= wild.long + 1e-12 <= 1.0 + 1e-9


def test_extreme_parameters_give_the_limits():
    # All of the lognormal mass above its quantile: 1/λ − 1; and nothing left: 1.
    got = risk_factors(Lognormal(risk_aversion=1e-4, tau_years=1.0, sigma=100.0))
    assert got.short == pytest.approx(1e4 - 1.0)
    assert got.long == pytest.approx(1.0)


def test_sides_by_hand():
    rf = risk_factors(MODEL)
    # Long 10 at 100 with buys 5 and sells 30: riskiest +15 and −20.
    got = margin_of(Position(open_volume=10, buys=5, sells=30, mark=100.0), MARKET)
    long, short = 100 * 15 * 0.1 + 15 * 100 * rf.long, 100 * 20 * 0.1 + 30 * 100 * rf.short
    assert got.maintenance == pytest.approx(max(long, short))
    assert got.order == pytest.approx(max(long, short) - (100 * 10 * 0.1 + 10 * 100 * rf.long))
    assert (got.search, got.release) == pytest.approx((1.1 * got.maintenance, 1.4 * got.maintenance))


def test_auction_prices_orders_at_the_higher_price():
    calm = margin_of(Position(open_volume=0, buys=10, mark=100.0), MARKET)
    called = margin_of(Position(open_volume=0, buys=10, mark=100.0, auction_price=120.0, buy_price=110.0), MARKET)
    assert called.maintenance - calm.maintenance == pytest.approx(10 * 20 * risk_factors(MODEL).long)


def test_isolated_takes_the_entry_price_and_opening_orders():
    held = Position(open_volume=-10, buys=12, sells=3, mark=90.0, margin_factor=0.5, entry_price=100.0, sell_price=95.0)
    # 10·100·½, and the larger of 2 more bought at 90 and 3 more sold at 95.
    assert margin_of(held, MARKET).initial == pytest.approx(500 + 3 * 95 * 0.5)


def test_funding_owed_is_added_and_never_paid_out():
    market = Market(risk=MODEL, scaling=MARKET.scaling, funding_factor=0.9)
    paid, earned = (margin_of(Position(open_volume=10, mark=100.0, funding_payment=x), market) for x in (2.0, -2.0))
    assert paid.maintenance - earned.maintenance == pytest.approx(18.0)


def test_position_decimals_may_be_negative():
    big = margin_of(Position(open_volume=1, mark=1.0, position_decimals=-2), MARKET)
    assert big.maintenance == pytest.approx(margin_of(Position(open_volume=100, mark=1.0), MARKET).maintenance)
    assert margin_of(Position(open_volume=0, mark=1.0), MARKET).maintenance == 0.0


def test_book_is_read_market_by_market():
    answer = ask(RULEBOOK, account(("BTC-P.V", 1), ("BTC-F.V", -1), ("SOL-P.V", 1), collateral={"USDC": 1}))
    assert answer.initial_usd == pytest.approx(0.0)
    assert set(answer.refused) == {"SOL-P.V", "collateral USDC"}
    assert answer.certainty == "unknown"


@pytest.mark.parametrize(
    "wrong", [{"risk_aversion": 0.0}, {"risk_aversion": 1.0}, {"sigma": 0.0}, {"tau_years": math.nan}]
)
def test_bad_models_are_refused(wrong):
    with pytest.raises(InvalidInput):
        Lognormal(**{"risk_aversion": 0.01, "tau_years": 0.1, "sigma": 1.0} | wrong)
