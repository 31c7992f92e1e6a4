"""The state of a market: calm where nothing happens, full where all of it or one factor alone is beside itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.liquidity import LiquidityRule, market_stress
from crossmargin.scenarios.statistics.volatility import RegimeFloor

RULE = RegimeFloor()


def variance(*last: float) -> np.ndarray:
    """Two hundred calm dates of variance 1, and the last as given."""
    path = np.ones((200, len(last)))
    path[-1] = last
    return path


def test_a_calm_market_has_no_stress() -> None:
    np.testing.assert_array_equal(market_stress(variance(1.0, 1.1, 0.5), RULE), 0.0)


def test_a_factor_alone_is_in_its_own_stress_and_a_market_is_in_all() -> None:
    np.testing.assert_array_equal(market_stress(variance(1.0, 1.0, 9.0), RULE), [0.0, 0.0, 1.0])
    np.testing.assert_array_equal(market_stress(variance(1.0, 9.0, 9.0), RULE), 1.0)
    half = ((RULE.onset + RULE.full) / 2.0) ** 2
    np.testing.assert_allclose(market_stress(variance(half, half), RULE), 0.5, rtol=1e-12)


def test_what_has_no_past_yet_follows_the_market() -> None:
    path = variance(9.0, 9.0, 9.0)
    path[:190, 2] = np.nan
    np.testing.assert_array_equal(market_stress(path, RULE), 1.0)
    assert np.all(market_stress(np.full((10, 2), 4.0), RULE) == 0.0)


@given(st.floats(1.0, 50.0), st.floats(0.01, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_more_stress_never_narrows_a_spread_nor_adds_volume(spread: float, volume: float, a: float, b: float) -> None:
    rule = LiquidityRule(spread=spread, volume=volume)
    low, high = rule.of("spot:BTC", min(a, b)), rule.of("spot:BTC", max(a, b))
    assert low[0] <= high[0] * (1.0 + 1e-12)
    assert low[1] >= high[1] * (1.0 - 1e-12)
    assert rule.of("spot:BTC", 0.0) == (1.0, 1.0)
    assert rule.of("spot:BTC", 1.0) == pytest.approx((spread, volume))


def test_a_factor_may_have_a_rule_of_its_own() -> None:
    rule = LiquidityRule(by_factor={"spot:SOL": LiquidityRule(spread=5.0, volume=0.2)})
    assert rule.of("spot:SOL", 1.0) == pytest.approx((5.0, 0.2))
    assert rule.of("spot:BTC", 1.0) == (3.0, 1.0)
    with pytest.raises(InvalidInput, match="spread in stress"):
        LiquidityRule(spread=0.5)
    with pytest.raises(InvalidInput, match="volume in stress"):
        LiquidityRule(volume=0.0)
