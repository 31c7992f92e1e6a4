"""Reductions over CSR rows against one account at a time."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.measures.kernels import reduce
from spec.kernels import reduce as spec


def draw(seed: int, *, rows: int = 6, instruments: int = 5, scenarios: int = 9, entries: int = 14):
    """Random rows, some of them empty, over P&L with ties; many entries make the kernels cut tiles."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, entries + 1, rows - 1))
    ptr = np.concatenate([[0], cuts, [entries]]).astype(np.int64)
    index = rng.integers(0, instruments, entries).astype(np.int32)
    quantity = rng.normal(0.0, 10.0, entries)
    pnl = np.round(rng.normal(0.0, 100.0, (instruments, scenarios)), -1)
    return ptr, index, quantity, pnl


def accounts(ptr, index, quantity):
    for start, stop in pairwise(ptr):
        yield list(zip(index[start:stop].tolist(), quantity[start:stop].tolist(), strict=True))


sizes = st.sampled_from([{}, {"scenarios": 64}, {"scenarios": 65}, {"scenarios": 1}, {"scenarios": 150, "entries": 5}])
close = {"rel": 1e-12, "abs": 1e-9}


@given(st.integers(0, 10_000), sizes, st.sampled_from([1, 2]))
def test_worst_rows(seed, size, threads):
    case = draw(seed, **size)
    worst, scenario = reduce.worst_rows(*case, threads=threads)
    for r, positions in enumerate(accounts(*case[:3])):
        loss, _ = spec.worst_rows(positions, case[3].tolist())
        assert worst[r] == pytest.approx(loss, **close)
        assert spec.losses_rows(positions, case[3].tolist())[scenario[r]] == pytest.approx(loss, **close)


@given(st.integers(0, 10_000), sizes, st.floats(0.001, 1.0))
def test_tail_rows(seed, size, share):
    case = draw(seed, **size)
    count = max(1, int(share * case[3].shape[1]))
    quantile, shortfall, scenario = reduce.tail_rows(*case, count)
    for r, positions in enumerate(accounts(*case[:3])):
        expected = spec.tail_rows(positions, case[3].tolist(), count)
        assert (quantile[r], shortfall[r]) == pytest.approx(expected[:2], **close)
        losses = spec.losses_rows(positions, case[3].tolist())
        assert losses[scenario[r]] == pytest.approx(max(losses), **close)


@given(st.integers(0, 10_000), sizes, st.floats(0.001, 1.0))
def test_weighted_tail_rows(seed, size, share):
    case = draw(seed, **size)
    weight = np.random.default_rng(seed).uniform(0.1, 2.0, case[3].shape[1])
    wanted = share * weight.sum()
    quantile, shortfall, _ = reduce.weighted_tail_rows(*case, weight, wanted)
    for r, positions in enumerate(accounts(*case[:3])):
        if not positions:
            continue  # all scenarios tie
        expected = spec.weighted_tail_rows(positions, case[3].tolist(), weight.tolist(), wanted)
        assert quantile[r] == pytest.approx(expected[0], **close)
        if len(np.unique(spec.losses_rows(positions, case[3].tolist()))) == weight.size:  # ties may swap weights
            assert shortfall[r] == pytest.approx(expected[1], **close)


@given(st.integers(0, 10_000), sizes)
def test_losses_rows(seed, size):
    case = draw(seed, **size)
    losses = reduce.losses_rows(*case)
    for r, positions in enumerate(accounts(*case[:3])):
        np.testing.assert_allclose(losses[r], spec.losses_rows(positions, case[3].tolist()), rtol=1e-12, atol=1e-9)


@given(st.integers(0, 10_000), sizes)
def test_order_losses_rows(seed, size):
    ptr, index, quantity, pnl = draw(seed, **size)
    gain = np.random.default_rng(seed).normal(0.0, 200.0, index.size)
    added = reduce.order_losses_rows(ptr, index, quantity, gain, pnl)
    for r in range(ptr.size - 1):
        orders = [(int(index[p]), float(quantity[p]), float(gain[p])) for p in range(ptr[r], ptr[r + 1])]
        np.testing.assert_allclose(added[r], spec.order_losses_rows(orders, pnl.tolist()), rtol=1e-12, atol=1e-9)
