"""Where an account will stand: quantiles in order, cash that does what it says, and nothing by chance."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.engine.margin import margin
from crossmargin.engine.moved import dealt_at_marks, parallel
from crossmargin.engine.outlook.forecast import LEVELS, ForecastReport, _even_ranks, forecast, quantile
from crossmargin.market.snapshot import bump
from crossmargin.scenarios.calibrating.calibrate import stepped
from crossmargin.scenarios.calibrating.calibrated import build_calibrated
from tests.engine.calibrated import LOOKBACK, fitted
from tests.margin.books import MarginCase, replace
from tests.margin.desk import BTC_PERP, CALL, ETH_PERP, account, desk, group, plain_model
from tests.strategies import numbers

MODEL = fitted()
HELD = {BTC_PERP.id: 10.0, ETH_PERP.id: -30.0, CALL.id: -4.0}


def case(held: Mapping[str, float] = HELD, cash: float = 120.0) -> MarginCase:
    return desk(account(group(held), collateral={"USDC": cash}), model=MODEL)


def told(c: MarginCase, outcomes: int = 40) -> ForecastReport:
    return forecast(c.book, c.snapshot, c.model, account="desk", outcomes=outcomes)


def excesses(report: ForecastReport) -> np.ndarray:
    return np.asarray([o.equity_usd - o.initial_usd for o in report.outcomes])


positions = st.dictionaries(st.sampled_from(tuple(HELD)), numbers(-20.0, 20.0), min_size=1)


@given(positions, numbers(0.0, 2_000.0))
@settings(max_examples=8, deadline=None)
def test_quantiles_rise_and_chances_are_shares_of_outcomes(held: dict, cash: float):
    report = told(case(held, cash), outcomes=20)
    for name in ("initial_usd", "excess_usd"):
        found = [getattr(q, name) for q in report.quantiles]
        assert found == sorted(found)
    assert [q.level for q in report.quantiles] == list(LEVELS)
    excess = excesses(report)
    assert report.call_chance == pytest.approx((excess < 0.0).mean())
    assert report.liquidation_chance <= report.call_chance
    assert [o.pnl_usd for o in report.outcomes] == sorted(o.pnl_usd for o in report.outcomes)


@pytest.mark.parametrize("cash", [10.0, 60.0, 120.0])
def test_what_is_posted_makes_the_chance_what_it_says(cash: float):
    report = told(case(cash=cash))
    for posting in report.postings:
        after = told(case(cash=cash + posting.amount_usd * (1.0 + 1e-9) + 1e-6))
        assert after.call_chance <= posting.chance
        assert after.initial_usd == pytest.approx(report.initial_usd, rel=1e-9)
        if posting.amount_usd > 1.0:
            assert told(case(cash=cash + 0.99 * posting.amount_usd)).call_chance > 0.0
    amounts = [p.amount_usd for p in report.postings]
    assert amounts == sorted(amounts), "a smaller chance needs no less"


def test_an_account_without_positions_has_no_call():
    report = told(desk(account(collateral={"USDC": 50.0}), model=MODEL))
    assert (report.call_chance, report.liquidation_chance, report.initial_usd) == (0.0, 0.0, 0.0)
    assert all(p.amount_usd == 0.0 for p in report.postings)


def test_the_same_question_has_the_same_answer():
    assert msgspec.json.encode(told(case())) == msgspec.json.encode(told(case()))


def test_an_outcome_is_the_account_margined_again_in_the_moved_market():
    c = case()
    report = told(c, outcomes=LOOKBACK)
    assert MODEL.calibration is not None
    columns = build_calibrated(MODEL.calibration, (), moved={"spot:BTC", "spot:ETH", "vol:BTC", "vol:ETH"})
    for outcome in (report.outcomes[0], report.outcomes[-1]):
        at = columns.labels.index(outcome.label)
        shocks = {name: float(columns.shock[i, at]) for i, name in enumerate(columns.factors)}
        model = replace(MODEL, calibration=stepped(MODEL.calibration, shocks))
        again = margin(dealt_at_marks(c.book, c.snapshot), bump(c.snapshot, parallel(shocks)), model).pools
        assert outcome.initial_usd == pytest.approx(float(again.initial.sum()), rel=1e-12)
        assert outcome.equity_usd == pytest.approx(float(again.equity.sum()), rel=1e-12)
    assert report.equity_usd == pytest.approx(float(c.result.pools.equity.sum()), rel=1e-12)
    assert len(report.outcomes) == LOOKBACK


def test_a_large_move_raises_the_requirement_of_the_next_day():
    """The filter takes the move in: after the worst days the same book needs more than after quiet ones."""
    report = told(desk(account(group({BTC_PERP.id: 10.0}), collateral={"USDC": 500.0}), model=MODEL), outcomes=LOOKBACK)
    quiet = min(report.outcomes, key=lambda o: abs(o.pnl_usd))
    worst = report.outcomes[0]
    notional = 1_000.0 + worst.pnl_usd
    assert worst.initial_usd / notional > quiet.initial_usd / (1_000.0 + quiet.pnl_usd)


def test_what_stays_is_named():
    found = set(told(case()).unmoved)
    assert {"fwd:BTC", "skew:BTC", "smile:ETH", "rate:USD"} <= found
    assert not found & {"spot:BTC", "vol:ETH"}


def test_a_model_without_a_calibration_is_refused():
    c = case()
    with pytest.raises(InvalidInput, match="one with a calibration"):
        forecast(c.book, c.snapshot, plain_model(), account="desk")
    with pytest.raises(UnknownName, match="nobody"):
        forecast(c.book, c.snapshot, MODEL, account="nobody")


def test_a_quantile_is_a_value_of_the_sample():
    assert [quantile(np.asarray([4.0, 1.0, 3.0, 2.0]), q) for q in (0.01, 0.25, 0.26, 0.99)] == [1.0, 1.0, 2.0, 4.0]


def test_nodes_move_as_their_mean_and_smiles_stay():
    assert parallel({"fwd:BTC:30d": 0.1, "fwd:BTC:90d": 0.3, "skew:BTC": 0.2}) == {"fwd:BTC": pytest.approx(0.2)}


def test_columns_that_weigh_more_are_taken_more_often():
    gains, weight = np.asarray([3.0, 1.0, 2.0]), np.asarray([1.0, 8.0, 1.0])
    assert _even_ranks(gains, weight, 10).tolist() == [1] * 8 + [2, 0]
    assert _even_ranks(gains, np.ones(3), 10).tolist() == [1, 2, 0]
