"""Charts over two axes: risk arrays, P&L by spot, the frontier of two underlyings, and smiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

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
    line,
    number,
    path,
    percent_axis,
    scale,
    text_width,
    tick,
    ticks,
)
from crossmargin.cli.sentences import worst_cell
from crossmargin.cli.wording import compact, level, moment, percent, relative, usd
from crossmargin.core.instant import YEAR_NS, to_milliseconds
from crossmargin.engine.reports import Distance, Frontier, RiskArray, SpotCurve
from crossmargin.market.snapshot import Underlying
from crossmargin.market.surface import VolSurface

_DEEP: Final = 0.78  # the shade from which light text reads better than dark
_AXIS: Final = 2 * LINE + 6.0
_REACH_SD: Final = 2.5
_PANELS: Final = 9
_MOVES_ACROSS: Final = 11
_ROUND_MOVES: Final = (0.0, -0.5, 1.0, -0.9, 9.0, -0.2, 0.2, 3.0, -0.75, 0.5, -0.1, 0.1, -0.3, 19.0, -0.05, 0.05)


class Lattice(NamedTuple):
    """Where the cells of a heat map stand: moves `across` and `down`, prices across if `upright` is false."""

    across: tuple[float, ...]
    down: tuple[float, ...]
    upright: bool
    left: float
    top: float
    step: float
    height: float

    @property
    def right(self) -> float:
        """The end of the last column."""
        return self.left + self.step * len(self.across)

    @property
    def bottom(self) -> float:
        """The end of the last row."""
        return self.top + self.height * len(self.down)


def heat_map(array: RiskArray, width: float) -> Markup:
    """P&L by price and vol move, blue for gains and orange for losses, deeper for larger; the worst cell is framed.

    Prices run across where there is room for the figures, and down where there is not.
    """
    at = _lattice(array, width)
    largest = max((abs(pnl) for row in array.pnl_usd for pnl in row), default=0.0)
    worst = worst_cell(array)
    parts = [element("rect", x=at.left, y=at.top, width=at.right - at.left, height=at.bottom - at.top, class_="blank")]
    for move, row in zip(array.moves, array.pnl_usd, strict=True):
        for vol, pnl in zip(array.vol_moves, row, strict=True):
            column, line_down = (vol, move) if at.upright else (move, vol)
            x = at.left + at.step * at.across.index(column)
            y = at.top + at.height * at.down.index(line_down)
            tip = f"price {percent(move, plus=True)}, vol {percent(vol, plus=True)}: {usd(pnl)} USD"
            parts.append(_cell(at, x, y, pnl, largest, tip, framed=(move, vol, pnl) == worst))
    parts.append(_heat_labels(at))
    below = at.bottom + (14.0 if at.upright else 2 * LINE + 14.0)
    parts.append(_colour_bar(at.left, below, at.right - at.left, largest))
    what = "all underlyings together" if array.underlying == "all" else array.underlying
    return chart(f"P&L by price and vol move of {what}", width, below + 32.0, *parts)


def _lattice(array: RiskArray, width: float) -> Lattice:
    if is_wide(width) and len(array.moves) <= _MOVES_ACROSS:
        step = (width - 80.0) / len(array.moves)
        return Lattice(array.moves, array.vol_moves[::-1], upright=False, left=78.0, top=4.0, step=step, height=34.0)
    step = (width - 66.0) / len(array.vol_moves)
    top = 2 * LINE + 8.0
    return Lattice(array.vol_moves, array.moves, upright=True, left=64.0, top=top, step=step, height=24.0)


def _cell(at: Lattice, x: float, y: float, pnl: float, largest: float, tip: str, *, framed: bool) -> Markup:
    depth, words = abs(pnl) / largest if largest else 0.0, compact(pnl)
    size = min(EM, EM * (at.step - 4.0) / text_width(words))
    class_ = "heat-loss" if pnl < 0.0 else "heat-gain"
    place = {"x": x + 0.5, "y": y + 0.5, "width": at.step - 1.0, "height": at.height - 1.0}
    frame = element("rect", x=x + 1.0, y=y + 1.0, width=at.step - 2.0, height=at.height - 2.0, class_="heat-worst")
    text = element(
        "text",
        words,
        x=x + at.step / 2.0,
        y=y + at.height / 2.0 + 0.36 * size,
        text_anchor="middle",
        font_size=size if size < EM else None,
        class_="heat-deep" if depth > _DEEP else None,
    )
    fill = element("rect", fill_opacity=depth, class_=class_, **place)
    return element("g", element("title", tip), fill, text, frame if framed else Markup(""))


def _heat_labels(at: Lattice) -> Markup:
    first, second = ("vol ", "") if at.upright else ("", "vol ")
    every = max(1, math.ceil(text_width(f"{first}−00 %") / at.step))
    y = at.top - 5.0 if at.upright else at.bottom + LINE
    parts = [
        label(at.left + at.step * (i + 0.5), y, first + percent(x, plus=True), anchor="middle", class_="tick")
        for i, x in enumerate(at.across)
        if i % every == 0
    ]
    for j, move in enumerate(at.down):
        middle = at.top + at.height * (j + 0.5) + 4.0
        parts.append(label(at.left - 6.0, middle, second + percent(move, plus=True), anchor="end", class_="tick"))
    words, y = ("price move down, vol move across", LINE - 3.0) if at.upright else ("price move", y + LINE)
    parts.append(label((at.left + at.right) / 2.0, y, words, anchor="middle", class_="tick"))
    return join(parts)


def _colour_bar(x: float, y: float, width: float, largest: float) -> Markup:
    """Steps of shade from the largest loss to as large a gain."""
    count = 24
    step = width / count
    parts = [element("rect", x=x, y=y, width=width, height=8.0, class_="blank")]
    for i in range(count):
        depth = (i + 0.5) / count * 2.0 - 1.0
        class_ = "heat-loss" if depth < 0.0 else "heat-gain"
        parts.append(
            element("rect", x=x + step * i, y=y, width=step, height=8.0, fill_opacity=abs(depth), class_=class_)
        )
    ends = ((x, "start", -largest), (x + width / 2.0, "middle", 0.0), (x + width, "end", largest))
    parts += [label(at, y + 8.0 + LINE, compact(v), anchor=anchor, class_="tick") for at, anchor, v in ends]
    return join(parts)


def spot_curve(curve: SpotCurve, distances: Sequence[Distance], width: float) -> Markup:
    """P&L by the price of one underlying, with the prices at which the account would be liquidated."""
    wide = is_wide(width)
    left, top, bottom = 58.0, 34.0, 230.0 if wide else 200.0
    across = Scale(curve.moves[0], curve.moves[-1], left, width - 6.0)
    up = scale(curve.pnl_usd, bottom, top, pad=0.06)
    points = list(zip(curve.moves, curve.pnl_usd, strict=True))
    parts = [_amount_axis(up, left, width - 6.0)]
    price = next((d.price for d in distances if d.underlying == curve.underlying), None)
    title = f"{'move' if price is None else 'move and price'} of {curve.underlying}, everything else held"
    parts.append(percent_axis(across, top, bottom, title=title, price=price))
    for class_, sign in (("area loss", -1.0), ("area gain", 1.0)):
        side = [(x, y if y * sign > 0.0 else 0.0) for x, y in _with_zeros(points)]
        closed = [(points[0][0], 0.0), *side, (points[-1][0], 0.0)]
        parts.append(path([(across(x), up(y)) for x, y in closed], class_, closed=True))
    parts.append(path([(across(x), up(y)) for x, y in points], "curve"))
    parts.append(line(across(0.0), top, across(0.0), bottom, "zero"))
    parts.append(_marks(_liquidations(curve, distances), across, top, bottom))
    parts.append(_hover_strips(points, across, top, bottom, price))
    return chart(f"P&L by the price of {curve.underlying}", width, bottom + _AXIS + LINE, *parts)


def _with_zeros(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points with those added where the line between them crosses zero."""
    out = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        if y0 * y1 < 0.0:
            out.append((x0 + (x1 - x0) * y0 / (y0 - y1), 0.0))
        out.append((x1, y1))
    return out


def _amount_axis(up: Scale, left: float, right: float) -> Markup:
    parts = []
    for value in ticks(up.low, up.high, 5):
        parts.append(line(left, up(value), right, up(value), "zero" if value == 0.0 else "gridline"))
        parts.append(label(left - 6.0, up(value) + 4.0, compact(value), anchor="end", class_="tick"))
    return join(parts)


def _liquidations(curve: SpotCurve, distances: Sequence[Distance]) -> list[tuple[float, str]]:
    """Moves that bring liquidation within the curve, with their words, from left to right."""
    found = {
        (move, f"liquidation {level(target)}")
        for d in distances
        if d.underlying == curve.underlying
        for target in (d.below, d.above)
        if target is not None and (move := relative(target, d.price)) is not None
        if curve.moves[0] <= move <= curve.moves[-1]
    }
    return sorted(found)


def _marks(found: Sequence[tuple[float, str]], across: Scale, top: float, bottom: float) -> Markup:
    """Dashed lines with words above the plot, in two heights; words without room are left to hovering."""
    parts, taken = [], [-math.inf, -math.inf]
    for move, words in found:
        x, half = across(move), text_width(words, size=11.0) / 2.0
        at = min(max(x, across.start + half), across.end - half)
        tip = element("title", f"{words} ({percent(move, plus=True)})")
        parts.append(element("line", tip, x1=x, y1=top - 3.0, x2=x, y2=bottom, class_="edge"))
        free = [i for i, end in enumerate(taken) if at - half > end + 6.0]
        if free:
            taken[free[0]] = at + half
            y = top - 5.0 - 14.0 * free[0]
            parts.append(label(at, y, words, anchor="middle", class_="edge-word"))
    return join(parts)


def _hover_strips(
    points: Sequence[tuple[float, float]], across: Scale, top: float, bottom: float, price: float | None
) -> Markup:
    """Invisible strips, one per point, that tell its figures on hover."""
    edges = [across(x) for x, _ in points]
    parts = []
    for i, (move, pnl) in enumerate(points):
        start = (edges[i - 1] + edges[i]) / 2.0 if i else edges[i]
        end = (edges[i] + edges[i + 1]) / 2.0 if i < len(points) - 1 else edges[i]
        at = "" if price is None else f" to {level(price * (1.0 + move))}"
        tip = element("title", f"{percent(move, plus=True)}{at}: {usd(pnl)} USD")
        parts.append(element("rect", tip, x=start, y=top, width=end - start, height=bottom - top, class_="hover"))
    return join(parts)


def frontier_plane(frontier: Frontier, width: float) -> Markup:
    """Joint moves of two underlyings: inside the line the pool stands, outside it is liquidated.

    Axes are even in log moves, as the directions of the search are; a direction without an edge is open up to the
    border of the plot.
    """
    left, top = 66.0, 8.0
    side = min(width - left - 6.0, 400.0)
    right, bottom = left + side, top + side
    points = [None if p is None else (_log(p[0]), _log(p[1])) for p in frontier.points]
    found = [p for p in points if p is not None]
    across, up = _log_scale([x for x, _ in found], left, right), _log_scale([y for _, y in found], bottom, top)
    parts = [_regions(points, across, up)]
    parts.append(_log_axes(across, up, frontier))
    parts += [path([(across(x), up(y)) for x, y in run], "frontier") for run in _runs(points)]
    for x, y in found:
        moves = f"{frontier.first} {_log_words(x)}, {frontier.second} {_log_words(y)}"
        parts.append(element("circle", element("title", moves), cx=across(x), cy=up(y), r=4.0, class_="spot"))
    parts.append(element("circle", element("title", "now"), cx=across(0.0), cy=up(0.0), r=4.5, class_="now"))
    parts.append(label(across(0.0) + 8.0, up(0.0) - 7.0, "now", class_="strong now-word"))
    parts.append(label(right - 6.0, top + LINE, "liquidation", anchor="end", class_="edge-word"))
    title = f"Joint moves of {frontier.first} and {frontier.second} that bring pool {frontier.pool} to liquidation"
    return chart(title, right + 6.0, bottom + _AXIS, *parts)


def _log(move: float) -> float:
    return math.log1p(max(move, -0.999))


def _log_words(log_move: float) -> str:
    return percent(math.expm1(log_move), plus=True)


def _log_scale(values: Sequence[float], start: float, end: float) -> Scale:
    reach = 1.15 * max([0.1, *map(abs, values)])
    return Scale(-reach, reach, start, end)


def _log_ticks(over: Scale, room: float) -> list[float]:
    """Round moves on an axis of log moves, the important ones first, none nearer to another than `room` pixels."""
    chosen: list[float] = []
    for move in _ROUND_MOVES:
        at = math.log1p(move)
        if over.low <= at <= over.high and all(abs(over(at) - over(other)) >= room for other in chosen):
            chosen.append(at)
    return chosen


def _log_axes(across: Scale, up: Scale, frontier: Frontier) -> Markup:
    left, right, bottom, top = across.start, across.end, up.start, up.end
    parts = []
    for value in _log_ticks(across, 52.0):
        x = across(value)
        parts.append(line(x, top, x, bottom, "gridline" if value else "zero"))
        parts.append(tick(x, bottom + LINE, _log_words(value), across))
    for value in _log_ticks(up, 30.0):
        y = up(value)
        parts.append(line(left, y, right, y, "gridline" if value else "zero"))
        parts.append(label(left - 6.0, y + 4.0, _log_words(value), anchor="end", class_="tick"))
    words = f"move of {frontier.first}"
    parts.append(label((left + right) / 2.0, bottom + 2 * LINE, words, anchor="middle", class_="tick"))
    upright = f"translate(10 {number((top + bottom) / 2.0)}) rotate(-90)"
    words = f"move of {frontier.second}"
    parts.append(element("text", words, transform=upright, text_anchor="middle", class_="tick"))
    return join(parts)


def _regions(points: Sequence[tuple[float, float] | None], across: Scale, up: Scale) -> Markup:
    """What is inside and outside of the line, sector by sector; blank between an edge and an open direction."""
    left, top, side = across.start, up.end, across.end - across.start
    frame = element("rect", x=left, y=top, width=side, height=side, class_="blank")
    centre, sectors = (across(0.0), up(0.0)), []
    for i, here in enumerate(points):
        k = (i + 1) % len(points)
        beyond = [_far(_angle(j, points), across, up) for j in (i, k)]
        there = points[k]
        if here is not None and there is not None:
            edge = [(across(x), up(y)) for x, y in (here, there)]
            sectors.append(path([centre, *edge], "safe", closed=True))
            sectors.append(path([*edge, beyond[1], beyond[0]], "lost", closed=True))
        elif here is None and there is None:
            sectors.append(path([centre, *beyond], "safe", closed=True))
        else:  # As far out as the edge that was found; what is beyond it there is not known.
            reach = math.hypot(*(here or there or (0.0, 0.0)))
            ends = [(reach * math.cos(a), reach * math.sin(a)) for a in (_angle(i, points), _angle(k, points))]
            sectors.append(path([centre, *((across(x), up(y)) for x, y in ends)], "safe", closed=True))
    view = f"{number(left)} {number(top)} {number(side)} {number(side)}"
    return join((frame, element("svg", *sectors, x=left, y=top, width=side, height=side, viewBox=view)))


def _angle(index: int, points: Sequence[object]) -> float:
    return 2.0 * math.pi * index / len(points)


def _far(angle: float, across: Scale, up: Scale) -> tuple[float, float]:
    """A pixel far outside of the plot in a direction of log moves."""
    reach = 4.0 * (across.high + up.high)
    return across(reach * math.cos(angle)), up(reach * math.sin(angle))


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Neighbouring found points, as lines; the circle is cut where a direction is open."""
    count = len(points)
    start = next((i for i, p in enumerate(points) if p is None), None)
    if start is None:
        closed = [p for p in points if p is not None]
        return [[*closed, closed[0]]] if closed else []
    runs: list[list[tuple[float, float]]] = [[]]
    for i in range(1, count + 1):
        point = points[(start + i) % count]
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if len(run) > 1]


class Smile(NamedTuple):
    """One expiry of a surface, ready to draw: vols at moneyness in standard deviations, and the strikes there."""

    expiry: str
    days: float
    deviations: tuple[float, ...]
    strikes: tuple[float, ...]
    vols: tuple[float, ...]
    at_the_money: float
    normal: bool


def smiles_of(underlying: Underlying, *, limit: int = _PANELS) -> tuple[Smile, ...]:
    """The smiles of an underlying within 2.5 standard deviations; evenly chosen where there are more than fit."""
    surface = underlying.surface
    if surface is None:
        return ()
    count = len(surface.expiry_ns)
    chosen = sorted({round(i * (count - 1) / max(1, min(limit, count) - 1)) for i in range(min(limit, count))})
    return tuple(_smile(underlying, surface, int(surface.expiry_ns[i])) for i in chosen)


def _smile(underlying: Underlying, surface: VolSurface, expiry_ns: int) -> Smile:
    deviations = np.linspace(-_REACH_SD, _REACH_SD, 41)
    width = math.sqrt(float(surface.total_variance(0.0, expiry_ns)))
    moneyness = deviations * width
    forward = float(underlying.curve(expiry_ns))
    strikes = forward * np.exp(moneyness) if surface.lognormal else forward + surface.scale * moneyness
    return Smile(
        expiry=moment(to_milliseconds(expiry_ns))[:10],
        days=365.0 * (expiry_ns - surface.time_ns) / YEAR_NS,
        deviations=tuple(deviations.tolist()),
        strikes=tuple(strikes.tolist()),
        vols=tuple(surface.vol(moneyness, expiry_ns).tolist()),
        at_the_money=float(surface.vol(0.0, expiry_ns)),
        normal=not surface.lognormal,
    )


def smile_panels(name: str, smiles: Sequence[Smile], width: float) -> Markup:
    """One small panel per expiry, all on the same axis of vol, strikes at −2, 0 and +2 standard deviations."""
    columns = 3 if is_wide(width) else 2
    left, panel_height = 44.0, 128.0
    step = (width - left) / columns
    values = [v for s in smiles for v in s.vols]
    low, high = min(values), max(values)
    room = 0.08 * ((high - low) or high or 1.0)
    parts = []
    for i, smile in enumerate(smiles):
        top = panel_height * (i // columns) + 22.0
        up = Scale(low - room, high + room, top + 74.0, top)
        x = left + step * (i % columns)
        across = Scale(-_REACH_SD, _REACH_SD, x + 4.0, x + step - 10.0)
        parts.append(_smile_panel(smile, across, up, labelled=i % columns == 0))
    height = panel_height * math.ceil(len(smiles) / columns)
    return chart(f"Implied volatility of {name} by expiry and strike", width, height, *parts)


def _smile_panel(smile: Smile, across: Scale, up: Scale, *, labelled: bool) -> Markup:
    parts = []
    for value in ticks(up.low, up.high, 3):
        parts.append(line(across.start, up(value), across.end, up(value), "gridline"))
        if labelled:
            words = compact(value) if smile.normal else percent(value)
            parts.append(label(across.start - 8.0, up(value) + 4.0, words, anchor="end", class_="tick"))
    parts.append(line(across(0.0), up.end, across(0.0), up.start, "gridline"))
    points = list(zip(smile.deviations, smile.vols, strict=True))
    parts.append(path([(across(x), up(v)) for x, v in points], "curve"))
    money = compact(smile.at_the_money) if smile.normal else percent(smile.at_the_money)
    parts.append(label(across.start, up.end - 6.0, f"{smile.expiry} · {money}", class_="strong small"))
    for deviation, anchor in ((-2.0, "start"), (0.0, "middle"), (2.0, "end")):
        strike = smile.strikes[round((deviation + _REACH_SD) / (2 * _REACH_SD) * (len(smile.strikes) - 1))]
        at = across.start if anchor == "start" else across.end if anchor == "end" else across(0.0)
        parts.append(label(at, up.start + 14.0, compact(strike), anchor=anchor, class_="tick small"))
    for i in range(0, len(points) - 1, 2):
        vol = compact(smile.vols[i]) if smile.normal else percent(smile.vols[i])
        tip = element("title", f"{smile.expiry}, strike {level(smile.strikes[i])}: {vol}")
        start, end = across(smile.deviations[i]), across(smile.deviations[i + 2])
        parts.append(
            element("rect", tip, x=start, y=up.end, width=end - start, height=up.start - up.end, class_="hover")
        )
    return join(parts)
