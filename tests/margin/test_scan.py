"""The scan as a measure of risk: netting, scaling, boxes, options bought, and parameters that only add."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.margin import document as doc
from crossmargin.margin.check import check_model
from crossmargin.margin.requirement import TERMS
from crossmargin.market.document import ForwardPoint
from crossmargin.scenarios.document import Moves, Tail
from spec import valuation as plain_valuation
from spec import world as plain_world
from tests.margin.books import MarginCase, default_model, margin_cases, models, replace, small_model
from tests.margin.desk import (
    BTC_COIN,
    BTC_FUTURE,
    BTC_PERP,
    CALL,
    CONTRACTS,
    ETH_PERP,
    HALF_YEAR,
    PUT,
    account,
    desk,
    desk_market,
    group,
    option,
    plain_model,
    required,
)
from tests.strategies import numbers, plain_market

IDS = tuple(t.id for t in CONTRACTS)
CURVED = desk_market(forwards=(ForwardPoint(expiry=HALF_YEAR, forward=103.0),))
COHERENT = st.sampled_from(
    (
        doc.MeasureChoice(kind="worst"),
        *(doc.MeasureChoice(kind="expected_shortfall", level=x) for x in (0.5, 0.9, 0.97)),
    )
)
books = st.dictionaries(st.sampled_from(IDS), numbers(-100.0, 100.0), min_size=1)


def scans(*positions: dict[str, float], measure: doc.MeasureChoice) -> np.ndarray:
    accounts = [account(group(p), id=str(i)) for i, p in enumerate(positions)]
    model = replace(small_model(), measure=measure, scan=doc.Factor(initial=1.0, maintenance=1.0))
    return desk(*accounts, model=model).result.groups.initial


@given(books, books, COHERENT)
@settings(max_examples=60)
def test_netting_never_costs_more_than_standing_alone(a: dict, b: dict, measure: doc.MeasureChoice):
    both = {name: a.get(name, 0.0) + b.get(name, 0.0) for name in a | b}
    found = scans(a, b, both, measure=measure)
    size = 1e-10 * sum(100.0 * abs(q) for q in (*a.values(), *b.values()))
    for terms in (["scan"], ["scan", "offset_cap"]):  # the cap mixes two subadditive measures
        total = found[:, [TERMS.index(t) for t in terms]].sum(axis=1)
        assert total[2] <= total[0] + total[1] + size


@given(books, numbers(1e-6, 1e6), st.sampled_from(("worst", "value_at_risk", "expected_shortfall")))
@settings(max_examples=40)
def test_scan_grows_with_size(positions: dict, factor: float, kind: str):
    measure = doc.MeasureChoice(kind=kind, level=0.9)
    found = scans(positions, {name: q * factor for name, q in positions.items()}, measure=measure)[:, :3]
    size = 1e-10 * factor * sum(100.0 * abs(q) for q in positions.values())
    assert found[1] == pytest.approx(found[0] * factor, rel=1e-10, abs=size)


@pytest.mark.parametrize("strike", [60.0, 100.0, 150.0])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_box_and_a_conversion_have_no_scan(strike: float, side: float):
    call, put = option("call", strike), option("put", strike)
    other = (option("call", 120.0), option("put", 120.0))
    conversion = {call.id: side, put.id: -side, BTC_FUTURE.id: -side}
    box = {call.id: side, put.id: -side, other[0].id: -side, other[1].id: side}
    more = tuple(t for t in (call, put, *other) if t.id not in IDS)
    # What a box is worth is worth it in USDC: without moves of its peg there is nothing left to lose.
    model = replace(small_model(), offset_cap=0.0, grid=replace(small_model().grid, stable_peg=0.0))
    for positions in (conversion, box):
        c = desk(account(group(positions)), more=more, model=model, market=CURVED)
        found = c.result.groups.initial[0]
        terms = ("scan", "offset_cap", "jump", "concentration", "oracle")
        assert sum(found[TERMS.index(t)] for t in terms) == pytest.approx(0.0, abs=1e-9)


@given(st.dictionaries(st.sampled_from((CALL.id, PUT.id, "far", "coin")), numbers(0.0, 1e3), min_size=1), COHERENT)
@settings(max_examples=40)
def test_options_bought_lose_no_more_than_their_value(held: dict, measure: doc.MeasureChoice):
    far = option("call", 300.0, id="far")
    coin = option("put", 90.0, id="coin", payout="inverse", settle="BTC")
    model = replace(small_model(), measure=measure, scan=doc.Factor(initial=1.0, maintenance=1.0))
    c = desk(account(group(held)), more=(far, coin), model=model)
    value = float(c.result.pools.position_value[0])
    found = c.result.groups.initial[0]
    assert found[TERMS.index("scan")] + found[TERMS.index("jump")] <= value * (1.0 + 1e-12)


@given(margin_cases())
@settings(max_examples=40)
def test_sensitivities_are_those_of_the_twin(c: MarginCase):
    """Delta and vega by small moves of the plain valuation, which knows nothing of how they were taken."""
    now, exposed = plain_market(c.market), c.result.plan.terms.exposure
    for i, t in enumerate(c.book.table.terms):
        row = c.rows[t.id]
        u = now.underlyings.get(row.bucket)
        if u is None:
            assert exposed.delta[i] == exposed.vega[i] == 0.0
            continue
        for factor, step, found in ((u.factor, 1e-4, exposed.delta[i]), (f"vol:{u.name}", 1e-3, exposed.vega[i])):
            up, down = (
                plain_valuation.pnl(row.contract, now, plain_world.Scenario(moves={factor: x})) for x in (step, -step)
            )
            expected = (up - down) / (2.0 * step)
            if factor.startswith("vol:"):
                expected /= vol_now(c, row.contract, now) if row.is_option else 1.0
            size = 1e-8 * (row.notional + abs(row.value)) + 1e-12
            assert found == pytest.approx(expected, rel=1e-6, abs=size), (t, factor)


def vol_now(c: MarginCase, contract: plain_valuation.Contract, now: plain_world.Market) -> float:
    u = now.underlyings[contract.underlying]
    return plain_world.shocked_vol(now, u, contract.strike, contract.expiry, plain_world.NOW, 1.0)


LINEAR = {BTC_PERP.id: 10.0, ETH_PERP.id: -70.0, BTC_FUTURE.id: -3.0}
SHORT = {CALL.id: -5.0, PUT.id: -5.0}
HUGE = {BTC_PERP.id: 1e6}


def with_moves(**fields: object):
    model = small_model()
    classes = {name: replace(moves, **fields) for name, moves in model.grid.classes.items()}
    return replace(model, grid=replace(model.grid, classes=classes))


@pytest.mark.parametrize(
    ("positions", "milder", "harder"),
    [
        (LINEAR, with_moves(price_range=0.15), with_moves(price_range=0.2)),
        (SHORT, with_moves(vol_up=0.3), with_moves(vol_up=0.5)),
        (SHORT, with_moves(min_vol_up=0.1), with_moves(min_vol_up=0.9)),
        ({CALL.id: 5.0, BTC_PERP.id: -2.5}, with_moves(vol_down=0.1), with_moves(vol_down=0.4)),
        (LINEAR, with_moves(carry=0.5), with_moves(carry=3.0)),
        (LINEAR, with_moves(tails=(Tail(move=-0.9, damping=0.1),)), with_moves(tails=(Tail(move=-0.9, damping=0.9),))),
        (LINEAR, replace(small_model(), offset_cap=0.9), replace(small_model(), offset_cap=0.1)),
        (LINEAR, small_model(), replace(small_model(), basis=doc.Basis(floor=0.1, annual=0.2, venue=0.1))),
        (SHORT, small_model(), replace(small_model(), short_option=doc.ShortOption(rate=0.9))),
        (HUGE, small_model(), replace(small_model(), liquidity=doc.Liquidity(impact=2.0))),
        (HUGE, small_model(), replace(small_model(), liquidity=doc.Liquidity(participation=1e-6))),
    ],
)
def test_every_parameter_only_adds(positions: dict, milder, harder):
    few = desk_of(positions, milder), desk_of(positions, harder)
    assert required(few[0]) < required(few[1])


def desk_of(positions: dict, model) -> MarginCase:
    return desk(account(group(positions)), model=model, market=CURVED)


@given(models())
@settings(max_examples=60)
def test_models_in_range_are_accepted(model):
    check_model(model, where="model")


NAN = math.nan


@pytest.mark.parametrize(
    "change",
    [
        {"scan": doc.Factor(initial=0.9, maintenance=1.0)},
        {"jump": doc.Factor(initial=NAN, maintenance=0.0)},
        {"offset_cap": 1.1},
        {"offset_cap": -0.1},
        {"long_option_credit": 2.0},
        {"measure": doc.MeasureChoice(level=1.0)},
        {"measure": doc.MeasureChoice(level=0.4)},
        {"liquidity": doc.Liquidity(participation=0.0)},
        {"liquidity": doc.Liquidity(impact=-1.0)},
        {"liquidity": doc.Liquidity(horizon_days=0.0)},
        {"basis": doc.Basis(annual=-0.1)},
        {"short_option": doc.ShortOption(rate=-0.1)},
        {"oracle": doc.Oracle(multiplier=math.inf)},
        {
            "rules": {
                "x": doc.PositionRule(tiers=(), option=doc.OptionRule(initial_far=0, initial_near=0, maintenance=0))
            }
        },
        {
            "rules": {
                "x": doc.PositionRule(
                    tiers=(doc.Tier(notional_cap=1.0, initial=0.01, maintenance=0.02),),
                    option=doc.OptionRule(initial_far=0, initial_near=0, maintenance=0),
                )
            }
        },
        {"grid": replace(default_model().grid, classes={"x": Moves(price_range=1.0)})},
        {"grid": replace(default_model().grid, classes={"x": Moves(price_range=0.1, vol_down=1.1)})},
        {
            "grid": replace(
                default_model().grid, classes={"x": Moves(price_range=0.1, tails=(Tail(move=-1.0, damping=1),))}
            )
        },
        {"grid": replace(default_model().grid, steps=0)},
    ],
)
def test_models_out_of_range_are_refused(change: dict):
    with pytest.raises(InvalidInput):
        check_model(replace(default_model(), **change), where="model")


def test_coins_hedge_their_own_future():
    """An inverse future short by the strike's worth of dollars: what a coin-settled conversion leaves is nothing."""
    call, put = (option(right, 100.0, id=right, payout="inverse", settle="BTC") for right in ("call", "put"))
    c = desk(account(group({"call": 1.0, "put": -1.0, BTC_COIN.id: -1.0})), more=(call, put), model=plain_model())
    assert required(c, "scan") == pytest.approx(0.0, abs=1e-9)  # at the forward the coins left over are 1 − K/F = 0
