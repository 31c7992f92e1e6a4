"""A day drawn: prices on each source and the band of the mark; both clocks and what a unit counts for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from crossmargin.cli.oracles.words import clock, figure
from crossmargin.cli.report.svg import (
    LINE,
    Markup,
    Scale,
    chart,
    element,
    is_wide,
    join,
    label,
    line,
    line_legend,
    path,
    tick,
    ticks,
)
from crossmargin.cli.wording import level, trimmed
from crossmargin.engine.oracles.reports import AssetReplay, ReplayStep

_LEFT: Final = 58.0
_AXIS: Final = 2 * LINE + 6.0


class _Series(NamedTuple):
    """A line: its class, its name in the legend (none without one), and a value for each step."""

    class_: str
    name: str
    values: tuple[float | None, ...]


_SOURCE_CLASSES: Final = tuple(f"trail trail-{i}" for i in (1, 0, 3, 5, 4))  # the one that stands alone comes first


def price_chart(one: AssetReplay, width: float) -> Markup:
    """The price on each source by minute, and the edges of the mark's band."""
    order = sorted(range(len(one.sources)), key=lambda i: one.sources[i] != one.alone)
    series = [
        _Series(_SOURCE_CLASSES[min(k, len(_SOURCE_CLASSES) - 1)], one.sources[i], tuple(s.said[i] for s in one.steps))
        for k, i in enumerate(order)
    ]
    series += [
        _Series("held trail", "mark lo, hi", tuple(s.lo for s in one.steps)),
        _Series("held trail", "", tuple(s.hi for s in one.steps)),
    ]
    return _drawn(f"Prices of {one.asset} and its mark", one, series, width)


def credit_chart(one: AssetReplay, width: float) -> Markup:
    """What a unit counts for when something is opened, beside the market and the prices of both clocks."""
    series = [
        _Series("trail trail-4", "market", tuple(s.market for s in one.steps)),
        _Series("trail trail-1", "new risk", tuple(s.new_risk for s in one.steps)),
        _Series("trail trail-0", "liquidations", tuple(s.settled for s in one.steps)),
        _Series("curve", "credit", tuple(s.credit for s in one.steps)),
    ]
    return _drawn(f"What {one.asset} counts for", one, series, width, marked=True)


def _drawn(title: str, one: AssetReplay, series: Sequence[_Series], width: float, *, marked: bool = False) -> Markup:
    heading, top = line_legend([(x.class_, x.name) for x in series if x.name], _LEFT, width)
    bottom = top + (250.0 if is_wide(width) else 210.0)
    across = Scale(0.0, max(one.steps[-1].minute, 1e-9), _LEFT, width - 8.0)
    shown = [value for x in series for value in x.values if value is not None]
    pad = 0.04 * (max(shown) - min(shown)) or 1.0
    up = Scale(max(min(shown) - pad, 0.0), max(shown) + pad, bottom, top)
    parts = [heading, _upright(up, across), _minutes(across, top, bottom)]
    for one_line in reversed(series):
        pairs = zip(one.steps, one_line.values, strict=True)
        points = [(across(step.minute), up(value)) for step, value in pairs if value is not None]
        parts.append(path(points, one_line.class_) if points else Markup(""))
    parts += [_marker(one, ms, words, across, up) for ms, words in _events(one)] if marked else []
    parts.append(_hover(one, across, top, bottom))
    return chart(title, width, bottom + _AXIS, *parts)


def _events(one: AssetReplay) -> Sequence[tuple[int, str]]:
    found = ((one.cut_ms, "credit is cut"), (one.passed_ms, "the market passes the haircut"))
    gone = ((one.liquidated_ms, "the account is liquidated"),)
    return [(ms, words) for ms, words in (*found, *gone) if ms is not None]


def _marker(one: AssetReplay, time_ms: int, words: str, across: Scale, up: Callable[[float], float]) -> Markup:
    step = next(s for s in one.steps if s.time_ms == time_ms)
    title = element("title", f"{clock(time_ms)}: {words}")
    return element("circle", title, cx=across(step.minute), cy=up(step.credit), r=4.0, class_="spot")


def _hover(one: AssetReplay, across: Scale, top: float, bottom: float) -> Markup:
    """Invisible strips that tell each step's figures."""
    width = (across.end - across.start) / max(len(one.steps) - 1, 1)
    return join(
        element(
            "rect",
            element("title", _told(one, step)),
            x=max(across(step.minute) - width / 2.0, across.start),
            y=top,
            width=width,
            height=bottom - top,
            class_="hover",
        )
        for step in one.steps
    )


def _told(one: AssetReplay, step: ReplayStep) -> str:
    said = ", ".join(f"{name} {level(price)}" for name, price in zip(one.sources, step.said, strict=True))
    clocks = f"new risk {figure(step.new_risk)}, settled {figure(step.settled)}, credit {level(step.credit)}"
    return f"{clock(step.time_ms)}: {said}; {clocks}; {step.peg.lower()}, {step.status}"


def _upright(up: Scale, across: Scale) -> Markup:
    parts = []
    for value in ticks(up.low, up.high, 5):
        y = up(value)
        parts.append(line(across.start, y, across.end, y, "zero" if value == 0.0 else "gridline"))
        parts.append(label(across.start - 6.0, y + 4.0, level(value), anchor="end", class_="tick"))
    return join(parts)


def _minutes(across: Scale, top: float, bottom: float) -> Markup:
    """Vertical lines at round times, in minutes, hours or days as the day is long."""
    size, unit = next((x for x in ((1_440.0, "d"), (60.0, "h")) if across.high >= 2.0 * x[0]), (1.0, "min"))
    parts = []
    for value in ticks(0.0, across.high / size, max(3, int((across.end - across.start) / 90.0))):
        x = across(value * size)
        parts.append(line(x, top, x, bottom, "gridline"))
        parts.append(tick(x, bottom + LINE, f"{trimmed(f'{value:.2f}')} {unit}", across))
    middle = (across.start + across.end) / 2.0
    parts.append(label(middle, bottom + 2 * LINE, "since the start", anchor="middle", class_="tick"))
    return join(parts)
