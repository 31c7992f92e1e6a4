"""Replays as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.rule import Rule
from rich.text import Text

from crossmargin.cli.replaying.words import account_words, at, hours_in, notes, thinned
from crossmargin.cli.table_parts import Row, Sheet, footer, prose, status_text, table
from crossmargin.cli.wording import Column, named, usd
from crossmargin.engine.outlook.replay import AccountReplay, EventReplay, ReplayReport

ROWS_SHOWN = 24
CALLS_SHOWN = 12
ACCOUNTS_SHOWN = 5


def replay_tables(report: ReplayReport) -> RenderableType:
    """Every event and account: an overview, the calls, and the bars."""
    parts: list[RenderableType] = [_overview(report)]
    for event in report.events:
        for one in event.accounts[:ACCOUNTS_SHOWN]:
            title = f"{event.label} · {one.account}" if len(event.accounts) > 1 else event.label
            parts.append(Rule(Text(title, style="bold"), align="left"))
            parts.append(prose(account_words(one, event)))
            parts += _calls(one, event)
            parts.append(_bars(one, event))
    return Sheet(*parts, prose(notes(report)), *footer(report.provenance))


def _overview(report: ReplayReport) -> RenderableType:
    several = any(len(event.accounts) > 1 for event in report.events)
    heads = ("equity USD", "initial USD", "initial peak", "equity worst", "called USD", "first call")
    columns = [Column("event"), *([Column("account", words=True)] if several else []), *map(Column, heads)]
    columns.append(Column("worst, unpaid", words=True))
    rows: list[Row] = []
    for event in report.events:
        for one in event.accounts:
            first, worst = one.points[0], one.points[one.worst]
            peak = max(p.initial_usd for p in one.points)
            figures = (first.equity_usd, first.initial_usd, peak, worst.held_equity_usd, one.called_usd)
            called = "never" if one.first_call_ms is None else hours_in(one.first_call_ms, event)
            who = [one.account] if several else []
            rows.append([event.label, *who, *map(usd, figures), called, status_text(worst.unpaid_status)])
    return table(f"{named(len(report.events), 'event')}", columns, rows)


def _calls(one: AccountReplay, event: EventReplay) -> Iterator[RenderableType]:
    called = [p for p in one.points if p.called_usd > 0.0]
    if called:
        heads = ("initial USD", "equity USD", "posted USD", "called USD")
        columns = [Column("time", words=True), Column("after"), *map(Column, heads)]
        rows: list[Row] = [
            [
                at(p.time_ms),
                hours_in(p.time_ms, event),
                *map(usd, (p.initial_usd, p.equity_usd, p.posted_usd, p.called_usd)),
            ]
            for p in called[:CALLS_SHOWN]
        ]
        more = f", the first {CALLS_SHOWN} of {len(called)}" if len(called) > CALLS_SHOWN else ""
        yield table(f"Calls{more}", columns, rows)


def _bars(one: AccountReplay, event: EventReplay) -> RenderableType:
    heads = ("P&L USD", "equity USD", "posted USD", "initial USD", "maintenance USD")
    columns = [Column("time", words=True), Column("after"), *map(Column, heads), Column("status", words=True)]
    rows: list[Row] = [
        [
            at(p.time_ms),
            hours_in(p.time_ms, event),
            *map(usd, (p.pnl_usd, p.equity_usd, p.posted_usd, p.initial_usd, p.maintenance_usd)),
            status_text(p.status),
        ]
        for p in thinned(one.points, ROWS_SHOWN, one.worst)
    ]
    return table("Bars", columns, rows)
