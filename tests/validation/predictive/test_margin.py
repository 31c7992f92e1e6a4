"""A predictive margin corrects a filter by what it is told, knows the past alone, and is the same every time."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.engine.outlook.predictor import PredictiveSpec
from crossmargin.validation.backtest import Series
from crossmargin.validation.predictive.features import FeatureTable, build_features
from crossmargin.validation.predictive.learning import boosted_ratios
from crossmargin.validation.predictive.margin import on_dates, predict, requirement_ahead
from crossmargin.validation.statistics.scoring import fz0
from tests.validation.predictive.worlds import RATE, filtered, warned

SPEC = PredictiveSpec(rate=RATE, learn_dates=200, refit_dates=100, window_dates=60, rounds=30, learning_rate=0.1)


def fz(series: Series, first: int) -> float:
    said = series.forecast
    assert said is not None
    parts = (series.pnl, -said.value_at_risk, -said.shortfall)
    return float(fz0(*(x[:, first:] for x in parts), q=RATE).mean())


def test_it_learns_what_the_filter_is_not_told() -> None:
    base, table = warned()
    found = predict(base, table, SPEC)
    alarm = table.value[:, 0] > 0.0
    alarm[: found.learnt] = False
    calm = ~alarm
    calm[: found.learnt] = False
    forecast = found.series.forecast
    assert forecast is not None
    assert base.forecast is not None
    multiple = forecast.value_at_risk / base.forecast.value_at_risk
    assert multiple[:, alarm].mean() == pytest.approx(2.0, abs=0.25)
    assert multiple[:, calm].mean() == pytest.approx(1.0, abs=0.15)
    assert fz(found.series, found.learnt) < fz(base, found.learnt) - 0.1
    misses = (-base.pnl > forecast.value_at_risk)[:, found.learnt :].mean()
    assert misses == pytest.approx(RATE, abs=0.012)


def test_before_it_has_learnt_the_filters_figures_stand() -> None:
    base, table = warned()
    found = predict(base, table, SPEC)
    np.testing.assert_array_equal(found.series.margin[:, : found.learnt], base.margin[:, : found.learnt])
    assert not np.isclose(found.series.margin[:, found.learnt], base.margin[:, found.learnt]).any()
    assert found.learnt == SPEC.learn_dates + SPEC.window_dates


@pytest.mark.parametrize("lag", [1, 3])
def test_rewriting_the_future_changes_no_margin_before(lag: int) -> None:
    base, table = warned(dates=520)
    changed = 430
    pnl, value = base.pnl.copy(), table.value.copy()
    pnl[:, changed - lag + 1 :] *= -3.0
    value[changed + 1 :] += 1.0
    other = replace(base, pnl=pnl)
    one = predict(base, table, SPEC, lag=lag)
    two = predict(other, replace(table, value=value), SPEC, lag=lag)
    np.testing.assert_array_equal(one.series.margin[:, : changed + 1], two.series.margin[:, : changed + 1])
    assert not np.array_equal(one.series.margin, two.series.margin)


def test_it_is_the_same_on_any_number_of_threads() -> None:
    base, table = warned(dates=500)
    one, two = (predict(base, table, SPEC, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.series.margin, two.series.margin)


def test_a_filter_that_sees_no_loss_is_left_alone() -> None:
    base, table = warned(dates=400)
    assert base.forecast is not None
    none = base.forecast.value_at_risk.copy()
    none[0] = 0.0
    base = replace(base, forecast=replace(base.forecast, value_at_risk=none, shortfall=np.maximum(none, 0.0)))
    found = predict(base, table, SPEC)
    np.testing.assert_array_equal(found.series.margin[0], base.margin[0])
    assert np.isfinite(found.series.margin).all()


def test_the_requirement_of_tomorrow_is_passed_as_often_as_asked() -> None:
    rng = np.random.default_rng(7)
    base = filtered(accounts=6, dates=800)
    margin = np.exp(np.cumsum(0.05 * rng.normal(size=base.margin.shape), axis=1))
    base = replace(base, margin=margin)
    _, table = warned(dates=800)
    for ahead in (1, 2):
        said = requirement_ahead(base, table, SPEC, ahead=ahead)
        known = ~np.isnan(said[:, :-ahead])
        passed = (margin[:, ahead:] > said[:, :-ahead])[known]
        assert passed.mean() == pytest.approx(RATE, abs=0.012)
        assert np.isnan(said[:, : SPEC.learn_dates]).all()


def test_dates_are_cut_to_stand_beside_others() -> None:
    base = filtered(dates=40)
    cut = on_dates(base, base.set_ns[[3, 9, 20]])
    np.testing.assert_array_equal(cut.pnl, base.pnl[:, [3, 9, 20]])
    assert cut.forecast is not None
    assert cut.forecast.tail.shape == (0, 3, 0)
    with pytest.raises(InvalidInput, match="date"):
        on_dates(base, np.array([5]))


def test_what_is_too_little_is_refused() -> None:
    base, table = warned(dates=240)
    with pytest.raises(InvalidInput, match="more than 260"):
        predict(base, table, SPEC)
    with pytest.raises(InvalidInput, match="forecast"):
        predict(base, table, PredictiveSpec(learn_dates=50, window_dates=20))
    with pytest.raises(InvalidInput, match="between 1 and"):
        predict(base, table, SPEC, lag=0)
    with pytest.raises(InvalidInput, match="dates ahead"):
        requirement_ahead(base, table, SPEC, ahead=0)
    with pytest.raises(InvalidInput, match="none"):
        predict(replace(base, forecast=None), table, SPEC)
    few = PredictiveSpec(rate=0.01, learn_dates=60)
    with pytest.raises(InvalidInput, match="two leaves"):
        boosted_ratios(np.ones((2, 100)), np.zeros((2, 100, 1)), few, lag=1)


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(InvalidInput, match=r"crossmargin\[calibrate\]"):
        boosted_ratios(np.ones((2, 900)), np.zeros((2, 900, 1)), SPEC, lag=1)


def test_a_feature_that_nobody_knows_changes_nothing() -> None:
    base, table = warned(dates=400)
    empty = build_features(table.close_ns, ("alarm", "unknown"), np.insert(table.value, 1, np.nan, axis=1))
    kept: list[FeatureTable] = [table, empty]
    one, two = (predict(base, each, SPEC).series.margin for each in kept)
    np.testing.assert_array_equal(one, two)
