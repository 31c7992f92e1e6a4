"""Marks as one self-contained page."""

from __future__ import annotations

from crossmargin.cli.oracles.mark_tables import GATE_COLUMNS, MARK_COLUMNS, gate_rows, mark_rows, reasons
from crossmargin.cli.oracles.report import MarkRow, MarksReport
from crossmargin.cli.report.page_parts import Section, Tile, card, closing, framed, summary, table, warned
from crossmargin.cli.report.page_parts import tiles as tile_row
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import moment, named
from crossmargin.core.version import VERSION


def marks_page(report: MarksReport) -> str:
    """The marks with both clocks, then each asset's sources at their gates."""
    head = element(
        "header",
        element("p", "Crossmargin · marks", class_="kind"),
        element("h1", element("span", f"Marks of {named(len(report.assets), 'asset')}")),
        element("p", moment(report.as_of_ms), class_="when"),
    )
    marks = card(table("Marks", MARK_COLUMNS, mark_rows(report)))
    top = join((head, _tiles(report), warned(report.refused), marks))
    sections = [Section(f"asset-{i + 1}", one.symbol, _asset(one)) for i, one in enumerate(report.assets)]
    entries = (
        ("As of", moment(report.as_of_ms)),
        ("Registry", report.registry_sha256),
        ("Code", f"Crossmargin {VERSION}"),
    )
    foot = closing(entries, " ".join((*report.notes, "Prices in USD.")))
    return framed("marks", top, sections, foot)


def _tiles(report: MarksReport) -> Markup:
    blocked = [one.symbol for one in report.assets if not one.may_open]
    lower = [x.symbol for x in report.assets if x.new_risk is not None and x.lo is not None and x.new_risk < x.lo]
    still = [one.symbol for one in report.assets if not one.may_liquidate]
    off = [f"{one.symbol} {one.peg}" for one in report.assets if one.peg not in {"none", "normal"}]
    entries = (
        ("Blocked for new risk", blocked),
        ("New risk below the mark", lower),
        ("Nobody liquidated by", still),
        ("Pegs off", off),
    )
    return tile_row(Tile(what, str(len(found)), ", ".join(found), "short" if found else "") for what, found in entries)


def _asset(one: MarkRow) -> Markup:
    said = reasons(one)
    gates = card(table(f"Gates of {one.instance}", GATE_COLUMNS, gate_rows(one)))
    return join((summary(said) if said else Markup(""), gates))
