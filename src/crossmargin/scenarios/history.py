"""What factors did: their levels bar by bar, and the moves that a scenario may repeat.

A history is cut before it is used: `until` keeps what was known at an instant, and everything that is fitted or
backtested takes a history that was cut, so nothing can look ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.canon import digest
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.core.instant import DAY_NS, format_instant
from crossmargin.scenarios.factors import RELATIVE_KINDS, parse_factor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FactorHistory:
    """Levels of factors at the closes of bars.

    `close_ns` [bar], ascending: when each level was known. `level` [bar, factor]: the price, index, implied volatility,
    peg (1 = at par), rate or carry (decimals a year); NaN where there was none. `scale` names factors that may be
    negative, and the price that a move of 100 % stands for.
    """

    close_ns: IntArray
    factors: tuple[str, ...]
    level: FloatArray
    scale: Mapping[str, float] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        assert self.level.shape == (len(self.close_ns), len(self.factors)), "levels are bar × factor"

    def __len__(self) -> int:
        return len(self.close_ns)

    def until(self, time_ns: int) -> FactorHistory:
        """What was known at an instant: bars that had closed by then."""
        return self.rows(slice(0, int(np.searchsorted(self.close_ns, time_ns, side="right"))))

    def last(self, bars: int) -> FactorHistory:
        """The latest bars, at most as many as are asked for."""
        return self.rows(slice(max(len(self) - bars, 0), len(self)))

    def rows(self, rows: slice | IntArray) -> FactorHistory:
        """Some of the bars."""
        return FactorHistory(
            close_ns=self.close_ns[rows],
            factors=self.factors,
            level=self.level[rows],
            scale=self.scale,
            source=self.source,
        )

    def select(self, factors: Iterable[str]) -> FactorHistory:
        """The history of some factors, in their order; raises `MissingFactors`, naming all that it lacks."""
        names = tuple(factors)
        missing = [name for name in names if name not in self.factors]
        if missing:
            raise MissingFactors(missing, where="history")
        return FactorHistory(
            close_ns=self.close_ns,
            factors=names,
            level=frozen(self.level[:, [self.factors.index(name) for name in names]]),
            scale={name: x for name, x in self.scale.items() if name in names},
            source=self.source,
        )

    @property
    def bar_days(self) -> float:
        """Days between two closes: their median, so that an outage changes nothing."""
        return float(np.median(np.diff(self.close_ns))) / DAY_NS if len(self) > 1 else 0.0

    def moves(self, bars: int = 1) -> FloatArray:
        """What each factor did over `bars` bars up to each close [len − bars, factor]; NaN where an end is missing.

        The log return of what moves relatively, the difference of what moves absolutely, the difference over `scale` of
        what may be negative. `as_shocks` makes them the shocks of a scenario.
        """
        start, end = self.level[:-bars], self.level[bars:]
        return np.where(self.is_log, _log_ratio(start, end), (end - start) / self._scales())

    @property
    def is_log(self) -> BoolArray:
        """Whether each factor's move is a log return [factor]."""
        return _is_log(self.factors, frozenset(self.scale))

    def _scales(self) -> FloatArray:
        return np.asarray([self.scale.get(name, 1.0) for name in self.factors])

    def as_shocks(self, moves: FloatArray) -> FloatArray:
        """Moves [row, factor] as the shocks of a scenario [row, factor]: e^x − 1 of what is a log return."""
        return np.where(self.is_log, np.expm1(moves), moves)

    def hash(self) -> str:
        """Canonical digest of the whole history."""
        return digest(self)


@lru_cache(maxsize=64)
def _is_log(factors: tuple[str, ...], scaled: frozenset[str]) -> BoolArray:
    """Kept, since a walk asks it of the same factors at every date."""
    kinds = [parse_factor(name, where="history").kind for name in factors]
    flags = zip(factors, kinds, strict=True)
    return frozen([kind in RELATIVE_KINDS and name not in scaled for name, kind in flags], np.bool_)


def _log_ratio(start: FloatArray, end: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(end / start)


def build_history(
    close_ns: IntArray,
    factors: Iterable[str],
    level: FloatArray,
    *,
    scale: Mapping[str, float] | None = None,
    source: str = "",
    where: str = "history",
) -> FactorHistory:
    """A history, checked: known factor names, ascending closes, levels above zero where they must be.

    Raises `InvalidInput` (or a kind of it) that names the factor and the bar.
    """
    names, scales = tuple(factors), dict(scale or {})
    check.unique(names, "factor", where=where)
    for name in names:
        parse_factor(name, where=where)
    for name, value in scales.items():
        check.known(name, names, "factor with a scale", where=where)
        check.positive(value, f"scale of {name}", where=where)
    if level.shape != (len(close_ns), len(names)):
        _refuse("levels", where, str(level.shape), f"{len(close_ns)} bars × {len(names)} factors", "Correct the table.")
    late = np.flatnonzero(np.diff(close_ns) <= 0)
    if len(late):
        at = format_instant(int(close_ns[late[0] + 1]))
        _refuse("time", where, at, "after the bar before it", "Sort the bars, and leave no time twice.")
    history = FactorHistory(
        close_ns=frozen(close_ns, np.int64), factors=names, level=frozen(level), scale=scales, source=source
    )
    _check_levels(history, where)
    return history


def _check_levels(history: FactorHistory, where: str) -> None:
    infinite = np.isinf(history.level)
    low = history.is_log[None, :] & (history.level <= 0.0)
    bad = np.argwhere(infinite | low)
    if len(bad):
        row, column = (int(i) for i in bad[0])
        _refuse(
            f"level of {history.factors[column]}",
            f"{where} at {format_instant(int(history.close_ns[row]))}",
            float(history.level[row, column]),
            "finite, and above zero for what moves relatively",
            "Correct or drop the bar; for a price that may be negative give a scale.",
        )


def _refuse(what: str, where: str, value: object, limit: str, remedy: str) -> None:
    raise InvalidInput(what, where=where, value=value, limit=limit, remedy=remedy)
