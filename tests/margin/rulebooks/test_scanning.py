"""The frame of scenario rulebooks: sums by hand, what must hold of all, and what is refused."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.scanning import (
    LinearLeg,
    RiskUnit,
    VolRule,
    losses,
    option_deltas,
    option_values,
    order_losses,
    quantities,
    shocked_vols,
    unit_pnl,
)
from tests.margin.rulebooks.scan_units import call, perpetual, risk_units, vol_rules

MOVE = np.asarray([-0.2, 0.0, 0.25])
SIDES = np.asarray([1.0, 0.0, -1.0])
replace = msgspec.structs.replace


def unit(*legs, index: float = 100.0) -> RiskUnit:
    linear = tuple(leg for leg in legs if isinstance(leg, LinearLeg))
    return RiskUnit(coin="BTC", index=index, linear=linear, options=tuple(leg for leg in legs if leg not in linear))


def flat(held: RiskUnit, move=MOVE) -> np.ndarray:
    return unit_pnl(held, move, np.asarray([[o.volatility] * len(move) for o in held.options]))


def test_linear_and_inverse_contracts_by_hand():
    held = unit(perpetual(price=110.0), perpetual(price=110.0, inverse=True))
    pnl = flat(held)
    assert pnl[0] == pytest.approx([-22.0, 0.0, 27.5])
    # In coins -0.2/0.8 = -0.25 and 0.25/1.25 = 0.2, at the index of 100; the mark does not matter.
    assert pnl[1] == pytest.approx([-25.0, 0.0, 20.0])
    moved = unit_pnl(held, MOVE, np.zeros((0, 3)), coins_at="index moved")
    # Coins at the moved index gain what the contract is worth in money: 100 · x.
    assert moved[1] == pytest.approx([-20.0, 0.0, 25.0])


def test_options_without_time_are_worth_their_payoff():
    held = unit(
        call(strike=90.0, days=0.0, discount=0.5), call(strike=100.0, right="put", volatility=0.0, inverse=True)
    )
    # Call: max(F - 90, 0) from 10 to 0, 10 and 35, times the discount. Put: 20/80 coins of 100 at a forward of 80.
    assert flat(held) == pytest.approx(np.asarray([[-5.0, 0.0, 12.5], [25.0, 0.0, 0.0]]))
    assert option_values(held) == pytest.approx([5.0, 0.0])


def test_time_that_passes():
    held = unit(call(days=1.0), call(days=2.0))
    still, vols = np.asarray([0.0]), np.full((2, 1), 0.5)
    after_one = unit_pnl(held, still, vols, days_passed=1.0)[:, 0]
    now, later = option_values(held)
    assert after_one == pytest.approx([-now, now - later])
    both = unit_pnl(held, np.zeros(2), np.full((2, 2), 0.5), days_passed=np.asarray([0.0, 5.0]))
    assert both == pytest.approx(np.asarray([[0.0, -now], [0.0, -later]]))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        # (30/7.5)^0.5 = 2, (30/120)^0.25 = 1/√2; 30 days is still short.
        (7.5, 0.5 * (1 + 0.4 * 2)),
        (30.0, 0.5 * 1.4),
        (120.0, 0.5 * (1 + 0.4 * math.sqrt(0.5))),
        # The floor of a day: (30/1)^0.5.
        (0.0, 0.5 * (1 + 0.4 * math.sqrt(30.0))),
    ],
)
def test_relative_vols_by_hand(days, expected):
    rule = VolRule(up=0.4, down=0.25, short_power=0.5, long_power=0.25, floor_days=1.0)
    up, same, down = shocked_vols([call(days=days)], SIDES, rule)[0]
    assert up == pytest.approx(expected)
    assert same == 0.5
    assert down == pytest.approx(max(0.5 - 0.25 / 0.4 * (expected - 0.5), 0.0))


def test_vols_in_points_and_floors_by_hand():
    low = [call(volatility=0.1), call(volatility=0.6)]
    assert shocked_vols(low, SIDES, VolRule(up=0.5, down=0.25, relative=False)) == pytest.approx(
        np.asarray([[0.6, 0.1, 0.0], [1.1, 0.6, 0.35]])
    )
    # The floor lifts what rises, and nothing else; part of a shock is as much of it.
    floored = shocked_vols(low, np.asarray([1.0, 0.0, -1.0, 0.5]), VolRule(up=0.5, down=0.5, min_up=0.7))
    assert floored == pytest.approx(np.asarray([[0.7, 0.1, 0.05, 0.7], [0.9, 0.6, 0.3, 0.75]]))


def test_an_option_that_expires_now_keeps_its_payoff_under_any_rule_that_lets_it():
    rule = VolRule(up=0.4, down=0.25, short_power=0.3)
    held = unit(call(strike=90.0, days=0.0))
    pnl = unit_pnl(held, MOVE, shocked_vols(held.options, SIDES, rule))
    assert pnl[0] == pytest.approx([-10.0, 0.0, 25.0])
    near = unit(call(strike=90.0, days=1e-9))
    assert unit_pnl(near, MOVE, shocked_vols(near.options, SIDES, rule)) == pytest.approx(pnl, abs=1e-2)
    with pytest.raises(InvalidInput, match="no floor"):
        shocked_vols(held.options, SIDES, replace(rule, short_power=0.5))


def test_orders_fill_where_they_hurt():
    held = unit(perpetual(quantity=1.0, buys=2.0, sells=3.0), perpetual(quantity=-1.0, sells=1.0))
    pnl = flat(held)
    assert losses(held, pnl) == pytest.approx([0.0, 0.0, 0.0])
    # A fall of 20 hurts two buys; a rise of 25 hurts three sells and one.
    assert order_losses(held, pnl) == pytest.approx([40.0, 0.0, 100.0])


def test_deltas_by_hand():
    # In the money without time: delta 1; inverse 1 - C/F = 1 - 50/100. Out of the money: 0.
    held = unit(
        call(strike=50.0, days=0.0, discount=0.9),
        call(strike=50.0, days=0.0, inverse=True),
        call(strike=150.0, days=0.0),
        call(strike=150.0, right="put", days=0.0),
    )
    assert option_deltas(held) == pytest.approx([0.9, 0.5, 0.0, -1.0])


def test_nothing_held():
    empty = unit()
    assert unit_pnl(empty, MOVE, np.zeros((0, 3))).shape == (0, 3)
    assert losses(empty, np.zeros((0, 3))) == pytest.approx([0.0] * 3)
    assert order_losses(empty, np.zeros((0, 3))) == pytest.approx([0.0] * 3)
    assert (len(option_values(empty)), len(option_deltas(empty)), len(quantities(empty))) == (0, 0, 0)


@given(risk_units(), vol_rules())
def test_nothing_moves_where_nothing_is_shocked(held, rule):
    vols = shocked_vols(held.options, np.zeros(1), rule)
    assert unit_pnl(held, np.zeros(1), vols) == pytest.approx(np.zeros((len(held.legs), 1)), abs=1e-18)


@given(risk_units(), vol_rules(), st.floats(-0.9, 5.0), st.floats(-1.0, 1.0))
def test_losses_are_linear_and_orders_only_add(held, rule, move, side):
    at, direction = np.asarray([move]), np.asarray([side])
    pnl = unit_pnl(held, at, shocked_vols(held.options, direction, rule))
    double = replace(
        held,
        linear=tuple(replace(leg, quantity=2.0 * leg.quantity) for leg in held.linear),
        options=tuple(replace(leg, quantity=2.0 * leg.quantity) for leg in held.options),
    )
    assert losses(double, pnl) == pytest.approx(2.0 * losses(held, pnl))
    assert (order_losses(held, pnl) >= 0.0).all()
    filled = [leg.quantity + (leg.buys if p < 0.0 else -leg.sells) for leg, p in zip(held.legs, pnl[:, 0], strict=True)]
    assert losses(held, pnl) + order_losses(held, pnl) == pytest.approx(-(np.asarray(filled) @ pnl))


@given(st.floats(-0.9, 5.0), st.floats(0.0, 3.0), st.floats(20.0, 300.0), st.floats(0.0, 700.0), st.booleans())
def test_a_call_less_a_put_moves_as_its_forward(move, vol, strike, days, inverse):
    legs = [call(right=right, strike=strike, days=days, inverse=inverse) for right in ("call", "put")]
    held = unit(*legs)
    pnl = unit_pnl(held, np.asarray([move]), np.full((2, 1), vol))
    # C - P = F - K; in coins 1 - K/F, at an index of 100.
    expected = strike * (1.0 - 1.0 / (1.0 + move)) if inverse else 100.0 * move
    assert pnl[0, 0] - pnl[1, 0] == pytest.approx(expected, rel=1e-9, abs=1e-9 * (1.0 + strike))


def test_extremes_are_numbers():
    held = unit(
        call(volatility=100.0, days=36_500.0), call(strike=1e12, volatility=1e-12), call(strike=1e-9, days=1e-9)
    )
    assert np.isfinite(flat(held, np.asarray([-0.999999, 0.0, 1e6]))).all()
    assert np.isfinite(option_deltas(held)).all()
    assert np.isfinite(option_values(held)).all()


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (lambda: perpetual(price=0.0), "price"),
        (lambda: perpetual(quantity=math.nan), "quantity"),
        (lambda: perpetual(quantity=1e16), "quantity"),
        (lambda: perpetual(sells=-1.0), "sells"),
        (lambda: perpetual(kind="future"), "days"),
        (lambda: perpetual(kind="future", days=-1.0), "days"),
        (lambda: call(strike=0.0), "strike"),
        (lambda: call(forward=math.inf), "forward"),
        (lambda: call(volatility=-0.1), "volatility"),
        (lambda: call(days=math.nan), "days"),
        (lambda: call(discount=0.0), "discount"),
        (lambda: unit(index=0.0), "index"),
        (lambda: VolRule(up=-0.1, down=0.0), "up"),
        (lambda: VolRule(up=0.1, down=math.nan), "down"),
        (lambda: flat(unit(perpetual()), np.asarray([-1.0])), "price factor"),
        (lambda: flat(unit(perpetual()), np.asarray([math.nan])), "price factor"),
    ],
)
def test_numbers_out_of_range_are_refused(broken, what):
    with pytest.raises(InvalidInput, match=what):
        broken()
