"""Receipts of a block against the root of its header: nothing hidden, made up or moved, and one kept by itself."""

import random
from dataclasses import replace

import msgspec
import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from crossmargin.core.errors import NotProved
from crossmargin.proofs.events import EventProof, check_event, prove_event
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.ordered_trie import entry_of, ordered_trie
from crossmargin.proofs.reasons import Reason
from crossmargin.proofs.receipts import (
    OP_DEPOSIT,
    TRAILING,
    BlockReceipt,
    OpaqueReceipt,
    ReceiptLog,
    check_receipt,
    check_receipts,
    decode_receipt,
    encode_receipt,
    logs_of,
    prove_receipt,
    receipts_root,
)
from crossmargin.proofs.state import header_rlp
from crossmargin.proofs.trie import EMPTY_ROOT
from spec.proofs import trie as spec
from tests.proofs.chain import block_fields
from tests.proofs.test_state import mutated, refused
from tests.strategies import few

VAULT, OTHER = b"\xaa" * 20, b"\xbb" * 20
words = st.binary(min_size=32, max_size=32)
logs = st.builds(
    ReceiptLog,
    address=st.sampled_from([VAULT, OTHER]),
    topics=st.lists(words, max_size=4).map(tuple),
    data=st.binary(max_size=70),
)


@st.composite
def receipts(draw) -> BlockReceipt:
    kind = draw(st.sampled_from(sorted(TRAILING)))
    trailing = draw(st.lists(st.integers(0, 2**64 - 1), min_size=TRAILING[kind], max_size=TRAILING[kind]))
    outcomes = [b"", b"\x01"] + ([bytes(range(32))] if not kind else [])
    return BlockReceipt(
        kind=kind,
        outcome=draw(st.sampled_from(outcomes)),
        gas=draw(st.integers(0, 2**64 - 1)),
        bloom=draw(st.binary(min_size=1, max_size=1)) * 256,
        logs=tuple(draw(st.lists(logs, max_size=3))),
        trailing=tuple(draw(st.sampled_from([trailing, []]))),
    )


def made(rng: random.Random, count: int, logs_max: int = 5) -> list[BlockReceipt]:
    """A block's receipts, of Ethereum's types."""

    def log() -> ReceiptLog:
        topics = tuple(rng.randbytes(32) for _ in range(rng.randrange(5)))
        return ReceiptLog(address=rng.choice([VAULT, OTHER]), topics=topics, data=rng.randbytes(rng.randrange(100)))

    return [
        BlockReceipt(
            kind=rng.randrange(5),
            outcome=rng.choice([b"", b"\x01"]),
            gas=21_000 * (place + 1),
            bloom=rng.randbytes(256),
            logs=tuple(log() for _ in range(rng.randrange(logs_max))),
        )
        for place in range(count)
    ]


def header_over(root: bytes) -> bytes:
    return header_rlp(block_fields(bytes(32)) | {"receiptsRoot": "0x" + root.hex()})


@few
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=300), st.data())
def test_lists_agree_with_two_other_tries(entries, data):
    """The plain twin, and the library `trie`; short entries stand inside their parents, which receipts never do."""
    found, pairs = ordered_trie(entries), {rlp.encode(place).hex(): entry for place, entry in enumerate(entries)}
    library = HexaryTrie({})
    for place, entry in enumerate(entries):
        library.set(rlp.encode(place), entry)
    assert found.root == spec.root(pairs) == library.root_hash
    place = data.draw(st.integers(0, len(entries) + 2))
    assert list(found.path(place)) == spec.path(pairs, rlp.encode(place).hex())


@pytest.mark.parametrize("count", [1, 2, 16, 17, 127, 128, 129, 255, 256, 257, 600])
def test_lists_of_the_lengths_at_which_keys_grow(count: int):
    entries, library = [place.to_bytes(40, "big") for place in range(count)], HexaryTrie({})
    for place, entry in enumerate(entries):
        library.set(rlp.encode(place), entry)
    found = ordered_trie(entries)
    assert found.root == library.root_hash
    for place in {0, count // 2, count - 1}:
        path = [rlp.encode(node) for node in library.get_proof(rlp.encode(place))]
        assert list(found.path(place)) == path
        assert entry_of(found.root, place, path, entry_bytes_max=532, where="test") == entries[place]


@few
@given(st.lists(receipts(), max_size=40), st.data())
def test_a_receipt_is_what_its_bytes_say_and_stands_at_its_place(block, data):
    written = [encode_receipt(one) for one in block]
    assert [decode_receipt(raw, where="test") for raw in written] == block
    root = receipts_root(block)
    assert root == spec.root({rlp.encode(place).hex(): raw for place, raw in enumerate(written)})
    check_receipts(root, block, where="test")
    place = data.draw(st.integers(0, len(block)))
    path = prove_receipt(block, place)
    if place == len(block):
        refused(Reason.ABSENT, check_receipt, root, place, path)
    else:
        assert check_receipt(root, place, path) == block[place]
    expected = [(at, log) for at, one in enumerate(block) for log in one.logs]
    assert [(one.transaction_index, one.log) for one in logs_of(block, where="test")] == expected
    own = [(index, *one) for index, one in enumerate(expected) if one[1].address == VAULT]
    assert [(one.index, one.transaction_index, one.log) for one in logs_of(block, VAULT, where="test")] == own


def test_the_root_of_no_receipts_is_that_of_nothing():
    assert receipts_root([]) == EMPTY_ROOT
    refused(Reason.ABSENT, check_receipt, EMPTY_ROOT, 0, [])


def test_a_receipt_by_hand():
    """EIP-2718: type ‖ rlp([status, gas, bloom, logs]); the oldest kind is the list alone."""
    log = ReceiptLog(address=VAULT, topics=(bytes(32),), data=b"\x07")
    receipt = BlockReceipt(kind=2, outcome=b"\x01", gas=21_000, bloom=bytes(256), logs=(log,))
    written = "f838" + "94" + "aa" * 20 + "e1" + "a0" + "00" * 32 + "07"
    listed = "01" + "825208" + "b90100" + "00" * 256 + "f83a" + written
    whole = bytes.fromhex("02" + f"f9{len(listed) // 2:04x}" + listed)
    assert encode_receipt(receipt) == whole
    assert encode_receipt(replace(receipt, kind=0)) == whole[1:]


NEW = ReceiptLog(address=VAULT, topics=(bytes(32),), data=bytes(32))


def log_lies(log: ReceiptLog) -> list[tuple[ReceiptLog, ...]]:
    """What may be said in place of a log: nothing, it twice, one more beside it, or another one."""
    others = [
        replace(log, data=log.data + b"\x00"),
        replace(log, data=log.data[::-1] + b"\x01"),
        replace(log, address=OTHER if log.address == VAULT else VAULT),
        replace(log, topics=(*log.topics[:3], bytes(31) + b"\x09")),
    ]
    return [(), (log, log), (NEW, log), (log, NEW), *((other,) for other in others)]


def receipt_lies(rng: random.Random, one: BlockReceipt) -> list[tuple[BlockReceipt, ...]]:
    """What may be said in place of a receipt."""
    other = [
        replace(one, gas=one.gas + rng.choice([-1, 1])),
        replace(one, kind=(one.kind + rng.randrange(1, 5)) % 5),
        replace(one, outcome=b"" if one.outcome else b"\x01"),
        replace(one, bloom=rng.randbytes(256)),
        replace(one, logs=one.logs[::-1]),
        replace(one, logs=(*one.logs, NEW)),
        OpaqueReceipt(kind=5, raw=b"\x05" + encode_receipt(replace(one, kind=0))),
    ]
    if one.logs:
        n = rng.randrange(len(one.logs))
        other += [replace(one, logs=(*one.logs[:n], *lie, *one.logs[n + 1 :])) for lie in log_lies(one.logs[n])]
    return [(), (one, one), *((lie,) for lie in other)]


def block_lies(rng: random.Random, block: list[BlockReceipt]) -> list[list[BlockReceipt]]:
    """What may be said in place of a block's receipts."""
    at, other = rng.randrange(len(block)), rng.randrange(len(block))
    swapped = list(block)
    swapped[at], swapped[other] = swapped[other], swapped[at]
    return [swapped, *([*block[:at], *lie, *block[at + 1 :]] for lie in receipt_lies(rng, block[at]))]


def test_ten_thousand_lies_about_a_block_are_not_believed():
    rng, told = random.Random(5), 0
    block = made(rng, 6)
    root = receipts_root(block)
    while told < 10_000:
        for lie in block_lies(rng, block):
            if lie != block:
                told += 1
                refused(Reason.WRONG_ROOT, check_receipts, root, lie, where="test")


def test_ten_thousand_changed_proofs_are_not_believed():
    rng, believed = random.Random(6), 0
    block = made(rng, 200)
    root = receipts_root(block)
    honest = [(place, list(prove_receipt(block, place))) for place in (0, 1, 16, 127, 128, 199)]
    for _ in range(12_000):
        place, path = rng.choice(honest)
        shown = mutated(rng, path)
        if rng.random() < 0.2:
            place, shown = rng.randrange(210), path
        try:
            found = check_receipt(root, place, shown)
        except NotProved:
            continue
        believed += shown != path or found != block[place]
    assert believed == 0


def test_an_event_is_kept_and_checked_offline():
    rng = random.Random(7)
    block = made(rng, 30)
    header = header_over(receipts_root(block))
    place = next(at for at, one in enumerate(block) if len(one.logs) > 1)
    proof = prove_event("eip155:1", header, block, transaction=place, log=1)
    kept = msgspec.json.decode(msgspec.json.encode(proof), type=EventProof)
    found = check_event(kept, keccak(header))
    assert (found.log, found.block.number) == (block[place].logs[1], 0x1B4)
    for reason, changed in (
        (Reason.ABSENT, {"log": len(block[place].logs)}),
        (Reason.ABSENT, {"log": -1}),
        (Reason.MALFORMED, {"transaction": -1}),
        (Reason.MALFORMED, {"transaction": 1 << 16}),
        (Reason.WRONG_HEADER, {"header": proof.header[:-2] + "ff"}),
        (Reason.NOT_CANONICAL, {"header": proof.header.upper()}),
        (Reason.NOT_CANONICAL, {"nodes": (*proof.nodes[:-1], proof.nodes[-1] + "\n")}),
        (Reason.WRONG_COUNT, {"nodes": proof.nodes[:-1]}),
        (Reason.WRONG_COUNT, {"nodes": (*proof.nodes, proof.nodes[-1])}),
    ):
        refused(reason, check_event, msgspec.structs.replace(proof, **changed), keccak(header))
    refused(Reason.WRONG_HEADER, check_event, proof, bytes(32))
    refused(Reason.WRONG_ROOT, prove_event, "eip155:1", header, block[:-1], transaction=place, log=1)


def test_only_a_leaf_is_longer_than_a_branch():
    for node in ([bytes(600)] + [bytes(32)] * 15 + [b""], [b"\x00\x01", [b"\x20", bytes(600)]], bytes(600)):
        raw = rlp.encode(node)
        refused(Reason.MALFORMED, check_receipt, keccak(raw), 0, [raw])


def test_a_type_nobody_knows_matters_only_where_it_might():
    known = made(random.Random(8), 4)
    quiet, naming = OpaqueReceipt(kind=0x55, raw=b"\x55" + bytes(40)), OpaqueReceipt(kind=5, raw=b"\x05" + VAULT)
    plain = [replace(one, logs=()) for one in known]
    own = replace(plain[0], logs=(ReceiptLog(address=VAULT, topics=(), data=b""),))
    for block in ([own, quiet], [plain[0], quiet, plain[1]], [own, quiet, plain[1]]):
        check_receipts(receipts_root(block), block, where="test")
        assert len(logs_of(block, VAULT, where="test")) == (block[0] == own)
    for block in ([naming], [own, naming], [quiet, own], [quiet, plain[0], own]):
        refused(Reason.MALFORMED, logs_of, block, VAULT, where="test")
    refused(Reason.MALFORMED, logs_of, [quiet], where="test")
    header = header_over(receipts_root([quiet]))
    refused(Reason.MALFORMED, prove_event, "eip155:1", header, [quiet], transaction=0, log=0)


def test_receipts_that_no_block_has_are_refused():
    good = BlockReceipt(kind=2, outcome=b"\x01", gas=1, bloom=bytes(256), logs=(NEW,))
    for reason, changed in (
        (Reason.MALFORMED, {"outcome": b"\x02"}),
        (Reason.MALFORMED, {"outcome": b"\x00"}),
        (Reason.MALFORMED, {"outcome": bytes(32)}),  # A state root stands in receipts without a type alone.
        (Reason.MALFORMED, {"bloom": bytes(255)}),
        (Reason.MALFORMED, {"logs": (replace(NEW, address=bytes(19)),)}),
        (Reason.MALFORMED, {"logs": (replace(NEW, topics=(bytes(31),)),)}),
        (Reason.MALFORMED, {"logs": (replace(NEW, topics=(bytes(32),) * 5),)}),
        (Reason.OVERFLOW, {"gas": 1 << 64}),
        (Reason.OVERFLOW, {"gas": -1}),
        (Reason.WRONG_COUNT, {"trailing": (1, 2)}),
        (Reason.WRONG_COUNT, {"kind": 5}),
        (Reason.WRONG_COUNT, {"kind": OP_DEPOSIT, "trailing": (1,)}),
        (Reason.OVERFLOW, {"kind": OP_DEPOSIT, "trailing": (1, 1 << 64)}),
    ):
        refused(reason, encode_receipt, replace(good, **changed))
    for opaque in (
        OpaqueReceipt(kind=2, raw=b"\x02"),
        OpaqueReceipt(kind=5, raw=b"\x06"),
        OpaqueReceipt(kind=5, raw=b""),
    ):
        refused(Reason.MALFORMED, encode_receipt, opaque)
    bare = [b"\x01", b"\x01", bytes(256), []]
    for reason, raw in (
        (Reason.MALFORMED, b""),
        (Reason.MALFORMED, b"\x00" + rlp.encode(bare)),  # The oldest kind has no type before it.
        (Reason.MALFORMED, b"\x80"),
        (Reason.MALFORMED, b"\x02"),
        (Reason.NOT_CANONICAL, b"\x02" + rlp.encode(bare) + b"\x00"),
        (Reason.NOT_CANONICAL, b"\x02" + rlp.encode([b"\x01", b"\x00\x01", bytes(256), []])),
        (Reason.WRONG_COUNT, b"\x02" + rlp.encode(bare[:3])),
        (Reason.WRONG_COUNT, b"\x02" + rlp.encode([*bare, b"\x01", b"\x01"])),
        (Reason.WRONG_COUNT, b"\x7e" + rlp.encode([*bare, b"\x01"])),
        (Reason.WRONG_COUNT, b"\x02" + rlp.encode(b"text")),
        (Reason.MALFORMED, b"\x02" + rlp.encode([*bare[:3], b"text"])),
        (Reason.MALFORMED, b"\x02" + rlp.encode([*bare[:2], [bytes(256)], []])),
        (Reason.MALFORMED, b"\x02" + rlp.encode([*bare[:3], [[VAULT, [], []]]])),
        (Reason.MALFORMED, b"\x02" + rlp.encode([*bare[:3], [[VAULT, b"", b""]]])),
        (Reason.MALFORMED, b"\x02" + rlp.encode([*bare[:3], [[VAULT, [[]], b""]]])),
        (Reason.MALFORMED, b"\x02" + rlp.encode([*bare[:3], [[VAULT, []]]])),
    ):
        refused(reason, decode_receipt, raw, where="test")
    assert decode_receipt(b"\x05any", where="test") == OpaqueReceipt(kind=5, raw=b"\x05any")
