"""Models of tails, copulas, GARCH and implied volatility as a book meets them, and what is said of them."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from crossmargin.engine.diagnosis import diagnose
from crossmargin.engine.margin import margin
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.plan import plan
from crossmargin.engine.recipe import calibrated_model, recipe, recipes
from crossmargin.margin import document as doc
from crossmargin.scenarios.calibrating.calibration import Calibration, CopulaRule, CorrelationStress
from crossmargin.scenarios.calibrating.implied import at_market
from crossmargin.scenarios.liquidity import LiquidityRule
from tests.engine.calibrated import FACTORS, LOOKBACK, fitted, history, recipe_of
from tests.margin.books import replace
from tests.margin.desk import BTC_PERP, CALL, ETH_PERP, account, desk, desk_market, group, plain_model, required
from tests.worlds import flat_surface

DRAWN = {"method": "monte_carlo", "draws": 4096, "seed": 1}
HEDGED = account(group({BTC_PERP.id: 2.0, ETH_PERP.id: -20.0}))
CHALLENGERS = ("crossmargin-t-copula", "crossmargin-gjr", "crossmargin-spliced")


def calibration(model: ModelDocument) -> Calibration:
    assert model.calibration is not None
    return model.calibration


@pytest.mark.parametrize("name", CHALLENGERS)
def test_shipped_challengers_make_models(name: str) -> None:
    pytest.importorskip("arch")
    made = recipe(name)
    told = history(bars=1100) if name != "crossmargin-gjr" else history(FACTORS[:2], bars=1100)
    model = calibrated_model(made, plain_model(), told)
    assert model.name == name
    found = desk(account(group({BTC_PERP.id: 1.0})), model=model)
    assert 2.0 < required(found, "scan") < 20.0  # USD of a coin at 100 that moves by 1.8 % a day
    diagnosis = diagnose(calibration(model), model=name)
    assert (diagnosis.copula is not None) == (name == "crossmargin-t-copula")
    assert (diagnosis.factors[0].lower is not None) == (name != "crossmargin-gjr")
    if name == "crossmargin-gjr":
        assert calibration(model).factors[0].filter.kind in ("gjr", "ewma")
        assert diagnosis.factors[0].parameters


def test_the_default_is_as_it_was_fixed() -> None:
    assert set(CHALLENGERS) < set(recipes())
    default = recipe("crossmargin-dynamic").calibration
    assert (default.method, default.marginals, default.stressed_share) == ("filtered", "empirical", 0.0)
    assert (default.implied_weight, default.liquidity, default.correlation_stress) == (0.0, None, None)
    assert (default.decay, default.scale.stressed_weight, default.scale.floor) == (0.97, 0.35, 1.0)


def test_a_drawn_model_agrees_with_the_history_it_is_drawn_from() -> None:
    seen, drawn = (desk(HEDGED, model=fitted(**changes)) for changes in ({}, DRAWN))
    assert required(drawn, "scan") == pytest.approx(required(seen, "scan"), rel=0.25)
    again = desk(HEDGED, model=fitted(**DRAWN))
    assert required(again, "scan") == required(drawn, "scan")


def test_a_model_read_back_from_json_gives_the_same_margin() -> None:
    model = fitted(**DRAWN, correlation_stress=CorrelationStress())
    back = msgspec.json.decode(msgspec.json.encode(model), type=ModelDocument)
    one, other = (desk(HEDGED, model=m) for m in (model, back))
    assert required(one) == required(other)


def test_stressed_correlations_cost_a_hedge_and_not_an_outright() -> None:
    stress = CorrelationStress(stress=0.9, weight=0.8)
    outright = account(group({BTC_PERP.id: 2.0}))
    measure = doc.MeasureChoice(kind="expected_shortfall", level=0.9)
    plain, stressed = (replace(fitted(**c), measure=measure) for c in ({}, {"correlation_stress": stress}))
    assert required(desk(HEDGED, model=stressed), "scan") > 1.2 * required(desk(HEDGED, model=plain), "scan")
    same = required(desk(outright, model=plain), "scan")
    assert required(desk(outright, model=stressed), "scan") == pytest.approx(same, rel=1e-9)


def test_a_blend_is_the_weighted_measure_of_both_families() -> None:
    model = fitted(stressed_share=0.25, stress_bars=40)
    c = desk(account(group({BTC_PERP.id: 1.0})), model=model)
    ready = plan(c.book, c.snapshot, model)
    columns, weight = ready.scenarios.row("spot:BTC")[: LOOKBACK + 40], ready.scenarios.weight[: LOOKBACK + 40]
    order = np.argsort(columns)
    reached = np.cumsum(weight[order])
    tail = order[: int(np.searchsorted(reached, 0.025 * weight.sum() * (1 - 1e-12))) + 1]
    by_hand = -100.0 * float(weight[tail] @ columns[tail] / weight[tail].sum())
    assert required(c, "scan") == pytest.approx(by_hand, rel=1e-9)


def test_implied_volatility_enters_where_there_is_a_surface_and_by_its_weight() -> None:
    told, half = fitted(), fitted(implied_weight=0.5)
    snapshot = desk(HEDGED, model=told).snapshot
    before, after = calibration(told), at_market(calibration(half), snapshot)
    a_bar = 0.5 / math.sqrt(365.0)  # the desk's surface is flat at 50 %
    assert before.bars_a_year == pytest.approx(365.0, rel=1e-12)
    for i in (0, 1):
        assert after.factors[i].now == pytest.approx(0.5 * before.factors[i].now + 0.5 * a_bar, rel=1e-9)
    for i in (2, 3):  # the volatility of volatility is no option's
        assert after.factors[i].now == before.factors[i].now
    assert at_market(before, snapshot) is before
    free = fitted(implied_weight=1.0, scale=replace(before.scale, stressed_weight=0.0, floor=0.0))
    outright, markets = account(group({BTC_PERP.id: 1.0})), (desk_market(surface=flat_surface(v)) for v in (0.4, 0.8))
    low, high = (required(desk(outright, model=free, market=market), "scan") for market in markets)
    assert high == pytest.approx(2.0 * low, rel=0.1)


def test_a_market_without_a_surface_keeps_what_prices_say() -> None:
    snapshot = desk(account(group({ETH_PERP.id: 1.0})), market=desk_market(surface=None)).snapshot
    model = fitted(implied_weight=0.5)
    found = at_market(calibration(model), snapshot)
    assert found.factors[0].now == calibration(model).factors[0].now
    assert found.factors[1].now != calibration(model).factors[1].now


def test_liquidity_adapts_to_the_state_of_the_market() -> None:
    base = plain_model(liquidity=doc.Liquidity())
    asked = recipe_of(liquidity=LiquidityRule(spread=3.0, volume=0.25))
    model = calibrated_model(asked, base, history())
    calm, full = (
        replace(
            model,
            calibration=replace(
                calibration(model), factors=tuple(replace(fit, stress=stress) for fit in calibration(model).factors)
            ),
        )
        for stress in (0.0, 1.0)
    )
    held = account(group({BTC_PERP.id: 1e6}))
    market = desk_market(adv=1e9, half_spread_bps=10.0)
    none = replace(model, calibration=replace(calibration(model), liquidity=None))
    cases = {name: desk(held, model=m, market=market) for name, m in (("none", none), ("calm", calm), ("full", full))}
    notional, forecast = 1e8, calibration(model).factors[0].now
    assert forecast > 0.02  # the market's own figure, with which impact is charged where no rule is
    for name, half_spread, vol, adv in (
        ("none", 1e-3, 0.02, 1e9),
        ("calm", 1e-3, forecast, 1e9),
        ("full", 3e-3, forecast, 0.25e9),
    ):
        cost = notional * (half_spread + vol * math.sqrt(notional / adv))
        assert required(cases[name], "liquidity") == pytest.approx(cost, rel=1e-6)
    days = notional / (0.1 * 0.25e9)
    scan = required(cases["full"], "scan")
    assert required(cases["full"], "concentration") == pytest.approx(scan * (math.sqrt(days) - 1.0), rel=1e-6)
    assert required(cases["calm"], "concentration") < 1e-9 * scan  # a tenth of the day's volume, by central difference


def test_the_close_out_that_the_scan_covers_is_the_horizon_of_the_scenarios() -> None:
    model = fitted(horizon_bars=3)
    assert model.liquidity.horizon_days == 3.0


def test_a_diagnosis_says_how_joint_tails_compare() -> None:
    model = fitted(**DRAWN, dependence=CopulaRule(copula="t", correlation="ledoit_wolf"))
    found = diagnose(calibration(model), model="m").copula
    assert found is not None
    assert found.factors == FACTORS
    assert found.tail_dependence is not None
    seen, drawn = (np.asarray(rows)[np.triu_indices(4, 1)].mean() for rows in (found.seen_falls, found.drawn_falls))
    assert abs(seen - drawn) < 0.15
    assert 0.0 < found.shrinkage < 0.2
    assert msgspec.json.decode(msgspec.json.encode(found)) is not None


def test_options_are_revalued_under_draws() -> None:
    c = desk(account(group({CALL.id: -5.0})), model=fitted(**DRAWN))
    assert required(c, "scan") > 0.0
    result = margin(c.book, c.snapshot, c.model)
    assert result.plan.pnl.values.shape[1] == 4096 + 1  # and the far move of the grid
