"""Legs are positions, packed rows are rows, and a path leads where it should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, NotProved
from crossmargin.proofs.quantise import worst_loss
from crossmargin.proofs.zk.commitments import (
    DEPTH,
    HALF,
    LEAVES_MAX,
    SHAPES,
    Leg,
    account_commitment,
    faces_of,
    grow_rows,
    legs_of,
    loss_of,
    packed_legs,
    packed_row,
    path_of,
    root_from,
    salt_of,
    shape_for,
)
from tests.strategies import few

EDGES = st.sampled_from([-HALF, 1 - HALF, -1, 0, 1, HALF - 2, HALF - 1])
WORDS = st.one_of(EDGES, st.integers(-HALF, HALF - 1), st.integers(-20, 20))


@st.composite
def books(draw: st.DrawFn) -> tuple[list[int], list[bool], list[list[int]]]:
    """Lots, whether between, and a row for each [position, scenario]."""
    count, scenarios = draw(st.integers(0, 6)), draw(st.integers(1, 5))
    return (
        draw(st.lists(WORDS, min_size=count, max_size=count)),
        draw(st.lists(st.booleans(), min_size=count, max_size=count)),
        draw(st.lists(st.lists(WORDS, min_size=scenarios, max_size=scenarios), min_size=count, max_size=count)),
    )


@given(books())
def test_legs_lose_what_positions_lose(drawn):
    lots, between, rows = drawn
    legs = legs_of(range(len(lots)), lots, between, faces=3)
    stood = [faces_of(rows[leg.leaf // 3], 3)[leg.leaf % 3] for leg in legs]
    assert loss_of(legs, stood) == max(worst_loss(lots, between, rows)[0], 0)


@given(st.lists(WORDS, min_size=1, max_size=32))
def test_a_packed_row_is_its_numbers_and_the_last_again(quanta):
    packed = packed_row(tuple(quanta), SHAPES[0])
    unpacked = [(one >> 64 * k & (2 * HALF - 1)) - HALF for one in packed for k in range(3)][:32]
    assert unpacked == [*quanta, *quanta[-1:] * (32 - len(quanta))]


@few
@given(st.lists(st.integers(0, 2**250), min_size=1, max_size=7, unique=True), st.data())
def test_a_path_leads_from_its_leaf_alone_to_the_root(leaves, data):
    levels = grow_rows(leaves)
    at, other = (data.draw(st.integers(0, len(leaves) - 1)) for _ in range(2))
    path, root = path_of(levels, at), levels[-1][0]
    assert len(path) == DEPTH
    assert root_from(leaves[at], at, path) == root
    assert (root_from(leaves[other], at, path) == root) == (at == other)
    assert (root_from(leaves[at], other, path) == root) == (at == other)


def test_what_has_no_room_is_refused_or_committed_to_nothing():
    assert [shape_for(count).scenarios for count in (1, 32, 33, 288)] == [32, 32, 288, 288]
    with pytest.raises(InvalidInput, match="at most 288"):
        shape_for(289)
    with pytest.raises(InvalidInput, match="from 1 to"):
        grow_rows([1] * (LEAVES_MAX + 1))
    shape, leg = SHAPES[0], Leg(leaf=0, lots=1)
    assert account_commitment("a", 1, 0, [leg] * (shape.legs + 1), shape) == 0
    assert account_commitment("a", 1, 0, [leg] * shape.legs, shape) != 0
    with pytest.raises(NotProved, match="faces"):
        legs_of([0], [1], [True], faces=1)


def test_salts_differ_by_secret_epoch_and_account():
    secrets, places = (bytes(32), b"\x01" * 32), (("a", 1), ("b", 1), ("a", 2))
    assert len({salt_of(secret, epoch, account) for secret in secrets for account, epoch in places}) == 6
    with pytest.raises(InvalidInput, match="32 bytes"):
        salt_of(b"short", 1, "a")


def test_what_differs_is_committed_to_differently():
    shape, leg = SHAPES[0], Leg(leaf=3, lots=-HALF)
    plain = account_commitment("a", 1, 5, [leg], shape)
    others = [
        account_commitment("b", 1, 5, [leg], shape),
        account_commitment("a", 2, 5, [leg], shape),
        account_commitment("a", 1, 6, [leg], shape),
        account_commitment("a", 1, 5, [Leg(leaf=4, lots=-HALF)], shape),
        account_commitment("a", 1, 5, [Leg(leaf=3, lots=1 - HALF)], shape),
    ]
    assert len({plain, *others}) == 6
    assert packed_legs([leg], shape)[:2] == [3 << 64, HALF]
