"""Margin by a calibration: losses by hand, the error beside them, and what the sample leaves out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.adapters.results import results_table
from crossmargin.core.errors import MissingFactors
from crossmargin.engine import sampling as engine
from crossmargin.engine.accounts import margin_report, provenance
from crossmargin.engine.explaining.attribution import euler_shares
from crossmargin.engine.margin import margin
from crossmargin.engine.reports import GroupReport, Proxied
from crossmargin.engine.sampling import tails
from crossmargin.engine.whatif import prepare, simulate
from crossmargin.margin import document as doc
from crossmargin.measures.tail import estimate_tail
from crossmargin.scenarios.history import build_history
from tests.engine.calibrated import LOOKBACK, fitted, history
from tests.margin.books import MarginCase, replace
from tests.margin.desk import BTC_PERP, CALL, ETH_PERP, account, desk, group, orders, plain_model, required
from tests.strategies import numbers

BTC, ETH = 2.0, -30.0
MODEL = fitted()


def first_group(case: MarginCase) -> GroupReport:
    report = margin_report(case.result)
    return report.accounts[0].pools[0].groups[0]


def losses_by_hand() -> list[float]:
    """−(2·100·x − 30·10·y) for each past date, x and y the relative moves of the two coins, in plain Python."""
    assert MODEL.calibration is not None
    found = []
    for row in MODEL.calibration.residuals.array.tolist():
        moves = []
        for fit, residual in zip(MODEL.calibration.factors, row, strict=True):
            scale = max(1.0 * fit.long_run, 0.65 * fit.now + 0.35 * fit.stressed)
            moves.append(math.exp(residual * scale) - 1.0)
        found.append(-(BTC * 100.0 * moves[0] + ETH * 10.0 * moves[1]))
    return found


def test_the_requirement_is_the_mean_of_the_largest_losses_by_hand():
    c = desk(account(group({BTC_PERP.id: BTC, ETH_PERP.id: ETH})), model=MODEL)
    losses = sorted(losses_by_hand(), reverse=True)
    assert len(losses) == LOOKBACK
    assert required(c, "scan") == pytest.approx(sum(losses[:5]) / 5.0, rel=1e-9)  # 2.5 % of 200 dates
    found = first_group(c)
    assert found.worst_loss_usd == pytest.approx(losses[0], rel=1e-9)
    assert found.scan_usd == pytest.approx(sum(losses[:5]) / 5.0, rel=1e-9)


def test_the_standard_error_is_that_of_the_excesses_by_hand():
    c = desk(account(group({BTC_PERP.id: BTC, ETH_PERP.id: ETH})), model=MODEL)
    losses = sorted(losses_by_hand(), reverse=True)
    beyond = [max(loss - losses[4], 0.0) for loss in losses]
    mean = sum(beyond) / len(beyond)
    variance = sum((x - mean) ** 2 for x in beyond) / len(beyond)
    assert first_group(c).standard_error_usd == pytest.approx(math.sqrt(variance / LOOKBACK) / 0.025, rel=1e-9)


def test_a_worst_case_and_a_grid_have_no_standard_error():
    held = account(group({BTC_PERP.id: BTC}))
    worst = desk(held, model=replace(MODEL, measure=doc.MeasureChoice(kind="worst")))
    grid = desk(held, model=plain_model(measure=doc.MeasureChoice(kind="expected_shortfall", level=0.5)))
    assert first_group(worst).standard_error_usd is None
    assert first_group(grid).standard_error_usd is None
    assert provenance(worst.result).sampling is None
    told = provenance(grid.result).sampling
    assert told is not None
    assert (told.method, told.scenarios, told.horizon_days) == ("grid", grid.result.plan.scenarios.regular, None)
    assert first_group(grid).worst_loss_usd == pytest.approx(40.0)
    assert first_group(grid).scan_usd < 40.0


def test_a_group_by_rule_is_no_estimate():
    c = desk(account(group({}, mode="cross")), model=MODEL)
    found = first_group(c)
    assert (found.worst_loss_usd, found.scan_usd, found.standard_error_usd) == (0.0, 0.0, None)


def test_orders_and_blocks_are_in_the_error_as_in_the_scan(monkeypatch: pytest.MonkeyPatch):
    working = orders((BTC_PERP.id, 3.0, 101.0))
    c = desk(
        *(replace(account(group({BTC_PERP.id: float(i)}, orders=working)), id=f"a{i}") for i in range(5)), model=MODEL
    )
    whole = tails(c.result)
    assert (whole.worst >= c.result.groups.scan_loss).all()
    monkeypatch.setattr(engine, "CELLS", 2 * LOOKBACK)
    parts = tails(c.result)
    np.testing.assert_array_equal(parts.worst, whole.worst)
    np.testing.assert_array_equal(parts.error, whole.error)
    written = results_table(c.result, by="group")
    assert written["worst_loss_usd"].to_list() == whole.worst.tolist()
    assert written["standard_error_usd"].to_list() == whole.error.tolist()
    assert results_table(c.result)["standard_error_usd"].to_list() == whole.error.tolist()
    grid = desk(account(group({BTC_PERP.id: 1.0})))
    assert results_table(grid.result)["standard_error_usd"].to_list() == [None]


def test_windows_that_overlap_count_once_for_every_bar_of_their_length():
    long = desk(account(group({BTC_PERP.id: 1.0})), model=fitted(horizon_bars=4))
    drawn = desk(account(group({BTC_PERP.id: 1.0})), model=fitted(horizon_bars=4, horizon_rule="square_root"))
    windows, rows = provenance(long.result).sampling, provenance(drawn.result).sampling
    assert windows is not None
    assert rows is not None
    assert (windows.scenarios, windows.independent) == (LOOKBACK - 3, (LOOKBACK - 3) / 4)
    assert (rows.scenarios, rows.independent) == (LOOKBACK, LOOKBACK)
    matrix = long.result.plan.terms.matrix.regular
    alone = estimate_tail(matrix[long.book.positions.instrument], 0.975).expected_shortfall_error
    assert tails(long.result).error == pytest.approx(2.0 * alone, rel=1e-9)


def test_what_is_left_still_and_what_was_filled_is_named():
    told = history()
    late = np.array(told.level)
    late[:170, 1] = np.nan
    listed = build_history(told.close_ns, told.factors, late, source="made up")
    model = fitted(told=listed, proxies={"spot:ETH": "spot:BTC"}, horizon_bars=2)
    found = provenance(desk(account(group({CALL.id: 1.0, ETH_PERP.id: 1.0})), model=model).result).sampling
    assert found is not None
    carry_and_smile = {"fwd:BTC", "fwd:ETH", "skew:BTC", "smile:BTC"}
    assert set(found.unmoved) == carry_and_smile | {"basis:ETH", "funding:ETH", "peg:USDC", "rate:USD"}
    assert model.calibration is not None
    filled = model.calibration.factors[1]
    assert found.proxied == (
        Proxied(factor="spot:ETH", proxy="spot:BTC", beta=filled.proxy_beta, share=filled.proxied / LOOKBACK),
    )
    assert (found.horizon_days, found.horizon_bars, found.horizon_rule) == (2.0, 2, "overlapping")
    assert (found.scenarios, found.tail) == (LOOKBACK - 1, 5)


def test_a_factor_that_the_book_needs_and_the_history_lacks_is_refused():
    model = fitted(told=history(("spot:BTC", "vol:BTC")))
    c = desk(account(group({ETH_PERP.id: 1.0})), model=model)
    with pytest.raises(MissingFactors, match="spot:ETH"):
        margin(c.book, c.snapshot, c.model)
    options = desk(account(group({CALL.id: 1.0})), model=fitted(told=history(("spot:BTC", "spot:ETH"))))
    with pytest.raises(MissingFactors, match="vol:BTC"):
        margin(options.book, options.snapshot, options.model)


books = st.dictionaries(st.sampled_from((BTC_PERP.id, ETH_PERP.id, CALL.id)), numbers(-9.0, 9.0), min_size=1)


@given(books)
@settings(max_examples=30, deadline=None)
def test_shares_add_up_to_the_shortfall(held: dict):
    c = desk(account(group(held)), model=MODEL)
    size = 1e-9 * (1.0 + sum(100.0 * abs(q) for q in held.values()))
    assert euler_shares(c.result).sum() == pytest.approx(float(c.result.groups.scan_loss[0]), rel=1e-9, abs=size)


@given(books, books)
@settings(max_examples=20, deadline=None)
def test_a_what_if_is_the_margin_of_the_changed_book(held: dict, change: dict):
    both = {name: held.get(name, 0.0) + change.get(name, 0.0) for name in {**held, **change}}
    started = {name: held.get(name, 0.0) for name in both}
    c = desk(account(group(started), collateral={"USDC": 1e6}), model=MODEL)
    report = simulate(c.book, c.snapshot, c.model, account="desk", add=change, collateral={})
    quick = prepare(c.book, c.result.plan).after(change)
    size = 1e-9 * (1.0 + sum(100.0 * abs(q) for q in both.values()))
    whole = desk(account(group(both), collateral={"USDC": 1e6}), model=MODEL)
    expected = float(whole.result.pools.initial.sum())
    assert report.after.initial_usd == pytest.approx(expected, rel=1e-9, abs=size)
    assert float(quick.initial.sum()) == pytest.approx(expected, rel=1e-9, abs=size)


def test_a_quantile_says_how_many_dates_pass_it():
    model = replace(MODEL, measure=doc.MeasureChoice(kind="value_at_risk", level=0.95))
    c = desk(account(group({BTC_PERP.id: BTC, ETH_PERP.id: ETH})), model=model)
    losses = sorted(losses_by_hand(), reverse=True)
    found, told = first_group(c), provenance(c.result).sampling
    assert told is not None
    assert (told.measure, told.level, told.tail) == ("value_at_risk", 0.95, 10)
    assert found.scan_usd == pytest.approx(losses[9], rel=1e-9)
    assert sum(loss > found.scan_usd * (1.0 + 1e-9) for loss in losses) == 9
    assert found.standard_error_usd is not None
    assert 0.0 < found.standard_error_usd < found.scan_usd


@given(books, numbers(0.1, 50.0))
@settings(max_examples=20, deadline=None)
def test_error_and_scan_grow_with_the_book(held: dict, factor: float):
    one = desk(account(group(held)), model=MODEL)
    many = desk(account(group({name: factor * q for name, q in held.items()})), model=MODEL)
    size = 1e-9 * (1.0 + factor) * (1.0 + sum(100.0 * abs(q) for q in held.values()))
    np.testing.assert_allclose(tails(many.result).error, factor * tails(one.result).error, rtol=1e-8, atol=size)
    np.testing.assert_allclose(many.result.groups.scan_loss, factor * one.result.groups.scan_loss, rtol=1e-8, atol=size)


def test_columns_of_stress_weigh_and_are_named():
    model = fitted(stressed_share=0.25, stress_bars=50)
    c = desk(account(group({BTC_PERP.id: BTC, ETH_PERP.id: ETH})), model=model)
    told, found = provenance(c.result).sampling, first_group(c)
    assert told is not None
    assert told.stressed_share == pytest.approx(0.25)
    assert told.tail is None
    weight, losses = c.result.plan.terms.matrix.weight, tails(c.result)
    assert len(set(weight.tolist())) == 2
    matrix = c.result.plan.terms.matrix.regular
    row = -(c.book.positions.quantity @ matrix[c.book.positions.instrument])
    assert losses.worst[0] == pytest.approx(row.max(), rel=1e-12)
    estimate = estimate_tail(-row[None, :], 0.975, weight=weight)
    assert found.scan_usd == pytest.approx(float(estimate.expected_shortfall[0]), rel=1e-9)
    assert found.standard_error_usd == pytest.approx(float(estimate.expected_shortfall_error[0]), rel=1e-9)
