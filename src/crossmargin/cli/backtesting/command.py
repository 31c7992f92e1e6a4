"""What `backtest` does: read histories and models, run them over portfolios, and say what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import msgspec

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import read_book, read_market, read_model_document, read_recipe
from crossmargin.adapters.histories import read_history
from crossmargin.cli.backtesting.learner import Backtested, Remembered, learnt, read_learner, with_learner
from crossmargin.cli.backtesting.tables import backtest_tables
from crossmargin.cli.fitting.command import end_of, scales, with_proxies
from crossmargin.cli.output import enter_text, print_report, progress_bar
from crossmargin.core.check import known
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS, parse_instant
from crossmargin.engine.recipe import Recipe, recipes
from crossmargin.scenarios.history import FactorHistory
from crossmargin.validation.challengers.registry import BASELINE, CHALLENGERS, DERIVED, GRID
from crossmargin.validation.disclosure import auth066_xml
from crossmargin.validation.evidence.held import felt, hold_book, hold_strategies
from crossmargin.validation.evidence.report import message
from crossmargin.validation.evidence.trial import Hold, Models, Question, trial
from crossmargin.validation.evidence.windows import Window, WindowsDocument, default_windows
from crossmargin.validation.portfolios import UNCLASSED

DEFAULT_RECIPE: Final = "crossmargin-dynamic"
ALL: Final = "all"
OTHERS: Final = "*"
THREADS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stands behind the options of `backtest`."""

    models: tuple[str, ...]
    start: str
    end: str
    unseen_from: str
    horizon_bars: int | None
    confidence: float
    proxies: tuple[str, ...]
    stamp: Literal["close", "open"]
    scales: tuple[str, ...]
    classes: tuple[str, ...]
    with_frontier: bool
    seed: int
    learning: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The files that a backtest reads."""

    history: tuple[Path, ...]
    book: Path | None
    market: Path | None
    instruments: Path | None
    registry: Path | None
    windows: Path | None
    features: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The files that a backtest writes, beside what it prints."""

    html: Path | None
    auth066: Path | None
    as_json: bool
    predictor: Path | None = None


def backtest(sources: Sources, asked: Asked, outputs: Outputs) -> None:
    """Run, write and report."""
    if outputs.predictor is not None and outputs.predictor.suffix.lower() != ".json":
        raise InvalidInput(
            "--predictor", where="backtest", value=outputs.predictor.name, limit="a .json file", remedy="Rename it."
        )
    with progress_bar() as progress:
        told = read_history(sources.history, stamp=asked.stamp, scale=scales(asked.scales))
        learner = read_learner(asked.learning, sources.features)
        models = with_learner(_models(asked), learner, kept=outputs.predictor is not None)
        held, told = _hold(sources, asked, models, told)
        remembered = Remembered(hold=held)
        question = _question(sources, asked, models)
        report, series = trial(told, remembered, models, question, threads=THREADS, progress=progress)
        kept = None
        if outputs.predictor is not None:
            learnt_of = Backtested(report=report, series=series, history=told, models=models, question=question)
            kept = learnt(learnt_of, remembered.held(), learner, of_book=sources.book is not None, progress=progress)
    with ExitStack() as files:
        if kept is not None and outputs.predictor is not None:
            enter_text(files, outputs.predictor, msgspec.json.encode(kept).decode())
        if outputs.html is not None:
            from crossmargin.cli.backtesting.page import backtest_page

            enter_text(files, outputs.html, backtest_page(report))
        if outputs.auth066 is not None:
            enter_text(files, outputs.auth066, auth066_xml([message(report.models[0])]).decode())
    print_report(report, as_json=outputs.as_json, tables=backtest_tables)


def _models(asked: Asked) -> Models:
    """Recipes first, as the first of them is the one that is judged; the default recipe where none is named."""
    named = [name for name in asked.models if name not in {ALL, GRID, *CHALLENGERS, *DERIVED}]
    everything = ALL in asked.models
    chosen = [with_proxies(_recipe(name), asked.proxies) for name in named or [DEFAULT_RECIPE]]
    rivals = [name for name in CHALLENGERS if everything or name in asked.models]
    return Models(
        recipes=tuple(chosen),
        challengers=tuple(name for name in rivals if name != BASELINE),
        derived={name: make for name, make in DERIVED.items() if everything or name in asked.models},
        grid=read_model_document() if everything or GRID in asked.models else None,
        forgiving=everything,
    )


def _recipe(name: str) -> Recipe:
    if Path(name).suffix.lower() not in {".toml", ".json"}:
        remedy = "Name a recipe, a challenger, `all`, or a .toml file."
        known(name, {ALL, GRID, *CHALLENGERS, *DERIVED, *recipes()}, "model", where="--model", remedy=remedy)
    return read_recipe(name)


def _hold(sources: Sources, asked: Asked, models: Models, told: FactorHistory) -> tuple[Hold, FactorHistory]:
    """What makes the portfolios, and the history that they need."""
    if sources.book is None:
        classes = _classes(asked.classes, told)
        return partial(hold_strategies, classes=classes, seed=asked.seed), told
    if sources.market is None:
        raise InvalidInput(
            "--market", where="backtest", value="missing", limit="given with a book", remedy="Name the book's market."
        )
    snapshot = read_market(sources.market, registry=sources.registry)
    book = read_book(sources.book, market=snapshot, instruments=sources.instruments)
    specs = [recipe.calibration for recipe in models.recipes]
    proxies = {p for spec in specs for p in (spec.default_proxy, *spec.proxies.values())}
    return partial(hold_book, book, snapshot, read_model_document()), felt(told, snapshot, frozenset(proxies))


def _classes(texts: Sequence[str], told: FactorHistory) -> dict[str, str]:
    """Risk classes by underlying, from `NAME=CLASS`, and `*=CLASS` for all others."""
    given = {}
    for text in texts:
        name, named, risk_class = text.partition("=")
        if not named or not name or not risk_class:
            remedy = "--risk-class BTC=crypto_major"
            raise InvalidInput("--risk-class", where="command line", value=text, limit="NAME=CLASS", remedy=remedy)
        given[name] = risk_class
    others = given.pop(OTHERS, UNCLASSED)
    names = (factor.split(":")[1] for factor in told.factors)
    return dict.fromkeys(names, others) | given


def _question(sources: Sources, asked: Asked, models: Models) -> Question:
    return Question(
        start_ns=_start_of(asked.start),
        end_ns=end_of(asked.end, where="--to"),
        windows=_windows(sources.windows),
        unseen_from=_day(asked.unseen_from),
        rate=round(1.0 - asked.confidence, 12),
        horizon_bars=asked.horizon_bars or models.recipes[0].calibration.horizon_bars,
        with_frontier=asked.with_frontier,
        seed=asked.seed,
    )


def _windows(path: Path | None) -> tuple[Window, ...]:
    return default_windows() if path is None else read_document(path, WindowsDocument).windows


def _start_of(text: str) -> int:
    """Nanoseconds of an instant, or of the midnight at which a day begins."""
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return parse_instant(text, where="--from")
    return end_of(text, where="--from") - DAY_NS


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            "--unseen-from", where="command line", value=text, limit="a day like 2023-07-01", remedy="Write a day."
        ) from None
