"""A comparison of rulebooks as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from crossmargin.cli.comparing import words
from crossmargin.cli.table_parts import Sheet, footer, prose, table
from crossmargin.engine.compare import CompareReport


def compare_tables(report: CompareReport) -> RenderableType:
    """What each rulebook asks, what netting saves, where it is cheapest, and the pieces where they were asked for."""
    return Sheet(*_parts(report))


def _parts(report: CompareReport) -> Iterator[RenderableType]:
    yield prose(words.summary_sentences(report))
    yield table(f"{report.account} under every rulebook", words.ASKED, words.asked_rows(report))
    if found := words.refusals(report):
        yield prose(found)
    grain = words.GRAIN_WORDS[report.grain]
    title = f"What netting saves: by {grain}, each alone; last, Crossmargin's own for the same positions"
    yield table(title, words.NETTED, words.netted_rows(report))
    yield table(f"Where each {grain} is cheapest alone", words.CHEAPEST, words.cheapest_rows(report.groups))
    yield prose(words.assignment_sentences(report.assignment))
    if report.split is not None:
        yield table("Held in pieces", words.PIECES, words.piece_rows(report.split), total=True)
        yield prose(words.split_sentences(report.split))
    yield from footer(report.provenance)
