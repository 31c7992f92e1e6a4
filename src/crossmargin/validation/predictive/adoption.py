"""Where a predictive margin is worth it: against the best filter, out of sample, by a consistent score.

A learner may look better by luck, and on some portfolios it is worse. So it is used where its mean FZ0 is the lowest
and the Model Confidence Set holds no filter beside it, and the report says where that is not so. `adopted` decides so
over time, each time on what had been judged by then, which is what a user of it would have had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, frozen
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.outlook.predictor import Adoption, Outcome, Verdict
from crossmargin.validation import check
from crossmargin.validation.backtest import Forecast, Series
from crossmargin.validation.predictive.margin import NAME, Predicted, on_dates
from crossmargin.validation.statistics.comparison import confidence_set
from crossmargin.validation.statistics.scoring import diebold_mariano, fz0

DATES_MIN: Final = 5  # what a confidence set takes at least


def where_it_wins(
    predicted: Series,
    rivals: Sequence[Series],
    *,
    families: Sequence[str],
    seed: int,
    significance: float = 0.10,
    simulations: int = 999,
) -> Adoption:
    """Compare a predictive margin with filters on the same dates, by portfolio, by family [account] and together.

    The score of a family is the mean over its portfolios of each date. Give the dates on which it had learnt
    (`on_dates`). Sources: Fissler and Ziegel (2016); Hansen, Lunde and Nason (2011). Raises `InvalidInput` for series
    of other dates or accounts, or without forecasts, and what `confidence_set` raises."""
    rate = forecast_of(predicted).rate
    table, scored = scores((predicted, *rivals), rate)
    names = (predicted.model, *(rival.model for rival in rivals))
    kind = np.asarray(families)
    if kind.shape != (len(predicted.accounts),):
        limit = f"one for each of {len(predicted.accounts)} portfolios"
        raise InvalidInput("families", where="where_it_wins", value=len(kind), limit=limit, remedy="Name each one.")

    def judged(subject: str, rows: FloatArray) -> Verdict:
        found = confidence_set(rows, names, seed=seed, significance=significance, simulations=simulations)
        ranks = {rank.model: rank for rank in found.models}
        own, rival = ranks[predicted.model], next(r for r in found.models if r.model != predicted.model)
        lowest = own.mean_score < rival.mean_score
        outcome: Outcome = ("leads" if rival.kept else "wins") if lowest else ("trails" if own.kept else "loses")
        return Verdict(
            subject=subject,
            outcome=outcome,
            score=own.mean_score,
            rival=rival.model,
            rival_score=rival.mean_score,
            p_value=own.p_value,
            rival_p_value=rival.p_value,
        )

    there = [name for name in dict.fromkeys(families) if (scored & (kind == name)).any()]
    return Adoption(
        model=predicted.model,
        rivals=names[1:],
        rate=rate,
        significance=significance,
        dates=table.shape[2],
        rule=f"FZ0; wins where no rival is in the confidence set; {simulations} resamples, seed {seed}",
        everywhere=judged("all", table[:, scored].mean(axis=1)),
        families=tuple(judged(name, table[:, scored & (kind == name)].mean(axis=1)) for name in there),
        portfolios=tuple(judged(predicted.accounts[i], table[:, i]) for i in np.flatnonzero(scored)),
        unscored=tuple(predicted.accounts[i] for i in np.flatnonzero(~scored)),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Adopted:
    """A margin that is the predictive one where it had won by then, else the filter's: `used` [account, date]."""

    series: Series
    used: BoolArray


def adopted(
    predicted: Predicted,
    filters: Sequence[Series],
    *,
    families: Sequence[str],
    lag: int = 1,
    every: int = 60,
    least: int = 250,
    significance: float = 0.10,
) -> Adopted:
    """The first of the filters, and the predictive margin instead of it where that had beaten all of them by then.

    Every `every` dates, for each family: its mean score over the dates since it had learnt whose P&L is known by now,
    at least `least` of them, is below that of the best filter, and the one-sided test of Diebold and Mariano says so
    at `significance`. Raises `InvalidInput` as `where_it_wins`."""
    own, base = predicted.series, filters[0]
    table, scored = scores((own, *filters), forecast_of(own).rate)
    kind = np.asarray(families)
    used = np.zeros(own.margin.shape, np.bool_)
    for first in range(predicted.learnt + least + lag - 1, len(own.set_ns), every):
        judged = table[:, :, predicted.learnt : first - lag + 1]
        for name in dict.fromkeys(families):
            members = scored & (kind == name)
            if members.any() and _beats(judged[:, members].mean(axis=1), significance):
                used[members, first : first + every] = True
    mine, others = forecast_of(own), forecast_of(base)
    forecast = replace(
        mine,
        value_at_risk=frozen(np.where(used, mine.value_at_risk, others.value_at_risk)),
        shortfall=frozen(np.where(used, mine.shortfall, others.shortfall)),
    )
    margin = frozen(np.where(used, own.margin, base.margin))
    series = replace(own, model=f"{own.model} where it won", margin=margin, forecast=forecast, warm_up=0)
    return Adopted(series=series, used=frozen(used, np.bool_))


def _beats(rows: FloatArray, significance: float) -> bool:
    """Whether the first of the scores [model, date] is below the best of the others beyond chance."""
    best = 1 + int(np.argmin(rows[1:].mean(axis=1)))
    tested = diebold_mariano(rows[0], rows[best])
    return bool(tested.statistic < 0.0) and bool(0.5 * tested.p_value <= significance)


def scores(series: Sequence[Series], rate: float) -> tuple[FloatArray, BoolArray]:
    """FZ0 [model, account, date], and which accounts have one under every model [account]; NaN for the others.

    Raises `InvalidInput` for series of other dates or accounts, or whose forecasts are missing or at another rate."""
    first = series[0]
    for one in series:
        same = one.accounts == first.accounts and np.array_equal(one.set_ns, first.set_ns)
        if not same or not np.array_equal(one.pnl, first.pnl):
            remedy = "Run all models on one stage, or take common dates (`on_dates`)."
            raise InvalidInput(
                "series", where=one.model, value="other accounts, dates or P&L", limit="one for all", remedy=remedy
            )
        check.rate(rate, "rate", where=one.model)
        if abs(forecast_of(one).rate - rate) > 1e-12:
            raise InvalidInput(
                "rate",
                where=one.model,
                value=forecast_of(one).rate,
                limit=f"{rate:g}",
                remedy="Run it again with this rate.",
            )
    scored = np.logical_and.reduce([(forecast_of(one).shortfall > 0.0).all(axis=1) for one in series])
    found = np.full((len(series), *first.pnl.shape), np.nan)
    for row, one in enumerate(series):
        said = forecast_of(one)
        tail = -np.maximum(said.shortfall[scored], said.value_at_risk[scored])
        found[row, scored] = fz0(one.pnl[scored], -said.value_at_risk[scored], tail, q=rate)
    return found, np.asarray(scored, np.bool_)


def forecast_of(series: Series) -> Forecast:
    """What a model said of the tail; raises `InvalidInput` where it said nothing."""
    if series.forecast is None:
        raise InvalidInput(
            "forecast", where=series.model, value="none", limit="recorded", remedy="Run its backtest with a rate."
        )
    return series.forecast


def verdict_among(
    series: Sequence[Series], *, baseline: str, families: Sequence[str], seed: int, name: str = NAME
) -> Adoption | None:
    """Where the predictive margin wins among the series of a backtest that have forecasts, on dates it had learnt.

    These are the dates from the first on which it said something else than the `baseline` that it corrects. None where
    it was not run, learnt on fewer than five dates, or stands alone. Raises as `where_it_wins`."""
    scored = {one.model: one for one in series if one.forecast is not None}
    if name not in scored or baseline not in scored:
        return None
    own, plain = scored[name], scored[baseline]
    other = (forecast_of(own).value_at_risk != forecast_of(plain).value_at_risk).any(axis=0)
    dates = own.set_ns[int(np.argmax(other)) :] if other.any() else own.set_ns[:0]
    if len(dates) < DATES_MIN:
        return None
    rivals = [on_dates(one, dates) for one in scored.values() if one is not own]
    return where_it_wins(on_dates(own, dates), rivals, families=families, seed=seed)
