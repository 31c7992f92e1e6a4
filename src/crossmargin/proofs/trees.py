"""Merkle trees and Merkle-sum trees: commit to a list, and to the totals over it, in 32 bytes.

A record stands for a leaf or a node: 32 bytes of hash, then each column's sum as 16 bytes, big-endian. With k columns

    leaf   keccak(0x00 ‖ what the leaf holds)                                  and the leaf's amounts
    node   keccak(0x01 ‖ left record ‖ right record)                           and the sums of both
    root   keccak(0x02 ‖ count, 8 bytes ‖ k, 1 byte ‖ record at the top)

so a sum is bound where it is added, and a plain Merkle tree is the case k = 0. First bytes keep leaves, nodes and root
apart: no node can be shown as a leaf. At an odd end the record of zeros stands in as the right neighbour. Count and
index fix the shape of a path, so a path has one form. Sums are unsigned; one that would pass 2¹²⁸ is refused by who
builds and by who checks, so no account can lower a total. With two columns a node is 129 bytes, one block of keccak.

Source: Chalkias, Lewi, Mohassel and Nikolaenko (2020), "Distributed auditing proofs of liabilities", section 3: a node
must hash the sums of *both* children, or a total can be understated (Hu, Zhang and Guo, 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core.check import unique
from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.keccak import DIGEST_BYTES, ByteArray, keccak, keccak_all, keccak_rows
from crossmargin.proofs.reasons import Reason, refuse, require

SUM_BYTES: Final = 16
SUM_LIMIT: Final = 1 << (8 * SUM_BYTES)
COLUMNS_MAX: Final = 2  # With a third a node would take two blocks of keccak.
COUNT_MAX: Final = 1 << 32
NAME_MAX: Final = 256  # Characters of an account id; CAIP-10 takes up to 171.
LEAF, NODE, ROOT, SALT = b"\x00", b"\x01", b"\x02", b"\x03"
NOTHING: Final = bytes(DIGEST_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """That a record stands at `index` of `count`: its neighbour on each level, from the leaves up."""

    index: int
    count: int
    siblings: tuple[bytes, ...]

    @property
    def packed(self) -> bytes:
        """The proof as bytes: index and count as 8 each, then the neighbours."""
        return self.index.to_bytes(8, "big") + self.count.to_bytes(8, "big") + b"".join(self.siblings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Records by level [record, byte], leaves first; the last level has one."""

    columns: int
    levels: tuple[ByteArray, ...]

    @property
    def count(self) -> int:
        """How many leaves it has."""
        return len(self.levels[0])

    @property
    def total(self) -> tuple[int, ...]:
        """The sum of each column over all leaves."""
        return sums_of(self.levels[-1][0].tobytes())

    @property
    def root(self) -> bytes:
        """What is published: 32 bytes that bind the leaves, their order, their number and the totals."""
        return seal(self.levels[-1][0].tobytes(), self.count)

    def prove(self, index: int) -> Inclusion:
        """The path of the leaf at `index`; raises `InvalidInput` outside the tree."""
        if not 0 <= index < self.count:
            raise InvalidInput(
                "leaf", where="tree", value=index, limit=f"from 0 to {self.count - 1}", remedy="Ask for a leaf in it."
            )
        absent, siblings = bytes(self.levels[0].shape[1]), []
        for height, level in enumerate(self.levels[:-1]):
            at = (index >> height) ^ 1
            siblings.append(level[at].tobytes() if at < len(level) else absent)
        return Inclusion(index=index, count=self.count, siblings=tuple(siblings))


def salt_for(secret: bytes, epoch: int, account: str) -> bytes:
    """32 bytes that hide an account's amounts from who guesses them: keccak(0x03 ‖ secret ‖ epoch, 8 bytes ‖ id).

    A statement shows its salt: were it the same in other epochs, its reader could guess what they hide. `secret` is
    32 bytes that the prover keeps; a keyed prefix is a sound way to key keccak, which is a sponge."""
    if len(secret) != DIGEST_BYTES:
        raise InvalidInput(
            "secret", where="salts", value=f"{len(secret)} bytes", limit="32 bytes", remedy="Draw 32 random bytes."
        )
    return keccak(SALT + secret + epoch.to_bytes(8, "big") + account.encode())


def account_record(account: str, salt: bytes, content: bytes, amounts: Sequence[int]) -> bytes:
    """The record of one account: keccak(0x00 ‖ content ‖ salt ‖ amounts ‖ id), then the amounts.

    `content` is the hash of what else the leaf binds, such as positions; amounts are integers in [0, 2¹²⁸)."""
    where = f"account {account!r}"
    packed = b"".join([_amount(amount, where) for amount in amounts])
    _check_columns(len(amounts))
    _check_leaf(account, salt, content)
    return keccak(LEAF + content + salt + packed + account.encode()) + packed


def commit_accounts(
    accounts: Sequence[str], salts: Sequence[bytes], contents: Sequence[bytes], amounts: Sequence[Sequence[int]]
) -> Tree:
    """The Merkle-sum tree over accounts, in their order; `amounts` is [column, account].

    Raises `DuplicateName` for an account that stands twice, and `InvalidInput` for an amount below zero or beyond 128
    bits, a salt or content that is not 32 bytes, no accounts, or totals beyond 128 bits."""
    _check_columns(len(amounts))
    if {len(salts), len(contents), *map(len, amounts)} != {len(accounts)}:
        raise InvalidInput(
            "salts, contents and amounts",
            where="accounts",
            value=[len(salts), len(contents), *map(len, amounts)],
            limit=f"as many as accounts, {len(accounts)}",
            remedy="Give one of each for every account.",
        )
    if len(set(accounts)) < len(accounts):
        unique(accounts, "account", where="accounts")
    _check_count(len(accounts))
    columns = [_packed(column, accounts) for column in amounts]
    packed = list(map(b"".join, zip(*columns, strict=True))) if columns else [b""] * len(accounts)
    if {*map(len, salts), *map(len, contents)} - {DIGEST_BYTES} or not _named(accounts):
        for account, salt, content in zip(accounts, salts, contents, strict=True):
            _check_leaf(account, salt, content)
    leaves = zip(accounts, salts, contents, packed, strict=True)
    hashes = keccak_all(LEAF + content + salt + sums + name.encode() for name, salt, content, sums in leaves)
    sums = np.frombuffer(b"".join(packed), dtype=np.uint8).reshape(len(accounts), -1)
    return grow(np.concatenate([hashes, sums], axis=1), columns=len(amounts))


def commit_list(entries: Sequence[bytes]) -> Tree:
    """The plain Merkle tree over `entries`, each hashed as a leaf."""
    return grow(keccak_all(LEAF + entry for entry in entries), columns=0)


def list_record(entry: bytes) -> bytes:
    """The record of one entry of a plain tree."""
    return keccak(LEAF + entry)


def grow(leaves: ByteArray, *, columns: int) -> Tree:
    """The tree over records [leaf, byte]; raises `InvalidInput` where there is none, too many, or a sum overflows."""
    _check_count(len(leaves))
    levels = [leaves]
    while len(levels[-1]) > 1:
        levels.append(_parents(levels[-1], columns))
    for level in levels:
        level.flags.writeable = False
    return Tree(columns=columns, levels=tuple(levels))


def _parents(level: ByteArray, columns: int) -> ByteArray:
    """The records above `level` [record, byte]."""
    if len(level) % 2:
        level = np.concatenate([level, np.zeros((1, level.shape[1]), dtype=np.uint8)])
    pairs = level.reshape(len(level) // 2, -1)
    messages = np.empty((len(pairs), 1 + pairs.shape[1]), dtype=np.uint8)
    messages[:, 0] = NODE[0]
    messages[:, 1:] = pairs
    return np.concatenate([keccak_rows(messages), _added(level, columns)], axis=1)


def _added(level: ByteArray, columns: int) -> ByteArray:
    """Sums of neighbours as bytes [parent, 16 · column]: two words of 64 bits, and what carries between them."""
    words = np.ascontiguousarray(level[:, DIGEST_BYTES:]).view(">u8").astype(np.uint64)
    high, low = words[:, 0::2], words[:, 1::2]
    sums = np.empty((len(level) // 2, 2 * columns), dtype=np.uint64)
    sums[:, 1::2] = low[0::2] + low[1::2]
    carried = (sums[:, 1::2] < low[0::2]).astype(np.uint64)
    both = high[0::2] + high[1::2]
    sums[:, 0::2] = both + carried
    if (both < high[0::2]).any() or (sums[:, 0::2] < both).any():
        raise InvalidInput(
            "total", where="tree", value="beyond 128 bits", limit="below 2¹²⁸", remedy="Use a coarser unit of money."
        )
    return sums.astype(">u8").view(np.uint8).reshape(len(sums), -1)


def sums_of(record: bytes) -> tuple[int, ...]:
    """The sums that a record holds."""
    return tuple(
        int.from_bytes(record[start : start + SUM_BYTES], "big")
        for start in range(DIGEST_BYTES, len(record), SUM_BYTES)
    )


def seal(record: bytes, count: int) -> bytes:
    """The root over the record at the top of a tree of `count` leaves."""
    columns = (len(record) - DIGEST_BYTES) // SUM_BYTES
    return keccak(ROOT + count.to_bytes(8, "big") + bytes([columns]) + record)


def check_inclusion(record: bytes, proof: Inclusion, root: bytes, *, where: str) -> tuple[int, ...]:
    """The totals of the tree with `root`, if `record` stands in it where `proof` says; raises `NotProved` otherwise."""
    require(0 < proof.count <= COUNT_MAX, Reason.MALFORMED, where, proof.count, "a count from 1 to 2³²")
    require(0 <= proof.index < proof.count, Reason.MALFORMED, where, proof.index, f"an index below {proof.count}")
    depth = (proof.count - 1).bit_length()
    require(len(proof.siblings) == depth, Reason.WRONG_COUNT, where, len(proof.siblings), f"{depth} neighbours")
    index, last = proof.index, proof.count - 1
    for sibling in proof.siblings:
        require(len(sibling) == len(record), Reason.MALFORMED, where, len(sibling), f"{len(record)} bytes a neighbour")
        alone = index == last and index % 2 == 0
        require(not alone or not any(sibling), Reason.NOT_CANONICAL, where, sibling.hex(), "zeros beyond the last leaf")
        record = _joined(sibling, record, where) if index % 2 else _joined(record, sibling, where)
        index, last = index // 2, last // 2
    found = seal(record, proof.count)
    require(found == root, Reason.WRONG_ROOT, where, found.hex(), f"the root {root.hex()}")
    return sums_of(record)


def _joined(left: bytes, right: bytes, where: str) -> bytes:
    sums = [a + b for a, b in zip(sums_of(left), sums_of(right), strict=True)]
    if any(total >= SUM_LIMIT for total in sums):
        raise refuse(Reason.OVERFLOW, where, max(sums), "sums below 2¹²⁸")
    return keccak(NODE + left + right) + b"".join([total.to_bytes(SUM_BYTES, "big") for total in sums])


def _packed(column: Sequence[int], accounts: Sequence[str]) -> list[bytes]:
    try:
        return [amount.to_bytes(SUM_BYTES, "big") for amount in column]
    except OverflowError:
        return [_amount(amount, name) for amount, name in zip(column, accounts, strict=True)]


def _amount(amount: int, where: str) -> bytes:
    try:
        return amount.to_bytes(SUM_BYTES, "big")
    except OverflowError:
        raise InvalidInput(
            "amount", where=where, value=amount, limit="from 0 to 2¹²⁸ − 1", remedy="Commit to what is owed, unsigned."
        ) from None


def _check_count(count: int) -> None:
    if not 0 < count <= COUNT_MAX:
        raise InvalidInput("leaves", where="tree", value=count, limit="from 1 to 2³²", remedy="Commit to at least one.")


def _check_columns(columns: int) -> None:
    if columns > COLUMNS_MAX:
        raise InvalidInput("columns", where="tree", value=columns, limit="at most 2", remedy="Build two trees.")


def _named(accounts: Sequence[str]) -> bool:
    lengths = set(map(len, accounts))
    return min(lengths) > 0 and max(lengths) <= NAME_MAX


def _check_leaf(account: str, salt: bytes, content: bytes) -> None:
    if len(salt) != DIGEST_BYTES or len(content) != DIGEST_BYTES or not 0 < len(account) <= NAME_MAX:
        raise InvalidInput(
            "leaf",
            where=f"account {account[:80]!r}",
            value=f"salt of {len(salt)}, content of {len(content)} bytes, id of {len(account)} characters",
            limit="32, 32, and 1 to 256",
            remedy="Hash what is longer; draw a salt with `salt_for`.",
        )
