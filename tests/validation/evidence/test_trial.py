"""A whole backtest: the same portfolios and dates for every model, and nothing of the future in any margin."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial

import msgspec
import numpy as np
import pytest

from crossmargin.adapters.files import read_model_document
from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.core.instant import DAY_NS, parse_instant
from crossmargin.engine.recipe import Recipe, recipe
from crossmargin.scenarios.basis import with_basis
from crossmargin.scenarios.calibrating.calibration import Scale
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.validation.backtest import Series
from crossmargin.validation.challengers.registry import BASELINE, GRID
from crossmargin.validation.evidence.documents import BacktestReport
from crossmargin.validation.evidence.held import felt, hold_book, hold_strategies
from crossmargin.validation.evidence.trial import Models, Question, trial
from crossmargin.validation.evidence.windows import Window
from tests.validation.test_backtest import world

START = parse_instant("2021-01-01T00:00:00Z", where="test")
BARS = 520
FACTORS = ("spot:BTC", "spot:ETH", "spot:SOL", "spot:BTC-PERP", "vol:BTC")
CLASSES = {"BTC": "crypto_major", "ETH": "crypto_major", "SOL": "crypto_alt"}
CRASH = Window(name="crash", start=dt.date(2022, 1, 1), end=dt.date(2022, 3, 1))


def made(seed: int = 1) -> FactorHistory:
    draw = np.random.default_rng(seed)
    moves = 0.03 * draw.standard_t(5, size=(BARS, 5))
    moves[:, 3] = moves[:, 0] + 0.001 * draw.normal(size=BARS)
    level = np.exp(np.cumsum(moves, axis=0)) * np.array([50_000.0, 3000.0, 100.0, 50_010.0, 0.6])
    return with_basis(build_history(START + np.arange(BARS) * DAY_NS, FACTORS, level))


def short(name: str = "crossmargin-dynamic", lookback: int = 260) -> Recipe:
    found = recipe(name)
    spec = msgspec.structs.replace(found.calibration, lookback=lookback, stress_bars=100)
    return msgspec.structs.replace(found, calibration=spec)


def question(**changes: object) -> Question:
    plain = Question(
        start_ns=START + 300 * DAY_NS,
        end_ns=START + BARS * DAY_NS,
        windows=(CRASH,),
        unseen_from=dt.date(2022, 4, 1),
    )
    return replace(plain, **changes)  # type: ignore[arg-type] a test's own table of changes


def run_trial(told: FactorHistory, models: Models, asked: Question) -> tuple[BacktestReport, tuple[Series, ...]]:
    return trial(told, partial(hold_strategies, classes=CLASSES), models, asked)


@pytest.fixture(scope="module")
def found() -> tuple[BacktestReport, tuple[Series, ...]]:
    models = Models(recipes=(short(),), challengers=("history", "pot"), grid=read_model_document())
    return run_trial(made(), models, question())


def test_every_model_meets_the_same_portfolios_and_dates(found: tuple[BacktestReport, tuple[Series, ...]]) -> None:
    report, series = found
    assert [one.model for one in series] == ["crossmargin-dynamic", BASELINE, "history", "pot", GRID]
    assert report.default == "crossmargin-dynamic"
    for one in series:
        np.testing.assert_array_equal(one.pnl, series[0].pnl)
        np.testing.assert_array_equal(one.set_ns, series[0].set_ns)
    plain = report.models[1].whole
    assert plain.cost_ratio == pytest.approx(1.0)
    assert [w.name for w in report.windows] == ["crash"]
    assert [p.name for p in report.models[0].periods] == ["before 2022-04-01", "from 2022-04-01"]
    assert {path.account.rpartition(" ")[2] for path in report.paths} <= {"long", "short"}


def test_scores_are_of_models_with_a_distribution(found: tuple[BacktestReport, tuple[Series, ...]]) -> None:
    report, _ = found
    assert [s.period for s in report.scores] == ["all", "before 2022-04-01", "from 2022-04-01"]
    assert all({line.model for line in s.lines}.isdisjoint({GRID}) for s in report.scores)


def test_a_report_is_json_and_back(found: tuple[BacktestReport, tuple[Series, ...]]) -> None:
    report, _ = found
    text = msgspec.json.encode(report)
    assert msgspec.json.encode(msgspec.json.decode(text, type=BacktestReport)) == text


def test_rewriting_the_future_changes_no_margin_before() -> None:
    told, models = made(), Models(recipes=(short(),), challengers=("fhs-0.94", "t-copula"), grid=read_model_document())
    level = told.level.copy()
    level[421:] = level[421:] * np.linspace(1.0, 3.0, BARS - 421)[:, None]
    _, one = run_trial(told, models, question())
    _, other = run_trial(replace(told, level=level), models, question())
    before = one[0].set_ns <= START + 420 * DAY_NS
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first.margin[:, before], second.margin[:, before])
    assert not np.array_equal(one[0].margin, other[0].margin)


def test_horizons_of_several_bars_do_not_overlap() -> None:
    report, series = run_trial(made(), Models(recipes=(short(),)), question(horizon_bars=3))
    assert (np.diff(series[0].set_ns) == 3 * DAY_NS).all()
    assert report.horizon_days == 3.0
    told, at = made(), (int(series[0].set_ns[4]) - START) // DAY_NS
    price = told.level[:, 0]
    relative = price[at + 3] / price[at] - 1.0
    row = series[0].accounts.index("BTC long")
    assert series[0].pnl[row, 4] == pytest.approx(1e6 * relative, rel=1e-9)


def test_the_factor_of_a_recipe_is_on_its_margin() -> None:
    plain = short()
    larger = msgspec.structs.replace(
        plain, name="larger", scan=msgspec.structs.replace(plain.scan, initial=1.25, maintenance=1.0)
    )
    _, series = run_trial(made(), Models(recipes=(plain, larger)), question())
    by_name = {one.model: one for one in series}
    np.testing.assert_allclose(by_name["larger"].margin, 1.25 * by_name["crossmargin-dynamic"].margin)


def test_columns_that_weigh_more_count_more() -> None:
    plain = short()
    stressed = msgspec.structs.replace(plain.calibration, stressed_share=0.5, scale=Scale())
    blend = msgspec.structs.replace(plain, name="blend", calibration=stressed)
    report, series = run_trial(made(), Models(recipes=(plain, blend)), question())
    found = {one.model: one for one in series}["blend"]
    assert found.forecast is not None
    assert len(found.forecast.kept) == 0
    assert (found.forecast.shortfall >= found.forecast.value_at_risk - 1e-9).all()
    line = next(m for m in report.models if m.model == "blend")
    assert line.whole.cost_ratio is not None
    assert line.whole.cost_ratio > 1.0  # half of what counts is the worst stretch
    assert "z2" not in line.accounts[0].tests


def test_what_is_derived_of_the_baseline_is_judged_too() -> None:
    def doubled(series: Series, _: FactorHistory) -> Series:
        return replace(series, model="doubled", margin=2.0 * series.margin)

    report, _ = run_trial(made(), Models(recipes=(short(),), derived={"doubled": doubled}), question())
    line = next(m for m in report.models if m.model == "doubled")
    assert line.whole.cost_ratio == pytest.approx(2.0)


def test_the_frontier_starts_at_the_default_and_costs_rise_with_the_floor() -> None:
    report, series = run_trial(made(), Models(recipes=(short(),)), question(with_frontier=True))
    first, *others = report.frontier
    assert first.is_default
    assert first.cost_ratio == pytest.approx(series[0].margin.sum() / series[1].margin.sum())
    assert len(others) == 23
    floors = [f.cost_ratio for f in others if (f.stressed_weight, f.decay) == (0.25, 0.97)]
    assert floors == sorted(floors, key=float)


def test_a_model_that_cannot_be_run_is_left_out_where_that_is_forgiven() -> None:
    unclassed = partial(hold_strategies, classes={})
    asked = Models(recipes=(short(),), grid=read_model_document(), forgiving=True)
    report, _ = trial(made(), unclassed, asked, question())
    assert "risk class" in report.left_out[GRID]
    with pytest.raises(UnknownName, match="risk class"):
        trial(made(), unclassed, replace(asked, forgiving=False), question())


def test_a_book_is_held_as_it_stands() -> None:
    book, snapshot = world(price=100.0)
    hold = partial(hold_book, book, snapshot, read_model_document())
    told = felt(made(), snapshot, frozenset())
    assert told.factors == ("spot:BTC", "spot:ETH", "spot:SOL", "basis:BTC")
    report, series = trial(told, hold, Models(recipes=(short(),)), question())
    assert series[0].accounts == ("long", "short", "pair")  # `none` holds nothing
    assert report.models[0].families == ()
    with pytest.raises(MissingFactors, match="spot:ETH"):
        hold(told.select(("spot:BTC",)))


def test_a_trial_needs_a_recipe_and_dates() -> None:
    with pytest.raises(InvalidInput, match="at least one recipe"):
        run_trial(made(), Models(recipes=()), question())
    with pytest.raises(InvalidInput, match="period"):
        run_trial(made(), Models(recipes=(short(),)), question(start_ns=START, end_ns=START + DAY_NS))


def test_recipes_with_laws_and_fitted_filters_are_refitted_as_they_go() -> None:
    plain = short()
    spliced = msgspec.structs.replace(plain.calibration, marginals="spliced")
    fitted = msgspec.structs.replace(plain.calibration, filter="gjr")
    recipes = tuple(
        msgspec.structs.replace(plain, name=name, calibration=spec)
        for name, spec in (("spliced", spliced), ("fitted", fitted))
    )
    report, series = run_trial(made(), Models(recipes=recipes), question())
    assert [m.model for m in report.models] == ["spliced", "fitted", BASELINE]
    assert (series[0].set_ns >= START + 500 * DAY_NS).all()  # laws are fitted after moves 0, 250, 500
    assert all(m.whole.coverage > 0.97 for m in report.models)
