"""Snapshots: prices through chains of references, and moved markets against scenarios of the same move."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.instruments.table import InstrumentTable, PayoutCode, build_table
from crossmargin.instruments.terms import Future, Perpetual
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.market.snapshot import Snapshot, bump, factors_of, normal_scale
from crossmargin.scenarios.scenario_set import Scenario
from crossmargin.valuation.marks import LINEAR_FAMILIES, marks
from crossmargin.valuation.pnl import pnl, values_usd
from spec.world import NOW, asset_usd
from tests.cases import Case, case, gross_usd
from tests.strategies import (
    AS_OF_MS,
    YEAR_MS,
    contracts,
    factor_names,
    few,
    markets,
    moves_of,
    plain_market,
    relevant_factors,
)
from tests.worlds import flat_surface, market, underlying, unit_pnl

EXPIRY = AS_OF_MS + YEAR_MS
BTC = underlying("BTC", 50_000.0, surface=flat_surface(0.6), quote="USDT")
ASSETS = (
    doc.Asset(name="USDT", reference="USD", market_ratio=0.99),
    doc.Asset(name="BTC", reference="BTC"),
    doc.Asset(name="WBTC", reference="BTC", ratio=1.0, market_ratio=0.98, backing="bitgo"),
)
WORLD = build_snapshot(market(BTC, assets=ASSETS))


def test_prices_go_through_their_references():
    assert WORLD.asset_price("USD") == 1.0
    assert WORLD.asset_price("USDT") == 0.99  # the lower of its promise and its price
    assert WORLD.usd_price("BTC") == pytest.approx(49_500.0)
    assert WORLD.asset_price("WBTC") == pytest.approx(0.98 * 49_500.0)
    assert WORLD.asset_factors("WBTC") == ("spot:BTC", "peg:WBTC", "backing:bitgo", "peg:USDT")
    assert WORLD.asset_factors("BTC") == ("spot:BTC", "peg:USDT")
    assert WORLD.asset_factors("USD") == ()


@few
@given(markets())
def test_prices_are_those_of_the_twin(document: doc.MarketDocument):
    snapshot, plain = build_snapshot(document), plain_market(document)
    for name in snapshot.assets:
        assert snapshot.asset_price(name) == pytest.approx(asset_usd(plain, name, NOW), rel=1e-14)
    assert set(factors_of(snapshot)) == factor_names(document)


def test_correlations_are_stated_or_missing():
    found = build_snapshot(market(BTC, assets=ASSETS, correlations=doc.Correlations(names=("BTC",), matrix=((1.0,),))))
    assert found.correlation_of("BTC", "BTC") == 1.0
    with pytest.raises(MissingFactors, match="correlation:BTC:ETH"):
        found.correlation_of("BTC", "ETH")


def test_the_hash_knows_every_figure_and_not_the_source():
    document = market(BTC, assets=ASSETS)
    again = msgspec.structs.replace(document, source="elsewhere")
    assert build_snapshot(again).hash == WORLD.hash
    moves = [{"spot:BTC": 1e-12}, {"peg:WBTC": 1e-12}, {"rate:USD": 1e-12}, {"vol:BTC": 1e-12}, {"fwd:BTC": 1e-9}]
    moves += [{"basis:BTC": 1e-9}, {"funding:BTC": 1e-9}]
    assert len({WORLD.hash, *(bump(WORLD, m).hash for m in moves)}) == 1 + len(moves)


MOVED = ("linear", "option", "forward", "spot")
NOT_MOVED = ("skew", "smile", "chain")  # what leaves no market behind


@st.composite
def moved_cases(draw: st.DrawFn) -> Case:
    document = draw(markets())
    terms = draw(contracts(document, MOVED, most=3))
    factors = [f for f in relevant_factors(document, terms) if not f.startswith(NOT_MOVED)]
    chosen = draw(st.lists(st.sampled_from(factors), max_size=5, unique=True))
    shocks = {factor: draw(moves_of(factor)) for factor in chosen}
    return case(document, terms, [Scenario(label="move", family="price", shocks=shocks)])


@given(moved_cases())
def test_a_scenario_is_the_difference_of_two_markets(c: Case):
    moved = bump(c.snapshot, dict(c.columns[0].shocks))
    expected = values_usd(c.table, moved) - values_usd(c.table, c.snapshot) + settled(c.table, c.snapshot, moved)
    found = pnl(c.table, c.snapshot, c.scenarios).values[:, 0]
    assert (np.abs(found - expected) <= 1e-11 * np.abs(expected) + 1e-12 * gross_usd(c)[:, 0]).all()


def settled(table: InstrumentTable, before: Snapshot, after: Snapshot) -> np.ndarray:
    """What futures and perpetuals pay when they are marked anew, USD at the prices after."""
    old, new = marks(table, before), marks(table, after)
    inverse = table.payout == PayoutCode.INVERSE
    gain = np.where(inverse, 1.0 / old.price - 1.0 / new.price, new.price - old.price)
    linear = np.isin(table.family, LINEAR_FAMILIES)
    return np.where(linear, table.multiplier * gain * new.settle_usd, 0.0)


@few
@given(st.data())
def test_a_moved_market_is_the_market_of_moved_documents(data: st.DataObject):
    document = data.draw(markets())
    name = data.draw(st.sampled_from([u.name for u in document.underlyings]))
    u = next(u for u in document.underlyings if u.name == name)
    x = data.draw(moves_of(f"{u.kind}:{name}"))
    step = x * u.surface.scale if u.surface and u.surface.kind == "normal" else None

    def moved(price: float) -> float:
        return price + step if step is not None else price * (1.0 + x)

    points = tuple(msgspec.structs.replace(p, forward=moved(p.forward)) for p in u.forwards)
    replaced = msgspec.structs.replace(u, spot=moved(u.spot), forwards=points)
    others = tuple(replaced if other.name == name else other for other in document.underlyings)
    expected = build_snapshot(msgspec.structs.replace(document, underlyings=others))
    assert bump(build_snapshot(document), {f"{u.kind}:{name}": x}).hash == expected.hash
    assert normal_scale(expected.underlyings[name]) == (u.surface.scale if u.surface else 1.0)


def test_a_carry_on_a_flat_curve_moves_every_forward():
    moved = bump(WORLD, {"fwd:BTC": 0.1}).underlyings["BTC"].curve
    for years in (0.25, 1.0, 3.0):
        at = WORLD.time_ns + int(years * YEAR_MS) * 1_000_000
        assert float(moved(at)) == pytest.approx(50_000.0 * math.exp(0.1 * years), rel=1e-12)
    future = Future(id="F", underlying="BTC", payout="linear", settle="USDT", expiry=EXPIRY)
    gain = unit_pnl(market(BTC, assets=ASSETS), future, {"fwd:BTC": 0.1})
    assert gain == pytest.approx(50_000.0 * math.expm1(0.1) * 0.99, rel=1e-12)


def test_a_basis_moves_perpetuals_marked_or_not_and_funding_what_they_pay():
    prices = {"P": 50_100.0, "F": 51_000.0}
    named = tuple(doc.Mark(instrument=i, underlying="BTC", price=price) for i, price in prices.items())
    told = build_snapshot(market(underlying("BTC", 50_000.0, basis=0.01, funding_daily=0.001), marks=named))
    terms = [Perpetual(id=i, underlying="BTC", payout="linear", settle="USDC") for i in ("P", "Q")]
    dated = Future(id="F", underlying="BTC", payout="linear", settle="USDC", expiry=EXPIRY)
    table = build_table([*terms, dated], now_ns=told.time_ns)
    assert marks(table, told).price == pytest.approx([50_100.0, 50_000.0 * math.exp(0.01), 51_000.0], rel=1e-14)
    moved = bump(bump(told, {"basis:BTC": 0.02, "funding:BTC": 0.003}), {"basis:BTC": -0.05})
    apart = math.exp(-0.03)
    expected = [50_100.0 * apart, 50_000.0 * math.exp(-0.02), 51_000.0]
    assert marks(table, moved).price == pytest.approx(expected, rel=1e-14)
    assert moved.underlyings["BTC"].funding_daily == pytest.approx(0.004)
    assert moved.hash != told.hash


def test_moves_that_nothing_holds_are_missing_factors():
    with pytest.raises(MissingFactors) as caught:
        bump(WORLD, {"spot:ETH": 0.1, "peg:BTC": 0.1, "spot:BTC": 0.1, "rate:EUR": 0.1, "vol:BTC:30d": 0.1})
    assert set(caught.value.factors) == {"spot:ETH", "peg:BTC", "rate:EUR", "vol:BTC:30d"}


@pytest.mark.parametrize("factor", ["skew:BTC", "smile:BTC"])
def test_bends_of_a_smile_leave_no_market(factor: str):
    with pytest.raises(InvalidInput, match=rf"moves: move is '{factor}'.*Use a scenario"):
        bump(WORLD, {factor: 0.1})


@pytest.mark.parametrize(
    ("factor", "move"),
    [("spot:BTC", -1.0), ("spot:BTC", math.nan), ("vol:BTC", -1.0), ("peg:USDT", -1.5), ("rate:USD", math.inf)],
)
def test_moves_to_no_market_are_refused(factor: str, move: float):
    with pytest.raises(InvalidInput, match=r"BTC|USD"):
        bump(WORLD, {factor: move})


@given(st.floats(-0.9, 3.0), st.floats(-0.9, 3.0))
def test_moves_multiply(x: float, y: float):
    twice = bump(bump(WORLD, {"spot:BTC": x}), {"spot:BTC": y})
    assert twice.usd_price("BTC") == pytest.approx(WORLD.usd_price("BTC") * (1 + x) * (1 + y), rel=1e-14)


def test_no_moves_no_change():
    assert bump(WORLD, {}).hash == WORLD.hash
