"""A history with a price and its perpetual gives their basis; with one of the two it gives none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS
from crossmargin.scenarios.basis import alone, followed, with_basis
from crossmargin.scenarios.history import FactorHistory, build_history


def told(*factors: str, level: list[list[float]], **more: object) -> FactorHistory:
    closes = np.arange(1, len(level) + 1) * DAY_NS
    return build_history(closes, factors, np.asarray(level), **more)  # type: ignore[arg-type] a test's own table


def test_both_prices_become_one_price_and_a_basis():
    found = with_basis(told("spot:ETH", "spot:BTC-PERP", "spot:BTC", level=[[3.0, 101.0, 100.0], [4.0, 90.0, np.nan]]))
    assert found.factors == ("spot:ETH", "basis:BTC", "spot:BTC")
    np.testing.assert_allclose(found.level[0], [3.0, np.log(1.01), 100.0], rtol=1e-12)
    assert np.isnan(found.level[1, 1])
    assert found.is_log.tolist() == [True, False, True]


@given(st.lists(st.tuples(st.floats(1.0, 1e5), st.floats(-0.2, 0.2)), min_size=2, max_size=9))
def test_price_and_basis_give_the_perpetual_back(rows: list[tuple[float, float]]):
    level = [[price, price * np.exp(basis)] for price, basis in rows]
    found = with_basis(told("index:SPX", "index:SPX-PERP", level=level))
    np.testing.assert_allclose(found.level[:, 0] * np.exp(found.level[:, 1]), np.asarray(level)[:, 1], rtol=1e-13)


def test_one_alone_gives_no_basis_and_is_named():
    lone = told("spot:SOL-PERP", "spot:BTC", "vol:BTC", level=[[1.0, 2.0, 0.5]])
    assert with_basis(lone) is lone
    assert alone(lone.factors) == ("spot:SOL-PERP",)
    assert followed("spot:SOL-PERP") == "spot:SOL"
    assert followed("vol:BTC-PERP") == ""
    negative = told("spot:WTI", "spot:WTI-PERP", level=[[-3.0, -2.0]], scale={"spot:WTI": 50.0, "spot:WTI-PERP": 50.0})
    assert with_basis(negative) is negative
    assert alone(negative.factors) == ("spot:WTI-PERP",)


def test_a_basis_that_is_there_twice_is_refused():
    with pytest.raises(InvalidInput, match="basis:BTC"):
        with_basis(told("spot:BTC", "spot:BTC-PERP", "basis:BTC", level=[[1.0, 1.0, 0.0]]))
