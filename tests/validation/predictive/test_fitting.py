"""A kept predictor says what the walk forward would have said next, and reads nothing that came later."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS
from crossmargin.engine.outlook.foretelling import Standing, foretold
from crossmargin.engine.outlook.predictor import Base, PredictiveSpec, Predictor
from crossmargin.engine.outlook.resembling import held_hash
from crossmargin.margin.document import MeasureChoice
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.validation.backtest import Series
from crossmargin.validation.portfolios import strategies
from crossmargin.validation.predictive.features import FeatureTable, joined, market_features
from crossmargin.validation.predictive.fitting import Lesson, fit_predictor
from crossmargin.validation.predictive.margin import named_features, on_dates, predict, requirement_ahead
from tests.validation.predictive.worlds import RATE, warned

SPEC = PredictiveSpec(rate=RATE, learn_dates=200, refit_dates=100, window_dates=60, rounds=20, learning_rate=0.1)
DATES = 400  # 200 to learn from and two blocks: on the next date the walk forward fits again
BASE = Base(name="filter", calibration=CalibrationSpec(), measure=MeasureChoice(kind="value_at_risk", level=0.95))


def told(dates: int, seed: int = 5) -> FactorHistory:
    """Four prices, so that there are eight outrights; closes are the dates of the worlds."""
    moves = 0.02 * np.random.default_rng(seed).normal(size=(dates + 1, 4))
    close = np.arange(0, dates + 1) * DAY_NS
    return build_history(close, [f"spot:C{i}" for i in range(4)], 100.0 * np.exp(np.cumsum(moves, axis=0)))


def made() -> tuple[Series, FeatureTable, FactorHistory, Book]:
    base, table = warned(dates=DATES + 60)
    history = told(DATES + 61)
    held = strategies(history, random=0)
    assert len(held.book.accounts) >= len(base.accounts)
    margin = base.margin * (1.0 + 0.2 * np.random.default_rng(2).random(base.margin.shape))
    named = replace(base, accounts=held.book.accounts[: len(base.accounts)], margin=margin)
    return named, table, history, held.book


@pytest.fixture(scope="module")
def world() -> tuple[Series, FeatureTable, FactorHistory, Book]:
    return made()


def fitted(base: Series, table: FeatureTable, history: FactorHistory, book: Book) -> Predictor:
    known = on_dates(base, base.set_ns[:DATES])
    lesson = Lesson(base=BASE, series=known)
    return fit_predictor(
        lesson, lesson, history, book, spec=SPEC, horizon_days=1.0, of_book=True, given=(table,), adoption=None
    )


@pytest.fixture(scope="module")
def kept(world: tuple[Series, FeatureTable, FactorHistory, Book]) -> Predictor:
    return fitted(*world)


def standing_of(kept: Predictor, base: Series, table: FeatureTable, history: FactorHistory, book: Book) -> Standing:
    """The second account on the first date that was not learnt from."""
    assert base.forecast is not None
    tables = joined((market_features(history), table), base.set_ns)
    var = base.forecast.value_at_risk
    loss, need = (named_features(base, scale, tables, lag=1) for scale in (var, base.margin))
    return Standing(
        predictor=kept,
        account=base.accounts[1],
        time_ns=int(base.set_ns[DATES]),
        families=(),
        held=held_hash(book, 1),
        loss_features=np.asarray([loss[name][1, DATES] for name in kept.features]),
        value_at_risk_usd=float(var[1, DATES]),
        shortfall_usd=float(base.forecast.shortfall[1, DATES]),
        need_features=np.asarray([need[name][1, DATES] for name in kept.features]),
        scan_usd=float(base.margin[1, DATES]),
        same_history=True,
    )


def test_it_says_what_the_walk_forward_says_next(
    world: tuple[Series, FeatureTable, FactorHistory, Book], kept: Predictor
) -> None:
    base, table, history, _ = world
    wide = joined((market_features(history), table), base.set_ns)
    walked = predict(base, wide, SPEC).series
    assert walked.forecast is not None
    scan = float(base.margin[1, DATES])
    said = foretold(
        standing_of(kept, *world),
        model="filter",
        horizon_days=1.0,
        as_of_ns=int(base.set_ns[DATES]),
        initial_usd=scan,
        equity_usd=10.0,
        coins_held=False,
    )
    assert said.margin_usd == pytest.approx(walked.forecast.value_at_risk[1, DATES], rel=1e-12)
    assert said.shortfall_usd == pytest.approx(walked.forecast.shortfall[1, DATES], rel=1e-12)
    assert [one.level for one in said.levels] == pytest.approx([0.5, 0.75, 0.95])  # 99 % wants more rows


def test_requirements_are_those_of_the_walk_forward(
    world: tuple[Series, FeatureTable, FactorHistory, Book], kept: Predictor
) -> None:
    base, table, history, book = world
    wide = joined((market_features(history), table), base.set_ns)
    # A requirement is known a date sooner than a P&L, so after 400 dates 399 are; the walk then fits after 399 too.
    spec = msgspec.structs.replace(SPEC, learn_dates=199)
    later = requirement_ahead(on_dates(base, base.set_ns[: DATES + 1]), wide, spec)
    one = fit_predictor(
        Lesson(base=BASE, series=on_dates(base, base.set_ns[:DATES])),
        Lesson(base=BASE, series=on_dates(base, base.set_ns[:DATES])),
        history,
        book,
        spec=spec,
        horizon_days=1.0,
        of_book=True,
        given=(table,),
    )
    now = replace(standing_of(one, *world), need_features=features_at(one, base, wide, DATES - 1))
    scan = float(base.margin[1, DATES - 1])
    said = foretold(
        replace(now, scan_usd=scan),
        model="filter",
        horizon_days=1.0,
        as_of_ns=int(base.set_ns[DATES]),
        initial_usd=scan + 5.0,
        equity_usd=10.0,
        coins_held=False,
    )
    assert said.levels[2].initial_usd - 5.0 == pytest.approx(later[1, DATES - 1], rel=1e-12)


def features_at(kept: Predictor, base: Series, wide: FeatureTable, date: int) -> np.ndarray:
    found = named_features(base, base.margin, wide, lag=1)
    return np.asarray([found[name][1, date] for name in kept.features])


def test_nothing_that_came_later_is_in_it(world: tuple[Series, FeatureTable, FactorHistory, Book]) -> None:
    base, table, history, book = world
    value, level, pnl = table.value.copy(), history.level.copy(), base.pnl.copy()
    value[DATES:] += 7.0
    level[DATES + 2 :] *= 3.0
    pnl[:, DATES:] *= -4.0
    changed = replace(base, pnl=pnl), replace(table, value=value), replace(history, level=level), book
    assert msgspec.json.encode(fitted(*changed)) == msgspec.json.encode(fitted(*world))


def test_it_comes_back_from_json_the_same(kept: Predictor) -> None:
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Predictor) == kept


def test_what_was_never_judged_is_not_used(
    world: tuple[Series, FeatureTable, FactorHistory, Book], kept: Predictor
) -> None:
    said = foretold(
        standing_of(kept, *world),
        model="other",
        horizon_days=2.0,
        as_of_ns=int(world[0].set_ns[DATES]) + 400 * DAY_NS,
        initial_usd=10.0,
        equity_usd=0.0,
        coins_held=True,
    )
    assert not said.is_used
    assert not said.calls_used
    reasons = " / ".join(said.call_reasons)
    for part in (
        "too few dates to be judged",
        "foretells 1 days and the model 2",
        "days ago, and is fitted again",
        "ends 400.0 days before",
        "learnt of filter, and the model is other",
        "whose price moves",
    ):
        assert part in reasons
    assert said.call_low == 0.5
    assert said.call_high == 1.0


def test_too_few_dates_are_refused(world: tuple[Series, FeatureTable, FactorHistory, Book]) -> None:
    base, _, history, book = world
    lesson = Lesson(base=BASE, series=on_dates(base, base.set_ns[:200]))
    with pytest.raises(InvalidInput, match="more than 260"):
        fit_predictor(lesson, None, history, book, spec=SPEC, horizon_days=1.0, of_book=True)


def test_documents_that_do_not_fit_together_are_refused(kept: Predictor) -> None:
    falling = msgspec.structs.replace(kept.learnt[0], scores=(2.0, 1.0))
    with pytest.raises(InvalidInput, match="ascending"):
        msgspec.structs.replace(kept, learnt=(falling, *kept.learnt[1:]))
    with pytest.raises(InvalidInput, match="one for each"):
        msgspec.structs.replace(kept, held=())
    with pytest.raises(InvalidInput, match="must be one"):
        msgspec.structs.replace(kept, learnt=kept.learnt[1:])
