"""Rulebooks and comparisons as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from crossmargin.cli.table_parts import Row, prose, table
from crossmargin.cli.wording import Column, usd
from crossmargin.engine.compare import CompareReport, Comparison
from crossmargin.margin.rulebooks.rulebook import Rulebook


def rulebook_table(rulebooks: Sequence[Rulebook]) -> RenderableType:
    """All rulebooks: family, products, parameter dates and how certain they are."""
    names = ("rulebook", "family", "products", "parameters of", "certainty")
    rows: list[Row] = [
        [r.id, r.family, r.products, ", ".join(r.dates()) or "your file", r.certainty] for r in rulebooks
    ]
    return table("Rulebooks", tuple(Column(name, words=True) for name in names), rows)


def rulebook_page(rulebook: Rulebook) -> RenderableType:
    """One rulebook: method, formulas, open parts, parameter dates and sources."""
    lines = [Text(f" {rulebook.name} ({rulebook.id})", style="bold"), Text(f" {rulebook.method}"), Text()]
    lines += [Text(f"   {line}") for line in rulebook.formulas.strip().splitlines()]
    lines += [Text(), Text(f" Products: {rulebook.products}. Certainty: {rulebook.certainty}.")]
    lines += [Text(f" Open: {part}") for part in rulebook.open_parts]
    lines += [Text(f" Parameters of: {', '.join(rulebook.dates()) or 'a file of yours'}")]
    lines += [Text(f" Source: {source}") for source in rulebook.sources]
    return Group(*lines)


def compare_table(report: CompareReport) -> RenderableType:
    """An account under every rulebook, whole accounts first, then those that had to leave positions out."""
    columns = (
        Column("rulebook", words=True),
        Column("of", words=True),
        Column("initial USD"),
        Column("maintenance USD"),
        Column("equity USD"),
        Column("left out"),
        Column("certainty", words=True),
        Column("binding", words=True),
    )
    own: Row = [
        report.model,
        "",
        usd(report.initial_usd),
        usd(report.maintenance_usd),
        usd(report.equity_usd),
        "0",
        "",
        "",
    ]
    margined = [r for r in report.rows if r.initial_usd is not None]
    refusals = [f"{r.rulebook}: {r.error}" for r in report.rows if r.error]
    parts = [table(f"{report.account} under every rulebook", columns, [own, *map(_row, margined)])]
    parts += [prose((text,)) for text in refusals]
    return Group(*parts)


def _row(row: Comparison) -> Row:
    figures = (row.initial_usd, row.maintenance_usd, row.equity_usd)
    money = ["" if x is None else usd(x) for x in figures]
    return [row.rulebook, row.date, *money, f"{len(row.refused)}", row.certainty, row.binding]
