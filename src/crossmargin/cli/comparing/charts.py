"""Charts of a comparison: what each rulebook asks, the parts alone against together, and the pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from crossmargin.cli.comparing.words import margined, money
from crossmargin.cli.report.svg import (
    LINE,
    Markup,
    bar,
    chart,
    is_wide,
    join,
    label,
    legend,
    line,
    money_axis,
    path,
    row_texts,
    rows,
    scale,
    text_width,
)
from crossmargin.cli.wording import percent, usd
from crossmargin.engine.compare import CompareReport, Comparison
from crossmargin.engine.comparing.split import SplitReport
from crossmargin.margin.rulebooks.rulebook import Certainty

_AXIS: Final = 2 * LINE + 6.0
_TOP: Final = LINE + 8.0
_FILL: Final[dict[Certainty, str]] = {"exact": "initial", "approximate": "maintenance", "unknown": "haircut"}


class _Asked(NamedTuple):
    """One row: initial and maintenance margin, Crossmargin's own for the same positions where that is another."""

    name: str
    initial: float
    maintenance: float
    own: float | None
    class_: str
    tip: str


def asked_bars(report: CompareReport, shown: Sequence[Comparison], width: float) -> Markup:
    """Crossmargin's own margin, and that of rulebooks of the whole account."""
    initial, maintenance = report.initial_usd, report.maintenance_usd
    tip = f"initial {usd(initial)} USD, maintenance {usd(maintenance)} USD"
    own = _Asked(report.provenance.model.partition("@")[0], initial, maintenance, None, "gain", tip)
    return _asked("Initial and maintenance margin of the whole account", [own, *map(_of_rulebook, shown)], width)


def part_bars(shown: Sequence[Comparison], width: float) -> Markup:
    """The margin of rulebooks that leave something out."""
    return _asked("Initial and maintenance margin of a part of the account", [*map(_of_rulebook, shown)], width)


def _of_rulebook(row: Comparison) -> _Asked:
    tip = f"initial {money(row.initial_usd)} USD, maintenance {money(row.maintenance_usd)} USD, {row.certainty}"
    if row.left_out:
        tip += f", {row.left_out} left out"
    tip += f"; Crossmargin for the same positions {money(row.own_initial_usd)} USD"
    figures = (row.initial_usd or 0.0, row.maintenance_usd or 0.0, row.own_initial_usd)
    return _Asked(row.rulebook, *figures, _FILL[row.certainty], tip)


def _asked(title: str, lines: Sequence[_Asked], width: float) -> Markup:
    """Initial margin in a shade for its certainty, a line at maintenance margin, a rhomb at Crossmargin's own."""
    names, figures = [x.name for x in lines], [usd(x.initial) for x in lines]
    place = rows(names, figures, width, top=_TOP if is_wide(width) else 2 * LINE + 8.0)
    ends = [x for one in lines for x in (one.initial, one.maintenance, one.own or 0.0)]
    across = scale(ends, place.left, place.right, pad=0.01)
    parts = [money_axis(across, place.top, place.bottom)]
    for i, one in enumerate(lines):
        y, height = place.y(i), place.bar_height
        parts.append(bar(across(0.0), across(one.initial), y, height, one.class_, tip=f"{one.name}: {one.tip}"))
        x = across(one.maintenance)
        parts.append(line(x, y - 2.0, x, y + height + 2.0, "needle"))
        if one.own is not None:
            parts.append(_rhomb(across(one.own), y + height / 2.0))
    parts.append(row_texts(place, names, figures, strong=[i for i, one in enumerate(lines) if one.own is None]))
    parts.append(_key(width))
    return chart(title, width, place.bottom + _AXIS, *parts)


def _rhomb(x: float, y: float) -> Markup:
    return path([(x - 4.5, y), (x, y - 5.0), (x + 4.5, y), (x, y + 5.0)], "spot", closed=True)


def _key(width: float) -> Markup:
    """Shades in one row; marks beside them, or below where it is narrow."""
    shades = (("initial", "exact"), ("maintenance", "approximate"), ("haircut", "unknown"))
    end = 2.0 + sum(30.0 + text_width(text) for _, text in shades)
    x, y = (end, 10.0) if is_wide(width) else (2.0, 10.0 + LINE)
    marks = [line(x + 4.0, y - 10.0, x + 4.0, y + 2.0, "needle"), label(x + 12.0, y, "maintenance", class_="tick")]
    x += 30.0 + text_width("maintenance")
    marks += [_rhomb(x + 4.0, y - 4.0), label(x + 14.0, y, "Crossmargin, same positions", class_="tick")]
    return join((legend(shades, 2.0, 10.0), *marks))


def netting_bars(report: CompareReport, width: float) -> Markup:
    """Initial margin of the parts, each alone (light), and together (dark); the figure is what netting saves."""
    own = report.provenance.model.partition("@")[0]
    found = [(r.rulebook, r.alone_usd, r.initial_usd) for r in margined(report) if r.alone_usd is not None]
    lines = [(own, report.alone_usd, report.initial_usd), *found]
    names = [name for name, *_ in lines]
    figures = [percent(((alone or 0.0) - (t or 0.0)) / alone) if alone else "0 %" for _, alone, t in lines]
    place = rows(names, figures, width, bar_height=18.0, top=_TOP)
    across = scale([x or 0.0 for _, *ends in lines for x in ends], place.left, place.right, pad=0.01)
    parts = [money_axis(across, place.top, place.bottom)]
    for i, (name, alone, together) in enumerate(lines):
        for value, down, height, class_, word in (
            (alone or 0.0, 0.0, 7.0, "maintenance", "each alone"),
            (together or 0.0, 8.0, 10.0, "initial", "together"),
        ):
            tip = f"{name}, {word}: {usd(value)} USD"
            parts.append(bar(across(0.0), across(value), place.y(i) + down, height, class_, tip=tip))
    parts.append(row_texts(place, names, figures, strong=[0]))
    parts.append(legend([("maintenance", "each alone"), ("initial", "together")], place.left, 10.0))
    return chart("Initial margin of the parts alone and together", width, place.bottom + _AXIS, *parts)


def piece_bars(split: SplitReport, width: float) -> Markup:
    """Initial margin of each piece, their sum, and Crossmargin's netted number of the same positions."""
    lines = [(f"{p.venue} · {p.rulebook}", p.initial_usd) for p in split.pieces if p.initial_usd is not None]
    start, steps = 0.0, list[tuple[str, float, float, str]]()
    for name, initial in lines:
        steps.append((name, start, start + initial, "maintenance"))
        start += initial
    steps += [("in pieces", 0.0, split.initial_usd, "initial"), ("netted", 0.0, split.netted_initial_usd, "gain")]
    names, figures = [s[0] for s in steps], [usd(end - begin) for _, begin, end, _ in steps]
    place = rows(names, figures, width)
    across = scale([x for _, begin, end, _ in steps for x in (begin, end)], place.left, place.right, pad=0.01)
    parts = [money_axis(across, place.top, place.bottom)]
    for i, (name, begin, end, class_) in enumerate(steps):
        tip = f"{name}: {figures[i]} USD"
        parts.append(bar(across(begin), across(end), place.y(i), place.bar_height, class_, tip=tip))
    parts.append(row_texts(place, names, figures, strong=[len(steps) - 2, len(steps) - 1]))
    return chart("Initial margin in pieces and netted", width, place.bottom + _AXIS, *parts)
