"""The frame of scenario rulebooks against its plain form: one leg, one scenario at a time."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks import scanning
from spec.rulebooks import scanning as plain
from tests.margin.rulebooks.scan_units import option_legs, risk_units, vol_rules

SCENARIOS = st.lists(
    st.tuples(st.sampled_from((-0.99, -0.16, 0.0, 0.16, 5.0)), st.sampled_from((-1.0, -0.5, 0.0, 1.0))),
    min_size=1,
    max_size=4,
)


@given(risk_units(), vol_rules(), SCENARIOS, st.booleans(), st.sampled_from((0.0, 1.0)))
def test_pnl_losses_and_orders(unit, rule, scenarios, moved, passed):
    move, direction = (np.asarray(part, float) for part in zip(*scenarios, strict=True))
    vols = scanning.shocked_vols(unit.options, direction, rule)
    at = "index moved" if moved else "index now"
    pnl = scanning.unit_pnl(unit, move, vols, coins_at=at, days_passed=passed)
    lost, waiting = scanning.losses(unit, pnl), scanning.order_losses(unit, pnl)
    terms = msgspec.to_builtins(rule)
    for s, (x, side) in enumerate(scenarios):
        coin = unit.index * (1.0 + x) if moved else unit.index
        expected = [plain.linear_pnl(leg.price, leg.inverse, x, coin) for leg in unit.linear]
        for i, leg in enumerate(unit.options):
            vol = plain.shocked_vol(leg.volatility, leg.days, side, terms)
            assert vols[i, s] == pytest.approx(vol, rel=1e-12)
            expected.append(plain.option_pnl(msgspec.to_builtins(leg), x, vol, coin, passed))
        # The plain form subtracts values of the size of the forward, and an inverse one is worth up to its coin.
        near = 1e-11 * (1.0 + abs(x)) * max([unit.index, *(leg.strike for leg in unit.options)]) / (1.0 + min(x, 0.0))
        assert pnl[:, s] == pytest.approx(expected, rel=1e-9, abs=near)
        size = sum(abs(leg.quantity) + leg.buys + leg.sells for leg in unit.legs)
        total = -sum(leg.quantity * p for leg, p in zip(unit.legs, expected, strict=True))
        assert lost[s] == pytest.approx(total, rel=1e-9, abs=near * (1.0 + size))
        orders = sum(plain.order_loss(leg.buys, leg.sells, p) for leg, p in zip(unit.legs, expected, strict=True))
        assert waiting[s] == pytest.approx(orders, rel=1e-9, abs=near * (1.0 + size))


@given(option_legs(100.0))
def test_values_and_deltas(leg):
    unit = scanning.RiskUnit(coin="BTC", index=90.0, options=(leg,))
    undiscounted = plain.value(leg.right == "call", leg.forward, leg.strike, leg.volatility, leg.days)
    worth = undiscounted / leg.forward * 90.0 if leg.inverse else leg.discount * undiscounted
    assert scanning.option_values(unit)[0] == pytest.approx(worth, rel=1e-9, abs=1e-9)
    if leg.volatility > 0.0 and leg.days > 1e-3:
        assert scanning.option_deltas(unit)[0] == pytest.approx(plain.option_delta(msgspec.to_builtins(leg)), abs=1e-9)
