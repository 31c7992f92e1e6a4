"""What chains add to a requirement: each term binding, by hand, and what must hold for every pool."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import crossmargin as xm
from crossmargin.core.finality import Health
from crossmargin.engine.plan import replan
from crossmargin.margin.chain_terms import (
    CHAIN_TERMS,
    Held,
    arrivals,
    arriving,
    bridge_failure,
    late,
    transfers,
    unavailable,
)
from crossmargin.margin.document import Factor, WrongWay
from crossmargin.market.representations.document import Transfer
from crossmargin.portfolio.document import Holding
from crossmargin.scenarios.scenario_set import Scenario, collect, concat
from crossmargin.valuation.pnl import pnl
from tests.chain_books import (
    BRIDGED,
    FORGED,
    HOME,
    HOPPED,
    ROLLUP,
    THIN,
    USDC,
    USDC_ROLLUP,
    Pool,
    chains,
    holding,
    pool,
)
from tests.chain_books import registry as records
from tests.margin.desk import BTC_PERP, CALL, plain_model

FREE = records(share=0.9)
WEEK_S = 7 * 86_400.0
SHAKY = replace(plain_model().grid, stable_peg=0.02)  # stable coins fall by two percent in a scenario
NEEDED = {BTC_PERP.id: 1e6}  # they can lose 20 million: all that is held is needed
SLOW = {USDC_ROLLUP: {"transfer": Transfer(route="exit", p50_s=WEEK_S, p95_s=WEEK_S, cost_usd=5.0, cost_bps=10.0)}}


def test_the_two_bridges_that_cost_most_fail_together():
    """Each holding loses 78 % for each bridge behind it; what its haircut took off is not lost again."""
    found = pool(holding(USDC, 1e6), holding(BRIDGED, 1000.0), holding(THIN, 1000.0), known=FREE, positions=NEEDED)
    assert found.term("bridge") == pytest.approx((780.0 - 150.0) + (780.0 - 400.0))
    hopped = pool(holding(USDC, 1e6), holding(HOPPED, 1000.0), known=FREE, positions=NEEDED)
    assert hopped.term("bridge") == pytest.approx((1.0 - 0.22**2) * 1000.0 - 490.0)
    alone = pool(holding(USDC, 1e6), holding(BRIDGED, 1000.0), known=FREE, positions=NEEDED)
    assert alone.term("bridge") == pytest.approx(630.0)
    assert alone.result.pools.initial[0] == pytest.approx(20e6 + 630.0)


def test_what_does_not_count_cannot_be_lost():
    assert pool(holding(USDC, 1e6), holding(FORGED, 1e5), known=FREE, positions=NEEDED).term("bridge") == 0.0
    closed = chains(closed={"three": "exploited"})
    assert (
        pool(holding(USDC, 1e6), holding(BRIDGED, 1e5), said=closed, known=FREE, positions=NEEDED).term("bridge") == 0.0
    )


def test_collateral_that_arrives_late_is_charged_for_the_time_beyond_the_scan():
    """√(τ/τ₀) − 1 of the part of the scan, 200 USD, that the fast 120 USD do not cover."""
    said = chains(needed_on=HOME, tokens=SLOW)
    held = (holding(USDC, 120.0), holding(USDC_ROLLUP, 1e4))
    found = pool(*held, said=said, positions={BTC_PERP.id: 10.0})
    tau = 60.0 + 15.0 + 1140.0 + WEEK_S + 15.0
    assert found.term("finality") == pytest.approx(80.0 * (math.sqrt(tau / 86_400.0) - 1.0))
    assert found.term("transfer") == pytest.approx(5.0 + 80.0 * 10e-4)
    assert pool(*held, positions={BTC_PERP.id: 10.0}).term("finality") == 0.0
    assert pool(*held, said=said).term("transfer") == 0.0


def test_a_halt_is_charged_before_it_comes_and_taken_off_while_it_lasts():
    """Half a percent of the two percent that stable coins fall by; over a day, which the scan's horizon is."""
    works = pool(holding(USDC_ROLLUP, 1e5), grid=SHAKY, positions=NEEDED)
    assert works.term("availability") == pytest.approx(0.005 * 2_000.0)
    halted = pool(holding(USDC_ROLLUP, 1e5), said=chains(health={ROLLUP: "halted"}), grid=SHAKY, positions=NEEDED)
    assert halted.term("availability") == 0.0
    assert halted.column("finality") == pytest.approx([2_000.0])
    assert works.column("finality") == [0.0]


def test_a_haircut_that_covers_a_halt_is_not_asked_for_again():
    plain = pool(holding(USDC, 1e6), grid=SHAKY, positions=NEEDED)
    bridged = pool(holding(USDC, 1e6), holding(BRIDGED, 1e4), known=FREE, grid=SHAKY, positions=NEEDED)
    assert plain.term("availability") == pytest.approx(0.005 * 20_000.0)
    assert bridged.term("availability") == pytest.approx(plain.term("availability"))


@given(st.floats(0.1, 2000.0))
@settings(max_examples=30, deadline=None)
def test_who_meets_the_requirement_survives_the_failure_and_who_only_stores_needs_nothing(size: float):
    held = (holding(USDC, 1000.0), holding(BRIDGED, 2000.0))
    found = pool(*held, known=FREE, positions={BTC_PERP.id: size})
    equity, asked = float(found.result.pools.equity[0]), float(found.result.pools.initial[0])
    lost, scan = 0.78 * 2000.0 - 300.0, 20.0 * size
    assert (equity >= asked - 1e-9) == (equity - lost >= scan - 1e-9) or math.isclose(equity - lost, scan)
    assert pool(*held, known=FREE).result.pools.initial[0] == 0.0


def test_factors_say_how_much_of_a_term_counts():
    terms = replace(plain_model().chains, bridge=Factor(initial=2.0, maintenance=0.5))
    found = pool(holding(USDC, 1e6), holding(BRIDGED, 1000.0), known=FREE, positions=NEEDED, chains=terms).result.pools
    assert (found.initial[0], found.maintenance[0]) == (pytest.approx(20e6 + 1260.0), pytest.approx(20e6 + 315.0))


HELD = st.lists(
    st.tuples(st.sampled_from([USDC, USDC_ROLLUP, BRIDGED, THIN, HOPPED, FORGED]), st.floats(0.0, 1e5)),
    min_size=1,
    max_size=6,
    unique_by=lambda x: x[0],
)


def amounts(found: Pool) -> Held:
    lines = found.book.holdings
    h = found.result.holdings
    return Held(
        pool=lines.owner, row=lines.instrument, amount=lines.quantity, value=h.own_value, recognised=h.recognised
    )


def every_term(found: Pool, held: Held, needed: float) -> list[float]:
    ready = found.result.plan
    risk = ready.chain_risk
    there = arrivals(held, risk)
    used = arriving(held, there, np.asarray([needed]))
    return [
        float(bridge_failure(held, risk, 1)[0]),
        float(late(used, held, there, 1)[0]),
        float(unavailable(held, risk, ready.terms.matrix, ready.model, 1)[0]),
        float(transfers(used, held, there, risk, 1)[0]),
    ]


@given(HELD, st.floats(0.0, 1e5), st.floats(0.05, 0.95))
@settings(max_examples=40, deadline=None)
def test_terms_are_never_negative_and_splitting_a_holding_changes_nothing(held: Any, needed: float, cut: float):
    said = chains(needed_on=HOME, tokens=SLOW)
    found = pool(*(holding(x, a) for x, a in held), said=said, known=FREE, grid=SHAKY)
    whole = amounts(found)
    parts = [[cut * x, (1.0 - cut) * x] for x in (whole.amount, whole.value, whole.recognised)]
    split = Held(
        pool=np.tile(whole.pool, 2),
        row=np.tile(whole.row, 2),
        **{k: np.concatenate(p) for k, p in zip(("amount", "value", "recognised"), parts, strict=True)},
    )
    terms = every_term(found, whole, needed)
    assert min(terms) >= 0.0
    assert every_term(found, split, needed) == pytest.approx(terms, rel=1e-9, abs=1e-6)


@given(HELD, st.floats(0.0, 1e5), st.floats(1.0, 3.0))
@settings(max_examples=40, deadline=None)
def test_terms_do_not_fall_with_exposure(held: Any, needed: float, more: float):
    found = pool(*(holding(x, a) for x, a in held), said=chains(needed_on=HOME, tokens=SLOW), known=FREE, grid=SHAKY)
    one = amounts(found)
    larger = Held(
        pool=one.pool, row=one.row, amount=more * one.amount, value=more * one.value, recognised=more * one.recognised
    )
    before, after = every_term(found, one, needed), every_term(found, larger, more * needed)
    assert all(b <= a * (1.0 + 1e-9) + 1e-9 for b, a in zip(before, after, strict=True))


def test_a_pool_without_chains_has_no_such_term():
    found = pool(Holding(asset="USDC", amount=1e6), positions={BTC_PERP.id: 10.0})
    assert not found.result.pools.chain_terms.any()
    assert found.result.pools.chain_terms.shape == (1, len(CHAIN_TERMS))


def test_collateral_on_a_chain_that_fails_is_left_out_of_that_scenario():
    """The wrong-way term sees it: a column that moves the chain takes all that stands there."""
    found = pool(holding(USDC_ROLLUP, 1000.0), holding(BRIDGED, 1000.0))
    down = collect([Scenario(label="down", family="chain", shocks={f"chain:{ROLLUP}": -1.0})])
    r = pnl(found.book.table, found.snapshot, down).values[found.book.holdings.instrument, 0]
    assert r == pytest.approx([-1.0, -1.0])
    assert found.snapshot.chains.health(ROLLUP) == Health.HEALTHY


@given(st.floats(0.0, 50.0), st.floats(-40.0, 40.0))
@settings(max_examples=20, deadline=None)
def test_an_order_check_knows_the_terms_of_chains(size: float, more: float):
    """`WhatIf.after` is what margining the changed account says: bridges carry a share of an equity that moved too."""
    said = chains(needed_on=HOME, tokens=SLOW)
    found = pool(holding(USDC, 500.0), holding(USDC_ROLLUP, 1e3), holding(BRIDGED, 1e4), said=said, positions={
        BTC_PERP.id: size, CALL.id: 1.0,
    })  # fmt: skip
    model = found.result.plan.model
    asked = xm.what_if(found.book, found.snapshot, model, account="desk").after({CALL.id: more, BTC_PERP.id: more})
    told = xm.simulate(found.book, found.snapshot, model, account="desk", add={CALL.id: more, BTC_PERP.id: more}).after
    assert asked.equity.sum() == pytest.approx(told.equity_usd, rel=1e-9, abs=1e-6)
    assert asked.initial.sum() == pytest.approx(told.initial_usd, rel=1e-9, abs=1e-6)


def test_explain_says_what_each_token_asks_for():
    found = pool(holding(USDC, 1e6), holding(BRIDGED, 1000.0), known=FREE, positions=NEEDED)
    told = xm.explain(found.book, found.snapshot, found.result.plan.model, account="desk")
    shares = {share.name: share.marginal_usd for share in told.by_token}
    assert shares[f"USDC.{BRIDGED}"] == pytest.approx(630.0)
    terms = {term.name: term.initial for term in told.account.pools[0].terms}
    assert terms["bridge"] == pytest.approx(630.0)
    kinds = {(s.kind, s.name): s.recognised_usd for s in told.account.standings}
    assert kinds["bridge", "three"] == pytest.approx(850.0)
    assert kinds["chain", HOME] == pytest.approx(1e6)


def test_a_report_says_why_a_token_counts_for_less():
    said = chains(backing={"three": 0.9}, health={ROLLUP: "lagging"})
    found = pool(holding(BRIDGED, 1000.0, level="included"), said=said, known=FREE)
    line = xm.margin_report(found.result).accounts[0].pools[0].collateral[0]
    assert line.token is not None
    assert line.token.reasons == (
        "less is locked at home than was issued",
        "it came over a bridge",
        "it is not final yet",
        "its chain is late with final blocks",
    )
    assert line.token.backing_usd == pytest.approx(100.0 + 135.0)
    assert line.token.pending_usd == pytest.approx(765.0)
    assert xm.margin_report(found.result).provenance.registry_hash == FREE.sha256


@pytest.mark.parametrize("charged", [1.0, 0.0])
def test_a_bridge_that_fails_in_the_scenarios_is_asked_for_once(charged: float):
    """The joint column loses 780 of which the haircut took 150 and the scan covers 20: x = 610, of 1,850 held.

    The wrong-way term asks for x · 20/(1,850 − x), so that of 630 · 20/(1,850 − 630) only the rest is left.
    """
    model = {"wrong_way": WrongWay(factor=Factor(initial=charged, maintenance=charged))}
    found = pool(holding(USDC, 1000.0), holding(BRIDGED, 1000.0), known=FREE, positions={BTC_PERP.id: 1.0}, **model)
    ready = found.result.plan
    column = Scenario(label="three fails", family="bridge", shocks={"backing:three": -0.78})
    fails = collect([column], rules=ready.scenarios.rules)
    wide = replan(dataclasses.replace(ready, scenarios=concat(ready.scenarios, fails)), found.snapshot)
    again = xm.margin(found.book, found.snapshot, ready.model, prepared=wide)
    wrong, bridge = 610.0 * 20.0 / (1850.0 - 610.0), 630.0 * 20.0 / (1850.0 - 630.0)
    assert again.pools.wrong_way[0] == pytest.approx(wrong)
    assert again.pools.chain_terms[0, 0] == pytest.approx(bridge - charged * wrong)
    assert found.term("bridge") == pytest.approx(bridge)


def test_collateral_inside_scenarios_that_move_its_bridge_takes_no_haircut_for_it():
    inside = replace(plain_model().collateral, mode="scenario")
    lines = (holding(USDC, 1000.0), holding(BRIDGED, 1000.0))
    found = pool(*lines, known=FREE, positions={BTC_PERP.id: 1.0}, collateral=inside)
    ready = found.result.plan
    column = Scenario(label="three fails", family="bridge", shocks={"backing:three": -0.78})
    fails = collect([column], rules=ready.scenarios.rules)
    wide = replan(dataclasses.replace(ready, scenarios=concat(ready.scenarios, fails)), found.snapshot)
    again = xm.margin(found.book, found.snapshot, ready.model, prepared=wide)
    assert sum(found.column("recognised")) == pytest.approx(1850.0)
    assert float(again.pools.collateral[0]) == pytest.approx(2000.0)
    assert again.groups.scan_loss[0] == pytest.approx(780.0)
    assert again.pools.chain_terms[0, 0] <= 780.0 - 760.0 + 1e-9


def test_what_all_accounts_hold_is_the_sum_of_theirs_beside_its_caps():
    found = pool(holding(USDC, 1e6), holding(BRIDGED, 1000.0), holding(BRIDGED, 50.0, level="safe"), known=FREE)
    report = xm.margin_report(found.result)
    whole = {(s.kind, s.name): s for s in report.standings}
    for one in report.accounts[0].standings:
        assert whole[one.kind, one.name] == one
    stock = whole["token", BRIDGED]
    assert (stock.asset, stock.cap_usd) == ("USDC", 1e9)
    assert stock.gross_usd == pytest.approx(1050.0)
    assert stock.recognised_usd + stock.pending_usd + stock.refused_usd <= stock.gross_usd


def test_a_quarantine_moves_no_liquidation_price_and_leaves_no_room_to_open():
    def told(**state: Any) -> Any:
        found = pool(holding(USDC_ROLLUP, 1e5), known=FREE, positions={BTC_PERP.id: 2000.0}, said=chains(**state))
        return xm.explain(found.book, found.snapshot, found.result.plan.model, account="desk")

    calm, forked = told(), told(health={ROLLUP: "forked"})
    assert forked.account.status == "restricted"
    assert forked.account.margin_ratio == pytest.approx(calm.account.margin_ratio)
    for was, now in zip(calm.distances, forked.distances, strict=True):
        assert was.below is not None
        assert now.below == pytest.approx(was.below, rel=1e-9)
    assert max(line.buy or 0.0 for line in calm.capacity) > 0.0
    assert all(not line.buy for line in forked.capacity)
