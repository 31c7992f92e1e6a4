"""Failures as one self-contained page."""

from __future__ import annotations

from functools import partial

from crossmargin.cli.failures.words import (
    book_words,
    duration,
    findings_words,
    follows,
    notes,
    notices,
    span,
    verdicts,
)
from crossmargin.cli.report import charts
from crossmargin.cli.report.page_parts import Section, Tile, card, document, figure, grid, header, summary, table
from crossmargin.cli.report.page_parts import tiles as tile_row
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import Column, named, percent, usd
from crossmargin.engine.failures.reports import FailureReport, FailureReports

BARS_SHOWN = 15


def failures_page(reports: FailureReports) -> str:
    """Every event on the book as it is, and beside it with a share behind one bridge where that was asked for."""
    plain, other = reports.as_it_is, reports.bridged
    names = [one.id for one in plain.events[0].accounts] if plain.events else []
    name = names[0] if len(names) == 1 else named(len(names), "account")
    said = [book_words(plain), *verdicts(plain)]
    if other is not None:
        said += [f"With a share of {percent(reports.asked_share)}: {book_words(other)}", *verdicts(other)]
    top = join((header("failures", name, None, plain.provenance), summary(said), _tiles(plain)))
    sections = [Section("events", "Events", _events(plain, other))]
    sections.append(Section("notice", "Who notices, and when", card(_findings(plain))))
    sections.append(Section("sources", "What is told of them", card(_sources(plain))))
    sections[0] = sections[0]._replace(
        body=join((sections[0].body, element("p", " ".join(notes(reports)), class_="note")))
    )
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


def _events(plain: FailureReport, other: FailureReport | None) -> Markup:
    drawn = [_bars(plain, "Largest losses, as it is")]
    if other is not None:
        drawn.append(_bars(other, f"With {percent(other.bridged_share)} behind {other.largest_bridge}"))
    heads = ("loss, USD", "unavailable", "requirement")
    columns = [Column("event", words=True), *map(Column, heads), Column("follows", words=True)]
    columns.append(Column("noticed by", words=True))
    if other is not None:
        columns += [Column(f"loss at {percent(other.bridged_share)}"), Column("unavailable then")]
        columns += [Column("follows then", words=True), Column("noticed then", words=True)]
    rows = []
    for i, line in enumerate(plain.events):
        figures = (line.loss_usd, line.unavailable_usd, line.requirement_usd)
        row = [f"{line.id} {line.label}", *map(usd, figures), follows(line), notices(line)]
        if other is not None:
            then = other.events[i]
            row += [usd(then.loss_usd), usd(then.unavailable_usd), follows(then), notices(then)]
        rows.append(row)
    return join((grid(*drawn), card(table("All events", columns, rows))))


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
        for line in report.events
    ]
    return table("Detectors and targets", columns, rows)


def _sources(report: FailureReport) -> Markup:
    columns = [Column(name, words=True) for name in ("event", "lasts at most", "sources", "assumed, by no source")]
    rows = [
        [f"{e.id} {e.label}", duration(e.duration_s[1]), "; ".join(e.sources), "; ".join(e.assumed)]
        for e in report.events
    ]
    return table("Sources", columns, rows, shown=False)
