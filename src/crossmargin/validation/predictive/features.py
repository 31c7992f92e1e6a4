"""What a predictive margin may look at, date by date: the market's state, the calendar, and a portfolio's own past.

Every figure of a date is made of bars that had closed by then, by running sums from the first bar on, so that nothing
later can enter. A feature that is not known (a vol that nobody quoted yet) is NaN, which the learner takes as such.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IntArray, frozen
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS, YEAR_DAYS, format_instant
from crossmargin.scenarios.calibrating.calibrate import common_bars
from crossmargin.scenarios.factors import PRICE_KINDS, parse_factor
from crossmargin.scenarios.history import FactorHistory
from crossmargin.validation.backtest import Series

WINDOWS: Final = (5, 22, 66)  # bars: a week, a month and a quarter of trading days
CORRELATED: Final = 66  # bars of a mean correlation
EXPIRY_NS: Final = DAY_NS // 3  # Listed options on crypto expire at 08:00 UTC (Deribit's contract specification).
_THURSDAY: Final = 3  # The weekday of 1970-01-01, Monday being 0.
_FRIDAY: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureTable:
    """Features that no factor is: `value` [bar, name] known at `close_ns` [bar], ascending; NaN where unknown."""

    close_ns: IntArray
    names: tuple[str, ...]
    value: FloatArray

    def at(self, time_ns: IntArray) -> FloatArray:
        """The latest known by each time [date, name]; NaN before the first bar."""
        row = np.searchsorted(self.close_ns, time_ns, side="right") - 1
        return np.where(row[:, None] >= 0, self.value[np.maximum(row, 0)], np.nan)


def build_features(
    close_ns: IntArray, names: Iterable[str], value: FloatArray, *, where: str = "features"
) -> FeatureTable:
    """A table of features, checked: funding, open interest, or whatever else was known at the close of a bar.

    Raises `DuplicateName`, and `InvalidInput` for shapes, bars out of order and infinities."""
    columns = tuple(names)
    check.unique(columns, "feature", where=where)
    if value.shape != (len(close_ns), len(columns)):
        limit = f"{len(close_ns)} bars × {len(columns)} features"
        raise InvalidInput("features", where=where, value=value.shape, limit=limit, remedy="Correct the table.")
    late = np.flatnonzero(np.diff(close_ns) <= 0)
    if len(late):
        at = format_instant(int(close_ns[late[0] + 1]))
        raise InvalidInput("time", where=where, value=at, limit="after the bar before it", remedy="Sort the bars.")
    infinite = np.argwhere(np.isinf(value))
    if len(infinite):
        row, column = (int(i) for i in infinite[0])
        at = format_instant(int(close_ns[row]))
        name = columns[column]
        raise InvalidInput(
            name, where=f"{where} at {at}", value="infinite", limit="finite, or NaN", remedy="Correct the bar."
        )
    return FeatureTable(close_ns=frozen(close_ns, np.int64), names=columns, value=frozen(value))


def joined(tables: Iterable[FeatureTable], time_ns: IntArray) -> FeatureTable:
    """All features of several tables at the given times; raises `DuplicateName` for a name in two of them."""
    parts = tuple(tables)
    names = tuple(name for table in parts for name in table.names)
    return build_features(time_ns, names, np.concatenate([table.at(time_ns) for table in parts], axis=1))


def market_features(told: FactorHistory) -> FeatureTable:
    """The state of the market at every whole bar of a history (`common_bars`) [bar, name].

    Realised volatility over `WINDOWS` against the long run, the largest and the mean move in units of it, the mean
    correlation; level and changes of implied volatility, of skew and of carry, and implied against realised, where the
    history has such factors, as medians over them; the calendar.

    Raises what `common_bars` raises."""
    history = common_bars(told)
    kinds = [parse_factor(name, where="features").kind for name in history.factors]
    prices = [i for i, kind in enumerate(kinds) if kind in PRICE_KINDS]
    found = _price_features(history, prices) if prices else {}
    for kind in ("vol", "skew", "fwd"):
        own = [i for i, other in enumerate(kinds) if other == kind]
        if own:
            found |= _level_features(kind, history.level[:, own], relative=kind == "vol")
    if "vol" in kinds and prices:
        found["vol_over_realised"] = _implied_over_realised(history)
    found |= calendar(history.close_ns)
    return build_features(history.close_ns, found, np.stack(list(found.values()), axis=1))


def calendar(close_ns: IntArray) -> dict[str, FloatArray]:
    """Known ahead [bar]: the hour and weekday (Monday 0) in which the next bar begins, whether that is a weekend, and
    the days to the last Friday of a month, 08:00 UTC, when most options on crypto expire."""
    day = close_ns // DAY_NS
    weekday = (day + _THURSDAY) % 7
    months = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    this, following = (_last_friday(months + ahead) for ahead in (0, 1))
    expiry = np.where(this > close_ns, this, following)
    return {
        "hour": (close_ns % DAY_NS) / (DAY_NS / 24.0),
        "weekday": weekday.astype(np.float64),
        "weekend": (weekday > _FRIDAY).astype(np.float64),
        "days_to_expiry": (expiry - close_ns) / DAY_NS,
    }


def _last_friday(months: IntArray) -> IntArray:
    """The expiry of each month, counted from 1970-01."""
    last = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - 1
    friday = last - (last + _THURSDAY - _FRIDAY) % 7
    return np.asarray(friday * DAY_NS + EXPIRY_NS, np.int64)


def _price_features(history: FactorHistory, prices: list[int]) -> dict[str, FloatArray]:
    moves = _moves(history)[:, prices]
    long_run = _rolling_size(moves, len(moves))
    size = {window: _rolling_size(moves, window) for window in WINDOWS}
    z = _ratio(moves, _shifted(size[WINDOWS[1]]))
    found = {f"realised_{window}": _median(_log_ratio(size[window], long_run)) for window in WINDOWS}
    found["largest_move"] = _extreme(np.abs(z))
    found["mean_move"] = _median(z)
    found["mean_move_5"] = _rolling_mean(found["mean_move"][:, None], WINDOWS[0])[:, 0]
    if len(prices) > 1:
        found["correlation"] = _mean_correlation(z, CORRELATED)
    return found


def _level_features(kind: str, level: FloatArray, *, relative: bool) -> dict[str, FloatArray]:
    """Level against its own past mean, and its changes over a bar and a week [bar]; logarithms where `relative`."""
    shown = np.log(level) if relative else level
    above = shown - _rolling_mean(shown, len(shown))
    changes = {f"{kind}_change_{bars}": _median(shown - _shifted(shown, bars)) for bars in (1, WINDOWS[0])}
    return {f"{kind}_level": _median(above), **changes}


def _implied_over_realised(history: FactorHistory) -> FloatArray:
    """The median over underlyings of ln(implied/realised over a month) [bar]; NaN where none has both."""
    parsed = [parse_factor(name, where="features") for name in history.factors]
    price = {factor.name: i for i, factor in enumerate(parsed) if factor.kind in PRICE_KINDS}
    pairs = [
        (i, price[factor.name]) for i, factor in enumerate(parsed) if factor.kind == "vol" and factor.name in price
    ]
    if not pairs:
        return np.full(len(history), np.nan)
    implied, underlying = (list(side) for side in zip(*pairs, strict=True))
    yearly = _rolling_size(_moves(history)[:, underlying], WINDOWS[1]) * np.sqrt(
        YEAR_DAYS / max(history.bar_days, 1e-9)
    )
    return _median(_log_ratio(history.level[:, implied], yearly))


def account_features(series: Series, scale: FloatArray, *, lag: int) -> dict[str, FloatArray]:
    """A portfolio's own past on each date, in units of the `scale` [account, date] of today's margin [account, date].

    Root mean squares of its P&L over a day, week, month and quarter (the measures of HAR, Corsi 2009), its mean, its
    worst loss over a month and a year; the margin against its own mean of a month and a year, and the forecast's
    shortfall against it. The P&L of a date is known `lag` dates later, and enters then."""
    pnl, now = _shifted(series.pnl.T, lag), np.where(scale > 0.0, scale, np.nan).T
    found = {f"own_size_{window}": _log_ratio(_rolling_size(pnl, window), now) for window in (1, *WINDOWS)}
    found["own_mean"] = _rolling_mean(pnl, WINDOWS[1]) / now
    for window in (WINDOWS[1], 250):
        found[f"own_worst_{window}"] = _rolling_worst(-pnl, window) / now
        found[f"margin_over_{window}"] = np.log(now) - _rolling_mean(np.log(now), window)
    if series.forecast is not None:
        found["tail"] = series.forecast.shortfall.T / now
    return {name: np.ascontiguousarray(values.T) for name, values in found.items()}


def _moves(history: FactorHistory) -> FloatArray:
    """Moves up to each bar [bar, factor]; the first has none."""
    return np.concatenate([np.full((min(len(history), 1), len(history.factors)), np.nan), history.moves()])


def _shifted(values: FloatArray, bars: int = 1) -> FloatArray:
    """What stood `bars` rows before [row, column]; NaN in the first."""
    return np.concatenate([np.full((bars, *values.shape[1:]), np.nan), values])[: len(values)]


def _rolling_sums(values: FloatArray, window: int) -> tuple[FloatArray, FloatArray]:
    """Sums and counts of what is known of the last `window` rows [row, column], by running sums from the first."""
    known = ~np.isnan(values)
    zero = np.zeros((1, values.shape[1]))
    total = np.cumsum(np.concatenate([zero, np.where(known, values, 0.0)]), axis=0)
    count = np.cumsum(np.concatenate([zero, known]), axis=0)
    first = np.maximum(np.arange(1, len(values) + 1) - window, 0)
    return total[1:] - total[first], count[1:] - count[first]


def _rolling_mean(values: FloatArray, window: int) -> FloatArray:
    total, count = _rolling_sums(values, window)
    return np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)


def _rolling_size(values: FloatArray, window: int) -> FloatArray:
    """The root mean square of the last `window` rows."""
    return np.asarray(np.sqrt(np.maximum(_rolling_mean(values**2, window), 0.0)))


def _rolling_worst(loss: FloatArray, window: int) -> FloatArray:
    """The largest of the last `window` rows; NaN where none is known."""
    held = np.where(np.isnan(loss), -np.inf, loss)
    padded = np.concatenate([np.full((window - 1, loss.shape[1]), -np.inf), held])
    worst = np.lib.stride_tricks.sliding_window_view(padded, window, axis=0).max(axis=-1)
    return np.where(np.isfinite(worst), worst, np.nan)


def _mean_correlation(z: FloatArray, window: int) -> FloatArray:
    """The mean of the pairwise correlations over `window` bars [bar], from standardised moves: (n·v − 1)/(n − 1), v the
    mean square of the average move over the mean square of moves."""
    whole = np.where(np.isnan(z).any(axis=1, keepdims=True), np.nan, z)
    count = z.shape[1]
    joint = _rolling_mean(whole.mean(axis=1, keepdims=True) ** 2, window)[:, 0]
    alone = _rolling_mean((whole**2).mean(axis=1, keepdims=True), window)[:, 0]
    return np.asarray((count * _ratio(joint, alone) - 1.0) / (count - 1.0))


def _ratio(values: FloatArray, scale: FloatArray) -> FloatArray:
    return np.asarray(values / np.where(scale > 0.0, scale, np.nan))


def _log_ratio(values: FloatArray, scale: FloatArray) -> FloatArray:
    """ln(values/scale); NaN where either is not above zero."""
    ratio = _ratio(values, scale)
    return np.asarray(np.log(np.where(ratio > 0.0, ratio, np.nan)))


def _median(values: FloatArray) -> FloatArray:
    """The median of what is known of each row [row]; NaN where nothing is."""
    found = np.full(len(values), np.nan)
    known = ~np.isnan(values).all(axis=1)
    found[known] = np.nanmedian(values[known], axis=1)
    return found


def _extreme(values: FloatArray) -> FloatArray:
    """The largest of what is known of each row [row]; NaN where nothing is."""
    found = np.where(np.isnan(values), -np.inf, values).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(found), found, np.nan)
