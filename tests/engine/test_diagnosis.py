"""Diagnoses: statistics against plain twins and published values, and filters that leave nothing behind."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2, kurtosis

from crossmargin.core.instant import DAY_NS
from crossmargin.engine.diagnosis import diagnose, excess_kurtosis, ljung_box
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec, calibrate
from crossmargin.scenarios.calibrating.calibration import FilterFit
from crossmargin.scenarios.history import FactorHistory, build_history
from tests.engine.calibrated import fitted, history
from tests.margin.books import replace

SERIES = arrays(np.float64, st.integers(30, 60), elements=st.floats(-5.0, 5.0, width=32))


def ljung_box_by_hand(values: list[float], lags: int) -> float:
    """n(n + 2)·Σ ρₖ²/(n − k), in plain Python; the p-value by SciPy's chi-square."""
    n = len(values)
    mean = sum(values) / n
    centred = [x - mean for x in values]
    total = sum(x * x for x in centred)
    found = 0.0
    for k in range(1, lags + 1):
        rho = sum(centred[t] * centred[t - k] for t in range(k, n)) / total
        found += rho * rho / (n - k)
    return float(chi2.sf(n * (n + 2.0) * found, lags))


@given(SERIES, st.integers(1, 10))
@settings(max_examples=60, deadline=None)
def test_ljung_box_is_its_formula(values: np.ndarray, lags: int):
    if np.ptp(values) < 1e-3:
        return
    assert ljung_box(values, lags) == pytest.approx(ljung_box_by_hand(values.tolist(), lags), rel=1e-6, abs=1e-12)


@given(SERIES)
@settings(max_examples=60, deadline=None)
def test_kurtosis_is_that_of_scipy(values: np.ndarray):
    if np.ptp(values) < 1e-3:
        return
    assert excess_kurtosis(values) == pytest.approx(float(kurtosis(values, fisher=True, bias=True)), rel=1e-6, abs=1e-9)


def test_constants_have_neither_memory_nor_tails():
    assert ljung_box(np.full(50, 3.0), 10) == 1.0
    assert excess_kurtosis(np.full(50, 3.0)) == 0.0


def test_two_points_have_the_least_kurtosis():
    assert excess_kurtosis(np.asarray([-1.0, 1.0] * 20)) == pytest.approx(-2.0)


def test_independent_values_are_rejected_as_often_as_is_said():
    draw = np.random.default_rng(11)
    rejected = sum(ljung_box(draw.normal(size=500), 10) < 0.05 for _ in range(400))
    assert rejected / 400 == pytest.approx(0.05, abs=0.035)  # three standard errors


GJR = FilterFit(kind="gjr", omega=2e-6, alpha=0.03, gamma=0.10, beta=0.90)


def gjr_history(bars: int = 3000, seed: int = 3) -> FactorHistory:
    """Levels whose log moves follow `GJR` with normal innovations."""
    z = np.random.default_rng(seed).normal(size=bars)
    h, moves = GJR.omega / (1.0 - GJR.alpha - 0.5 * GJR.gamma - GJR.beta), np.empty(bars)
    for t in range(bars):
        moves[t] = math.sqrt(h) * z[t]
        h = GJR.omega + (GJR.alpha + (GJR.gamma if moves[t] < 0.0 else 0.0)) * moves[t] ** 2 + GJR.beta * h
    level = 100.0 * np.exp(np.cumsum(moves))
    return build_history(np.arange(1, bars + 1) * DAY_NS, ("spot:BTC",), level[:, None])


def test_the_filter_that_made_the_moves_takes_all_memory_out():
    told = gjr_history()
    spec = CalibrationSpec(method="filtered", filter="gjr", lookback=2000)
    own = diagnose(calibrate(told, spec, fits={"spot:BTC": GJR}), model="own").factors[0]
    assert own.squares_p_value > 0.01
    assert own.residual_deviation == pytest.approx(1.0, abs=3.0 * own.residual_deviation_error)
    assert own.excess_kurtosis == pytest.approx(0.0, abs=0.4)
    assert own.halves_ratio == pytest.approx(1.0, abs=0.1)


def test_no_filter_leaves_the_memory():
    plain = diagnose(
        calibrate(gjr_history(), CalibrationSpec(method="historical", filter="none", lookback=2000)), model="p"
    )
    assert plain.factors[0].squares_p_value < 1e-6


def test_normal_residuals_have_normal_tails():
    """φ(1.96)/0.025 = 2.338 is the expected shortfall of a standard normal at 97.5 %."""
    told = gjr_history()
    spec = CalibrationSpec(method="filtered", filter="gjr", lookback=2000)
    own = diagnose(calibrate(told, spec, fits={"spot:BTC": GJR}), model="own").factors[0]
    for tail, error in ((own.fall, own.fall_error), (own.rise, own.rise_error)):
        assert tail == pytest.approx(2.338, abs=4.0 * error)
        assert 0.0 < error < 0.2


def test_volatilities_are_those_of_the_calibration_a_year():
    model = fitted().calibration
    assert model is not None
    found = diagnose(model, model="m@d")
    for f, fit, used in zip(found.factors, model.factors, model.scales(), strict=True):
        assert f.now == pytest.approx(fit.now * math.sqrt(365.0))
        assert f.used == pytest.approx(used * math.sqrt(365.0))
    matrix = np.asarray(found.correlation)
    np.testing.assert_allclose(matrix, matrix.T)
    np.testing.assert_allclose(matrix, np.corrcoef(model.residuals.array.T), atol=1e-12)
    assert (found.rows, found.bar_days, found.horizon_days) == (model.residuals.rows, 1.0, 1.0)


def test_a_factor_that_never_moved_has_no_tails():
    told = history()
    level = np.array(told.level)
    level[:, 1] = 7.0
    still = build_history(told.close_ns, told.factors, level, source="made up")
    model = fitted(told=still).calibration
    assert model is not None
    found = diagnose(model, model="m").factors[1]
    assert (found.fall, found.rise, found.residual_deviation, found.used) == (0.0, 0.0, 0.0, 0.0)
    assert found.squares_p_value == 1.0
    assert diagnose(model, model="m").correlation[1] == (0.0, 1.0, 0.0, 0.0)


def test_what_a_proxy_filled_is_left_out_of_the_statistics():
    told = history()
    level = np.array(told.level)
    level[:170, 1] = np.nan
    listed = build_history(told.close_ns, told.factors, level, source="made up")
    model = fitted(told=listed, default_proxy="spot:BTC").calibration
    assert model is not None
    found = diagnose(model, model="m").factors[1]
    assert found.proxied == model.factors[1].proxied > 0
    rows = np.array(model.residuals.array)
    rows[: found.proxied, 1] = 50.0
    changed = replace(model, residuals=type(model.residuals).of(rows))
    assert diagnose(changed, model="m").factors[1].residual_deviation == found.residual_deviation
