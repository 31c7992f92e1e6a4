"""A predictor to keep: fitted to everything known, with scores out of sample and the verdict of its adoption.

What is kept is what the walk forward would use next: trees of all dates whose outcome is known, and the conformal state
after the last of them. So a kept predictor and a backtest that goes on say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.core.instant import DAY_NS, to_milliseconds
from crossmargin.core.version import VERSION
from crossmargin.engine.outlook.predictor import (
    LEVELS,
    Adoption,
    Base,
    Learnt,
    PredictiveSpec,
    Predictor,
    Target,
    Versus,
)
from crossmargin.engine.outlook.resembling import held_hash
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.history import FactorHistory
from crossmargin.validation.backtest import Progress, Series
from crossmargin.validation.challengers.walked import silent
from crossmargin.validation.predictive.adoption import forecast_of
from crossmargin.validation.predictive.conformal import correct
from crossmargin.validation.predictive.features import FeatureTable, joined, market_features
from crossmargin.validation.predictive.learning import boosted_ratios, boosted_trees
from crossmargin.validation.predictive.margin import first_learnt, named_features
from crossmargin.validation.statistics.scoring import diebold_mariano, pinball

JUDGED_MIN: Final = 20  # dates of scores: with fewer nothing is said of a quantile


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """A backtested model: what it is, and its series with a forecast at the predictor's rate."""

    base: Base
    series: Series


def fit_predictor(
    loss: Lesson,
    requirement: Lesson | None,
    history: FactorHistory,
    book: Book,
    *,
    spec: PredictiveSpec,
    horizon_days: float,
    of_book: bool,
    given: Sequence[FeatureTable] = (),
    adoption: Adoption | None = None,
    threads: int = 1,
    progress: Progress = silent,
) -> Predictor:
    """The predictor of a backtest: the loss learnt on one model, requirements on another, over the same book.

    The series' margins are set once in each horizon, so a P&L is known on the next date. `history` is the one they were
    walked over, of which nothing after the last P&L is read; `given` are tables from files. Levels of the requirement
    for which the first fit has too few rows are left out. Raises `InvalidInput` for too few dates, and what learning of
    the loss raises."""
    rate, dates = spec.rate, len(loss.series.set_ns)
    first_learnt(spec, dates - 1)
    told = history.until(int(loss.series.set_ns[-1]) + round(horizon_days * DAY_NS))
    tables = (market_features(told), *given)
    table = joined(tables, loss.series.set_ns)
    var = forecast_of(loss.series).value_at_risk
    scale = np.where(var > 0.0, var, np.nan)
    features = named_features(loss.series, var, table, lag=1)
    learnt = [_learnt("loss", 1.0 - rate, -loss.series.pnl / scale, _stacked(features), spec, threads)]
    if requirement is not None:
        learnt += _requirements(requirement.series, table, spec, threads, progress)
    accounts = loss.series.accounts
    return Predictor(
        version=VERSION,
        spec=spec,
        filter=loss.base,
        model=None if requirement is None else requirement.base,
        horizon_days=horizon_days,
        bar_days=told.bar_days,
        factors=told.factors,
        scale=dict(told.scale),
        history=told.source,
        history_hash=past_hash(told),
        of_book=of_book,
        first_ms=to_milliseconds(int(loss.series.set_ns[0])),
        last_ms=to_milliseconds(int(told.close_ns[-1])),
        dates=dates,
        accounts=accounts,
        held=tuple(held_hash(book, book.accounts.index(name)) for name in accounts),
        features=tuple(features),
        given=tuple(name for own in given for name in own.names),
        learnt=tuple(learnt),
        adoption=adoption,
    )


def past_hash(history: FactorHistory) -> str:
    """The hash of what a history says, whatever its file is called."""
    return FactorHistory(
        close_ns=history.close_ns, factors=history.factors, level=history.level, scale=history.scale
    ).hash()


def _requirements(
    series: Series, table: FeatureTable, spec: PredictiveSpec, threads: int, progress: Progress
) -> list[Learnt]:
    """Quantiles of the requirement on the next date, and of it less the P&L until then, over today's."""
    today = np.where(series.margin > 0.0, series.margin, np.nan)
    features = _stacked(named_features(series, today, table, lag=1))[:, :-1]
    later = {
        "requirement": series.margin[:, 1:] / today[:, :-1],
        "need": (series.margin[:, 1:] - series.pnl[:, :-1]) / today[:, :-1],
    }
    targets: tuple[Target, ...] = ("requirement", "need")
    rows = int((~np.isnan(later["need"][:, : spec.learn_dates])).sum())
    asked = [(target, level) for target in targets for level in LEVELS if _learnable(level, rows, spec)]
    found = list[Learnt]()
    for target, level in asked:
        found.append(_learnt(target, level, later[target], features, spec, threads))
        progress("learning requirements", len(found), len(asked))
    return found


def _learnable(level: float, rows: int, spec: PredictiveSpec) -> bool:
    """Whether so many rows hold two leaves of as many exceptions as are asked for."""
    return rows >= 2 * msgspec.structs.replace(spec, rate=round(1.0 - level, 12)).leaf_rows


def _stacked(features: dict[str, FloatArray]) -> FloatArray:
    return np.stack([*features.values()], axis=-1)


def _learnt(
    target: Target, level: float, ratio: FloatArray, features: FloatArray, spec: PredictiveSpec, threads: int
) -> Learnt:
    """One quantile of a ratio [account, date], each known a date later, as it stands a date after the last."""
    own = msgspec.structs.replace(spec, rate=round(1.0 - level, 12))
    said = boosted_ratios(ratio, features, own, lag=1, threads=threads)
    scores = ratio / said
    ahead = np.full((len(scores), 1), np.nan)
    corrected = correct(np.concatenate([scores, ahead], axis=1), own, lag=1)
    pool = scores[:, -own.window_dates :]
    return Learnt(
        target=target,
        level=1.0 - own.rate,
        trees=boosted_trees(ratio, features, own, threads=threads),
        scores=tuple(np.sort(pool[~np.isnan(pool)]).tolist()),
        alpha=tuple(corrected.level[:, -1].tolist()),
        versus=None if target == "loss" else _versus(ratio, said * corrected.quantile[:, :-1], own),
    )


def _versus(ratio: FloatArray, said: FloatArray, spec: PredictiveSpec) -> Versus | None:
    """Pinball scores against the conformal quantile of the ratio itself, on dates and accounts where both are known."""
    plain = correct(ratio, spec, lag=1).quantile
    known = ~np.isnan(ratio * said * plain)
    dates = np.flatnonzero(known.any(axis=0))
    if len(dates) < JUDGED_MIN:
        return None
    held = known[:, dates].all(axis=1)
    if not held.any():
        return None
    rows = ratio[held][:, dates]
    own, rival = (pinball(-rows, -quantile[held][:, dates], q=spec.rate).mean(axis=0) for quantile in (said, plain))
    tested = diebold_mariano(own, rival)
    two_sided = float(tested.p_value)
    return Versus(
        dates=len(dates),
        score=float(own.mean()),
        rival_score=float(rival.mean()),
        p_value=0.5 * two_sided if float(tested.statistic) < 0.0 else 1.0 - 0.5 * two_sided,
    )
