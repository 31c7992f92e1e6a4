"""What moved in vaults above the final block, kept by its event: bound to its block by a receipt, final or not.

Whether the block becomes final is for its hash to say, later and elsewhere; the proof settles what happened in it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import msgspec

from crossmargin.adapters.contracts.vault import vault_key
from crossmargin.adapters.live.sources import Vault
from crossmargin.adapters.networks.backend import ChainReader
from crossmargin.adapters.networks.endpoints import SILENCE, Endpoint, reason_of
from crossmargin.adapters.networks.events import proven_receipts
from crossmargin.market.chains.blocks import Block, Movement
from crossmargin.market.chains.journal import Journal, best_branch
from crossmargin.proofs.events import EventProof, check_event
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.ordered_trie import ordered_trie
from crossmargin.proofs.reasons import Reason, require
from crossmargin.proofs.receipts import BlockReceipt, ReceiptLog, encode_receipt, logs_of
from crossmargin.proofs.state import Block as ProvenBlock

_HASH: Final = re.compile(r"0x[0-9a-f]{64}")
_TOPICS: Final = 3
_WORD_BYTES: Final = 32
_PADDING: Final = bytes(12)
# What an event of `CollateralVault` does to its owner's balance, the topic that names the owner, and the words of its
# data, of which the last is the amount.
_EVENTS: Final = {
    "Deposited(address,address,uint256)": (1, 1, 1),
    "Requested(uint256,address,address,uint256)": (-1, 2, 2),
    "Cancelled(uint256,address,uint256)": (1, 2, 1),
}


class PendingProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A movement of an `owner`'s balance in a `vault`, by its event in the block with hash `anchor`.

    `amount` is in smallest units, below zero for what was asked back. `account`, `home` and `instance` are as in
    `Backing`."""

    account: str
    owner: str
    home: str
    instance: str
    vault: str
    amount: str
    anchor: str
    event: EventProof


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The movements above the final block that are proven, and for each block without proof the reason, by number."""

    proofs: tuple[PendingProof, ...] = ()
    unproven: Mapping[int, str] = field(default_factory=dict)


def prove_pending(endpoints: Sequence[Endpoint[ChainReader]], vault: Vault, journal: Journal) -> Pending:
    """The proofs of all that moved on the best branch above the root, from whichever endpoint has the receipts."""
    proofs: list[PendingProof] = []
    unproven: dict[int, str] = {}
    for block in best_branch(journal):
        if not block.movements:
            continue
        said: list[str] = []
        for endpoint in endpoints:
            try:
                proofs += _proven(endpoint.reader, vault, block)
                break
            except SILENCE as failure:
                said.append(f"{endpoint.name}: {reason_of(failure)}")
        else:
            unproven[block.header.number] = "; ".join(said) or "no endpoint is left"
    return Pending(proofs=tuple(proofs), unproven=unproven)


def _proven(reader: ChainReader, vault: Vault, block: Block) -> list[PendingProof]:
    """What moved in a block, each by its event; the trie of all receipts is made once, as blocks can have many."""
    where, header = f"block {block.header.number}", reader.block(block.header.hash).header
    receipts = proven_receipts(reader, block.header.hash)
    trie = ordered_trie([encode_receipt(one) for one in receipts])
    placed = {log.index: log.transaction_index for log in logs_of(receipts, vault.address, where=where)}
    # Receipts of unknown types have no logs here: `logs_of` refuses them before an event of the vault.
    before = [0, *accumulate(len(one.logs) if isinstance(one, BlockReceipt) else 0 for one in receipts)]
    found: list[PendingProof] = []
    for movement in block.movements:
        index = movement.log_index
        require(index in placed, Reason.ABSENT, where, f"event {index}", "an event of the vault")
        event = EventProof(
            chain=vault.chain,
            header=f"0x{header.hex()}",
            transaction=placed[index],
            log=index - before[placed[index]],
            nodes=tuple(f"0x{node.hex()}" for node in trie.path(placed[index])),
        )
        found.append(_proof(vault, block, movement, event))
    return found


def _proof(vault: Vault, block: Block, movement: Movement, event: EventProof) -> PendingProof:
    owners = {vault_key(owner, home=vault.home, asset=vault.instance).account: owner for owner in vault.owners}
    owner = owners[movement.account]
    found = PendingProof(
        account=vault.owners[owner],
        owner=f"0x{owner.hex()}",
        home=f"eip155:{vault.home}",
        instance=vault.instance,
        vault=f"0x{vault.address.hex()}",
        amount=str(movement.amount),
        anchor=f"0x{block.header.hash.hex()}",
        event=event,
    )
    check_pending(found)
    return found


def check_pending(one: PendingProof) -> ProvenBlock:
    """The block in which the vault moved that amount for that owner; raises `NotProved` otherwise.

    It asks nobody, and needs no compiler. That the block is of the chain is for its hash to say."""
    chain, where = one.event.chain, f"event of {one.owner[:42]}"
    require(bool(_HASH.fullmatch(one.anchor)), Reason.MALFORMED, where, one.anchor[:80], "a block hash")
    require(one.instance.startswith(f"{chain}/"), Reason.WRONG_VALUE, where, chain[:80], f"the chain of {one.instance}")
    found = check_event(one.event, bytes.fromhex(one.anchor[2:]))
    address = f"0x{found.log.address.hex()}"
    require(address == one.vault, Reason.WRONG_VALUE, where, address, f"the vault {one.vault[:80]}")
    moved = _moved(found.log, where)
    require(moved == (one.owner, one.amount), Reason.WRONG_VALUE, where, moved, f"{one.amount[:80]} of {one.owner}")
    return found.block


def _moved(log: ReceiptLog, where: str) -> tuple[str, str]:
    """Whose balance a log moves, and by how much."""
    sign, place, words = _topics().get(log.topics[0] if log.topics else b"", (0, 0, 0))
    fits = len(log.topics) == _TOPICS and len(log.data) == words * _WORD_BYTES
    require(sign != 0 and fits, Reason.MALFORMED, where, "another event", "one that moves a balance")
    owner, amount = log.topics[place], int.from_bytes(log.data[-_WORD_BYTES:], "big")
    require(owner.startswith(_PADDING), Reason.MALFORMED, where, f"0x{owner.hex()}", "an address")
    return f"0x{owner[len(_PADDING) :].hex()}", str(sign * amount)


@functools.cache
def _topics() -> dict[bytes, tuple[int, int, int]]:
    return {keccak(signature.encode()): meant for signature, meant in _EVENTS.items()}
