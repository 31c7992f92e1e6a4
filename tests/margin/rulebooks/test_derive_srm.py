"""Derive's standard manager: hand-made numbers, what must hold for every account, and refusals."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.margin.rulebooks.derive import srm
from crossmargin.margin.rulebooks.derive.native import ExpiryFeed, Feeds, Option
from tests.margin.rulebooks.derive_books import UNIT, srm_portfolios, srm_rules

RULES = srm_rules()
MONTH = 2_592_000
replaced = msgspec.structs.replace


def market(*options: Option, name: str = "BTC", forward: float = 105.0, **more: object) -> srm.SrmPortfolio:
    """One market at a spot of 100 and a forward of 105."""
    names = ("spot_confidence", "perp_confidence", "stable_price")
    feeds = {n: more.pop(n) for n in names if n in more}
    expiry = ExpiryFeed(
        seconds_to_expiry=MONTH, forward_variable=forward, vol_confidence=more.pop("vol_confidence", 1.0)
    )
    held = Feeds(**{"spot": 100.0, "perp_price": 101.0, "expiries": (expiry,)} | feeds)
    return srm.SrmPortfolio(markets=(srm.Market(underlying=name, feeds=held, options=options, **more),))


def option(strike: float, amount: float, right: str = "call", vol: float = 0.0) -> Option:
    """At no volatility: worth what it pays at the forward."""
    return Option(seconds_to_expiry=MONTH, strike=strike, right=right, amount=amount, vol=vol)


def net(portfolio: srm.SrmPortfolio, rules: srm.SrmParameters = RULES) -> tuple[float, float]:
    margins = srm.margin_of(portfolio, rules)
    return float(margins.net.initial[0]), float(margins.net.maintenance[0])


def test_a_perpetual_costs_a_share_of_its_own_price():
    # 10 % and 6.5 % of 2·101; the P&L of −5 counts in full.
    assert net(market(perp=-2.0, perp_pnl=-5.0)) == pytest.approx((-25.2, -18.13))


def test_a_long_option_counts_nothing():
    assert net(market(option(90.0, 3.0))) == (0.0, 0.0)


def test_a_short_call_by_hand():
    # Strike 110: worth 0 at 105; 10 out of the money of the spot, so 15 − 10 = 5 is less than the least 13.
    assert net(market(option(110.0, -1.0))) == pytest.approx((-13.0, -9.0))
    # Strike 101: worth 4; otm 1: 4 + 14, and 4 + 9.
    assert net(market(option(101.0, -1.0))) == pytest.approx((-18.0, -13.0))


def test_a_short_put_by_hand():
    # Strike 150: worth 45, in the money: IM 45 + 15; MM 45 + max(9, 0.09·45) = 54, whose 1.05-fold is 56.7 < 60.
    assert net(market(option(150.0, -1.0, "put"))) == pytest.approx((-60.0, -54.0))
    # Strike 500: worth 395; MM 395 + 35.55 = 430.55; IM the greater of 410 and 1.05·430.55 = 452.0775.
    assert net(market(option(500.0, -1.0, "put"))) == pytest.approx((-452.0775, -430.55))


def test_a_spread_costs_no_more_than_it_can_lose():
    assert net(market(option(100.0, -1.0), option(102.0, 1.0))) == pytest.approx((-2.0, -2.0))


def test_unpaired_calls_cost_more_than_their_forward():
    # Short 1 at 1: isolated 104 + 15 for IM; bounded 1.2·105, for it loses nothing at 0 and 1. The lesser loss holds.
    margins = srm.margin_of(market(option(1.0, -1.0)), RULES)
    assert margins.isolated.initial[0] == pytest.approx(-119.0)
    assert margins.bounded.initial[0] == pytest.approx(-126.0)
    assert margins.bounded.maintenance[0] == pytest.approx(-115.5)
    assert margins.option.initial[0] == pytest.approx(-119.0)


def test_collateral_counts_by_its_factors_and_is_worth_stablecoins():
    margins = srm.margin_of(market(base=2.0, stable_price=0.98), RULES)
    assert margins.mark_to_market[0] == pytest.approx(200.0 / 0.98)
    # 200·0.75 and 200·0.75·0.93, neither divided by the price of the stablecoin; nothing here is charged for the depeg.
    assert (margins.net.initial[0], margins.net.maintenance[0]) == pytest.approx((139.5, 150.0))


def test_depeg_counts_perpetuals_and_short_options_for_initial_margin():
    sound, off = (market(option(110.0, -1.0), option(120.0, 1.0), perp=-2.0, stable_price=s) for s in (1.0, 0.94))
    # (0.99 − 0.94)·2·100·(2 + 1)
    assert net(off)[0] == pytest.approx(net(sound)[0] - 30.0)
    assert net(off)[1] == net(sound)[1]


def test_confidence_is_compared_exactly_and_short_options_alone_count():
    book = (option(110.0, -1.0), option(120.0, 1.0))
    at, below = (market(*book, vol_confidence=c) for c in (Decimal("0.55"), Decimal("0.55") - UNIT))
    assert srm.margin_of(at, RULES).oracle[0] == 0.0
    assert srm.margin_of(below, RULES).oracle[0] == pytest.approx(-45.0)


def test_a_threshold_of_zero_switches_its_rule_off():
    terms = RULES.markets["BTC"]
    off = replaced(terms, oracle=srm.OracleTerms(perp_threshold=0, option_threshold=0, base_threshold=0, factor=1.0))
    rules = replaced(RULES, markets={"BTC": off})
    assert srm.margin_of(market(perp=1.0, base=1.0, perp_confidence=0.0, spot_confidence=0.0), rules).oracle[0] == 0.0
    assert srm.margin_of(market(perp=1.0, base=1.0, perp_confidence=0.0), RULES).oracle[0] == pytest.approx(-100.0)


def test_markets_do_not_net():
    long, short = market(perp=1.0), market(perp=-1.0, name="ETH")
    both = srm.SrmPortfolio(markets=(*long.markets, *short.markets))
    assert net(both)[0] == pytest.approx(net(long)[0] + net(short)[0])


@given(srm_portfolios())
@settings(max_examples=30)
def test_initial_margin_is_the_stricter(p: srm.SrmPortfolio):
    found = net(p)
    assert found[0] <= found[1] + 1e-9 * (1.0 + abs(found[1]))


@given(srm_portfolios())
@settings(max_examples=30)
def test_an_option_never_costs_more_than_alone(p: srm.SrmPortfolio):
    margins = srm.margin_of(p, RULES)
    assert (margins.option.initial >= margins_alone(margins) - 1e-9 * (1.0 + abs(margins_alone(margins)))).all()


def margins_alone(margins: srm.SrmMargins):
    from crossmargin.margin.rulebooks.derive.building import segment_sums

    return segment_sums(margins.expiry_ptr, margins.isolated.initial)


def test_what_a_market_does_not_list_is_refused():
    with pytest.raises(UnknownName, match="DOGE2"):
        net(market(name="DOGE2", perp=1.0))
    with pytest.raises(UnknownName, match="option market"):
        net(market(option(1.0, 1.0), name="SOL"))
    with pytest.raises(UnknownName, match="perpetual market"):
        net(market(name="USDT", perp=1.0))


def test_more_assets_than_the_manager_takes_are_refused():
    with pytest.raises(InvalidInput, match="number of assets is 49"):
        net(market(*(option(50.0 + i, 1.0) for i in range(49))))
    assert net(srm.SrmPortfolio(cash=7.0)) == (7.0, 7.0)
    one = market().markets[0]
    with pytest.raises(InvalidInput, match="market"):
        srm.SrmPortfolio(markets=(one, one))
