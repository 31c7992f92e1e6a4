"""Blocks as a follower keeps them: a header's place in the chain, and the movements that margin cares for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput


class Key(NamedTuple):
    """Whose, and of what: an account, and an asset (CAIP-19)."""

    account: str
    asset: str


class EventId(NamedTuple):
    """What makes an event itself, for the account that it moves. The same transaction in another block is another."""

    block: bytes
    transaction: bytes
    log_index: int
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A block's place: its hash, its parent's, its number and its time in Unix seconds."""

    hash: bytes
    parent: bytes
    number: int
    timestamp_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A credit (`amount` above zero) or a debit of an account, in smallest units of an asset."""

    transaction: bytes
    log_index: int
    account: str
    asset: str
    amount: int

    @property
    def key(self) -> Key:
        """Whose, and of what."""
        return Key(self.account, self.asset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A header and its movements, each at a place of its own."""

    header: Header
    movements: tuple[Movement, ...] = ()

    def __post_init__(self) -> None:
        where = f"block {self.header.number} 0x{self.header.hash.hex()}"
        check.unique(
            (f"0x{m.transaction.hex()} {m.log_index} {m.account}" for m in self.movements), "movement", where=where
        )
        for movement in self.movements:
            if not movement.amount:
                raise InvalidInput(
                    "amount", where=where, value=0, limit="a credit or a debit", remedy="Leave the movement out."
                )

    def id_of(self, movement: Movement) -> EventId:
        """The event that a movement of this block is."""
        return EventId(self.header.hash, movement.transaction, movement.log_index, movement.account)


def moved(amounts: Mapping[Key, int], movements: Iterable[Movement], sign: int = 1) -> dict[Key, int]:
    """`amounts` after the movements, or with `sign` −1 before them; what is zero has no entry."""
    after = dict(amounts)
    for movement in movements:
        amount = after.pop(movement.key, 0) + sign * movement.amount
        if amount:
            after[movement.key] = amount
    return after
