"""What moved above the final block, kept by its event: true ones hold, and nothing that was changed is believed."""

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from crossmargin.adapters.contracts.vault import vault_movements
from crossmargin.adapters.live.backing import ProofsDocument, place_of, read_proofs, write_proofs
from crossmargin.adapters.live.checking import check_proofs, read_unchecked
from crossmargin.adapters.live.pending import PendingProof, check_pending, prove_pending
from crossmargin.adapters.live.sources import Vault
from crossmargin.adapters.networks.backend import BlockAnswer, ChainReader, Log
from crossmargin.adapters.networks.endpoints import Endpoint
from crossmargin.core.errors import DuplicateName, NotProved
from crossmargin.market.chains.blocks import Block, Header, Movement
from crossmargin.market.chains.journal import adopt, begin, learn
from crossmargin.proofs.checking import Trusted, is_good
from crossmargin.proofs.events import prove_event
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.receipts import BlockReceipt, ReceiptLog, logs_of, receipts_root
from crossmargin.proofs.state import header_rlp
from tests.proofs.chain import block_fields
from tests.proofs.test_receipts import made
from tests.proofs.test_state import mutated

VAULT, OWNER, OTHER = b"\xaa" * 20, b"\xbb" * 20, b"\xcc" * 20
CHAIN, HOME = "eip155:10", "eip155:1"
INSTANCE = f"{CHAIN}/erc20:0x{'dd' * 20}"
NAME = f"{CHAIN}:0x{VAULT.hex()}"


def word(value: int | bytes) -> bytes:
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\x00")


def event(signature: str, topics: list[int | bytes], data: list[int | bytes], vault: bytes = VAULT) -> ReceiptLog:
    named = (keccak(signature.encode()), *map(word, topics))
    return ReceiptLog(address=vault, topics=named, data=b"".join(map(word, data)))


MOVED: dict[int, ReceiptLog] = {
    5_000: event("Deposited(address,address,uint256)", [OWNER, OTHER], [5_000]),
    -2_000: event("Requested(uint256,address,address,uint256)", [7, OWNER], [OTHER, 2_000]),
    1_500: event("Cancelled(uint256,address,uint256)", [7, OWNER], [1_500]),
}
OTHERS = [
    event("Executed(uint256,address,uint256,uint256)", [7, OWNER], [1_500, 1_500]),
    event("Paused(uint256)", [], [9]),
    event("Deposited(address,address,uint256)", [OWNER, OTHER], [5_000], vault=OTHER),
    event("Deposited(address,address,uint256)", [OWNER], [5_000]),
    event("Deposited(address,address,uint256)", [OWNER, OTHER], [5_000, 0]),
    event("Deposited(address,address,uint256)", [b"\x01" + OWNER, OTHER], [5_000]),
]


def proof_of(log: ReceiptLog, amount: int, *, seed: int = 1, place: int = 3) -> PendingProof:
    """A log in a block of many receipts."""
    receipts = made(random.Random(seed), 9)
    own = BlockReceipt(kind=2, outcome=b"\x01", gas=21_000, bloom=bytes(256), logs=(OTHERS[1], log))
    receipts[place] = own
    header = header_rlp(block_fields(bytes(32)) | {"receiptsRoot": f"0x{receipts_root(receipts).hex()}"})
    return PendingProof(
        account="desk",
        owner=f"0x{OWNER.hex()}",
        home=HOME,
        instance=INSTANCE,
        vault=f"0x{VAULT.hex()}",
        amount=str(amount),
        anchor=f"0x{keccak(header).hex()}",
        event=prove_event(CHAIN, header, receipts, transaction=place, log=1),
    )


def trusted(*anchors: str, chain: str = CHAIN, instance: str = INSTANCE, home: str = HOME) -> Trusted:
    known = [bytes.fromhex(anchor[2:]) for anchor in anchors]
    return Trusted(anchors={chain: known}, vaults={NAME: (instance, 4)}, homes={NAME: home})


def failed(document: ProofsDocument, known: Trusted) -> dict[str, str]:
    """Which checks fail, by the first word of their names, and why."""
    checks = check_proofs(document, known)
    assert is_good(checks) == all(one.outcome != "fails" for one in checks)
    return {one.name.split()[0]: one.reason for one in checks if one.outcome == "fails"}


@pytest.mark.parametrize("amount", MOVED)
def test_what_moved_is_shown_to_a_stranger(amount: int, tmp_path: Path) -> None:
    proof = proof_of(MOVED[amount], amount)
    assert check_pending(proof).hash.hex() == proof.anchor[2:]
    document = ProofsDocument(backings=(), pending=(proof,))
    write_proofs(tmp_path, document)
    assert read_proofs(tmp_path) == read_unchecked(tmp_path / "proofs.json") == document
    assert {one.outcome for one in check_proofs(document, trusted(proof.anchor))} == {"holds"}
    assert [one.outcome for one in check_proofs(document, Trusted())] == [
        "holds",
        "holds",
        "not checked",
        "not checked",
    ]


@pytest.mark.parametrize("amount", MOVED)
def test_events_mean_what_the_contract_says(amount: int) -> None:
    """The topics that are written out are those of the contract that is compiled."""
    pytest.importorskip("vyper", reason="contracts are compiled by it")
    log, none = MOVED[amount], bytes(32)
    whole = Log(
        address=log.address,
        topics=log.topics,
        data=log.data,
        block_hash=none,
        block_number=1,
        transaction_hash=none,
        transaction_index=0,
        index=0,
    )
    (moved,) = vault_movements(home=1, asset=INSTANCE)(whole)
    assert (moved.account, moved.amount) == (f"{HOME}:0x{OWNER.hex()}", amount)


@pytest.mark.parametrize("log", OTHERS)
def test_an_event_that_moves_no_balance_is_none(log: ReceiptLog) -> None:
    with pytest.raises(NotProved):
        check_pending(proof_of(log, 5_000))


CHANGES: dict[str, Callable[[PendingProof], dict[str, Any]]] = {
    "other amount": lambda one: {"amount": "5001"},
    "another way to write it": lambda one: {"amount": "+5000"},
    "other sign": lambda one: {"amount": "-5000"},
    "other owner": lambda one: {"owner": f"0x{OTHER.hex()}"},
    "other vault": lambda one: {"vault": f"0x{OTHER.hex()}"},
    "other block": lambda one: {"anchor": f"0x{'11' * 32}"},
    "no block": lambda one: {"anchor": "0x11"},
    "other chain's token": lambda one: {"instance": INSTANCE.replace("eip155:10", "eip155:1")},
    "other chain": lambda one: {"event": msgspec.structs.replace(one.event, chain="eip155:1")},
    "other log": lambda one: {"event": msgspec.structs.replace(one.event, log=0)},
    "other transaction": lambda one: {"event": msgspec.structs.replace(one.event, transaction=2)},
    "the path of another block": lambda one: {"event": proof_of(MOVED[5_000], 5_000, seed=2).event},
}


@pytest.mark.parametrize("change", CHANGES)
def test_one_that_was_changed_fails(change: str, tmp_path: Path) -> None:
    proof = proof_of(MOVED[5_000], 5_000)
    document = ProofsDocument(backings=(), pending=(msgspec.structs.replace(proof, **CHANGES[change](proof)),))
    assert "event" in failed(document, trusted(proof.anchor))
    write_proofs(tmp_path, document)
    with pytest.raises(NotProved):
        read_proofs(tmp_path)


def test_a_stranger_holds_it_against_what_he_knows() -> None:
    proof = proof_of(MOVED[5_000], 5_000)
    document = ProofsDocument(backings=(), pending=(proof,))
    assert failed(document, trusted(f"0x{'11' * 32}")) == {"anchor": "wrong header"}
    assert failed(document, trusted(proof.anchor, chain="eip155:1")) == {"anchor": "wrong header"}
    assert failed(document, trusted(proof.anchor, instance=f"{CHAIN}/erc20:0x{'ee' * 20}")) == {"vault": "wrong value"}
    assert failed(document, trusted(proof.anchor, home=CHAIN)) == {"vault": "wrong value"}
    moved = msgspec.structs.replace(
        proof, instance=INSTANCE.replace(CHAIN, HOME), event=msgspec.structs.replace(proof.event, chain=HOME)
    )  # All of it claimed for another chain: its bytes hold, and no block of that chain has them.
    there = ProofsDocument(backings=(), pending=(moved,))
    assert failed(there, trusted(proof.anchor)) == {"anchor": "wrong header", "vault": "wrong value"}


def test_an_event_counts_once(tmp_path: Path) -> None:
    proof = proof_of(MOVED[5_000], 5_000)
    document = ProofsDocument(backings=(), pending=(proof, msgspec.structs.replace(proof, account="other")))
    assert "each" in failed(document, trusted(proof.anchor))
    write_proofs(tmp_path, document)
    with pytest.raises(DuplicateName):
        read_proofs(tmp_path)


def test_two_thousand_changed_proofs_are_not_believed() -> None:
    rng = random.Random(5)
    proof = proof_of(MOVED[5_000], 5_000)
    raw = [bytes.fromhex(text[2:]) for text in (proof.event.header, *proof.event.nodes)]
    tried = 0
    while tried < 2_000:
        turned = [f"0x{one.hex()}" for one in mutated(rng, raw)]
        changed = msgspec.structs.replace(proof.event, header=turned[0], nodes=tuple(turned[1:]))
        if changed != proof.event:
            tried += 1
            with pytest.raises(NotProved):
                check_pending(msgspec.structs.replace(proof, event=changed))


@dataclass(frozen=True)
class Served:
    """A reader of one block."""

    header: bytes
    held: tuple[BlockReceipt, ...]

    def block(self, _: bytes) -> BlockAnswer:
        return BlockAnswer(number=0x1B4, hash=keccak(self.header), parent_hash=b"", timestamp_s=0, header=self.header)

    def receipts(self, _: bytes) -> tuple[BlockReceipt, ...]:
        return self.held


def test_every_movement_of_a_block_is_proven_at_its_place() -> None:
    rng = random.Random(8)
    receipts = made(rng, 120)
    moved = list(MOVED.values()) * 10
    for log in moved:  # Some stand first in a receipt, some after others.
        place = rng.randrange(120)
        receipts[place] = dataclasses.replace(receipts[place], logs=(*receipts[place].logs, log))
    header = header_rlp(block_fields(bytes(32)) | {"receiptsRoot": f"0x{receipts_root(receipts).hex()}"})
    amounts = {log: amount for amount, log in MOVED.items()}
    own = [one for one in logs_of(receipts, VAULT, where="test") if one.log in amounts]
    movements = tuple(
        Movement(
            transaction=bytes([n]),
            log_index=one.index,
            account=f"{HOME}:0x{OWNER.hex()}",
            asset=INSTANCE,
            amount=amounts[one.log],
        )
        for n, one in enumerate(own)
    )
    place = Header(hash=keccak(header), parent=b"\x01" * 32, number=0x1B4, timestamp_s=9)
    root = Header(hash=b"\x01" * 32, parent=b"", number=0x1B3, timestamp_s=0)
    journal = adopt(learn(begin(CHAIN, root, {}), Block(header=place, movements=movements)), place.hash)
    vault = Vault(
        chain=CHAIN,
        address=VAULT,
        instance=INSTANCE,
        decimals=6,
        code_hash=b"",
        home=1,
        journal=Path("none"),
        owners={OWNER: "desk"},
    )
    lying = Endpoint(name="a", operator="a", reader=cast("ChainReader", Served(header, tuple(receipts[:-1]))))
    honest = Endpoint(name="b", operator="b", reader=cast("ChainReader", Served(header, tuple(receipts))))
    found = prove_pending([lying, honest], vault, journal)
    assert [int(one.amount) for one in found.proofs] == [movement.amount for movement in movements]
    assert len({place_of(one) for one in found.proofs}) == 30
    assert not found.unproven
    for one in found.proofs:
        check_pending(one)
    nobody = prove_pending([lying], vault, journal)
    assert (nobody.proofs, list(nobody.unproven)) == ((), [0x1B4])
    assert "wrong root" in nobody.unproven[0x1B4]
