"""An event to be kept: the evidence that a contract's log stands in a block, checked years later without any chain.

The chain of evidence: the header hashes to the anchored block hash; the header names the receipts root; the path ends
at the transaction's receipt; the receipt has the log at its place. Bytes are lower-case hexadecimal after 0x.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.reasons import Reason, refuse, require
from crossmargin.proofs.receipts import (
    AnyReceipt,
    OpaqueReceipt,
    ReceiptLog,
    check_receipt,
    check_receipts,
    prove_receipt,
)
from crossmargin.proofs.state import Block, check_header

_HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})*")


class EventProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log at place `log` of the receipt at place `transaction` of the block with `header`, on `chain` (CAIP-2)."""

    format: Literal["crossmargin-event-1"] = "crossmargin-event-1"
    chain: str
    header: str
    transaction: int
    log: int
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenEvent:
    """A log, and the block that it stands in; whether that block is of the chain is for its hash to say."""

    block: Block
    log: ReceiptLog


def prove_event(chain: str, header: bytes, receipts: Sequence[AnyReceipt], *, transaction: int, log: int) -> EventProof:
    """The proof of one log from all receipts of a block; raises `NotProved` for receipts that are of another one."""
    block = check_header(header, keccak(header))
    check_receipts(block.receipts_root, receipts, where=f"block {block.number}")
    proof = EventProof(
        chain=chain,
        header=_text(header),
        transaction=transaction,
        log=log,
        nodes=tuple(_text(node) for node in prove_receipt(receipts, transaction)),
    )
    check_event(proof, block.hash)
    return proof


def check_event(proof: EventProof, anchor: bytes) -> ProvenEvent:
    """The log that a proof shows in the block with hash `anchor` (32 bytes); raises `NotProved` otherwise."""
    block = check_header(_bytes(proof.header, "header"), anchor)
    nodes = [_bytes(node, "node") for node in proof.nodes]
    receipt = check_receipt(block.receipts_root, proof.transaction, nodes)
    where = f"receipt {proof.transaction}"
    if isinstance(receipt, OpaqueReceipt):
        raise refuse(Reason.MALFORMED, where, f"type {receipt.kind:#x}", "a type whose logs are known")
    count = len(receipt.logs)
    require(0 <= proof.log < count, Reason.ABSENT, where, f"log {proof.log}", f"one of its {count} logs")
    return ProvenEvent(block=block, log=receipt.logs[proof.log])


def _text(raw: bytes) -> str:
    return "0x" + raw.hex()


def _bytes(text: str, what: str) -> bytes:
    require(bool(_HEX.fullmatch(text)), Reason.NOT_CANONICAL, what, text[:80], "lower-case hexadecimal after 0x")
    return bytes.fromhex(text[2:])
