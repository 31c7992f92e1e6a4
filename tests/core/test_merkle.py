"""Merkle trees: published roots, proofs that hold, and proofs that must not."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.merkle import inclusion_proof, merkle_root, verify_inclusion

record_lists = st.lists(st.binary(max_size=8), min_size=1, max_size=40)
# The records and roots of the test of Google's Certificate Transparency log (merkle_tree_test.cc, 2013), RFC 6962's
# tree, which RFC 9162 keeps.
RECORDS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def by_recursion(records: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, as it is written."""
    if len(records) == 1:
        return hashlib.sha256(b"\x00" + records[0]).digest()
    split = 1
    while split * 2 < len(records):
        split *= 2
    return hashlib.sha256(b"\x01" + by_recursion(records[:split]) + by_recursion(records[split:])).digest()


@pytest.mark.parametrize("size", ROOTS)
def test_published_roots(size: int):
    assert merkle_root([bytes.fromhex(r) for r in RECORDS[:size]]).hex() == ROOTS[size]


def test_root_of_nothing():
    assert merkle_root([]) == hashlib.sha256(b"").digest()


@given(record_lists)
def test_roots_are_those_of_the_standard(records: list[bytes]):
    assert merkle_root(records) == by_recursion(records)


@given(record_lists, st.data())
def test_each_record_is_proved(records: list[bytes], data):
    index = data.draw(st.integers(0, len(records) - 1))
    proof = inclusion_proof(records, index)
    assert verify_inclusion(records[index], index, len(records), proof, merkle_root(records))


@given(record_lists, st.data())
def test_no_changed_proof_holds(records: list[bytes], data):
    index, size, root = data.draw(st.integers(0, len(records) - 1)), len(records), merkle_root(records)
    proof = list(inclusion_proof(records, index))
    assert not verify_inclusion(records[index] + b"!", index, size, proof, root)
    assert not verify_inclusion(records[index], index, size, [*proof, root], root)
    assert not verify_inclusion(records[index], size, size, proof, root)
    assert not verify_inclusion(records[index], -1, size, proof, root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]
        assert not verify_inclusion(records[index], index, size, changed, root)
        assert not verify_inclusion(records[index], index, size, proof[:-1], root)


@pytest.mark.parametrize("index", [-1, 3])
def test_no_such_record(index: int):
    with pytest.raises(InvalidInput, match="from 0 to 2"):
        inclusion_proof([b"a", b"b", b"c"], index)
