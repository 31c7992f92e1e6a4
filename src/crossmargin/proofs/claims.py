"""What an epoch says that storage slots hold: the state that collateral was counted from, open to contradiction.

    claim   0x13 ‖ keccak(account) ‖ chain id, 8 bytes ‖ block hash ‖ contract ‖ keccak(code) ‖ slot, 32 ‖ value, 32

Claims are entries of a plain tree whose root stands in the head. Whoever shows the slot of that block with another
value, or a block older than the epoch's `as_of_ms`, has refuted the epoch: `contracts/Challenge.vy` checks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.state import ADDRESS_BYTES, SLOT_LIMIT, WORD_BYTES
from crossmargin.proofs.trees import Tree, commit_list

CLAIM: Final = b"\x13"
CHAIN_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """`slot` of `contract`, with code of `code_hash`, holds `value` in block `anchor`, counted for `account`."""

    account: str
    chain_id: int
    anchor: bytes
    contract: bytes
    code_hash: bytes
    slot: int
    value: int


def claim_entry(claim: Claim) -> bytes:
    """One claim as it is committed, 189 bytes; raises `InvalidInput` for a field that does not fit."""
    sizes = (len(claim.anchor), len(claim.contract), len(claim.code_hash))
    fits = 0 < claim.chain_id < 1 << 8 * CHAIN_ID_BYTES and min(claim.slot, claim.value) >= 0
    if sizes != (WORD_BYTES, ADDRESS_BYTES, WORD_BYTES) or not fits or max(claim.slot, claim.value) >= SLOT_LIMIT:
        raise InvalidInput(
            "claim",
            where=f"account {claim.account!r}",
            value=f"chain {claim.chain_id}, slot {claim.slot}, value {claim.value}, {sizes} bytes",
            limit="chain in 64 bits, slot and value in 256, and 32, 20 and 32 bytes of anchor, contract and code hash",
            remedy="Claim what a slot can hold.",
        )
    chain = claim.chain_id.to_bytes(CHAIN_ID_BYTES, "big")
    words = claim.slot.to_bytes(WORD_BYTES, "big") + claim.value.to_bytes(WORD_BYTES, "big")
    return CLAIM + keccak(claim.account.encode()) + chain + claim.anchor + claim.contract + claim.code_hash + words


def commit_claims(claims: Sequence[Claim]) -> Tree:
    """The plain tree over `claims`, in their order; raises `InvalidInput` where there is none."""
    return commit_list([claim_entry(claim) for claim in claims])
