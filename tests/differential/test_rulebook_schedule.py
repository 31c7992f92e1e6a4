"""The schedule against its plain twin, on random trades."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.sensitivities.schedule import (
    PRODUCT_NAMES,
    RULEBOOK,
    ScheduleTrade,
    schedule_margin,
)
from spec.rulebooks import schedule as spec

PARAMETERS = RULEBOOK.load("2020-04-09")
TRADES = st.tuples(
    st.sampled_from(PRODUCT_NAMES), st.floats(-1e9, 1e9), st.sampled_from((0.0, 1.9, 2.0, 2.1, 5.0, 5.1, 30.0)),
    st.floats(-1e8, 1e8),
)  # fmt: skip


@given(st.lists(TRADES, max_size=10))
def test_schedule_agrees_with_its_twin(trades: list[spec.Trade]):
    ours = [
        ScheduleTrade(name=str(i), product=product, notional_usd=notional, years=years, value_usd=value)
        for i, (product, notional, years, value) in enumerate(trades)
    ]
    assert schedule_margin(ours, PARAMETERS).margin == pytest.approx(spec.margin(trades), rel=1e-9, abs=1e-6)
