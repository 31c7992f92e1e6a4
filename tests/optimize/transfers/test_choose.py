"""Which way is taken, and what prices can differ by."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.market.transfers.cost import TransferCosts
from crossmargin.optimize.transfers.arbitrage import band, close
from crossmargin.optimize.transfers.choose import cheapest_in_time
from tests.market.transfers.routes import MAINNET, amounts, costs_of, met


def test_patience_takes_the_cheap_way_and_haste_the_fast_one():
    found = costs_of([250_000.0])
    assert cheapest_in_time(found, amount=0, deadline_s=3_600.0).route == "cctp-standard"
    assert cheapest_in_time(found, amount=0, deadline_s=300.0).route == "cctp-fast"
    assert cheapest_in_time(found, amount=0, deadline_s=10.0).route is None


def test_a_full_lane_sends_it_another_way():
    found = costs_of([250_000.0])
    choice = cheapest_in_time(found, amount=0, deadline_s=3_600.0, wait_s={"cctp-standard": None, "cctp-fast": 60.0})
    assert (choice.route, choice.wait_s) == ("cctp-fast", 60.0)
    assert dict(choice.verdicts)["cctp-standard"] == "rate limit"


@given(amounts, st.floats(0.0, 86_400.0), st.floats(0.5, 0.99))
def test_what_is_taken_is_in_time_and_none_in_time_is_cheaper(amount, deadline, confidence):
    found = costs_of(amount)
    choice = cheapest_in_time(found, amount=0, deadline_s=deadline, confidence=confidence)
    in_time = found.chance_by(np.full(len(found.routes), deadline)) >= confidence
    if choice.route is None:
        assert not in_time.any()
    else:
        assert choice.chance >= confidence
        assert choice.cost_usd == found.cost_usd[in_time, 0].min()


@given(amounts, met)
def test_within_the_band_nobody_gains_and_beyond_it_somebody_does(amount, conditions):
    found = costs_of(amount, conditions)
    width = band(found).width
    assert close(found, width * (1.0 - 1e-9)).profit_usd <= 1e-9 * max(amount)
    assert close(found, width * (1.0 + 1e-6) + 1e-12).profit_usd > 0.0


def test_where_nothing_crosses_any_difference_persists():
    nothing: TransferCosts = costs_of([1e6], asset="WBTC", origin=MAINNET, destination="eip155:10")
    assert nothing.routes == ()
    assert band(nothing).width == np.inf
    assert close(nothing, 0.5).profit_usd == 0.0
    assert cheapest_in_time(nothing, amount=0, deadline_s=1e6).route is None
