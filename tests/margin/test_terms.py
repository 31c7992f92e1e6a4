"""Each term of a requirement, added up by hand on a desk of round figures (BTC 100, ETH 10, moves of 20 %)."""

import math

import msgspec
import pytest

from crossmargin.instruments.terms import Option
from crossmargin.margin import document as doc
from crossmargin.market.document import Correlations
from crossmargin.portfolio.document import Position
from tests.margin.desk import (
    BTC_COIN,
    BTC_ELSEWHERE,
    BTC_FUTURE,
    BTC_PERP,
    CALL,
    ETH_PERP,
    account,
    desk,
    desk_market,
    group,
    option,
    orders,
    plain_model,
    required,
)
from tests.worlds import flat_surface

ONE = doc.Factor(initial=1.0, maintenance=1.0)
OPTION = doc.OptionRule(initial_far=0.15, initial_near=0.10, maintenance=0.075)
RULES = {
    "crypto_major": doc.PositionRule(
        tiers=(
            doc.Tier(notional_cap=1000.0, initial=0.04, maintenance=0.02),
            doc.Tier(notional_cap=3000.0, initial=0.08, maintenance=0.04),
            doc.Tier(notional_cap=4000.0, initial=0.20, maintenance=0.10),
        ),
        option=OPTION,
    )
}


def close(value: float) -> object:
    return pytest.approx(value, rel=1e-8, abs=1e-9)


def test_scan_is_the_worst_loss():
    c = desk(account(group({BTC_PERP.id: 10.0})))
    assert required(c, "scan") == close(10 * 100 * 0.2)
    assert c.result.plan.scenarios.labels[c.result.groups.worst[0]] == "BTC -20.0 %, vol same"


def test_inverse_loses_more_on_the_way_down():
    # 10 contracts of 100 USD at 100: (1/100 − 1/80)·1000 = −2.5 coins, at 80 USD each.
    c = desk(account(group({BTC_COIN.id: 10.0})))
    assert required(c, "scan") == close(2.5 * 80)


def test_factors_multiply_every_term():
    model = plain_model(scan=doc.Factor(initial=1.25, maintenance=1.0))
    c = desk(account(group({BTC_PERP.id: 10.0})), model=model)
    assert c.result.pools.initial[0] == close(250.0)
    assert c.result.pools.maintenance[0] == close(200.0)


def test_offsets_between_underlyings_count_to_their_cap():
    # BTC alone loses 200 down, ETH alone 100 up; no scenario moves both, so together 200: offsets of 100, 80 % count.
    c = desk(account(group({BTC_PERP.id: 10.0, ETH_PERP.id: -50.0})), model=plain_model(offset_cap=0.8))
    assert required(c, "scan") == close(200.0)
    assert required(c, "offset_cap") == close(0.2 * 100)


def test_jump_is_what_far_moves_lose_beyond_the_scan():
    # −50 % on 1000 loses 500, damped by one half: 250, of which the scan holds 200.
    c = desk(account(group({BTC_PERP.id: 10.0})), model=plain_model(jump=ONE))
    assert required(c, "jump") == close(50.0)
    scenarios = c.result.plan.scenarios
    assert scenarios.labels[scenarios.regular + c.result.groups.worst_tail[0]] == "BTC -50.0 % × 0.5"


def test_liquidity_is_half_spread_and_impact():
    # Delta 1000 USD: half spread 10 bp = 1; impact 1 × 0.02 × √(1000/4000) × 1000 = 10.
    market = desk_market(adv=4000.0, half_spread_bps=10.0)
    c = desk(account(group({BTC_PERP.id: 10.0})), market=market, model=plain_model(liquidity=doc.Liquidity()))
    assert required(c, "liquidity") == close(1.0 + 10.0)


def test_options_cross_half_a_spread_of_volatility():
    # Vega of an at-the-money call: F·φ(d1)·√τ with d1 = σ√τ/2, σ = 0.5, τ = 0.5; half a spread is 2 points.
    liquidity = desk_market(adv=1e12).underlyings[0].liquidity
    market = desk_market(liquidity=msgspec.structs.replace(liquidity, half_spread_vol_points=2.0, daily_vol=0.0))
    c = desk(account(group({CALL.id: -3.0})), market=market, model=plain_model(liquidity=doc.Liquidity()))
    d1 = 0.25 * math.sqrt(0.5)
    vega = 100.0 * math.exp(-d1 * d1 / 2.0) / math.sqrt(2.0 * math.pi) * math.sqrt(0.5)
    assert required(c, "liquidity") == pytest.approx(3 * vega * 0.02, rel=1e-6)


def test_concentration_grows_with_the_days_to_unwind():
    # A tenth of 2000 a day: 1000 take 5 days, the scan holds 1: 200 × (√5 − 1).
    market = desk_market(adv=2000.0)
    c = desk(account(group({BTC_PERP.id: 10.0})), market=market, model=plain_model(liquidity=doc.Liquidity()))
    assert required(c, "concentration") == close(200.0 * (math.sqrt(5.0) - 1.0))


@pytest.mark.parametrize(
    ("positions", "charge"),
    [
        # 10 long against 4 short half a year out: 400 matched; 0.005 × 400 + 0.02 × 400 × 0.5.
        ({BTC_PERP.id: 10.0, BTC_FUTURE.id: -4.0}, 2.0 + 4.0),
        # At another venue, same tenor: 0.005 × 400 + 0.003 × 400.
        ({BTC_PERP.id: 10.0, BTC_ELSEWHERE.id: -4.0}, 2.0 + 1.2),
        # Shorts here and there of 200 each, longs of 1000 here: 400 matched, 200 of it between the places.
        ({BTC_PERP.id: 10.0, BTC_FUTURE.id: -2.0, BTC_ELSEWHERE.id: -2.0}, 2.0 + 0.02 * 200 * 0.5 + 0.003 * 200),
        # One side only, or two underlyings: nothing is matched.
        ({BTC_PERP.id: 10.0, BTC_FUTURE.id: 4.0}, 0.0),
        ({BTC_PERP.id: 10.0, ETH_PERP.id: -40.0}, 0.0),
    ],
)
def test_basis_charges_longs_against_shorts(positions: dict[str, float], charge: float):
    model = plain_model(basis=doc.Basis(floor=0.005, annual=0.02, venue=0.003))
    assert required(desk(account(group(positions)), model=model), "basis") == close(charge)


def test_short_options_hold_a_minimum():
    # A put at 1 is worth nothing and loses nothing: 0.5 % of the underlying each, less what the scan already holds.
    far = option("put", 1.0)
    model = plain_model(short_option=doc.ShortOption(rate=0.005))
    c = desk(account(group({far.id: -10.0})), more=(far,), model=model)
    assert required(c, "scan") == pytest.approx(0.0, abs=1e-6)
    assert required(c, "short_option_minimum") == pytest.approx(10 * 100 * 0.005, abs=1e-6)
    c = desk(account(group({far.id: -10.0, BTC_PERP.id: 0.1})), more=(far,), model=model)
    assert required(c, "short_option_minimum") == pytest.approx(5.0 - 2.0 - 0.5, abs=1e-6)  # 2 in scan, ½ in jump


def test_oracle_takes_the_width_of_the_mark():
    # 30 bp of confidence and 20 bp of dispersion on a net delta of 600.
    market = desk_market(confidence_bps=30.0, dispersion_bps=20.0)
    c = desk(
        account(group({BTC_PERP.id: 10.0, BTC_FUTURE.id: -4.0})), market=market, model=plain_model(oracle=doc.Oracle())
    )
    assert required(c, "oracle") == close(600 * 0.005)


@pytest.mark.parametrize(
    ("quantity", "initial", "maintenance"),
    [
        (5.0, 500 * 0.04, 500 * 0.02),
        (-20.0, 1000 * 0.04 + 1000 * 0.08, 1000 * 0.02 + 1000 * 0.04),
        # Above the last cap the last rate goes on: 1000 at 4 %, 2000 at 8 %, 2000 at 20 %.
        (50.0, 40 + 160 + 400, 20 + 80 + 200),
    ],
)
def test_linear_contracts_pay_by_bracket(quantity: float, initial: float, maintenance: float):
    c = desk(account(group({BTC_PERP.id: quantity}, mode="cross")), model=plain_model(rules=RULES))
    assert c.result.pools.initial[0] == close(initial)
    assert c.result.pools.maintenance[0] == close(maintenance)


@pytest.mark.parametrize(
    ("right", "strike", "initial"),
    [
        ("call", 100.0, 15.0),  # at the money: 15 % of 100
        ("call", 103.0, 12.0),  # 3 out of the money: 15 − 3
        ("call", 130.0, 10.0),  # far out: 10 %
        ("call", 70.0, 15.0),  # in the money: nothing is taken off
        ("put", 97.0, 12.0),
        ("put", 130.0, 15.0),
    ],
)
def test_short_options_by_rule(right: str, strike: float, initial: float):
    contract = option(right, strike, id="X.A")
    c = desk(account(group({"X.A": -2.0}, mode="cross")), more=(contract,), model=plain_model(rules=RULES))
    assert c.result.pools.initial[0] == close(2 * initial)
    assert c.result.pools.maintenance[0] == close(2 * 7.5)


def test_long_options_by_rule_require_nothing_and_count_for_the_credit():
    model = plain_model(rules=RULES, long_option_credit=0.25)
    c = desk(account(group({CALL.id: 2.0}, mode="cross")), model=model)
    value = 100.0 * math.erf(0.25 * math.sqrt(0.5) / math.sqrt(2.0))  # at the money F·(2Φ(σ√τ/2) − 1)
    assert c.result.pools.initial[0] == 0.0
    assert c.result.pools.position_value[0] == close(0.25 * 2 * value)


def test_quanto_options_count_in_what_they_settle_in():
    # m·100 units of BTC at 100 USD each, where a linear one of 100 points is 100 USDC.
    quanto = option("call", 100.0, id="Q.A", payout="quanto", settle="BTC", multiplier=0.01)
    c = desk(account(group({"Q.A": -1.0}, mode="cross")), more=(quanto,), model=plain_model(rules=RULES))
    assert c.result.pools.initial[0] == close(0.15 * 0.01 * 100 * 100)


@pytest.mark.parametrize(
    ("spot", "required_usd"),
    [(-40.0, 0.15 * 40), (0.0, 0.0)],  # 41 in the money; rates of a price of zero, which every share is of
)
def test_options_on_negative_prices_require_a_share_of_the_price(spot: float, required_usd: float):
    market = desk_market()
    oil = msgspec.structs.replace(
        market.underlyings[0], name="CL", kind="index", spot=spot, surface=flat_surface(0.5, scale=20.0)
    )
    names, rows = ("BTC", "ETH", "CL"), ((1.0, 0.5, 0.1), (0.5, 1.0, 0.1), (0.1, 0.1, 1.0))
    linked = Correlations(names=names, matrix=rows)
    market = msgspec.structs.replace(market, underlyings=(*market.underlyings, oil), correlations=linked)
    contract = Option(
        id="CL.A",
        underlying="CL",
        payout="linear",
        settle="USD",
        expiry=CALL.expiry,
        strike=1.0,
        right="put",
        discounted=False,
    )
    c = desk(
        account(group({"CL.A": -1.0}, mode="cross")), more=(contract,), market=market, model=plain_model(rules=RULES)
    )
    assert c.result.pools.initial[0] == close(required_usd)


def test_premium_lowers_the_requirement_to_zero_at_most():
    # Ten long calls are worth 10 × 100·erf(0.125) and lose part of that; the requirement is what is left, or nothing.
    both = [
        desk(account(group({CALL.id: 10.0, BTC_PERP.id: 40.0})), model=plain_model(option_value=where))
        for where in ("equity", "requirement")
    ]
    value = 1000.0 * math.erf(0.25 * math.sqrt(0.5) / math.sqrt(2.0))
    assert both[0].result.pools.position_value[0] == close(value)
    assert both[1].result.pools.position_value[0] == 0.0
    assert both[1].result.pools.initial[0] == close(both[0].result.pools.initial[0] - value)
    only = desk(account(group({CALL.id: 10.0})), model=plain_model(option_value="requirement"))
    assert only.result.pools.initial[0] == 0.0


def test_unsettled_gains_count_since_entry():
    # Linear: 10 × (100 − 90). Inverse: 10 × 100 × (1/80 − 1/100) coins at 100.
    held = (
        Position(instrument=BTC_PERP.id, quantity=10.0, entry_price=90.0),
        Position(instrument=BTC_COIN.id, quantity=10.0, entry_price=80.0),
    )
    c = desk(account(group(positions=held)))
    assert c.result.pools.unsettled[0] == close(100.0 + 2.5 * 100)


def test_orders_wait_at_their_worst_fill():
    # Long 10. Selling 25 would leave 15 short, losing 300 on the way up; buying 5 more would lose 300 on the way down.
    for extra, loss in (
        ((("BTC-PERP.A", -25.0),), 300.0),
        ((("BTC-PERP.A", 5.0),), 300.0),
        ((("BTC-PERP.A", -5.0),), 200.0),
    ):
        c = desk(account(group({BTC_PERP.id: 10.0}, orders=orders(*extra))))
        assert required(c, "scan") == close(loss)
