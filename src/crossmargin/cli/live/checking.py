"""What `chains check` does: kept proofs against what a stranger knows, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec
from rich.console import RenderableType

from crossmargin.adapters.live.backing import Backing, ProofsDocument, block_of
from crossmargin.adapters.live.checking import check_proofs, read_unchecked
from crossmargin.adapters.live.pending import PendingProof, check_pending
from crossmargin.cli.output import print_report
from crossmargin.cli.proving.command import Asked, trusted_of
from crossmargin.cli.proving.report import CheckRow, check_rows
from crossmargin.cli.proving.tables import check_parts
from crossmargin.cli.proving.words import left_out
from crossmargin.cli.table_parts import Row, Sheet, prose, table
from crossmargin.cli.wording import Column, moment
from crossmargin.proofs.checking import is_good
from crossmargin.proofs.state import Block

_SHOWN: Final = (
    *(Column(name, words=True) for name in ("what", "account", "token")),
    Column("amount, smallest units"),
    Column("block", words=True),
)


class ShownRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof shows: a balance in a final block, or a credit or debit by its event; smallest units.

    `block_hash` is what to compare with a block of the chain."""

    kind: Literal["balance", "credit", "debit"]
    account: str
    owner: str
    vault: str
    instance: str
    amount: str
    block: int
    block_ms: int
    block_hash: str


class ProofsReport(msgspec.Struct, frozen=True, kw_only=True):
    """Kept proofs, checked: what they show where none fails, and every check."""

    good: bool
    shown: tuple[ShownRow, ...]
    checks: tuple[CheckRow, ...]


def check(path: Path, asked: Asked, *, as_json: bool) -> bool:
    """Check the proofs in a file and report; whether no check fails."""
    document = read_unchecked(path)
    report = proofs_report(document, asked)
    print_report(report, as_json=as_json, tables=proofs_tables)
    return report.good


def proofs_report(document: ProofsDocument, asked: Asked) -> ProofsReport:
    """Every check, and, where none fails, what is shown."""
    checks = check_proofs(document, trusted_of(asked))
    good = is_good(checks)
    shown = (*map(_balance, document.backings), *map(_event, document.pending)) if good else ()
    return ProofsReport(good=good, shown=shown, checks=check_rows(checks))


def proofs_tables(report: ProofsReport) -> RenderableType:
    """What is shown, every check, and what was not checked."""
    rows: list[Row] = [
        (row.kind, row.account, row.instance, row.amount, f"{row.block} of {moment(row.block_ms)}")
        for row in report.shown
    ]
    parts = [table("What the proofs show", _SHOWN, rows)] if rows else []
    told = "Accounts are named by whoever read the chains; owners are proven. An event counts once its block is final."
    return Sheet(*parts, *check_parts(report.checks), prose((*left_out(report.checks), told)))


def _balance(one: Backing) -> ShownRow:
    proof = one.proof
    return _row("balance", one, f"{proof.chain}:{proof.address}", proof.slots[0].value, block_of(one), proof.anchor)


def _event(one: PendingProof) -> ShownRow:
    kind: Literal["credit", "debit"] = "debit" if one.amount.startswith("-") else "credit"
    return _row(kind, one, f"{one.event.chain}:{one.vault}", one.amount, check_pending(one), one.anchor)


def _row(
    kind: Literal["balance", "credit", "debit"],
    one: Backing | PendingProof,
    vault: str,
    amount: str,
    block: Block,
    anchor: str,
) -> ShownRow:
    return ShownRow(
        kind=kind,
        account=one.account,
        owner=one.owner,
        vault=vault,
        instance=one.instance,
        amount=amount,
        block=block.number,
        block_ms=block.timestamp_s * 1000,
        block_hash=anchor,
    )
