"""Drawings of what may come: how requirements spread, and the way to the move that exhausts an account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from crossmargin.cli.outlook.words import shock_words, short_name
from crossmargin.cli.report.svg import (
    EM,
    LINE,
    Markup,
    Scale,
    bar,
    chart,
    element,
    is_wide,
    join,
    label,
    line,
    money_axis,
    path,
    row_texts,
    rows,
    scale,
    text_width,
    tick,
    ticks,
)
from crossmargin.cli.wording import compact, named, trimmed, usd
from crossmargin.engine.outlook.reverse import FactorMove, ReverseLine

_AXIS: Final = 2 * LINE + 6.0
BINS: Final = 24


def spread_bars(title: str, values: Sequence[float], now: float, width: float, *, edge: bool = False) -> Markup:
    """How many outcomes end where, USD; the dashed line is now, and with `edge` what lies below zero is a call."""
    left, top, bottom = 40.0, 2 * LINE, 2 * LINE + 150.0
    reach = [*values, now, *((0.0,) if edge else ())]
    low, high = min(reach), max(reach)
    room = 0.03 * (high - low or 1.0)
    across = Scale(low - room, high + room, left, width - 6.0)
    counts, edges = np.histogram(values, bins=_edges(across, split=edge))
    up = scale([float(c) for c in counts], bottom, top, pad=0.04)
    parts = [_count_axis(up, left, width - 6.0), money_axis(across, top, bottom, title=f"{title}, USD")]
    for count, start, end in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if count:
            tip = element("title", f"{usd(start)} to {usd(end)} USD: {named(count, 'outcome')}")
            class_ = "loss" if edge and end <= 0.0 else "initial"
            x, wide = across(start) + 0.5, across(end) - across(start) - 1.0
            y = up(float(count))
            parts.append(element("rect", tip, x=x, y=y, width=max(wide, 0.75), height=bottom - y, class_=class_))
    parts.append(_marked(across, now, f"now {compact(now)}", top, bottom, "held", "held-word"))
    if edge:
        parts.append(_marked(across, 0.0, "call", top, bottom, "edge", "edge-word", down=LINE))
    return chart(f"{title} of {named(len(values), 'outcome')}", width, bottom + _AXIS, *parts)


def _edges(across: Scale, *, split: bool) -> list[float]:
    """The borders of the bins; zero is one of them where what lies below it is told apart."""
    step = (across.high - across.low) / BINS
    if not split or not across.low < 0.0 < across.high:
        return [across.low + i * step for i in range(BINS + 1)]
    first, last = int(np.ceil(-across.low / step)), int(np.ceil(across.high / step))
    return [i * step for i in range(-first, last + 1)]


def _count_axis(up: Scale, left: float, right: float) -> Markup:
    parts = []
    for value in ticks(0.0, up.high, 4):
        if value == int(value):
            parts.append(line(left, up(value), right, up(value), "zero" if value == 0.0 else "gridline"))
            parts.append(label(left - 6.0, up(value) + 0.36 * EM, compact(value), anchor="end", class_="tick"))
    return join(parts)


def _marked(
    across: Scale, value: float, words: str, top: float, bottom: float, class_: str, text: str, *, down: float = 0.0
) -> Markup:
    """A line at a value with its word above."""
    x, half = across(value), text_width(words) / 2.0
    at = min(max(x, across.start + half), across.end - half)
    return join(
        (
            line(x, top - 4.0 - LINE + down, x, bottom, class_),
            label(at, top - 8.0 - LINE + down, words, anchor="middle", class_=text),
        )
    )


def way_down(reached: Sequence[ReverseLine], width: float) -> Markup:
    """P&L of the account on the way to each target, by distance; the dashed lines are what each target takes."""
    left, top, bottom = 58.0, 8.0, 240.0
    farthest = max(x.deviations or 0.0 for x in reached)
    across = Scale(0.0, 1.04 * farthest or 1.0, left, width - 6.0)
    up = scale([p.pnl_usd for x in reached for p in x.path], bottom, top, pad=0.06)
    parts = []
    for value in ticks(up.low, up.high, 5):
        parts.append(line(left, up(value), width - 6.0, up(value), "zero" if value == 0.0 else "gridline"))
        parts.append(label(left - 6.0, up(value) + 4.0, compact(value), anchor="end", class_="tick"))
    for value in ticks(0.0, across.high, 6):
        parts.append(line(across(value), top, across(value), bottom, "gridline"))
        parts.append(tick(across(value), bottom + LINE, trimmed(f"{value:.1f}"), across))
    parts += [_way(one, across, up) for one in reached]
    middle = (left + width) / 2.0
    words = "distance in standard deviations; P&L in USD"
    parts.append(label(middle, bottom + 2 * LINE, words, anchor="middle", class_="tick"))
    return chart("P&L on the way to each target", width, bottom + _AXIS, *parts)


def _way(one: ReverseLine, across: Scale, up: Scale) -> Markup:
    distance = one.deviations or 0.0
    points = [(across(p.part * distance), up(p.pnl_usd)) for p in one.path]
    edge = up(-one.target_usd)
    words = f"{short_name(one)} {compact(one.target_usd)}"
    parts = [line(across.start, edge, across.end, edge, "edge"), path(points, "curve")]
    parts.append(label(across.start + 6.0, edge - 5.0, words, class_="edge-word"))
    for p, (x, y) in zip(one.path, points, strict=True):
        tip = element("title", f"{p.part * distance:.1f} deviations: {usd(p.pnl_usd)} USD")
        parts.append(element("circle", tip, cx=x, cy=y, r=6.0, class_="hover"))
    parts.append(element("circle", cx=points[-1][0], cy=points[-1][1], r=4.0, class_="spot"))
    return join(parts)


def move_bars(what: str, moves: Sequence[FactorMove], width: float) -> Markup:
    """How far each factor moves, in its own standard deviations; the figure is the move itself."""
    names, figures = [m.factor for m in moves], [shock_words(m) for m in moves]
    place = rows(names, figures, width)
    across = scale([m.deviations for m in moves], place.left, place.right, pad=0.02)
    parts = []
    for value in ticks(across.low, across.high, 5 if is_wide(width) else 3):
        parts.append(line(across(value), place.top, across(value), place.bottom, "gridline" if value else "zero"))
        parts.append(tick(across(value), place.bottom + LINE, trimmed(f"{value:.1f}").replace("-", "−"), across))
    for i, m in enumerate(moves):
        tip = f"{m.factor} {figures[i]}: {m.deviations:.1f} of its own standard deviations"
        class_ = "loss" if m.deviations < 0.0 else "gain"
        parts.append(bar(across(0.0), across(m.deviations), place.y(i), place.bar_height, class_, tip=tip))
    parts.append(row_texts(place, names, figures))
    middle = (place.left + place.right) / 2.0
    parts.append(label(middle, place.bottom + 2 * LINE, "own standard deviations", anchor="middle", class_="tick"))
    return chart(f"The move that costs the {what}, factor by factor", width, place.bottom + _AXIS, *parts)
