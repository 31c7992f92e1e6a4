"""Chains of both kinds answer alike: receipts, reverts, tags, reorgs, and proofs that verify."""

import itertools

import pytest

from crossmargin.adapters.networks.backend import EPOCH_BLOCKS, GENESIS_S, ChainBackend, Send
from crossmargin.core.errors import InvalidInput, Reverted, UnknownName
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.state import check_account, check_header, check_slots
from tests.chains_fixtures import open_backend

# Written by hand: the constructor copies ten bytes of code; called, the contract stores 42 in slot 0.
STORES_42 = bytes.fromhex("600a600c600039600a6000f3602a60005560206000f3")
# Called, it logs the word 7 under the topic 9, and reverts with the word 7 where coins come along.
LOGS_OR_REVERTS = bytes.fromhex("6017600c60003960176000f3600760005234601157600960206000a1005b60206000fd")


def test_a_contract_is_deployed_called_and_proven(backend: ChainBackend) -> None:
    made = backend.deploy(backend.keys[0], STORES_42)
    assert made.status
    assert keccak(backend.code(made.contract)) == keccak(STORES_42[12:])
    sent = backend.send(backend.keys[1], made.contract)
    assert (sent.status, sent.block_number, sent.logs, sent.revert) == (True, 2, (), b"")
    assert sent.gas_used > 21_000

    answer = backend.block(sent.block_number)
    block = check_header(answer.header, answer.hash)
    assert (block.number, block.timestamp_s) == (answer.number, answer.timestamp_s)
    proof = backend.proof(made.contract, [0, 1], answer.number)
    account = check_account(block.state_root, made.contract, proof.nodes, code_hash=keccak(STORES_42[12:]))
    assert account is not None
    proven = check_slots(account.storage_root, {path.slot: path.nodes for path in proof.slots})
    assert proven == {0: 42, 1: 0} == {path.slot: path.value for path in proof.slots}
    nobody = backend.proof(b"\x01" * 20, [0], answer.number)
    assert check_account(block.state_root, b"\x01" * 20, nobody.nodes) is None


def test_the_past_stays_readable(backend: ChainBackend) -> None:
    made = backend.deploy(backend.keys[0], STORES_42)
    backend.send(backend.keys[0], made.contract)
    before, after = (backend.proof(made.contract, [0], number) for number in (1, 2))
    assert (before.slots[0].value, after.slots[0].value) == (0, 42)
    assert backend.code(made.contract, 0) == b""
    assert backend.balance(b"\x02" * 20) == 0


def test_events_have_their_place(backend: ChainBackend) -> None:
    made = backend.deploy(backend.keys[0], LOGS_OR_REVERTS)
    sent = backend.send(backend.keys[0], made.contract)
    (log,) = sent.logs
    assert (log.address, log.topics, log.data) == (made.contract, (bytes(31) + b"\x09",), bytes(31) + b"\x07")
    assert (log.block_hash, log.transaction_index, log.index) == (backend.block("latest").hash, 0, 0)
    assert backend.logs(first=0, last=9, address=made.contract) == (log,) == backend.logs(first=2, last=2)
    assert backend.logs(first=0, last=1) == () == backend.logs(first=0, last=9, address=b"\x01" * 20)


def test_a_revert_is_an_answer_to_a_transaction_and_an_error_of_a_call(backend: ChainBackend) -> None:
    made = backend.deploy(backend.keys[0], LOGS_OR_REVERTS)
    refused = backend.send(backend.keys[0], made.contract, value=1)
    assert (refused.status, refused.revert, refused.logs) == (False, bytes(31) + b"\x07", ())
    with pytest.raises(Reverted) as caught:
        backend.deploy(backend.keys[0], bytes.fromhex("600760005260206000fd"))
    assert caught.value.output == bytes(31) + b"\x07"
    with pytest.raises(Reverted, match="without saying why"):
        backend.deploy(backend.keys[0], bytes.fromhex("60006000fd"))


def test_tags_follow_the_head_at_a_distance(backend: ChainBackend) -> None:
    assert backend.block("finalized").number == 0 == backend.block("safe").number
    head = backend.mine(20)
    assert (head.number, head.timestamp_s) == (20, GENESIS_S + 20 * 12)
    assert [backend.block(tag).number for tag in ("latest", "safe", "finalized")] == [
        20,
        20 - EPOCH_BLOCKS,
        20 - 2 * EPOCH_BLOCKS,
    ]


def test_each_block_names_its_parent_and_a_reorg_makes_others(backend: ChainBackend) -> None:
    made = backend.deploy(backend.keys[0], STORES_42)
    backend.send(backend.keys[0], made.contract)
    backend.mine(3)
    before = [backend.block(number) for number in range(6)]
    head = backend.reorg(4, [Send(key=backend.keys[1], to=b"\x05" * 20, value=7)])
    after = [backend.block(number) for number in range(6)]
    assert head == after[-1]
    assert head.number == before[-1].number
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, False, False, False]
    for chain in before, after:
        assert all(block.parent_hash == parent.hash for parent, block in itertools.pairwise(chain))
        assert all(keccak(block.header) == block.hash for block in chain)
    # The transaction that stored 42 is lost, and the one that the reorg brought is there.
    assert backend.proof(made.contract, [0], head.number).slots[0].value == 0
    assert backend.balance(b"\x05" * 20, 2) == 7
    assert backend.balance(b"\x05" * 20, 1) == 0
    assert backend.block(after[3].hash) == after[3]
    with pytest.raises(UnknownName):
        backend.block(b"\x00" * 32)


def test_time_is_set_and_only_advances(backend: ChainBackend) -> None:
    backend.set_time(GENESIS_S + 1_000)
    assert [backend.mine().timestamp_s, backend.mine().timestamp_s] == [GENESIS_S + 1_000, GENESIS_S + 1_012]
    with pytest.raises(InvalidInput, match="only advances"):
        backend.set_time(GENESIS_S)


def test_what_is_not_there_is_said(backend: ChainBackend) -> None:
    with pytest.raises(UnknownName):
        backend.block(7)
    with pytest.raises(InvalidInput, match="depth"):
        backend.reorg(1)


def test_both_kinds_use_the_same_gas_and_make_the_same_state() -> None:
    seen = []
    for kind in ("pyevm", "anvil"):
        with open_backend(kind, chain_id=7) as chain:
            made = chain.deploy(chain.keys[0], STORES_42)
            sent = chain.send(chain.keys[0], made.contract)
            seen.append((chain.chain_id, made.contract, made.gas_used, sent.transaction_hash, sent.gas_used))
    assert seen[0] == seen[1]
