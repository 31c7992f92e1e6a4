"""A pack to begin with: a user's own book, and Crossmargin's answers in the place of the venue's."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

import msgspec

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import read_book, read_market
from crossmargin.adapters.own_packs.document import OWN, CaseDocument, Expected, PackDocument, Tolerance
from crossmargin.adapters.own_packs.reading import CASES, FILE
from crossmargin.adapters.rule_parameters import read_rule_parameters
from crossmargin.adapters.writing import write_document
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import format_instant
from crossmargin.engine.variants import account_alone
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult
from crossmargin.market.document import MarketDocument

_SHIPPED = {"", "default"}
_PACK_HEADING = """\
A conformance pack to be completed: `crossmargin conformance` on this folder runs it.
The source "crossmargin" says that the numbers of the cases are Crossmargin's own. Name the venue and the day of its
answers here when they stand in the cases, and set the tolerance to the digits that it gives."""
_CASE_HEADING = """\
Not an answer of the venue. The numbers under [expected] are Crossmargin's own.
Replace each by what the venue answers for this account, and take out those that it does not state."""


class NewPack(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    folder: str
    rulebook: str
    cases: int


def write_pack(
    folder: Path,
    rulebook: Rulebook,
    *,
    book: Path,
    market: Path,
    date: dt.date | None = None,
    parameters: Path | None = None,
) -> NewPack:
    """Write a pack with a case for each account of a book, and our own answers marked as such.

    `date` is the day whose parameters are used, by default that of the market; a file of `parameters` stays where it
    is, for it may name others. Raises `InvalidInput` for a folder that exists, and what reading and margining the book
    raises; nothing is written before all is computed.
    """
    if folder.exists():
        limit, remedy = "a folder that does not exist", "Name another, or take it away."
        raise InvalidInput("folder of a new pack", where=str(folder), value="there already", limit=limit, remedy=remedy)
    snapshot = read_market(market)
    held = read_book(book, market=snapshot)
    day = date or dt.date.fromisoformat(format_instant(snapshot.time_ns)[:10])
    own = rulebook.load(rulebook.date_at(day)) if parameters is None else read_rule_parameters(rulebook, parameters)
    answers = {name: rulebook.evaluate(account_alone(held, name), snapshot, own) for name in held.accounts}
    (folder / CASES).mkdir(parents=True)
    copies = [_copy(book, folder, "book"), _copy_market(market, folder)]
    document = PackDocument(
        name=f"{rulebook.name}: {book.stem}",
        source=OWN,
        rulebook=rulebook.id,
        date="" if parameters else day.isoformat(),
        parameters=Path(os.path.relpath(parameters, folder)).as_posix() if parameters else "",
        tolerance=Tolerance(relative=1e-9),
    )
    write_document(folder / FILE, document, heading=_PACK_HEADING)
    for number, (name, found) in enumerate(answers.items(), start=1):
        case = _case(name, copies, found)
        write_document(folder / CASES / f"account-{number}.toml", case, heading=_CASE_HEADING)
    return NewPack(folder=str(folder), rulebook=rulebook.id, cases=len(answers))


def _copy(file: Path, folder: Path, name: str) -> str:
    copy = f"{name}{file.suffix}"
    shutil.copyfile(file, folder / copy)
    return copy


def _copy_market(file: Path, folder: Path) -> str:
    """A copy of a market, with the registry and the routes that it names beside it."""
    document = read_document(file, MarketDocument)
    chains = document.chains
    named = {name: getattr(chains, name, "") for name in ("registry", "routes")}
    copied = {name: _copy(file.parent / said, folder, name) for name, said in named.items() if said not in _SHIPPED}
    if chains is None or not copied:
        return _copy(file, folder, "market")
    beside = msgspec.structs.replace(chains, **copied)
    name = f"market{file.suffix}"
    write_document(folder / name, msgspec.structs.replace(document, chains=beside))
    return name


def _case(account: str, copies: list[str], found: RuleResult) -> CaseDocument:
    book, market = (f"../{copy}" for copy in copies)
    return CaseDocument(
        name=account,
        account=account,
        book=book,
        market=market,
        left_out=found.refused,
        expected=Expected(
            initial=found.initial_usd,
            maintenance=found.maintenance_usd,
            equity=found.equity_usd,
            terms={term.name: term.initial for term in found.terms},
            terms_maintenance={term.name: term.maintenance for term in found.terms},
            scenarios={scenario.label: scenario.pnl_usd for scenario in found.scenarios},
        ),
    )
