"""P-values and critical values from a test's own law."""

from functools import partial

import numpy as np
import pytest

from crossmargin.validation.statistics import coverage
from crossmargin.validation.statistics.results import Conventions
from crossmargin.validation.statistics.simulation import simulated

tuff = partial(coverage.tuff, rate=0.05)


def test_ties_count_as_reached():
    """A waiting time of no surprise at all is reached by every simulation, the greatest by none."""
    marks = np.zeros((2, 50), bool)
    marks[0, 19] = True  # On date 1/p, the ratio is 0.
    marks[1, 0] = True
    tested = simulated(tuff, marks, rate=0.05, seed=1, simulations=999)
    assert float(tested.p_value[0]) == 1.0
    first = (np.random.default_rng(1).random((999, 50)) < 0.05)[:, 0]
    later = coverage.tuff(np.eye(50, dtype=bool), rate=0.05).statistic >= tested.statistic[1]
    assert later.sum() == 1
    assert float(tested.p_value[1]) == pytest.approx((1 + first.sum()) / 1000)


def test_the_critical_value_parts_the_law():
    marks = np.random.default_rng(2).random((4_000, 200)) < 0.1
    tested = simulated(partial(coverage.tbfi, rate=0.1), marks, rate=0.1, seed=1, simulations=4_999)
    assert (tested.statistic > float(tested.critical)).mean() == pytest.approx(0.05, abs=0.015)
    assert tested.at((0,), Conventions()).distribution == "simulated"


def test_blocks_of_simulations_change_nothing(monkeypatch):
    marks = np.random.default_rng(3).random((3, 100)) < 0.05
    whole = simulated(tuff, marks, rate=0.05, seed=1, simulations=500)
    monkeypatch.setattr("crossmargin.validation.statistics.simulation._CELLS", 700)
    assert (simulated(tuff, marks, rate=0.05, seed=1, simulations=500).p_value == whole.p_value).all()
