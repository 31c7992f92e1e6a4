"""Margin statements in files: read within bounds, written whole.

A statement comes from a stranger. Its size is bounded before anything is parsed, its form while it is; what it says
is judged by `crossmargin.proofs.checking` alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from crossmargin.adapters.documents import cannot_open, decode
from crossmargin.adapters.writing import write_text
from crossmargin.core.errors import InvalidInput, UnreadableFile
from crossmargin.proofs.keccak import DIGEST_BYTES
from crossmargin.proofs.statement import Head, Statement

HEAD_NAME: Final = "head.json"
STATEMENT_BYTES_MAX: Final = 16 * 2**20  # A thousand positions in a thousand scenarios take it up.
_SECRET_BYTES_MAX: Final = 256
_STEMS_OF_HEADS: Final = {"head", "zk-head"}  # An account of that name would be written over.


def read_statement(path: str | Path) -> Statement:
    """The statement in a .json file; checks its form and none of what it claims.

    Raises `UnreadableFile` for a file that is too large or no JSON, `UnknownName` for a field that no statement has,
    and `InvalidInput` for a value of the wrong type."""
    return decode(read_bounded(Path(path), STATEMENT_BYTES_MAX), Statement, syntax="json", where=str(path))


def write_statement(path: str | Path, statement: Statement | Head) -> None:
    """Write a statement, or the head of an epoch, as JSON; a statement, which shows positions, for its user alone."""
    text = msgspec.json.format(msgspec.json.encode(statement), indent=2).decode() + "\n"
    write_text(path, text, private=isinstance(statement, Statement))


def write_epoch(folder: Path, head: Head, statements: Iterable[Statement]) -> None:
    """Write the statements of an epoch, and its head last: where a head stands, all that it covers stands.

    What was interrupted is made again by the same call. Raises `InvalidInput` unless the epoch is after the one that
    the folder holds, or is that very one: two heads of one epoch would be two truths.
    """
    place = folder / HEAD_NAME
    if place.exists():
        held = decode(read_bounded(place, STATEMENT_BYTES_MAX), Head, syntax="json", where=str(place))
        if head.epoch < held.epoch or (head.epoch == held.epoch and head != held):
            raise InvalidInput(
                "epoch",
                where=str(place),
                value=head.epoch,
                limit=f"after {held.epoch}, which is made",
                remedy="Name the next one (--epoch), or another folder.",
            )
        place.unlink()
    for statement in statements:
        write_statement(folder / statement_name(statement.account), statement)
    write_statement(place, head)


def statement_name(account: str) -> str:
    """The name of the file of an account's statement, whatever its id: `desk%2Fpunt.json`.

    >>> statement_name("desk/punt")
    'desk%2Fpunt.json'
    """
    return account_stem(account) + ".json"


def account_stem(account: str) -> str:
    """An account's id as the beginning of a file's name, which no other id has and no head: without a dot.

    >>> account_stem("desk.1"), account_stem("head")
    ('desk%2E1', '%68ead')
    """
    stem = quote(account, safe="").replace(".", "%2E")
    return f"%{ord(stem[0]):02X}{stem[1:]}" if stem in _STEMS_OF_HEADS else stem


def read_secret(path: str | Path) -> bytes:
    """The 32 bytes that a file states as 64 hexadecimal digits; raises `InvalidInput` for anything else."""
    text = read_bounded(Path(path), _SECRET_BYTES_MAX).strip().removeprefix(b"0x")
    try:
        secret = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != DIGEST_BYTES:
        raise InvalidInput(
            "secret",
            where=str(path),
            value=f"{len(text)} characters",
            limit="64 hexadecimal digits",
            remedy="Draw 32 random bytes, as `openssl rand -hex 32` does, and keep them.",
        )
    return secret


def read_bounded(path: Path, limit: int) -> bytes:
    """The bytes of a file of at most `limit`; raises `UnreadableFile` beyond it, or where it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise cannot_open(path, error) from None
    if len(raw) > limit:
        raise UnreadableFile(str(path), reason=f"it has more than {limit:,} bytes", remedy="Ask for a smaller one")
    return raw
