"""Drawings of a fit: volatilities over time, residuals against the normal distribution, correlations, whiskers."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.special import ndtri

from crossmargin.cli.report.svg import (
    EM,
    LINE,
    Markup,
    Scale,
    chart,
    element,
    is_wide,
    join,
    label,
    legend,
    line,
    path,
    row_texts,
    rows,
    text_width,
    tick,
    ticks,
)
from crossmargin.cli.wording import compact, label_text, percent, trimmed
from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.instant import DAY_NS

_AXIS: Final = 2 * LINE + 6.0
POINTS: Final = 400  # of a path or a plot of quantiles: more are not seen
_NS: Final = 1_000_000_000
_FAT: Final = 0.5  # deviations further out than normal, from which a residual is coloured


class Level(NamedTuple):
    """A level across a plot: its word, its value, how its line is drawn (not at all for "")."""

    word: str
    value: float
    class_: str = "edge"


def volatility_path(factor: str, close_ns: IntArray, vol: FloatArray, levels: Sequence[Level], width: float) -> Markup:
    """The forecast volatility of one factor, a year, bar by bar, and the levels beside it."""
    left, top, bottom = 48.0, 3 * LINE, 3 * LINE + 150.0
    values = vol[np.isfinite(vol)]
    high = max([float(values.max(initial=0.0)), *(x.value for x in levels)]) or 1.0
    across = Scale(float(close_ns[0]), float(close_ns[-1]), left, width - 6.0)
    up = Scale(0.0, 1.05 * high, bottom, top)
    parts = [_percents(up, left, width - 6.0), _years(across, top, bottom)]
    kept = np.unique(np.linspace(0, len(vol) - 1, min(POINTS, len(vol))).astype(np.int64))
    shown = [(across(float(close_ns[i])), up(float(vol[i]))) for i in kept if np.isfinite(vol[i])]
    parts.append(path(shown, "curve"))
    parts += [line(left, up(x.value), width - 6.0, up(x.value), x.class_) for x in levels if x.class_]
    parts.append(_level_words(levels, left, width))
    return chart(f"Volatility of {factor} a year, over time", width, bottom + LINE + 6.0, *parts)


def _level_words(levels: Sequence[Level], left: float, width: float) -> Markup:
    """The levels in words above the plot, in as many lines as it takes."""
    parts, x, y = [], left, EM
    for found in levels:
        words = f"{found.word} {percent(found.value)}"
        if x + text_width(words) > width and x > left:
            x, y = left, y + LINE
        parts.append(label(x, y, words, class_=f"{found.class_}-word" if found.class_ else "tick"))
        x += text_width(words) + 14.0
    return join(parts)


def _percents(up: Scale, left: float, right: float) -> Markup:
    parts = []
    for value in ticks(up.low, up.high, 4):
        parts.append(line(left, up(value), right, up(value), "gridline" if value else "zero"))
        parts.append(label(left - 6.0, up(value) + 4.0, percent(value), anchor="end", class_="tick"))
    return join(parts)


def _years(across: Scale, top: float, bottom: float) -> Markup:
    """The first days of years on an axis of nanoseconds, or of months where it spans less than two years."""
    first, last = (dt.datetime.fromtimestamp(x / _NS, tz=dt.UTC) for x in (across.low, across.high))
    by_month = (across.high - across.low) / DAY_NS < 730.0
    starts = [
        dt.datetime(year, month, 1, tzinfo=dt.UTC)
        for year in range(first.year, last.year + 1)
        for month in (range(1, 13) if by_month else (1,))
    ]
    parts, taken = [], across.start - 60.0
    for start in starts:
        x = across(start.timestamp() * _NS) if first <= start <= last else -1.0
        if x < 0.0:
            continue
        parts.append(line(x, top, x, bottom, "gridline"))
        if x - taken > 58.0:
            parts.append(tick(x, bottom + LINE, f"{start:%Y-%m}" if by_month else f"{start:%Y}", across))
            taken = x
    return join(parts)


def normal_quantiles(factor: str, residual: FloatArray, width: float) -> Markup:
    """Residuals in their order against what a normal distribution would have there; the line is the normal one."""
    ordered = np.sort(residual)
    n = len(ordered)
    expected = ndtri((np.arange(n) + 0.5) / n)
    wide = 1.05 * float(expected[-1])
    reach = 1.04 * max(float(np.abs(ordered).max(initial=0.0)), wide)
    left, top, bottom = 34.0, 8.0, 8.0 + (260.0 if is_wide(width) else 220.0)
    across, up = Scale(-wide, wide, left, width - 6.0), Scale(-reach, reach, bottom, top)
    parts = []
    for value in ticks(-reach, reach, 6):
        parts.append(line(left, up(value), width - 6.0, up(value), "gridline" if value else "zero"))
        words = label_text(trimmed(f"{value:.1f}"))
        parts.append(label(left - 6.0, up(value) + 4.0, words, anchor="end", class_="tick"))
    for value in ticks(-wide, wide, 6):
        parts.append(line(across(value), top, across(value), bottom, "gridline" if value else "zero"))
        parts.append(tick(across(value), bottom + LINE, label_text(trimmed(f"{value:.1f}")), across))
    parts.append(path([(across(x), up(x)) for x in (-wide, wide)], "curve"))
    for i in _shown(n):
        x, y = float(expected[i]), float(ordered[i])
        tip = element("title", f"residual {label_text(f'{y:.2f}')}, normal {label_text(f'{x:.2f}')}")
        is_fat = abs(y) > abs(x) + _FAT
        parts.append(element("circle", tip, cx=across(x), cy=up(y), r=2.4, class_="loss" if is_fat else "gain"))
    middle = (left + width) / 2.0
    parts.append(label(middle, bottom + 2 * LINE, "normal deviations", anchor="middle", class_="tick"))
    return chart(f"Residuals of {factor} against a normal distribution", width, bottom + _AXIS, *parts)


def _shown(count: int) -> list[int]:
    """The outer hundred of either side, and evenly chosen ones between."""
    if count <= POINTS:
        return list(range(count))
    middle = np.linspace(100, count - 101, POINTS - 200).astype(np.int64).tolist()
    return [*range(100), *dict.fromkeys(middle), *range(count - 100, count)]


def correlation_map(names: Sequence[str], matrix: Sequence[Sequence[float]], width: float) -> Markup:
    """Correlations of the residuals, blue for together and orange for against, deeper for stronger."""
    left = min(0.34 * width, max(map(text_width, names)) + 12.0)
    step = min((width - left - 4.0) / len(names), 64.0)
    height = max(min(step, 34.0), LINE)
    top, every = LINE + 4.0, math.ceil((text_width(str(len(names)), size=11.5) + 4.0) / step)
    parts = []
    for i, (name, row) in enumerate(zip(names, matrix, strict=True)):
        y = top + height * i
        words = name if text_width(name) <= left - 8.0 else f"{i + 1}"
        parts.append(label(left - 6.0, y + height / 2.0 + 4.0, words, anchor="end", full=name))
        if i % every == 0:
            parts.append(label(left + step * (i + 0.5), top - 5.0, f"{i + 1}", anchor="middle", class_="tick"))
        for k, value in enumerate(row):
            parts.append(_tile(left + step * k, y, step, height, value, f"{name} and {names[k]}"))
    return chart("Correlations of residuals", width, top + height * len(names) + 6.0, *parts)


def _tile(x: float, y: float, step: float, height: float, value: float, pair: str) -> Markup:
    tip = element("title", f"{pair}: {label_text(f'{value:.2f}')}")
    class_ = "heat-loss" if value < 0.0 else "heat-gain"
    depth = min(1.0, abs(value))
    fill = element("rect", x=x, y=y, width=step - 0.5, height=height - 0.5, fill_opacity=depth, class_=class_)
    words = label_text(f"{value:.2f}")
    room = text_width(words, size=11.0) <= step - 2.0
    text = label(x + step / 2.0, y + height / 2.0 + 4.0, words, anchor="middle", class_=_ink(depth)) if room else ""
    return element("g", tip, fill, text)


def _ink(depth: float) -> str:
    return "small heat-deep" if depth > 0.55 else "small"


class Whisker(NamedTuple):
    """An estimate with its standard error, and the class that colours it."""

    value: float
    error: float
    class_: str


def whiskers(
    title: str,
    names: Sequence[str],
    estimates: Sequence[Sequence[Whisker]],
    reference: Level,
    width: float,
    *,
    keys: Sequence[tuple[str, str]] = (),
) -> Markup:
    """Estimates as dots with two standard errors to either side, a row for each name; the line is the reference."""
    figures = [" / ".join(f"{w.value:.2f}" for w in row) for row in estimates]
    place = rows(names, figures, width, bar_height=16.0, top=(2.0 if keys else 1.0) * LINE + 8.0)
    ends = [x for row in estimates for w in row for x in (w.value - 2.0 * w.error, w.value + 2.0 * w.error)]
    low, high = min([*ends, reference.value]), max([*ends, reference.value])
    room = 0.04 * (high - low or 1.0)
    across = Scale(low - room, high + room, place.left, place.right)
    parts = []
    for value in ticks(across.low, across.high, 5 if is_wide(width) else 3):
        parts.append(line(across(value), place.top, across(value), place.bottom, "gridline"))
        parts.append(tick(across(value), place.bottom + LINE, label_text(trimmed(f"{value:.2f}")), across))
    x = across(reference.value)
    parts.append(line(x, place.top - 3.0, x, place.bottom, "held"))
    half = text_width(reference.word) / 2.0
    at = min(max(x, place.left + half), place.right - half)
    parts.append(label(at, place.top - 7.0, reference.word, anchor="middle", class_="held-word"))
    for i, row in enumerate(estimates):
        parts += _marks(names[i], row, place.y(i), across)
    parts.append(row_texts(place, names, figures))
    parts.append(legend(keys, 2.0, 10.0))
    middle = (place.left + place.right) / 2.0
    parts.append(label(middle, place.bottom + 2 * LINE, title, anchor="middle", class_="tick"))
    return chart(title, width, place.bottom + _AXIS, *parts)


def _marks(name: str, row: Sequence[Whisker], y: float, across: Scale) -> Iterator[Markup]:
    for k, w in enumerate(row):
        at = y + 16.0 * (k + 1.0) / (len(row) + 1.0)
        tip = element("title", f"{name}: {w.value:.2f} ± {compact(w.error)}")
        start, end = across(w.value - 2.0 * w.error), across(w.value + 2.0 * w.error)
        yield element("rect", x=start, y=at - 0.75, width=max(end - start, 0.75), height=1.5, class_=w.class_)
        yield element("circle", tip, cx=across(w.value), cy=at, r=3.6, class_=w.class_)
