"""A stretch of history: moves since its start, closed markets, and what was known at a bar."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.core.instant import DAY_NS
from crossmargin.scenarios.episode import CLOSED_DAYS, episode, known_levels, sampled
from crossmargin.scenarios.history import FactorHistory, build_history

HOUR_NS = DAY_NS // 24
NAMES = ("spot:BTC", "index:SPX", "rate:USD:2y", "spot:WTI")


def hourly(days: int = 30, seed: int = 0) -> FactorHistory:
    """Hourly closes of BTC and WTI (which may be negative), daily ones of SPX and the rate on weekdays at 21:00."""
    draw = np.random.default_rng(seed)
    count = 24 * days
    level = np.full((count, 4), np.nan)
    level[:, 0] = 100.0 * np.exp(np.cumsum(0.01 * draw.normal(size=count)))
    level[:, 3] = 10.0 + np.cumsum(draw.normal(size=count))
    hour, day = (np.arange(count) + 1) % 24, (np.arange(count) + 1) // 24
    closing = (hour == 21) & (day % 7 < 5)
    level[closing, 1] = 5000.0 * np.exp(np.cumsum(0.01 * draw.normal(size=int(closing.sum()))))
    level[closing, 2] = 0.04 + np.cumsum(1e-4 * draw.normal(size=int(closing.sum())))
    return build_history(np.arange(1, count + 1) * HOUR_NS, NAMES, level, scale={"spot:WTI": 20.0})


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 25), st.integers(0, 23), st.integers(0, 3))
def test_moves_are_those_of_the_levels_since_the_start(day: int, hour: int, seed: int):
    told = hourly(seed=seed)
    start = day * DAY_NS + hour * HOUR_NS
    found = episode(told, NAMES, start_ns=start, days=4.0)
    row = np.searchsorted(told.close_ns, found.close_ns, side="right") - 1
    level = told.level
    assert (found.move[0] == 0.0).all()
    np.testing.assert_allclose(found.move[:, 0], level[row, 0] / level[row[0], 0] - 1.0, rtol=1e-12)
    np.testing.assert_allclose(found.move[:, 3], (level[row, 3] - level[row[0], 3]) / 20.0, rtol=1e-9, atol=1e-12)
    last = [np.flatnonzero(~np.isnan(level[: r + 1, 1]))[-1] for r in row]
    np.testing.assert_allclose(found.move[:, 1], level[last, 1] / level[last[0], 1] - 1.0, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.move[:, 2], level[last, 2] - level[last[0], 2], atol=1e-15)


def test_bars_are_thinned_to_the_last_of_each_step():
    found = episode(hourly(), NAMES[:1], start_ns=5 * DAY_NS, days=2.0, every_hours=6.0)
    np.testing.assert_array_equal((found.close_ns - 5 * DAY_NS) // HOUR_NS, [0, 6, 12, 18, 24, 30, 36, 42, 48])


def test_a_factor_that_has_ended_or_never_was_is_named():
    told = hourly()
    level = told.level.copy()
    level[10 * 24 :, 1] = np.nan
    cut = build_history(told.close_ns, NAMES, level, scale=told.scale)
    with pytest.raises(MissingFactors, match="index:SPX"):
        episode(cut, NAMES, start_ns=(10 + int(CLOSED_DAYS)) * DAY_NS, days=2.0)
    with pytest.raises(MissingFactors, match="spot:ETH"):
        episode(told, ["spot:ETH"], start_ns=5 * DAY_NS, days=2.0)
    with pytest.raises(InvalidInput, match="holds the event"):
        episode(told, NAMES[:1], start_ns=90 * DAY_NS, days=2.0)
    with pytest.raises(InvalidInput, match="holds the event"):
        episode(told, NAMES[:1], start_ns=0, days=2.0)


@settings(deadline=None, max_examples=25)
@given(st.integers(5 * 24, 29 * 24), st.sampled_from([0.25, 1.0]))
def test_a_sample_knows_nothing_later(bar: int, bar_days: float):
    told = hourly()
    level = told.level.copy()
    level[bar:] *= 3.0
    other = build_history(told.close_ns, NAMES, level, scale=told.scale)
    end = int(told.close_ns[bar - 1])
    first, second = (sampled(h, end_ns=end, bar_days=bar_days) for h in (told, other))
    np.testing.assert_array_equal(first.level, second.level)
    np.testing.assert_array_equal(np.diff(first.close_ns), round(bar_days * DAY_NS))
    assert first.close_ns[-1] == end
    np.testing.assert_allclose(first.level[:, 0], told.level[np.searchsorted(told.close_ns, first.close_ns), 0])


def test_a_sample_keeps_the_gaps_of_a_closed_market_but_ends_with_its_last_level():
    told = hourly()
    found = sampled(told, end_ns=20 * DAY_NS + 10 * HOUR_NS, bar_days=1.0)
    closed = (found.close_ns // DAY_NS) % 7 == 6  # Sunday at 10:00: the last close is two days old
    assert np.isnan(found.level[closed[:-1].nonzero()[0], 1]).all()
    assert not np.isnan(found.level[-1]).any()


def test_a_daily_history_is_only_cut():
    told = hourly().rows(np.arange(23, 24 * 30, 24))
    found = sampled(told, end_ns=20 * DAY_NS, bar_days=1.0)
    np.testing.assert_array_equal(found.close_ns, told.until(20 * DAY_NS).close_ns)


def test_a_level_is_the_last_one_that_is_not_too_old():
    told = hourly()
    times = np.array([0, told.close_ns[20], told.close_ns[20] + 3 * HOUR_NS])
    found = known_levels(told, times, age_ns=2 * HOUR_NS)
    assert np.isnan(found[0]).all()
    assert found[1, 1] == told.level[20, 1]
    assert np.isnan(found[2, 1])
    assert found[2, 0] == told.level[23, 0]
