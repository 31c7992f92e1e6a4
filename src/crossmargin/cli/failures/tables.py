"""Failures as tables for a terminal."""

from __future__ import annotations

from rich.console import RenderableType

from crossmargin.cli.failures.words import book_words, findings_words, follows, notes, notices, span, verdicts
from crossmargin.cli.table_parts import Row, Sheet, footer, prose, table
from crossmargin.cli.wording import Column, percent, usd
from crossmargin.engine.failures.reports import FailureReport, FailureReports
from crossmargin.scenarios.failures.document import FailureLibrary
from crossmargin.scenarios.failures.library import failures

DETAILED = 3  # events at most whose findings are printed too


def failure_tables(reports: FailureReports) -> RenderableType:
    """Every event: loss, what stands still, what is asked for, what follows, and who notices."""
    plain, other = reports.as_it_is, reports.bridged
    parts: list[RenderableType] = [prose((book_words(plain), *verdicts(plain))), _events(plain)]
    if other is not None:
        parts += [prose((book_words(other), *verdicts(other))), _events(other, plain)]
    if len(plain.events) <= DETAILED:
        parts.append(_details(plain))
    return Sheet(*parts, prose(notes(reports)), *footer(plain.provenance))


def _events(report: FailureReport, before: FailureReport | None = None) -> RenderableType:
    """One row an event; with `before` also what the same book loses as it is."""
    share = percent(report.bridged_share)
    columns = [Column("event", words=True), Column("", words=True)]
    columns += [Column("loss USD")] if before is None else [Column("loss as it is"), Column(f"loss at {share}")]
    columns += [Column("unavailable"), Column("requirement")]
    columns += [Column("follows", words=True), Column("noticed by", words=True)]
    rows: list[Row] = []
    for i, line in enumerate(report.events):
        losses = (line.loss_usd,) if before is None else (before.events[i].loss_usd, line.loss_usd)
        figures = map(usd, (*losses, line.unavailable_usd, line.requirement_usd))
        rows.append([line.id, line.label, *figures, follows(line), notices(line)])
    title = "Failures" if before is None else f"Failures with {share} behind {report.largest_bridge}"
    return table(title, columns, rows)


def _details(report: FailureReport) -> RenderableType:
    columns = [Column(name, words=True) for name in ("event", "in this book", "what happens", "who looks")]
    rows: list[Row] = [[e.id, "; ".join(e.targets), "; ".join(e.states), findings_words(e)] for e in report.events]
    return table("What was looked at", columns, rows)


def library_table(library: FailureLibrary) -> RenderableType:
    """Every event and composite of a library."""
    kinds = {event.id: (event.kind, event.start_utc[:10]) for event in library.events}
    columns = [Column(name, words=True) for name in ("id", "date", "kind", "event", "lasts")]
    rows: list[Row] = []
    for one in failures(library):
        kind, date = kinds.get(one.id, ("composite", ""))
        rows.append([one.id, date, kind, one.label, span(one.duration_s)])
    told = prose(("Amounts, effects, sources and what is assumed: `--json`.",))
    return Sheet(table(f"{library.name}, {library.date}", columns, rows), told)
