"""Rulebooks with the parameters that apply on a day, ready to be asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from crossmargin.core.check import known
from crossmargin.core.errors import CrossmarginError, InvalidInput
from crossmargin.margin.rulebooks.registry import rulebook, rulebooks
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rulebook and the set it applies, of `date`; without one, `error` says why. `note` is for its reader."""

    rulebook: Rulebook
    parameters: msgspec.Struct | None = None
    date: str = ""
    note: str = ""
    error: str = ""

    @property
    def id(self) -> str:
        """The id of the rulebook."""
        return self.rulebook.id

    def ask(self, book: Book, snapshot: Snapshot) -> RuleResult | str:
        """Its answer to a book of one account, or why there is none; that it has none is no failure."""
        if self.parameters is None:
            return self.error
        try:
            return self.rulebook.evaluate(book, snapshot, self.parameters)
        except CrossmarginError as refusal:
            return str(refusal)


def rules_at(
    names: Iterable[str] | None, day: dt.date, own: Mapping[str, msgspec.Struct], *, where: str = "--rulebooks"
) -> tuple[Rule, ...]:
    """The named rulebooks (all by default) with the sets in force on `day`, or with the caller's `own`.

    A rulebook whose first known set is of a later day uses that, and says so. Raises `UnknownName` for a rulebook,
    `InvalidInput` for parameters of another kind than the rulebook's or of one that is not named.
    """
    chosen = [*rulebooks().values()] if names is None else [rulebook(name, where=where) for name in names]
    _check_kinds(own, chosen)
    return tuple(_rule(one, day, own.get(one.id)) for one in chosen)


def _check_kinds(own: Mapping[str, msgspec.Struct], chosen: Iterable[Rulebook]) -> None:
    kinds = {one.id: one.parameters for one in chosen}
    for name, given in own.items():
        kind = kinds[known(name, kinds, "rulebook of parameters", where="--parameters")]
        if not isinstance(given, kind):
            raise InvalidInput(
                "kind of parameters",
                where=f"rulebook {name}",
                value=type(given).__name__,
                limit=kind.__name__,
                remedy=f"`crossmargin rulebooks show {name} --schema` says what it takes.",
            )


def _rule(one: Rulebook, day: dt.date, own: msgspec.Struct | None) -> Rule:
    if own is not None:
        return Rule(rulebook=one, parameters=own, note="parameters of the user's own")
    dates = one.dates()
    if not dates:
        return Rule(rulebook=one, error=f"its parameters come from a file of yours: --parameters {one.id}=FILE")
    if day.isoformat() < dates[0]:
        note = f"first known parameters are of {dates[0]}, after {day.isoformat()}"
        return Rule(rulebook=one, parameters=one.load(dates[0]), date=dates[0], note=note)
    date = one.date_at(day)
    return Rule(rulebook=one, parameters=one.load(date), date=date)
