"""A predictive margin is used where it wins, and where it does not the verdict says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.validation.backtest import Series
from crossmargin.validation.predictive.adoption import adopted, verdict_among, where_it_wins
from crossmargin.validation.predictive.margin import on_dates, predict
from tests.validation.predictive.test_margin import SPEC
from tests.validation.predictive.worlds import series_of, warned

FAMILIES = ("told",) * 4 + ("untold",) * 4


def scaled(series: Series, factor: np.ndarray | float, model: str) -> Series:
    """The forecast of a normal deviation `factor` [account, date] or one for all."""
    return series_of(series.pnl, np.broadcast_to(np.asarray(factor, np.float64), series.pnl.shape).copy(), model)


def rivals(seed: int = 0) -> tuple[Series, Series, Series]:
    """The truth of accounts with an alarm, a filter that is right of the others, and one that is always too high."""
    base, table = warned(dates=700, seed=seed)
    rng = np.random.default_rng(seed + 100)
    pnl = base.pnl.copy()
    pnl[4:] = rng.normal(size=(4, 700))
    base = series_of(pnl, np.ones_like(pnl))
    truth = 1.0 + table.value.T * np.ones((8, 1))
    return scaled(base, truth, "learner"), base, scaled(base, 3.0, "high")


def test_it_wins_where_it_knows_more_and_loses_where_it_is_wrong() -> None:
    learner, base, high = rivals()
    found = where_it_wins(learner, (base, high), families=FAMILIES, seed=1)
    told, untold = found.families
    assert (told.subject, told.outcome, told.is_used) == ("told", "wins", True)
    assert (untold.subject, untold.outcome, untold.rival) == ("untold", "loses", "filter")
    assert {v.outcome for v in found.portfolios[:4]} <= {"wins", "leads"}
    assert not any(v.is_used for v in found.portfolios[4:])
    assert found.dates == 700
    assert found.rivals == ("filter", "high")
    assert all((v.score < v.rival_score) == (v.outcome in ("wins", "leads")) for v in found.portfolios)


def test_a_copy_of_a_filter_wins_nowhere() -> None:
    _, base, high = rivals()
    found = where_it_wins(replace(base, model="copy"), (base, high), families=FAMILIES, seed=1)
    assert not any(v.is_used for v in (*found.families, *found.portfolios, found.everywhere))


def test_a_portfolio_without_a_shortfall_is_named_and_not_scored() -> None:
    learner, base, high = rivals()
    assert base.forecast is not None
    short = base.forecast.shortfall.copy()
    short[2, 5] = 0.0
    base = replace(base, forecast=replace(base.forecast, shortfall=short))
    found = where_it_wins(learner, (base, high), families=FAMILIES, seed=1)
    assert found.unscored == ("account 2",)
    assert len(found.portfolios) == 7


def test_series_that_cannot_be_compared_are_refused() -> None:
    learner, base, _ = rivals()
    with pytest.raises(InvalidInput, match="one for all"):
        where_it_wins(learner, (on_dates(base, base.set_ns[1:]),), families=FAMILIES, seed=1)
    with pytest.raises(InvalidInput, match="recorded"):
        where_it_wins(learner, (replace(base, forecast=None),), families=FAMILIES, seed=1)
    with pytest.raises(InvalidInput, match="8 portfolios"):
        where_it_wins(learner, (base,), families=FAMILIES[1:], seed=1)


def test_over_time_it_is_used_once_it_has_won_and_only_there() -> None:
    base, table = warned(dates=900)
    pnl = base.pnl.copy()
    pnl[4:] = np.random.default_rng(9).normal(size=(4, 900))
    base = series_of(pnl, np.ones_like(pnl))
    predicted = predict(base, table, SPEC)
    found = adopted(predicted, (base,), families=FAMILIES, every=50, least=150)
    first = predicted.learnt + 150
    assert not found.used[:, :first].any()
    assert found.used[:4, first + 50 :].mean() > 0.9
    np.testing.assert_array_equal(found.series.margin[~found.used], base.margin[~found.used])
    np.testing.assert_array_equal(found.series.margin[found.used], predicted.series.margin[found.used])


def test_what_comes_later_decides_nothing_before() -> None:
    base, table = warned(dates=700)
    predicted = predict(base, table, SPEC)
    pnl = base.pnl.copy()
    pnl[:, 500:] = -10.0
    later = replace(predicted, series=replace(predicted.series, pnl=pnl))
    one = adopted(predicted, (base,), families=FAMILIES, every=50, least=100)
    two = adopted(later, (replace(base, pnl=pnl),), families=FAMILIES, every=50, least=100)
    np.testing.assert_array_equal(one.used[:, :501], two.used[:, :501])


def test_among_the_series_of_a_backtest_it_is_judged_on_what_it_has_learnt() -> None:
    base, table = warned(dates=500)
    predicted = predict(base, table, SPEC)
    high, silent = scaled(base, 3.0, "high"), replace(base, model="grid", forecast=None)
    given = (predicted.series, base, high, silent)
    found = verdict_among(given, baseline="filter", families=FAMILIES, seed=1)
    assert found is not None
    assert found.dates == 500 - predicted.learnt
    assert found.rivals == ("filter", "high")
    assert found.everywhere.outcome == "wins"
    assert verdict_among(given[1:], baseline="filter", families=FAMILIES, seed=1) is None
    copy = replace(base, model="conformal")
    assert verdict_among((copy, base), baseline="filter", families=FAMILIES, seed=1) is None
