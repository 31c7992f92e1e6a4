"""The durable journal of one chain: an append-only table of SQLite, from which a follower goes on where it stood.

All steps of one poll are one transaction: after a crash at any moment either all of them are there or none, and a step
that is missing is found on the chain again. A checkpoint, the whole journal at a final block, comes after every
`CHECKPOINT_STEPS` steps, so that a restart reads little. Each entry has the SHA-256 of all entries before it.

Write-ahead log with full synchronisation: what `append` has returned from survives a loss of power.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from crossmargin.core.errors import InvalidInput, UnreadableFile
from crossmargin.market.chains import journal as chains
from crossmargin.market.chains.blocks import Block, Header, Key, Movement
from crossmargin.market.chains.journal import Journal
from crossmargin.market.chains.steps import Finalise, Step, take_all

CHECKPOINT_STEPS: Final = 64
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('checkpoint', 'step')),
    body TEXT NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS no_change BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS no_removal BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""
Connect = Callable[[Path], sqlite3.Connection]


class Checkpoint(msgspec.Struct, frozen=True):
    """A journal as it stands in an entry: mappings as lists, balances at the head left to be computed again."""

    chain: str
    root: Header
    final: tuple[tuple[str, str, int], ...]
    head: bytes
    blocks: tuple[Block, ...]
    seen: tuple[tuple[Movement, ...], ...]
    forked: Header | None


def connect(path: Path) -> sqlite3.Connection:
    """A connection without transactions of its own making."""
    return sqlite3.connect(path, isolation_level=None)


class JournalStore:
    """The journal at `path`; one that is new begins with `first`, which may be made only then. One process writes it.
    `begun` is whether it was new.

    `subject` says what it is a journal of beside its chain, such as a contract and its accounts; it enters the digest
    of the first entry. Raises `UnreadableFile` for a file that is not such a journal or was changed, and
    `InvalidInput` where it is of another chain than `first`, or was begun with another subject.
    """

    def __init__(
        self, path: Path, first: Journal | Callable[[], Journal], *, subject: str = "", connect: Connect = connect
    ) -> None:
        self.path, self.subject = path, subject
        self._start = hashlib.sha256(subject.encode()).digest() if subject else b""
        try:
            self._database = connect(path)
        except sqlite3.OperationalError as failure:  # Its folder is missing, or it is one itself.
            raise self._unwritable(str(failure)) from None
        with ExitStack() as refused:  # What is not opened whole is closed.
            refused.callback(self._database.close)
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = FULL")
                self._database.executescript(_TABLE)
                self._number, self._digest = self._last()
                self.begun = not self._number
                if self.begun:
                    self._write([("checkpoint", _plain(_checkpoint(first() if callable(first) else first)))])
                self._check_subject()
                self._since, self.journal = self._read()
            except sqlite3.OperationalError as failure:
                raise self._unwritable(str(failure)) from None
            except sqlite3.DatabaseError as failure:
                raise self._unreadable(str(failure)) from None
            if isinstance(first, Journal) and self.journal.chain != first.chain:
                raise InvalidInput(
                    "chain",
                    where=str(path),
                    value=self.journal.chain,
                    limit=first.chain,
                    remedy="One file for each chain.",
                )
            refused.pop_all()

    def append(self, steps: Sequence[Step]) -> Journal:
        """The journal after `steps`, all of them on disk. Raises what a step raises, and then nothing is written."""
        if not steps:
            return self.journal
        after = take_all(self.journal, steps)
        entries = [("step", _plain(step)) for step in steps]
        since = self._since + len(steps)
        if since >= CHECKPOINT_STEPS and any(isinstance(step, Finalise) for step in steps):
            entries.append(("checkpoint", _plain(_checkpoint(after))))
            since = 0
        self._write(entries)
        self._since, self.journal = since, after
        return after

    def verify(self) -> int:
        """How many entries there are, each digest computed again; raises `UnreadableFile` where one differs."""
        digest, expected = self._start, 1
        for number, kind, body, stated in self._database.execute(
            "SELECT number, kind, body, digest FROM entries ORDER BY number"
        ):
            digest = _chained(digest, kind, body)
            if number != expected or stated != digest:
                raise self._unreadable(f"entry {number} is not what was written")
            expected += 1
        return expected - 1

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _last(self) -> tuple[int, bytes]:
        found = self._database.execute("SELECT number, digest FROM entries ORDER BY number DESC LIMIT 1").fetchone()
        return found or (0, self._start)

    def _check_subject(self) -> None:
        kind, body, stated = self._database.execute(
            "SELECT kind, body, digest FROM entries WHERE number = 1"
        ).fetchone()
        if stated != _chained(self._start, kind, body):
            raise InvalidInput(
                "journal",
                where=str(self.path),
                value=self.subject,
                limit="what it was begun with",
                remedy="Name a new file: it begins at the last final block, with balances that are proven there.",
            )

    def _write(self, entries: Sequence[tuple[str, str]]) -> None:
        """Append in one transaction; refused where another process has appended since."""
        number, digest = self._number, self._digest
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._check_sole_writer()
            for kind, body in entries:
                number, digest = number + 1, _chained(digest, kind, body)
                self._database.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", (number, kind, body, digest))
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as failure:
            raise self._unwritable(str(failure)) from None
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        self._number, self._digest = number, digest

    def _check_sole_writer(self) -> None:
        if self._last() != (self._number, self._digest):
            raise self._unwritable("appended to by another")

    def _read(self) -> tuple[int, Journal]:
        """The steps since the last checkpoint, and the journal after them."""
        start = self._database.execute("SELECT max(number) FROM entries WHERE kind = 'checkpoint'").fetchone()[0]
        before = self._database.execute("SELECT digest FROM entries WHERE number = ?", (start - 1,)).fetchone()
        digest, bodies = before[0] if before else self._start, []
        for number, kind, body, stated in self._database.execute(
            "SELECT number, kind, body, digest FROM entries WHERE number >= ? ORDER BY number", (start,)
        ):
            digest = _chained(digest, kind, body)
            if stated != digest:
                raise self._unreadable(f"entry {number} is not what was written")
            bodies.append(body)
        journal = _restored(self._value(bodies[0], Checkpoint))
        steps = [self._value(body, Step) for body in bodies[1:]]
        return len(steps), take_all(journal, steps)

    def _value(self, body: str, kind: Any) -> Any:
        try:
            return msgspec.convert(json.loads(body), kind)
        except (ValueError, msgspec.ValidationError) as failure:
            raise self._unreadable(f"an entry cannot be read: {failure}") from None

    def _unwritable(self, reason: str) -> InvalidInput:
        return InvalidInput(
            "journal",
            where=str(self.path),
            value=reason,
            limit="written by one process, on a disk with room",
            remedy="Stop the other one or make room, and open the journal again.",
        )

    def _unreadable(self, reason: str) -> UnreadableFile:
        return UnreadableFile(str(self.path), reason=reason, remedy="Restore a copy, or follow the chain anew.")


def _chained(digest: bytes, kind: str, body: str) -> bytes:
    return hashlib.sha256(digest + kind.encode() + b"\n" + body.encode()).digest()


def _plain(value: msgspec.Struct) -> str:
    """JSON with integers of any size, which amounts of 256 bits need."""
    return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))


def _checkpoint(journal: Journal) -> Checkpoint:
    return Checkpoint(
        chain=journal.chain,
        root=journal.root,
        final=tuple((*key, amount) for key, amount in sorted(journal.final.items())),
        head=journal.head.hash,
        blocks=tuple(sorted(journal.blocks.values(), key=lambda block: (block.header.number, block.header.hash))),
        seen=tuple(debits for _, debits in sorted(journal.seen.items())),
        forked=journal.forked,
    )


def _restored(found: Checkpoint) -> Journal:
    journal = chains.begin(found.chain, found.root, {Key(account, asset): n for account, asset, n in found.final})
    for block in found.blocks:
        journal = chains.learn(journal, block)
    journal = chains.adopt(journal, found.head)
    for debits in found.seen:
        journal = chains.see(journal, debits)
    return chains.fork(journal, found.forked) if found.forked else journal
