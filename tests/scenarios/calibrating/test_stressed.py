"""Stressed columns: the worst stretch is one time for all, and correlations change while marginals do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import UnknownName
from crossmargin.scenarios.calibrating.calibration import CorrelationStress
from crossmargin.scenarios.calibrating.stressed import DOWN, UP, correlation_families, worst_window
from tests.scenarios.calibrating.test_law import NAMES, residuals

SPOTS = ("spot:BTC", "spot:ETH", "spot:SOL")


def families(rows: np.ndarray, stress: CorrelationStress, names: tuple[str, ...] = NAMES) -> dict[str, np.ndarray]:
    return dict(correlation_families(rows, names, stress))


def correlation(rows: np.ndarray) -> np.ndarray:
    return np.corrcoef(rows.T)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 500), st.floats(0.0, 1.0))
def test_each_factor_keeps_its_own_distribution(seed: int, stress: float) -> None:
    rows = residuals(seed, 300)
    for turned in families(rows, CorrelationStress(stress=stress), SPOTS).values():
        np.testing.assert_array_equal(np.sort(turned, axis=0), np.sort(rows, axis=0))


def test_blocks_move_up_together_and_apart() -> None:
    rows = residuals(rows=2000)
    before = correlation(rows)
    found = families(rows, CorrelationStress(stress=0.6), SPOTS)
    up, down = correlation(found[UP]), correlation(found[DOWN])
    off = ~np.eye(3, dtype=bool)
    wanted = before + 0.6 * (1.0 - before)
    np.testing.assert_allclose(up[off], wanted[off], atol=0.05)
    pairs = down[np.triu_indices(3, 1)]
    assert (pairs < before[np.triu_indices(3, 1)] - 0.5).sum() == 2  # one against two
    assert pairs.max() > before.min()


def test_a_pair_comes_apart_whatever_its_correlation() -> None:
    rows = residuals(rows=2000)[:, :2]
    for values in (rows, rows * np.array([1.0, -1.0])):
        found = families(values, CorrelationStress(stress=0.5), SPOTS[:2])
        before = correlation(values)[0, 1]
        assert correlation(found[DOWN])[0, 1] == pytest.approx(before + 0.5 * (-1.0 - before), abs=0.05)
        assert correlation(found[UP])[0, 1] == pytest.approx(before + 0.5 * (1.0 - before), abs=0.05)


def test_no_stress_changes_no_order() -> None:
    rows = residuals(rows=400)
    for turned in families(rows, CorrelationStress(stress=0.0), SPOTS).values():
        np.testing.assert_allclose(turned, rows, atol=1e-9)


def test_kinds_are_blocks_and_single_factors_stay_as_they_are() -> None:
    rows = residuals(rows=1500)
    found = families(rows, CorrelationStress(stress=0.4))
    before, up = correlation(rows), correlation(found[UP])
    assert up[0, 1] > before[0, 1] + 0.1
    named = families(rows, CorrelationStress(stress=0.4, blocks=(("spot:BTC", "vol:BTC"),)))
    assert correlation(named[UP])[0, 2] > before[0, 2] + 0.1
    with pytest.raises(UnknownName, match="spot:XRP"):
        families(rows, CorrelationStress(blocks=(("spot:BTC", "spot:XRP"),)))


def test_a_factor_that_never_moves_is_left_alone() -> None:
    rows = residuals(rows=300)
    rows[:, 1] = 0.0
    for turned in families(rows, CorrelationStress(), SPOTS).values():
        assert np.all(turned[:, 1] == 0.0)


def test_the_worst_window_is_one_time_for_all_factors() -> None:
    rows = np.full((100, 2), 0.5)
    rows[10:15, 0] = 3.0
    rows[60:65] = 2.5
    assert worst_window(rows, 5) == slice(60, 65)
    assert worst_window(rows, 500) == slice(0, 100)
