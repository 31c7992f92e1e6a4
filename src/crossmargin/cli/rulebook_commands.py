"""What `rulebooks` and `compare` do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from crossmargin.adapters.files import read_book, read_market, read_model_document
from crossmargin.adapters.rule_parameters import read_rule_parameters
from crossmargin.adapters.schemas import parameters_schema, portfolio_schema
from crossmargin.cli.inputs import parse_day
from crossmargin.cli.output import print_json, print_report
from crossmargin.cli.rulebook_tables import compare_table, rulebook_page, rulebook_table
from crossmargin.core.errors import DuplicateName, InvalidInput
from crossmargin.engine.compare import compare as compare_account
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


def compare(
    book: Path,
    market: Path,
    *,
    names: str,
    account: str | None,
    model: str,
    date: str | None,
    as_json: bool,
    parameters: Sequence[str] = (),
) -> None:
    """Margin one account under many rulebooks."""
    snapshot = read_market(market)
    loaded = read_book(book, market=snapshot)
    report = compare_account(
        loaded,
        snapshot,
        read_model_document(model),
        account=account or loaded.accounts[0],
        names=None if names == "all" else names.split(","),
        date=parse_day(date),
        parameters=_parameters(parameters),
    )
    print_report(report, as_json=as_json, tables=compare_table)


def _parameters(options: Sequence[str]) -> dict[str, msgspec.Struct]:
    """Parameters by rulebook, from options like `sensitivity-im=calibration.toml`."""
    found: dict[str, msgspec.Struct] = {}
    for text in options:
        name, equals, path = text.partition("=")
        if not equals or not path:
            limit, remedy = "ID=FILE", "Write it like sensitivity-im=calibration.toml."
            raise InvalidInput("--parameters", where="command line", value=text, limit=limit, remedy=remedy)
        if name in found:
            raise DuplicateName("rulebook", where="--parameters", value=name)
        found[name] = read_rule_parameters(rulebook(name, where="--parameters"), path)
    return found
