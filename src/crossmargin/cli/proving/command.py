"""What `attest` and `verify` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import book_of, market_of, read_book, read_market, read_market_registry, read_model
from crossmargin.adapters.live.backing import (
    Backing,
    backings_of,
    check_backings,
    claim_of,
    read_proofs,
    require_proven,
    statement_with,
)
from crossmargin.adapters.live.joining import chain_states, holdings, instances_of, joined_book, joined_market
from crossmargin.adapters.statements import read_secret, read_statement, statement_name, write_epoch
from crossmargin.adapters.writing import make_folder, write_text
from crossmargin.cli.commands import Inputs
from crossmargin.cli.live.command import look, now_of
from crossmargin.cli.output import print_report, progress_bar
from crossmargin.cli.proving.report import AttestReport, attest_report, verify_report
from crossmargin.cli.proving.tables import attest_tables, verify_tables
from crossmargin.core.errors import CrossmarginError, InvalidInput
from crossmargin.core.instant import to_milliseconds
from crossmargin.engine.attest import attest as attest_run
from crossmargin.engine.margin import margin
from crossmargin.engine.model import ModelDocument, in_force
from crossmargin.engine.plan import Progress
from crossmargin.market.document import MarketDocument
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.document import BookDocument
from crossmargin.proofs.checking import Trusted
from crossmargin.proofs.checking import verify as verify_statement
from crossmargin.proofs.statement import head_digest
from crossmargin.proofs.typed_hash import Domain

_VAULT: Final = "CHAIN:ADDRESS=INSTANCE@SLOT"
_SLOT_DIGITS_MAX: Final = 78  # Of 2²⁵⁶.
COMMANDS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a statement is checked against, as the user writes it."""

    head: str | None = None
    anchors: tuple[str, ...] = ()
    vaults: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()
    attestor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What statements show of chains: nothing, the `proofs` in a folder, or the `chains` of sources, read at a time."""

    chains: Path | None = None
    proofs: Path | None = None
    at: str | None = None


def attest(inputs: Inputs, *, out: Path, secret: Path, epoch: int, threads: int, shown: Shown, as_json: bool) -> None:
    """Margin a book, commit to it, and write head and statements, with the state proofs that are given or read."""
    hidden = read_secret(secret)
    with progress_bar() as progress:
        book, snapshot, backings = _loaded(inputs, shown, progress)
        model = in_force(read_model(inputs.model), snapshot)
        if not isinstance(model, ModelDocument):
            raise InvalidInput(
                "model", where="attest", value=inputs.model, limit="a model of scenarios", remedy="A rulebook has no R."
            )
        check_backings(backings, book.pools, as_of_ms=to_milliseconds(snapshot.time_ns))
        result = margin(book, snapshot, model, threads=threads, progress=progress)
        made = attest_run(result, epoch=epoch, secret=hidden, claims=[claim_of(backing) for backing in backings])
    statements = [(statement_with(made, account, backings), statement_name(account)) for account in made.accounts]
    make_folder(out, where="--out")
    write_epoch(out, made.head, [statement for statement, _ in statements])
    report = attest_report(made, statements, backings, folder=out)
    print_report(report, as_json=as_json, tables=attest_tables)
    if not as_json:
        _print_commands(report)


def _print_commands(report: AttestReport) -> None:
    """Whole lines, to be copied: how strangers check the first statements that point at proven slots."""
    commands = [row.command for row in report.statements if row.command][:COMMANDS_SHOWN]
    if commands:
        print(" What checks it, with all that a stranger has to know:\n", *commands, sep="\n")


def _loaded(inputs: Inputs, shown: Shown, progress: Progress) -> tuple[Book, Snapshot, tuple[Backing, ...]]:
    """Book, market, and the proofs of what is in vaults: none, those of a folder, or of live chains that are read now.

    What is read now is joined to both files first."""
    if shown.chains is not None and shown.proofs is not None:
        raise InvalidInput(
            "--chains", where="attest", value=str(shown.chains), limit="without --proofs", remedy="Give one of them."
        )
    if shown.chains is None:
        backings = () if shown.proofs is None else read_proofs(shown.proofs).backings
        snapshot = read_market(inputs.market, registry=inputs.registry)
        return read_book(inputs.book, market=snapshot, instruments=inputs.instruments), snapshot, backings
    registry = read_market_registry(inputs.market, registry=inputs.registry)
    readings = look(shown.chains, registry, now_ns=now_of(shown.at), progress=progress)
    require_proven(readings)
    held = holdings(readings)
    market = read_document(inputs.market, MarketDocument)
    joined = joined_market(market, chain_states(readings), instances_of(held), where=str(inputs.market))
    snapshot = market_of(joined, inputs.market, registry=inputs.registry)
    book = joined_book(read_document(inputs.book, BookDocument), held, where=str(inputs.book))
    made = book_of(book, inputs.book, market=snapshot, instruments=inputs.instruments)
    return made, snapshot, backings_of(readings)


def verify(path: Path, asked: Asked, *, as_json: bool, html: Path | None) -> bool:
    """Check a statement, report, and write the page where wanted; whether no check fails."""
    trusted = trusted_of(asked)
    statement = read_statement(path)
    checks = verify_statement(statement, trusted)
    try:
        digest = head_digest(statement.head, trusted.domain)
    except (CrossmarginError, ValueError):
        digest = b""  # A head that cannot be hashed fails its own check; the report has no digest of it.
    report = verify_report(statement, checks, digest)
    if html is not None:
        from crossmargin.cli.proving.page import verify_page

        write_text(html, verify_page(report))
    print_report(report, as_json=as_json, tables=verify_tables)
    return report.good


def trusted_of(asked: Asked) -> Trusted:
    """What the options name; raises `InvalidInput` for one that is not of its form."""
    anchors: dict[str, list[bytes]] = {}
    for chain, text in _pairs(asked.anchors, "--anchor", "CHAIN=HASH"):
        anchors.setdefault(chain, []).append(_hash(text, "--anchor"))
    head = None if asked.head is None else _hash(asked.head, "--head")
    vaults = {vault.lower(): _held(text) for vault, text in _pairs(asked.vaults, "--vault", _VAULT)}
    homes = {vault.lower(): home for vault, home in _pairs(asked.homes, "--home", "CHAIN:ADDRESS=CHAIN")}
    return Trusted(head=head, domain=_domain(asked.attestor), anchors=anchors, vaults=vaults, homes=homes)


def _held(text: str) -> tuple[str, int]:
    """`INSTANCE@SLOT`: what a vault holds, and the slot of the mapping that says for whom."""
    instance, at, slot = text.rpartition("@")
    if not at or not instance or not (slot.isascii() and slot.isdecimal()) or len(slot) > _SLOT_DIGITS_MAX:
        raise _malformed("--vault", text, _VAULT)
    return instance, int(slot)


def _domain(attestor: str | None) -> Domain:
    """Who the head was signed for: a contract on an EVM chain, or nobody in particular."""
    if attestor is None:
        return Domain()
    namespace, _, rest = attestor.partition(":")
    chain, _, address = rest.partition(":")
    if namespace != "eip155" or not chain.isdecimal():
        raise _malformed("--attestor", attestor, "eip155:CHAIN:0xADDRESS")
    return Domain(chain_id=int(chain), contract=_bytes(address, 20, "--attestor"))


def _pairs(texts: Sequence[str], option: str, form: str) -> list[tuple[str, str]]:
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise _malformed(option, text, form)
        found.append((name, value))
    return found


def _hash(text: str, option: str) -> bytes:
    return _bytes(text, 32, option)


def _bytes(text: str, size: int, option: str) -> bytes:
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise _malformed(option, text, f"{2 * size} hexadecimal digits")
    return raw


def _malformed(option: str, text: str, form: str) -> InvalidInput:
    return InvalidInput(option, where="command line", value=text[:120], limit=form, remedy=f"Write it as {form}.")
