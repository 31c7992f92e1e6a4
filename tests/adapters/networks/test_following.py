"""A follower over a live chain: deposits, withdrawals, reorgs, forks, liars, and balances that no event explains."""

from dataclasses import replace
from pathlib import Path

import pytest

from crossmargin.adapters.networks.backend import ChainBackend, Send
from crossmargin.adapters.networks.endpoints import Anchor, read_slots
from crossmargin.adapters.networks.signing import address_of
from crossmargin.core.finality import Health, Level
from crossmargin.market.chains.agreement import Freeze
from crossmargin.market.chains.health import condition, unexplained
from crossmargin.market.chains.journal import announced
from crossmargin.market.chains.levels import level_of
from crossmargin.market.chains.steps import Adopt, Finalise, Fork, Learn
from tests.adapters.networks import liars
from tests.adapters.networks.accounts import CODE_HASH, PROFILE, deployed, follow, key_of, movements, word
from tests.adapters.networks.liars import Liar


def test_deposits_and_withdrawals_become_final(backend: ChainBackend, tmp_path: Path) -> None:
    contract = deployed(backend)
    follower = follow(backend, tmp_path / "journal", contract)
    maker, taker = backend.keys[:2]
    for key, amount in ((maker, 1_000), (taker, 70), (maker, -300)):
        assert backend.send(key, contract, word(amount)).status
    found = follower.poll()
    assert dict(found.journal.balances) == {key_of(maker): 700, key_of(taker): 70}
    assert dict(found.journal.final) == {}
    assert found.heads is not None
    levels = [level_of(found.journal.head, PROFILE, found.heads, now_s=0)]
    backend.mine(4)
    heads = follower.poll().heads
    assert heads is not None
    levels.append(level_of(found.journal.head, PROFILE, heads, now_s=0))
    backend.mine(4)
    done = follower.poll()
    assert done.heads is not None
    levels.append(level_of(found.journal.head, PROFILE, done.heads, now_s=10**10))
    assert levels == [Level.INCLUDED, Level.SAFE, Level.SETTLED]
    assert done.journal.final == done.journal.balances
    assert follower.poll().steps == ()
    # And the contract's storage proves the same in the root that was anchored.
    assert isinstance(done.anchor, Anchor)
    slots = {int.from_bytes(address_of(key), "big"): key_of(key) for key in (maker, taker)}
    reading = read_slots(follower.source.endpoints, done.anchor, contract, list(slots), code_hash=CODE_HASH)
    assert reading.block.hash == done.journal.root.hash
    assert unexplained(done.journal, {slots[slot]: value for slot, value in reading.values.items()}) == ()


@pytest.mark.parametrize("depth", [1, 3])
def test_a_reorg_takes_credits_and_keeps_debits(backend: ChainBackend, tmp_path: Path, depth: int) -> None:
    contract = deployed(backend)
    maker, taker = backend.keys[:2]
    backend.send(maker, contract, word(1_000))
    backend.mine(9)
    follower = follow(backend, tmp_path / "journal", contract)
    backend.send(taker, contract, word(50))
    withdrawn = backend.send(maker, contract, word(-400))
    backend.mine(depth - 1)
    follower.poll()
    backend.reorg(depth + 1)
    after = follower.poll()
    assert [type(step) for step in after.steps] == [Learn] * (depth + 1) + [Adopt]
    assert dict(after.journal.balances) == {}  # The thousand lies below the root, with which this journal began.
    assert list(announced(after.journal)) == [withdrawn.transaction_hash]
    again = backend.send(maker, contract, word(-400))
    settled = follower.poll().journal
    assert settled.balances[key_of(maker)] == -400
    same = again.transaction_hash == withdrawn.transaction_hash
    assert bool(announced(settled)) is not same


def test_a_reorg_below_final_is_a_fork_and_stays_one(backend: ChainBackend, tmp_path: Path) -> None:
    contract = deployed(backend)
    follower = follow(backend, tmp_path / "journal", contract)
    backend.send(backend.keys[0], contract, word(1_000))
    backend.mine(9)
    before = follower.poll().journal
    backend.reorg(10, [Send(key=backend.keys[0], to=contract, calldata=word(5))])
    found = follower.poll()
    assert [type(step) for step in found.steps] == [Fork]
    assert found.journal.final == before.final
    now_s = backend.block("latest").timestamp_s
    assert condition(found.journal, PROFILE, now_s=now_s).health is Health.FORKED
    backend.mine(20)
    assert follower.poll().steps == ()


def test_one_liar_among_four_changes_nothing_and_two_freeze(backend: ChainBackend, tmp_path: Path) -> None:
    contract = deployed(backend)
    liar = Liar(backend, block=liars.wrong_hash, block_logs=liars.silent)
    follower = follow(backend, tmp_path / "journal", contract, liar, backend, backend, backend)
    backend.send(backend.keys[0], contract, word(1_000))
    found = follower.poll()
    assert (dict(found.journal.balances), found.frozen) == ({key_of(backend.keys[0]): 1_000}, ())

    hiding = Liar(backend, block_logs=lambda logs: ())
    frozen = follow(backend, tmp_path / "other", contract, hiding, liar, backend, backend)
    backend.send(backend.keys[1], contract, word(5))
    said = frozen.poll()
    assert ([said.reason for said in said.frozen], said.steps) == ([Freeze.TOO_FEW], ())
    dead = [replace(endpoint, reader=Liar(backend, block=liars.silent)) for endpoint in follower.source.endpoints]
    follower.source = replace(follower.source, endpoints=dead)
    assert {said.reason for said in follower.poll().frozen} == {Freeze.TOO_FEW}


def test_a_node_that_is_behind_changes_nothing(backend: ChainBackend, tmp_path: Path) -> None:
    contract = deployed(backend)
    follower = follow(backend, tmp_path / "journal", contract)
    backend.mine(20)
    follower.poll()
    root = follower.journal.root.number
    late = Liar(backend, block=lambda block: block if block.number <= root - 3 else backend.block(root - 3))
    behind = follow(backend, tmp_path / "journal", contract, late)
    assert behind.poll().steps == ()


def test_coins_moved_by_force_are_seen_by_the_proof(anvil: ChainBackend, tmp_path: Path) -> None:
    contract = deployed(anvil)
    maker = anvil.keys[0]
    follower = follow(anvil, tmp_path / "journal", contract)
    anvil.send(maker, contract, word(1_000))
    slot = address_of(maker).rjust(32, b"\x00")
    anvil.rpc.ask("anvil_setStorageAt", f"0x{contract.hex()}", f"0x{slot.hex()}", f"0x{word(400).hex()}")
    anvil.mine(9)
    found = follower.poll()
    assert isinstance(found.anchor, Anchor)
    number = int.from_bytes(slot, "big")
    reading = read_slots(follower.source.endpoints, found.anchor, contract, [number], code_hash=CODE_HASH)
    seized = unexplained(found.journal, {key_of(maker): reading.values[number]})
    assert [(change.expected, change.proven) for change in seized] == [(1_000, 400)]
    now_s = anvil.block("latest").timestamp_s
    assert condition(found.journal, PROFILE, now_s=now_s, unexplained=seized).health is Health.GOVERNED


def test_announced_withdrawals_count_until_forgotten(backend: ChainBackend, tmp_path: Path) -> None:
    contract = deployed(backend)
    follower = follow(backend, tmp_path / "journal", contract)
    sent = backend.send(backend.keys[0], contract, word(-5))
    (debit,) = movements(sent.logs[0])
    assert announced(follower.announce((debit,))) == {sent.transaction_hash: (debit,)}
    assert announced(follower.poll().journal) == {}
    backend.reorg(1)
    assert list(announced(follower.poll().journal)) == [sent.transaction_hash]
    assert announced(follower.forget(sent.transaction_hash)) == {}
    assert Finalise not in {type(step) for step in follower.poll().steps}
