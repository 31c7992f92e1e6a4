"""Surfaces: through their smiles, linear in total variance between, flat volatility outside."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.instant import YEAR_NS
from crossmargin.market import document as doc
from crossmargin.market import svi
from crossmargin.market.build import build_snapshot
from crossmargin.market.surface import VolSurface
from spec.world import total_variance
from tests.strategies import AS_OF_MS, DAY_MS, YEAR_MS, few, markets, numbers, plain_market
from tests.worlds import market, underlying

K = np.linspace(-1.5, 1.5, 13)


def surface(*slices: tuple[float, float], **more: object) -> VolSurface:
    """Flat smiles given by tenor in years and volatility."""
    flat = tuple(
        doc.Slice(expiry=AS_OF_MS + int(t * YEAR_MS), a=vol**2 * t, b=0.0, rho=0.0, m=0.0, sigma=1.0)
        for t, vol in slices
    )
    found = build_snapshot(market(underlying("BTC", 100.0, surface=doc.Surface(slices=flat, **more))))
    assert found.underlyings["BTC"].surface is not None
    return found.underlyings["BTC"].surface


def at(years: float) -> int:
    return (AS_OF_MS + int(years * YEAR_MS)) * 1_000_000


def test_raw_svi_by_hand():
    # 0.04 + 0.1 (−0.5 · 0.3 + √(0.3² + 0.4²)) = 0.04 + 0.1 · (−0.15 + 0.5) = 0.075 at k = 0.5, m = 0.2.
    params = np.asarray([0.04, 0.1, -0.5, 0.2, 0.4])
    assert float(svi.total_variance(np.asarray(0.5), params)) == pytest.approx(0.075, rel=1e-14)


def test_variance_is_linear_in_time_between_smiles():
    s = surface((1.0, 0.4), (2.0, 0.5))
    # w(1) = 0.16, w(2) = 0.50, so w(1.5) = 0.33 and the volatility √(0.33/1.5).
    assert float(s.vol(0.0, at(1.5))) == pytest.approx(math.sqrt(0.22), rel=1e-12)


def test_volatility_is_flat_before_the_first_and_after_the_last():
    s = surface((1.0, 0.4), (2.0, 0.5))
    assert s.vol(0.0, [at(0.01), at(1.0)]) == pytest.approx([0.4, 0.4], rel=1e-12)
    assert s.vol(0.0, [at(2.0), at(9.0)]) == pytest.approx([0.5, 0.5], rel=1e-12)


def test_a_normal_surface_speaks_in_price_units():
    s = surface((1.0, 0.3), kind="normal", scale=20.0)
    assert float(s.vol(0.0, at(1.0))) == pytest.approx(6.0, rel=1e-12)
    assert not s.lognormal


@few
@given(st.data())
def test_between_arbitrage_free_smiles_there_is_no_calendar_arbitrage(data: st.DataObject):
    found = build_snapshot(data.draw(markets()))
    tenors = found.time_ns + np.linspace(0.001, 4.0, 17) * YEAR_NS
    for u in found.underlyings.values():
        if u.surface is not None:
            w = u.surface.total_variance(K[None, :], tenors.astype(np.int64)[:, None])
            assert (np.diff(w, axis=0) >= -1e-13).all()
            assert (w > 0.0).all()


@few
@given(st.data())
def test_it_says_what_the_twin_says(data: st.DataObject):
    document = data.draw(markets())
    found, plain = build_snapshot(document), plain_market(document)
    expiry = found.time_ns // 1_000_000 + data.draw(st.integers(60_000, 5 * YEAR_MS))
    k = data.draw(numbers(-3.0, 3.0))
    for name, u in found.underlyings.items():
        if u.surface is not None:
            expected = total_variance(plain, plain.underlyings[name], k, expiry)
            assert float(u.surface.total_variance(k, expiry * 1_000_000)) == pytest.approx(expected, rel=1e-12)


@given(st.integers(1, 4 * 365), numbers(-2.0, 2.0))
def test_a_blend_weighs_two_neighbours(days: int, k: float):
    s = surface((0.25, 0.6), (0.5, 0.55), (1.0, 0.5))
    blend = s.blend(np.asarray([(AS_OF_MS + days * DAY_MS) * 1_000_000]))
    assert 0 <= blend.low[0] <= blend.high[0] <= min(blend.low[0] + 1, 2)
    assert blend.weight_low[0] >= 0.0
    assert blend.weight_high[0] >= 0.0
    if 0.25 <= days / 365 <= 1.0:
        assert blend.weight_low[0] + blend.weight_high[0] == pytest.approx(1.0)
