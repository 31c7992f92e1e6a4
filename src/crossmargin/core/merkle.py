"""Merkle trees over byte strings: one root for many records, and a short proof that one of them is among them.

Leaves and nodes are hashed under different prefixes, so that a node never passes for a record; a list whose length is
no power of two splits at the largest one below it, so that no record is counted twice.

Source: RFC 9162 (Certificate Transparency 2.0, December 2021), sections 2.1.1 to 2.1.3, with SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from crossmargin.core.errors import InvalidInput


def leaf_hash(record: bytes) -> bytes:
    """SHA-256 of 0x00 and the record."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle_root(records: Sequence[bytes]) -> bytes:
    """The root over `records` in their order; of none, the hash of nothing."""
    return _levels(records)[-1][0] if records else hashlib.sha256(b"").digest()


def inclusion_proof(records: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The hashes that lead from record `index` to the root, lowest first; raises `InvalidInput` for no such record."""
    if not 0 <= index < len(records):
        raise InvalidInput(
            "index", where="Merkle proof", value=index, limit=f"from 0 to {len(records) - 1}", remedy="Name a record."
        )
    path = []
    for level in _levels(records)[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        index //= 2
    return tuple(path)


def verify_inclusion(record: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that `record` is number `index` of the `size` records under `root`."""
    if not 0 <= index < size:
        return False
    computed, at, last = leaf_hash(record), index, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            computed = node_hash(sibling, computed)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and computed == root


def _levels(records: Sequence[bytes]) -> list[list[bytes]]:
    """Hashes from the leaves to the root. Pairing neighbours and lifting an odd last one gives RFC 9162's tree."""
    levels = [[leaf_hash(record) for record in records]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = [node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        levels.append(pairs + below[len(pairs) * 2 :])
    return levels
