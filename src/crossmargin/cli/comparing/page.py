"""A comparison of rulebooks as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from crossmargin.cli.comparing import charts, words
from crossmargin.cli.report.page_parts import Section, Tile, card, document, figure, grid, header, summary, table, tiles
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import Column, percent, usd
from crossmargin.engine.compare import CompareReport
from crossmargin.engine.comparing.split import SplitReport


def compare_page(report: CompareReport) -> str:
    """What each rulebook asks of an account, what netting saves, where it is cheapest, and the pieces it is held in."""
    top = join(
        (
            header("compared under rulebooks", report.account, None, report.provenance),
            tiles(_tiles(report)),
            summary(words.summary_sentences(report)),
        )
    )
    return document(f"{report.account} · rulebooks", top, [*_sections(report)], report.provenance)


def _sections(report: CompareReport) -> Iterator[Section]:
    yield Section("asked", "What each rulebook asks", _asked(report))
    yield Section("netting", "What netting saves", _netting(report))
    yield Section("cheapest", "Where the positions would be cheapest", _cheapest(report))
    if report.split is not None:
        yield Section("pieces", "Held in pieces", _pieces(report.split))
    yield Section("left-out", "What is left out, and what is open", _open(report))
    yield Section("sources", "Rules and their sources", _sources(report))


def _tiles(report: CompareReport) -> list[Tile]:
    entries = [
        Tile("Netted by Crossmargin", usd(report.initial_usd), "initial margin, USD"),
        Tile("Saved by netting", _part(report.saving_usd, report.alone_usd), f"of {usd(report.alone_usd)} USD alone"),
    ]
    complete = [row for row in report.rows if words.is_whole(row)]
    if complete:
        least = complete[0]
        entries.append(Tile("Least of a rulebook", words.money(least.initial_usd), f"{least.rulebook}, whole account"))
    if report.assignment.places:
        found = report.assignment
        left = f", without {', '.join(found.unplaced)}" if found.unplaced else ""
        note = f"{'least' if found.is_exact else 'bounds the least'} sum, positions alone{left}"
        entries.append(Tile("Cheapest apart", usd(found.initial_usd), note))
    if report.split is not None:
        note = "all positions" if report.split.is_whole else "those that the pieces margin"
        entries.append(Tile("Held in pieces", usd(report.split.initial_usd), note))
    return entries


def _part(part: float, whole: float) -> str:
    return percent(part / whole) if whole else "0 %"


def _asked(report: CompareReport) -> Markup:
    """Rulebooks that margin the whole account apart from those that leave something out: they do not compare."""
    found = words.margined(report)
    complete, partly = ([r for r in found if words.is_whole(r) == kind] for kind in (True, False))
    figures = []
    if complete:
        draw = partial(charts.asked_bars, report, complete)
        figures.append(figure("The whole account", "Every position and order is in these numbers.", draw))
    if partly:
        note = "Each leaves something out: compare its bar with its own rhomb, not with the other bars."
        figures.append(figure("Part of the account", note, partial(charts.part_bars, partly)))
    notes = (element("p", text, class_="note") for text in words.refusals(report))
    made = card(join((table("Every rulebook", words.ASKED, words.asked_rows(report)), *notes)))
    return join((grid(*figures), made))


def _netting(report: CompareReport) -> Markup:
    grain = words.GRAIN_WORDS[report.grain]
    note = (
        f"Initial margin by {grain}, each alone and without collateral, and of the collateral alone, against all "
        "together. A rulebook that margins each contract by itself saves nothing."
    )
    made = table("Alone and together; last, Crossmargin's own", words.NETTED, words.netted_rows(report))
    drawn = figure("Each alone against together", note, partial(charts.netting_bars, report))
    return join((grid(drawn), card(made)))


def _cheapest(report: CompareReport) -> Markup:
    grain = words.GRAIN_WORDS[report.grain]
    note = "Offers are of rulebooks that take the group whole; requirements are without collateral."
    rows = words.cheapest_rows(report.groups)
    made = card(table(f"By {grain}, each alone", words.CHEAPEST, rows))
    return join((summary(words.assignment_sentences(report.assignment)), summary([note]), made))


def _pieces(split: SplitReport) -> Markup:
    note = "Each piece by the rule of its venue, one after the other; then their sum, and the netted number."
    drawn = figure("In pieces against netted", note, partial(charts.piece_bars, split))
    made = card(table("Pieces", words.PIECES, words.piece_rows(split), total=True))
    return join((summary(words.split_sentences(split)), grid(drawn, made)))


def _open(report: CompareReport) -> Markup:
    columns = tuple(Column(name, words=True) for name in ("rulebook", "left out", "notes", "open"))
    rows = [
        [
            row.rulebook,
            row.error or ", ".join(row.refused) or "nothing",
            "; ".join(row.notes),
            "; ".join(row.open_parts),
        ]
        for row in report.rows
    ]
    return card(table("By rulebook", columns, rows))


def _sources(report: CompareReport) -> Markup:
    columns = tuple(Column(name, words=True) for name in ("rulebook", "name", "parameters of", "certainty", "sources"))
    rows = [[r.rulebook, r.name, r.date, r.certainty, "; ".join(r.sources)] for r in report.rows]
    return card(table("By rulebook", columns, rows))
