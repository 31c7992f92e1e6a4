"""RLP through the library `rlp`: one way to write a value, and no other accepted.

Source: Ethereum yellow paper, appendix B. The library refuses prefixes that are longer than needed, text after the end
and truncation; what it answers with is turned into one reason here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from crossmargin.proofs.keccak import missing_extra
from crossmargin.proofs.reasons import Reason, refuse, require

Item = bytes | list["Item"]
_BYTES_MAX = 8192  # A branch has 532 bytes, a header some 700; nesting is bounded with it.


@functools.cache
def _codec() -> tuple[Callable[[bytes], Any], Callable[[Any], bytes], tuple[type[Exception], ...]]:
    try:
        import rlp  # noqa: PLC0415 it is an extra
        from rlp.codec import encode_raw  # noqa: PLC0415 it is an extra
    except ImportError:
        raise missing_extra("rlp") from None
    # Its `encode` looks for a class to every value, and takes three times as long.
    return rlp.decode, encode_raw, (rlp.DecodingError, IndexError, RecursionError)


def decode(message: bytes, *, where: str, bytes_max: int = _BYTES_MAX) -> Item:
    """The value that `message` writes canonically; raises `NotProved` otherwise."""
    read, _, failures = _codec()
    fits = 0 < len(message) <= bytes_max
    require(fits, Reason.MALFORMED, where, f"{len(message)} bytes", f"1 to {bytes_max} bytes of RLP")
    try:
        item: Item = read(message)
    except failures as failure:
        raise refuse(Reason.NOT_CANONICAL, where, str(failure)[:80], "canonical RLP") from None
    return item


def encode(item: Any) -> bytes:
    """The one way to write `item`, made of bytes and lists."""
    written: bytes = _codec()[1](item)
    return written


def fields_of(message: bytes, count: int, *, where: str) -> Sequence[bytes]:
    """The `count` strings of the list that `message` writes."""
    item = decode(message, where=where)
    if not isinstance(item, list):
        raise refuse(Reason.MALFORMED, where, "one string", f"a list of {count} strings")
    require(len(item) == count, Reason.WRONG_COUNT, where, len(item), f"{count} fields")
    return strings(item, where=where)


def strings(items: Sequence[Item], *, where: str) -> list[bytes]:
    """`items`, if none is a list."""
    found = [item for item in items if isinstance(item, bytes)]
    require(len(found) == len(items), Reason.MALFORMED, where, "a list", "strings only")
    return found


def integer(text: bytes, limit_bytes: int, *, where: str) -> int:
    """The unsigned integer in `text`, big-endian without leading zeros."""
    require(len(text) <= limit_bytes, Reason.OVERFLOW, where, f"{len(text)} bytes", f"at most {limit_bytes} bytes")
    require(not text.startswith(b"\x00"), Reason.NOT_CANONICAL, where, text.hex(), "without leading zeros")
    return int.from_bytes(text, "big")


def minimal(number: int) -> bytes:
    """`number` as RLP wants it: big-endian without leading zeros, zero as nothing."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
