"""What `forecast` and `reverse-stress` do: read, compute, write the page, print."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossmargin.adapters.files import read_book, read_market, read_model_document
from crossmargin.adapters.writing import write_text
from crossmargin.cli.commands import one_account
from crossmargin.cli.outlook.tables import forecast_tables, reverse_tables
from crossmargin.cli.output import print_report, progress_bar
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.outlook.forecast import forecast as forecast_account
from crossmargin.engine.outlook.reverse import reverse_stress as reverse_account
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.calibrating.calibration import Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The files and the account that are asked for."""

    book: Path
    market: Path
    model: str
    account: str | None
    instruments: Path | None


def forecast(inputs: Inputs, *, outcomes: int, as_json: bool, html: Path | None) -> None:
    """Forecast the requirement of one account."""
    with progress_bar() as progress:
        book, snapshot, model = _load(inputs)
        account = one_account(book, inputs.account, inputs.book)
        report = forecast_account(book, snapshot, model, account=account, outcomes=outcomes, progress=progress)
    if html is not None:
        from crossmargin.cli.outlook.page import forecast_page

        write_text(html, forecast_page(report))
    print_report(report, as_json=as_json, tables=forecast_tables)


def reverse_stress(inputs: Inputs, *, calibration: str | None, as_json: bool, html: Path | None) -> None:
    """Find the most plausible moves that exhaust one account."""
    book, snapshot, model = _load(inputs)
    account = one_account(book, inputs.account, inputs.book)
    fitted = None if calibration is None else _calibration(calibration)
    report = reverse_account(book, snapshot, model, account=account, calibration=fitted)
    if html is not None:
        from crossmargin.cli.outlook.page import reverse_page

        write_text(html, reverse_page(report))
    print_report(report, as_json=as_json, tables=reverse_tables)


def _load(inputs: Inputs) -> tuple[Book, Snapshot, ModelDocument]:
    model, snapshot = read_model_document(inputs.model), read_market(inputs.market)
    return read_book(inputs.book, market=snapshot, instruments=inputs.instruments), snapshot, model


def _calibration(path: str) -> Calibration:
    """The calibration inside a model. Raises `InvalidInput` for a model without one."""
    found = read_model_document(path).calibration
    if found is None:
        raise InvalidInput(
            "model",
            where="--calibration",
            value=path,
            limit="one that `crossmargin calibrate` wrote",
            remedy="Fit one to a history, or leave the option out.",
        )
    return found
