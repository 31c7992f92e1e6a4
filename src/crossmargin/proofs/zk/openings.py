"""Openings: the same integers under both commitments, checked by whoever holds a statement and its opening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import numpy as np

from crossmargin.core.errors import EpochRefused, InvalidInput, NotProved
from crossmargin.proofs.checking import verify
from crossmargin.proofs.commitments import unpack_quanta
from crossmargin.proofs.reasons import Reason, require
from crossmargin.proofs.statement import Position, Statement, head_digest, hexed
from crossmargin.proofs.trees import SUM_LIMIT, Inclusion, Tree, check_inclusion, commit_list, list_record
from crossmargin.proofs.zk.commitments import (
    DEPTH,
    PER_NUMBER,
    Leg,
    Shape,
    account_commitment,
    account_entry,
    faces_of,
    grow_rows,
    legs_of,
    loss_of,
    packed_row,
    path_of,
    root_from,
    row_leaf,
    row_salt_of,
    salt_of,
    shape_for,
)
from crossmargin.proofs.zk.poseidon import MODULUS
from crossmargin.proofs.zk.statement import LeafPath, MarginProof, Opening, ZkHead, field_number, field_text, word

Levels: TypeAlias = Sequence[Sequence[int]]


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """What the prover alone knows, as decimal text by the circuit's names; lists have the shape's length."""

    salt: str
    held: str
    lots: tuple[str, ...]
    index: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    row_salts: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZkEpoch:
    """A head, and the openings of the accounts that a circuit has room for; only the head is not secret."""

    head: ZkHead
    openings: tuple[Opening, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An opening that has been checked: legs, the rows of R they stand in [leg, scenario], and the commitment."""

    shape: Shape
    legs: tuple[Leg, ...]
    rows: tuple[tuple[int, ...], ...]
    salt: int
    commitment: int


def commit_zk(statements: Sequence[Statement], *, secret: bytes) -> ZkEpoch:
    """Commit once more to the integers that the statements of all accounts of an epoch open, for circuits.

    `secret` is 32 bytes of the prover's own. Rows of R that nobody holds are left out; an account with more legs than
    its shape has is committed to nothing, and has no opening. Raises `EpochRefused` for a statement that is not good,
    is missing or of another epoch, and for an opening that does not open its statement; `InvalidInput` for more
    scenarios or rows than any shape has."""
    ordered = sorted(statements, key=lambda one: one.index)
    _check_whole(ordered)
    known = ordered[0].head
    shape = shape_for(known.scenarios)
    faces = 3 if any(held.between for one in ordered for held in one.positions) else 1
    row_salts = [row_salt_of(secret, known.epoch, leaf) for leaf in range(known.rows * faces)]
    levels = grow_rows(_leaves(ordered, row_salts, shape, faces))
    salts = [salt_of(secret, known.epoch, one.account) for one in ordered]
    found = [
        _committed(one, salt, _legs(one.positions, faces), shape) for one, salt in zip(ordered, salts, strict=True)
    ]
    tree = commit_list([account_entry(one.account, number) for one, number in zip(ordered, found, strict=True)])
    head = ZkHead(
        margin=hexed(head_digest(known)),
        rows_root=field_text(levels[-1][0]),
        rows=known.rows,
        faces=faces,
        scenarios=known.scenarios,
        accounts_root=hexed(tree.root),
        accounts=known.accounts,
    )
    fitting = [(one, salt) for one, salt, number in zip(ordered, salts, found, strict=True) if number]
    openings = [_opening(head, one, salt, row_salts, levels, tree) for one, salt in fitting]
    for (statement, _), opening in zip(fitting, openings, strict=True):
        _check_same(statement, opening)
    return ZkEpoch(head=head, openings=tuple(openings))


def _check_whole(ordered: Sequence[Statement]) -> None:
    """One good statement for each account of one epoch."""
    heads, places = {head_digest(one.head) for one in ordered}, [one.index for one in ordered]
    if len(heads) != 1 or places != list(range(ordered[0].head.accounts)):
        count = ordered[0].head.accounts if ordered else "all"
        raise _refused("statements", f"{len(ordered)} of {len(heads)} epochs", f"one of each of {count} accounts")
    for statement in ordered:
        failed = [check for check in verify(statement) if check.outcome == "fails"]
        if failed:
            raise _refused(f"statement of {statement.account!r}", failed[0].why, "one that `verify` finds good")


def _leaves(ordered: Sequence[Statement], salts: Sequence[int], shape: Shape, faces: int) -> list[int]:
    """The leaves of all rows: the salt alone for one that nobody holds."""
    known, leaves = ordered[0].head, list(salts)
    for row in {row.index: row for one in ordered for row in one.rows}.values():
        quanta = unpack_quanta(_bytes(row.quanta), known.scenarios, where="row")
        for leaf, face in enumerate(faces_of(quanta, faces), start=row.index * faces):
            leaves[leaf] = row_leaf(salts[leaf], packed_row(face, shape))
    return leaves


def _committed(statement: Statement, salt: int, legs: Sequence[Leg], shape: Shape) -> int:
    return account_commitment(statement.account, salt, int(statement.collateral), legs, shape)


def _opening(
    head: ZkHead, statement: Statement, salt: int, row_salts: Sequence[int], levels: Levels, tree: Tree
) -> Opening:
    leaves = np.unique([leg.leaf for leg in _legs(statement.positions, head.faces)]).astype(int).tolist()
    return Opening(
        head=head,
        account=statement.account,
        salt=field_text(salt),
        path=tuple(map(hexed, tree.prove(statement.index).siblings)),
        leaves=tuple(
            LeafPath(leaf=leaf, salt=field_text(row_salts[leaf]), path=tuple(map(field_text, path_of(levels, leaf))))
            for leaf in leaves
        ),
    )


def _check_same(statement: Statement, opening: Opening) -> None:
    try:
        check_opening(statement, opening)
    except NotProved as found:
        raise _refused(f"opening of {statement.account!r}", str(found), "of the statement's integers") from found


def _refused(what: str, value: object, limit: str) -> EpochRefused:
    remedy = "Attest the epoch again; if it stays, do not publish it."
    return EpochRefused(what, where="zero-knowledge", value=value, limit=limit, remedy=remedy)


def check_opening(statement: Statement, opening: Opening) -> Opened:
    """That `opening` opens the very integers that `statement` does, and the same loss follows; raises `NotProved`.

    `statement` is one that `crossmargin.proofs.checking.verify` finds good."""
    head, account = opening.head, statement.account
    margin = hexed(head_digest(statement.head))
    require(head.margin == margin, Reason.WRONG_ROOT, "opening", head.margin, f"of the statement's epoch, {margin}")
    require(opening.account == account, Reason.WRONG_VALUE, "opening", opening.account, f"of {account!r}")
    counts = (head.rows, head.scenarios, head.accounts)
    stated = (statement.head.rows, statement.head.scenarios, statement.head.accounts)
    require(counts == stated, Reason.WRONG_COUNT, "opening", counts, f"the counts of the statement, {stated}")
    require(head.faces in (1, 3), Reason.MALFORMED, "faces of a row", head.faces, "1 or 3")
    shape, legs = shape_for(head.scenarios), _legs(statement.positions, head.faces)
    room = f"at most {shape.legs} legs, one a position and one more where it is between lots"
    require(len(legs) <= shape.legs, Reason.WRONG_COUNT, f"account {account!r}", len(legs), room)
    rows = _opened_rows(statement, opening, legs)
    _check_leaves(opening, legs, rows, shape)
    loss = loss_of(legs, rows)
    require(str(loss) == statement.worst_loss, Reason.WRONG_VALUE, "loss of legs", loss, statement.worst_loss)
    salt = field_number(opening.salt)
    commitment = account_commitment(account, salt, int(statement.collateral), legs, shape)
    place = Inclusion(index=statement.index, count=head.accounts, siblings=tuple(map(word, opening.path)))
    check_inclusion(list_record(account_entry(account, commitment)), place, word(head.accounts_root), where="opening")
    return Opened(shape=shape, legs=tuple(legs), rows=tuple(rows), salt=salt, commitment=commitment)


def _legs(positions: Sequence[Position], faces: int) -> list[Leg]:
    rows, lots = [one.row for one in positions], [int(one.lots) for one in positions]
    return legs_of(rows, lots, [one.between for one in positions], faces=faces)


def _opened_rows(statement: Statement, opening: Opening, legs: Sequence[Leg]) -> list[tuple[int, ...]]:
    """The row of R that each leg stands in, from the rows that the statement opens."""
    faces, count = opening.head.faces, statement.head.scenarios
    packed = {row.index: _bytes(row.quanta) for row in statement.rows}
    opened = {at: faces_of(unpack_quanta(raw, count, where="row"), faces) for at, raw in packed.items()}
    return [opened[leg.leaf // faces][leg.leaf % faces] for leg in legs]


def _bytes(text: str) -> bytes:
    """Bytes that `verify` has found well written."""
    return bytes.fromhex(text.removeprefix("0x"))


def _check_leaves(opening: Opening, legs: Sequence[Leg], rows: Sequence[tuple[int, ...]], shape: Shape) -> None:
    """Each leg's row is the committed one, where the leg says."""
    shown = {one.leaf: one for one in opening.leaves}
    for leaf, row in {leg.leaf: row for leg, row in zip(legs, rows, strict=True)}.items():
        require(leaf in shown, Reason.ABSENT, f"leaf {leaf}", sorted(shown)[:80], "each leaf of the legs")
        path = [field_number(text) for text in shown[leaf].path]
        require(len(path) == DEPTH, Reason.WRONG_COUNT, f"leaf {leaf}", len(path), f"{DEPTH} neighbours")
        found = field_text(root_from(row_leaf(field_number(shown[leaf].salt), packed_row(row, shape)), leaf, path))
        root = opening.head.rows_root
        require(found == root, Reason.WRONG_ROOT, f"leaf {leaf}", found, f"the root of rows, {root}")


def witness_of(statement: Statement, opening: Opening, opened: Opened) -> Witness:
    """What the circuit is given of an opening that `check_opening` has opened; room that is left holds no lots."""
    shape, legs, shown = opened.shape, opened.legs, {one.leaf: one for one in opening.leaves}
    empty = shape.legs - len(legs)
    rows = [tuple(map(str, packed_row(row, shape))) for row in opened.rows]
    paths = [tuple(str(field_number(text)) for text in shown[leg.leaf].path) for leg in legs]
    width = -(-shape.scenarios // PER_NUMBER)
    return Witness(
        salt=str(opened.salt),
        held=statement.collateral,
        lots=(*(str(leg.lots % MODULUS) for leg in legs), *["0"] * empty),
        index=(*(str(leg.leaf) for leg in legs), *["0"] * empty),
        rows=(*rows, *[("0",) * width] * empty),
        row_salts=(*(str(field_number(shown[leg.leaf].salt)) for leg in legs), *["0"] * empty),
        paths=(*paths, *[("0",) * DEPTH] * empty),
    )


def stated_of(
    statement: Statement, opening: Opening, opened: Opened, *, loss_at_most: int, collateral_at_least: int
) -> MarginProof:
    """What is to be proved, without its proof; raises `InvalidInput` where it is not so, by as little as a quantum."""
    loss, held = int(statement.worst_loss), int(statement.collateral)
    if not loss <= loss_at_most < SUM_LIMIT:
        raise _untrue("loss at most", loss_at_most, f"from {loss}, the worst loss, to 2¹²⁸ − 1")
    if not 0 <= collateral_at_least <= held:
        raise _untrue("collateral at least", collateral_at_least, f"from 0 to {held}, what is held")
    return MarginProof(
        head=opening.head,
        margin=statement.head,
        account=statement.account,
        commitment=field_text(opened.commitment),
        index=statement.index,
        path=opening.path,
        loss_at_most=str(loss_at_most),
        collateral_at_least=str(collateral_at_least),
        proof="",
    )


def _untrue(what: str, value: int, limit: str) -> InvalidInput:
    return InvalidInput(what, where="zero-knowledge", value=value, limit=limit, remedy="Prove what is true.")
