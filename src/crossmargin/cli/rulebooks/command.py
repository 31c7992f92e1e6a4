"""What `rulebooks` and `compare` do."""

from __future__ import annotations

import msgspec

from crossmargin.adapters.schemas import parameters_schema, portfolio_schema
from crossmargin.cli.output import print_json, print_report
from crossmargin.cli.rulebooks.tables import rulebook_page, rulebook_table
from crossmargin.margin.rulebooks.registry import rulebook, rulebooks
from crossmargin.margin.rulebooks.rulebook import Rulebook


def list_rulebooks(*, as_json: bool) -> None:
    """Print every rulebook."""
    found = tuple(rulebooks().values())
    if as_json:
        print_json([_described(one) for one in found])
    else:
        print_report(found, as_json=False, tables=rulebook_table)


def show_rulebook(name: str, *, as_json: bool, schema: bool = False, portfolio: bool = False) -> None:
    """Print one rulebook with its formulas, sources and newest parameters, or a schema: of its parameters, or of the
    portfolio that its native entry takes."""
    one = rulebook(name)
    if schema or portfolio:
        print_json(parameters_schema(name) if schema else portfolio_schema(name))
    elif as_json:
        dates = one.dates()
        print_json(_described(one) | {"parameters": msgspec.to_builtins(one.load(dates[-1])) if dates else None})
    else:
        print_report(one, as_json=False, tables=rulebook_page)


def _described(one: Rulebook) -> dict[str, object]:
    fields = ("id", "name", "family", "products", "method", "formulas", "sources", "certainty", "open_parts")
    return {name: getattr(one, name) for name in fields} | {"dates": one.dates()}
