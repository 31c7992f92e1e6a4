"""Arbitrage is found in the shape of smiles where prices show it, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import SurfaceArbitrage
from crossmargin.market.arbitrage import examine, require_free
from crossmargin.market.fit import build_chain
from crossmargin.market.implied import unit_price
from crossmargin.market.svi import total_variance
from tests.market.option_chains import NOW_NS, SHAPE, known_chain

FREE = SHAPE.smiles(0.36 * np.array([0.01, 0.1, 1.0]))


def calls(params: np.ndarray, strikes: np.ndarray) -> np.ndarray:
    k = np.log(strikes)
    total = np.sqrt(total_variance(k, params[:, None, :]))
    return np.array([unit_price(k, row, np.ones(k.size, bool)) for row in total])


def test_prices_of_a_free_surface_fall_bend_up_and_grow():
    made = known_chain()
    prices = calls(build_chain(made.quotes, now_ns=NOW_NS).svi, np.linspace(0.2, 4.0, 1500))
    assert (np.diff(prices, axis=1) <= 1e-15).all()
    assert (np.diff(prices, 2, axis=1) >= -1e-12).all()
    assert (np.diff(prices, axis=0) >= -1e-15).all()


def test_smiles_in_the_wrong_order_are_calendar_arbitrage():
    found = examine(FREE[::-1].copy())
    assert found.calendar.tolist() == [False, True, True]
    with pytest.raises(SurfaceArbitrage, match=r"surface\[1\]: growth of total variance"):
        require_free(FREE[::-1].copy(), where="surface")


def test_wings_that_cross_beyond_every_grid_are_found_by_their_slopes():
    crossing = FREE.copy()
    crossing[1, :2] = crossing[0, 0] + 400.0, 0.9 * crossing[0, 1]
    found = examine(crossing)
    assert (found.growth_min > 0.0)[1]
    assert found.calendar[1]


def test_a_wing_steeper_than_lee_allows_is_butterfly_arbitrage():
    steep = FREE.copy()
    steep[2, 1:3] = 2.0, 0.4
    found = examine(steep)
    assert found.butterfly[2]
    assert found.slope_max[2] == pytest.approx(2.8)


def test_negative_variance_is_arbitrage():
    sunk = FREE.copy()
    sunk[0, 0] -= 2.0 * total_variance(np.zeros(1), FREE)[0]
    assert examine(sunk).calendar[0]
    assert examine(sunk).butterfly[0]


@given(st.floats(-0.9, 0.9), st.floats(0.5, 4.0), st.floats(0.01, 0.5))
def test_what_is_flagged_shows_in_prices_and_what_shows_is_flagged(rho, curvature, theta):
    """On smiles of SSVI's form, free or not: a negative butterfly of prices if and only if g is clearly negative."""
    phi = curvature / np.sqrt(theta)
    root = np.sqrt(1.0 - rho**2)
    params = np.array([[0.5 * theta * root**2, 0.5 * theta * phi, rho, -rho / phi, root / phi]])
    found = examine(params)
    strikes = np.exp(np.linspace(-3.0, 3.0, 4001))
    prices = calls(params, strikes)[0]
    slope = np.diff(prices) / np.diff(strikes)
    if found.density_min[0] > 1e-3 and found.slope_max[0] <= 2.0:
        assert (np.diff(slope) >= -1e-9).all()
    if found.density_min[0] < -0.05 and abs(found.density_k[0]) < 2.0:
        assert (np.diff(slope) < 0.0).any()
