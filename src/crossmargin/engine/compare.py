"""One account under many rulebooks: what each of them would ask for the same positions and collateral."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import msgspec

from crossmargin.core.check import known
from crossmargin.core.errors import CrossmarginError, InvalidInput
from crossmargin.core.instant import SECOND_NS, to_milliseconds
from crossmargin.engine.margin import margin
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.variants import account_alone
from crossmargin.margin.rulebooks.registry import rulebook, rulebooks
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What one rulebook asks, USD. `refused` are positions it does not list, left out of its numbers; `error` says why
    there are none at all."""

    rulebook: str
    date: str
    certainty: Certainty
    initial_usd: float | None = None
    maintenance_usd: float | None = None
    equity_usd: float | None = None
    binding: str = ""
    worst_scenario: str = ""
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""


class CompareReport(msgspec.Struct, frozen=True, kw_only=True):
    """An account under Crossmargin's own model and under rulebooks, the least initial margin first.

    Only rulebooks that refuse nothing margin the whole account; the others are partial and stand behind them.
    """

    account: str
    as_of_ms: int
    model: str
    initial_usd: float
    maintenance_usd: float
    equity_usd: float
    rows: tuple[Comparison, ...]


def compare(
    book: Book,
    snapshot: Snapshot,
    model: ModelDocument,
    *,
    account: str,
    names: Iterable[str] | None = None,
    date: dt.date | None = None,
    parameters: Mapping[str, msgspec.Struct] | None = None,
) -> CompareReport:
    """An account under the named rulebooks (all by default), with the parameters in force on `date`.

    `date` is by default the day of the snapshot; a rulebook whose first known parameters are later uses those, and
    says so. `parameters` are sets of the caller's own by the id of the rulebook, used instead of the dated ones. Raises
    `UnknownName` for an account or a rulebook, `InvalidInput` for parameters of another kind than the rulebook's or of
    one that is not compared, and what `margin` raises for the account itself.
    """
    alone = account_alone(book, account)
    own = margin(alone, snapshot, model).pools
    day = date or dt.datetime.fromtimestamp(snapshot.time_ns // SECOND_NS, dt.UTC).date()
    chosen = [*rulebooks().values()] if names is None else [rulebook(name, where="--rulebooks") for name in names]
    own_sets = _checked(parameters or {}, chosen)
    rows = [_compared(one, alone, snapshot, day, own_sets.get(one.id)) for one in chosen]
    return CompareReport(
        account=account,
        as_of_ms=to_milliseconds(snapshot.time_ns),
        model=f"{model.name}@{model.date}",
        initial_usd=float(own.initial.sum()),
        maintenance_usd=float(own.maintenance.sum()),
        equity_usd=float(own.equity.sum()),
        rows=tuple(sorted(rows, key=_order)),
    )


def _order(row: Comparison) -> tuple[bool, int, float]:
    return row.initial_usd is None, len(row.refused), row.initial_usd or 0.0


def _checked(parameters: Mapping[str, msgspec.Struct], chosen: Iterable[Rulebook]) -> Mapping[str, msgspec.Struct]:
    """`parameters`, if each is of the kind that its rulebook takes."""
    kinds = {one.id: one.parameters for one in chosen}
    for name, own in parameters.items():
        kind = kinds[known(name, kinds, "rulebook of parameters", where="--parameters")]
        if not isinstance(own, kind):
            raise InvalidInput(
                "kind of parameters",
                where=f"rulebook {name}",
                value=type(own).__name__,
                limit=kind.__name__,
                remedy=f"`crossmargin rulebooks show {name} --schema` says what it takes.",
            )
    return parameters


def _compared(
    one: Rulebook, alone: Book, snapshot: Snapshot, day: dt.date, own: msgspec.Struct | None = None
) -> Comparison:
    """One row; what a rulebook refuses to margin is a result, not a failure of the comparison."""
    dates = one.dates()
    if own is None and not dates:
        error = f"its parameters come from a file of yours: --parameters {one.id}=FILE"
        return Comparison(rulebook=one.id, date="", certainty=one.certainty, error=error)
    early = own is None and day.isoformat() < dates[0]
    date = "" if own is not None else dates[0] if early else one.date_at(day)
    try:
        found = one.evaluate(alone, snapshot, own if own is not None else one.load(date))
    except CrossmarginError as refusal:
        return Comparison(rulebook=one.id, date=date, certainty=one.certainty, error=str(refusal))
    note = "parameters of the user's own" if own is not None else ""
    note = f"first known parameters are of {date}, after {day.isoformat()}" if early else note
    return Comparison(
        rulebook=one.id,
        date=date or found.date,
        certainty=found.certainty,
        initial_usd=found.initial_usd,
        maintenance_usd=found.maintenance_usd,
        equity_usd=found.equity_usd,
        binding=found.binding,
        worst_scenario=found.worst_scenario,
        refused=found.refused,
        notes=(*((note,) if note else ()), *found.notes),
    )
