"""What is committed of a risk array and of positions, byte for byte, so that a contract can hash the same.

    row       0x10 ‖ keccak(instrument) ‖ decimals, 1 byte ‖ each quantum of P&L as int64, big-endian
    scenario  0x11 ‖ label
    position  row, 4 bytes ‖ lots as int64 ‖ 1 where it is between lots, else 0
    positions keccak(0x12 ‖ count, 4 bytes ‖ positions)
    content   keccak(0x15 ‖ hash of positions ‖ hash of collateral lines)

Rows and labels are entries of plain trees, in their order; the content stands in the account's leaf. Lines are those of
`crossmargin.proofs.collateral_lines`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.quantise import IntegerBook, IntegerPnl
from crossmargin.proofs.reasons import Reason, require
from crossmargin.proofs.trees import Tree, commit_list

ROW, SCENARIO, POSITIONS, CONTENT = b"\x10", b"\x11", b"\x12", b"\x15"
QUANTUM_BYTES: Final = 8
_POSITION: Final = np.dtype([("row", ">u4"), ("lots", ">i8"), ("open", "u1")])


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlCommitment:
    """Trees over the rows and the scenario labels of one risk array."""

    rows: Tree
    scenarios: Tree


def commit_pnl(pnl: IntegerPnl) -> PnlCommitment:
    """The trees of `pnl`; raises `InvalidInput` where it has no row or no scenario."""
    packed = pnl.quanta.astype(">i8")
    rows = zip(pnl.instruments, pnl.decimals.tolist(), packed, strict=True)
    return PnlCommitment(
        rows=commit_list([row_entry(name, decimals, row.tobytes()) for name, decimals, row in rows]),
        scenarios=commit_list([scenario_entry(label) for label in pnl.scenarios]),
    )


def row_entry(instrument: str, decimals: int, quanta: bytes) -> bytes:
    """One row of R as it is committed; `quanta` are packed."""
    return ROW + keccak(instrument.encode()) + bytes([decimals]) + quanta


def scenario_entry(label: str) -> bytes:
    """One scenario's label as it is committed."""
    return SCENARIO + label.encode()


def unpack_quanta(packed: bytes, count: int, *, where: str) -> list[int]:
    """The P&L of a row of `count` scenarios."""
    size = count * QUANTUM_BYTES
    require(
        len(packed) == size,
        Reason.WRONG_COUNT,
        where,
        f"{len(packed)} bytes",
        f"{QUANTUM_BYTES} bytes of P&L for each of {count} scenarios",
    )
    found: list[int] = np.frombuffer(packed, dtype=">i8").tolist()
    return found


def positions_digest(rows: Sequence[int], lots: Sequence[int], between: Sequence[bool]) -> bytes:
    """What an account holds of which rows, as its leaf binds it."""
    return keccak(POSITIONS + len(rows).to_bytes(4, "big") + packed_positions(rows, lots, between))


def packed_positions(rows: Sequence[int], lots: Sequence[int], between: Sequence[bool]) -> bytes:
    """Positions as they are hashed, 13 bytes each."""
    packed: bytes = np.array(list(zip(rows, lots, between, strict=True)), dtype=_POSITION).tobytes()
    return packed


def leaf_content(positions: bytes, lines: bytes) -> bytes:
    """The content of an account's leaf from the hashes of its positions and of its collateral lines."""
    return keccak(CONTENT + positions + lines)


def positions_digests(book: IntegerBook) -> list[bytes]:
    """`positions_digest` of every account."""
    packed = np.empty(book.lots.size, dtype=_POSITION)
    packed["row"], packed["lots"], packed["open"] = book.instrument, book.lots, book.open
    return [keccak(POSITIONS + count.to_bytes(4, "big") + part) for count, part in _parts(book, packed.tobytes())]


def _parts(book: IntegerBook, packed: bytes) -> Iterator[tuple[int, bytes]]:
    size, ptr = _POSITION.itemsize, book.ptr.tolist()
    for start, stop in itertools.pairwise(ptr):
        yield stop - start, packed[start * size : stop * size]
