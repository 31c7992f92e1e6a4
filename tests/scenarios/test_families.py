"""Calibrations with tails, copulas, stressed columns and GARCH: what they store, weigh, draw and refuse."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from crossmargin.core.canon import digest
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.core.instant import DAY_NS, format_instant
from crossmargin.measures.reduce import Measure, reduce_losses
from crossmargin.scenarios.calibrating.calibrate import as_filter, calibrate, fit_filters
from crossmargin.scenarios.calibrating.calibrated import build_calibrated, calibrated_columns, horizon_moves
from crossmargin.scenarios.calibrating.calibration import Calibration, CopulaRule, CorrelationStress, Dependence, Matrix
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.scenarios.liquidity import LiquidityRule
from crossmargin.scenarios.statistics.fitting import fit_volatility
from tests.scenarios.calibrating.test_calibrate import NAMES, history, spec

DRAWN = {"method": "monte_carlo", "marginals": "spliced", "lookback": 300, "draws": 1024, "seed": 1}


def drawn(**changes: object) -> Calibration:
    return calibrate(history(), spec(**{**DRAWN, **changes}))


@pytest.mark.parametrize("copula", ["gaussian", "t", "grouped_t", "vine"])
def test_it_survives_the_border_and_draws_the_same_bits(copula: str) -> None:
    if copula == "vine":
        pytest.importorskip("pyvinecopulib")
    rule = CopulaRule(copula=copula, trees=1 if copula == "vine" else None)  # type: ignore[arg-type] a parameter
    made = drawn(dependence=rule, correlation_stress=CorrelationStress(), stressed_share=0.2, stress_bars=50)
    raw = msgspec.json.encode(made)
    back = msgspec.json.decode(raw, type=Calibration)
    assert digest(back) == digest(made)
    one, other = (build_calibrated(c, NAMES) for c in (made, back))
    assert one.hash() == other.hash()
    assert len(raw) < 60_000  # parameters and residuals, no draws


def test_draws_are_scaled_residuals_and_named() -> None:
    made = drawn()
    found = build_calibrated(made, NAMES)
    assert len(found) == 1024
    assert found.labels[7] == "draw 8"
    assert set(found.families) == {"monte_carlo"}
    moves, _ = horizon_moves(made)
    np.testing.assert_allclose(moves.std(axis=0), made.scales() * made.residuals.array.std(axis=0), rtol=0.1)


def test_bars_of_a_drawn_path_are_independent_of_each_other() -> None:
    one, four = drawn(draws=8192), drawn(draws=8192, horizon_bars=4, horizon_rule="bootstrap")
    single, path = (horizon_moves(c)[0] for c in (one, four))
    np.testing.assert_allclose(path.var(axis=0), 4.0 * single.var(axis=0), rtol=0.15)
    root, _ = horizon_moves(drawn(draws=8192, horizon_bars=4, horizon_rule="square_root"))
    np.testing.assert_array_equal(root, 2.0 * single)
    np.testing.assert_array_equal(path, horizon_moves(four)[0])


def test_a_blend_weighs_its_stretch_and_knows_when_it_was() -> None:
    told = history()
    level = told.level.copy()
    level[120:150] *= np.exp(np.cumsum(np.tile([[0.2], [-0.2]], (15, 1)), axis=0))
    told = build_history(told.close_ns, NAMES, level)
    made = calibrate(told, spec(stressed_share=0.25, stress_bars=30))
    found = build_calibrated(made, NAMES)
    stressed = np.asarray([family == "stressed" for family in found.families])
    assert stressed.sum() == 30
    assert found.weight[stressed].sum() == pytest.approx(0.25 * found.weight.sum(), rel=1e-12)
    assert np.all(found.weight[~stressed] == 1.0)
    assert found.labels[int(np.argmax(stressed))] == f"stressed {format_instant(121 * DAY_NS)}"
    np.testing.assert_allclose(found.shock[:, stressed], np.expm1(told.moves()[119:149]).T, rtol=1e-12)
    losses, measure = -found.row("spot:BTC"), Measure(kind="expected_shortfall", level=0.975)
    plain = reduce_losses(-build_calibrated(calibrate(told, spec()), NAMES).row("spot:BTC"), measure)[0]
    assert reduce_losses(losses, measure, weight=found.weight)[0] > plain


def test_a_young_factor_enters_the_stretch_through_its_proxy() -> None:
    made = calibrate(history(listed=340), spec(stressed_share=0.1, stress_bars=40, least_bars=30))
    assert made.stretch is not None
    assert not np.isnan(made.stretch.moves.array).any()


def test_correlation_families_stand_beside_and_weigh_what_is_said() -> None:
    made = calibrate(history(), spec(correlation_stress=CorrelationStress(weight=0.2), stressed_share=0.3))
    families = calibrated_columns(made)
    assert [f.family for f in families] == ["filtered", "stressed", "correlation up", "correlation down"]
    total = sum(len(f.moves) * f.weight for f in families)
    weights = [len(f.moves) * f.weight / total for f in families]
    assert weights == pytest.approx([0.5, 0.3, 0.1, 0.1], rel=1e-12)
    hedge = np.array([1.0, -1.0, 0.0])
    spread = {f.family: float((f.moves @ hedge).std()) for f in families}
    assert spread["correlation up"] < spread["filtered"] < spread["correlation down"]
    assert build_calibrated(made, NAMES).labels[-1].startswith("correlation down 1971-02-05")


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="draws"):
        spec(**{**DRAWN, "draws": 10})
    with pytest.raises(InvalidInput, match="follow each other"):
        spec(**{**DRAWN, "horizon_bars": 2})
    with pytest.raises(InvalidInput, match="stretch"):
        spec(stressed_share=0.1, stress_bars=22, horizon_bars=3)
    with pytest.raises(InvalidInput, match="weight left"):
        spec(stressed_share=0.9, correlation_stress=CorrelationStress())
    with pytest.raises(InvalidInput, match="forecast volatility"):
        spec(filter="none", liquidity=LiquidityRule())
    made = drawn()
    with pytest.raises(MissingFactors, match="spot:SOL"):
        msgspec.structs.replace(
            made, dependence=Dependence(copula="t", factors=NAMES[:2], correlation=Matrix.of(np.eye(2)))
        )
    with pytest.raises(MissingFactors, match="spot:BTC"):
        msgspec.structs.replace(made, dependence=None)
    with pytest.raises(InvalidInput, match="tails is 2, but must be 0"):
        msgspec.structs.replace(made, marginals="empirical")
    with pytest.raises(InvalidInput, match="tails is 0, but must be 2"):
        msgspec.structs.replace(calibrate(history(), spec()), marginals="spliced")


def trending(seed: int = 3, bars: int = 1500) -> FactorHistory:
    """Three factors of GARCH moves, the last listed late."""
    draw = np.random.default_rng(seed)
    shocks = draw.standard_t(6, size=(bars, 3)) / math.sqrt(1.5)
    variance, moves = np.full(3, 4e-4), np.empty((bars, 3))
    for t in range(bars):
        moves[t] = np.sqrt(variance) * shocks[t]
        variance = 8e-6 + 0.08 * moves[t] ** 2 + 0.9 * variance
    level = 100.0 * np.exp(np.cumsum(moves, axis=0))
    level[:1200, 2] = np.nan
    return build_history(np.arange(1, bars + 1) * DAY_NS, NAMES, level)


def test_garch_is_fitted_and_stored_with_its_errors_and_its_way_out() -> None:
    pytest.importorskip("arch")
    told = trending()
    asked = spec(filter="garch", lookback=200)
    fits = fit_filters(told, asked)
    btc = fits["spot:BTC"]
    assert btc.kind == "garch"
    assert btc.beta == pytest.approx(0.9, abs=0.08)
    assert 0.0 < btc.standard_errors["beta"] < 0.1
    assert btc.degrees > 2.0
    assert fits["spot:SOL"].kind == "ewma"
    assert "299 moves, fewer than 500" in fits["spot:SOL"].reason
    made = calibrate(told, asked, fits=fits)
    assert made.factors[0].filter == btc
    assert msgspec.json.decode(msgspec.json.encode(made), type=Calibration) == made
    np.testing.assert_allclose(made.residuals.array[:, :2].std(axis=0), 1.0, atol=0.15)
    assert fit_filters(told, spec()) == {}


def test_the_stored_filter_is_the_fitted_recursion() -> None:
    pytest.importorskip("arch")
    moves = trending().moves()[:, 0]
    fit = as_filter(fit_volatility(moves, "gjr", "t"))
    made = calibrate(trending(), spec(filter="gjr", lookback=200), fits=dict.fromkeys(NAMES, fit))
    variance = float(np.mean((moves[:22] - fit.mean) ** 2))
    for move in moves[22:]:
        e = move - fit.mean
        variance = fit.omega + (fit.alpha + fit.gamma * (e < 0.0)) * e**2 + fit.beta * variance
    assert made.factors[0].now == pytest.approx(math.sqrt(variance), rel=1e-9)
