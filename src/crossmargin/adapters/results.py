"""Results as flat tables: one row for each account or group, to Parquet, CSV, Arrow IPC or JSON."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from crossmargin.accounts.health import Status, margin_ratio, status
from crossmargin.adapters.writing import replacing
from crossmargin.core.arrays import FloatArray, IndexArray, tally
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.accounts import provenance
from crossmargin.engine.collateral_risk import chain_factors
from crossmargin.engine.margin import MarginResult
from crossmargin.engine.ruled.margin import RuledMargin
from crossmargin.engine.sampling import tails
from crossmargin.margin.chain_terms import CHAIN_TERMS
from crossmargin.margin.requirement import TERMS
from crossmargin.portfolio.book import Mode

if TYPE_CHECKING:
    import polars as pl

Columns: TypeAlias = dict[str, NDArray[Any] | list[str | None]]
By: TypeAlias = Literal["account", "group"]
SUFFIXES: Final = (".parquet", ".csv", ".arrow", ".json")


def write_results(path: str | os.PathLike[str], result: MarginResult | RuledMargin, *, by: By = "account") -> None:
    """Write the margin of every account or group, whole or not at all, in the format that the file's name says.

    Parquet and JSON carry the hashes of what the result was computed from. Raises `InvalidInput` for any other
    suffix than `SUFFIXES`, and where the file cannot be written.
    """
    file = Path(path)
    check_suffix(file)
    with replacing(file) as part:
        write_table(part, result, suffix=file.suffix.lower(), by=by)


def check_suffix(path: Path) -> None:
    """Raise `InvalidInput` for a file that `write_results` could not write, before there is anything to write."""
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidInput(
            "output file",
            where=str(path),
            value=path.suffix,
            limit=f"one of {', '.join(SUFFIXES)}",
            remedy="Choose one of these suffixes.",
        )


def write_table(path: Path, result: MarginResult | RuledMargin, *, suffix: str, by: By) -> None:
    """Write the table to `path` in the format of `suffix`."""
    table = results_table(result, by=by)
    origin = provenance(result)
    if suffix == ".parquet":
        table.write_parquet(path, metadata={"crossmargin": msgspec.json.encode(origin).decode()})
    elif suffix == ".arrow":
        table.write_ipc(path)
    elif suffix == ".csv":
        table.write_csv(path)
    else:
        path.write_bytes(msgspec.json.encode({"provenance": origin, "rows": table.to_dicts()}))


def results_table(result: MarginResult | RuledMargin, *, by: By = "account") -> pl.DataFrame:
    """The margin of every account or group as a table.

    USD throughout. `…_initial_usd` and `…_maintenance_usd` are the terms of the requirement, after their factors;
    `margin_ratio` is null where something is required and there is no equity; `worst_scenario` is that
    of the account's group that loses most, and `standard_error_usd` that of this group's scan, null where scenarios are
    no sample. Under a rulebook the columns are those of `ruled_columns`.
    """
    import polars as pl  # noqa: PLC0415 a report that is not written does without polars

    columns = account_columns(result) if by == "account" else group_columns(result)
    return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))


def account_columns(result: MarginResult | RuledMargin) -> Columns:
    """The figures of `results_table` by account."""
    if isinstance(result, RuledMargin):
        return ruled_columns(result)
    book, figures = result.book, result.pools
    equity, held_equity = map(result.by_account, (figures.equity, figures.held_equity))
    initial, maintenance = map(result.by_account, (figures.initial, figures.maintenance))
    ratio = margin_ratio(held_equity, maintenance)
    accounts = len(book.accounts)
    worst_status = np.zeros(accounts, np.int32)
    np.maximum.at(worst_status, book.pool_account, figures.status)
    columns: Columns = {
        "account": list(book.accounts),
        "status": np.asarray([s.name.lower() for s in Status])[worst_status],
        "equity_usd": equity,
        "held_equity_usd": held_equity,
        "collateral_usd": result.by_account(figures.collateral),
        "unsettled_usd": result.by_account(figures.unsettled),
        "position_value_usd": result.by_account(figures.position_value),
        "initial_usd": initial,
        "maintenance_usd": maintenance,
        "excess_initial_usd": equity - initial,
        "excess_maintenance_usd": held_equity - maintenance,
        "margin_ratio": np.where(np.isinf(ratio), np.nan, ratio),
    }
    of_group = book.group_account
    for at, term in enumerate(TERMS):
        columns[f"{term}_initial_usd"] = tally(of_group, result.groups.initial[:, at], accounts)
        columns[f"{term}_maintenance_usd"] = tally(of_group, result.groups.maintenance[:, at], accounts)
    factor, wrong_way = result.plan.model.wrong_way.factor, result.by_account(figures.wrong_way)
    columns["wrong_way_initial_usd"] = factor.initial * wrong_way
    columns["wrong_way_maintenance_usd"] = factor.maintenance * wrong_way
    if result.plan.chain_risk is not None:
        for at, (term, one) in enumerate(zip(CHAIN_TERMS, chain_factors(result.plan.model), strict=True)):
            amount = result.by_account(np.ascontiguousarray(figures.chain_terms[:, at]))
            columns[f"{term}_initial_usd"] = one.initial * amount
            columns[f"{term}_maintenance_usd"] = one.maintenance * amount
    scenario, loss, error = _worst(result)
    group = _largest(result, loss)
    columns["worst_scenario"] = [scenario[g] if g >= 0 else None for g in group]
    columns["worst_loss_usd"] = np.where(group >= 0, np.append(loss, 0.0)[group], 0.0)
    columns["standard_error_usd"] = np.where(group >= 0, np.append(error, np.nan)[group], np.nan)
    columns["positions"] = _count(of_group, np.diff(book.positions.ptr), accounts)
    columns["orders"] = _count(of_group, np.diff(book.orders.ptr), accounts)
    return columns


def group_columns(result: MarginResult | RuledMargin) -> Columns:
    """The figures of `results_table` by group; raises `InvalidInput` under a rulebook, which sees no groups."""
    if isinstance(result, RuledMargin):
        raise InvalidInput(
            "rows of results",
            where=f"rulebook {result.model.rulebook.id}",
            value="group",
            limit="account: a rulebook margins whole accounts",
            remedy="Write accounts.",
        )
    book, found = result.book, result.groups
    columns: Columns = {
        "account": [book.accounts[a] for a in book.group_account],
        "group": list(book.groups),
        "pool": [book.pools[p] for p in book.group_pool],
        "mode": np.asarray([m.name.lower() for m in Mode])[book.group_mode],
        "initial_usd": found.initial.sum(axis=1),
        "maintenance_usd": found.maintenance.sum(axis=1),
    }
    for at, term in enumerate(TERMS):
        columns[f"{term}_initial_usd"] = found.initial[:, at]
        columns[f"{term}_maintenance_usd"] = found.maintenance[:, at]
    scenario, loss, error = _worst(result)
    columns["worst_scenario"] = scenario
    columns["worst_loss_usd"] = loss
    columns["standard_error_usd"] = error
    columns["positions"] = np.diff(book.positions.ptr)
    columns["orders"] = np.diff(book.orders.ptr)
    return columns


def ruled_columns(result: RuledMargin) -> Columns:
    """The figures of a rulebook by account; `refused` names what they leave out, parted by semicolons."""
    book, found = result.book, result.results
    equity, initial, maintenance = map(result.figures, ("equity_usd", "initial_usd", "maintenance_usd"))
    ratio = margin_ratio(equity, maintenance)
    losses = [{s.label: -s.pnl_usd for s in r.scenarios}.get(r.worst_scenario, 0.0) for r in found]
    accounts, of_group = len(book.accounts), book.group_account
    return {
        "account": list(book.accounts),
        "status": np.asarray([s.name.lower() for s in Status])[status(equity, initial, maintenance)],
        "equity_usd": equity,
        "held_equity_usd": equity,
        "initial_usd": initial,
        "maintenance_usd": maintenance,
        "excess_initial_usd": equity - initial,
        "excess_maintenance_usd": equity - maintenance,
        "margin_ratio": np.where(np.isinf(ratio), np.nan, ratio),
        "rulebook": [r.rulebook for r in found],
        "parameters": [result.model.date or r.date for r in found],
        "certainty": [r.certainty for r in found],
        "binding": [r.binding or None for r in found],
        "worst_scenario": [r.worst_scenario or None for r in found],
        "worst_loss_usd": np.asarray(losses, np.float64),
        "positions": _count(of_group, np.diff(book.positions.ptr), accounts),
        "orders": _count(of_group, np.diff(book.orders.ptr), accounts),
        "refused": ["; ".join(r.refused) or None for r in found],
    }


def _worst(result: MarginResult) -> tuple[list[str | None], FloatArray, FloatArray]:
    """The scenario in which each group loses most, its loss there, and the standard error of its scan (NaN for none);
    none for groups margined by rule."""
    found, labels = result.groups, result.plan.scenarios.labels
    scanned = (result.book.group_mode == Mode.PORTFOLIO) & (found.worst >= 0)
    names = [labels[w] if s else None for w, s in zip(found.worst, scanned, strict=True)]
    told = tails(result)
    return names, np.where(scanned, told.worst, 0.0), told.error


def _largest(result: MarginResult, loss: FloatArray) -> IndexArray:
    """The group of each account with the largest of `loss` [group], −1 without one; the first of equals."""
    of_group = result.book.group_account
    order = np.lexsort((-np.arange(len(loss)), loss, of_group))[::-1]
    group = np.full(len(result.book.accounts), -1, np.int32)
    scanned = order[loss[order] > 0.0]
    accounts, first = np.unique(of_group[scanned], return_index=True)
    group[accounts] = scanned[first]
    return group


def _count(owner: IndexArray, lines: NDArray[Any], owners: int) -> NDArray[np.int64]:
    return tally(owner, lines.astype(np.float64), owners).astype(np.int64)
