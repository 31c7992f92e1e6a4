"""How margin moves, what it costs, and what it misses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossmargin.validation import procyclicality as pc
from crossmargin.validation.statistics.results import Conventions

margins = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 3), st.integers(6, 30)), elements=st.floats(1.0, 1e6, allow_subnormal=False)
)


@given(margins, st.floats(0.01, 100.0))
def test_ratios_have_no_unit(margin, unit):
    for figure in (pc.peak_to_trough, lambda m: pc.largest_increase(m, dates=5)):
        assert figure(unit * margin) == pytest.approx(figure(margin), rel=1e-9, abs=1e-9)


@given(margins)
def test_no_rise_is_greater_than_peak_to_trough(margin):
    assert (pc.peak_to_trough(margin) >= 1.0).all()
    for n in (1, 3, 5):
        assert (pc.largest_increase(margin, dates=n) <= pc.peak_to_trough(margin) - 1.0 + 1e-9).all()


@given(margins, st.floats(0.01, 1.0))
def test_a_floor_costs_and_calms(margin, share):
    """Raising the low end never raises peak to trough, and never comes for less than nothing."""
    floored = np.maximum(margin, share * margin.max(axis=-1, keepdims=True))
    assert (pc.cost(floored, margin) >= 0.0).all()
    assert (pc.peak_to_trough(floored) <= pc.peak_to_trough(margin) + 1e-9).all()


def test_figures_by_hand():
    margin = np.array([[10.0, 12.0, 9.0, 18.0, 15.0], [4.0, 4.0, 4.0, 4.0, 4.0]])
    loss = np.array([[11.0, -3.0, 18.0, 0.0, 15.0], [0.0, 1.0, 2.0, 3.0, 4.0]])
    assert pc.peak_to_trough(margin).tolist() == [2.0, 1.0]
    assert pc.largest_increase(margin, dates=1).tolist() == [1.0, 0.0]
    assert pc.largest_increase(margin, dates=2).tolist() == pytest.approx([15.0 / 9.0 - 1.0, 0.0])
    assert pc.mean_cost(margin).tolist() == pytest.approx([12.8, 4.0])
    assert [part.tolist() for part in pc.shortfall(loss, margin)] == [[5.0, 0.0], [9.0, 0.0]]
    mean, largest = pc.loss_to_margin(loss, margin)
    assert (mean[0], largest[0]) == pytest.approx((1.55, 2.0))
    assert np.isnan([mean[1], largest[1]]).all()


@given(st.floats(-1.0, 2.0), st.floats(0.1, 10.0), st.integers(1, 5), st.integers(0, 100))
def test_responsiveness_is_the_elasticity(power, level, dates, seed):
    """IM = level · σ^power has the elasticity `power` over any horizon."""
    sigma = np.exp(0.1 * np.cumsum(np.random.default_rng(seed).normal(size=(2, 60)), axis=-1))
    assert pc.responsiveness(level * sigma**power, sigma, dates=dates) == pytest.approx(power, abs=1e-9)


def test_still_volatility_has_no_elasticity():
    assert np.isnan(pc.responsiveness(np.linspace(1.0, 2.0, 30), np.full(30, 0.2)))


def test_all_figures_of_one_portfolio():
    margin, pnl = np.full(40, 10.0), np.zeros(40)
    pnl[[3, 20]] = -15.0, -11.0
    found = pc.procyclicality(margin, pnl, conventions=Conventions(), unmitigated=np.full(40, 8.0))
    assert found.coverage == pytest.approx(0.95)
    assert (found.shortfall_mean, found.shortfall_max) == (3.0, 5.0)
    assert (found.loss_to_margin_mean, found.loss_to_margin_max) == pytest.approx((1.3, 1.5))
    assert (found.cost_mean, found.mean_margin, found.peak_to_trough) == (2.0, 10.0, 1.0)
    assert found.largest_increase == dict.fromkeys((1, 5, 10, 20, 30), 0.0)
    assert found.responsiveness is None
    assert list(pc.procyclicality(margin[:8], pnl[:8], conventions=Conventions()).largest_increase) == [1, 5]
