"""`StateProof.vy` against `proofs.state`: what one accepts, and what it reads there, is what the other does."""

import functools
import random
from collections.abc import Iterator
from typing import Any

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.adapters.contracts.abi import deployment
from crossmargin.adapters.contracts.compiling import compiled_contract
from crossmargin.adapters.networks.signing import address_of
from crossmargin.core.errors import NotProved, Reverted
from crossmargin.proofs.calldata import NODES_MAX, read_arguments
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.rlp_codec import minimal
from crossmargin.proofs.state import Account, check_account, check_header, check_slots
from crossmargin.proofs.statement import state_proof
from crossmargin.proofs.trie import EMPTY_ROOT, Reader, entry_at
from spec.proofs import trie as spec
from tests.chains_fixtures import open_backend
from tests.contracts.system import Contract
from tests.proofs.chain import CODE, block_fields, chain, path_to, trie_of, word
from tests.proofs.test_state import forged_roots, header_rlp, mutated


@functools.cache
def contract() -> Contract:
    """A verifier on a chain of its own; what is asked of it changes nothing there."""
    return deployed(open_backend("pyevm"))


def deployed(backend: Any) -> Contract:
    artifact = compiled_contract("StateProof")
    receipt = backend.deploy(backend.keys[0], deployment(artifact, address_of(backend.keys[1])))
    return Contract(chain=backend, artifact=artifact, address=receipt.contract)


def told(function: str, *arguments: Any) -> Any:
    """What the contract answers, or None where it reverts."""
    try:
        return contract().ask(function, *arguments)
    except Reverted:
        return None


def proved(check: Any, *arguments: Any) -> Any:
    """What Python answers, or None where it does not prove it."""
    try:
        return check(*arguments)
    except NotProved:
        return None


def entry(root: bytes, hashed: bytes, nodes: list[bytes]) -> bytes:
    return entry_at(root, hashed, nodes, Reader(), where="test") or b""


def slot_of(root: bytes, slot: int, nodes: list[bytes]) -> int:
    return check_slots(root, {slot: nodes})[slot]


def agreed(root: bytes, hashed: bytes, nodes: list[bytes]) -> bytes | None:
    """What both say of an entry."""
    ours, theirs = proved(entry, root, hashed, nodes), told("entryOf", root, hashed, tuple(nodes))
    assert ours == theirs, (root.hex(), hashed.hex(), [node.hex() for node in nodes])
    return theirs


def test_a_slot_of_another_chain():
    known = chain()
    slot = max(known.values)
    proof = state_proof(
        chain="eip155:1",
        header=known.header,
        anchor=known.anchor,
        address=known.address,
        code_hash=CODE,
        account_path=known.account_path(),
        slots=[(slot, known.values[slot], known.slot_path(slot)), (2**200, 0, known.slot_path(2**200))],
    )
    read = read_arguments(proof, 0)
    assert told("read", *read) == known.values[slot]
    assert told("read", *read_arguments(proof, 1)) == 0
    assert told("blockOf", known.anchor, known.header) == (0x1B4, 10, known.state.root_hash)
    other_code = (*read[:3], bytes(32), *read[4:])
    other_slot = (*read[:5], word(slot + 1), read[6])
    other_account = (*read[:2], bytes(20), *read[3:])
    other_block = (bytes(32), *read[1:])
    for bad in (other_code, other_slot, other_account, other_block):
        assert told("read", *bad) is None


def test_gas_of_a_slot_as_a_whole_transaction():
    known = chain()
    slot = max(known.values)
    arguments = (known.anchor, known.header, known.address, CODE, tuple(known.account_path()))
    verifier = contract()
    receipt = verifier.do(verifier.chain.keys[0], "read", *arguments, word(slot), tuple(known.slot_path(slot)))
    assert receipt.gas_used < 200_000


def test_accounts_that_are_and_are_not_there():
    known = chain()
    root = known.state.root_hash
    found = told("accountOf", root, known.address, tuple(known.account_path()))
    assert found == (True, 1, 5 * 10**17, known.storage.root_hash, CODE)
    assert told("accountOf", root, bytes(20), tuple(known.account_path(bytes(20)))) == (
        False,
        0,
        0,
        bytes(32),
        bytes(32),
    )
    assert told("accountOf", root, bytes(20), tuple(known.account_path())) is None
    assert told("accountOf", EMPTY_ROOT, bytes(20), ()) == (False, 0, 0, bytes(32), bytes(32))


ACCOUNTS = [
    [b"\x01", b"", bytes(32), bytes(32)],
    [b"", b"\x01" * 32, bytes(32), bytes(32)],
    [b"\x01", b"", bytes(32)],
    [b"\x01", b"", bytes(32), bytes(32), b""],
    [b"\x01", b"", bytes(31), bytes(32)],
    [[b"\x01"], b"", bytes(32), bytes(32)],
    [b"\x00", b"", bytes(32), bytes(32)],
    [b"\x01" * 9, b"", bytes(32), bytes(32)],
    [b"\x01", b"\x01" * 33, bytes(32), bytes(32)],
]


@pytest.mark.parametrize("fields", ACCOUNTS)
def test_accounts_that_no_client_writes(fields):
    state = trie_of({bytes(20): rlp.encode(fields)})
    nodes = path_to(state, bytes(20))
    ours = proved(check_account, state.root_hash, bytes(20), nodes)
    theirs = told("accountOf", state.root_hash, bytes(20), tuple(nodes))
    assert (ours is None) == (theirs is None)
    if theirs is not None:
        _, nonce, balance, storage_root, code_hash = theirs
        assert ours == Account(nonce=nonce, balance=balance, storage_root=storage_root, code_hash=code_hash)


@pytest.mark.parametrize("nodes", [nodes for _, _, nodes in forged_roots()])
def test_tries_that_no_client_writes(nodes):
    root = keccak(nodes[0])
    assert proved(slot_of, root, 0, nodes) is None
    assert told("slotOf", root, word(0), tuple(nodes)) is None


def test_paths_that_are_longer_than_any():
    known = chain()
    path = known.account_path()
    assert told("accountOf", known.state.root_hash, known.address, tuple(path * (NODES_MAX // len(path)))) is None
    assert told("accountOf", known.state.root_hash, known.address, (bytes(2000), *path)) is None


def headers() -> Iterator[bytes]:
    """Headers of every fork, and such as no chain has."""
    for fields in (15, 16, 17, 20, 21):
        yield header_rlp(block_fields(bytes(32), fields))
    whole = header_rlp(block_fields(bytes(32)))
    values = rlp.decode(whole)
    yield whole + b"\x00"
    yield whole[:-1]
    yield b""
    for forged in (
        values[:14],
        [*values, b"new", b"newer"],
        values + [b""] * 20,
        b"text",
        [*values[:3], bytes(31), *values[4:]],
        [*values[:3], [b""], *values[4:]],
        [*values[:8], b"\x00\x01", *values[9:]],
        [*values[:8], b"\x01" * 9, *values[9:]],
        [*values[:11], b"\x00", *values[12:]],
    ):
        yield rlp.encode(forged)


@pytest.mark.parametrize("raw", list(headers()))
def test_headers(raw):
    ours, theirs = proved(check_header, raw, keccak(raw)), told("blockOf", keccak(raw), raw)
    assert theirs == (ours and (ours.number, ours.timestamp_s, ours.state_root))
    assert told("blockOf", bytes(32), raw) is None


@st.composite
def tries(draw: st.DrawFn) -> tuple[dict[str, bytes], str]:
    """A trie over hashes that share much, so that nodes stand inside others; and a key that may be in it."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    shared = rng.randbytes(32).hex()
    found = {}
    for _ in range(draw(st.integers(1, 8))):
        kept = draw(st.sampled_from([0, 1, 2, 60, 61, 62, 63]))
        key = shared[:kept] + rng.randbytes(32).hex()[kept:]
        found[key] = rlp.encode(minimal(rng.getrandbits(rng.choice([3, 16, 64, 256])) + 1))
    kept = draw(st.sampled_from([0, 1, 61, 62, 63, 64]))
    absent = shared[:kept] + rng.randbytes(32).hex()[kept:]
    return found, draw(st.sampled_from([*found, absent]))


@settings(max_examples=40)
@given(tries())
def test_random_tries_with_nodes_inside_others(made):
    stored, key = made
    path = spec.path(stored, key)
    assert agreed(spec.root(stored), bytes.fromhex(key), path) == stored.get(key, b"")


def test_a_branch_below_the_last_nibble():
    """At the 64th nibble a branch holds another, of leaves; the key has no nibble left to choose one."""
    key = "a" * 64
    inner = [b"", [b"\x20", b"\x05"], [b"\x20", b"\x06"]] + [b""] * 14
    last = [b""] * 10 + [inner, b"", [b"\x20", b"\x07"]] + [b""] * 4
    bottom = rlp.encode(last)
    top = rlp.encode([bytes.fromhex("1" + "a" * 63), keccak(bottom) if len(bottom) >= 32 else last])
    assert agreed(keccak(top), bytes.fromhex(key), [top, bottom]) is None


def reforged(rng: random.Random, path: list[bytes]) -> list[bytes]:
    """A path with one node changed, and all hashes above it made to fit: who checks cannot stop at a hash."""
    changed, at = list(path), rng.randrange(len(path))
    old, raw = keccak(path[at]), bytearray(path[at])
    for _ in range(rng.choice([1, 1, 2])):
        kind, place = rng.randrange(4), rng.randrange(len(raw))
        if kind == 0:
            raw[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            raw[place] = rng.choice([0x00, 0x10, 0x20, 0x3F, 0x80, 0x81, 0xA0, 0xB8, 0xC0, 0xC1, 0xDE, 0xDF, 0xF8])
        elif kind == 2 and len(raw) > 2:
            del raw[place]
            raw[0] -= raw[0] > 0xC0
        else:
            raw.insert(place + 1, rng.choice([0x80, 0x20, rng.randrange(256)]))
            raw[0] = min(raw[0] + 1, 255)
    changed[at] = bytes(raw)
    for above in range(at - 1, -1, -1):
        new = keccak(changed[above + 1])
        before, changed[above] = changed[above], changed[above].replace(old, new)
        old = keccak(before)
    return changed


@settings(max_examples=30)
@given(tries(), st.integers(0, 2**32))
def test_changed_proofs_get_the_same_verdict(made, seed):
    stored, key = made
    rng, path, root = random.Random(seed), spec.path(stored, key), spec.root(stored)
    for _ in range(8):
        agreed(root, bytes.fromhex(key), mutated(rng, path))
        forged = reforged(rng, path)
        agreed(keccak(forged[0]), bytes.fromhex(key), forged)


def test_who_vouches_for_blocks(backend):
    verifier, known = deployed(backend), chain()
    stranger, anchorer = backend.keys[:2]
    slot = max(known.values)
    arguments = (known.anchor, known.header, known.address, CODE, tuple(known.account_path()))
    path = (word(slot), tuple(known.slot_path(slot)))
    assert verifier.refuses(stranger, "anchor", 10, known.anchor) == "not the anchorer"
    assert verifier.refuses_to_say("readAnchored", 10, *arguments, *path) == "wrong header"
    verifier.do(anchorer, "anchor", 10, known.anchor)
    assert verifier.ask("readAnchored", 10, *arguments, *path) == known.values[slot]
    assert verifier.refuses_to_say("readAnchored", 1, *arguments, *path) == "wrong header"


def test_recent_blocks_of_the_own_chain(anvil):
    verifier = deployed(anvil)
    block = anvil.block("latest")
    anvil.mine(3)
    verifier.do(anvil.keys[0], "anchorRecent", block.number)
    assert verifier.ask("isAnchored", anvil.chain_id, block.hash)
    assert verifier.ask("blockOf", block.hash, block.header)[0] == block.number
    verifier.refuses(anvil.keys[0], "anchorRecent", block.number + 1_000)


def test_a_chain_of_one_s_own_reads_itself(backend):
    """The anchorer of the deployed verifier is an immutable; its nonce map is empty: slot 0 holds nothing."""
    verifier = deployed(backend)
    block = backend.mine()
    proof = backend.proof(verifier.address, [0], block.number)
    code = keccak(backend.code(verifier.address))
    nodes = proof.slots[0].nodes
    assert verifier.ask("read", block.hash, block.header, verifier.address, code, proof.nodes, bytes(32), nodes) == 0
