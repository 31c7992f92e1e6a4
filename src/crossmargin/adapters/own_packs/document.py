"""A conformance pack as its user writes it: `pack.toml`, and one file or folder per case under `cases/`."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

from crossmargin.market.document import MarketDocument
from crossmargin.portfolio.document import BookDocument

# The source of numbers that are Crossmargin's own: they show that nothing changed, not that a venue agrees.
OWN: Final = "crossmargin"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Shared settings of all parts of a pack."""


class Tolerance(_Part, frozen=True, kw_only=True):
    """How far an answer may be: within the larger of `relative` · |expected| and `absolute`; both zero ask for the very
    number."""

    relative: float = 0.0
    absolute: float = 0.0


class Figure(_Part, frozen=True, kw_only=True):
    """An expected number with a tolerance of its own; what is left out is the pack's."""

    value: int | float
    relative: float | None = None
    absolute: float | None = None


Expectation: TypeAlias = int | float | Figure


class Expected(_Part, frozen=True, kw_only=True):
    """The numbers of a case, each a number or a table of value and tolerance; what is not stated is not compared.

    Of a book: requirements and equity (USD), terms by their names (initial, and maintenance in `terms_maintenance`) and
    the P&L of scenarios by their labels. Of a native portfolio: `native`, by the field of the rule's own answer, dots
    between the parts of a name ("initial.requirement").
    """

    initial: Expectation | None = None
    maintenance: Expectation | None = None
    equity: Expectation | None = None
    terms: dict[str, Expectation] = {}
    terms_maintenance: dict[str, Expectation] = {}
    scenarios: dict[str, Expectation] = {}
    native: dict[str, Expectation] = {}


class CaseDocument(_Part, frozen=True, kw_only=True):
    """One case: what is held, and what was answered.

    Held is either a `book` in a `market` (each a path beside this file, or the document itself; `account` names one of
    several) or a `portfolio` in the rulebook's native shape. Answered are the numbers of `expected`, or a refusal:
    `expect_error` is the kind of error, or words of its message. `left_out` are the positions that the rulebook does
    not list; a case fails where it leaves out others. `source` says who answered, by default the pack's.
    """

    name: str = ""
    source: str = ""
    book: str | BookDocument | None = None
    market: str | MarketDocument | None = None
    account: str = ""
    portfolio: dict[str, Any] | None = None
    left_out: tuple[str, ...] = ()
    expect_error: str = ""
    expected: Expected = Expected()


class PackDocument(_Part, frozen=True, kw_only=True):
    """What the cases of a pack share.

    `source` says where the expected numbers are from ("crossmargin" where they are its own). The parameters are those
    of `rulebook` in force on the day `date`, or those of the file `parameters`, a path beside this one.
    """

    name: str
    source: str
    rulebook: str
    date: str = ""
    parameters: str = ""
    tolerance: Tolerance = Tolerance()
