"""Challengers see the past alone, and differ from the textbook filter by what their names say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crossmargin.adapters.files import read_model_document
from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.core.instant import DAY_NS
from crossmargin.measures.reduce import Measure
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.calibrating.calibration import Scale
from crossmargin.scenarios.calibrating.walk import walk
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.scenarios.statistics.tails import SHAPE_OF_MARGINS, splice
from crossmargin.validation.backtest import Stage, realised_pnl, run
from crossmargin.validation.challengers import refitted
from crossmargin.validation.challengers.fixed import fixed_grid
from crossmargin.validation.challengers.registry import CHALLENGERS, challenger
from crossmargin.validation.challengers.walked import Setting, judgeable, textbook
from crossmargin.validation.portfolios import strategies
from tests.scenarios.calibrating.test_calibrate import history
from tests.validation.test_backtest import stage, world

SHORTFALL = Measure(kind="expected_shortfall", level=0.975)
SPEC = CalibrationSpec(lookback=300, scale=Scale(stressed_weight=0.3, floor=1.0))
FIRST, CHANGED, LAST = 560, 600, 640
TOLD = history(bars=700, seed=4)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GJR_EVERY", "TAIL_EVERY", "COPULA_EVERY", "VINE_EVERY"):
        monkeypatch.setattr(refitted, name, 40)


def setting(told: FactorHistory = TOLD) -> Setting:
    base = walk(told, textbook(SPEC, told))
    return Setting(history=told, spec=SPEC, measure=SHORTFALL, base=base, first=FIRST, last=LAST, seed=5)


@pytest.mark.parametrize("name", CHALLENGERS)
def test_rewriting_the_future_changes_no_column_before(name: str) -> None:
    level = TOLD.level.copy()
    level[CHANGED + 2 :] = level[CHANGED + 2 :] ** 1.5
    one, other = challenger(name, setting()), challenger(name, setting(replace(TOLD, level=level)))
    for t in (FIRST, FIRST + 39, CHANGED):
        np.testing.assert_array_equal(one.columns(t), other.columns(t))
    assert not np.array_equal(one.columns(LAST), other.columns(LAST))


@pytest.mark.parametrize("name", CHALLENGERS)
def test_columns_are_as_many_at_every_date_and_of_the_right_size(name: str) -> None:
    found = challenger(name, setting())
    shapes = {found.columns(t).shape for t in range(FIRST, LAST + 1, 20)}
    assert len(shapes) == 1
    deviation = np.std(found.columns(FIRST), axis=1)
    assert (np.abs(deviation / 0.025 - 1.0) < 0.6).all()  # what `history` was drawn with


def test_a_filter_of_a_higher_decay_moves_less() -> None:
    moved = {}
    for name in ("fhs-0.94", "fhs-0.97", "fhs-0.99"):
        found = challenger(name, setting())
        sizes = [np.abs(found.columns(t)).mean() for t in range(FIRST, LAST)]
        moved[name] = np.std(np.diff(np.log(sizes)))
    assert moved["fhs-0.94"] > moved["fhs-0.97"] > moved["fhs-0.99"]


def test_decays_are_for_a_day() -> None:
    hourly = replace(TOLD, close_ns=TOLD.close_ns // 24)
    assert textbook(SPEC, hourly).decay ** 24 == pytest.approx(0.97)
    assert textbook(SPEC, TOLD).decay == 0.97


def test_tails_keep_the_ranks_of_every_date() -> None:
    ready = setting()
    found = refitted.pareto_tails(ready, "pot")
    rows = ready.base.residual[FIRST - 299 : FIRST + 1]
    np.testing.assert_array_equal(np.argsort(found.draws[0], axis=0), np.argsort(rows, axis=0))


def test_draws_end_where_the_outermost_row_stands() -> None:
    """A copula's uniforms go deeper than any sample; the price of so deep a quantile has no mean."""
    rows = setting().base.residual[FIRST - 299 : FIRST + 1]
    ends = splice(rows, shape_max=SHAPE_OF_MARGINS).quantile(np.tile([0.5 / 300, 1.0 - 0.5 / 300], (rows.shape[1], 1)))
    drawn = challenger("t-copula", setting()).draws[0]
    np.testing.assert_allclose(np.sort(drawn, axis=0)[[0, -1]].T, ends, rtol=1e-12)


def test_a_challenger_is_not_asked_before_its_first_fit() -> None:
    with pytest.raises(InvalidInput, match="first fit"):
        challenger("pot", setting()).columns(FIRST - 1)
    with pytest.raises(UnknownName, match="t-copula"):
        challenger("tcopula", setting())


def test_a_date_is_judged_where_every_gap_has_a_proxy_without_one() -> None:
    late = history(bars=700, seed=4, listed=350)
    alone = judgeable((walk(late, SPEC),))
    proxied = judgeable((walk(late, CalibrationSpec(lookback=300, default_proxy="spot:BTC")),))
    assert not alone[:649].any()
    assert alone[672]
    assert proxied[450]
    assert not proxied[299], "the proxy itself is warming up"


def test_walks_of_other_bars_are_refused() -> None:
    with pytest.raises(InvalidInput, match="same for all models"):
        judgeable((walk(TOLD, SPEC), walk(TOLD.last(650), SPEC)))


def grid_stage() -> Stage:
    return stage(walk(TOLD, SPEC), start=400, end=450)


def test_the_grid_asks_what_the_engine_asks_for_scan_and_jump() -> None:
    ready, model = grid_stage(), read_model_document()
    document = replace(ready.snapshot, correlation_names=("BTC", "ETH", "SOL"), correlation=np.eye(3))
    ready = replace(ready, snapshot=document)
    series = fixed_grid(ready, model, "grid", gains=realised_pnl(ready))
    assert (series.margin == series.margin[:, :1]).all()
    long = 2.0 * 100.0 * (1.25 * 0.16 + max(0.66 * 0.0485, 0.33 * 0.097, 0.16) - 0.16)
    assert series.margin[0, 0] == pytest.approx(long)
    assert series.margin[list(series.accounts).index("none"), 0] == 0.0


def test_the_grid_asks_its_basis_term_for_a_coin_against_its_perpetual() -> None:
    ready, model = grid_stage(), read_model_document()
    level = np.array([[60_000.0, 0.001], [60_000.0, 0.002]])
    told = build_history(np.array([1, 2]) * 10_000 * DAY_NS, ("spot:BTC", "basis:BTC"), level)
    held = strategies(told, classes={"BTC": "crypto_major"})
    ready = replace(ready, book=held.book, snapshot=held.snapshot)
    series = fixed_grid(ready, model, "grid", gains=np.zeros((len(held.book.accounts), len(ready.moves))))
    asked = dict(zip(series.accounts, series.margin[:, 0], strict=True))
    apart = model.basis.floor + model.basis.venue  # they settle in different assets
    for side in ("long", "short"):
        expected = model.basis.factor.initial * apart * 1e6
        assert asked[f"BTC against its perpetual {side}"] == pytest.approx(expected, rel=1e-9)
    assert asked["BTC long"] == pytest.approx(asked["BTC perpetual long"])


def test_the_grid_needs_correlations() -> None:
    ready = grid_stage()
    with pytest.raises(MissingFactors, match="correlation"):
        fixed_grid(ready, read_model_document(), "grid", gains=realised_pnl(ready))


def test_a_challenger_runs_as_any_forecaster() -> None:
    found = challenger("t-copula", setting())
    ready = stage(setting().base, start=FIRST + 3, end=LAST)
    series = run(ready, found, rate=0.01, kept=(0, 2))
    assert series.forecast is not None
    assert series.forecast.scenarios == refitted.DRAWS
    assert (series.forecast.shortfall >= series.forecast.value_at_risk - 1e-9).all()
    book, _ = world()
    assert series.accounts == book.accounts
