"""The margin statement: what an outsider needs to check one account's margin without asking anybody.

The head is the same for all accounts of an epoch; its typed hash is what is published and signed. The rest opens the
commitments in it for one account: its leaf, its positions, the rows of R that they stand in, the worst scenario, and
state proofs of what backs its collateral. Amounts are whole quanta of money in decimal text, as JSON readers lose
integers beyond 2⁵³; bytes are lower-case hexadecimal after 0x. `crossmargin.proofs.checking` verifies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import numpy as np

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.claims import Claim, commit_claims
from crossmargin.proofs.collateral_lines import CollateralLine, Source, counted, lines_digest
from crossmargin.proofs.commitments import PnlCommitment, commit_pnl, leaf_content, positions_digests
from crossmargin.proofs.quantise import IntegerBook, IntegerPnl, worst_losses
from crossmargin.proofs.trees import NOTHING, Tree, commit_accounts, salt_for
from crossmargin.proofs.typed_hash import Domain, Field, struct_hash, typed_digest

FORMAT: Final = "crossmargin-statement-2"


class Inputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SHA-256 of what went in, as every result carries them: 64 hexadecimal digits each.

    `registry` is zeros where no registry of assets went in."""

    snapshot: str
    scenario_set: str
    model: str
    book: str
    registry: str = "00" * 32


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One epoch: what went in, what is committed, and the totals over all accounts.

    A contract hashes the same structure: `contracts/modules/report.vy`. `claims_root` is zeros where nothing is claimed
    of a chain's state (`crossmargin.proofs.claims`)."""

    epoch: int
    as_of_ms: int
    inputs: Inputs
    money_decimals: int
    rows_root: str
    rows: int
    scenarios_root: str
    scenarios: int
    accounts_root: str
    accounts: int
    claims_root: str = "0x" + "00" * 32
    claims: int = 0
    worst_loss_total: str
    collateral_total: str


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`lots` of the row at `row`, or between `lots` and one more."""

    row: int
    lots: str
    between: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of R, opened: quanta of P&L as packed int64, and its path."""

    index: int
    instrument: str
    decimals: int
    quanta: str
    path: tuple[str, ...]


class WorstScenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The scenario of the worst loss, opened; index −1 for an account without positions."""

    index: int
    label: str = ""
    path: tuple[str, ...] = ()


class Slot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A slot, its value, and its path as places in the list of nodes."""

    slot: str
    value: str
    path: tuple[int, ...]


class StateProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a contract's storage holds in the block with hash `anchor` on `chain` (CAIP-2).

    Each distinct node stands once in `nodes`, in the order of first use; paths are places in it."""

    chain: str
    anchor: str
    header: str
    address: str
    code_hash: str
    nodes: tuple[str, ...]
    account_path: tuple[int, ...]
    slots: tuple[Slot, ...]


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account's margin, opened. `worst_loss` is not below 0; a gain in every scenario is a loss of 0.

    `lines` are what `collateral` is the sum of; without them it is a number that nobody can take apart."""

    format: Literal["crossmargin-statement-2"] = FORMAT
    head: Head
    account: str
    salt: str
    index: int
    path: tuple[str, ...]
    worst_loss: str
    collateral: str
    worst: WorstScenario
    positions: tuple[Position, ...]
    rows: tuple[Row, ...]
    lines: tuple[CollateralLine, ...] = ()
    state: tuple[StateProof, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """All that statements of one epoch are made of; keep it secret but for the head."""

    head: Head
    pnl: IntegerPnl
    book: IntegerBook
    accounts: tuple[str, ...]
    salts: tuple[bytes, ...]
    collateral: tuple[int, ...]
    lines: tuple[tuple[CollateralLine, ...], ...]
    losses: tuple[int, ...]
    worst: tuple[int, ...]
    committed: PnlCommitment
    tree: Tree


def hexed(raw: bytes) -> str:
    """Bytes as they stand in a statement."""
    return "0x" + raw.hex()


def head_digest(head: Head, domain: Domain | None = None) -> bytes:
    """The typed hash of a head, 32 bytes: what is published, and what signers sign."""
    inputs = head.inputs
    fields: list[Field] = [
        ("uint64", "epoch", head.epoch),
        ("uint64", "asOfMs", head.as_of_ms),
        ("bytes32", "snapshot", _word(inputs.snapshot)),
        ("bytes32", "scenarioSet", _word(inputs.scenario_set)),
        ("bytes32", "model", _word(inputs.model)),
        ("bytes32", "book", _word(inputs.book)),
        ("bytes32", "registry", _word(inputs.registry)),
        ("uint8", "moneyDecimals", head.money_decimals),
        ("bytes32", "rowsRoot", _word(head.rows_root.removeprefix("0x"))),
        ("uint64", "rows", head.rows),
        ("bytes32", "scenariosRoot", _word(head.scenarios_root.removeprefix("0x"))),
        ("uint64", "scenarios", head.scenarios),
        ("bytes32", "accountsRoot", _word(head.accounts_root.removeprefix("0x"))),
        ("uint64", "accounts", head.accounts),
        ("bytes32", "claimsRoot", _word(head.claims_root.removeprefix("0x"))),
        ("uint64", "claims", head.claims),
        ("uint128", "worstLossTotal", int(head.worst_loss_total)),
        ("uint128", "collateralTotal", int(head.collateral_total)),
    ]
    return typed_digest(domain or Domain(), struct_hash("MarginStatement", fields))


def _word(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidInput(
            "hash", where="head", value=text[:80], limit="64 hexadecimal digits", remedy="Give a SHA-256 or a root."
        ) from None


def commit_epoch(
    *,
    epoch: int,
    as_of_ms: int,
    inputs: Inputs,
    pnl: IntegerPnl,
    book: IntegerBook,
    accounts: Sequence[str],
    collateral: Sequence[int],
    secret: bytes,
    claims: Sequence[Claim] = (),
    lines: Sequence[Sequence[CollateralLine]] = (),
) -> Epoch:
    """Commit to every account's positions, worst loss and collateral [account], both in quanta of money.

    `secret` (32 bytes) makes the salts; `claims` say what storage collateral was counted from; `lines` [account] what
    it is the sum of. Raises `InvalidInput` for amounts or totals out of range, and `DuplicateName`."""
    _check_named(accounts, book, inputs)
    losses, worst = worst_losses(book, pnl)
    owed = [max(loss, 0) for loss in losses]
    salts = [salt_for(secret, epoch, account) for account in accounts]
    parts = _lines(accounts, collateral, lines)
    held = zip(positions_digests(book), parts, strict=True)
    contents = [leaf_content(digest, lines_digest(part)) for digest, part in held]
    tree = commit_accounts(accounts, salts, contents, [owed, collateral])
    committed = commit_pnl(pnl)
    claimed = commit_claims(claims) if claims else None
    loss_total, collateral_total = tree.total
    head = Head(
        epoch=epoch,
        as_of_ms=as_of_ms,
        inputs=inputs,
        money_decimals=pnl.money_decimals,
        rows_root=hexed(committed.rows.root),
        rows=committed.rows.count,
        scenarios_root=hexed(committed.scenarios.root),
        scenarios=committed.scenarios.count,
        accounts_root=hexed(tree.root),
        accounts=tree.count,
        claims_root=hexed(claimed.root if claimed else NOTHING),
        claims=claimed.count if claimed else 0,
        worst_loss_total=str(loss_total),
        collateral_total=str(collateral_total),
    )
    return Epoch(
        head=head,
        pnl=pnl,
        book=book,
        accounts=tuple(accounts),
        salts=tuple(salts),
        collateral=tuple(collateral),
        lines=parts,
        losses=tuple(owed),
        worst=tuple(worst.tolist()),
        committed=committed,
        tree=tree,
    )


def _check_named(accounts: Sequence[str], book: IntegerBook, inputs: Inputs) -> None:
    """As many names as accounts, and hashes of what went in."""
    if len(accounts) != book.ptr.size - 1:
        raise InvalidInput(
            "accounts", where="epoch", value=len(accounts), limit=f"{book.ptr.size - 1}", remedy="Name each account."
        )
    for text in msgspec.structs.astuple(inputs):
        _word(text)


def _lines(
    accounts: Sequence[str], collateral: Sequence[int], lines: Sequence[Sequence[CollateralLine]]
) -> tuple[tuple[CollateralLine, ...], ...]:
    """The lines of every account, if they count for its collateral; none are given for none."""
    if not lines:
        return ((),) * len(accounts)
    sums = [sum(map(counted, part)) for part in lines]
    if sums != list(collateral):
        raise InvalidInput(
            "lines",
            where="epoch",
            value=sums[:20],
            limit=f"the collateral, {list(collateral[:20])}",
            remedy="Add them up.",
        )
    return tuple(tuple(sorted(part, key=lambda line: line.instance)) for part in lines)


def statement_of(epoch: Epoch, account: str, *, state: Sequence[StateProof] = ()) -> Statement:
    """The statement of one account; raises `InvalidInput` for one that is not in the epoch."""
    if account not in epoch.accounts:
        raise InvalidInput(
            "account", where="epoch", value=account, limit="in the epoch", remedy="Ask for one that it holds."
        )
    at = epoch.accounts.index(account)
    held = slice(*epoch.book.ptr[at : at + 2].tolist())
    rows, worst = epoch.book.instrument[held], epoch.worst[at]
    lines = zip(rows.tolist(), epoch.book.lots[held].tolist(), epoch.book.open[held].tolist(), strict=True)
    return Statement(
        head=epoch.head,
        account=account,
        salt=hexed(epoch.salts[at]),
        index=at,
        path=_path(epoch.tree, at),
        worst_loss=str(epoch.losses[at]),
        collateral=str(epoch.collateral[at]),
        worst=WorstScenario(index=-1) if worst < 0 else _worst(epoch, worst),
        positions=tuple(Position(row=row, lots=str(lots), between=between) for row, lots, between in lines),
        rows=tuple(_row(epoch, row) for row in np.unique(rows).tolist()),
        lines=epoch.lines[at],
        state=tuple(state),
    )


def backed(statement: Statement, place: int, source: Source) -> Statement:
    """The statement whose line at `place` points at a slot of a state proof; that is no part of what is committed."""
    lines = list(statement.lines)
    lines[place] = msgspec.structs.replace(lines[place], source=source)
    return msgspec.structs.replace(statement, lines=tuple(lines))


def state_proof(
    *,
    chain: str,
    header: bytes,
    anchor: bytes,
    address: bytes,
    code_hash: bytes,
    account_path: Sequence[bytes],
    slots: Sequence[tuple[int, int, Sequence[bytes]]],
) -> StateProof:
    """A state proof from the nodes of `eth_getProof`; `slots` are (slot, value, path). Checks nothing."""
    places: dict[bytes, int] = {}
    for path in (account_path, *(path for _, _, path in slots)):
        for node in path:
            places.setdefault(node, len(places))
    return StateProof(
        chain=chain,
        anchor=hexed(anchor),
        header=hexed(header),
        address=hexed(address),
        code_hash=hexed(code_hash),
        nodes=tuple(hexed(node) for node in places),
        account_path=tuple(places[node] for node in account_path),
        slots=tuple(
            Slot(slot=hexed(slot.to_bytes(32, "big")), value=str(value), path=tuple(places[node] for node in path))
            for slot, value, path in slots
        ),
    )


def _path(tree: Tree, index: int) -> tuple[str, ...]:
    return tuple(hexed(sibling) for sibling in tree.prove(index).siblings)


def _row(epoch: Epoch, index: int) -> Row:
    return Row(
        index=index,
        instrument=epoch.pnl.instruments[index],
        decimals=int(epoch.pnl.decimals[index]),
        quanta=hexed(epoch.pnl.quanta[index].astype(">i8").tobytes()),
        path=_path(epoch.committed.rows, index),
    )


def _worst(epoch: Epoch, index: int) -> WorstScenario:
    return WorstScenario(index=index, label=epoch.pnl.scenarios[index], path=_path(epoch.committed.scenarios, index))
