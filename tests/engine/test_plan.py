"""The plan of a book: its scenarios move all that its value depends on, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import MissingFactors
from crossmargin.engine.plan import moved_names, plan
from crossmargin.instruments.table import build_table
from crossmargin.instruments.terms import Delta, Perpetual, Sensitivities, Spot
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Position
from tests.margin.books import small_model
from tests.strategies import AS_OF_MS, contracts, few, markets
from tests.worlds import market, underlying

COIN = underlying("SOL", 100.0, quote="EURC")
EURO = underlying("EUR", 1.1, quote="USDT")
ASSETS = (
    doc.Asset(name="USDT", reference="USD"),
    doc.Asset(name="EURC", reference="EUR"),
    doc.Asset(name="SOL", reference="SOL"),
    doc.Asset(name="DAI", reference="USD"),
)
CORRELATIONS = doc.Correlations(names=("SOL", "EUR"), matrix=((1.0, 0.2), (0.2, 1.0)))
WORLD = build_snapshot(market(COIN, EURO, assets=ASSETS, correlations=CORRELATIONS))


def test_a_coin_is_moved_by_all_that_it_is_quoted_in():
    held = build_table([Spot(id="SOL", asset="SOL")], now_ns=WORLD.time_ns)
    assert moved_names(held, WORLD) == ({"SOL", "EUR"}, {"SOL", "EURC", "USDT"})
    cash = build_table([Spot(id="USD", asset="USD")], now_ns=WORLD.time_ns)
    assert moved_names(cash, WORLD) == (set(), set())


def test_the_scenarios_of_a_position_break_every_peg_behind_it():
    terms = Perpetual(id="P", underlying="SOL", payout="linear", settle="EURC")
    group = Group(id="main", mode="portfolio", positions=(Position(instrument="P", quantity=1),))
    document = BookDocument(accounts=(Account(id="desk", groups=(group,)),), instruments=(terms,))
    found = plan(build_book(document, now_ns=AS_OF_MS * 1_000_000), WORLD, small_model())
    assert {"spot:SOL", "fx:EUR", "peg:EURC", "peg:USDT"} <= set(found.scenarios.factors)
    assert "peg:DAI" not in found.scenarios.factors


@few
@given(st.data())
def test_no_price_depends_on_what_the_scenarios_leave_out(data: st.DataObject):
    document = data.draw(markets())
    snapshot = build_snapshot(document)
    table = build_table(data.draw(contracts(document)), now_ns=snapshot.time_ns)
    names, assets = moved_names(table, snapshot)
    moved = {snapshot.underlyings[name].factor for name in names} | {f"peg:{asset}" for asset in assets}
    quotes = {snapshot.underlyings[name].quote for name in table.underlyings}
    for asset in {*table.assets, *quotes}:
        needed = {f for f in snapshot.asset_factors(asset) if not f.startswith("backing:")}
        assert needed <= moved
    assert {name for name in table.underlyings if name in snapshot.underlyings} <= names


def test_a_ladder_names_its_underlyings_itself():
    ladder = Sensitivities(id="L", settle="USD", deltas=(Delta(factor="spot:SOL", amount=1.0),))
    assert moved_names(build_table([ladder], now_ns=WORLD.time_ns), WORLD)[0] == {"SOL", "EUR"}


def test_correlations_are_needed_of_all_that_moves():
    alone = build_snapshot(market(COIN, EURO, assets=ASSETS))
    group = Group(id="main", mode="portfolio", positions=(Position(instrument="P", quantity=1),))
    terms = Perpetual(id="P", underlying="SOL", payout="linear", settle="EURC")
    document = BookDocument(accounts=(Account(id="desk", groups=(group,)),), instruments=(terms,))
    with pytest.raises(MissingFactors, match=r"correlation:EUR.*correlation:SOL"):
        plan(build_book(document, now_ns=AS_OF_MS * 1_000_000), alone, small_model())
