"""The matrix R: numbers by hand for each family, and laws for all of them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.instruments.table import build_table
from crossmargin.instruments.terms import AnyTerms, Forward, Future, Option, Perpetual, Spot
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.scenarios.scenario_set import TAIL, Scenario, collect, still
from crossmargin.valuation.pnl import pnl, values_usd
from tests.cases import Case, case, cases
from tests.strategies import AS_OF_MS, YEAR_MS, american_terms, few, markets
from tests.worlds import flat_surface, market, underlying, unit_pnl

QUARTER = AS_OF_MS + YEAR_MS // 4
BTC = underlying("BTC", 50_000.0, surface=flat_surface(0.6), funding_daily=0.001)
WORLD = market(
    BTC,
    underlying("EUR", 1.25),
    underlying("SPX", 5_000.0),
    assets=(
        doc.Asset(name="USDC", reference="USD"),
        doc.Asset(name="BTC", reference="BTC"),
        doc.Asset(name="EUR", reference="EUR"),
        doc.Asset(name="WBTC", reference="BTC", backing="bitgo"),
        doc.Asset(name="wstETH", reference="BTC", ratio=1.2),
    ),
)


def perpetual(payout: str, settle: str, multiplier: float = 1.0, name: str = "BTC") -> Perpetual:
    return Perpetual(id="P", underlying=name, payout=payout, settle=settle, multiplier=multiplier)


def test_an_inverse_perpetual_falls_by_more_than_the_price():
    # 10,000 USD at 50,000 are 0.2 BTC. At 40,000: 10,000 (1/50,000 − 1/40,000) = −0.05 BTC, a quarter and not a fifth.
    # At the price of the scenario these are −0.05 · 40,000 = −2,000 USD.
    assert unit_pnl(WORLD, perpetual("inverse", "BTC", 10_000.0), {"spot:BTC": -0.2}) == pytest.approx(-2_000.0)


def test_a_linear_perpetual_pays_in_its_settlement_asset():
    # 0.1 BTC up by 10 % are 500 USDC; with the peg 5 % off, 475 USD.
    assert unit_pnl(WORLD, perpetual("linear", "USDC", 0.1), {"spot:BTC": 0.1}) == pytest.approx(500.0)
    off = unit_pnl(WORLD, perpetual("linear", "USDC", 0.1), {"spot:BTC": 0.1, "peg:USDC": -0.05})
    assert off == pytest.approx(475.0)


def test_a_quanto_pays_at_a_fixed_rate_in_a_third_asset():
    # A millionth of a bitcoin per point: 500 points up are 0.0005 BTC, worth 25 USD; 15 with the coin down by 40 %.
    quanto = perpetual("quanto", "BTC", 1e-6, "SPX")
    assert unit_pnl(WORLD, quanto, {"index:SPX": 0.1}) == pytest.approx(25.0)
    assert unit_pnl(WORLD, quanto, {"index:SPX": 0.1, "spot:BTC": -0.4}) == pytest.approx(15.0)


def test_funding_is_paid_over_the_horizon_by_perpetuals_alone():
    # 0.1 % a day of 50,000 for three days are 150 USDC; inverse, 10,000/50,000 coins · 0.3 % at 50,000: 30 USD.
    assert unit_pnl(WORLD, perpetual("linear", "USDC"), {}, days=3.0) == pytest.approx(-150.0)
    assert unit_pnl(WORLD, perpetual("inverse", "BTC", 10_000.0), {}, days=3.0) == pytest.approx(-30.0)
    future = Future(id="F", underlying="BTC", payout="linear", settle="USDC", expiry=QUARTER)
    assert unit_pnl(WORLD, future, {}, days=3.0) == 0.0


def test_funding_is_paid_at_the_rate_of_the_scenario():
    # 0.1 % a day and 0.2 % more, of 50,000 over three days: 450 USDC. Over no time nothing is paid.
    assert unit_pnl(WORLD, perpetual("linear", "USDC"), {"funding:BTC": 0.002}, days=3.0) == pytest.approx(-450.0)
    paid = unit_pnl(WORLD, perpetual("inverse", "BTC", 10_000.0), {"funding:BTC": -0.004}, days=3.0)
    assert paid == pytest.approx(90.0)
    assert unit_pnl(WORLD, perpetual("linear", "USDC"), {"funding:BTC": 0.002}) == 0.0


def test_a_perpetual_alone_feels_its_basis():
    # A perpetual 1 % nearer to the sky than its spot: 50,000·(e^0.01 − 1); a dated future and the spot feel nothing.
    assert unit_pnl(WORLD, perpetual("linear", "USDC"), {"basis:BTC": 0.01}) == pytest.approx(5e4 * math.expm1(0.01))
    future = Future(id="F", underlying="BTC", payout="linear", settle="USDC", expiry=QUARTER)
    for terms in (future, Spot(id="S", asset="BTC")):
        assert unit_pnl(WORLD, terms, {"basis:BTC": 0.01}) == 0.0
    crude = underlying("CL", -5.0, kind="index", surface=flat_surface(0.4, scale=30.0))
    assert unit_pnl(market(crude), perpetual("linear", "USD", name="CL"), {"basis:CL": 0.1}) == pytest.approx(3.0)


@given(st.floats(-0.9, 3.0), st.floats(-0.1, 0.1), st.floats(-0.05, 0.05), st.floats(-0.05, 0.05), st.floats(0, 5))
def test_spot_against_its_perpetual_depends_on_basis_and_funding_alone(
    x: float, level: float, basis: float, funding: float, days: float
):
    """Long spot, short a perpetual of the same value N: −N((1 + x)(e^b − 1) − (r + f)·h), 0 where neither moves."""
    told = market(underlying("BTC", 50_000.0, funding_daily=0.001, basis=level))
    units = math.exp(-level)

    def gain(shocks: dict[str, float], days: float) -> float:
        short = unit_pnl(told, perpetual("linear", "USD"), shocks, days=days)
        return unit_pnl(told, Spot(id="S", asset="BTC"), shocks, days=days) - units * short

    limit = 1e-12 * 50_000.0
    assert abs(gain({"spot:BTC": x}, 0.0)) <= limit
    found = gain({"spot:BTC": x, "basis:BTC": basis, "funding:BTC": funding}, days)
    expected = -50_000.0 * ((1.0 + x) * math.expm1(basis) - (0.001 + funding) * days)
    assert found == pytest.approx(expected, rel=1e-10, abs=5.0 * limit)


def test_a_future_feels_the_carry_to_its_expiry():
    # A carry of 20 % over a quarter multiplies by e^0.05; it does not move what never expires.
    future = Future(id="F", underlying="BTC", payout="linear", settle="USDC", expiry=QUARTER)
    assert unit_pnl(WORLD, future, {"fwd:BTC": 0.2}) == pytest.approx(50_000.0 * math.expm1(0.05))
    assert unit_pnl(WORLD, perpetual("linear", "USDC"), {"fwd:BTC": 0.2}) == 0.0


def test_an_outright_forward_is_discounted():
    # A million euros at 1.2, worth (1.25 − 1.2)·e^(−0.05/4) each; 2 % up are 25,000 more before discounting.
    terms = Forward(id="F", underlying="EUR", settle="USD", expiry=QUARTER, strike=1.2, multiplier=1e6)
    snapshot = build_snapshot(WORLD)
    table = build_table([terms], now_ns=snapshot.time_ns)
    assert values_usd(table, snapshot)[0] == pytest.approx(50_000.0 * math.exp(-0.0125))
    assert unit_pnl(WORLD, terms, {"fx:EUR": 0.02}) == pytest.approx(25_000.0 * math.exp(-0.0125))
    # Rates up by 1 %: the value of 50,000 falls by the factor e^(−0.0025).
    rates = unit_pnl(WORLD, terms, {"rate:USD": 0.01})
    assert rates == pytest.approx(50_000.0 * math.exp(-0.0125) * math.expm1(-0.0025))


def test_what_is_held_falls_with_its_coin_its_promise_and_its_chain():
    wrapped = Spot(id="W", asset="WBTC", chain="eip155:1")
    for shocks, left in (
        ({"spot:BTC": -0.2}, 0.8),
        ({"backing:bitgo": -1.0}, 0.0),
        ({"chain:eip155:1": -1.0}, 0.0),
        ({"spot:BTC": -0.2, "peg:WBTC": -0.1, "backing:bitgo": -0.5, "chain:eip155:1": -0.25}, 0.8 * 0.9 * 0.5 * 0.75),
        ({"chain:eip155:10": -1.0, "peg:USDC": -0.5}, 1.0),
    ):
        assert unit_pnl(WORLD, wrapped, shocks) == pytest.approx(50_000.0 * (left - 1.0))
    assert unit_pnl(WORLD, Spot(id="S", asset="wstETH"), {"spot:BTC": 0.1}) == pytest.approx(6_000.0)
    assert unit_pnl(WORLD, Spot(id="S", asset="USD"), {"spot:BTC": 0.1, "peg:USDC": -0.5}) == 0.0


def test_prices_that_may_be_negative_move_in_units_of_their_scale():
    crude = underlying("CL", -5.0, kind="index", surface=flat_surface(0.4, scale=30.0))
    future = Future(id="F", underlying="CL", payout="linear", settle="USD", expiry=QUARTER, multiplier=1_000.0)
    assert unit_pnl(market(crude), future, {"index:CL": -0.1}) == pytest.approx(-3_000.0)


def test_a_price_of_zero_is_a_price_where_prices_may_be_negative():
    crude = underlying("CL", 0.0, kind="index", surface=flat_surface(0.4, scale=30.0), funding_daily=0.01)
    assert unit_pnl(market(crude), perpetual("linear", "USD", name="CL"), {"index:CL": 0.1}, days=1.0) == 3.0


def test_far_moves_are_damped():
    snapshot = build_snapshot(WORLD)
    table = build_table([perpetual("linear", "USDC"), option("call")], now_ns=snapshot.time_ns)
    columns = [
        Scenario(label="a", family=f, shocks={"spot:BTC": -0.6}, damping=d) for f, d in (("p", 1.0), (TAIL, 0.1))
    ]
    found = pnl(table, snapshot, collect(columns)).values
    assert found[:, 1] == pytest.approx(0.1 * found[:, 0], rel=1e-14)


def option(right: str, strike: float = 50_000.0) -> Option:
    return Option(
        id=f"O-{strike}-{right}",
        underlying="BTC",
        payout="linear",
        settle="USDC",
        expiry=QUARTER,
        strike=strike,
        right=right,
    )


@settings(max_examples=40)
@given(cases(columns=1))
def test_where_nothing_moves_nothing_is_gained_to_the_last_bit(c: Case):
    assert (pnl(c.table, c.snapshot, still()).values == 0.0).all()
    flat = collect([Scenario(label="zero", family="price", shocks=dict.fromkeys(c.scenarios.factors, 0.0)), *c.columns])
    column = flat.labels.index("zero")
    assert (pnl(c.table, c.snapshot, flat).values[:, column] == 0.0).all()


@few
@given(st.data())
def test_american_options_gain_nothing_where_nothing_moves(data: st.DataObject):
    document = data.draw(markets())
    terms = tuple(data.draw(american_terms(document, f"A{i}")) for i in range(3))
    c = case(document, terms, [])
    assert (pnl(c.table, c.snapshot, still()).values == 0.0).all()


@settings(max_examples=40)
@given(cases(), st.data())
def test_the_order_of_instruments_and_columns_changes_no_bit(c: Case, data: st.DataObject):
    found = pnl(c.table, c.snapshot, c.scenarios).values
    rows = data.draw(st.permutations(range(len(c.terms))))
    columns = data.draw(st.permutations(range(c.scenarios.regular)))
    again = case(
        c.document,
        tuple(c.terms[i] for i in rows),
        [c.columns[j] for j in columns] + list(c.columns[c.scenarios.regular :]),
        dict(c.scenarios.rules),
    )
    order = [*columns, *range(c.scenarios.regular, len(c.scenarios))]
    assert np.array_equal(pnl(again.table, again.snapshot, again.scenarios).values, found[np.ix_(rows, order)])


@settings(max_examples=40)
@given(cases())
def test_each_instrument_and_each_column_stands_for_itself(c: Case):
    found = pnl(c.table, c.snapshot, c.scenarios).values
    for i, terms in enumerate(c.terms):
        alone = case(c.document, (terms,), list(c.columns), dict(c.scenarios.rules))
        assert np.array_equal(pnl(alone.table, alone.snapshot, alone.scenarios).values[0], found[i])
    for j, column in enumerate(c.columns):
        alone = case(c.document, c.terms, [column], dict(c.scenarios.rules))
        assert pnl(alone.table, alone.snapshot, alone.scenarios).values[:, 0] == pytest.approx(found[:, j], rel=1e-13)


def test_threads_change_no_bit():
    # 600 options by 1,001 prices are three blocks of work; fewer would run in one.
    snapshot = build_snapshot(WORLD)
    strikes = np.linspace(20_000.0, 120_000.0, 300)
    terms = [option(right, float(k)) for k in strikes for right in ("call", "put")]
    table = build_table(terms, now_ns=snapshot.time_ns)
    moves = np.linspace(-0.5, 1.0, 1_001)
    columns = collect(Scenario(label=str(x), family="price", shocks={"spot:BTC": float(x)}) for x in moves)
    one, three = (pnl(table, snapshot, columns, threads=n).values for n in (1, 3))
    assert np.array_equal(one, three)
    assert not one.flags.writeable


def test_an_empty_table_has_no_rows():
    snapshot = build_snapshot(WORLD)
    assert pnl(build_table([], now_ns=snapshot.time_ns), snapshot, still()).values.shape == (0, 1)


@given(st.floats(-0.95, 5.0))
def test_what_is_settled_and_what_is_held_make_a_riskless_box(move: float):
    # Long one coin and short its value in inverse contracts is USD, whatever the price: the first use of the contract.
    box: list[tuple[AnyTerms, float]] = [(Spot(id="S", asset="BTC"), 1.0), (perpetual("inverse", "BTC"), -50_000.0)]
    total = sum(q * unit_pnl(WORLD, terms, {"spot:BTC": move}) for terms, q in box)
    assert total == pytest.approx(0.0, abs=1e-9)
