"""A model that learns is judged on the dates on which it had learnt, and the others are counted."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from crossmargin.validation.evidence.report import Scope, all_scores, judge
from crossmargin.validation.predictive.margin import on_dates
from crossmargin.validation.statistics.results import Conventions
from tests.validation.predictive.worlds import RATE, filtered

WARM_UP = 150
SCOPE = Scope(
    family=("one",) * 4 + ("other",) * 4,
    side=("long", "short") * 4,
    windows=(),
    unseen_from=dt.date(1970, 12, 1),  # in the second half of the dates
    rate=RATE,
    conventions=Conventions(horizon_days=1.0, return_type="log", vol_target="floored"),
)


def test_dates_of_warm_up_are_in_no_figure() -> None:
    whole = filtered()
    wild = whole.margin.copy()
    wild[:, :WARM_UP] = 1e9
    learning = replace(whole, margin=wild, warm_up=WARM_UP)
    found = judge(learning, SCOPE, rule="", baseline=whole.margin)
    after = judge(on_dates(whole, whole.set_ns[WARM_UP:]), SCOPE, rule="", baseline=whole.margin[:, WARM_UP:])
    assert found.warm_up_dates == WARM_UP
    assert after.warm_up_dates == 0
    assert found.whole == after.whole
    assert (found.periods, found.families, found.accounts) == (after.periods, after.families, after.accounts)
    assert found.whole.dates == len(whole.set_ns) - WARM_UP
    assert found.whole.cost_ratio == pytest.approx(1.0)


def test_it_is_scored_in_periods_that_begin_after_it() -> None:
    whole = filtered()
    others = [replace(whole, model=name) for name in ("plain", "rival")]
    learning = replace(whole, model="learning", warm_up=WARM_UP)
    by_period = {
        s.period: {line.model for line in s.lines} for s in all_scores([*others, learning], SCOPE, baseline="plain")
    }
    assert by_period["all"] == {"plain", "rival"}
    assert by_period["from 1970-12-01"] == {"plain", "rival", "learning"}


def test_chosen_dates_keep_their_share_of_it() -> None:
    learning = replace(filtered(), warm_up=WARM_UP)
    assert on_dates(learning, learning.set_ns[100:]).warm_up == WARM_UP - 100
    assert on_dates(learning, learning.set_ns[np.asarray([10, 149, 150, 300])]).warm_up == 2
