"""Which way collateral takes: the cheapest in time, and the same one in the terms and in the report."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import crossmargin as xm
from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.engine.token_reports import TransferLine
from crossmargin.margin.ways import cheapest_ways, lanes_of
from crossmargin.market.representations.build import TRANSFER_S_MAX
from crossmargin.market.representations.document import ChainsDocument, Transfer
from crossmargin.market.transfers.document import Fee, GasPrice, Route, TransferDocument
from crossmargin.market.transfers.ways import Ways, ways_between
from crossmargin.optimize.transfers.choose import cheapest_in_time
from spec.transfers import cheapest_way
from tests.chain_books import FAR, HOME, ROLLUP, USDC, USDC_ROLLUP, Pool, chains, holding, pool
from tests.margin.desk import BTC_PERP
from tests.market.transfers.routes import ARBITRUM, MAINNET, TABLE, VIEW, costs_of

NEEDED = {BTC_PERP.id: 1e6}
EVERYWHERE = (HOME, ROLLUP, FAR)
SOURCED = {"source": "made up", "date": "2026-11-22"}


def route(name: str, bridge: str, *, attest_s: float, bps: float, usd: float) -> Route:
    return Route(
        route=name,
        bridge=bridge,
        assets=("USDC",),
        origins=EVERYWHERE,
        destinations=EVERYWHERE,
        level="final",
        attest_s=attest_s,
        execute_s=0.0,
        p95_over_p50=1.0,
        retry_share=0.0,
        retry_s=0.0,
        fees=(Fee(share_bps=bps, fixed_usd=usd),),
        gas_origin=0.0,
        gas_destination=0.0,
        incidents=0,
        years=1e4,
        **SOURCED,
    )


GAS = tuple(GasPrice(chain=chain, coin="USDC", price_gwei=0.0, **SOURCED) for chain in EVERYWHERE)
SLOW, FAST = (
    route("slow", "two", attest_s=3_000.0, bps=0.0, usd=20.0),
    route("fast", "three", attest_s=60.0, bps=10.0, usd=0.0),
)
ROUTES = TransferDocument(routes=(SLOW, FAST), gas=GAS)


def said(within_s: float = 7_200.0, **more: Any) -> ChainsDocument:
    """Chains whose tokens must get home by routes."""
    stated = chains(routes="routes.toml", needed_within_s=within_s, **more)
    plain = tuple(replace(x, transfer=None) for x in stated.instances)
    return replace(stated, needed_on=HOME, instances=plain)


def line_of(found: Pool, instance: str = USDC_ROLLUP) -> TransferLine | None:
    (reported,) = xm.margin_report(found.result).accounts
    lines = [c.token for p in reported.pools for c in p.collateral if c.token is not None]
    (one,) = [token for token in lines if token.instance == instance]
    return one.transfer


positive = st.floats(0.0, 1e6)
lane_ways = st.lists(
    st.tuples(
        positive, st.floats(0.0, 0.1), st.floats(1.0, 1e5), st.just(math.inf) | positive, st.just(0.0) | positive
    ),
    min_size=1,
    max_size=4,
)


def as_ways(rows: list[tuple[float, ...]]) -> Ways:
    fixed, share, there, capacity, refill = np.asarray(rows, np.float64).T
    names = tuple(str(number) for number in range(len(rows)))
    times = {"p50_s": there / 2.0, "p95_s": there}
    return Ways(routes=names, fixed_usd=fixed, share=share, **times, capacity=capacity, refill_per_s=refill)


@given(st.lists(lane_ways, min_size=1, max_size=3), positive, positive, st.floats(0.0, 2e5))
def test_the_way_is_that_of_the_twin(each: list[list[Any]], value: float, tokens: float, within_s: float):
    lanes = lanes_of(map(as_ways, each), within_s=within_s)
    count = len(each)
    taken = cheapest_ways(lanes, np.arange(count), np.full(count, value), np.full(count, tokens))
    for i, ways in enumerate(each):
        number, cost, there = cheapest_way(ways, value, tokens, within_s)
        assert taken.way[i] == number
        assert taken.cost_usd[i] == pytest.approx(cost)
        assert taken.p95_s[i] == pytest.approx(min(there, TRANSFER_S_MAX))
        assert taken.in_time[i] == (there <= within_s)


@given(st.floats(1.0, 1e9), st.floats(10.0, 1e5))
def test_the_way_is_what_the_command_takes(amount: float, deadline_s: float):
    """Of the shipped routes, the choice in the margin and that of `transfer` are one."""
    lane = {"asset": "USDC", "origin": ARBITRUM, "destination": MAINNET}
    ways = ways_between(TABLE, VIEW, **lane, coin_usd={"ETH": 2_000.0})
    one = np.asarray([amount])
    taken = cheapest_ways(lanes_of([ways], within_s=deadline_s), np.asarray([0]), one, one)
    choice = cheapest_in_time(costs_of([amount]), amount=0, deadline_s=deadline_s)
    assert taken.in_time[0] == (choice.route is not None)
    if choice.route is not None:
        assert ways.routes[int(taken.way[0])] == choice.route
        assert taken.cost_usd[0] == pytest.approx(choice.cost_usd)


def test_much_goes_the_way_of_a_fixed_fee_and_little_that_of_a_share():
    """Twenty dollars against ten basis points: they part at 20,000 USD."""
    ways = {amount: line_of(pool(holding(USDC_ROLLUP, amount), said=said(), routes=ROUTES)) for amount in (1e4, 3e4)}
    assert [way.route for way in ways.values() if way] == ["fast", "slow"]
    assert ways[1e4] is not None
    assert ways[1e4].cost_usd == pytest.approx(10.0, rel=5e-3)  # and what its time and its bridge may cost
    assert ways[1e4].p95_s == pytest.approx(1140.0 + 60.0, rel=1e-6)
    assert ways[1e4].in_time


def test_haste_takes_the_dear_way_and_what_no_way_does_in_time_the_first():
    hasty = line_of(pool(holding(USDC_ROLLUP, 1e6), said=said(1_800.0), routes=ROUTES))
    late = line_of(pool(holding(USDC_ROLLUP, 1e6), said=said(600.0), routes=ROUTES))
    assert hasty is not None
    assert late is not None
    assert [(way.route, way.in_time) for way in (hasty, late)] == [("fast", True), ("fast", False)]


def test_the_terms_read_the_way_that_the_report_shows():
    slower = TransferDocument(routes=(replace(SLOW, attest_s=2 * 86_400.0),), gas=GAS)
    held = (holding(USDC, 120.0), holding(USDC_ROLLUP, 1e4))
    found = pool(*held, said=said(), routes=slower, positions={BTC_PERP.id: 10.0})
    way = line_of(found)
    assert way is not None
    tau = 60.0 + 15.0 + way.p95_s + 15.0
    assert found.term("finality") == pytest.approx(80.0 * (math.sqrt(tau / 86_400.0) - 1.0))
    share = (way.cost_usd - 20.0) / 1e4  # carry for two days, and the chance that the bridge fails meanwhile
    assert found.term("transfer") == pytest.approx(20.0 + 80.0 * share)
    assert 0.0 < share < 1e-3


def test_a_way_that_its_instance_states_comes_before_the_routes():
    own = Transfer(route="by hand", p50_s=600.0, p95_s=1_200.0, cost_usd=5.0, cost_bps=10.0)
    plain = said()
    named = tuple(replace(x, transfer=own) if x.instance == USDC_ROLLUP else x for x in plain.instances)
    found = line_of(pool(holding(USDC_ROLLUP, 1e4), said=replace(plain, instances=named), routes=ROUTES))
    assert found == TransferLine(to=HOME, route="by hand", cost_usd=15.0, p50_s=1_740.0, p95_s=2_340.0, in_time=True)


def test_over_a_closed_bridge_nothing_goes():
    one = line_of(pool(holding(USDC_ROLLUP, 1e4), said=said(closed={"three": "paused"}), routes=ROUTES))
    assert one is not None
    assert one.route == "slow"
    shut = pool(
        holding(USDC_ROLLUP, 1e4),
        said=said(closed={"three": "paused", "two": "exploited"}),
        routes=ROUTES,
        positions=NEEDED,
    )
    none = line_of(shut)
    assert none is not None
    assert (none.route, none.p95_s, none.in_time) == ("", TRANSFER_S_MAX, False)
    assert shut.term("finality") == pytest.approx(1e4 * (math.sqrt((90.0 + TRANSFER_S_MAX) / 86_400.0) - 1.0))
    assert line_of(pool(holding(USDC, 1e4), said=said(), routes=ROUTES), USDC) is None


@settings(max_examples=15, deadline=None)
@given(st.floats(1.0, 1e6), st.floats(1.0, 1e6), st.floats(0.0, 1e4))
def test_less_time_never_makes_it_cheaper(amount: float, other: float, less_s: float):
    held = (holding(USDC_ROLLUP, amount), holding(USDC, other))
    easy, hasty = (line_of(pool(*held, said=said(within), routes=ROUTES)) for within in (1e4, 1e4 - less_s))
    assert easy is not None
    assert hasty is not None
    assert not hasty.in_time or hasty.cost_usd >= easy.cost_usd


def test_a_token_without_any_way_is_named():
    plain = said()
    with pytest.raises(MissingFactors, match=f"transfer of {USDC_ROLLUP} to {HOME}"):
        pool(holding(USDC, 1.0), said=replace(plain, routes=""))
    elsewhere = TransferDocument(routes=(replace(SLOW, origins=(FAR,)),), gas=GAS)
    with pytest.raises(MissingFactors, match=f"transfer of {USDC_ROLLUP} to {HOME}"):
        pool(holding(USDC, 1.0), said=plain, routes=elsewhere)


def test_routes_are_given_checked_and_hashed():
    with pytest.raises(InvalidInput, match="routes"):
        pool(holding(USDC, 1.0), said=said())
    with pytest.raises(UnknownName, match="bridge is 'four'"):
        pool(holding(USDC, 1.0), said=said(), routes=TransferDocument(routes=(replace(SLOW, bridge="four"),), gas=GAS))
    with pytest.raises(InvalidInput, match="needed_within_s"):
        pool(holding(USDC, 1.0), said=said(-1.0), routes=ROUTES)
    one, dearer, hastier = (
        pool(holding(USDC, 1.0), said=said(within), routes=routes).snapshot.hash
        for within, routes in (
            (7_200.0, ROUTES),
            (7_200.0, TransferDocument(routes=(SLOW,), gas=GAS)),
            (3_600.0, ROUTES),
        )
    )
    assert len({one, dearer, hastier}) == 3
