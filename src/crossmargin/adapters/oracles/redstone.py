"""RedStone's signed packages, as they stand at the end of a transaction's calldata.

From the end: a marker (9 bytes), the length of unsigned metadata (3) and that, the number of packages (2), and the
packages. A package is its points (feed id of 32 bytes, value) and then the time in milliseconds (6), the size of a
value (4), the number of points (3) and the signature r ‖ s ‖ v (65) of the keccak of all before it.

Source: redstone-finance/redstone-oracles-monorepo, packages/protocol/src/common/redstone-constants.ts, and
RedstoneConstants.sol, RedstoneDefaultsLib.sol (a package may be 3 minutes old and 1 minute ahead).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from crossmargin.adapters.oracles.reading import Read, Refused, malformed
from crossmargin.adapters.oracles.recovery import SIGNATURE_BYTES, recover, require_recovery
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import Feed
from crossmargin.market.oracles.sources.redstone import Package, packages_quote
from crossmargin.proofs.keccak import keccak

MARKER: Final = bytes.fromhex("000002ed57011e0000")
AGE_MAX_S: Final = 180.0
AHEAD_MAX_S: Final = 60.0
PACKAGES_MAX: Final = 1_000  # far above any number of signers; the format could claim 65,535 of nothing
_ID, _WORD = 32, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A package as its bytes say: who signed it (none where the signature is none), and its values by feed id."""

    signer: bytes | None
    timestamp_ms: int
    values: tuple[tuple[bytes, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is read of a payload: the points named `feed_id`, of `threshold` distinct of these `signers` (addresses)."""

    feed: Feed
    feed_id: str
    signers: frozenset[bytes]
    threshold: int


def packages(calldata: bytes, *, where: str = "calldata") -> tuple[Signed, ...]:
    """All packages at the end of calldata; raises `InvalidInput` for bytes that hold none."""
    tail = _Tail(calldata, where)
    if tail.take(len(MARKER)) != MARKER:
        raise malformed(where, f"0x{calldata[-len(MARKER) :].hex()} at its end", f"0x{MARKER.hex()} there")
    tail.take(tail.number(3))
    count = tail.number(2)
    if not 0 < count <= PACKAGES_MAX:
        raise malformed(where, f"{count} packages", f"1 to {PACKAGES_MAX}")
    return tuple(_package(tail, where) for _ in range(count))


def read_packages(calldata: bytes, wanted: Wanted, *, now_ns: int, seen_ns: int) -> Read:
    """The quote of one feed in a payload: the median over distinct authorised signers within the window of time.

    A package that is not signed, by a stranger, or outside the window does not count, with its reason; below the
    threshold there is no quote. Decimals are those that the feed promises: the payload does not say them. Raises
    `InvalidInput` without the extra `evm`."""
    require_recovery()
    source = wanted.feed.source
    try:
        found = packages(calldata, where=source)
        identifier = _identifier(wanted.feed_id, source)
    except InvalidInput as failure:
        return Read(refused=(Refused(source=source, reason="malformed", words=str(failure)),))
    judged = [(one, _refusal(one, wanted, now_ns)) for one in found]
    refused = tuple(reason for _, reason in judged if reason is not None)
    counted = tuple(
        Package(
            signer=_name(one),
            value=value,
            decimals=wanted.feed.decimals or 0,
            timestamp_ms=one.timestamp_ms,
            verified=True,
        )
        for one, reason in judged
        if reason is None
        for feed_id, value in one.values
        if feed_id == identifier
    )
    if not counted:
        missing = Refused(source=source, reason="feed", words=f"no package that counts has {wanted.feed_id}")
        return Read(refused=(*refused, missing))
    names = {f"0x{signer.hex()}" for signer in wanted.signers}
    quote = packages_quote(wanted.feed, counted, signers=names, threshold=wanted.threshold, seen_ns=seen_ns)
    if quote is None or not quote.quorum_ok:
        words = f"fewer than {wanted.threshold} distinct signers say one thing at one time"
        return Read(refused=(*refused, Refused(source=source, reason="quorum", words=words)))
    return Read(quotes=(quote,), refused=refused)


class _Tail:
    """Bytes read from the back."""

    def __init__(self, raw: bytes, where: str) -> None:
        self.raw, self.left, self.where = raw, len(raw), where

    def take(self, count: int) -> bytes:
        """The last `count` bytes not taken yet."""
        if count > self.left:
            raise malformed(self.where, f"{len(self.raw)} bytes", f"{count - self.left} bytes longer")
        self.left -= count
        return self.raw[self.left : self.left + count]

    def number(self, count: int) -> int:
        """The last `count` bytes as a big-endian integer."""
        return int.from_bytes(self.take(count), "big")


def _package(tail: _Tail, where: str) -> Signed:
    signature = tail.take(SIGNATURE_BYTES)
    end = tail.left
    count, size, timestamp_ms = tail.number(3), tail.number(4), tail.number(6)
    if not 0 < size <= _WORD or not count:
        raise malformed(where, f"{count} values of {size} bytes", f"values of 1 to {_WORD} bytes")
    points = tail.take(count * (_ID + size))
    return Signed(
        signer=recover(keccak(tail.raw[tail.left : end]), signature),
        timestamp_ms=timestamp_ms,
        values=tuple(_points(points, size)),
    )


def _points(raw: bytes, size: int) -> Iterator[tuple[bytes, int]]:
    for start in range(0, len(raw), _ID + size):
        middle = start + _ID
        yield raw[start:middle], int.from_bytes(raw[middle : middle + size], "big")


def _refusal(one: Signed, wanted: Wanted, now_ns: int) -> Refused | None:
    source = wanted.feed.source
    if one.signer is None:
        return Refused(source=source, reason="signature", words="a package whose signature is none, or has a high s")
    if one.signer not in wanted.signers:
        return Refused(source=source, reason="signer", words=f"{_name(one)} is not among the signers")
    age_s = now_ns / SECOND_NS - one.timestamp_ms / 1_000
    if not -AHEAD_MAX_S <= age_s <= AGE_MAX_S:
        limits = f"limits {AGE_MAX_S:g} s, and {AHEAD_MAX_S:g} s ahead"
        return Refused(source=source, reason="time", words=f"a package of {_name(one)} {age_s:g} s old, {limits}")
    return None


def _name(one: Signed) -> str:
    return "" if one.signer is None else f"0x{one.signer.hex()}"


def _identifier(feed_id: str, source: str) -> bytes:
    raw = feed_id.encode()
    if not 0 < len(raw) <= _ID:
        raise malformed(source, feed_id, f"a feed id of 1 to {_ID} bytes")
    return raw.ljust(_ID, b"\0")
