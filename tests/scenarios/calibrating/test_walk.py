"""A walk says after every bar what a calibration of the history cut there says."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec, calibrate
from crossmargin.scenarios.calibrating.calibrated import build_calibrated
from crossmargin.scenarios.calibrating.calibration import CorrelationStress, HorizonRule, KindRule, Scale, TailRule
from crossmargin.scenarios.calibrating.walk import walk
from crossmargin.scenarios.history import FactorHistory, build_history
from tests.scenarios.calibrating.test_calibrate import NAMES, history

SCALE = Scale(stressed_weight=0.25, floor=0.9)
SPECS = (
    CalibrationSpec(lookback=100, scale=SCALE, regime=True, stress_bars=40, default_proxy="spot:BTC", least_bars=30),
    CalibrationSpec(lookback=60, filter="none", stress_bars=40),
    CalibrationSpec(lookback=60, filter="none", stress_bars=40, scale=SCALE),
    CalibrationSpec(lookback=60, horizon_bars=3, stress_bars=40),
    CalibrationSpec(lookback=60, horizon_bars=3, horizon_rule="bootstrap", draws=200, seed=3),
    CalibrationSpec(lookback=150, marginals="spliced", tails=TailRule(share=0.2), horizon_bars=2),
    CalibrationSpec(lookback=150, filter="none", marginals="spliced", tails=TailRule(share=0.2)),
    CalibrationSpec(lookback=100, stressed_share=0.25, stress_bars=30, default_proxy="spot:BTC", least_bars=30),
    CalibrationSpec(lookback=60, correlation_stress=CorrelationStress(), horizon_bars=2),
    CalibrationSpec(method="monte_carlo", lookback=120, draws=256, seed=2),
    CalibrationSpec(
        method="monte_carlo", lookback=150, draws=256, seed=2, marginals="spliced", tails=TailRule(share=0.2)
    ),
)


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(SPECS), st.integers(220, 398), st.integers(0, 3), st.sampled_from([0, 150]))
def test_it_equals_the_calibration_of_the_cut_history(spec: CalibrationSpec, move: int, seed: int, listed: int) -> None:
    told = history(seed, listed=listed if spec.default_proxy else 0)
    found = walk(told, spec).columns(move)
    cut = told.until(int(told.close_ns[move + 1]))
    expected = build_calibrated(calibrate(cut, spec), NAMES)
    np.testing.assert_allclose(found, expected.shock, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(walk(told, spec).weights(move), expected.weight, rtol=1e-12)


@pytest.mark.parametrize("spec", [CalibrationSpec(lookback=60, stress_bars=40), SPECS[1]])
def test_it_is_ready_from_the_first_bar_on_which_a_calibration_is(spec: CalibrationSpec) -> None:
    told = history()
    ready = walk(told, spec).ready()
    first = int(np.argmax(ready))
    assert ready[first:].all()
    calibrate(told.until(int(told.close_ns[first + 1])), spec)
    with pytest.raises(InvalidInput, match="to warm up"):
        calibrate(told.until(int(told.close_ns[first])), spec)


def with_basis(seed: int = 1, jump: int = 200) -> FactorHistory:
    """Three prices, a basis of small moves with one jump and back, and a funding."""
    told, draw = history(seed), np.random.default_rng(seed + 100)
    basis = 0.0005 * draw.normal(size=len(told))
    basis[jump] = 0.05
    funding = 0.0003 + 0.0001 * np.cumsum(draw.normal(size=len(told)))
    level = np.column_stack([told.level, basis, funding])
    return build_history(told.close_ns, (*NAMES, "basis:BTC", "funding:BTC"), level)


@pytest.mark.parametrize("rule", [KindRule(), KindRule(scale=Scale(stressed_weight=0.5, floor=1.5))])
@pytest.mark.parametrize("base", ["ewma", "none"])
def test_a_rule_of_a_kind_is_walked_as_it_is_fitted(rule: KindRule, base: Literal["ewma", "none"]) -> None:
    told = with_basis()
    spec = CalibrationSpec(lookback=100, filter=base, scale=SCALE, regime=True, kinds={"basis": rule})
    for move in (230, 398):
        fitted = calibrate(told.until(int(told.close_ns[move + 1])), spec)
        expected = build_calibrated(fitted, told.factors).shock
        np.testing.assert_allclose(walk(told, spec).columns(move), expected, rtol=1e-9, atol=1e-15)
        others = msgspec.structs.replace(spec, kinds={})
        np.testing.assert_array_equal(walk(told, others).columns(move)[:3], walk(told, spec).columns(move)[:3])


def test_without_a_filter_a_jump_is_one_date_of_many_and_no_more() -> None:
    told, plain = with_basis(), KindRule(scale=Scale(floor=1.0))
    filtered = walk(told, CalibrationSpec(lookback=150, scale=Scale(floor=1.0)))
    ruled = walk(told, CalibrationSpec(lookback=150, scale=Scale(floor=1.0), kinds={"basis": plain}))
    before, after = (np.abs(ruled.columns(t)[3]) for t in (198, 201))
    assert after.max() < 0.11  # the jump itself and the way back, at most at twice their size
    assert np.sort(after)[-3] < 0.01  # every other date stays as small as it was
    assert np.abs(filtered.columns(201)[3]).max() > 2.0 * after.max()
    assert before.max() < 0.005


def test_a_law_that_is_refitted_now_and_then_is_older_and_never_newer() -> None:
    told, spec = history(), CalibrationSpec(lookback=150, marginals="spliced", tails=TailRule(share=0.2))
    often, seldom = walk(told, spec), walk(told, spec, refit=20)
    np.testing.assert_array_equal(often.columns(240), seldom.columns(240))
    assert np.abs(often.columns(259) - seldom.columns(259)).max() > 0.0


@pytest.mark.parametrize("rule", ["overlapping", "square_root"])
@pytest.mark.parametrize("bars", [1, 4])
def test_what_happened_is_the_move_of_the_levels(bars: int, rule: HorizonRule) -> None:
    told = history(listed=200)
    found = walk(told, CalibrationSpec(lookback=60, horizon_bars=bars, horizon_rule=rule)).realised()
    for t in (0, 210, 398 - bars):
        relative = told.level[t + 1 + bars] / told.level[t + 1] - 1.0
        np.testing.assert_allclose(found[:, t], relative, rtol=1e-9)
    assert np.isnan(found[:, 399 - bars :]).all()
    assert np.isnan(found[2, 150])


def test_rewriting_the_future_changes_no_column() -> None:
    told = history()
    level = told.level.copy()
    level[301:] *= np.linspace(1.0, 5.0, 99)[:, None]
    other = build_history(np.arange(1, 401) * DAY_NS, NAMES, level)
    spec = SPECS[0]
    np.testing.assert_array_equal(walk(told, spec).columns(299), walk(other, spec).columns(299))
