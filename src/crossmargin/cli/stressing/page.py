"""Named shocks as parts of a page: the losses as bars, what is asked for after each, and where each is from."""

from __future__ import annotations

from functools import partial
from typing import Final

from crossmargin.cli.report import charts, page_sections
from crossmargin.cli.report.page_parts import Section, card, figure, grid, status_pill, table
from crossmargin.cli.report.page_parts import summary as paragraph
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.stressing.words import by_loss, cut_words, moves_words, unmoved_words
from crossmargin.cli.wording import Column, label_text, percent, usd
from crossmargin.engine.reports import StressAccount, StressedMargin, StressReport

BARS_SHOWN: Final = 20


def stressed(account: StressAccount) -> Markup:
    """One account: bars of the largest losses, risk arrays, and the table of what would be left and asked for."""
    arrays = sorted(account.risk_arrays, key=lambda a: a.underlying != "all")
    heat_maps = [page_sections.risk_array_figure(array) for array in arrays]
    if not account.lines:
        return grid(*heat_maps)
    bars = [
        charts.Bar(label_text(s.label), s.pnl_usd, f"equity then {usd(account.equity_usd + s.pnl_usd)} USD")
        for s in by_loss(account)[:BARS_SHOWN]
    ]
    count = len(account.lines)
    title = "Named shocks" if count <= BARS_SHOWN else f"The {BARS_SHOWN} worst of {count} named shocks"
    note = f"P&L of positions and collateral before haircuts, against {usd(account.equity_usd)} USD of equity."
    drawn = figure(title, note, partial(charts.signed_bars, "P&L by named shock", bars))
    return join((grid(drawn, *heat_maps), _shock_card(account)))


def _shock_card(account: StressAccount) -> Markup:
    after = {m.label: m for m in account.margins}
    heads = ("P&L, USD", "of equity", "equity then, USD", *(("initial", "maintenance") if after else ()))
    columns = [Column("shock", words=True), *map(Column, heads), *([Column("status", words=True)] if after else [])]
    rows = []
    for line in by_loss(account):
        of_equity = percent(line.pnl_usd / account.equity_usd) if account.equity_usd else ""
        then = _then(account.equity_usd + line.pnl_usd, after.get(line.label), bool(after))
        rows.append([label_text(line.label), usd(line.pnl_usd), of_equity, *then])
    title = "Shocks, and what would be left and asked for after them" if after else "Shocks and what would be left"
    said = [element("p", text, class_="note") for text in unmoved_words(account)]
    return card(join((table(title, columns, rows), *said)))


def _then(plain_usd: float, found: StressedMargin | None, margined: bool) -> list[str]:
    if found is None:
        return [usd(plain_usd), *(["", "", ""] if margined else [])]
    return [*map(usd, (found.held_equity_usd, found.initial_usd, found.maintenance_usd)), status_pill(found.status)]


def event_sections(report: StressReport) -> list[Section]:
    """The shocks themselves: moves, window, source, and what this market left out; nothing where none are told."""
    if not report.events:
        return []
    names = ("shock", "moves here", "window", "source", "not in this market")
    columns = [Column("date", words=True), *(Column(name, words=True) for name in names)]
    rows = [
        [e.date, label_text(e.label), moves_words(e.moves), e.window, " ".join(e.source.split()), cut]
        for e in report.events
        for cut in [cut_words(e) if e.left_out or e.shortened else ""]
    ]
    words = "Moves as they were applied. A shock of this library never moves what this market lacks, and says so."
    body = join((paragraph((words,)), card(table("Shocks and their sources", columns, rows, shown=False))))
    return [Section("events", "The shocks and where they are from", body)]
