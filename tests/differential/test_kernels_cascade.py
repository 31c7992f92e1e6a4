"""Cascades against one account at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.accounts.kernels.cascade import cascade_rounds
from spec.kernels import cascade as spec
from tests.strategies import few

ASSETS, CHAINS = 3, 3


@st.composite
def rules(draw):
    """Target health, penalty and rounds; laws and clocks."""
    laws = np.array(
        [
            [draw(st.floats(0.0, 0.5)) for _ in range(ASSETS)],
            [10.0 ** draw(st.floats(-1.0, 3.0)) for _ in range(ASSETS)],
            [draw(st.floats(0.01, 1.0)) for _ in range(ASSETS)],
            [draw(st.floats(0.0, 0.6)) for _ in range(ASSETS)],
        ]
    )
    clock = np.array([[draw(st.integers(1, 8)) for _ in range(CHAINS)], [draw(st.integers(0, 3)) for _ in range(3)]])
    asked = {
        "health": draw(st.sampled_from([1.0, 1.2, 1e6])),
        "penalty": draw(st.sampled_from([0.0, 0.02, 0.5])),
        "rounds": draw(st.sampled_from([2, 12, 60])),
    }
    return laws, clock, asked


def draw_accounts(seed: int, accounts: int = 12):
    """Lines of accounts with leverage around their limit; some hold nothing, some owe from the start."""
    rng = np.random.default_rng(seed)
    ptr = np.concatenate([[0], np.cumsum(rng.integers(0, 4, accounts))])
    asset = rng.integers(0, ASSETS, ptr[-1])
    start = np.array([100.0, 7.0, 1.0])
    quantity = rng.lognormal(0.0, 1.0, ptr[-1]) * rng.choice([1.0, 1.0, -1.0], ptr[-1]) / start[asset]
    owner = np.repeat(np.arange(accounts), np.diff(ptr))
    value = quantity * start[asset]
    gross = np.bincount(owner, np.abs(value), accounts)
    cash = gross * rng.uniform(-0.02, 0.4, accounts) - np.bincount(owner, value, accounts)
    rate = rng.uniform(0.0, 0.1, ptr[-1])
    return ptr, asset, quantity, rate, cash, rng.integers(0, CHAINS, accounts), start


@few
@given(
    st.integers(0, 10_000),
    rules(),
    st.lists(st.floats(-0.6, 0.3), min_size=ASSETS, max_size=ASSETS),
)
def test_cascade_rounds(seed, rule, shock):
    laws, clock, asked = rule
    ptr, asset, quantity, rate, cash, chain, start = draw_accounts(seed)
    shocked = start * (1.0 + np.array(shock))
    found = cascade_rounds(ptr, asset, quantity, rate, cash, chain, start, shocked, laws, clock, **asked)
    columns = list(zip(asset.tolist(), quantity.tolist(), rate.tolist(), strict=True))
    holders = [spec.Holder(columns[ptr[a] : ptr[a + 1]], float(cash[a]), int(chain[a])) for a in range(len(cash))]
    course = spec.cascade_rounds(
        holders,
        start.tolist(),
        shocked.tolist(),
        [spec.Law(*column) for column in laws.T.tolist()],
        [(r, d) for r, d in clock.T.tolist()],
        **asked,
    )
    assert len(found.price) == len(course.price)
    assert found.settled == course.settled
    np.testing.assert_allclose(found.price, course.price, rtol=1e-10)
    np.testing.assert_allclose(found.dealt, course.dealt, rtol=1e-9, atol=1e-12)
    left = [q for one in holders for _, q, _ in one.lines]
    np.testing.assert_allclose(found.quantity, left, rtol=1e-9, atol=1e-12)
    for ours, name in ((found.cash, "cash"), (found.penalty, "penalty"), (found.deficit, "deficit")):
        np.testing.assert_allclose(ours, [getattr(one, name) for one in holders], rtol=1e-9, atol=1e-9)
    assert found.first.tolist() == [one.first for one in holders]
    assert found.failed.tolist() == [one.failed for one in holders]
    assert found.counted[:, 1].sum() == pytest.approx(found.penalty.sum())
