"""Raw SVI: published numbers, the jump-wings round trip, the density, and the calibration."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, SurfaceArbitrage
from crossmargin.market import svi
from crossmargin.market.arbitrage import examine, require_free
from crossmargin.market.implied import unit_price

FLAT = np.array([0.04, 0.0, 0.0, 0.0, 0.1])
smile = st.tuples(
    st.floats(0.001, 0.2), st.floats(0.01, 0.9), st.floats(-0.9, 0.9), st.floats(-0.3, 0.3), st.floats(0.05, 1.0)
).map(np.array)


@pytest.fixture(scope="session")
def vogt(shared):
    return json.loads((shared / "vectors/svi/vogt_gatheral_jacquier.json").read_text())


def params_of(vogt) -> np.ndarray:
    return np.array([vogt["raw"][name] for name in ("a", "b", "rho", "m", "sigma")])


def test_vogt_total_variance_and_density(vogt):
    k, w, g = np.array(vogt["k_w_g"]).T
    assert np.abs(svi.total_variance(k, params_of(vogt)) - w).max() < 1e-12
    assert np.abs(svi.density_factor(k, params_of(vogt)) - g).max() < 1e-12


def test_vogt_is_flagged_where_it_fails(vogt):
    found = examine(params_of(vogt)[None, :])
    place, least = vogt["min_g"]
    assert found.butterfly.all()
    assert abs(found.density_k[0] - place) < 5e-3  # the step of the grid there
    assert abs(found.density_min[0] - least) < 1e-6
    with pytest.raises(SurfaceArbitrage, match=r"slices\[0\]: g at k = 0\.88"):
        require_free(params_of(vogt)[None, :], where="slices")


def test_vogt_jump_wings(vogt):
    wings = svi.to_jump_wings(params_of(vogt), tenor_years=vogt["T"])
    figures = [wings.variance, wings.skew, wings.put_slope, wings.call_slope, wings.variance_min]
    assert np.abs(np.array(figures) - list(vogt["jw"].values())).max() < 1e-12
    published = [float(f"{x:.7g}") for x in figures]
    assert np.allclose(published, vogt["published_jw"], rtol=0, atol=5e-8)


def test_vogt_without_butterfly(vogt):
    mended = svi.without_butterfly(svi.to_jump_wings(params_of(vogt), tenor_years=vogt["T"]))
    published = vogt["no_arb_fix_published"]
    assert round(mended.call_slope, 7) == published["c_prime"]
    assert round(mended.variance_min, 8) == published["vt_prime"]
    assert not examine(svi.from_jump_wings(mended)[None, :]).butterfly.any()


@given(smile, st.floats(0.02, 3.0))
def test_jump_wings_come_back(params, tenor):
    assume(abs(params[2] - params[3] / np.hypot(params[3], params[4])) > 1e-2)
    again = svi.from_jump_wings(svi.to_jump_wings(params, tenor_years=tenor))
    k = np.linspace(-1.0, 1.0, 21)
    assert np.allclose(svi.total_variance(k, again), svi.total_variance(k, params), rtol=1e-6, atol=1e-9)


def test_a_smile_lowest_at_the_money_has_no_way_back():
    wings = svi.to_jump_wings(np.array([0.02, 0.2, 0.0, 0.0, 0.3]), tenor_years=0.5)
    with pytest.raises(InvalidInput, match="lowest at the money"):
        svi.from_jump_wings(wings)


def test_jump_wings_come_back_with_the_bend_at_the_money():
    params = np.array([0.02, 0.2, -0.4, 0.0, 0.3])
    assert np.allclose(svi.from_jump_wings(svi.to_jump_wings(params, tenor_years=0.5)), params)


@given(smile, st.floats(-0.5, 0.5))
def test_g_is_the_convexity_of_prices(params, k):
    """∂²C/∂K² · K √(2πw) exp(d₂²/2) = g, with calls revalued at three strikes."""
    step = 1e-3
    strikes = np.exp(k) + step * np.array([-1.0, 0.0, 1.0])
    calls = unit_price(np.log(strikes), np.sqrt(svi.total_variance(np.log(strikes), params)), np.ones(3, bool))
    convexity = (calls[0] - 2.0 * calls[1] + calls[2]) / step**2
    w = float(svi.total_variance(np.array(k), params))
    d2 = -k / np.sqrt(w) - 0.5 * np.sqrt(w)
    density = np.exp(-0.5 * d2**2) / np.sqrt(2.0 * np.pi * w) / np.exp(k)
    g = float(svi.density_factor(np.array(k), params))
    assert convexity == pytest.approx(g * density, rel=5e-3, abs=5e-3 * density + 1e-6)


@given(smile)
def test_calibration_finds_the_smile_it_was_given(params):
    k = np.linspace(-0.8, 0.8, 33) * (1.0 + params[4])
    w = svi.total_variance(k, params)
    fitted = svi.calibrate(k, w, np.ones(k.size))
    assert np.abs(np.sqrt(svi.total_variance(k, fitted)) - np.sqrt(w)).max() < 2e-3


@given(smile, st.integers(0, 2**32 - 1))
def test_calibration_stays_in_its_bounds(params, seed):
    k = np.linspace(-0.6, 0.6, 15)
    w = svi.total_variance(k, params) * np.random.default_rng(seed).uniform(0.8, 1.2, k.size)
    a, b, rho, _, sigma = svi.calibrate(k, w, np.ones(k.size))
    assert 0.0 <= a <= w.max()
    assert b * (1.0 + abs(rho)) <= svi.LEE_SLOPE_MAX + 1e-12
    assert abs(rho) <= 1.0 + 1e-12
    assert sigma > 0.0


@given(smile)
def test_calibration_beats_the_flat_smile(params):
    k = np.linspace(-0.6, 0.6, 15)
    w = svi.total_variance(k, params)
    fitted = svi.calibrate(k, w, np.ones(k.size))
    assert ((svi.total_variance(k, fitted) - w) ** 2).sum() <= ((w.mean() - w) ** 2).sum() + 1e-15


def test_a_point_less_than_parameters_is_a_crash():
    with pytest.raises(AssertionError, match="4 points for five parameters"):
        svi.calibrate(np.arange(4.0), np.ones(4), np.ones(4))


def test_a_flat_smile_has_the_density_of_black():
    assert np.allclose(svi.density_factor(np.linspace(-1.0, 1.0, 5), FLAT), 1.0)
