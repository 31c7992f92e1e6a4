"""Aevo's portfolio margin: sums by hand, what must hold of all, readings of open parts, and books."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.margin.rulebooks.aevo_pm.portfolio import RULEBOOK, Parameters, PortfolioMargin, margin_of
from crossmargin.margin.rulebooks.scanning import LinearLeg, RiskUnit
from crossmargin.market.build import build_snapshot
from tests.margin.rulebooks.accounts import account, ask
from tests.margin.rulebooks.scan_units import call, perpetual
from tests.worlds import market, underlying

replace = msgspec.structs.replace
SHIPPED: Parameters = RULEBOOK.load("2026-01-01")


def rates(**values) -> Parameters:
    return replace(SHIPPED, coins={"ETH": replace(SHIPPED.coins["ETH"], **values)})


def margin(*legs, parameters=SHIPPED, coin="ETH") -> PortfolioMargin:
    linear = tuple(leg for leg in legs if isinstance(leg, LinearLeg))
    options = tuple(leg for leg in legs if leg not in linear)
    return margin_of((RiskUnit(coin=coin, index=100.0, linear=linear, options=options),), parameters)


def test_a_hedged_call_by_hand():
    # No time left: the call at 90 gains 20 and loses 10; a perpetual sold against it loses 20 and gains 20.
    found = margin(call(strike=90.0, days=0.0), perpetual(quantity=-1.0))
    one = found.units[0]
    assert one.pnl == pytest.approx([10.0] * 3 + [0.0] * 9 + [0.0] * 3)
    # At -20 %: -10 + 20. Nothing is lost; the floor is 1 % of the perpetual.
    assert (one.scenario, found.initial, found.maintenance) == pytest.approx((0.0, 1.0, 1.0))
    assert len(one.labels) == 15
    assert one.labels[0] == "spot -20.0%, vol down"


def test_volatilities_move_by_points_by_hand():
    # A straddle at the money sold, half a year, 10 %: vol up is 60 %, down is nothing.
    sold = [call(right=right, volatility=0.1, quantity=-1.0) for right in ("call", "put")]
    one = margin(*sold).units[0]
    root = math.sqrt(0.5)

    def value(vol):
        return 2.0 * 100.0 * math.erf(0.5 * vol * root / math.sqrt(2.0))  # 2·(2·N(v/2) − 1)·F

    assert one.pnl[6] == pytest.approx(value(0.1))
    assert one.pnl[8] == pytest.approx(value(0.1) - value(0.6))
    assert one.floor == pytest.approx(2 * 1.5)


def test_readings_of_the_floor():
    legs = (perpetual(quantity=-1.0), call(strike=1e6, days=0.0, quantity=-20.0))
    # 20 lost by the perpetual; 20 coins sold at 1.5 and 1 of the perpetual are 31.
    added, greater = (margin(*legs, parameters=replace(SHIPPED, floor=way)) for way in ("added", "greater"))
    assert (added.initial, greater.initial) == pytest.approx((51.0, 31.0))
    half = margin(*legs, parameters=replace(SHIPPED, maintenance_factor=0.5))
    assert half.maintenance == pytest.approx(25.5)


def test_orders_fill_where_they_hurt():
    found = margin(perpetual(quantity=1.0, buys=2.0, sells=3.0))
    # 20 lost by one, 60 by three; three sold leave two short, 40.
    assert found.units[0].orders == pytest.approx(40.0)
    assert (found.initial, found.maintenance) == pytest.approx((61.0, 21.0))


legs = st.lists(
    st.builds(perpetual, quantity=st.floats(-50.0, 0.0))
    | st.builds(
        call,
        strike=st.sampled_from((50.0, 100.0, 120.0)),
        right=st.sampled_from(("call", "put")),
        days=st.sampled_from((0.0, 1e-6, 30.0, 365.0)),
        quantity=st.floats(-50.0, 0.0),
    ),
    max_size=4,
)
RATES = ("spot_up", "spot_down", "vol_up", "floor_short_option", "floor_perpetual")


@given(legs, st.sampled_from(RATES), st.floats(0.0, 0.9), st.floats(0.0, 0.9))
def test_a_seller_owes_more_under_larger_moves_and_rates(held, name, one, other):
    low, high = (margin(*held, parameters=rates(**{name: x})).initial for x in sorted((one, other)))
    assert low <= high * (1.0 + 1e-9) + 1e-9


@given(legs, legs, st.sampled_from((1.0, -1.0)))
def test_together_costs_no_more_than_apart(first, second, side):
    turned = [replace(leg, quantity=side * leg.quantity) for leg in second]
    whole, parts = margin(*first, *turned), (margin(*first), margin(*turned))
    assert whole.initial <= sum(p.initial for p in parts) * (1.0 + 1e-9) + 1e-9


def test_a_box_costs_its_floor():
    sides = ((90.0, "call", 1.0), (90.0, "put", -1.0), (110.0, "call", -1.0), (110.0, "put", 1.0))
    found = margin(*(call(strike=k, right=right, quantity=q) for k, right, q in sides))
    assert found.units[0].scenario == pytest.approx(0.0, abs=1e-9)
    assert found.initial == pytest.approx(2 * 1.5)


def test_nothing_dust_and_many_assets():
    assert margin().initial == margin(perpetual(quantity=0.0), call(quantity=0.0)).initial == 0.0
    assert 0.0 < margin(call(quantity=-1e-18)).initial < 1e-15
    many = [call(instrument=f"{n}", strike=50.0 + n, quantity=(-1.0) ** n) for n in range(128)]
    assert margin(*many).initial >= 64 * 1.5


@pytest.mark.parametrize("name", [*RATES, "vol_down"])
def test_rates_at_both_bounds(name):
    high = 0.99 if name == "spot_down" else 10.0
    for value in (0.0, high):
        held = (perpetual(quantity=3.0), call(quantity=-5.0, days=0.0), call(quantity=-5.0, volatility=0.0))
        assert math.isfinite(margin(*held, parameters=rates(**{name: value})).initial)
    for value in (-1e-9, high + 1e-6, math.nan):
        with pytest.raises(InvalidInput):
            rates(**{name: value})


def test_what_is_refused():
    with pytest.raises(InvalidInput):
        replace(SHIPPED, maintenance_factor=1.1)
    with pytest.raises(InvalidInput):
        replace(SHIPPED, moves=(2.0,))
    with pytest.raises(UnknownName, match="BTC"):
        margin(perpetual(), coin="BTC")
    poor = build_snapshot(market(underlying("BTC", 100_000.0)))
    with pytest.raises(MissingFactors, match="ETH"):
        RULEBOOK.evaluate(account(("ETH-P.V", 1.0)), poor, SHIPPED)


def test_a_book():
    book = account(
        ("ETH-P.V", 2.0, 3_900.0),
        ("ETH-I.V", -4_000.0),
        ("ETH-F.V", 1.0),
        ("BTC-P.V", 1.0),
        collateral={"ETH": 1.0, "SOL": 1.0},
    )
    found = ask(RULEBOOK, book)
    # Two bought and one sold at 4,000: 20 % of one, 1 % of three.
    assert [t.initial for t in found.terms] == pytest.approx([800.0, 120.0, 0.0])
    assert [t.certainty for t in found.terms] == ["approximate", "unknown", "exact"]
    assert found.certainty == "unknown"
    assert found.initial_usd == found.maintenance_usd == pytest.approx(920.0)
    assert found.equity_usd == pytest.approx(0.9 * 4_000.0 + 200.0)
    assert found.refused == ("ETH-F.V", "BTC-P.V", "collateral SOL")
    assert found.notes == ("an inverse contract is read as the linear one of the same coins",)
    assert found.worst_scenario == "ETH: spot -20.0%, vol down"
    assert ask(RULEBOOK, account(collateral={"BTC": -0.1})).equity_usd == pytest.approx(-10_000.0)
