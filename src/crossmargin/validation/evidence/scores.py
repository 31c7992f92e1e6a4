"""Which model foresees the tail best: consistent scores, tests of their differences, and the set of the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.validation.backtest import Forecast, Series
from crossmargin.validation.evidence.documents import ScoreLine, Scores
from crossmargin.validation.statistics.comparison import confidence_set
from crossmargin.validation.statistics.scoring import diebold_mariano, fz0, pinball

DATES_MIN = 60  # With fewer a difference of tail scores says nothing: less than one exception is expected.


def scores(
    series: Sequence[Series], dates: BoolArray, *, period: str, baseline: str, rate: float, seed: int
) -> Scores | None:
    """Scores of every series that has a forecast, over some dates; None for fewer than two such, or than 60 dates.

    The score of a date is the mean over accounts; differences of FZ0 do not change with the size of an account. Left
    out are accounts for which some model saw a gain at the tail.
    """
    told = {one.model: (one.pnl, one.forecast) for one in series if one.forecast is not None}
    if len(told) < 2 or np.count_nonzero(dates) < DATES_MIN:
        return None
    lossy = np.logical_and.reduce([(f.value_at_risk > 0.0).all(axis=1) for _, f in told.values()])
    if not lossy.any():
        return None
    joint = {name: _fz0(pnl, f, lossy, dates, rate) for name, (pnl, f) in told.items()}
    best = confidence_set(list(joint.values()), list(joint), seed=seed)
    lines = [
        _line(rank.model, told[rank.model], joint, lossy, dates, baseline, rate, (rank.p_value, rank.kept))
        for rank in best.models
    ]
    return Scores(
        period=period,
        rate=rate,
        baseline=baseline,
        accounts=int(lossy.sum()),
        dates=int(np.count_nonzero(dates)),
        lines=tuple(lines),
        rule=best.rule,
    )


def _fz0(pnl: FloatArray, forecast: Forecast, rows: BoolArray, dates: BoolArray, rate: float) -> FloatArray:
    """The mean score of each date [date]."""
    gain, quantile, shortfall = (part[rows][:, dates] for part in (pnl, -forecast.value_at_risk, -forecast.shortfall))
    return np.asarray(fz0(gain, quantile, np.minimum(shortfall, quantile), q=rate).mean(axis=0))


def _line(
    model: str,
    told: tuple[FloatArray, Forecast],
    joint: Mapping[str, FloatArray],
    rows: BoolArray,
    dates: BoolArray,
    baseline: str,
    rate: float,
    place: tuple[float, bool],
) -> ScoreLine:
    pnl, quantile = (part[rows][:, dates] for part in (told[0], told[1].value_at_risk))
    marks = pnl + quantile < 0.0
    against = None
    if baseline in joint and model != baseline:
        against = diebold_mariano(joint[model], joint[baseline])
    return ScoreLine(
        model=model,
        fz0=float(joint[model].mean()),
        pinball_usd=float(pinball(pnl, -quantile, q=rate).mean()),
        exceptions=int(marks.sum()),
        coverage=float(1.0 - marks.mean()),
        against=float(against.statistic) if against else None,
        against_p=float(against.p_value) if against else None,
        set_p=place[0],
        kept=place[1],
    )
