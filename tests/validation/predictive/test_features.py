"""Features say what was known at each bar, in numbers that can be made by hand, and nothing of what came later."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import DuplicateName, InvalidInput
from crossmargin.core.instant import DAY_NS, from_datetime
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.validation.predictive.features import (
    WINDOWS,
    account_features,
    build_features,
    calendar,
    joined,
    market_features,
)
from tests.validation.predictive.worlds import filtered

FACTORS = ("spot:BTC", "spot:ETH", "vol:BTC", "skew:BTC", "fwd:BTC:30d")


def told(bars: int = 200, seed: int = 0) -> FactorHistory:
    rng = np.random.default_rng(seed)
    shock = rng.normal(size=(bars, 5)) * (0.03, 0.04, 0.05, 0.0, 0.0)
    shock[:, 1] += shock[:, 0]
    level = 100.0 * np.exp(np.cumsum(shock, axis=0))
    level[:, 2] *= 0.006
    level[:, 3:] = 0.05 * rng.normal(size=(bars, 2))
    return build_history(np.arange(1, bars + 1) * DAY_NS, FACTORS, level)


def column(history: FactorHistory, name: str) -> np.ndarray:
    table = market_features(history)
    return table.value[:, table.names.index(name)]


@settings(deadline=None, max_examples=20)
@given(st.integers(3, 198), st.integers(0, 5))
def test_rewriting_the_future_changes_no_feature_before(bar: int, seed: int) -> None:
    history = told(seed=seed)
    level = history.level.copy()
    level[bar + 1 :] = level[bar + 1 :] ** 2 + 1.0
    one, other = market_features(history), market_features(replace(history, level=level))
    np.testing.assert_array_equal(one.value[: bar + 1], other.value[: bar + 1])
    np.testing.assert_array_equal(one.value[: bar + 1], market_features(history.rows(slice(0, bar + 1))).value)


def test_realised_volatility_is_against_the_long_run() -> None:
    history, t = told(), 150
    moves = np.diff(np.log(history.level[: t + 1, :2]), axis=0)
    week, long_run = (np.sqrt(np.mean(rows**2, axis=0)) for rows in (moves[-WINDOWS[0] :], moves))
    assert column(history, "realised_5")[t] == pytest.approx(np.median(np.log(week / long_run)), rel=1e-9)


def test_implied_volatility_has_a_level_a_change_and_a_premium() -> None:
    history, t = told(), 150
    implied = np.log(history.level[: t + 1, 2])
    assert column(history, "vol_level")[t] == pytest.approx(implied[-1] - implied.mean(), rel=1e-9)
    assert column(history, "vol_change_5")[t] == pytest.approx(implied[-1] - implied[-6], rel=1e-9)
    month = np.sqrt(365.0 * np.mean(np.diff(np.log(history.level[t - 22 : t + 1, 0])) ** 2))
    assert column(history, "vol_over_realised")[t] == pytest.approx(implied[-1] - np.log(month), rel=1e-9)
    assert column(history, "skew_change_1")[t] == pytest.approx(np.diff(history.level[:, 3])[t - 1], rel=1e-9)


def test_the_mean_correlation_is_that_of_the_pairs() -> None:
    rng = np.random.default_rng(1)
    for rho in (-0.4, 0.0, 0.7):
        normals = rng.normal(size=(3000, 2))
        normals[:, 1] = rho * normals[:, 0] + np.sqrt(1.0 - rho**2) * normals[:, 1]
        level = np.exp(np.cumsum(0.02 * normals, axis=0))
        history = build_history(np.arange(1, 3001) * DAY_NS, FACTORS[:2], level)
        assert np.nanmean(column(history, "correlation")) == pytest.approx(rho, abs=0.05)


def test_the_calendar_knows_weekends_and_expiries() -> None:
    def at(text: str) -> dict[str, float]:
        moment = from_datetime(dt.datetime.fromisoformat(text))
        return {name: float(values[0]) for name, values in calendar(np.array([moment])).items()}

    friday = at("2024-06-28T00:00:00+00:00")
    assert (friday["weekday"], friday["weekend"], friday["hour"]) == (4.0, 0.0, 0.0)
    assert friday["days_to_expiry"] == pytest.approx(8 / 24)
    after = at("2024-06-28T08:00:00+00:00")
    assert after["days_to_expiry"] == pytest.approx(28.0), "the next one is 26 July 2024"
    assert at("2024-06-30T12:00:00+00:00")["weekend"] == 1.0
    assert at("1970-01-01T00:00:00+00:00")["weekday"] == 3.0, "a Thursday"


def test_a_portfolios_own_past_enters_when_it_is_known() -> None:
    series = filtered(accounts=3, dates=120)
    assert series.forecast is not None
    scale = series.forecast.value_at_risk
    for lag in (1, 3):
        own, t = account_features(series, scale, lag=lag), 80
        past = series.pnl[:, : t - lag + 1]
        size = np.log(np.sqrt(np.mean(past[:, -22:] ** 2, axis=1)) / scale[:, t])
        np.testing.assert_allclose(own["own_size_22"][:, t], size, rtol=1e-9)
        worst = (-past[:, -22:]).max(axis=1) / scale[:, t]
        np.testing.assert_allclose(own["own_worst_22"][:, t], worst, rtol=1e-12)


def test_a_table_is_read_as_of_a_time() -> None:
    table = build_features(np.array([10, 20]), ("funding",), np.array([[1.0], [2.0]]))
    np.testing.assert_array_equal(table.at(np.array([9, 10, 19, 20, 99]))[:, 0], [np.nan, 1.0, 1.0, 2.0, 2.0])
    other = build_features(np.array([15]), ("open_interest",), np.array([[7.0]]))
    both = joined((table, other), np.array([12, 25]))
    assert both.names == ("funding", "open_interest")
    np.testing.assert_array_equal(both.value, [[1.0, np.nan], [2.0, 7.0]])


def test_a_bad_table_is_refused_by_name() -> None:
    with pytest.raises(DuplicateName, match="funding"):
        build_features(np.array([1]), ("funding", "funding"), np.ones((1, 2)))
    with pytest.raises(InvalidInput, match="bars × 1 features"):
        build_features(np.array([1, 2]), ("funding",), np.ones((1, 1)))
    with pytest.raises(InvalidInput, match="after the bar before"):
        build_features(np.array([2, 2]), ("funding",), np.ones((2, 1)))
    with pytest.raises(InvalidInput, match="funding"):
        build_features(np.array([1]), ("funding",), np.array([[np.inf]]))
