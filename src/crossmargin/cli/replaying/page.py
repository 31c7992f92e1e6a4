"""A replay as one self-contained page."""

from __future__ import annotations

from functools import partial

from crossmargin.cli.replaying import charts
from crossmargin.cli.replaying.tables import ACCOUNTS_SHOWN
from crossmargin.cli.replaying.words import account_words, at, hours_in, notes, shown_paths
from crossmargin.cli.report.page_parts import (
    Section,
    Tile,
    card,
    document,
    figure,
    grid,
    header,
    status_pill,
    summary,
    table,
)
from crossmargin.cli.report.page_parts import tiles as tile_row
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import Column, named, usd
from crossmargin.engine.outlook.replay import AccountReplay, EventReplay, ReplayReport


def replay_page(report: ReplayReport) -> str:
    """Each event: how the requirement met equity, who was called, and what the market did."""
    accounts = report.events[0].accounts if report.events else ()
    name = accounts[0].account if len(accounts) == 1 else named(len(accounts), "account")
    count = named(len(report.events), "event")
    top = join(
        (
            header(f"replay of {count}", name, None, report.provenance),
            summary(notes(report)),
            card(_overview(report)),
        )
    )
    sections = [Section(f"event-{i + 1}", event.label, _event(event)) for i, event in enumerate(report.events)]
    return document(f"{name} · replay", top, sections, report.provenance)


def _overview(report: ReplayReport) -> Markup:
    heads = ("equity before, USD", "initial before", "initial peak", "equity worst", "called")
    columns = [Column("event", words=True), Column("account", words=True), *map(Column, heads)]
    columns += [Column("first call", words=True), Column("worst, paying nothing", words=True)]
    rows = []
    for event in report.events:
        for one in event.accounts:
            first, worst = one.points[0], one.points[one.worst]
            peak = max(p.initial_usd for p in one.points)
            figures = (first.equity_usd, first.initial_usd, peak, worst.held_equity_usd, one.called_usd)
            called = "never" if one.first_call_ms is None else f"after {hours_in(one.first_call_ms, event)}"
            rows.append([event.label, one.account, *map(usd, figures), called, status_pill(worst.unpaid_status)])
    return table("Events at a glance", columns, rows)


def _event(event: EventReplay) -> Markup:
    parts = []
    for one in event.accounts[:ACCOUNTS_SHOWN]:
        if len(event.accounts) > 1:
            parts.append(element("h3", one.account))
        parts += [_tiles(one, event), summary(account_words(one, event)), _figures(one, event)]
    hidden = len(event.accounts) - ACCOUNTS_SHOWN
    if hidden > 0:
        parts.append(element("p", f"{named(hidden, 'account')} more in the JSON report.", class_="note"))
    return join(parts)


def _tiles(one: AccountReplay, event: EventReplay) -> Markup:
    worst = one.points[one.worst]
    left = worst.held_equity_usd - worst.maintenance_usd
    called = "nothing" if one.first_call_ms is None else f"the first after {hours_in(one.first_call_ms, event)}"
    return tile_row(
        (
            Tile("Worst P&L", usd(min(p.pnl_usd for p in one.points)), "USD, before haircuts"),
            Tile("Initial margin at its peak", usd(max(p.initial_usd for p in one.points)), "USD"),
            Tile("Called in all", usd(one.called_usd), called),
            Tile("Over maintenance at worst", usd(left), "USD, no call paid", "" if left >= 0.0 else "short"),
        )
    )


def _figures(one: AccountReplay, event: EventReplay) -> Markup:
    note = "By bar, USD. A dot is a call: the gap between initial margin and equity with what was paid before."
    requirement = figure(
        "Requirement against equity", note, partial(charts.requirement_chart, one, event), _bars(one, event)
    )
    prices, vols = shown_paths(event)
    more = len(event.paths) - len(prices) - len(vols)
    note = f"Since the start; {named(more, 'factor')} more moved." if more else "Since the start."
    moved = [
        figure(title, note, partial(charts.paths_chart, event, paths))
        for title, paths in (("What prices did", prices), ("What volatilities did", vols))
        if paths
    ]
    return grid(requirement, *moved)


def _bars(one: AccountReplay, event: EventReplay) -> Markup:
    heads = ("after", "P&L", "equity", "posted", "initial", "maintenance", "called")
    columns = [Column("time", words=True), *map(Column, heads), Column("status", words=True)]
    rows = [
        [
            at(p.time_ms),
            hours_in(p.time_ms, event),
            *map(usd, (p.pnl_usd, p.equity_usd, p.posted_usd, p.initial_usd, p.maintenance_usd, p.called_usd)),
            status_pill(p.status),
        ]
        for p in one.points
    ]
    return table(f"Bars of {one.account}", columns, rows, shown=False)
