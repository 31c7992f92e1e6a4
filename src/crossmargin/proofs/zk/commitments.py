"""What a circuit opens: rows of R and accounts under Poseidon, the same integers that keccak commits to.

    row      Poseidon(salt, packed)                 F + 2⁶³ of each scenario, three to a number
    tree     Poseidon(left, right)                  12 levels, with 0 beyond the last row
    account  Poseidon(0x31, salt, id, held, legs)   the id as halves of keccak(id), collateral in quanta of money
    leg      n + 2⁶³ + 2⁶⁴ · leaf

A row has a salt, and one that nobody holds is its salt alone: who can compute R does not learn what others hold.
A circuit has a shape: a row repeats its last scenario up to it, and legs end in such of no lots of leaf 0.

A leg is whole lots of a row. A position between n and n + 1 lots of a row F, which `crossmargin.proofs.quantise` makes
(n + [F < 0]) · (F + [n < 0]), is two: n lots of F, and one of min(0, F + [n < 0]), a row that stands beside F.
Accounts stand in a plain tree of keccak, as 0x16 ‖ keccak(id) ‖ commitment.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.keccak import DIGEST_BYTES, keccak
from crossmargin.proofs.reasons import Reason, require
from crossmargin.proofs.zk.poseidon import MODULUS, poseidon

ACCOUNT_ENTRY, SALT, ROW_SALT = b"\x16", b"\x04", b"\x05"
ACCOUNT_TAG: Final = 0x31
DEPTH: Final = 12
LEAVES_MAX: Final = 1 << DEPTH
HALF: Final = 1 << 63
HALF_DIGEST_BITS: Final = 128
_WORD_BITS: Final = 64
PER_NUMBER: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a circuit has room for; its key is `zk/keys/<legs>x<scenarios>.json`."""

    legs: int
    scenarios: int

    @property
    def name(self) -> str:
        """As files and programs are named after it."""
        return f"{self.legs}x{self.scenarios}"


SHAPES: Final = (Shape(legs=20, scenarios=32), Shape(legs=20, scenarios=288))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """Whole lots of the row at `leaf`."""

    leaf: int
    lots: int


def shape_for(scenarios: int) -> Shape:
    """The smallest shape with room for so many scenarios; raises `InvalidInput` beyond the largest."""
    for shape in SHAPES:
        if scenarios <= shape.scenarios:
            return shape
    limit = f"at most {SHAPES[-1].scenarios}"
    raise InvalidInput(
        "scenarios", where="zero-knowledge", value=scenarios, limit=limit, remedy="Use a model with fewer scenarios."
    )


def legs_of(rows: Sequence[int], lots: Sequence[int], between: Sequence[bool], *, faces: int) -> list[Leg]:
    """The legs of an account's positions; `faces` are leaves by row, 3 where any position is between lots, else 1."""
    legs = []
    for row, held, is_between in zip(rows, lots, between, strict=True):
        legs.append(Leg(leaf=faces * row, lots=held))
        if is_between:
            require(faces == 3, Reason.MALFORMED, "faces of a row", faces, "3 where a position is between lots")
            legs.append(Leg(leaf=faces * row + (2 if held < 0 else 1), lots=1))
    return legs


def faces_of(quanta: Sequence[int], faces: int) -> list[tuple[int, ...]]:
    """The rows that stand beside each other for one instrument: F, and min(0, F) and min(0, F + 1) where asked for."""
    return [tuple(quanta), *(tuple(min(0, f + more) for f in quanta) for more in range(faces - 1))]


def loss_of(legs: Sequence[Leg], rows: Sequence[Sequence[int]]) -> int:
    """The greatest loss of legs over `rows` [leg, scenario], quanta of money, at least 0."""
    moved = [[leg.lots * (f + (leg.lots < 0)) for f in row] for leg, row in zip(legs, rows, strict=True)]
    return max(0, *(-sum(column) for column in zip(*moved, strict=True))) if moved else 0


@functools.lru_cache(maxsize=4096)
def packed_row(quanta: tuple[int, ...], shape: Shape) -> tuple[int, ...]:
    """A row as the numbers that are hashed, its last scenario repeated up to the shape: no loss is added or hidden."""
    raised = [f + HALF for f in (*quanta, *quanta[-1:] * (shape.scenarios - len(quanta)))]
    return tuple(_joined(raised[at : at + PER_NUMBER]) for at in range(0, len(raised), PER_NUMBER))


@functools.lru_cache(maxsize=4096)
def row_leaf(salt: int, packed: tuple[int, ...]) -> int:
    """The leaf of a packed row."""
    return poseidon([salt, *packed])


def packed_legs(legs: Sequence[Leg], shape: Shape) -> list[int]:
    """Legs as the numbers that are hashed, filled up to the shape."""
    filled = [*legs, *[Leg(leaf=0, lots=0)] * (shape.legs - len(legs))]
    return [_joined([leg.lots + HALF, leg.leaf]) for leg in filled]


def account_commitment(account: str, salt: int, held: int, legs: Sequence[Leg], shape: Shape) -> int:
    """What an account is committed to; 0, which nobody can open, for one with more legs than the shape has."""
    if len(legs) > shape.legs:
        return 0
    return poseidon([ACCOUNT_TAG, salt, *halves(keccak(account.encode())), held, *packed_legs(legs, shape)])


def account_entry(account: str, commitment: int) -> bytes:
    """An account as an entry of the tree of accounts."""
    return ACCOUNT_ENTRY + keccak(account.encode()) + commitment.to_bytes(DIGEST_BYTES, "big")


def salt_of(secret: bytes, epoch: int, account: str) -> int:
    """A number that hides what an account holds, and whether it held it before: keccak(0x04 ‖ secret ‖ epoch ‖ id).

    It is another than the salt of the account's leaf, which an opened statement shows."""
    return _hidden(SALT, secret, epoch, account.encode())


def row_salt_of(secret: bytes, epoch: int, leaf: int) -> int:
    """A number that hides which row stands in a leaf: keccak(0x05 ‖ secret ‖ epoch ‖ leaf)."""
    return _hidden(ROW_SALT, secret, epoch, leaf.to_bytes(4, "big"))


def _hidden(kind: bytes, secret: bytes, epoch: int, of: bytes) -> int:
    if len(secret) != DIGEST_BYTES:
        limit, remedy = "32 bytes", "Draw 32 random bytes."
        raise InvalidInput("secret", where="salts", value=f"{len(secret)} bytes", limit=limit, remedy=remedy)
    return int.from_bytes(keccak(kind + secret + epoch.to_bytes(8, "big") + of), "big") % MODULUS


def halves(digest: bytes) -> tuple[int, int]:
    """32 bytes as two numbers that the field has room for, the higher one first."""
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:], "big")


def grow_rows(leaves: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The tree over leaves, level by level up to its root; beyond the last there is nothing, which is 0 at the bottom.

    Raises `InvalidInput` beyond 4,096 leaves."""
    if not 0 < len(leaves) <= LEAVES_MAX:
        limit = f"from 1 to {LEAVES_MAX}"
        raise InvalidInput(
            "rows", where="zero-knowledge", value=len(leaves), limit=limit, remedy="Margin fewer at once."
        )
    levels = [tuple(leaves)]
    for level in range(DEPTH):
        below = levels[-1] if len(levels[-1]) % 2 == 0 else (*levels[-1], _nothing(level))
        levels.append(tuple(poseidon(below[at : at + 2]) for at in range(0, len(below), 2)))
    return tuple(levels)


def path_of(levels: Sequence[Sequence[int]], leaf: int) -> tuple[int, ...]:
    """The neighbours on the way from a leaf to the root."""
    places = [(leaf >> level) ^ 1 for level in range(DEPTH)]
    return tuple(levels[level][at] if at < len(levels[level]) else _nothing(level) for level, at in enumerate(places))


def root_from(node: int, leaf: int, path: Sequence[int]) -> int:
    """The root that a leaf's hash leads to."""
    for level, sibling in enumerate(path):
        node = poseidon([sibling, node] if leaf >> level & 1 else [node, sibling])
    return node


@functools.cache
def _nothing(level: int) -> int:
    return poseidon([_nothing(level - 1)] * 2) if level else 0


def _joined(words: Sequence[int]) -> int:
    return sum(word << (_WORD_BITS * at) for at, word in enumerate(words))
