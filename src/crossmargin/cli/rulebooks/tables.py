"""Rulebooks and comparisons as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from crossmargin.cli.table_parts import Row, table
from crossmargin.cli.wording import Column
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
