"""A whole backtest: portfolios, models and windows in, the report and every model's series out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeAlias

import msgspec
import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.check import unique, within
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.core.version import VERSION
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.recipe import Recipe
from crossmargin.measures.reduce import Measure
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.calibrating.walk import walk
from crossmargin.scenarios.history import FactorHistory
from crossmargin.validation.backtest import Forecaster, Progress, Series, Stage, moves_between, realised_pnl, run
from crossmargin.validation.challengers.fixed import fixed_grid
from crossmargin.validation.challengers.refitted import refit_of, regularly
from crossmargin.validation.challengers.registry import BASELINE, GRID, Derived, challenger
from crossmargin.validation.challengers.walked import Setting, Walked, judgeable, silent, textbook
from crossmargin.validation.evidence.documents import BacktestReport, FrontierLine
from crossmargin.validation.evidence.frontier import frontier
from crossmargin.validation.evidence.held import Held
from crossmargin.validation.evidence.report import (
    Scope,
    all_scores,
    covered,
    held_only,
    judge,
    paths,
    span,
    targets,
)
from crossmargin.validation.evidence.tested import tested_hash
from crossmargin.validation.evidence.windows import Window
from crossmargin.validation.predictive.adoption import verdict_among
from crossmargin.validation.statistics.results import Conventions

KEPT_MAX: Final = 24  # Accounts whose tails are kept for the tests that need them.
SHOWN_MAX: Final = 6
Hold: TypeAlias = Callable[[FactorHistory], Held]
Made: TypeAlias = tuple[Series, str]  # and the rule of its margin in words


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Models:
    """What is run: recipes, challengers by name, and the model whose grid stands still, if any.

    `derived` make a series of the baseline's and the history, as a learnt correction does. With `forgiving` a model
    that cannot be run is left out with its reason, a recipe apart."""

    recipes: tuple[Recipe, ...]
    challengers: tuple[str, ...] = ()
    grid: ModelDocument | None = None
    derived: Mapping[str, Derived] = field(default_factory=dict)
    forgiving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """When and how it is judged: margins set in [start, end), over a horizon of so many bars."""

    start_ns: int
    end_ns: int
    windows: tuple[Window, ...]
    unseen_from: dt.date
    rate: float = 0.01
    horizon_bars: int = 1
    with_frontier: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ready:
    """A backtest whose models only have to be run."""

    question: Question
    stage: Stage
    scope: Scope
    setting: Setting
    gains: FloatArray
    kept: tuple[int, ...]


def trial(
    history: FactorHistory,
    hold: Hold,
    models: Models,
    question: Question,
    *,
    threads: int = 1,
    progress: Progress = silent,
) -> tuple[BacktestReport, tuple[Series, ...]]:
    """Run every model over the same portfolios and dates, and report.

    `hold` makes the portfolios of the history that was known when the first margin was set. The first recipe gives
    look-back, proxies and measure of all challengers, and is the model that is judged; the baseline is always run.
    Horizons of several bars do not overlap: margin is set once in each. Raises what the models raise, unless they
    are forgiven, and `InvalidInput` for a period without dates.
    """
    ready = _prepare(history, hold, models, question, threads, progress)
    made, rules, left_out = list[Series](), dict[str, str](), dict[str, str]()
    for name, make in _runs(ready, models, threads).items():
        try:
            one, rules[name] = make(made)
        except (InvalidInput, MissingFactors) as error:
            if not models.forgiving or name in {recipe.name for recipe in models.recipes}:
                raise
            left_out[name] = str(error)
        else:
            made.append(one)
    plain = next(one.margin for one in made if one.model == BASELINE)
    front: tuple[FrontierLine, ...] = ()
    if question.with_frontier:
        spec, measure = ready.setting.spec, ready.setting.measure
        front = frontier(
            ready.stage,
            history,
            spec,
            measure,
            ready.scope,
            gains=ready.gains,
            baseline=plain,
            factor=models.recipes[0].scan.initial,
            threads=threads,
            progress=progress,
        )
    series, scope = held_only(made, ready.scope)
    report = _report(ready, series, scope, rules, left_out, front)
    return msgspec.structs.replace(report, hashes=_hashes(models, question)), tuple(series)


def _hashes(models: Models, question: Question) -> dict[str, str]:
    """The hash of each model that was run from a document, over the horizon that was asked for."""
    asked = (msgspec.structs.replace(one, calibration=_spec(one, question)) for one in models.recipes)
    found = {one.name: tested_hash(one) for one in asked}
    return found if models.grid is None else found | {GRID: tested_hash(models.grid)}


def _report(
    ready: _Ready,
    series: Sequence[Series],
    scope: Scope,
    rules: Mapping[str, str],
    left_out: Mapping[str, str],
    front: tuple[FrontierLine, ...],
) -> BacktestReport:
    plain = next(one.margin for one in series if one.model == BASELINE)
    lines = []
    for done, one in enumerate(series):
        ready.setting.progress("judging", done, len(series))
        lines.append(judge(one, scope, rule=rules[one.model], baseline=plain))
    first, last = span(series[0])
    history = ready.setting.history
    return BacktestReport(
        source=history.source,
        history_hash=history.hash(),
        book_hash=ready.stage.book.hash(),
        version=VERSION,
        first=first,
        last=last,
        unseen_from=str(scope.unseen_from),
        horizon_days=ready.stage.horizon_days,
        rate=scope.rate,
        default=series[0].model,
        baseline=BASELINE,
        conventions=scope.conventions,
        windows=covered(scope.windows, series[0]),
        models=tuple(lines),
        scores=all_scores(series, scope, baseline=BASELINE),
        targets=targets(lines[0]),
        frontier=front,
        paths=paths(_drawn(series), _shown(series[0], scope)),
        left_out=dict(left_out),
        adoption=verdict_among(series, baseline=BASELINE, families=scope.family, seed=scope.seed),
    )


def _prepare(
    history: FactorHistory,
    hold: Hold,
    models: Models,
    question: Question,
    threads: int,
    progress: Progress,
) -> _Ready:
    if not models.recipes:
        raise InvalidInput("models", where="backtest", value=0, limit="at least one recipe", remedy="Name one.")
    names = (BASELINE, GRID, *(recipe.name for recipe in models.recipes), *models.challengers, *models.derived)
    unique(names, "model", where="backtest")
    lead = models.recipes[0]
    spec = _spec(lead, question)
    plain = [walk(history, textbook(_spec(recipe, question), history)) for recipe in models.recipes]
    base, realised = plain[0], plain[0].realised()
    every = max(refit_of(_spec(recipe, question)) for recipe in models.recipes)
    ready = judgeable(tuple(plain), every=every)
    moves = moves_between(base.close_ns, ready, realised, question.start_ns, question.end_ns)
    moves = _apart(moves, question.horizon_bars)
    held = hold(history.until(int(base.close_ns[moves[0]])))
    horizon_days = base.history.bar_days * question.horizon_bars
    stage = Stage(
        book=held.book,
        snapshot=held.snapshot,
        factors=base.history.factors,
        close_ns=base.close_ns,
        realised=realised,
        moves=moves,
        horizon_days=horizon_days,
        rules=held.rules,
    )
    scope = Scope(
        family=held.family,
        side=held.side,
        windows=question.windows,
        unseen_from=question.unseen_from,
        rate=within(question.rate, "rate", 1e-4, 0.5, where="backtest"),
        conventions=Conventions(horizon_days=horizon_days, return_type="log", vol_target="floored"),
        seed=question.seed,
    )
    setting = Setting(
        history=history,
        spec=spec,
        measure=_measure(lead),
        base=base,
        first=int(moves[0]),
        last=int(moves[-1]),
        seed=question.seed,
        progress=progress,
    )
    return _Ready(
        question=question,
        stage=stage,
        scope=scope,
        setting=setting,
        gains=realised_pnl(stage, threads=threads),
        kept=_first_of_each(held.family, held.side, KEPT_MAX),
    )


def _runs(ready: _Ready, models: Models, threads: int) -> dict[str, Callable[[Sequence[Series]], Made]]:
    """What makes each series, by name and in order; each is given the series made before it."""

    def backtested(model: Forecaster, factor: float) -> Made:
        one = run(
            ready.stage,
            model,
            gains=ready.gains,
            rate=ready.question.rate,
            kept=ready.kept,
            threads=threads,
            progress=ready.setting.progress,
        )
        return (one if factor == 1.0 else replace(one, margin=factor * one.margin)), _rule(model.measure, factor)

    def of_recipe(recipe: Recipe, _: Sequence[Series]) -> Made:
        measure, spec = _measure(recipe), _spec(recipe, ready.question)
        if spec.filter in ("garch", "gjr"):
            return backtested(regularly(ready.setting, recipe.name, spec, measure), recipe.scan.initial)
        found = walk(ready.setting.history, spec, refit=refit_of(spec))
        return backtested(Walked(name=recipe.name, measure=measure, walk=found), recipe.scan.initial)

    def of_challenger(name: str, _: Sequence[Series]) -> Made:
        return backtested(challenger(name, ready.setting), 1.0)

    def of_derived(make: Derived, before: Sequence[Series]) -> Made:
        plain = next(one for one in before if one.model == BASELINE)
        return make(plain, ready.setting.history), f"learnt from {BASELINE}"

    def of_grid(model: ModelDocument, _: Sequence[Series]) -> Made:
        one = fixed_grid(ready.stage, model, GRID, gains=ready.gains, threads=threads)
        return one, f"worst of {model.name} × {model.scan.initial:g}, jumps and basis"

    found: dict[str, Callable[[Sequence[Series]], Made]] = {}
    found |= {recipe.name: partial(of_recipe, recipe) for recipe in models.recipes}
    found |= {name: partial(of_challenger, name) for name in (BASELINE, *models.challengers)}
    found |= {name: partial(of_derived, make) for name, make in models.derived.items()}
    if models.grid is not None:
        found[GRID] = partial(of_grid, models.grid)
    return found


def _measure(recipe: Recipe) -> Measure:
    return Measure(kind=recipe.measure.kind, level=recipe.measure.level)


def _spec(recipe: Recipe, question: Question) -> CalibrationSpec:
    return msgspec.structs.replace(recipe.calibration, horizon_bars=question.horizon_bars)


def _rule(measure: Measure, factor: float) -> str:
    words = measure.kind.replace("_", " ") + ("" if measure.kind == "worst" else f" {100.0 * measure.level:g} %")
    return words if factor == 1.0 else f"{words} × {factor:g}"


def _apart(moves: IntArray, bars: int) -> IntArray:
    """Moves whose horizons do not overlap, as many as there can be."""
    kept = [int(moves[0])]
    for t in moves:
        if t >= kept[-1] + bars:
            kept.append(int(t))
    return np.asarray(kept, np.int64)


def _first_of_each(family: Sequence[str], side: Sequence[str], count: int) -> tuple[int, ...]:
    """The first account of each family and side, at most `count`."""
    first: dict[tuple[str, str], int] = {}
    for row, key in enumerate(zip(family, side, strict=True)):
        first.setdefault(key, row)
    return tuple(first.values())[:count]


def _drawn(series: Sequence[Series]) -> list[Series]:
    """What is drawn date by date: the default, the baseline, and the grid."""
    return [series[0], *(one for one in series[1:] if one.model in (BASELINE, GRID))]


def _shown(series: Series, scope: Scope) -> list[str]:
    """The first account of each family, those in breach before others."""
    rows = _first_of_each(scope.family, scope.side, len(series.accounts))
    beyond = series.uncovered.max(axis=1)
    chosen: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: beyond[row] <= 0.0):
        chosen.setdefault(scope.family[row], row)
    return [series.accounts[row] for row in sorted(chosen.values())][:SHOWN_MAX]
