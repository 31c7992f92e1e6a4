"""Drawings of a cascade: prices and forced sales by time."""

from __future__ import annotations

from itertools import pairwise

from crossmargin.cli.failures.words import duration
from crossmargin.cli.report.svg import (
    LINE,
    Markup,
    Scale,
    bar,
    chart,
    element,
    is_wide,
    label,
    legend,
    line,
    path,
    scale,
    tick,
    ticks,
)
from crossmargin.cli.wording import percent, trimmed
from crossmargin.engine.failures.cascading import CascadeReport

_LEFT = 52.0
_SHOWN = 6
_UNITS = (("h", 3_600.0), ("min", 60.0), ("s", 1.0))


def price_path(report: CascadeReport, width: float) -> Markup:
    """Prices since before the shock, round by round, and below them how many accounts deal."""
    assets = sorted(report.by_asset, key=lambda a: a.lowest)[:_SHOWN]
    seconds = [max(r.after_s, 0.0) for r in report.by_round]
    top, height = 2 * LINE + 8.0, 210.0 if is_wide(width) else 180.0
    across = Scale(0.0, max(seconds[-1], 1.0), _LEFT, width - 12.0)
    up = scale([0.0, *(x for a in assets for x in a.path)], top + height, top, pad=0.06)
    parts = [legend([(f"trail trail-{i}", a.asset) for i, a in enumerate(assets)], _LEFT, 10.0)]
    for value in ticks(up.low, up.high, 5):
        parts.append(line(across.start, up(value), across.end, up(value), "gridline"))
        parts.append(label(across.start - 6.0, up(value) + 4.0, percent(value), anchor="end", class_="tick"))
    for i, a in enumerate(assets):
        points = list(zip(seconds, a.path, strict=True))
        steps = [points[0]]
        for (_, before), (x, y) in pairwise(points):
            steps += [(x, before), (x, y)]
        parts.append(path([(across(x), up(y)) for x, y in steps], f"trail trail-{i}"))
    below = top + height + 2 * LINE
    parts += [_dealing(report, across, seconds, below), *_axis(across, below + 60.0)]
    return chart("Prices and forced sales by time", width, below + 60.0 + 2 * LINE, *parts)


def _dealing(report: CascadeReport, across: Scale, seconds: list[float], top: float) -> Markup:
    """Bars of how many accounts deal at each time."""
    most = max((r.dealing for r in report.by_round), default=0)
    parts = [label(_LEFT, top - 6.0, f"accounts that deal, at most {most:,} at once", class_="tick")]
    for i, r in enumerate(report.by_round):
        if not r.dealing:
            continue
        x = across(seconds[i])
        tall = max(1.5, 56.0 * r.dealing / most)
        tip = f"{r.dealing:,} accounts after {duration(r.after_s)}"
        parts.append(bar(x - 1.5, x + 1.5, top + 60.0 - tall, tall, "loss", tip=tip))
    return element("g", *parts)


def _axis(across: Scale, y: float) -> list[Markup]:
    unit, size = next((u, x) for u, x in _UNITS if across.high >= 2.0 * x or x == 1.0)
    words = {x * size: f"{trimmed(f'{x:.1f}')} {unit}" if x else "shock" for x in ticks(0.0, across.high / size, 5)}
    ruler = line(across.start, y, across.end, y, "gridline")
    return [ruler, *(tick(across(value), y + LINE, said, across) for value, said in words.items())]
