"""Failures as one self-contained page."""

from __future__ import annotations

from functools import partial

from crossmargin.cli.failures.rows import event_rows, sales_rows
from crossmargin.cli.failures.words import (
    book_words,
    bridge_words,
    findings_words,
    follows,
    is_held,
    notes,
    notices,
    ruled_words,
    severity_words,
    span,
    unheld_words,
    verdicts,
)
from crossmargin.cli.report import charts
from crossmargin.cli.report.page_parts import (
    Section,
    Tile,
    card,
    document,
    figure,
    grid,
    header,
    summary,
    table,
    warned,
)
from crossmargin.cli.report.page_parts import tiles as tile_row
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.rulebooks.ruling import partial_line
from crossmargin.cli.wording import Column, named, usd
from crossmargin.engine.failures.reports import FailureReport, FailureReports

BARS_SHOWN = 15


def failures_page(reports: FailureReports) -> str:
    """Every event on the book as it is, and beside it with a share behind one bridge where that was asked for."""
    plain, other = reports.as_it_is, reports.bridged
    names = [one.id for one in plain.events[0].accounts] if plain.events else []
    name = names[0] if len(names) == 1 else named(len(names), "account")
    said = [book_words(plain), *ruled_words(plain), *verdicts(plain), *unheld_words(plain)]
    partial = filter(None, [partial_line(plain.rulings)])
    parts = [header("failures", name, None, plain.provenance), summary(said), warned(partial)]
    if other is not None:
        parts.append(summary([f"With {bridge_words(other)}:", *verdicts(other)]))
    top = join((*parts, _tiles(plain)))
    sections = [Section("events", "Events", _events(reports)), *_sales(reports)]
    sections.append(Section("notice", "Who notices, and when", card(_findings(plain))))
    sections.append(Section("sources", "What is told of them", card(_sources(plain))))
    return document(f"{name} · failures", top, sections, plain.provenance)


def _tiles(report: FailureReport) -> Markup:
    if not report.events:
        return tile_row(())
    worst = max(report.events, key=lambda e: e.loss_usd)
    blind = [e for e in report.events if e.detect_s is None and e.loss_usd > 0.0]
    called = [e for e in report.events if e.call_usd > 0.0]
    gone = [e for e in report.events if e.liquidations]
    return tile_row(
        (
            Tile("Largest loss", usd(worst.loss_usd), f"USD, {worst.id}"),
            Tile("Losses nobody notices", str(len(blind)), ", ".join(e.id for e in blind), "short" if blind else ""),
            Tile("Events with a call", str(len(called)), ", ".join(e.id for e in called)),
            Tile("Events with liquidations", str(len(gone)), ", ".join(e.id for e in gone), "short" if gone else ""),
        )
    )


def _events(reports: FailureReports) -> Markup:
    plain, other = reports.as_it_is, reports.bridged
    drawn = [_bars(plain, "Largest losses, as it is")]
    parts = [_table(f"All events, {severity_words(reports.severity)}", plain)]
    if other is not None:
        drawn.append(_bars(other, f"With {bridge_words(other)}"))
        title = f"All events with {bridge_words(other)}, {severity_words(reports.severity)}"
        parts.append(_table(title, other))
    return join((grid(*drawn), *parts, element("p", " ".join(notes(reports)), class_="note")))


def _table(title: str, report: FailureReport) -> Markup:
    """The events with their ids and names in one column."""
    columns, rows = event_rows(report)
    return card(table(title, [columns[0], *columns[2:]], [[f"{row[0]} {row[1]}", *row[2:]] for row in rows]))


def _sales(reports: FailureReports) -> list[Section]:
    """What becomes of the events that force sales, where there are any."""
    cards = []
    for report in filter(None, (reports.as_it_is, reports.bridged)):
        columns, rows = sales_rows(report)
        title = "Until nothing moves, USD" if report is reports.as_it_is else f"With {bridge_words(report)}"
        cards += [card(table(title, columns, rows))] if rows else []
    return [Section("sales", "Forced sales", join(cards))] if cards else []


def _bars(report: FailureReport, title: str) -> Markup:
    worst = sorted(report.events, key=lambda e: -e.loss_usd)[:BARS_SHOWN]
    bars = [charts.Bar(f"{e.id} {e.label}", -e.loss_usd, f"{notices(e)}; {follows(e)}") for e in worst if e.loss_usd]
    note = f"P&L of those who lose, of {usd(report.collateral_usd)} USD of collateral."
    return figure(title, note, partial(charts.signed_bars, title, bars))


def _findings(report: FailureReport) -> Markup:
    names = ("event", "in this book", "what happens", "who looks, and sees", "took, as reported")
    columns = [Column(name, words=True) for name in names]
    rows = [
        [
            line.id,
            "; ".join(line.targets),
            "; ".join(line.states),
            findings_words(line),
            "" if line.reported_s is None else span(line.reported_s),
        ]
        for line in filter(is_held, report.events)
    ]
    return table("Detectors and targets", columns, rows)


def _sources(report: FailureReport) -> Markup:
    columns = [Column(name, words=True) for name in ("event", "lasts", "sources", "assumed, by no source")]
    rows = [
        [f"{e.id} {e.label}", span(e.duration_s), "; ".join(e.sources), "; ".join(e.assumed)] for e in report.events
    ]
    return table("Sources", columns, rows, shown=False)
