"""Packs in Crossmargin's own format, read and checked; each case runs through the rulebook that the pack names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from crossmargin.adapters.conformance import Case, Check, Pack, Statement, compare
from crossmargin.adapters.documents import convert, read_document
from crossmargin.adapters.files import market_of, read_book, read_market
from crossmargin.adapters.own_packs.document import (
    OWN,
    CaseDocument,
    Expectation,
    Expected,
    Figure,
    PackDocument,
    Tolerance,
)
from crossmargin.adapters.own_packs.native import figures, native_rule
from crossmargin.adapters.rule_parameters import read_rule_parameters
from crossmargin.core import check
from crossmargin.core.errors import CrossmarginError, DuplicateName, InvalidInput, UnreadableFile
from crossmargin.engine.variants import account_alone
from crossmargin.margin.rulebooks.registry import rulebook
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import build_book

FILE: Final = "pack.toml"
CASES: Final = "cases"
_SUFFIXES: Final = (".toml", ".json")
Found: TypeAlias = tuple[dict[str, int | float], tuple[str, ...]]  # numbers by field, and positions left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What all cases of a pack are margined by, and how close they must be."""

    rulebook: Rulebook
    parameters: Any
    tolerance: Tolerance


def read_pack(folder: Path, *, name: str) -> Pack:
    """The pack of a folder; every file of a case is read and checked here, books and markets when it runs.

    Raises `UnreadableFile`, `UnknownName`, `DuplicateName` or `InvalidInput` with the file and the field.
    """
    file = folder / FILE
    document = read_document(file, PackDocument)
    one = rulebook(document.rulebook, where=f"{file}: rulebook")
    _check_tolerance(document.tolerance, f"{file}: tolerance")
    rule = Rule(rulebook=one, parameters=_parameters(document, one, file), tolerance=document.tolerance)
    cases = tuple(_case(path, key, rule, document.source) for key, path in _files(folder).items())
    return Pack(name=name, cases=cases, source=document.source)


def _parameters(document: PackDocument, one: Rulebook, file: Path) -> msgspec.Struct:
    _one_of(bool(document.date), bool(document.parameters), "parameters", "a date or a file of parameters", f"{file}")
    if document.parameters:
        return read_rule_parameters(one, file.parent / document.parameters)
    try:
        day = dt.date.fromisoformat(document.date)
    except ValueError:
        limit, remedy = "a day like 2026-03-31", "Write year, month and day."
        raise InvalidInput("date", where=str(file), value=document.date, limit=limit, remedy=remedy) from None
    found: msgspec.Struct = one.load(one.date_at(day))
    return found


def _files(folder: Path) -> dict[str, Path]:
    """The file of each case by its name: `cases/NAME.toml`, or `case.toml` in the folder `cases/NAME`."""
    place = folder / CASES
    found: dict[str, Path] = {}
    entries = sorted(place.iterdir()) if place.is_dir() else []
    for entry in (e for e in entries if not e.name.startswith(".")):
        for file in _stated(entry):
            key = entry.name if entry.is_dir() else entry.stem
            if key in found:
                raise DuplicateName("case", where=str(file), value=key, first=str(found[key]))
            found[key] = file
    if not found:
        raise UnreadableFile(str(place), reason="it holds no case", remedy="Add one as NAME.toml or NAME/case.toml.")
    return found


def _stated(entry: Path) -> list[Path]:
    """The case of one entry of `cases`; anything else there is refused, so that no case is passed over."""
    if not entry.is_dir():
        if entry.suffix.lower() not in _SUFFIXES:
            remedy = "Put what cases share beside pack.toml."
            raise UnreadableFile(str(entry), reason="its name does not end in .toml or .json", remedy=remedy)
        return [entry]
    found = [entry / f"case{suffix}" for suffix in _SUFFIXES if (entry / f"case{suffix}").is_file()]
    if not found:
        raise UnreadableFile(str(entry), reason="it holds no case.toml or case.json", remedy="Add the case.")
    return found


def _case(file: Path, key: str, rule: Rule, source: str) -> Case:
    document = read_document(file, CaseDocument)
    in_market = document.book is not None and document.market is not None
    alone = document.book is None and document.market is None and document.portfolio is not None
    if not (alone or (in_market and document.portfolio is None)):
        raise _unclear("what is held", "a book with its market, or a portfolio alone", str(file))
    _one_of(
        bool(document.expect_error), document.expected != Expected(), "answer", "expected or expect_error", str(file)
    )
    for field, expectation in _expectations(document.expected):
        if isinstance(expectation, Figure):
            given = Tolerance(relative=expectation.relative or 0.0, absolute=expectation.absolute or 0.0)
            _check_tolerance(given, f"{file}: {field}")
    run = partial(_native_answer if alone else _book_answer, document, rule, file)
    if alone:
        native = native_rule(rule.rulebook.id, where=f"{file}: portfolio")
        if not document.expect_error:  # what is refused on purpose is refused when the case runs
            convert(document.portfolio, native.portfolio, where=f"{file}: portfolio")
    return Case(
        name=document.name or key,
        check=partial(_checked, document, rule, file, run),
        own=(document.source or source) == OWN,
    )


def _checked(document: CaseDocument, rule: Rule, file: Path, run: Callable[[], Found]) -> tuple[Check | Statement, ...]:
    try:
        got, left_out = run()
    except UnreadableFile:
        raise
    except CrossmarginError as error:
        return (_refusal(document.expect_error, error),)
    if document.expect_error:
        return (Statement(field="refusal", expected=document.expect_error, got="numbers", passed=False),)
    stated = [_compared(field, e, got, rule.tolerance, file) for field, e in _expectations(document.expected)]
    if set(document.left_out) == set(left_out):
        return tuple(stated)
    expected, got_names = (", ".join(sorted(names)) or "nothing" for names in (document.left_out, left_out))
    return (*stated, Statement(field="left_out", expected=expected, got=got_names, passed=False))


def _refusal(expected: str, error: CrossmarginError) -> Statement:
    """Whether an error is the one that is expected: by its kind, or by words of its message."""
    kinds = {kind.__name__ for kind in type(error).__mro__ if issubclass(kind, CrossmarginError)}
    passed = bool(expected) and (expected in kinds or expected in str(error))
    got = f"{type(error).__name__}: {error}"
    return Statement(field="refusal", expected=expected or "numbers", got=got, passed=passed)


def _compared(
    field: str, expectation: Expectation, got: dict[str, int | float], tolerance: Tolerance, file: Path
) -> Check:
    check.known(field, got, "field", where=f"{file}: expected", remedy="The answer of the rulebook has no such number.")
    if not isinstance(expectation, Figure):
        expectation = Figure(value=expectation)
    relative, absolute = expectation.relative, expectation.absolute
    return compare(
        field,
        expectation.value,
        got[field],
        relative=tolerance.relative if relative is None else relative,
        absolute=tolerance.absolute if absolute is None else absolute,
    )


def _expectations(expected: Expected) -> Iterator[tuple[str, Expectation]]:
    for name in ("initial", "maintenance", "equity"):
        expectation = getattr(expected, name)
        if expectation is not None:
            yield name, expectation
    for name in ("terms", "terms_maintenance", "scenarios", "native"):
        yield from ((f"{name}.{key}", expectation) for key, expectation in getattr(expected, name).items())


def _native_answer(document: CaseDocument, rule: Rule, file: Path) -> Found:
    native = native_rule(rule.rulebook.id, where=f"{file}: portfolio")
    portfolio = convert(document.portfolio, native.portfolio, where=f"{file}: portfolio")
    return dict(figures(native.answer(portfolio, rule.parameters), "native")), ()


def _book_answer(document: CaseDocument, rule: Rule, file: Path) -> Found:
    snapshot = _snapshot(document, file)
    book = _book(document, snapshot, file)
    if not document.account and len(book.accounts) != 1:
        limit, remedy = "1, or one named by account", f"Name one of {', '.join(book.accounts)}."
        raise InvalidInput("number of accounts", where=str(file), value=len(book.accounts), limit=limit, remedy=remedy)
    alone = account_alone(book, document.account or book.accounts[0])
    found = rule.rulebook.evaluate(alone, snapshot, rule.parameters)
    return answer_figures(found), found.refused


def answer_figures(found: RuleResult) -> dict[str, int | float]:
    """The numbers of an answer by the field that a case names them with."""
    return {
        "initial": found.initial_usd,
        "maintenance": found.maintenance_usd,
        "equity": found.equity_usd,
        **{f"terms.{term.name}": term.initial for term in found.terms},
        **{f"terms_maintenance.{term.name}": term.maintenance for term in found.terms},
        **{f"scenarios.{scenario.label}": scenario.pnl_usd for scenario in found.scenarios},
    }


def _snapshot(document: CaseDocument, file: Path) -> Snapshot:
    if isinstance(document.market, str):
        return read_market(file.parent / document.market)
    assert document.market is not None
    return market_of(document.market, file)


def _book(document: CaseDocument, snapshot: Snapshot, file: Path) -> Book:
    if isinstance(document.book, str):
        return read_book(file.parent / document.book, market=snapshot)
    assert document.book is not None
    return build_book(document.book, now_ns=snapshot.time_ns, where=f"{file}: book")


def _check_tolerance(tolerance: Tolerance, where: str) -> None:
    for name in ("relative", "absolute"):
        check.within(getattr(tolerance, name), name, 0.0, check.QUANTITY_LIMIT, where=where)


def _one_of(first: bool, second: bool, what: str, limit: str, where: str) -> None:
    if first == second:
        raise _unclear(what, limit, where)


def _unclear(what: str, limit: str, where: str) -> InvalidInput:
    return InvalidInput(what, where=where, value="none or both", limit=f"one of {limit}", remedy="State exactly one.")
