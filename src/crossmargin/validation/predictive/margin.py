"""The predictive margin: a filter's forecast, corrected by what its errors have been under such conditions.

Of a backtested filter and a table of features: value at risk and shortfall of the next horizon for every portfolio and
date, and what the requirement itself will be. Before it has learnt, the filter's own figures stand, and the result says
up to when.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray, frozen
from crossmargin.core.check import within
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.outlook.predictor import PredictiveSpec
from crossmargin.validation.backtest import Forecast, Series
from crossmargin.validation.predictive.conformal import Corrected, correct
from crossmargin.validation.predictive.features import FeatureTable, account_features, joined
from crossmargin.validation.predictive.learning import boosted_ratios

NAME = "conformal"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """A predictive margin over the dates of the filter that it corrects.

    `series` is a backtest like any other; from date `learnt` on its figures are its own. `ratio` [account, date] is
    what the learner made of the filter, `correction` what conformal inference made of that."""

    series: Series
    learnt: int
    ratio: FloatArray
    correction: Corrected


def predict(
    base: Series, table: FeatureTable, spec: PredictiveSpec, *, lag: int = 1, name: str = NAME, threads: int = 1
) -> Predicted:
    """The predictive margin at `spec.rate` on every date of a backtested filter, from what was known on that date.

    `base` holds the filter's forecast at that rate, from as long before the first date of interest as there is;
    the P&L of a date is known `lag` dates later: the horizon in bars, where margins are set bar by bar. The margin is
    the value at risk. Where the filter sees no loss at all (its value at risk is not above zero) its figures stand.
    Raises `InvalidInput` for a filter without a forecast at the rate, and for too few dates."""
    forecast = _forecast(base, spec.rate)
    scale, dates = forecast.value_at_risk, len(base.set_ns)
    within(lag, "dates until P&L is known", 1, dates, where=name)
    learnt = first_learnt(spec, dates, lag=lag)
    known = np.where(scale > 0.0, scale, np.nan)
    features = features_of(base, scale, table, lag=lag)
    ratio = boosted_ratios(-base.pnl / known, features, spec, lag=lag, threads=threads)
    correction = correct(-base.pnl / (ratio * known), spec, lag=lag)
    own = ~np.isnan(ratio * correction.quantile * known)
    var = np.where(own, ratio * correction.quantile * known, scale)
    tail = np.where(own, ratio * correction.shortfall * known, forecast.shortfall)
    series = replace(
        base,
        model=name,
        margin=frozen(np.maximum(np.where(own, var, base.margin), 0.0)),
        forecast=_bare(spec.rate, var, np.maximum(tail, var)),
        warm_up=learnt,
    )
    return Predicted(series=series, learnt=learnt, ratio=frozen(ratio), correction=correction)


def first_learnt(spec: PredictiveSpec, dates: int, *, lag: int = 1) -> int:
    """The first date with a figure of its own; raises `InvalidInput` where there are not as many dates."""
    learnt = spec.learn_dates + spec.window_dates + 2 * (lag - 1)
    if dates <= learnt:
        raise InvalidInput(
            "dates",
            where=NAME,
            value=dates,
            limit=f"more than {learnt}: {spec.learn_dates} to learn from and {spec.window_dates} to correct by",
            remedy="Give a longer history, or learn from fewer dates.",
        )
    return learnt


def requirement_ahead(
    base: Series, table: FeatureTable, spec: PredictiveSpec, *, ahead: int = 1, threads: int = 1
) -> FloatArray:
    """The requirement `ahead` dates later that is passed with a chance of `spec.rate` only [account, date], USD.

    As `predict`, of the ratio of that requirement to today's; NaN before it is learnt, and where today's is not above
    zero. Posting it today makes a call for the requirement alone that unlikely. Raises as `predict`."""
    within(ahead, "dates ahead", 1, len(base.set_ns) - 1, where="requirement ahead")
    scale = np.where(base.margin > 0.0, base.margin, np.nan)
    later = np.full_like(scale, np.nan)
    later[:, :-ahead] = base.margin[:, ahead:]
    features = features_of(base, scale, table, lag=ahead)
    ratio = boosted_ratios(later / scale, features, spec, lag=ahead, threads=threads)
    correction = correct(later / (ratio * scale), spec, lag=ahead)
    return frozen(ratio * correction.quantile * scale)


def features_of(base: Series, scale: FloatArray, table: FeatureTable, *, lag: int) -> FloatArray:
    """What the learner sees [account, date, name]: the table at each margin, and each account's own past."""
    return np.stack([*named_features(base, scale, table, lag=lag).values()], axis=-1)


def named_features(base: Series, scale: FloatArray, table: FeatureTable, *, lag: int) -> dict[str, FloatArray]:
    """The same by name, each [account, date]."""
    shared = joined((table,), base.set_ns)
    wide = [np.broadcast_to(column, scale.shape) for column in shared.value.T]
    return dict(zip(shared.names, wide, strict=True)) | account_features(base, scale, lag=lag)


def on_dates(series: Series, set_ns: IntArray) -> Series:
    """A backtest at some of its dates, to stand beside others. Raises `InvalidInput` for a date it lacks."""
    at = np.searchsorted(series.set_ns, set_ns)
    found = np.isin(set_ns, series.set_ns)
    if not found.all():
        raise InvalidInput(
            "date",
            where=series.model,
            value=int(set_ns[int(np.argmin(found))]),
            limit="one on which it set a margin",
            remedy="Run it over all dates of the others.",
        )
    forecast = series.forecast
    if forecast is not None:
        forecast = replace(
            forecast,
            value_at_risk=frozen(forecast.value_at_risk[:, at]),
            shortfall=frozen(forecast.shortfall[:, at]),
            tail=frozen(forecast.tail[:, at]),
            probability=frozen(forecast.probability[:, at]),
        )
    margin, pnl = frozen(series.margin[:, at]), frozen(series.pnl[:, at])
    warm_up = int((at < series.warm_up).sum())
    return replace(series, set_ns=frozen(set_ns, np.int64), margin=margin, pnl=pnl, forecast=forecast, warm_up=warm_up)


def _forecast(base: Series, rate: float) -> Forecast:
    if base.forecast is None or abs(base.forecast.rate - rate) > 1e-12:
        raise InvalidInput(
            "forecast",
            where=base.model,
            value="none" if base.forecast is None else f"at {base.forecast.rate:g}",
            limit=f"recorded at {rate:g}",
            remedy="Run the backtest of the filter with this rate.",
        )
    return base.forecast


def _bare(rate: float, value_at_risk: FloatArray, shortfall: FloatArray) -> Forecast:
    """A forecast of the tail alone: no scenarios stand behind it."""
    dates = value_at_risk.shape[1]
    return Forecast(
        rate=rate,
        value_at_risk=frozen(value_at_risk),
        shortfall=frozen(shortfall),
        scenarios=0,
        kept=np.zeros(0, np.int64),
        tail=np.zeros((0, dates, 0)),
        probability=np.zeros((0, dates)),
    )
