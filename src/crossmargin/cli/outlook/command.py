"""What `forecast` and `reverse-stress` do: read, compute, write the page, print."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import read_book, read_market, read_model_document
from crossmargin.adapters.writing import write_text
from crossmargin.cli.commands import one_account
from crossmargin.cli.outlook.tables import forecast_tables, reverse_tables
from crossmargin.cli.output import print_report, progress_bar
from crossmargin.core.check import quantity
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.outlook.forecast import forecast as forecast_account
from crossmargin.engine.outlook.foretelling import Standing
from crossmargin.engine.outlook.predictor import Predictor
from crossmargin.engine.outlook.reverse import reverse_stress as reverse_account
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.calibrating.calibration import Calibration

_HOURS: Final = {"d": 24.0, "h": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The files and the account that are asked for."""

    book: Path
    market: Path
    model: str
    account: str | None
    instruments: Path | None
    registry: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """A kept predictor, and the files that say where an account stands under it."""

    predictor: Path | None
    history: tuple[Path, ...]
    features: tuple[Path, ...]
    stamp: Literal["close", "open"]


def forecast(
    inputs: Inputs, learnt: Learnt, *, outcomes: int, horizon: str | None, as_json: bool, html: Path | None
) -> None:
    """Forecast the requirement of one account."""
    with progress_bar() as progress:
        book, snapshot, model = _load(inputs)
        _check_horizon(model, horizon)
        account = one_account(book, inputs.account, inputs.book)
        stands = _standing(learnt, book, snapshot, model, account)
        report = forecast_account(
            book, snapshot, model, account=account, outcomes=outcomes, standing=stands, progress=progress
        )
    if html is not None:
        from crossmargin.cli.outlook.page import forecast_page

        write_text(html, forecast_page(report))
    print_report(report, as_json=as_json, tables=forecast_tables)


def _check_horizon(model: ModelDocument, text: str | None) -> None:
    """Refuse a model of another horizon than the one asked for, like `1d` or `12h`."""
    if text is None or model.calibration is None:
        return
    days = _HOURS.get(text[-1:], 0.0) * quantity(text[:-1], "horizon", where="--horizon") / 24.0 if text[:-1] else 0.0
    if not math.isclose(days, model.calibration.horizon_days, rel_tol=1e-6):
        raise InvalidInput(
            "--horizon",
            where="forecast",
            value=text,
            limit=f"{model.calibration.horizon_days:g}d, the horizon of {model.name}",
            remedy="Calibrate a model to that horizon (`horizon_bars` of its recipe), or leave the option out.",
        )


def _standing(learnt: Learnt, book: Book, snapshot: Snapshot, model: ModelDocument, account: str) -> Standing | None:
    """Where the account stands under the predictor; None without one."""
    if learnt.predictor is None:
        if learnt.history or learnt.features:
            remedy = "Name a predictor that `crossmargin backtest --predictor` wrote."
            raise InvalidInput(
                "--predictor", where="forecast", value="missing", limit="given with histories", remedy=remedy
            )
        return None
    if not learnt.history:
        remedy = "Give the history that it learnt from, up to now."
        raise InvalidInput(
            "--history", where="forecast", value="missing", limit="given with a predictor", remedy=remedy
        )
    from crossmargin.adapters.feature_tables import read_features
    from crossmargin.adapters.histories import read_history
    from crossmargin.validation.predictive.standing import standing

    kept = read_document(learnt.predictor, Predictor)
    told = read_history(learnt.history, stamp=learnt.stamp, scale=kept.scale)
    given = [read_features(path) for path in learnt.features]
    return standing(book, snapshot, model, told, kept, account=account, given=given)


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
    model, snapshot = read_model_document(inputs.model), read_market(inputs.market, registry=inputs.registry)
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
