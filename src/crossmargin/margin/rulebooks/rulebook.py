"""What every rulebook is: a function of one account, a dated table of parameters, and how certain each part is.

A rulebook lives in a folder of its own: its rule in `rule.py` (or one module per rule of the venue), its parameter
sets beside it as `<date>.toml`, each value with the document it comes from. The rule has a native entry, on the
venue's own terms and number types, which conformance packs run, and `evaluate`, which reads a Crossmargin account.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, TypeAlias

import msgspec

from crossmargin.core.errors import InvalidInput
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

Certainty: TypeAlias = Literal["exact", "approximate", "unknown"]
Family: TypeAlias = Literal["scenario", "weights", "strategy", "sensitivities"]


class RuleTerm(msgspec.Struct, frozen=True, kw_only=True):
    """One named term of a requirement, USD; `certainty` of a term that rests on an open rule is not exact."""

    name: str
    initial: float
    maintenance: float
    certainty: Certainty = "exact"
    note: str = ""


class RuleScenario(msgspec.Struct, frozen=True, kw_only=True):
    """P&L of one of the rulebook's own scenarios, USD."""

    label: str
    pnl_usd: float


class RuleResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a rulebook asks of an account, USD.

    `initial_usd` and `maintenance_usd` are requirements (positive), whatever sign the venue writes; `equity_usd` is
    what the venue would count against them. A venue of the net-margin kind (Derive, Mango) has net = equity −
    requirement. `refused` names positions that the venue does not list, which are left out and said so.
    """

    rulebook: str
    date: str
    initial_usd: float
    maintenance_usd: float
    equity_usd: float
    terms: tuple[RuleTerm, ...]
    worst_scenario: str = ""
    scenarios: tuple[RuleScenario, ...] = ()
    certainty: Certainty = "exact"
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def binding(self) -> str:
        """The name of the term with the largest initial requirement."""
        return max(self.terms, key=lambda t: t.initial).name if self.terms else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """A rulebook as it is listed. `parameters` is the type of its dated sets; `formulas` is text for people.

    `evaluate(book, snapshot, parameters)` margins a book of one account. `venues` are those, by the names in ids of
    instruments, whose accounts it margins unless one chose otherwise, and the chains (CAIP-2) that are theirs alone.
    """

    id: str
    name: str
    family: Family
    products: str
    method: str
    formulas: str
    sources: tuple[str, ...]
    certainty: Certainty
    parameters: type[msgspec.Struct]
    folder: str
    evaluate: Callable[[Book, Snapshot, Any], RuleResult]
    open_parts: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()

    def dates(self) -> tuple[str, ...]:
        """The dates from which its parameter sets apply, ascending (ISO 8601)."""
        files = resources.files("crossmargin.margin.rulebooks").joinpath(self.folder).iterdir()
        names = (f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))
        prefix = f"{self.id}@"
        return tuple(sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix)))

    def load(self, date: str) -> Any:
        """The parameter set of `date`, one of `dates`; raises `InvalidInput` for any other."""
        if date not in self.dates():
            raise InvalidInput(
                "date",
                where=f"rulebook {self.id}",
                value=date,
                limit=f"one of {', '.join(self.dates()) or 'none (its parameters come from a file of yours)'}",
                remedy="Name a date for which parameters are known; none is guessed.",
            )
        name = f"{self.id}@{date}.toml"
        text = resources.files("crossmargin.margin.rulebooks").joinpath(self.folder, name).read_text(encoding="utf-8")
        return msgspec.convert(tomllib.loads(text), self.parameters)

    def date_at(self, day: dt.date) -> str:
        """The set in force on a day: the latest that is not after it. Raises `InvalidInput` before the first."""
        known = [date for date in self.dates() if date <= day.isoformat()]
        if not known:
            raise InvalidInput(
                "valuation date",
                where=f"rulebook {self.id}",
                value=day.isoformat(),
                limit=f"on or after {(self.dates() or ('none',))[0]}",
                remedy="The parameters of that time are not known.",
            )
        return known[-1]
