"""What came of reading a source: quotes, and what was refused with its reason. Bad bytes never make a price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from crossmargin.core.errors import InvalidInput
from crossmargin.market.oracles.quotes import Quote

Reason: TypeAlias = Literal[
    "malformed", "call", "chain", "feed", "signature", "signer", "quorum", "proof", "time", "contradiction"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a source gave no quote: `reason` for programs, `words` for people."""

    source: str
    reason: Reason
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The quotes of a source, none of which has passed a gate yet, and what was refused before the gates."""

    quotes: tuple[Quote, ...] = ()
    refused: tuple[Refused, ...] = ()

    def __add__(self, other: Read) -> Read:
        """Both together."""
        return Read(quotes=self.quotes + other.quotes, refused=self.refused + other.refused)


class Cursor:
    """Bytes read from the front; raises `InvalidInput` where they end too early."""

    def __init__(self, raw: bytes, *, where: str) -> None:
        self.raw, self.at, self.where = raw, 0, where

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        taken = self.raw[self.at : self.at + count]
        if len(taken) < count:
            raise malformed(self.where, f"{len(self.raw)} bytes", f"{count - len(taken)} bytes longer")
        self.at += count
        return taken

    def number(self, count: int, *, signed: bool = False) -> int:
        """The next `count` bytes as a big-endian integer."""
        return int.from_bytes(self.take(count), "big", signed=signed)

    def expect(self, wanted: bytes, what: str) -> None:
        """Skip bytes that must stand here."""
        found = self.take(len(wanted))
        if found != wanted:
            raise malformed(self.where, f"{what} 0x{found.hex()}", f"0x{wanted.hex()}")

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self.raw) - self.at)

    def end(self) -> None:
        """Nothing may be left."""
        if self.at != len(self.raw):
            raise malformed(self.where, f"{len(self.raw) - self.at} bytes left over", "used up")


def malformed(where: str, value: object, limit: str) -> InvalidInput:
    """The error of bytes that are not what they should be."""
    return InvalidInput("payload", where=where, value=value, limit=limit, remedy="Ask the source again.")
