"""Merkle-sum trees: every leaf is proven, nothing else is, and totals bind."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crossmargin.core.errors import DuplicateName, InvalidInput, NotProved
from crossmargin.proofs import trees
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.reasons import Reason
from spec.proofs import trees as spec
from tests.strategies import few

SECRET = bytes(range(32))
amounts = st.integers(0, 2**100)


def commit(rows: list[tuple[int, ...]], prefix: str = "account") -> tuple[trees.Tree, list[bytes]]:
    """A tree over accounts with these amounts, and the record of each."""
    names = [f"{prefix} {i}" for i in range(len(rows))]
    salts = [trees.salt_for(SECRET, 1, name) for name in names]
    contents = [keccak(name.encode()) for name in names]
    tree = trees.commit_accounts(names, salts, contents, [list(column) for column in zip(*rows, strict=True)])
    opened = zip(names, salts, contents, rows, strict=True)
    return tree, [trees.account_record(name, salt, content, row) for name, salt, content, row in opened]


@few
@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=33))
def test_every_account_is_proven_and_the_totals_are_the_sums(rows):
    tree, records = commit(rows)
    assert tree.total == tuple(map(sum, zip(*rows, strict=True)))
    for index, record in enumerate(records):
        assert trees.check_inclusion(record, tree.prove(index), tree.root, where="test") == tree.total


@few
@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=17))
def test_root_is_that_of_the_plain_twin(rows):
    tree, _ = commit(rows)
    leaves = []
    for i, row in enumerate(rows):
        name = f"account {i}"
        salt, content = trees.salt_for(SECRET, 1, name), keccak(name.encode())
        leaves.append(spec.account_leaf(name, salt, content, row))
    assert tree.root == spec.root(leaves)


@given(st.lists(st.tuples(amounts), min_size=2, max_size=20), st.data())
def test_another_amount_place_or_order_is_not_proved(rows, data):
    tree, records = commit(rows)
    index, other = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(rows) - 1))
    assume(index != other)
    proof = tree.prove(index)
    for record, shown in (
        (records[other], proof),
        (records[index], tree.prove(other)),
        (records[index], dataclasses.replace(proof, index=other)),
        (records[index], dataclasses.replace(proof, count=proof.count + 1)),
        (records[index], dataclasses.replace(proof, siblings=proof.siblings[:-1])),
        (records[index], dataclasses.replace(proof, siblings=(*proof.siblings, bytes(48)))),
        (trees.account_record(f"account {index}", SECRET, bytes(32), rows[index]), proof),
    ):
        with pytest.raises(NotProved):
            trees.check_inclusion(record, shown, tree.root, where="test")


@few
@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=20), st.data())
def test_a_changed_byte_is_not_proved(rows, data):
    tree, records = commit(rows)
    index = data.draw(st.integers(0, len(rows) - 1))
    proof = tree.prove(index)
    parts = [records[index], *proof.siblings]
    at = data.draw(st.integers(0, len(parts) - 1))
    byte, change = data.draw(st.integers(0, len(parts[at]) - 1)), data.draw(st.integers(1, 255))
    changed = bytearray(parts[at])
    changed[byte] ^= change
    parts[at] = bytes(changed)
    with pytest.raises(NotProved):
        trees.check_inclusion(parts[0], dataclasses.replace(proof, siblings=tuple(parts[1:])), tree.root, where="test")


def test_an_inner_node_is_no_leaf():
    """Second preimage: the record of a node, shown as a leaf of the smaller tree above the leaves."""
    tree, _ = commit([(1,), (2,), (3,), (4,)])
    node, sibling = tree.levels[1][0].tobytes(), tree.levels[1][1].tobytes()
    with pytest.raises(NotProved) as refused:
        trees.check_inclusion(node, trees.Inclusion(index=0, count=2, siblings=(sibling,)), tree.root, where="test")
    assert refused.value.reason == Reason.WRONG_ROOT
    left, right = tree.levels[0][0].tobytes(), tree.levels[0][1].tobytes()
    assert trees.list_record(left + right) != node[:32]


def test_a_sum_that_wraps_is_not_proved():
    """A neighbour so large that the total would come round to a small one."""
    tree, records = commit([(5,), (7,)])
    proof = tree.prove(0)
    huge = proof.siblings[0][:32] + (trees.SUM_LIMIT - 5).to_bytes(16, "big")
    with pytest.raises(NotProved) as refused:
        trees.check_inclusion(records[0], dataclasses.replace(proof, siblings=(huge,)), tree.root, where="test")
    assert refused.value.reason == Reason.OVERFLOW


def test_what_stands_beyond_the_last_leaf_is_nothing():
    tree, records = commit([(1,), (2,), (3,)])
    proof = tree.prove(2)
    assert not any(proof.siblings[0])
    planted = (records[0], proof.siblings[1])
    with pytest.raises(NotProved) as refused:
        trees.check_inclusion(records[2], dataclasses.replace(proof, siblings=planted), tree.root, where="test")
    assert refused.value.reason == Reason.NOT_CANONICAL


@pytest.mark.parametrize("bad", [-1, 2**128, 2**256 - 1])
def test_amounts_out_of_range_are_refused(bad):
    with pytest.raises(InvalidInput, match="amount"):
        commit([(1,), (bad,)])
    with pytest.raises(InvalidInput, match="amount"):
        trees.account_record("a", SECRET, SECRET, [bad])


def test_totals_beyond_128_bits_are_refused():
    with pytest.raises(InvalidInput, match="total"):
        commit([(2**127,), (2**127,)])
    with pytest.raises(InvalidInput, match="total"):
        commit([(2**128 - 1,), (1,)])
    tree, _ = commit([(2**127,), (2**127 - 1,)])
    assert tree.total == (2**128 - 1,)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_sums_carry_between_words(a, b):
    if a + b < 2**128:
        assert commit([(a,), (b,)])[0].total == (a + b,)
    else:
        with pytest.raises(InvalidInput, match="total"):
            commit([(a,), (b,)])


def test_bad_leaves_are_refused():
    with pytest.raises(DuplicateName):
        trees.commit_accounts(["a", "a"], [SECRET] * 2, [SECRET] * 2, [[1, 2]])
    with pytest.raises(InvalidInput, match="as many"):
        trees.commit_accounts(["a", "b"], [SECRET], [SECRET] * 2, [[1, 2]])
    with pytest.raises(InvalidInput, match="salt"):
        trees.commit_accounts(["a"], [b"short"], [SECRET], [[1]])
    with pytest.raises(InvalidInput, match="leaf"):
        trees.commit_accounts([""], [SECRET], [SECRET], [[1]])
    with pytest.raises(InvalidInput, match="columns"):
        trees.commit_accounts(["a"], [SECRET], [SECRET], [[1], [2], [3]])
    with pytest.raises(InvalidInput, match="leaves"):
        trees.commit_accounts([], [], [], [[]])
    with pytest.raises(InvalidInput, match="secret"):
        trees.salt_for(b"", 1, "a")
    with pytest.raises(InvalidInput, match="leaf"):
        commit([(1,)])[0].prove(1)


def test_equal_accounts_have_other_leaves_and_salts():
    _, records = commit([(5,), (5,)])
    assert records[0] != records[1]
    salts = [(SECRET, 1, "a"), (bytes(32), 1, "a"), (SECRET, 2, "a"), (SECRET, 1, "b")]
    assert len({trees.salt_for(*each) for each in salts}) == len(salts)


@few
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
def test_plain_lists(entries):
    tree = trees.commit_list(entries)
    assert tree.total == ()
    for index, entry in enumerate(entries):
        assert trees.check_inclusion(trees.list_record(entry), tree.prove(index), tree.root, where="test") == ()
        with pytest.raises(NotProved):
            trees.check_inclusion(trees.list_record(entry + b"x"), tree.prove(index), tree.root, where="test")


def test_proof_of_one_in_a_million_is_small():
    proof = trees.Inclusion(index=0, count=1_000_000, siblings=(bytes(64),) * (999_999).bit_length())
    assert len(proof.packed) <= 2000


def test_levels_cannot_be_written():
    tree, _ = commit([(1,), (2,)])
    assert not any(level.flags.writeable for level in tree.levels)
    assert isinstance(tree.levels[0], np.ndarray)
