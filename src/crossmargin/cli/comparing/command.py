"""What `compare` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from crossmargin.adapters.files import read_book, read_market, read_model_document
from crossmargin.adapters.rule_parameters import read_rule_parameters
from crossmargin.adapters.writing import write_text
from crossmargin.cli.commands import Inputs
from crossmargin.cli.comparing.tables import compare_tables
from crossmargin.cli.inputs import parse_day
from crossmargin.cli.output import print_report, progress_bar
from crossmargin.core.errors import DuplicateName, InvalidInput
from crossmargin.engine.compare import compare as compare_account
from crossmargin.engine.comparing.parts import Grain
from crossmargin.margin.rulebooks.registry import rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is compared, as the user writes it.

    `names` are ids parted by commas, or "all". `parameters` and `venues` are options like `ID=FILE` and `VENUE=ID`.
    """

    names: str = "all"
    account: str | None = None
    date: str | None = None
    parameters: Sequence[str] = ()
    grain: Grain | None = None
    split: bool = False
    venues: Sequence[str] = ()


def compare(inputs: Inputs, asked: Asked, *, html: Path | None, as_json: bool) -> None:
    """Margin one account under many rulebooks, print the comparison, and write its page where wanted."""
    venues = _pairs(asked.venues, option="--venue", form="VENUE=ID", example="DERIBIT=deribit-standard")
    with progress_bar() as progress:
        snapshot = read_market(inputs.market, registry=inputs.registry)
        loaded = read_book(inputs.book, market=snapshot, instruments=inputs.instruments)
        report = compare_account(
            loaded,
            snapshot,
            read_model_document(inputs.model),
            account=asked.account or loaded.accounts[0],
            names=None if asked.names == "all" else asked.names.split(","),
            date=parse_day(asked.date),
            parameters=_parameters(asked.parameters),
            grain=asked.grain,
            split=venues if asked.split or venues else None,
            progress=progress,
        )
    if html is not None:
        from crossmargin.cli.comparing.page import compare_page

        write_text(html, compare_page(report))
    print_report(report, as_json=as_json, tables=compare_tables)


def _parameters(options: Sequence[str]) -> dict[str, msgspec.Struct]:
    """Parameters by rulebook, from options like `sensitivity-im=calibration.toml`."""
    files = _pairs(options, option="--parameters", form="ID=FILE", example="sensitivity-im=calibration.toml")
    return {name: read_rule_parameters(rulebook(name, where="--parameters"), path) for name, path in files.items()}


def _pairs(options: Sequence[str], *, option: str, form: str, example: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for text in options:
        name, _, value = text.partition("=")
        if not name or not value:
            remedy = f"Write it like {example}."
            raise InvalidInput(option, where="command line", value=text, limit=form, remedy=remedy)
        if name in found:
            raise DuplicateName(form.partition("=")[0], where=option, value=name)
        found[name] = value
    return found
