"""What became of a block's transactions, held against the receipts root of its header: all its events, in order.

A receipt is written `type ‖ rlp([outcome, gas, bloom, logs])`, the oldest kind without its type, and the root is that
of the list of all. So who has all receipts of a block knows every event of it: none can be hidden, made up or moved.
The path to one of them shows its events by themselves.

What a receipt of an unknown type means is not guessed. It is bound by the root all the same, and refused only where it
might matter: where it names the contract whose events are asked for, or stands before one of them, whose place in the
block then depends on how many events it has.

Not in a receipt, and so not proven: the hash of the transaction. Source: Ethereum yellow paper, section 4.3.1; EIPs
658, 2718, 2930, 1559, 4844 and 7702; op-geth, `core/types/receipt.go` (type 0x7e since Canyon); Arbitrum Nitro's
go-ethereum, the same file (types 0x64 to 0x6a, whose bytes are Ethereum's); read 2026-11-23.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from crossmargin.proofs.ordered_trie import PLACES_MAX, entry_of, ordered_trie
from crossmargin.proofs.reasons import Reason, refuse, require
from crossmargin.proofs.rlp_codec import Item, decode, encode, integer, minimal, strings

_ETHEREUM: Final = (0x00, 0x01, 0x02, 0x03, 0x04)
_ARBITRUM: Final = (0x64, 0x65, 0x66, 0x68, 0x69, 0x6A)
ARBITRUM_LEGACY: Final = 0x78  # A type in answers alone: its receipts are written as those of the oldest kind.
OP_DEPOSIT: Final = 0x7E
# Types whose receipts are read, with the integers that may follow their logs: none, or all of them.
TRAILING: Final = dict.fromkeys((*_ETHEREUM, *_ARBITRUM), 0) | {OP_DEPOSIT: 2}
TYPE_LIMIT: Final = 0x80  # From 0xc0 on it is a list, and so the oldest kind; nothing between is used (EIP-2718).
_FIELDS: Final = 4
_ADDRESS_BYTES, _WORD_BYTES, _BLOOM_BYTES = 20, 32, 256
_TOPICS: Final = [[_WORD_BYTES] * count for count in range(5)]
# A byte of a log costs 8 gas (yellow paper, appendix G): what is longer takes 67 million gas in one transaction.
RECEIPT_BYTES_MAX: Final = 1 << 23


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLog:
    """An event as its receipt has it."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockReceipt:
    """An entry of the receipts trie: its EIP-2718 type, and what is hashed.

    `outcome` is 01 for success, empty for failure, or before Byzantium a state root; `gas` that of the block up to
    here; `trailing` what a chain of its own adds after the logs."""

    kind: int
    outcome: bytes
    gas: int
    bloom: bytes
    logs: tuple[ReceiptLog, ...]
    trailing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaqueReceipt:
    """An entry of a type that is not known: its bytes."""

    kind: int
    raw: bytes


AnyReceipt: TypeAlias = BlockReceipt | OpaqueReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLog:
    """An event at its place: of the transaction in the block, and of the event in the block."""

    log: ReceiptLog
    transaction_index: int
    index: int


def encode_receipt(receipt: AnyReceipt) -> bytes:
    """The bytes of an entry of the trie; raises `NotProved` for a receipt that no block can have."""
    where = f"receipt of type {receipt.kind:#x}"
    if isinstance(receipt, OpaqueReceipt):
        fits = 0 < len(receipt.raw) <= RECEIPT_BYTES_MAX and receipt.raw[0] == receipt.kind < TYPE_LIMIT
        require(fits and receipt.kind not in TRAILING, Reason.MALFORMED, where, len(receipt.raw), "of a type not known")
        return receipt.raw
    _check(receipt, where)
    logs = [[log.address, list(log.topics), log.data] for log in receipt.logs]
    fields = [receipt.outcome, minimal(receipt.gas), receipt.bloom, logs, *(minimal(one) for one in receipt.trailing)]
    return (bytes([receipt.kind]) if receipt.kind else b"") + encode(fields)


def decode_receipt(raw: bytes, *, where: str) -> AnyReceipt:
    """What the bytes of an entry say; raises `NotProved` for bytes that no receipt is written as."""
    require(0 < len(raw) <= RECEIPT_BYTES_MAX, Reason.MALFORMED, where, len(raw), f"1 to {RECEIPT_BYTES_MAX} bytes")
    kind = 0 if raw[0] >= 0xC0 else raw[0]
    if kind or raw[0] < 0xC0:
        typed = 0 < kind < TYPE_LIMIT
        require(typed, Reason.MALFORMED, where, f"{raw[0]:#x}", "a type from 0x1 to 0x7f, or a list")
        if kind not in TRAILING:
            return OpaqueReceipt(kind=kind, raw=raw)
    item = decode(raw[1:] if kind else raw, where=where, bytes_max=RECEIPT_BYTES_MAX)
    if not isinstance(item, list) or len(item) not in {_FIELDS, _FIELDS + TRAILING[kind]}:
        raise refuse(Reason.WRONG_COUNT, where, "other fields", "outcome, gas, bloom and logs")
    outcome, gas, bloom, *trailing = strings([*item[:3], *item[_FIELDS:]], where=where)
    logs = item[3]
    if not isinstance(logs, list):
        raise refuse(Reason.MALFORMED, where, "one string", "a list of logs")
    receipt = BlockReceipt(
        kind=kind,
        outcome=outcome,
        gas=integer(gas, 8, where=where),
        bloom=bloom,
        logs=tuple(_log(log, where) for log in logs),
        trailing=tuple(integer(one, 8, where=where) for one in trailing),
    )
    _check(receipt, where)
    return receipt


def receipts_root(receipts: Sequence[AnyReceipt]) -> bytes:
    """The root of the trie over all receipts of a block, in the order of their transactions."""
    return ordered_trie([encode_receipt(receipt) for receipt in receipts]).root


def check_receipts(root: bytes, receipts: Sequence[AnyReceipt], *, where: str) -> None:
    """These are all receipts of the block with that receipts root, and there are no others; raises `NotProved`."""
    require(len(receipts) < PLACES_MAX, Reason.WRONG_COUNT, where, len(receipts), f"fewer than {PLACES_MAX} receipts")
    found = receipts_root(receipts)
    require(found == root, Reason.WRONG_ROOT, where, found.hex(), f"the header's receipts root {root.hex()}")


def logs_of(receipts: Sequence[AnyReceipt], address: bytes = b"", *, where: str) -> tuple[PlacedLog, ...]:
    """The events of one contract, or of all, in all receipts of a block; raises `NotProved` where one is not readable.

    The receipts have to be checked against the root before."""
    found: list[PlacedLog] = []
    before, opaque = 0, ""
    for place, receipt in enumerate(receipts):
        if isinstance(receipt, OpaqueReceipt):
            opaque = f"receipt {place} of unknown type {receipt.kind:#x}"
            readable = bool(address) and address not in receipt.raw
            require(readable, Reason.MALFORMED, where, opaque, "receipts of known types where they name the contract")
            continue
        own = [(at, log) for at, log in enumerate(receipt.logs, before) if log.address == (address or log.address)]
        require(not (opaque and own), Reason.MALFORMED, where, opaque, "known types before the contract's events")
        found += [PlacedLog(log=log, transaction_index=place, index=at) for at, log in own]
        before += len(receipt.logs)
    return tuple(found)


def prove_receipt(receipts: Sequence[AnyReceipt], place: int) -> tuple[bytes, ...]:
    """The path from the receipts root to the receipt at `place`, to be kept as evidence of its events."""
    return ordered_trie([encode_receipt(receipt) for receipt in receipts]).path(place)


def check_receipt(root: bytes, place: int, nodes: Sequence[bytes]) -> AnyReceipt:
    """The receipt of the transaction at `place` in the block with that receipts root; raises `NotProved`."""
    where = f"receipt {place}"
    require(0 <= place < PLACES_MAX, Reason.MALFORMED, where, place, f"a place below {PLACES_MAX}")
    # A leaf is the receipt behind its prefix, a nibble or three, and the prefix of the list.
    raw = entry_of(root, place, nodes, entry_bytes_max=RECEIPT_BYTES_MAX + 16, where=where)
    if raw is None:
        raise refuse(Reason.ABSENT, where, "no receipt", "a transaction of the block")
    return decode_receipt(raw, where=where)


def _check(receipt: BlockReceipt, where: str) -> None:
    """Sizes and counts are as a block has them."""
    outcome = receipt.outcome in {b"", b"\x01"} or (not receipt.kind and len(receipt.outcome) == _WORD_BYTES)
    require(outcome, Reason.MALFORMED, where, receipt.outcome.hex()[:80], "a status of 0 or 1, or a state root")
    require(0 <= receipt.gas < 1 << 64, Reason.OVERFLOW, where, receipt.gas, "gas in 64 bits")
    bloom = len(receipt.bloom)
    require(bloom == _BLOOM_BYTES, Reason.MALFORMED, where, f"a bloom of {bloom} bytes", f"{_BLOOM_BYTES} bytes")
    known = receipt.kind in TRAILING and len(receipt.trailing) in {0, TRAILING[receipt.kind]}
    require(known, Reason.WRONG_COUNT, where, receipt.trailing, "a known type, and the fields that follow its logs")
    trailing = all(0 <= one < 1 << 64 for one in receipt.trailing)
    require(trailing, Reason.OVERFLOW, where, receipt.trailing, "integers in 64 bits")
    if not all(_fits(log) for log in receipt.logs):
        raise refuse(Reason.MALFORMED, where, "another log", "20 bytes of address and up to 4 topics of 32 bytes")


def _fits(log: ReceiptLog) -> bool:
    return len(log.address) == _ADDRESS_BYTES and [len(topic) for topic in log.topics] in _TOPICS


def _log(item: Item, where: str) -> ReceiptLog:
    if not isinstance(item, list) or len(item) != 3 or not isinstance(item[1], list):
        raise refuse(Reason.MALFORMED, where, "another form", "address, topics and data of a log")
    address, data = strings([item[0], item[2]], where=where)
    return ReceiptLog(address=address, topics=tuple(strings(item[1], where=where)), data=data)
