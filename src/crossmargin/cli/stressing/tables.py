"""Named shocks as tables for a terminal: what each costs, what is asked for after it, and what was cut of it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType

from crossmargin.cli.stressing.words import by_loss, cut_words, moves_words, unmoved_words
from crossmargin.cli.table_parts import Row, bar, prose, share, status_text, table
from crossmargin.cli.wording import Column, label_text, named, usd
from crossmargin.engine.reports import StressAccount, StressReport
from crossmargin.scenarios.document import StressDocument


def named_shocks(account: StressAccount) -> Iterator[RenderableType]:
    """Every shock, the largest loss first: P&L, its part of equity, and what counts and is asked for after it."""
    if not account.lines:
        return
    largest = max(abs(line.pnl_usd) for line in account.lines)
    after = {m.label: m for m in account.margins}
    heads = ("equity then USD", "initial USD", "maintenance USD") if after else ("equity then USD",)
    columns = [Column("shock", words=True), Column("P&L USD"), Column("of equity"), Column("", words=True)]
    columns += [*map(Column, heads), *([Column("status", words=True)] if after else [])]
    rows: list[Row] = []
    for line in by_loss(account):
        row: list[str] = [label_text(line.label), usd(line.pnl_usd), share(line.pnl_usd, account.equity_usd)]
        found = after.get(line.label)
        if found is not None:
            figures = (found.held_equity_usd, found.initial_usd, found.maintenance_usd)
            rest: Row = [*map(usd, figures), status_text(found.status)]
        else:
            rest = [usd(account.equity_usd + line.pnl_usd), *([""] * 3 if after else [])]
        rows.append([*row, bar(line.pnl_usd, largest, width=10), *rest])
    yield table("Named shocks, and what would be asked for after them" if after else "Named shocks", columns, rows)
    said = unmoved_words(account)
    if said:
        yield prose(said)


def cut_events(report: StressReport) -> Iterator[RenderableType]:
    """What the market left out of which shock, where it did."""
    rows: list[Row] = [[label_text(e.label), cut_words(e)] for e in report.events if e.left_out or e.shortened]
    if rows:
        columns = (Column("shock", words=True), Column("not in this market", words=True))
        yield table("What was cut from the shipped shocks", columns, rows)


def library_table(library: StressDocument) -> RenderableType:
    """Every shock of a library: its date, its largest moves and over which time."""
    columns = (Column("date", words=True), *(Column(name, words=True) for name in ("shock", "moves", "window")))
    rows: list[Row] = [[s.date, label_text(s.label), moves_words(s.shocks), s.window] for s in library.scenarios]
    count = named(len(library.scenarios), "shock")
    told = prose((f"{count}. `--json` prints every move with its source; `--event` picks by date or label.",))
    return Group(table("Shipped shocks", columns, rows), told)
