"""Failures as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from crossmargin.cli.failures.rows import event_rows, sales_rows
from crossmargin.cli.failures.words import (
    book_words,
    bridge_words,
    findings_words,
    notes,
    ruled_words,
    severity_words,
    span,
    unheld_words,
    verdicts,
)
from crossmargin.cli.rulebooks.ruling import partial_line
from crossmargin.cli.table_parts import Row, Sheet, footer, prose, table, warning
from crossmargin.cli.wording import Column
from crossmargin.engine.failures.reports import FailureReport, FailureReports
from crossmargin.scenarios.failures.document import FailureLibrary
from crossmargin.scenarios.failures.library import failures
from crossmargin.scenarios.failures.severity import Severity

DETAILED = 3  # events at most whose findings are printed too


def failure_tables(reports: FailureReports) -> RenderableType:
    """Every event: loss, what stands still, what is asked for, what follows, and who notices."""
    plain, other = reports.as_it_is, reports.bridged
    told = (book_words(plain), *ruled_words(plain), *verdicts(plain), *unheld_words(plain))
    parts: list[RenderableType] = [*_ruled(plain), prose(told), *_events(plain, reports.severity)]
    if other is not None:
        parts += [prose((book_words(other), *verdicts(other))), *_events(other, reports.severity, share=True)]
    if len(plain.events) <= DETAILED:
        parts.append(_details(plain))
    return Sheet(*parts, prose(notes(reports)), *footer(plain.provenance))


def _events(report: FailureReport, severity: Severity, *, share: bool = False) -> Iterator[RenderableType]:
    """The events, and what becomes of those that force sales; the title says the share behind one bridge."""
    behind = f" with {bridge_words(report)}" if share else ""
    yield table(f"Failures{behind}, {severity_words(severity)}", *event_rows(report))
    columns, rows = sales_rows(report)
    if rows:
        yield table(f"Forced sales{behind}, until nothing moves, USD", columns, rows)


def _ruled(report: FailureReport) -> Iterator[RenderableType]:
    """What a rulebook leaves out of whose margin."""
    yield from warning(tuple(filter(None, [partial_line(report.rulings)])))


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
