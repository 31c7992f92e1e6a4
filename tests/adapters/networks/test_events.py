"""Events against the receipts of their block: whoever hides, invents or moves one has no vote, and freezes nobody."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossmargin.adapters.networks.backend import ChainBackend, Log, Send
from crossmargin.adapters.networks.endpoints import Stated
from crossmargin.adapters.networks.events import agreed_logs, may_log, proven_receipts
from crossmargin.adapters.networks.jsonrpc import JsonRpc
from crossmargin.adapters.networks.rpc_reader import RpcReader
from crossmargin.core.errors import NotProved, UnreachableChain
from crossmargin.market.chains.agreement import Freeze, Frozen
from crossmargin.proofs.events import check_event, prove_event
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.receipts import BlockReceipt, OpaqueReceipt, encode_receipt, receipts_root
from crossmargin.proofs.state import check_header
from tests.adapters.networks import liars
from tests.adapters.networks.accounts import deployed, follow, key_of, source_of, word
from tests.adapters.networks.liars import Liar

Logs = tuple[Log, ...]
REVERTS = bytes.fromhex("6005600c60003960056000f360006000fd")  # Its constructor copies five bytes: revert(0, 0).


def with_three_deposits(backend: ChainBackend) -> tuple[bytes, Logs]:
    """A contract, and a block with three of its events in two kinds of order: by transaction, and by their place."""
    contract = deployed(backend)
    sends = [Send(key=key, to=contract, calldata=word(n + 1)) for n, key in enumerate(backend.keys[:3])]
    backend.mine()
    head = backend.reorg(1, sends)
    return contract, backend.block_logs(head.hash, contract)


def swapped(logs: Logs) -> Logs:
    return logs[1::-1] + logs[2:]


def renumbered(logs: Logs) -> Logs:
    """In the wrong order, with the numbers put right."""
    places = [(log.index, log.transaction_index) for log in logs]
    turned = zip(swapped(logs), places, strict=True)
    return tuple(replace(log, index=index, transaction_index=place) for log, (index, place) in turned)


def changed(**fields: object) -> Callable[[Logs], Logs]:
    return lambda logs: (*logs[:1], *(replace(log, **fields) for log in logs[1:2]), *logs[2:])


LIES: dict[str, Callable[[Logs], Logs]] = {
    "all hidden": lambda logs: (),
    "one hidden": lambda logs: logs[:1] + logs[2:],
    "one invented": lambda logs: (*logs, *(replace(log, index=log.index + 1) for log in logs[-1:])),
    "one told twice": lambda logs: logs[:1] + logs,
    "wrong order": swapped,
    "wrong order, renumbered": renumbered,
    "other amount": changed(data=word(1_000_000)),
    "other owner": changed(topics=(bytes(31) + b"\x09",)),
    "other contract": changed(address=bytes(20)),
    "other place": changed(index=9),
    "other transaction": changed(transaction_index=2),
    "other block": changed(block_hash=bytes(32)),
}


@pytest.mark.parametrize("lie", list(LIES))
def test_a_lie_about_events_costs_the_vote_and_nothing_else(backend: ChainBackend, lie: str) -> None:
    contract, truth = with_three_deposits(backend)
    assert len(truth) == 3
    head = backend.block("latest")
    liar = Liar(backend, block_logs=LIES[lie])
    four = source_of(contract, liar, backend, backend, backend).endpoints
    found = agreed_logs(four, head.number, head.hash, contract, quorum=3)
    assert isinstance(found, Stated)
    assert (found.value, found.operators, list(found.refused)) == (truth, ("B", "C", "D"), ["rpc 0"])
    assert "not proved" in found.refused["rpc 0"]
    two = source_of(contract, liar, liar, backend, backend).endpoints
    frozen = agreed_logs(two, head.number, head.hash, contract, quorum=3)
    assert isinstance(frozen, Frozen)
    assert frozen.reason is Freeze.TOO_FEW


def test_a_follower_is_not_frozen_by_one_that_hides_and_not_moved_by_three(
    backend: ChainBackend, tmp_path: Path
) -> None:
    """Three that lie alike were a quorum: now what they say has to hash to what the header names."""
    contract = deployed(backend)
    hiding = Liar(backend, block_logs=lambda logs: ())
    follower = follow(backend, tmp_path / "one", contract, hiding, backend, backend, backend)
    beaten = follow(backend, tmp_path / "three", contract, hiding, hiding, hiding, backend)
    trusting = follow(backend, tmp_path / "none", contract, hiding, hiding, hiding)
    trusting.source = replace(trusting.source, receipts=False)
    backend.send(backend.keys[0], contract, word(1_000))
    found = follower.poll()
    assert (dict(found.journal.balances), found.frozen) == ({key_of(backend.keys[0]): 1_000}, ())
    said = beaten.poll()
    assert (said.steps, [frozen.reason for frozen in said.frozen]) == ((), [Freeze.TOO_FEW])
    assert dict(trusting.poll().journal.balances) == {}


def test_receipts_come_from_whoever_has_them(backend: ChainBackend) -> None:
    contract, truth = with_three_deposits(backend)
    head = backend.block("latest")
    lies = [liars.silent, lambda receipts: receipts[:-1], lambda receipts: receipts[::-1]]
    dead = [Liar(backend, receipts=lie) for lie in lies]
    found = agreed_logs(source_of(contract, *dead, backend).endpoints, head.number, head.hash, contract, quorum=3)
    assert isinstance(found, Stated)
    assert (found.value, len(found.operators)) == (truth, 4)
    frozen = agreed_logs(source_of(contract, *dead).endpoints, head.number, head.hash, contract, quorum=3)
    assert isinstance(frozen, Frozen)
    assert (frozen.reason, len(frozen.said)) == (Freeze.UNPROVED, 3)
    with pytest.raises(NotProved, match="wrong header"):
        proven_receipts(Liar(backend, block=liars.forged_header), head.hash)


def test_a_movement_is_kept_and_checked_without_the_chain(backend: ChainBackend) -> None:
    contract, truth = with_three_deposits(backend)
    head = backend.block("latest")
    receipts = proven_receipts(backend, head.hash)
    for log in truth:
        place = log.index - sum(len(one.logs) for one in receipts[: log.transaction_index])
        proof = prove_event("eip155:31337", head.header, receipts, transaction=log.transaction_index, log=place)
        found = check_event(proof, head.hash).log
        assert (found.address, found.topics, found.data) == (contract, log.topics, log.data)


def test_each_block_of_a_chain_is_proven(backend: ChainBackend) -> None:
    contract, _ = with_three_deposits(backend)
    assert not backend.send(backend.keys[0], backend.deploy(backend.keys[0], REVERTS).contract).status
    backend.send(backend.keys[0], contract)
    backend.send(backend.keys[0], b"\x05" * 20, value=1)
    for number in range(backend.block("latest").number + 1):
        answer = backend.block(number)
        block = check_header(answer.header, answer.hash)
        assert receipts_root(backend.receipts(answer.hash)) == block.receipts_root


class Told(JsonRpc):
    """An endpoint of one answer."""

    def __init__(self, answer: object) -> None:
        super().__init__("http://127.0.0.1:1")
        self.answer = answer

    def ask(self, method: str, *parameters: Any) -> Any:
        return "0x1" if method == "eth_chainId" else self.answer


def told(answer: object) -> RpcReader:
    return RpcReader("http://127.0.0.1:1", rpc=Told(answer))


def receipt_json(**fields: object) -> dict[str, object]:
    log = {"address": "0x" + "aa" * 20, "topics": ["0x" + "00" * 32], "data": "0x07"}
    plain = {"type": "0x2", "status": "0x1", "cumulativeGasUsed": "0x5208", "logsBloom": "0x" + "00" * 256}
    return {**plain, "logs": [log], **fields}


def test_receipts_of_other_chains_are_written_as_theirs() -> None:
    """op-geth hashes a deposit's nonce since Canyon alone; Arbitrum's old type has no type in its bytes."""
    fields = [
        {"type": "0x0"},
        {"type": "0x78"},
        {"type": "0x0", "status": None, "root": "0x" + "11" * 32},
        {"type": "0x7e", "depositNonce": "0x5"},
        {"type": "0x7e", "depositNonce": "0x5", "depositReceiptVersion": "0x1"},
        {"type": "0x6a", "status": "0x0"},
        {"type": "0x55"},
    ]
    found = told([receipt_json(**one) for one in fields]).receipts(bytes(32))
    plain, *others = found
    assert isinstance(plain, BlockReceipt)
    assert others == [
        plain,
        replace(plain, outcome=b"\x11" * 32),
        replace(plain, kind=0x7E),
        replace(plain, kind=0x7E, trailing=(5, 1)),
        replace(plain, kind=0x6A, outcome=b""),
        OpaqueReceipt(kind=0x55, raw=b"\x55" + encode_receipt(plain)),
    ]
    bad = [{}, None, "0x", [1], [receipt_json(type="0x100")], [receipt_json(logs=[{}])], [receipt_json(status="one")]]
    for answer in bad:
        with pytest.raises(UnreachableChain, match="no known form"):
            told(answer).receipts(keccak(b"block"))


def test_endpoints_are_asked_for_events_of_blocks_that_may_have_some(backend: ChainBackend, tmp_path: Path) -> None:
    contract = deployed(backend)
    asked: list[Logs] = []
    told = Liar(backend, block_logs=lambda logs: asked.append(logs) or logs)
    follower = follow(backend, tmp_path / "journal", contract, told)
    backend.mine(20)
    for amount in (5, 7, -1):
        backend.send(backend.keys[0], contract, word(amount))
        backend.mine(3)
    assert dict(follower.poll().journal.balances) == {key_of(backend.keys[0]): 11}
    assert [len(logs) for logs in asked] == [1, 1, 1]
    follower.store.close()


def test_a_bloom_names_whoever_logs_and_few_others(backend: ChainBackend) -> None:
    contract, _ = with_three_deposits(backend)
    for number in range(backend.block("latest").number + 1):
        block = backend.block(number)
        logs, receipts = backend.block_logs(block.hash), backend.receipts(block.hash)
        silent = bool(receipts) and not logs  # An empty bloom over receipts says nothing.
        assert may_log(block.header, contract) == (bool(logs) or silent)
        others = sum(may_log(block.header, bytes([n]) * 20) for n in range(256))
        assert others <= (2 if logs else 256 if silent else 0)
    full = block.header.replace(block.header[block.header.index(b"\xb9\x01\x00") + 3 :][:256], b"\xff" * 256)
    assert may_log(full, contract)
    unkept = block.header.replace(block.header[block.header.index(b"\xb9\x01\x00") + 3 :][:256], bytes(256))
    assert may_log(unkept, contract)
    assert may_log(unkept, bytes(20))
