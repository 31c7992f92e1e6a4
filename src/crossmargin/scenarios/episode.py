"""A stretch of history replayed on today's market: how far each factor had moved since the stretch began, bar by bar.

A level is the last one known at a bar: a market that is closed stands where it closed. What is calibrated along the way
sees a history sampled back from the bar, so nothing after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray, frozen
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.core.instant import DAY_NS, format_instant
from crossmargin.scenarios.history import FactorHistory

CLOSED_DAYS: Final = 5.0  # the longest that a market may have been closed: a long weekend with a holiday on each side
_HOUR_NS: Final = DAY_NS // 24
_FINER: Final = (
    0.75  # a bar below this part of the wanted one is finer; above it, only the spacing of one market differs
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Episode:
    """Moves since the start [bar, factor], as shocks: relative, absolute, or over a scale as the kind says.

    `close_ns` [bar], the first of which is the start, where nothing has moved yet.
    """

    close_ns: IntArray
    factors: tuple[str, ...]
    move: FloatArray

    def __len__(self) -> int:
        return len(self.close_ns)


def episode(
    history: FactorHistory, factors: Iterable[str], *, start_ns: int, days: float, every_hours: float = 0.0
) -> Episode:
    """What `factors` did from an instant on for so many days: at every bar, or at most once in `every_hours`.

    Raises `MissingFactors` for factors that the history lacks, or of which it knows no level within `CLOSED_DAYS` of a
    bar; `InvalidInput` for a stretch without a bar.
    """
    told = history.select(factors)
    close = _bars(told, start_ns, days, every_hours)
    level = known_levels(told, close, age_ns=int(CLOSED_DAYS * DAY_NS))
    gaps = np.flatnonzero(np.isnan(level).any(axis=0))
    if len(gaps):
        missing = [told.factors[i] for i in gaps]
        where = f"history from {format_instant(start_ns)} for {days:g} days"
        raise MissingFactors(missing, where=where, remedy="Add their history, or hold them still by name (--still).")
    scale = np.asarray([told.scale.get(name, 1.0) for name in told.factors])
    with np.errstate(divide="ignore", invalid="ignore"):
        move = np.where(told.is_log, level / level[0] - 1.0, (level - level[0]) / scale)
    return Episode(close_ns=frozen(close, np.int64), factors=told.factors, move=frozen(move))


def _bars(history: FactorHistory, start_ns: int, days: float, every_hours: float) -> IntArray:
    end_ns = start_ns + int(days * DAY_NS)
    inside = history.close_ns[(history.close_ns > start_ns) & (history.close_ns <= end_ns)]
    if not len(inside) or history.close_ns[0] > start_ns:
        span = [format_instant(int(t)) for t in history.close_ns[[0, -1]]] if len(history) else ["nothing"]
        raise InvalidInput(
            "history",
            where="replay",
            value=" to ".join(span),
            limit=f"bars before {format_instant(start_ns)} and in the {days:g} days from then",
            remedy="Give a history that holds the event.",
        )
    if every_hours > 0.0:
        step = np.ceil((inside - start_ns) / (every_hours * _HOUR_NS))
        inside = inside[np.append(step[1:] != step[:-1], True)]
    return np.concatenate([[start_ns], inside]).astype(np.int64)


def known_levels(history: FactorHistory, times_ns: IntArray, *, age_ns: int) -> FloatArray:
    """The last level of each factor at or before each time [time, factor]; NaN where it is older than `age_ns`."""
    there = ~np.isnan(history.level)
    bars = np.arange(len(history))[:, None]
    last = np.maximum.accumulate(np.where(there, bars, -1), axis=0)
    row = np.searchsorted(history.close_ns, times_ns, side="right") - 1
    found = np.where(row[:, None] >= 0, last[np.maximum(row, 0)], -1)
    level = np.take_along_axis(history.level, np.maximum(found, 0), axis=0)
    age = np.asarray(times_ns)[:, None] - history.close_ns[np.maximum(found, 0)]
    return np.asarray(np.where((found >= 0) & (age <= age_ns), level, np.nan))


def sampled(history: FactorHistory, *, end_ns: int, bar_days: float) -> FactorHistory:
    """The history as it was known at an instant, in bars of `bar_days` counted back from it.

    A bar at which a factor had no level for longer than a bar keeps a gap, so that moves over a closed market stay
    whole; the last bar has the last level known. A history whose bars are as long is only cut.
    """
    known = history.until(end_ns)
    bar_ns = round(bar_days * DAY_NS)
    if not len(known) or known.bar_days > _FINER * bar_days:
        return known
    count = int((end_ns - known.close_ns[0]) // bar_ns)
    times = end_ns - bar_ns * np.arange(count, -1, -1, dtype=np.int64)
    level = known_levels(known, times, age_ns=bar_ns - 1)
    level[-1] = known_levels(known, times[-1:], age_ns=int(CLOSED_DAYS * DAY_NS))[0]
    return FactorHistory(
        close_ns=frozen(times, np.int64),
        factors=known.factors,
        level=frozen(level),
        scale=known.scale,
        source=known.source,
    )
