"""Statements as the arguments of contracts: `contracts/MarginVerifier.vy` and `contracts/StateProof.vy`.

A contract checks what `crossmargin.proofs.checking` checks, of the same bytes: this module only packs. Integers are
`int`, fixed bytes and addresses `bytes`, structures and arrays tuples, as ABI encoders take them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.collateral_lines import lines_digest
from crossmargin.proofs.commitments import packed_positions, row_entry
from crossmargin.proofs.state import WORD_BYTES
from crossmargin.proofs.statement import Row, Statement, StateProof
from crossmargin.proofs.trees import LEAF

POSITIONS_MAX: Final = 64
SCENARIOS_MAX: Final = 512
OPENED_BYTES_MAX: Final = 32_768
HEADER_BYTES_MAX: Final = 1024
NODES_MAX: Final = 20  # Who wants 20 hashes to share their way down has to try 2⁷⁶ keys.

LossArguments = tuple[bytes, int, int, bytes, bytes]
AccountArguments = tuple[str, bytes, int, int, int, bytes, tuple[bytes, ...]]
ReadArguments = tuple[bytes, bytes, bytes, bytes, tuple[bytes, ...], bytes, tuple[bytes, ...]]


def loss_arguments(statement: Statement) -> LossArguments:
    """What `MarginVerifier.worstLoss` takes: root of rows, rows, scenarios, packed positions, opened rows.

    Raises `InvalidInput` for a statement that is larger than the contract reads."""
    head = statement.head
    opened = b"".join([opened_row(row) for row in statement.rows])
    _within(len(statement.positions), POSITIONS_MAX, "positions")
    _within(head.scenarios, SCENARIOS_MAX, "scenarios")
    _within(len(opened), OPENED_BYTES_MAX, "bytes of rows")
    return _raw(head.rows_root), head.rows, head.scenarios, positions_of(statement), opened


def margin_arguments(
    statement: Statement,
) -> tuple[bytes, int, AccountArguments, bytes, int, int, bytes, bytes]:
    """What `MarginVerifier.marginOf` takes: root of accounts, accounts, the account, and `loss_arguments`."""
    head = statement.head
    return _raw(head.accounts_root), head.accounts, account_argument(statement), *loss_arguments(statement)


def account_argument(statement: Statement) -> AccountArguments:
    """The structure `Account`: a neighbour's record is two words, its hash and its sums."""
    path = [_raw(sibling) for sibling in statement.path]
    return (
        statement.account,
        _raw(statement.salt),
        statement.index,
        int(statement.worst_loss),
        int(statement.collateral),
        lines_digest(statement.lines),
        tuple(raw[at : at + WORD_BYTES] for raw in path for at in range(0, len(raw), WORD_BYTES)),
    )


def positions_of(statement: Statement) -> bytes:
    """The positions as they are packed in the account's leaf."""
    held = statement.positions
    return packed_positions([p.row for p in held], [int(p.lots) for p in held], [p.between for p in held])


def opened_row(row: Row) -> bytes:
    """One row of R: its leaf, the neighbours on its path, and its index as 32 bytes."""
    entry = row_entry(row.instrument, row.decimals, _raw(row.quanta))
    return LEAF + entry + b"".join([_raw(text) for text in row.path]) + row.index.to_bytes(WORD_BYTES, "big")


def read_arguments(proof: StateProof, place: int) -> ReadArguments:
    """What `StateProof.read` takes for the slot at `place` of a state proof.

    Raises `InvalidInput` for a proof that is larger than the contract reads."""
    slot = proof.slots[place]
    header = _raw(proof.header)
    _within(len(header), HEADER_BYTES_MAX, "bytes of a header")
    return (
        _raw(proof.anchor),
        header,
        _raw(proof.address),
        _raw(proof.code_hash),
        _nodes(proof, proof.account_path),
        _raw(slot.slot),
        _nodes(proof, slot.path),
    )


def _nodes(proof: StateProof, path: Sequence[int]) -> tuple[bytes, ...]:
    _within(len(path), NODES_MAX, "nodes of a path")
    return tuple(_raw(proof.nodes[place]) for place in path)


def _raw(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise InvalidInput(
            "bytes", where="statement", value=text[:80], limit="hexadecimal", remedy="Verify the statement first."
        ) from None


def _within(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise InvalidInput(what, where="calldata", value=count, limit=f"at most {limit}", remedy="Check it off chain.")
