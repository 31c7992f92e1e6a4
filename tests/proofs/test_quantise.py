"""Integers against exact fractions: never below the loss, never above it by more than the stated bound."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.quantise import (
    ROW_LIMIT,
    IntegerBook,
    audit,
    error_bound,
    pnl_decimals,
    position_pnl,
    quantise_pnl,
    quantise_positions,
    scaled_floor,
    worst_loss,
    worst_losses,
)
from spec.proofs import quantise as spec
from tests.strategies import few, numbers

SCENARIOS = 5
moves = st.one_of(numbers(-1e5, 1e5), numbers(-1e-4, 1e-4), st.just(0.0), st.sampled_from([0.1, -0.1, 1.0, -25.0]))
decimals_of_quantity = st.integers(0, 10)
quantities = st.one_of(numbers(-1e6, 1e6), st.sampled_from([0.1, -0.3, 1.0, 1e-8, -2.5]))


@st.composite
def books(draw, accounts=4):
    """R, and positions of a few accounts as CSR."""
    instruments = draw(st.integers(1, 4))
    pnl = np.array([[draw(moves) for _ in range(SCENARIOS)] for _ in range(instruments)])
    counts = [draw(st.integers(0, 4)) for _ in range(accounts)]
    index = np.array([draw(st.integers(0, instruments - 1)) for _ in range(sum(counts))], dtype=np.int64)
    quantity = np.array([draw(quantities) for _ in range(sum(counts))], dtype=np.float64)
    return np.concatenate([[0], np.cumsum(counts)]), index, quantity, pnl


def integers(ptr, index, quantity, pnl):
    """R and positions in quanta."""
    rows = quantise_pnl(
        pnl, instruments=[f"i{i}" for i in range(len(pnl))], scenarios=[f"s{s}" for s in range(pnl.shape[1])]
    )
    return rows, quantise_positions(ptr, index, quantity, rows)


def meant(quantity: float, lots: int, between: bool, decimals: int) -> Fraction:
    """The quantity that a float stands for: the decimal number that it is the nearest float to, or itself."""
    return Fraction(quantity) if between else Fraction(int(lots), 10 ** int(decimals))


@given(st.one_of(numbers(-1e3, 1e3), st.floats(-1e-300, 1e-300)), st.integers(0, 15))
@example(0.1, 15)
@example(-5e-324, 0)
@example(0.29, 2)
@example(1.1, 1)
@example(9007199254740993.0 / 1e13, 13)
def test_scaled_floor_is_exact(value, decimals):
    found = scaled_floor(np.array([value]), np.array([decimals]), where="test")
    assert int(found[0]) == spec.quanta(Fraction(value), decimals)


@few
@given(books())
def test_integer_loss_lies_between_the_exact_one_and_the_bound(book):
    ptr, index, quantity, pnl = book
    rows, held = integers(*book)
    losses, scenario = worst_losses(held, rows)
    bounds = error_bound(held, rows)
    quantum = Fraction(1, 10**rows.money_decimals)
    exact_rows = [[Fraction(x) for x in row] for row in pnl.tolist()]
    for account in range(len(ptr) - 1):
        at = range(ptr[account], ptr[account + 1])
        if not at:
            assert (losses[account], scenario[account]) == (0, -1)
            continue
        names = [int(index[p]) for p in at]
        lots = [(int(held.lots[p]), bool(held.open[p])) for p in at]
        wanted = [meant(quantity[p], held.lots[p], held.open[p], rows.lot_decimals[index[p]]) for p in at]
        for q, n, i in zip(wanted, lots, names, strict=True):
            assert spec.lots(q, int(rows.lot_decimals[i])) == n
        exact = spec.exact_worst_loss(wanted, [exact_rows[i] for i in names])
        quanta = [rows.quanta[i].tolist() for i in names]
        bound = spec.error_bound(lots, quanta)
        assert exact <= losses[account] * quantum <= exact + bound * quantum
        assert bounds[account] == pytest.approx(float(bound * quantum), rel=1e-12)
        assert (losses[account], scenario[account]) == spec.worst_loss(lots, quanta)
        assert (losses[account], scenario[account]) == worst_loss([n for n, _ in lots], [b for _, b in lots], quanta)


@given(st.integers(-50, 50), st.booleans(), st.lists(st.integers(-50, 50), min_size=1, max_size=5))
def test_one_position_is_the_least_of_its_box(lots, between, quanta):
    assert position_pnl(lots, between, quanta) == [spec.least_pnl(lots, between, f) for f in quanta]


@few
@given(books())
def test_an_honest_epoch_is_accepted(book):
    ptr, index, quantity, pnl = book
    rows, held = integers(*book)
    loss = float_losses(ptr, index, quantity, pnl)
    judged = audit(loss, quantity, pnl, held, rows)
    assert judged.accepted, (judged.excess_usd, judged.bound_usd, judged.slack_usd)


def float_losses(ptr, index, quantity, pnl):
    """The worst loss of each account in float64, as an engine sums it."""
    found = np.zeros(len(ptr) - 1)
    for account in range(len(ptr) - 1):
        at = slice(ptr[account], ptr[account + 1])
        if at.stop > at.start:
            found[account] = (-(quantity[at] @ pnl[index[at]])).max()
    return found


@pytest.mark.parametrize("error", [-1e-3, 1.0, -1.0, 1e3, np.nan, np.inf])
def test_an_epoch_with_one_wrong_account_is_refused(error):
    rng = np.random.default_rng(3)
    pnl, ptr = rng.normal(0.0, 1e3, (20, 50)), np.arange(0, 101, 10)
    index, quantity = rng.integers(0, 20, 100), np.round(rng.normal(0.0, 10.0, 100), 3)
    rows, held = integers(ptr, index, quantity, pnl)
    loss = float_losses(ptr, index, quantity, pnl)
    assert audit(loss, quantity, pnl, held, rows).accepted
    loss[4] += error
    judged = audit(loss, quantity, pnl, held, rows)
    assert not judged.accepted
    assert judged.refused.tolist() == [4]


def test_the_bound_is_small_for_whole_lots():
    """A desk of 20 positions of tens of coins: cents on losses of hundreds of thousands."""
    rng = np.random.default_rng(4)
    pnl, ptr = rng.normal(0.0, 5e3, (20, 32)), np.array([0, 20])
    index, quantity = np.arange(20), np.round(rng.normal(0.0, 30.0, 20), 2)
    rows, held = integers(ptr, index, quantity, pnl)
    assert not held.open.any()
    assert error_bound(held, rows)[0] < 0.05
    assert float_losses(ptr, index, quantity, pnl)[0] > 1e5


def test_decimals_follow_the_size_of_the_moves():
    pnl = np.array([[5e4, -2e4], [3e-6, 1e-6], [0.0, 0.0], [1e3, 0.0]])
    assert pnl_decimals(pnl).tolist() == [4, 12, 12, 6]
    assert pnl_decimals(np.full((1, 1), 1e12)).tolist() == [0]


def test_rows_and_positions_that_do_not_fit_are_refused():
    named = {"instruments": ["i"], "scenarios": ["s"]}
    with pytest.raises(InvalidInput, match="finite"):
        quantise_pnl(np.array([[np.nan]]), **named)
    with pytest.raises(InvalidInput, match="2⁶²"):
        quantise_pnl(np.array([[1e19]]), **named)
    with pytest.raises(InvalidInput, match="decimals of P&L"):
        quantise_pnl(np.array([[1.0]]), decimals=np.array([13]), **named)
    with pytest.raises(InvalidInput, match="decimals of money"):
        quantise_pnl(np.array([[1.0]]), money_decimals=19, **named)
    rows = quantise_pnl(np.array([[1.0]]), **named)
    with pytest.raises(InvalidInput, match="finite"):
        quantise_positions(np.array([0, 1]), np.array([0]), np.array([np.inf]), rows)
    whole = np.array([0, 1])
    many = IntegerBook(ptr=whole, instrument=whole[:1], lots=np.array([2**61]), open=np.array([False]))
    with pytest.raises(InvalidInput, match="gross position"):
        worst_losses(many, rows)


def test_sums_beyond_64_bits_are_exact():
    rows = quantise_pnl(
        np.array([[-4e6, 4e6]]), instruments=["i"], scenarios=["down", "up"], decimals=np.array([9]), money_decimals=18
    )
    quanta = rows.quanta[0].tolist()
    lots = 2**31 + 12345
    book = IntegerBook(
        ptr=np.array([0, 2]), instrument=np.array([0, 0]), lots=np.array([lots, 7]), open=np.array([False, True])
    )
    wanted = spec.worst_loss([(lots, False), (7, True)], [quanta, quanta])
    assert wanted[0] > ROW_LIMIT
    losses, scenario = worst_losses(book, rows)
    assert (losses[0], scenario[0]) == wanted


def test_no_scenarios_no_loss():
    rows = quantise_pnl(np.zeros((1, 0)), instruments=["i"], scenarios=[])
    book = IntegerBook(ptr=np.array([0, 1]), instrument=np.array([0]), lots=np.array([1]), open=np.array([False]))
    losses, scenario = worst_losses(book, rows)
    assert (losses, scenario.tolist()) == ([0], [-1])
