"""State proofs: what is there is proven, what is not is proven absent, and nothing else is believed."""

import random
from collections.abc import Iterator

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, NotProved
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.reasons import Reason
from crossmargin.proofs.rlp_codec import minimal
from crossmargin.proofs.state import (
    HEADER,
    Account,
    check_account,
    check_header,
    check_slots,
    header_rlp,
    mapping_slot,
)
from crossmargin.proofs.trie import EMPTY_ROOT, Reader, look_up
from spec.proofs import trie as spec
from tests.proofs.chain import CODE, block_fields, chain, path_to, trie_of, word
from tests.strategies import few


def refused(reason, call, *arguments, **named):
    """The call is refused for that reason."""
    with pytest.raises(NotProved) as error:
        call(*arguments, **named)
    assert error.value.reason == reason, str(error.value)


def test_header_account_and_slots_in_one_go():
    known = chain()
    block = check_header(known.header, known.anchor)
    assert (block.number, block.timestamp_s, block.state_root) == (0x1B4, 10, known.state.root_hash)
    account = check_account(block.state_root, known.address, known.account_path(), code_hash=CODE)
    assert account == Account(nonce=1, balance=5 * 10**17, storage_root=known.storage.root_hash, code_hash=CODE)
    paths = {slot: known.slot_path(slot) for slot in (*known.values, 2**255 + 1)}
    assert check_slots(account.storage_root, paths) == known.values | {2**255 + 1: 0}


@few
@given(
    st.dictionaries(st.binary(min_size=1, max_size=6), st.integers(1, 2**256 - 1), max_size=40), st.binary(max_size=4)
)
def test_paths_agree_with_the_plain_twin(entries, absent):
    values = {key: rlp.encode(minimal(value)) for key, value in entries.items()}
    made, pairs = trie_of(values), {keccak(key).hex(): value for key, value in values.items()}
    assert spec.root(pairs) == made.root_hash
    for key in {*entries, absent}:
        path = spec.path(pairs, keccak(key).hex())
        assert not entries or path == path_to(made, key)
        assert look_up(made.root_hash, key, path, Reader(), where="test") == values.get(key)


def test_inline_nodes_are_read_in_place():
    """Hashes that share 63 nibbles take 2²⁵² tries, so the neighbours' hashes are made up."""
    key = keccak(b"key").hex()
    near, far = key[:-1] + f"{int(key[-1], 16) ^ 1:x}", f"{int(key[0], 16) ^ 1:x}" * 64
    stored = {key: b"\x2a", near: b"\x07", far: b"\x09"}
    root, path = spec.root(stored), spec.path(stored, key)
    assert len(path) == 2, "a branch, and an extension that holds the last branch and its leaves"
    assert look_up(root, b"key", path, Reader(), where="test") == b"\x2a"
    swapped = [path[0], path[1].replace(b"\x2a", b"\x2b")]
    refused(Reason.WRONG_NODE, look_up, root, b"key", swapped, Reader(), where="test")
    listed = [*path, spec.rlp([b""] * 17)]
    refused(Reason.WRONG_COUNT, look_up, root, b"key", listed, Reader(), where="test")


def test_empty_trie_proves_absence():
    assert look_up(EMPTY_ROOT, b"key", [], Reader(), where="test") is None
    assert look_up(EMPTY_ROOT, b"key", [b"\x80"], Reader(), where="test") is None
    refused(Reason.WRONG_COUNT, look_up, EMPTY_ROOT, b"key", chain().slot_path(1), Reader(), where="test")
    assert EMPTY_ROOT == keccak(b"\x80") == spec.root({}) == trie_of({}).root_hash


def test_absent_account():
    known, nobody = chain(), bytes(20)
    assert check_account(known.state.root_hash, nobody, known.account_path(nobody)) is None
    refused(Reason.ABSENT, check_account, known.state.root_hash, nobody, known.account_path(nobody), code_hash=CODE)


def test_other_code_is_refused():
    known = chain()
    refused(
        Reason.WRONG_CODE,
        check_account,
        known.state.root_hash,
        known.address,
        known.account_path(),
        code_hash=bytes(32),
    )


def test_truncated_extended_reordered_and_doubled_paths():
    known = chain()
    root, address, path = known.state.root_hash, known.address, known.account_path()
    assert len(path) >= 3
    for reason, bad in (
        (Reason.WRONG_COUNT, path[:-1]),
        (Reason.WRONG_COUNT, []),
        (Reason.WRONG_COUNT, [*path, path[-1]]),
        (Reason.WRONG_COUNT, [*path, b"\x80"]),
        (Reason.WRONG_COUNT, path * 40),
        (Reason.WRONG_NODE, path[::-1]),
        (Reason.WRONG_NODE, path[1:]),
        (Reason.WRONG_NODE, [path[0], path[0], *path[1:]]),
        (Reason.WRONG_NODE, [path[0], path[2], path[1], *path[3:]]),
        (Reason.WRONG_NODE, [b"", *path]),
        (Reason.WRONG_NODE, [path[0] + b"\x00", *path[1:]]),
        (Reason.WRONG_NODE, [b"\x01" + path[0][1:], *path[1:]]),
        (Reason.WRONG_NODE, [path[0][:-1], *path[1:]]),
        (Reason.WRONG_NODE, [b"\xc1" * 532, *path]),  # Bytes that no root names are not even read.
    ):
        refused(reason, check_account, root, address, bad)


@pytest.mark.parametrize(
    ("reason", "node"),
    [
        (Reason.MALFORMED, b""),
        (Reason.MALFORMED, bytes(9000)),
        (Reason.NOT_CANONICAL, b"\xf8\x01\x80"),
        (Reason.NOT_CANONICAL, b"\xc1" * 532),
    ],
)
def test_nodes_that_are_no_rlp_are_refused_under_their_own_hash(reason, node):
    refused(reason, check_account, keccak(node), bytes(20), [node])


def test_another_key_or_another_trie_is_refused():
    known = chain()
    slot = next(iter(known.values))
    path = known.slot_path(slot)
    with pytest.raises(NotProved):
        check_account(known.storage.root_hash, known.address, known.account_path())
    with pytest.raises(NotProved):
        check_slots(known.state.root_hash, {slot: path})
    other = max(known.values, key=lambda s: keccak(word(s))[0] ^ keccak(word(slot))[0])
    with pytest.raises(NotProved):
        check_slots(known.storage.root_hash, {other: path})


def forged_roots() -> Iterator[tuple[Reason, bytes, list[bytes]]]:
    """Tries whose maker does not keep the rules; the key is that of slot 0."""
    nibbles = keccak(word(0)).hex()
    leaf = [bytes.fromhex("20" + nibbles), b"\x05"]
    yield Reason.MALFORMED, b"", [rlp.encode([leaf[0], b""])]
    yield Reason.MALFORMED, b"", [rlp.encode([*leaf, b""])]
    yield Reason.MALFORMED, b"", [rlp.encode(b"text that is long enough for a node")]
    yield Reason.NOT_CANONICAL, b"", [rlp.encode([bytes.fromhex("21" + nibbles), b"\x05"])]
    yield Reason.NOT_CANONICAL, b"", [rlp.encode([bytes.fromhex("60" + nibbles), b"\x05"])]
    yield Reason.NOT_CANONICAL, b"", [rlp.encode([leaf[0], b"\x80"])]  # a stored zero
    yield Reason.NOT_CANONICAL, b"", [rlp.encode([leaf[0], b"\x82\x00\x05"])]  # a leading zero
    yield Reason.NOT_CANONICAL, b"", [rlp.encode([leaf[0], b"\x81\x05"])]  # a long way to write 5
    yield Reason.OVERFLOW, b"", [rlp.encode([leaf[0], rlp.encode(b"\x01" * 33)])]
    yield Reason.MALFORMED, b"", [rlp.encode([leaf[0], rlp.encode([b"\x05"])])]
    yield Reason.MALFORMED, b"", [rlp.encode([b""] * 16 + [b"value"])]
    yield Reason.MALFORMED, b"", [rlp.encode([b"short"] * 16 + [b""])]
    yield Reason.MALFORMED, b"", [rlp.encode([[]] * 16 + [b""])]
    yield (
        Reason.NOT_CANONICAL,
        b"",
        [rlp.encode([leaf] * 2 + [b""] * 15)],
    )  # a leaf inside that is long enough for a hash
    yield Reason.MALFORMED, b"", [rlp.encode([b"\x00", bytes(32)])]  # an extension by nothing
    yield Reason.MALFORMED, b"", [rlp.encode([b"\x10", b""])]
    yield Reason.MALFORMED, b"", [rlp.encode([bytes.fromhex("20" + nibbles[2:]), b"\x05"])]  # a leaf that ends early
    yield Reason.MALFORMED, b"", [rlp.encode([bytes.fromhex("20" + nibbles + "00"), b"\x05"])]  # and one too late
    yield Reason.MALFORMED, b"", [rlp.encode([bytes.fromhex("00" + nibbles), bytes(32)])]  # an extension as long
    yield Reason.NOT_CANONICAL, b"", [rlp.encode([bytes(32)] + [b""] * 16)]  # a branch of one
    yield Reason.MALFORMED, b"", [rlp.encode([b"\x12", [b"\x19", [b"\x20", b"\x05"]]])]  # extensions in extensions
    yield Reason.MALFORMED, b"", [rlp.encode([leaf[0], bytes(500)])]  # longer than a node can be
    long = rlp.encode([bytes.fromhex("3" + nibbles[1:]), bytes(40)])
    yield Reason.MALFORMED, b"", [rlp.encode([b"\x12", keccak(long)]), long]  # no branch below an extension
    short = rlp.encode([b"\x20", b"\x05"])
    yield Reason.NOT_CANONICAL, b"", [rlp.encode([keccak(short)] * 16 + [b""]), short]  # listed, not inside


@pytest.mark.parametrize(("reason", "_root", "nodes"), list(forged_roots()))
def test_tries_that_no_client_writes_are_refused(reason, _root, nodes):
    refused(reason, check_slots, keccak(nodes[0]), {0: nodes})


def test_accounts_that_no_client_writes_are_refused():
    def check(*fields):
        state = trie_of({bytes(20): rlp.encode(list(fields))})
        check_account(state.root_hash, bytes(20), path_to(state, bytes(20)))

    check(b"\x01", b"", bytes(32), bytes(32))
    refused(Reason.WRONG_COUNT, check, b"\x01", b"", bytes(32))
    refused(Reason.WRONG_COUNT, check, b"\x01", b"", bytes(32), bytes(32), b"")
    refused(Reason.MALFORMED, check, b"\x01", b"", bytes(31), bytes(32))
    refused(Reason.MALFORMED, check, [b"\x01"], b"", bytes(32), bytes(32))
    refused(Reason.NOT_CANONICAL, check, b"\x00", b"", bytes(32), bytes(32))
    refused(Reason.OVERFLOW, check, b"\x01" * 9, b"", bytes(32), bytes(32))
    refused(Reason.OVERFLOW, check, b"\x01", b"\x01" * 33, bytes(32), bytes(32))
    refused(Reason.MALFORMED, check_account, bytes(32), bytes(19), [])


def mutated(rng: random.Random, parts: list[bytes]) -> list[bytes]:
    """`parts` with one thing changed: a bit, a byte more or less, two parts swapped, one doubled or dropped."""
    changed, at = list(parts), rng.randrange(len(parts))
    raw = bytearray(parts[at])
    kind = rng.randrange(8)
    if kind < 3:
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    elif kind == 3:
        del raw[rng.randrange(len(raw))]
    elif kind == 4:
        raw.insert(rng.randrange(len(raw) + 1), rng.randrange(256))
    changed[at] = bytes(raw)
    if kind == 5:
        del changed[at]
    elif kind == 6:
        changed.insert(rng.randrange(len(changed) + 1), changed[at])
    elif kind == 7:
        other = rng.randrange(len(changed))
        changed[at], changed[other] = changed[other], changed[at]
    return changed


def accepted(rng: random.Random, rounds: int) -> int:
    """How many of `rounds` changed proofs are believed; each is a header, a path to an account and one to a slot."""
    known, believed = chain(), 0
    account, paths = known.account_path(), [(slot, known.slot_path(slot)) for slot in known.values]
    for _ in range(rounds):
        slot, storage = rng.choice(paths)
        honest = [known.header, *account, *storage]
        shown = mutated(rng, honest)
        if shown == honest:
            continue
        try:
            block = check_header(shown[0], known.anchor)
            cut = 1 + len(account) + (len(shown) - len(honest)) * rng.randrange(2)
            found = check_account(block.state_root, known.address, shown[1:cut], code_hash=CODE)
            check_slots(found.storage_root, {slot: shown[cut:]})
        except NotProved:
            continue
        believed += 1
    return believed


def test_a_hundred_thousand_changed_proofs_are_not_believed():
    assert accepted(random.Random(2), 100_000) == 0


@pytest.mark.parametrize("fields", [15, 16, 17, 20, 21])
def test_headers_of_every_fork(fields):
    named = block_fields(bytes(32), fields)
    header = header_rlp(named)
    assert len(rlp.decode(header)) == fields
    assert check_header(header, keccak(header)).state_root == bytes(32)


def test_headers_that_are_refused():
    named = block_fields(bytes(32))
    refused(Reason.WRONG_COUNT, header_rlp, {k: v for k, v in named.items() if k != "withdrawalsRoot"})
    refused(Reason.WRONG_COUNT, header_rlp, block_fields(bytes(32), 14))
    refused(Reason.MALFORMED, header_rlp, named | {"stateRoot": "0x00"})
    refused(Reason.MALFORMED, header_rlp, named | {"number": "12"})
    refused(Reason.MALFORMED, header_rlp, named | {"number": "0xzz"})
    header = header_rlp(named)
    refused(Reason.WRONG_HEADER, check_header, header, bytes(32))
    values = rlp.decode(header)
    for reason, forged in (
        (Reason.WRONG_COUNT, values[:14]),
        (Reason.WRONG_COUNT, values + [b""] * 20),
        (Reason.WRONG_COUNT, b"text"),
        (Reason.MALFORMED, [*values[:3], bytes(31), *values[4:]]),
        (Reason.MALFORMED, [*values[:3], [b""], *values[4:]]),
        (Reason.NOT_CANONICAL, [*values[:8], b"\x00\x01", *values[9:]]),
    ):
        raw = rlp.encode(forged)
        refused(reason, check_header, raw, keccak(raw))


def test_forks_to_come_keep_the_places():
    values = [*rlp.decode(header_rlp(block_fields(bytes(32)))), b"new", b"newer"]
    raw = rlp.encode(values)
    assert check_header(raw, keccak(raw)).number == 0x1B4
    assert len(HEADER) == 21


def test_mapping_slots():
    """Both orders, against keccak written out; the zero address at slot 0 is Solidity's best-known slot.

    keccak(bytes64(0)) is `ad3228b6…` in every explorer: the first balance of a token without an owner."""
    assert mapping_slot(0, [bytes(20)], layout="solidity") == int.from_bytes(keccak(bytes(64)), "big")
    holder = bytes(range(20))
    padded = bytes(12) + holder
    assert mapping_slot(3, [holder], layout="solidity") == int.from_bytes(keccak(padded + word(3)), "big")
    assert mapping_slot(3, [holder], layout="vyper") == int.from_bytes(keccak(word(3) + padded), "big")
    nested = keccak(word(9) + keccak(padded + word(3)))
    assert mapping_slot(3, [holder, 9], layout="solidity") == int.from_bytes(nested, "big")
    assert mapping_slot(3, [padded], layout="vyper") == mapping_slot(3, [holder], layout="vyper")
    for bad in (b"short", -1, 2**256):
        with pytest.raises(InvalidInput, match="key"):
            mapping_slot(0, [bad], layout="vyper")
