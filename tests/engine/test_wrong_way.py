"""Collateral that falls with the book: who meets the requirement still covers the loss after the fall."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.accounts.equity import position_worth
from crossmargin.collateral.document import Collateral, HaircutTier
from crossmargin.engine.collateral_risk import pool_lines
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.variants import account_alone, with_quantities
from crossmargin.margin import document as doc
from crossmargin.measures.kernels.reduce import losses_rows
from crossmargin.portfolio.document import Position
from tests.margin.books import MarginCase, replace, small_model
from tests.margin.desk import BTC_PERP, CALL, CONTRACTS, ETH_PERP, account, desk, group, orders, plain_model, required
from tests.strategies import numbers

SIZES = np.geomspace(0.05, 50.0, 200)


def ruin(result: MarginResult) -> np.ndarray:
    """What is left of each pool in its worst scenario, everything at market [pool], USD."""
    book, ready = result.book, result.plan
    together = pool_lines(book)
    losses = losses_rows(together.ptr, together.instrument, together.quantity, ready.terms.matrix.regular)
    gross = np.bincount(book.holdings.owner, result.holdings.gross, len(book.pools))
    return gross + result.pools.unsettled + position_worth(book, ready.terms) - losses.max(axis=1)


@st.composite
def desks(draw: st.DrawFn) -> MarginCase:
    """Positions dealt at other prices, over collateral with haircuts that moves with them."""
    ids = draw(st.sets(st.sampled_from([t.id for t in CONTRACTS]), min_size=1))
    entry = {BTC_PERP.id: numbers(50.0, 200.0), ETH_PERP.id: numbers(5.0, 20.0)}
    held = tuple(
        Position(instrument=x, quantity=draw(numbers(-10.0, 10.0)), entry_price=draw(entry.get(x, st.none())))
        for x in sorted(ids)
    )
    amounts = {"BTC": draw(numbers(0.0, 50.0)), "ETH": draw(numbers(0.0, 500.0)), "USDC": draw(numbers(0.0, 1e3))}
    rates = {a: (HaircutTier(value_cap=1e18, haircut=draw(numbers(0.0, 0.3))),) for a in amounts}
    model = replace(small_model(), offset_cap=draw(numbers(0.0, 1.0)), collateral=Collateral(haircuts=rates))
    return desk(account(group(held), collateral=amounts), model=model)


@given(desks())
@settings(max_examples=60)
def test_who_meets_maintenance_survives_every_scenario(c: MarginCase):
    alone = account_alone(c.book, "desk")
    versions = with_quantities(alone, np.outer(SIZES, alone.positions.quantity))
    result = margin(versions, c.snapshot, c.model)
    meets = result.pools.equity >= result.pools.maintenance
    slack = 1e-9 * (1.0 + np.abs(result.pools.collateral) + np.abs(result.pools.maintenance))
    assert (ruin(result)[meets] >= -slack[meets]).all()


# Haircuts of nothing: the whole fall of the coin is the collateral's wrong way.
WRONG_WAY = plain_model(wrong_way=doc.WrongWay())


def test_the_term_by_hand():
    # 1.5 BTC long on 5 BTC of collateral: scan 30, joint loss 130, so x = 100 of W = 500 and x·30/(500 − 100) = 7.5.
    c = desk(account(group({BTC_PERP.id: 1.5}), collateral={"BTC": 5.0}), model=WRONG_WAY)
    assert c.result.pools.wrong_way[0] == pytest.approx(7.5, rel=1e-9)
    assert c.result.pools.maintenance[0] == pytest.approx(37.5, rel=1e-9)


def test_a_short_option_uses_collateral_up_before_it_falls():
    """What is owed on options is no collateral: 5 BTC that secure 4 of them have little to lose."""
    c = desk(account(group({BTC_PERP.id: 10.0, CALL.id: -25.0}), collateral={"BTC": 5.0}), model=WRONG_WAY)
    pools = c.result.pools
    left = float(ruin(c.result)[0])
    assert (pools.equity[0] >= pools.maintenance[0]) == (left >= 0.0)
    entry = (Position(instrument=BTC_PERP.id, quantity=2.0, entry_price=300.0),)
    c = desk(account(group(entry), collateral={"BTC": 5.0}), model=WRONG_WAY)  # 400 of the 500 are lost already
    assert c.result.pools.equity[0] == pytest.approx(100.0)
    assert ruin(c.result)[0] == pytest.approx(100.0 - 40.0 - 100.0)
    assert c.result.pools.equity[0] < c.result.pools.maintenance[0]


def test_an_order_falls_with_the_collateral_before_it_fills():
    filled = desk(account(group({BTC_PERP.id: 3.0}), collateral={"BTC": 5.0}), model=WRONG_WAY)
    working = group({}, orders=orders((BTC_PERP.id, 3.0)))
    waiting = desk(account(working, collateral={"BTC": 5.0}), model=WRONG_WAY)
    assert waiting.result.pools.initial[0] == pytest.approx(filled.result.pools.initial[0], rel=1e-9)


def test_none_without_positions_without_collateral_or_inside_the_scenarios():
    idle = desk(account(group({}), collateral={"BTC": 5.0}), model=WRONG_WAY)
    bare = desk(account(group({BTC_PERP.id: 1.0})), model=WRONG_WAY)
    inside = replace(WRONG_WAY, collateral=replace(WRONG_WAY.collateral, mode="scenario"))
    within = desk(account(group({BTC_PERP.id: 1.0}), collateral={"BTC": 5.0}), model=inside)
    assert [float(c.result.pools.wrong_way[0]) for c in (idle, bare, within)] == [0.0, 0.0, 0.0]
    assert idle.result.pools.initial[0] == 0.0


def test_haircuts_pay_for_their_part_of_the_fall():
    deep = Collateral(haircuts={"BTC": (HaircutTier(value_cap=1e18, haircut=0.2),)})
    c = desk(account(group({BTC_PERP.id: 1.5}), collateral={"BTC": 5.0}), model=replace(WRONG_WAY, collateral=deep))
    assert c.result.pools.wrong_way[0] == pytest.approx(0.0, abs=1e-9)
    # Haircuts of 20 % are the whole of the move.


def test_a_value_at_risk_that_nets_badly_is_no_fall_of_collateral():
    """Blocks of accounts with and without collateral agree: who holds none has no wrong-way term."""
    choice = doc.MeasureChoice(kind="value_at_risk", level=0.7)
    # Five scenarios, a tail of two: 3 BTC alone lose in one only, and so do 30 ETH short; both together in two.
    both, long, short = {BTC_PERP.id: 1.0, ETH_PERP.id: -10.0}, {BTC_PERP.id: 3.0}, {ETH_PERP.id: -30.0}
    alone = account(group(both), group(long, id="long"), group(short, id="short"), id="bare")
    other = account(group({BTC_PERP.id: 1.0}), collateral={"BTC": 5.0})
    c = desk(alone, other, model=replace(WRONG_WAY, measure=choice))
    assert required(c) == pytest.approx(20.0, rel=1e-9)
    assert c.result.pools.wrong_way[0] == 0.0
