"""A calibration knows the past alone, gives back what it took apart, and says what it filled."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.core.instant import DAY_NS
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec, calibrate, common_bars, worst_stretch
from crossmargin.scenarios.calibrating.calibrated import horizon_moves
from crossmargin.scenarios.calibrating.calibration import Calibration, FilterFit, KindRule, Scale
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.scenarios.liquidity import LiquidityRule

NAMES = ("spot:BTC", "spot:ETH", "spot:SOL")


def history(seed: int = 1, bars: int = 400, listed: int = 0) -> FactorHistory:
    draw = np.random.default_rng(seed)
    market = draw.standard_t(5, size=(bars, 1)) * 0.02
    moves = market + draw.standard_t(5, size=(bars, 3)) * 0.01
    level = 100.0 * np.exp(np.cumsum(moves, axis=0))
    level[:listed, 2] = np.nan
    return build_history(np.arange(1, bars + 1) * DAY_NS, NAMES, level)


def spec(**changes: object) -> CalibrationSpec:
    return CalibrationSpec(**{"lookback": 100, "default_proxy": "spot:BTC", **changes})  # type: ignore[arg-type] a test's own table of changes


def test_rules_are_of_kinds_that_there_are() -> None:
    with pytest.raises(UnknownName, match="kind of factor with a rule"):
        spec(kinds={"bases": KindRule()})
    with pytest.raises(InvalidInput, match="one that forecasts"):
        spec(kinds={"spot": KindRule()}, liquidity=LiquidityRule())


def test_a_model_fitted_before_there_were_rules_is_read() -> None:
    told = msgspec.to_builtins(calibrate(history(), spec()))
    for fit in told["factors"]:
        del fit["scale"]
    assert msgspec.convert(told, Calibration) == calibrate(history(), spec())


@settings(deadline=None, max_examples=20)
@given(st.integers(200, 399), st.integers(0, 5))
def test_nothing_after_the_cut_changes_anything(day: int, seed: int) -> None:
    whole = history(seed)
    rewritten = build_history(
        whole.close_ns, NAMES, np.where(np.arange(len(whole))[:, None] < day, whole.level, 7.0 * whole.level[::-1])
    )
    now = day * DAY_NS
    assert calibrate(whole.until(now), spec()) == calibrate(rewritten.until(now), spec())


def test_residuals_times_the_volatility_of_their_day_are_the_moves() -> None:
    told = history()
    found = calibrate(told, spec(filter="none"))
    moves, labels = horizon_moves(found)
    np.testing.assert_allclose(moves, told.moves()[-100:], rtol=1e-12)
    assert labels[-1] == "1971-02-05T00:00:00Z"  # 400 days after the epoch


def test_the_filter_is_the_recursion_written_out() -> None:
    told = history()
    moves = told.moves()[:, 0]
    variance = float(np.mean(moves[:22] ** 2))
    for move in moves[22:]:
        variance = 0.97 * variance + 0.03 * move**2
    assert calibrate(told, spec()).factors[0].now == pytest.approx(math.sqrt(variance), rel=1e-12)


def test_a_short_factor_is_filled_from_its_proxy_and_says_so() -> None:
    found = calibrate(history(listed=340), spec(least_bars=30))
    sol = found.factors[2]
    assert sol.proxy == "spot:BTC"
    assert sol.proxied == 340 + 22 - 299  # its first move is the 340th, 22 warm up; the look-back begins at the 299th
    assert sol.observations == 59
    assert not np.isnan(found.residuals.array).any()
    filled = found.residuals.array[: sol.proxied]
    assert np.corrcoef(filled[:, 0], filled[:, 2])[0, 1] > 0.5
    assert found.factors[0].proxied == 0
    assert found.factors[0].proxy == ""


def test_a_short_factor_without_proxy_is_refused() -> None:
    with pytest.raises(InvalidInput, match="spot:SOL"):
        calibrate(history(listed=340), spec(least_bars=30, default_proxy=""))
    with pytest.raises(InvalidInput, match="moves of spot:SOL"):
        calibrate(history(listed=390), spec())
    with pytest.raises(UnknownName):
        calibrate(history(listed=340), spec(least_bars=30, default_proxy="spot:XRP"))


def test_a_closed_market_joins_the_days_it_missed() -> None:
    told = history()
    level = told.level.copy()
    level[200:202, 1] = np.nan
    gapped = common_bars(build_history(told.close_ns, NAMES, level))
    assert len(gapped) == 398
    jump = math.log(level[202, 0] / level[199, 0])
    assert gapped.moves()[199, 0] == pytest.approx(jump, rel=1e-12)


def test_a_factor_that_ended_is_refused() -> None:
    told = history()
    level = told.level.copy()
    level[-1, 1] = np.nan
    with pytest.raises(InvalidInput, match="spot:ETH"):
        calibrate(build_history(told.close_ns, NAMES, level), spec())


def test_the_worst_stretch_is_found() -> None:
    moves = np.full((50, 1), 0.01)
    moves[20:25] = 0.05
    assert worst_stretch(moves, 5)[0] == pytest.approx(0.05, rel=1e-12)
    assert worst_stretch(moves, 10)[0] == pytest.approx(math.sqrt((0.05**2 + 0.01**2) / 2.0), rel=1e-12)


def test_a_calm_market_is_held_at_floor_and_stress() -> None:
    told = history()
    plain = calibrate(told, spec())
    held = calibrate(told, spec(scale=Scale(stressed_weight=0.25, floor=1.0), regime=True))
    assert np.all(held.scales() >= plain.scales() * 0.75)
    assert np.all(held.scales() >= [fit.long_run for fit in held.factors])
    assert all(fit.stressed >= fit.long_run for fit in held.factors)


def test_garch_needs_its_fit() -> None:
    with pytest.raises(UnknownName, match="garch fit"):
        calibrate(history(), spec(filter="garch"))
    fit = FilterFit(kind="garch", omega=1e-5, alpha=0.1, beta=0.85)
    assert calibrate(history(), spec(filter="garch"), fits=dict.fromkeys(NAMES, fit)).factors[0].filter == fit


def test_a_factor_that_never_moves_has_no_residuals() -> None:
    told = history()
    level = told.level.copy()
    level[:, 1] = 1.0
    found = calibrate(build_history(told.close_ns, NAMES, level), spec())
    assert np.all(found.residuals.array[:, 1] == 0.0)
