"""Charts of a backtest: coverage of models and families, the frontier, and margins date by date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from crossmargin.cli.report.svg import (
    LINE,
    Markup,
    Scale,
    bar,
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
    scale,
    text_width,
    tick,
    ticks,
)
from crossmargin.cli.wording import compact, percent, trimmed
from crossmargin.validation.evidence.documents import FrontierLine, Group, ModelEvidence, Path

_AXIS: Final = 2 * LINE + 6.0
_TOP: Final = LINE + 10.0
_HEIGHT: Final = 260.0
_COLUMNS: Final = 360  # bars of losses at most in a path: a screen shows no more
_SECONDS_A_DAY: Final = 86_400


class Mark(NamedTuple):
    """One coverage on a row: its class and what hovering says."""

    value: float
    class_: str
    tip: str


def model_coverage(models: Sequence[ModelEvidence], nominal: float, width: float) -> Markup:
    """Coverage of each model: all dates, the dates unseen when it was chosen, and its worst crisis window."""
    lines = []
    for model in models:
        marks = [Mark(model.whole.coverage, "initial", "all dates")]
        marks += [Mark(g.coverage, "counts ring", g.name) for g in model.periods[-1:]]
        worst = min(model.windows, key=lambda g: g.coverage, default=None)
        marks += [Mark(worst.coverage, "loss", worst.name)] if worst else []
        lines.append((model.model, marks))
    key = (("initial", "all dates"), ("loss", "worst window"))
    return _coverage("Coverage by model", lines, nominal, key, width)


def family_coverage(lead: ModelEvidence, base: ModelEvidence, nominal: float, width: float) -> Markup:
    """Coverage of each family of portfolios by the default and by the baseline."""
    plain = {group.name: group for group in base.families}
    lines = [(group.name, _both(group, plain.get(group.name), lead.model, base.model)) for group in lead.families]
    key = (("initial", lead.model), ("maintenance", base.model))
    return _coverage("Coverage by family", lines, nominal, key, width)


def _both(group: Group, plain: Group | None, name: str, other: str) -> list[Mark]:
    beside = [Mark(plain.coverage, "maintenance", other)] if plain is not None else []
    return [Mark(group.coverage, "initial", name), *beside]


def _coverage(
    title: str,
    lines: Sequence[tuple[str, Sequence[Mark]]],
    nominal: float,
    key: Sequence[tuple[str, str]],
    width: float,
) -> Markup:
    """Dots on one axis of coverage, with a line at the nominal one; the figure is that of the first."""
    names = [name for name, _ in lines]
    figures = [f"{100.0 * marks[0].value:.2f} %" for _, marks in lines]
    place = rows(names, figures, width, top=_TOP)
    low = min([nominal, *(m.value for _, marks in lines for m in marks)])
    across = Scale(low - 0.05 * (1.0 - low), 1.0, place.left, place.right - 6.0)
    parts = []
    for value in ticks(across.low, 1.0, 4):
        x = across(value)
        parts.append(line(x, place.top, x, place.bottom, "gridline"))
        parts.append(tick(x, place.bottom + LINE, percent(value, digits=2), across))
    parts.append(line(across(nominal), place.top, across(nominal), place.bottom, "held"))
    for i, (name, marks) in enumerate(lines):
        y = place.y(i) + place.bar_height / 2.0
        parts.append(line(across.start, y, across.end, y, "gridline"))
        for mark in reversed(marks):  # the first on top
            tip = f"{name}, {mark.tip}: {percent(mark.value, digits=2)}"
            parts.append(_dot(across(mark.value), y, mark.class_, tip))
    parts += [row_texts(place, names, figures), legend(key, 2.0, 10.0)]
    middle = (across.start + across.end) / 2.0
    words = f"share of outcomes covered; nominal {percent(nominal, digits=2)}"
    parts.append(label(middle, place.bottom + 2 * LINE, words, anchor="middle", class_="tick"))
    return chart(title, width, place.bottom + _AXIS, *parts)


def _dot(x: float, y: float, class_: str, tip: str, *, radius: float = 5.0) -> Markup:
    return element("circle", element("title", tip), cx=x, cy=y, r=radius, class_=class_)


def frontier_plot(lines: Sequence[FrontierLine], cost_max: float, rise_max: float, width: float) -> Markup:
    """Cost against the rise over five dates in crises; orange where a window is covered below 99 %."""
    known = [(f, f.cost_ratio, f.rise_5.median) for f in lines if f.rise_5 is not None and f.cost_ratio is not None]
    across = _fitted([x for _, x, _ in known] + [cost_max], 44.0, width - 14.0)
    up = _fitted([y for *_, y in known] + [rise_max], _TOP + _HEIGHT, _TOP)
    parts = [_grid_of(across, up)]
    parts.append(line(across(cost_max), up.start, across(cost_max), up.end, "held"))
    parts.append(line(across.start, up(rise_max), across.end, up(rise_max), "held"))
    for f, cost, rise in known:
        covered = (f.crisis_coverage or 1.0) >= 0.99
        tip = (
            f"weight {percent(f.stressed_weight)}, floor {f.floor:g}, decay {f.decay:g}: cost {cost:.2f} ×, +5 dates "
            f"{percent(rise)}, coverage {percent(f.coverage, digits=2)}"
        )
        if f.crisis_coverage is not None:
            tip += f", worst window {percent(f.crisis_coverage, digits=2)}"
        parts.append(_dot(across(cost), up(rise), "initial" if covered else "loss", tip))
        if f.is_default:
            parts.append(_dot(across(cost), up(rise), "ring", tip, radius=9.0))
            parts.append(label(across(cost) + 12.0, up(rise) - 8.0, "default", class_="strong"))
    key = (("initial", "every window ≥ 99 %"), ("loss", "a window below"))
    parts.append(legend(key, 2.0, 10.0))
    words = "cost, a multiple of the baseline's mean margin"
    middle = (across.start + across.end) / 2.0
    parts.append(label(middle, up.start + 2 * LINE, words, anchor="middle", class_="tick"))
    title = "Cost against the rise of margin over five dates in crises, middle account"
    return chart(title, width, up.start + _AXIS, *parts)


def _fitted(values: Sequence[float], start: float, end: float) -> Scale:
    """A scale over values, and a little more, without zero."""
    low, high = min(values), max(values)
    pad = 0.06 * ((high - low) or 1.0)
    return Scale(low - pad, high + pad, start, end)


def _grid_of(across: Scale, up: Scale) -> Markup:
    parts = []
    for value in ticks(across.low, across.high, 5):
        x = across(value)
        parts.append(line(x, up.start, x, up.end, "gridline"))
        parts.append(tick(x, up.start + LINE, trimmed(f"{value:.2f}") + " ×", across))
    for value in ticks(up.low, up.high, 5):
        y = up(value)
        parts.append(line(across.start, y, across.end, y, "gridline"))
        parts.append(label(across.start - 6.0, y + 4.0, percent(value, digits=0), anchor="end", class_="tick"))
    return join(parts)


def margin_path(shown: Path, default: str, width: float) -> Markup:
    """Losses as bars, margins as lines above them, exceptions as dots; gains are not drawn."""
    days = np.asarray(shown.set_ms) / 1000.0 / _SECONDS_A_DAY
    loss = np.maximum(-np.asarray(shown.pnl_usd), 0.0)
    margins = {name: np.asarray(values) for name, values in shown.margin_usd.items()}
    own = margins[default]
    top = _TOP + (LINE if not is_wide(width) else 0.0)
    across = Scale(float(days[0]), float(max(days[-1], days[0] + 1.0)), 48.0, width - 8.0)
    up = scale([float(loss.max()), *(float(m.max()) for m in margins.values())], top + _HEIGHT, top, pad=0.02)
    parts = [_years(across, up)]
    count = min(_COLUMNS, len(days))
    edges = np.unique(np.linspace(0, len(days) - 1, count, dtype=np.int64))
    worst = np.maximum.reduceat(loss, edges)
    for i, size in zip(edges, worst, strict=True):
        if size > 0.0:
            x = across(float(days[i]))
            parts.append(bar(x, x + 0.8, up(float(size)), up.start - up(float(size)), "haircut"))
    for class_, (_, values) in zip(_LINES, _ordered(margins, default), strict=False):
        parts.append(path([(across(float(days[i])), up(float(values[i]))) for i in edges], class_))
    for i in np.flatnonzero(loss > own):
        tip = f"{_day(float(days[i]))}: loss {compact(float(loss[i]))} USD, margin {compact(float(own[i]))} USD"
        parts.append(_dot(across(float(days[i])), up(float(loss[i])), "loss", tip, radius=3.5))
    parts.append(_key([name for name, _ in _ordered(margins, default)], width))
    title = f"Losses of {shown.account} and the margin before each, {int((loss > own).sum())} exceptions"
    return chart(title, width, up.start + LINE + 8.0, *parts)


_LINES: Final = ("curve", "thin", "held")


def _ordered(margins: dict[str, np.ndarray], default: str) -> list[tuple[str, np.ndarray]]:
    """The default first; the others in their order."""
    return [(default, margins[default]), *((name, m) for name, m in margins.items() if name != default)]


def _key(names: Sequence[str], width: float) -> Markup:
    """A stroke and a name for each line, below each other where it is narrow."""
    parts, x, y = [], 2.0, 10.0
    for class_, name in zip(_LINES, names, strict=False):
        if x + 34.0 + text_width(name) > width:
            x, y = 2.0, y + LINE
        parts.append(line(x, y - 4.0, x + 18.0, y - 4.0, class_))
        parts.append(label(x + 24.0, y, name, class_="tick"))
        x += 40.0 + text_width(name)
    return join(parts)


def _years(across: Scale, up: Scale) -> Markup:
    """Amounts at the left, years (or months of a short test) below."""
    parts = []
    for value in ticks(up.low, up.high, 5):
        y = up(value)
        parts.append(line(across.start, y, across.end, y, "zero" if value == 0.0 else "gridline"))
        parts.append(label(across.start - 6.0, y + 4.0, compact(value), anchor="end", class_="tick"))
    first, last = _date(across.low), _date(across.high)
    step = max(1, round((last.year - first.year + 1) / max(1.0, (across.end - across.start) / 60.0)))
    for year in range(first.year + 1, last.year + 1, step):
        x = across(float(dt.date(year, 1, 1).toordinal() - _EPOCH))
        parts.append(line(x, up.start, x, up.end, "gridline"))
        parts.append(tick(x, up.start + LINE, str(year), across))
    return join(parts)


_EPOCH: Final = dt.date(1970, 1, 1).toordinal()


def _date(day: float) -> dt.date:
    return dt.date.fromordinal(_EPOCH + int(day))


def _day(day: float) -> str:
    return str(_date(day))
