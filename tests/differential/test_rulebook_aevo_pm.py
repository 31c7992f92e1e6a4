"""Aevo's portfolio margin against its plain form: one scenario, one contract at a time."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.aevo_pm.portfolio import RULEBOOK, margin_of
from spec.rulebooks import aevo_pm as plain
from tests.margin.rulebooks.scan_units import risk_units


@given(risk_units("ETH", inverse=False), st.sampled_from(("added", "greater")), st.floats(0.0, 1.0))
def test_margin_and_scenarios(unit, floor, factor):
    rules = msgspec.structs.replace(RULEBOOK.load("2026-01-01"), floor=floor, maintenance_factor=factor)
    found = margin_of((unit,), rules)
    held, terms = msgspec.to_builtins(unit), msgspec.to_builtins(rules)
    size = sum(
        (abs(leg.quantity) + leg.buys + leg.sells) * max(unit.index, getattr(leg, "strike", 0.0)) for leg in unit.legs
    )
    near = 1e-11 * (1.0 + size)
    assert (found.initial, found.maintenance) == pytest.approx(plain.margin(held, terms), rel=1e-9, abs=near)
    expected = [pnl for pnl, _ in plain.scenarios(held, terms["coins"]["ETH"])]
    assert found.units[0].pnl == pytest.approx(expected, rel=1e-9, abs=near)
