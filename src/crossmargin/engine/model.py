"""What a book is margined by: a model of our own, or a rulebook of a venue or standard under one set of parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from crossmargin.collateral.document import Collateral
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import format_instant
from crossmargin.margin.document import MarginModel
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


class ModelDocument(MarginModel, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A margin model with its collateral rules; the default one is `engine/models/crossmargin-grid.toml`."""

    collateral: Collateral


@dataclass(frozen=True, slots=True, kw_only=True)
class RulebookModel:
    """A rulebook used as a model.

    `date` is that of its parameter set, "" until a snapshot decides which one is in force; `parameters` are those of
    the date, or with `date` "" a set of the user's own.
    """

    rulebook: Rulebook
    date: str = ""
    parameters: Any = None

    @property
    def name(self) -> str:
        """The id with the date of its parameters, or that these are the user's own."""
        return f"{self.rulebook.id}@{self.date}" if self.date else f"{self.rulebook.id}, parameters of your own"

    def evaluate(self, alone: Book, snapshot: Snapshot) -> RuleResult:
        """What the rulebook asks of a book of one account; the parameters must be known (`in_force`)."""
        assert self.parameters is not None, "a model without parameters asks nothing"
        result: RuleResult = self.rulebook.evaluate(alone, snapshot, self.parameters)
        return result


AnyModel: TypeAlias = ModelDocument | RulebookModel
Model = TypeVar("Model", ModelDocument, RulebookModel, AnyModel)


def in_force(model: Model, snapshot: Snapshot) -> Model:
    """The model with the parameters in force on the day of the snapshot, where it names none.

    Raises `InvalidInput` for a rulebook whose first known set is later, or that ships none.
    """
    if isinstance(model, ModelDocument) or model.parameters is not None:
        return model
    one, day = model.rulebook, format_instant(snapshot.time_ns)[:10]
    date = model.date or max((d for d in one.dates() if d <= day), default="")
    if not date:
        known = one.dates()
        raise InvalidInput(
            "valuation date",
            where=f"rulebook {one.id}",
            value=day,
            limit=f"on or after {known[0]}, its first known parameters" if known else "given parameters for",
            remedy=f"Name a set to use it nevertheless: {one.id}@{known[0]}." if known else f"Name {one.id}=FILE.",
        )
    return replace(model, date=date, parameters=one.load(date))


def dated(one: Rulebook, text: str, *, where: str) -> RulebookModel:
    """A rulebook under the set that a date names: its day, or a year or month with one set in it or in force in it.

    `2025-03` names the set of 2025-03-20 if that is the only one of the month; a month without a set of its own names
    the one in force. Raises `InvalidInput`, which lists the known dates, for a day without a set, a time before the
    first, and a year or month with several.
    """
    known = one.dates()
    begun = [date for date in known if date == text or date.startswith(f"{text}-")]
    if not begun and _is_period(text):
        begun = [date for date in known if date < text][-1:]
    if len(begun) != 1:
        raise InvalidInput(
            "date",
            where=f"{where}: rulebook {one.id}",
            value=text,
            limit=f"a day, month or year that names one of {', '.join(known) or 'none (it ships no parameters)'}",
            remedy="Name a date in full; none is guessed." if known else f"Name {one.id}=FILE.",
        )
    return RulebookModel(rulebook=one, date=begun[0], parameters=one.load(begun[0]))


def _is_period(text: str) -> bool:
    year, _, month = text.partition("-")
    return len(year) == 4 and year.isdigit() and (text == year or (len(month) == 2 and "01" <= month <= "12"))
