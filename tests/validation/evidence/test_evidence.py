"""Evidence says of a series what can be counted by hand, and of a model that is right that it is right."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import DuplicateName, InvalidInput
from crossmargin.core.instant import DAY_NS, parse_instant
from crossmargin.validation.backtest import Forecast, Series
from crossmargin.validation.disclosure import auth066_xml
from crossmargin.validation.evidence.report import Scope, held_only, judge, message, targets
from crossmargin.validation.evidence.scores import scores
from crossmargin.validation.evidence.statistics import Judged, tail_predictive, too_many
from crossmargin.validation.evidence.windows import Window, WindowsDocument, default_windows
from crossmargin.validation.statistics import coverage
from crossmargin.validation.statistics.results import Conventions
from crossmargin.validation.statistics.shortfall import scenario_predictive

START = parse_instant("2021-01-01T00:00:00Z", where="test")
SPRING = Window(name="spring", start=dt.date(2021, 3, 1), end=dt.date(2021, 6, 1))


def normal_series(dates: int = 600, *, scale: float = 1.0, seed: int = 0, scenarios: int = 1000) -> Series:
    """Long and short of a normal P&L, margined by simulation of a law `scale` times as wide."""
    rng = np.random.default_rng(seed)
    gain = rng.normal(size=(1, dates))
    drawn = np.sort(scale * rng.normal(size=(dates, scenarios)), axis=1)
    both = np.stack([drawn, np.sort(-drawn, axis=1)])
    pnl = np.concatenate([gain, -gain])
    tail = both[:, :, :20]
    twice = 2 * (both < pnl[:, :, None]).sum(axis=2)
    forecast = Forecast(
        rate=0.01,
        value_at_risk=-tail[:, :, 9],
        shortfall=-tail[:, :, :10].mean(axis=2),
        scenarios=scenarios,
        kept=np.arange(2),
        tail=tail,
        probability=(twice + 1.0) / (2.0 * scenarios + 2.0),
    )
    return Series(
        model=f"normal {scale:g}",
        accounts=("A long", "A short"),
        set_ns=START + np.arange(dates) * DAY_NS,
        margin=forecast.value_at_risk,
        pnl=pnl,
        forecast=forecast,
    )


SCOPE = Scope(
    family=("outright", "outright"),
    side=("long", "short"),
    windows=(SPRING,),
    unseen_from=dt.date(2022, 1, 1),
    rate=0.01,
    conventions=Conventions(),
)


def test_counts_are_those_of_the_series() -> None:
    series = normal_series()
    found = judge(series, SCOPE, rule="", baseline=2.0 * series.margin)
    marks = -series.pnl > series.margin
    assert found.whole.exceptions == marks.sum()
    assert found.whole.coverage == pytest.approx(1.0 - marks.mean())
    assert found.whole.cost_ratio == pytest.approx(0.5)
    spring = marks[:, 59:151]
    assert (found.windows[0].dates, found.windows[0].exceptions) == (92, spring.sum())
    assert [p.dates for p in found.periods] == [365, 235]
    assert sum(p.exceptions for p in found.periods) == marks.sum()
    assert [g.exceptions for g in found.sides] == marks.sum(axis=1).tolist()
    assert found.families == ()  # one kind alone is the whole
    ratios = -series.pnl[marks] / series.margin[marks]
    assert found.whole.loss_to_margin_max == pytest.approx(ratios.max())


def test_rises_and_peaks_are_of_the_middle_and_the_worst_account() -> None:
    series = normal_series()
    margin = np.stack([np.full(600, 3.0), np.full(600, 3.0)])
    margin[0, 100:] = 4.5
    margin[1, 100:] = 6.0
    found = judge(replace(series, margin=margin), SCOPE, rule="", baseline=None).whole
    assert found.rise_5 is not None
    assert found.peak_to_trough is not None
    assert (found.rise_5.median, found.rise_5.greatest) == pytest.approx((0.75, 1.0))
    assert (found.peak_to_trough.median, found.peak_to_trough.greatest) == pytest.approx((0.75, 1.0))
    assert found.cost_ratio is None


def test_every_test_of_an_account_is_the_one_of_its_name() -> None:
    series = normal_series()
    line = judge(series, SCOPE, rule="", baseline=None).accounts[0]
    marks = -series.pnl[0] > series.margin[0]
    expected = coverage.pof(marks.sum(), 600, rate=0.01)
    assert line.tests["pof"].statistic == pytest.approx(float(expected.statistic))
    names = {"pof", "cc", "tuff", "tbfi", "dq", "z1", "z2", "residuals", "berkowitz", "berkowitz_tail"}
    assert set(line.tests) == names
    assert line.tests["z2"].critical is not None


def test_a_model_that_is_right_is_rejected_seldom_and_one_half_as_wide_always() -> None:
    right = [judge(normal_series(seed=s), SCOPE, rule="", baseline=None) for s in range(8)]
    wrong = judge(normal_series(scale=0.5), SCOPE, rule="", baseline=None)
    assert np.mean([m.whole.too_many_p < 0.05 for m in right]) <= 0.25
    assert wrong.whole.too_many_p < 1e-6
    assert wrong.whole.pof_low == wrong.whole.accounts
    for name in ("pof", "z2", "berkowitz"):
        values = [line.tests[name].p_value for m in right for line in m.accounts]
        assert np.mean([v < 0.01 for v in values if v is not None]) <= 0.2
        found = wrong.accounts[0].tests[name].p_value
        assert found is not None
        assert found < 0.01


def test_the_tail_that_was_kept_forecasts_as_all_scenarios_do() -> None:
    series = normal_series(50)
    assert series.forecast is not None
    rng = np.random.default_rng(0)
    gain = rng.normal(size=(1, 50))
    del gain
    drawn = np.sort(rng.normal(size=(50, 1000)), axis=1)[None]
    u, date = rng.random(400) * 0.019, rng.integers(0, 50, 400)
    np.testing.assert_array_equal(tail_predictive(series.forecast, [0])(u, date), scenario_predictive(drawn)(u, date))


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.integers(2, 30))
def test_accounts_that_fall_together_count_as_one(seed: int, copies: int) -> None:
    rng = np.random.default_rng(seed)
    marks = rng.random((1, 400)) < 0.03
    assert too_many(np.repeat(marks, copies, axis=0), 0.01) == pytest.approx(too_many(marks, 0.01))


def test_the_chance_of_too_many_is_uniform_enough_under_a_true_rate() -> None:
    rng = np.random.default_rng(3)
    found = np.asarray([too_many(rng.random((20, 500)) < 0.01, 0.01) for _ in range(400)])
    assert 0.02 < (found < 0.05).mean() < 0.10
    assert too_many(np.zeros((3, 100), bool), 0.01) == 1.0
    assert too_many(np.ones((3, 100), bool), 0.01) == 0.0


def test_scores_prefer_the_true_model() -> None:
    one, other = normal_series(2000), normal_series(2000, scale=1.6)
    every = np.ones(2000, bool)
    found = scores([one, other], every, period="all", baseline="normal 1.6", rate=0.01, seed=1)
    assert found is not None
    assert [line.model for line in found.lines] == ["normal 1", "normal 1.6"]
    assert found.lines[0].kept
    assert not found.lines[1].kept
    assert found.lines[0].against is not None
    assert found.lines[0].against < -2.0
    assert scores([one], every, period="all", baseline="normal 1", rate=0.01, seed=1) is None


def test_accounts_that_hold_nothing_are_left_out() -> None:
    series = normal_series()
    empty = replace(
        series,
        margin=np.stack([series.margin[0], np.zeros(600)]),
        pnl=np.stack([series.pnl[0], np.zeros(600)]),
    )
    (kept,), scope = held_only([empty], SCOPE)
    assert kept.accounts == ("A long",)
    assert scope.side == ("long",)
    assert kept.forecast is not None
    assert kept.forecast.tail.shape[0] == 1
    judge(kept, scope, rule="", baseline=None)


def test_targets_are_met_by_a_wide_margin_and_missed_by_a_narrow_one() -> None:
    series = normal_series()
    wide = replace(series, margin=np.full((2, 600), 6.0))
    good = targets(judge(wide, SCOPE, rule="", baseline=wide.margin))
    bad = targets(judge(normal_series(scale=0.5), SCOPE, rule="", baseline=series.margin))
    assert all(t.met in (True, None) for t in good)
    assert not any(t.met for t in bad if "coverage" in t.name or "POF" in t.name)


def test_the_message_says_what_is_disclosed() -> None:
    found = judge(normal_series(scale=0.7), SCOPE, rule="", baseline=None)
    text = auth066_xml([message(found)]).decode()
    assert f"<NbOfXcptns>{found.disclosed.exceptions}</NbOfXcptns>" in text
    assert f"<Id>{found.largest_exception}</Id>" in text


def test_a_report_of_one_window_is_that_of_its_dates_alone() -> None:
    series = normal_series()
    inside = SPRING.dates(series.set_ns)
    judged = Judged(series=series, family=SCOPE.family, side=SCOPE.side, baseline=None, rate=0.01)
    whole = judged.group("spring", np.ones(2, bool), inside)
    cut = replace(
        series, set_ns=series.set_ns[inside], margin=series.margin[:, inside], pnl=series.pnl[:, inside], forecast=None
    )
    alone = replace(judged, series=cut).group("spring", np.ones(2, bool), np.ones(inside.sum(), bool))
    assert whole == alone


def test_shipped_windows_are_in_order_and_have_sources() -> None:
    windows = default_windows()
    assert [w.start for w in windows] == sorted(w.start for w in windows)
    assert all(w.source for w in windows)
    assert {"2020-03", "2022-11", "2023-03"} <= {w.name[:7] for w in windows}


def test_windows_are_checked() -> None:
    with pytest.raises(InvalidInput, match="after its start"):
        Window(name="w", start=dt.date(2021, 1, 2), end=dt.date(2021, 1, 2))
    with pytest.raises(DuplicateName):
        WindowsDocument(windows=(SPRING, SPRING))
    assert msgspec.json.decode(msgspec.json.encode(SPRING), type=Window) == SPRING
