"""Drawings of a replay: requirement against equity over time with its calls, and the paths of the factors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from crossmargin.cli.replaying.words import at, hours_in
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
    scale,
    tick,
    ticks,
)
from crossmargin.cli.wording import compact, percent, trimmed, usd
from crossmargin.engine.outlook.replay import AccountReplay, EventReplay, FactorPath, ReplayPoint
from crossmargin.scenarios.factors import PRICE_KINDS

_LEFT = 58.0
_AXIS = 2 * LINE + 6.0
_HOUR_MS = 3_600_000.0


def requirement_chart(one: AccountReplay, event: EventReplay, width: float) -> Markup:
    """Equity without and with calls paid, initial and maintenance margin by hour; calls as dots with their amount."""
    keys = [("curve", "equity")]
    if one.calls:
        keys.append(("held trail", "with calls paid"))
    keys += [("trail trail-0", "initial"), ("trail trail-5", "maintenance")]
    heading, top = line_legend(keys, _LEFT, width)
    bottom = top + (220.0 if is_wide(width) else 190.0)
    across = _hours(event, width)
    paid = [p.equity_usd + p.posted_usd for p in one.points]
    shown = [*paid, *(x for p in one.points for x in (p.equity_usd, p.initial_usd, p.maintenance_usd))]
    up = scale(shown, bottom, top, pad=0.05)
    hours = _since(event)
    parts = [heading, _upright_axis(up, across, compact), _hour_axis(across, top, bottom)]
    series = (
        ("trail trail-5", [p.maintenance_usd for p in one.points]),
        ("trail trail-0", [p.initial_usd for p in one.points]),
        *((("held trail", paid),) if one.calls else ()),
        ("curve", [p.equity_usd for p in one.points]),
    )
    for class_, values in series:
        parts.append(path([(across(x), up(y)) for x, y in zip(hours, values, strict=True)], class_))
    parts.append(_strips(across, top, bottom, hours, [_point_words(p, event) for p in one.points]))
    parts += [
        element(
            "circle",
            element("title", f"call of {usd(p.called_usd)} USD after {hours_in(p.time_ms, event)}"),
            cx=across(x),
            cy=up(p.initial_usd),
            r=4.0,
            class_="spot",
        )
        for x, p in zip(hours, one.points, strict=True)
        if p.called_usd > 0.0
    ]
    title = f"Requirement and equity of {one.account} through {event.label}"
    return chart(title, width, bottom + _AXIS, *parts)


def paths_chart(event: EventReplay, paths: Sequence[FactorPath], width: float) -> Markup:
    """What the factors did since the start, in percent."""
    names = [_name(p.factor) for p in paths]
    heading, top = line_legend([(f"trail trail-{i}", name) for i, name in enumerate(names)], _LEFT, width)
    bottom = top + (200.0 if is_wide(width) else 170.0)
    across = _hours(event, width)
    up = scale([x for p in paths for x in p.moves], bottom, top, pad=0.05)
    hours = _since(event)
    parts = [heading, _upright_axis(up, across, lambda x: percent(x, plus=True)), _hour_axis(across, top, bottom)]
    for i, p in enumerate(paths):
        parts.append(path([(across(x), up(y)) for x, y in zip(hours, p.moves, strict=True)], f"trail trail-{i}"))
    told = [
        "; ".join([at(ms), *(f"{n} {percent(p.moves[k], plus=True)}" for n, p in zip(names, paths, strict=True))])
        for k, ms in enumerate(event.times_ms)
    ]
    parts.append(_strips(across, top, bottom, hours, told))
    return chart(f"Moves of the market since the start of {event.label}", width, bottom + _AXIS, *parts)


def _name(factor: str) -> str:
    kind, name = factor.split(":", 1)
    return name if kind in PRICE_KINDS else f"{kind} {name}"


def _since(event: EventReplay) -> list[float]:
    return [(ms - event.times_ms[0]) / _HOUR_MS for ms in event.times_ms]


def _hours(event: EventReplay, width: float) -> Scale:
    return Scale(0.0, max(_since(event)[-1], 1e-9), _LEFT, width - 8.0)


def _hour_axis(across: Scale, top: float, bottom: float) -> Markup:
    """Vertical lines at round hours: whole or half days where there are enough of them."""
    span = across.high
    steps = (1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 240.0, 720.0)
    room = max(3, int((across.end - across.start) / 70.0))
    step = next((s for s in steps if span / s <= room), steps[-1])
    parts = []
    for k in range(int(span / step + 1e-9) + 1):
        x = across(k * step)
        parts.append(line(x, top, x, bottom, "gridline"))
        parts.append(tick(x, bottom + LINE, f"{trimmed(f'{k * step:.1f}')} h", across))
    middle = (across.start + across.end) / 2.0
    parts.append(label(middle, bottom + 2 * LINE, "since the start", anchor="middle", class_="tick"))
    return join(parts)


def _upright_axis(up: Scale, across: Scale, words: Callable[[float], str]) -> Markup:
    parts = []
    for value in ticks(up.low, up.high, 5):
        y = up(value)
        parts.append(line(across.start, y, across.end, y, "zero" if value == 0.0 else "gridline"))
        parts.append(label(across.start - 6.0, y + 4.0, words(value), anchor="end", class_="tick"))
    return join(parts)


def _strips(across: Scale, top: float, bottom: float, hours: Sequence[float], told: Sequence[str]) -> Markup:
    """Invisible strips, one a bar, that tell its figures on hover."""
    middles = [across((a + b) / 2.0) for a, b in pairwise(hours)]
    edges = [across.start, *middles, across.end]
    return join(
        element("rect", element("title", words), x=a, y=top, width=max(b - a, 0.1), height=bottom - top, class_="hover")
        for (a, b), words in zip(pairwise(edges), told, strict=True)
    )


def _point_words(point: ReplayPoint, event: EventReplay) -> str:
    figures = (
        ("equity", point.equity_usd),
        ("posted", point.posted_usd),
        ("initial", point.initial_usd),
        ("maintenance", point.maintenance_usd),
        ("called", point.called_usd),
    )
    told = ", ".join(f"{name} {usd(value)}" for name, value in figures if value or name in ("equity", "initial"))
    return f"{at(point.time_ms)}, {hours_in(point.time_ms, event)}: {told} USD, {point.status}"
