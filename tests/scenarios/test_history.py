"""A history gives away nothing of the time after it was cut, and its moves are what the kinds of factors say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.core.instant import DAY_NS
from crossmargin.scenarios.history import FactorHistory, build_history

NAMES = ("spot:BTC", "rate:USD:2y", "spot:WTI")
LEVELS = arrays(np.float64, (12, 3), elements=st.floats(0.5, 200.0))


def history(level: np.ndarray, bars: int | None = None) -> FactorHistory:
    times = np.arange(1, len(level) + 1)[: bars or len(level)] * DAY_NS
    return build_history(times, NAMES, level[: len(times)], scale={"spot:WTI": 50.0})


@given(LEVELS, st.integers(1, 11), st.integers(1, 3))
def test_moves_until_a_day_do_not_know_the_days_after(level: np.ndarray, day: int, bars: int) -> None:
    cut = history(level).until(day * DAY_NS + 1)
    assert len(cut) == day
    np.testing.assert_array_equal(cut.moves(bars), history(level, day).moves(bars))
    assert cut.hash() == history(level, day).hash()


@given(LEVELS)
def test_moves_add_up_and_shocks_are_what_prices_did(level: np.ndarray) -> None:
    told = history(level)
    np.testing.assert_allclose(told.moves(1)[:-1] + told.moves(1)[1:], told.moves(2), atol=1e-12)
    shocks = told.as_shocks(told.moves(1))
    np.testing.assert_allclose(shocks[:, 0], level[1:, 0] / level[:-1, 0] - 1.0, atol=1e-9)
    np.testing.assert_allclose(shocks[:, 1], np.diff(level[:, 1]), atol=1e-12)
    np.testing.assert_allclose(shocks[:, 2], np.diff(level[:, 2]) / 50.0, atol=1e-12)


def test_a_price_that_went_below_zero_is_moved_by_its_scale() -> None:
    level = np.array([[18.27], [-37.63]])  # WTI front month, 17 and 20 April 2020
    told = build_history(np.array([1, 2]) * DAY_NS, ["spot:WTI"], level, scale={"spot:WTI": 50.0})
    np.testing.assert_allclose(told.moves(), [[-55.90 / 50.0]])
    with pytest.raises(InvalidInput, match="above zero"):
        build_history(np.array([1, 2]) * DAY_NS, ["spot:WTI"], level)


def test_a_missing_level_leaves_both_of_its_moves_out() -> None:
    level = np.array([[1.0], [np.nan], [1.0], [2.0]])
    told = build_history(np.arange(1, 5) * DAY_NS, ["spot:BTC"], level)
    np.testing.assert_array_equal(np.isnan(told.moves()[:, 0]), [True, True, False])


def test_what_is_wrong_is_refused_with_its_place() -> None:
    level = np.ones((2, 1))
    with pytest.raises(InvalidInput, match="1970-01-02"):
        build_history(np.array([1, 1]) * DAY_NS, ["spot:BTC"], level)
    with pytest.raises(UnknownName):
        build_history(np.array([1, 2]) * DAY_NS, ["price:BTC"], level)
    with pytest.raises(InvalidInput, match="spot:BTC"):
        build_history(np.array([1, 2]) * DAY_NS, ["spot:BTC"], np.array([[1.0], [0.0]]))
    with pytest.raises(InvalidInput, match="2 bars"):
        build_history(np.array([1, 2]) * DAY_NS, ["spot:BTC"], np.ones((3, 1)))
    told = build_history(np.array([1, 2]) * DAY_NS, ["spot:BTC"], level)
    with pytest.raises(MissingFactors, match="spot:ETH"):
        told.select(["spot:ETH"])
