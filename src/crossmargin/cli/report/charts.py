"""Charts in rows: what is required, what is held, what would happen, and who causes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

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
    legend,
    line,
    money_axis,
    percent_axis,
    row_texts,
    rows,
    scale,
    text_width,
    ticks,
)
from crossmargin.cli.sentences import worst_scenarios
from crossmargin.cli.wording import (
    chain_name,
    compact,
    label_text,
    level,
    named,
    percent,
    price,
    ratio,
    relative,
    term_name,
    usd,
)
from crossmargin.engine.reports import (
    Change,
    CollateralLine,
    Distance,
    ScenarioLine,
    Share,
    Term,
)

MARKS: Final = 1_200  # of one family: more are not told apart, and make the page slow
_AXIS: Final = 2 * LINE + 6.0
_GAUGE_END: Final = 1.4
_REACH: Final = 1.5  # the largest rise that the chart of distances shows in full


class Bar(NamedTuple):
    """One row of a bar chart: its name, its value in USD and what hovering says more."""

    name: str
    value: float
    tip: str = ""


def gauge(margin_ratio: float | None, initial_usd: float, maintenance_usd: float, width: float) -> Markup:
    """The margin ratio on its way to 100 %: restricted from maintenance / initial on, liquidation from 100 %."""
    edge = maintenance_usd / initial_usd if initial_usd > 0.0 else 1.0
    across = Scale(0.0, _GAUGE_END, 2.0, width - 2.0)
    here = _GAUGE_END if margin_ratio is None else margin_ratio
    x, y, height = across.clipped(here), 30.0, 16.0
    zones = ((0.0, edge, "good"), (edge, 1.0, "warn"), (1.0, _GAUGE_END, "bad"))
    parts = [bar(across(a), across(b), y, height, f"zone {name}") for a, b, name in zones if b > a]
    words = ratio(margin_ratio)
    half = text_width(words, size=15.0) / 2.0
    parts.append(label(min(max(x, half), width - half), 18.0, words, anchor="middle", class_="big"))
    parts.append(element("path", d=f"M{x - 6:.1f} 23 L{x + 6:.1f} 23 L{x:.1f} 31 Z", class_="pointer"))
    parts.append(line(x, y, x, y + height, "needle"))
    below = y + height + LINE
    parts.append(label(across(0.0), below, "0 %", class_="tick"))
    parts.append(label(across(edge) - 2.0, below, f"{percent(edge)} restricted", anchor="end", class_="tick"))
    parts.append(label(across(1.0) + 2.0, below, "100 % liquidation", class_="tick"))
    title = f"Margin ratio {words}; restricted above {percent(edge)}, liquidation at 100 %"
    return chart(title, width, below + 6.0, *parts)


def waterfall(
    terms: Sequence[Term], initial_usd: float, maintenance_usd: float, equity_usd: float, width: float
) -> Markup:
    """Terms adding up to initial (dark) and maintenance margin (light), against the equity that is held."""
    names = [*map(term_name, terms), "required"]
    figures = [*(usd(t.initial) for t in terms), usd(initial_usd)]
    place = rows(names, [f"{f}  " for f in figures], width, bar_height=20.0, top=2 * LINE + 6.0)
    sides = (
        ("initial", [*_running([t.initial for t in terms]), (0.0, initial_usd)], 0.0, 12.0),
        ("maintenance", [*_running([t.maintenance for t in terms]), (0.0, maintenance_usd)], 13.0, 7.0),
    )
    ends = [x for _, spans, _, _ in sides for span in spans for x in span]
    right = place.right if is_wide(width) else place.right - max(map(text_width, figures)) - 8.0
    across = scale([*ends, max(equity_usd, 0.0)], place.left, right, pad=0.02)
    parts = [money_axis(across, place.top, place.bottom)]
    for side, spans, down, height in sides:
        for i, (start, end) in enumerate(spans):
            if end != start:
                tip = f"{names[i]}: {usd(end - start)} USD of {side} margin"
                class_ = "credit" if end < start else side
                parts.append(bar(across(start), across(end), place.y(i) + down, height, class_, tip=tip))
    parts.append(row_texts(place, names, figures, strong=[len(terms)]))
    parts.append(legend([("initial", "initial"), ("maintenance", "maintenance")], place.left, 10.0))
    if equity_usd > 0.0:
        parts.append(_held(equity_usd, across, place.top, place.bottom, width))
    title = f"Terms of the requirement, adding up to {usd(initial_usd)} USD initial and {usd(maintenance_usd)} USD"
    return chart(f"{title} maintenance margin", width, place.bottom + _AXIS, *parts)


def _running(sizes: Sequence[float]) -> list[tuple[float, float]]:
    """From where to where each of the sizes goes, each starting at the end of the one before."""
    ends = [0.0, *accumulate(sizes)]
    return list(pairwise(ends))


def _held(equity_usd: float, across: Scale, top: float, bottom: float, width: float) -> Markup:
    """The dashed line of what is held, with its figure above."""
    x, words = across(equity_usd), f"equity {compact(equity_usd)}"
    at = min(x, width - text_width(words) / 2.0)
    text = label(at, top - 8.0, words, anchor="middle", class_="held-word")
    return join((line(x, top - 4.0, x, bottom, "held"), text))


def signed_bars(title: str, bars: Sequence[Bar], width: float, *, axis: str = "P&L, USD") -> Markup:
    """One bar per row from zero: losses one way, gains the other."""
    names, figures = [b.name for b in bars], [usd(b.value) for b in bars]
    place = rows(names, figures, width)
    across = scale([b.value for b in bars], place.left, place.right, pad=0.01)
    parts = [money_axis(across, place.top, place.bottom, title=axis)]
    for i, b in enumerate(bars):
        class_ = "loss" if b.value < 0.0 else "gain"
        tip = f"{b.name}: {usd(b.value)} USD{f', {b.tip}' if b.tip else ''}"
        parts.append(bar(across(0.0), across(b.value), place.y(i), place.bar_height, class_, tip=tip))
    parts.append(row_texts(place, names, figures))
    return chart(title, width, place.bottom + _AXIS, *parts)


def worst_bars(lines: Sequence[ScenarioLine], count: int, width: float) -> Markup:
    """The scenarios with the largest losses, as lengths of loss."""
    shown = worst_scenarios(lines, count)
    names, figures = [label_text(s.label) for s in shown], [usd(s.pnl_usd) for s in shown]
    place = rows(names, figures, width)
    across = scale([-s.pnl_usd for s in shown], place.left, place.right, pad=0.01)
    parts = [money_axis(across, place.top, place.bottom, title="loss, USD")]
    for i, s in enumerate(shown):
        class_ = "loss" if s.pnl_usd < 0.0 else "gain"
        tip = f"{names[i]} ({s.family}): P&L {usd(s.pnl_usd)} USD"
        parts.append(bar(across(0.0), across(-s.pnl_usd), place.y(i), place.bar_height, class_, tip=tip))
    parts.append(row_texts(place, names, figures, strong=[0]))
    return chart(f"The {len(shown)} worst of {named(len(lines), 'scenario')}", width, place.bottom + _AXIS, *parts)


def family_strips(lines: Sequence[ScenarioLine], width: float) -> Markup:
    """Every scenario as a mark at its P&L, one row per family; the worst of all is outlined."""
    families = list(dict.fromkeys(s.family for s in lines))
    members = {family: [s for s in lines if s.family == family] for family in families}
    names = [f"{family} ({len(members[family])})" for family in families]
    figures = [usd(min(s.pnl_usd for s in members[family])) for family in families]
    place = rows(names, figures, width)
    across = scale([s.pnl_usd for s in lines], place.left + 14.0, place.right - 4.0)
    parts = [money_axis(across, place.top, place.bottom, title="P&L, USD")]
    worst = min(lines, key=lambda s: s.pnl_usd)
    for i, family in enumerate(families):
        for s in thinned(members[family]):
            tip = element("title", f"{label_text(s.label)}: {usd(s.pnl_usd)} USD")
            class_ = "mark loss" if s.pnl_usd < 0.0 else "mark gain"
            x = across(s.pnl_usd) - 1.0
            parts.append(element("rect", tip, x=x, y=place.y(i), width=2.0, height=place.bar_height, class_=class_))
        if worst.family == family:
            centre = place.y(i) + place.bar_height / 2.0
            parts.append(element("circle", cx=across(worst.pnl_usd), cy=centre, r=9.0, class_="ring"))
    parts.append(row_texts(place, names, figures))
    return chart("P&L of every scenario by family", width, place.bottom + _AXIS, *parts)


def thinned(lines: Sequence[ScenarioLine]) -> Sequence[ScenarioLine]:
    """At most `MARKS` scenarios: the outer quarters of them on either side, and evenly chosen ones between."""
    if len(lines) <= MARKS:
        return lines
    ordered, outer = sorted(lines, key=lambda s: s.pnl_usd), MARKS // 4
    between = range(outer, len(ordered) - outer, math.ceil((len(ordered) - 2 * outer) / (MARKS - 2 * outer)))
    return [*ordered[:outer], *(ordered[i] for i in between), *ordered[-outer:]]


def attribution(shares: Sequence[Share], count: int, whole: str, width: float) -> Markup:
    """Share of the `whole` (solid) and what the requirement would fall by without it (outline), the largest first.

    Where no shares add up, only the second is there, solid.
    """
    shown = largest_shares(shares, count)
    adds_up = all(s.euler_usd is not None for s in shares)
    mains = [s.marginal_usd if s.euler_usd is None else s.euler_usd for s in shown]
    names, figures = [s.name for s in shown], [usd(main) for main in mains]
    place = rows(names, figures, width, bar_height=18.0, top=LINE + 6.0)
    across = scale([*mains, *(s.marginal_usd for s in shown)], place.left, place.right, pad=0.01)
    parts = [money_axis(across, place.top, place.bottom)]
    for i, (s, main) in enumerate(zip(shown, mains, strict=True)):
        without = f"{s.name}: initial margin with it minus without it {usd(s.marginal_usd)} USD"
        tip = f"{s.name}: {usd(main)} USD of the {whole}" if adds_up else without
        if main:
            class_ = "adds" if main >= 0.0 else "offsets"
            parts.append(bar(across(0.0), across(main), place.y(i), 11.0, class_, tip=tip))
        if adds_up and s.marginal_usd:
            parts.append(bar(across(0.0), across(s.marginal_usd), place.y(i) + 12.0, 6.0, "marginal", tip=without))
    parts.append(row_texts(place, names, figures))
    keys = [("adds", "adds"), ("offsets", "offsets"), ("marginal", "with − without")][: 3 if adds_up else 2]
    parts.append(legend(keys, place.left, 10.0))
    both = f"share of the {whole}, and requirement with minus without"
    title = f"Attribution: {both if adds_up else 'requirement with minus without'}"
    return chart(title, width, place.bottom + _AXIS, *parts)


def largest_shares(shares: Sequence[Share], count: int) -> list[Share]:
    """The largest shares, and the others in one where shares add up; what each adds alone does not."""
    ordered = sorted(shares, key=lambda s: (-abs(s.euler_usd or 0.0), -abs(s.marginal_usd)))
    count = len(ordered) if len(ordered) <= count + 1 else count
    shown, rest = ordered[:count], [s.euler_usd for s in ordered[count:]]
    known = [share for share in rest if share is not None]
    if rest and len(known) == len(rest):
        shown.append(Share(name=f"{len(rest)} others", euler_usd=sum(known), marginal_usd=0.0))
    return shown


def change_steps(change: Change, width: float) -> Markup:
    """Initial margin before, what moved it, and after."""
    moved = (("positions", change.positions_usd), ("market", change.market_usd), ("parameters", change.parameters_usd))
    names = ["before", *(name for name, _ in moved), "after"]
    figures = [usd(change.before_initial_usd), *(usd(v, plus=True) for _, v in moved), usd(change.after_initial_usd)]
    place = rows(names, figures, width)
    steps = _running([change.before_initial_usd, *(value for _, value in moved)])
    colours = ["initial", *("adds" if value >= 0.0 else "offsets" for _, value in moved), "initial"]
    spans = [(a, b, c) for (a, b), c in zip([*steps, (0.0, change.after_initial_usd)], colours, strict=True)]
    across = scale([x for a, b, _ in spans for x in (a, b)], place.left, place.right, pad=0.01)
    parts = [money_axis(across, place.top, place.bottom)]
    for i, (a, b, class_) in enumerate(spans):
        tip = f"{names[i]}: {figures[i]} USD"
        parts.append(bar(across(a), across(b), place.y(i), place.bar_height, class_, tip=tip))
    parts.append(row_texts(place, names, figures, strong=[0, 4]))
    return chart("Initial margin before and after, and what moved it", width, place.bottom + _AXIS, *parts)


def distance_bands(distances: Sequence[Distance], width: float) -> Markup:
    """For each underlying, how far its price may move either way, everything else held, before liquidation."""
    several = len({d.pool for d in distances}) > 1
    names = [f"{d.underlying} ({d.pool})" if several else d.underlying for d in distances]
    moves = [(relative(d.below, d.price), relative(d.above, d.price)) for d in distances]
    figures = [f"{_side(below)} / {_side(above)}" for below, above in moves]
    place = rows(names, figures, width, bar_height=16.0)
    found = [x for pair in moves for x in pair if x is not None]
    high = min(_REACH, 1.15 * max([0.2, *found]))
    low = max(-1.0, 1.15 * min([-0.2, *found]))
    across = Scale(low, high, place.left, place.right)
    parts = [percent_axis(across, place.top, place.bottom, title="move of the price, everything else held")]
    for i, (d, (below, above)) in enumerate(zip(distances, moves, strict=True)):
        left = across.clipped(low if below is None else below)
        right = across.clipped(high if above is None else above)
        y, height = place.y(i), place.bar_height
        parts.append(bar(across(low), across(high), y, height, "lost"))
        parts.append(bar(left, right, y, height, "safe", tip=_distance_tip(d, below, above)))
        parts += [
            line(x, y - 2.0, x, y + height + 2.0, "edge")
            for x, m in ((left, below), (right, above))
            if m is not None and low <= m <= high
        ]
        parts.append(element("circle", cx=across(0.0), cy=y + height / 2.0, r=3.5, class_="now"))
    parts.append(row_texts(place, names, figures))
    return chart("How far each price may move before liquidation", width, place.bottom + _AXIS, *parts)


def _side(move: float | None) -> str:
    return "never" if move is None else percent(move, plus=True)


def _distance_tip(distance: Distance, below: float | None, above: float | None) -> str:
    sides = [
        f"liquidation at {level(target)} ({percent(move, plus=True)})"
        for target, move in ((distance.below, below), (distance.above, above))
        if target is not None and move is not None
    ]
    searched = f"searched from {level(distance.searched_from)} to {level(distance.searched_to)}"
    return "; ".join([f"{distance.underlying} now {price(distance.price)}", *sides, searched])


def collateral_bars(lines: Sequence[CollateralLine], width: float) -> Markup:
    """Gross value of each holding, parted into what counts, what a cap cuts and what the haircut takes."""
    names = [f"{c.asset} · {chain_name(c.chain)}" if c.chain else c.asset for c in lines]
    figures = [usd(c.recognised_usd) for c in lines]
    place = rows(names, figures, width, top=LINE + 6.0)
    across = scale([c.gross_usd for c in lines] + [c.recognised_usd for c in lines], place.left, place.right, pad=0.01)
    parts = [money_axis(across, place.top, place.bottom)]
    for i, c in enumerate(lines):
        start = 0.0
        pieces = (
            (c.recognised_usd, "counts" if c.recognised_usd >= 0.0 else "owed", "counts"),
            (c.capped_usd, "capped", "is above a cap"),
            (c.haircut_usd, "haircut", "is taken by the haircut"),
        )
        for size, class_, words in pieces:
            if size:
                tip = f"{names[i]}: {usd(size)} of {usd(c.gross_usd)} USD {words}"
                parts.append(bar(across(start), across(start + size), place.y(i), place.bar_height, class_, tip=tip))
                start += size
    parts.append(row_texts(place, names, figures))
    parts.append(legend([("counts", "counts"), ("capped", "above a cap"), ("haircut", "haircut")], place.left, 10.0))
    return chart("Collateral by asset and chain: what counts of its gross value", width, place.bottom + _AXIS, *parts)


def compared_terms(before: Sequence[Term], after: Sequence[Term], width: float) -> Markup:
    """Initial margin by term, before (light) and after (dark)."""
    old, new = ({t.name: t.initial for t in terms} for terms in (before, after))
    names = list(dict.fromkeys([*old, *new]))
    figures = [usd(new.get(n, 0.0) - old.get(n, 0.0), plus=True) for n in names]
    place = rows(names, figures, width, bar_height=18.0, top=LINE + 6.0)
    across = scale([*old.values(), *new.values()], place.left, place.right, pad=0.01)
    parts = [money_axis(across, place.top, place.bottom)]
    for i, n in enumerate(names):
        for terms, y, height, class_, word in (
            (old, 0.0, 7.0, "maintenance", "before"),
            (new, 8.0, 10.0, "initial", "after"),
        ):
            value = terms.get(n, 0.0)
            tip = f"{n} {word}: {usd(value)} USD"
            parts.append(bar(across(0.0), across(value), place.y(i) + y, height, class_, tip=tip))
    parts.append(row_texts(place, names, figures))
    parts.append(legend([("maintenance", "before"), ("initial", "after")], place.left, 10.0))
    return chart("Initial margin by term, before and after", width, place.bottom + _AXIS, *parts)


def ratio_histogram(ratios: Sequence[float], width: float) -> Markup:
    """How many accounts stand at which margin ratio, in steps of ten percent; the last bin holds all above."""
    bins, height = 13, 120.0
    counts = [0] * bins
    for value in ratios:
        counts[min(bins - 1, max(0, int(10.0 * value)))] += 1
    left, bottom = 44.0, height + 8.0
    up = scale(counts, bottom, 8.0, pad=0.05)
    step = (width - left - 4.0) / bins
    parts = []
    for value in ticks(0.0, up.high, 3):
        if value == int(value):
            parts.append(line(left, up(value), width - 4.0, up(value), "gridline"))
            parts.append(label(left - 6.0, up(value) + 0.36 * EM, compact(value), anchor="end", class_="tick"))
    for i, count in enumerate(counts):
        x = left + step * i
        name = f"{10 * i} % to {10 * (i + 1)} %" if i < bins - 1 else f"above {10 * i} %"
        tip = element("title", f"{name}: {named(count, 'account')}")
        y = up(float(count))
        class_ = "loss" if i >= 10 else "initial"
        parts.append(element("rect", tip, x=x + 1.0, y=y, width=step - 2.0, height=bottom - y, class_=class_))
        if i % (1 if is_wide(width) else 2) == 0:
            parts.append(label(x, bottom + LINE, f"{10 * i} %", anchor="middle", class_="tick"))
    parts.append(line(left, bottom, width - 4.0, bottom, "zero"))
    parts.append(label((left + width) / 2, bottom + 2 * LINE, "margin ratio", anchor="middle", class_="tick"))
    return chart("Number of accounts by margin ratio", width, bottom + _AXIS, join(parts))
