"""Forward and zero curves: through their points, log-linear between, constant carry beyond."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.instant import DAY_NS, NEVER_NS, YEAR_NS
from crossmargin.market.curve import ForwardCurve, RateCurve
from tests.strategies import numbers

NOW = 1_774_969_200_000_000_000


def curve(*points: tuple[int, float], spot: float = 100.0, lognormal: bool = True) -> ForwardCurve:
    return ForwardCurve(
        time_ns=NOW,
        spot=spot,
        expiry_ns=np.asarray([NOW + tenor for tenor, _ in points], np.int64),
        forward=np.asarray([forward for _, forward in points], float),
        lognormal=lognormal,
    )


POINTS = st.lists(
    st.tuples(st.integers(30 * DAY_NS, 5 * YEAR_NS), numbers(50.0, 200.0)), max_size=4, unique_by=lambda p: p[0]
)


@given(POINTS.map(sorted), numbers(50.0, 200.0))
def test_it_goes_through_its_points_and_the_spot(points: list[tuple[int, float]], spot: float):
    for lognormal in (True, False):
        c = curve(*points, spot=spot, lognormal=lognormal)
        assert float(c(NEVER_NS)) == spot
        assert c(NOW + np.asarray([t for t, _ in points], np.int64)) == pytest.approx([f for _, f in points], rel=1e-12)


def test_half_way_is_the_geometric_mean():
    c = curve((YEAR_NS, 121.0))
    assert float(c(NOW + YEAR_NS // 2)) == pytest.approx(110.0, rel=1e-14)  # √(100 · 121)
    assert float(c(NOW + 2 * YEAR_NS)) == pytest.approx(146.41, rel=1e-14)  # the carry of the last point goes on


def test_half_way_is_the_mean_where_prices_may_be_negative():
    c = curve((YEAR_NS, -20.0), spot=10.0, lognormal=False)
    assert float(c(NOW + YEAR_NS // 2)) == pytest.approx(-5.0)
    assert float(c(NOW + 2 * YEAR_NS)) == pytest.approx(-50.0)


def test_without_points_it_is_the_spot():
    assert (curve()(NOW + np.asarray([DAY_NS, YEAR_NS])) == 100.0).all()


@given(POINTS.map(sorted), st.integers(1, 6 * YEAR_NS), numbers(1e-3, 1e3))
def test_a_change_of_unit_changes_nothing_else(points: list[tuple[int, float]], tenor: int, unit: float):
    scaled = curve(*((t, f * unit) for t, f in points), spot=100.0 * unit)
    assert float(scaled(NOW + tenor)) == pytest.approx(unit * float(curve(*points)(NOW + tenor)), rel=1e-10)


def test_zero_rates_are_linear_between_points_and_flat_outside():
    c = RateCurve(tenor_years=np.asarray([1.0, 3.0]), rate=np.asarray([0.02, 0.04]))
    assert c.rate_at([0.0, 1.0, 2.0, 3.0, 30.0]) == pytest.approx([0.02, 0.02, 0.03, 0.04, 0.04])
    assert c.discount([0.0, 2.0]) == pytest.approx([1.0, math.exp(-0.06)])
