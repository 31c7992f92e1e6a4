"""Explanations: shares that add up, prices at which the verdict turns, and the largest order that fits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.collateral.document import Collateral, HaircutTier
from crossmargin.engine.explaining.attribution import euler_shares, explain_groups
from crossmargin.engine.explaining.change import Previous, change
from crossmargin.engine.explaining.distance import distances, edge_of, frontier
from crossmargin.engine.explaining.explain import capacities, explain
from crossmargin.engine.margin import margin
from crossmargin.engine.moved import dealt_at_marks
from crossmargin.engine.whatif import prepare
from crossmargin.margin import document as doc
from crossmargin.market.snapshot import Snapshot, bump
from crossmargin.portfolio.document import Position
from tests.margin.books import MarginCase, margin_cases, replace, small_model
from tests.margin.desk import (
    BTC_COIN,
    BTC_PERP,
    CALL,
    ETH_PERP,
    PUT,
    account,
    desk,
    desk_market,
    group,
    orders,
    plain_model,
)
from tests.strategies import numbers

MODEL = small_model()
COLLATERAL = {"BTC": 20.0, "USDC": 500.0}
HELD = {BTC_PERP.id: 12.0, CALL.id: -20.0, PUT.id: 5.0, ETH_PERP.id: -40.0}


def excess(c: MarginCase, snapshot: Snapshot) -> np.ndarray:
    """Equity less maintenance margin in another market, everything made again, gains counting from the marks of now."""
    pools = margin(dealt_at_marks(c.book, c.snapshot), snapshot, c.model).pools
    return np.asarray(pools.equity - pools.maintenance)


@given(margin_cases())
@settings(max_examples=60)
def test_euler_shares_add_up_to_the_scan_of_positions(c: MarginCase):
    """Collateral by rule, and no orders, so that the scan is that of the positions alone."""
    bare = tuple(replace(a, groups=tuple(replace(g, orders=()) for g in a.groups)) for a in c.accounts)
    c = c.changed(accounts=bare, model=replace(c.model, collateral=replace(c.model.collateral, mode="rule")))
    shares = np.bincount(c.book.positions.owner, euler_shares(c.result), len(c.book.groups))
    by_rule = c.result.groups.initial[:, 8]
    size = 1e-11 * (1.0 + np.abs(c.book.positions.quantity) @ unit(c)[c.book.positions.instrument])
    portfolio = c.book.group_mode == 2
    assert shares[portfolio] == pytest.approx(c.result.groups.scan_loss[portfolio], rel=1e-11, abs=size)
    assert (shares[~portfolio] <= by_rule[~portfolio] + size).all()  # brackets rise with size, and each starts anew


def unit(c: MarginCase) -> np.ndarray:
    return np.asarray(np.abs(c.result.plan.pnl.values).max(axis=1) + c.result.plan.terms.exposure.notional)


def test_shares_of_options_bought_add_up_to_the_scan_and_not_to_their_cap():
    """Together they need what they are worth; the scan of which they have shares is what a fall takes from them."""
    model = plain_model(scan=doc.Factor(initial=50.0, maintenance=1.0))
    c = desk(account(group({CALL.id: 3.0, PUT.id: 1.0})), model=model)
    found, value = c.result.groups, c.result.plan.terms.exposure.value
    worth = sum(q * value[c.book.table.row[name]] for name, q in ((CALL.id, 3.0), (PUT.id, 1.0)))
    assert found.initial[0].sum() == pytest.approx(worth, rel=1e-12)
    assert 0.0 < found.scan_loss[0] < found.initial[0, 0] < 50.0 * found.scan_loss[0]
    assert euler_shares(c.result).sum() == pytest.approx(found.scan_loss[0], rel=1e-11)


def test_shares_inside_the_scenarios_are_those_of_the_worst_with_collateral():
    inside = replace(MODEL, offset_cap=1.0, collateral=replace(MODEL.collateral, mode="scenario"))
    c = desk(account(group({BTC_PERP.id: -1.0}), collateral={"BTC": 3.0}), model=inside)
    assert euler_shares(c.result) == pytest.approx([-16.0], rel=1e-9)  # the hedge takes 16 off the 48 of the coins


def test_a_shortfall_that_gains_on_average_has_no_shares():
    # A short perpetual is paid 15 a day: a rise loses 20 − 15, standing still gains 15. The tail of two gains 5.
    choice = doc.MeasureChoice(kind="expected_shortfall", level=0.5)
    model = plain_model(measure=choice, grid=replace(plain_model().grid, horizon_days=1.0))
    c = desk(account(group({BTC_PERP.id: -1.0})), model=model, market=desk_market(funding_daily=0.15))
    assert c.result.groups.initial[0, 0] == 0.0
    assert euler_shares(c.result).tolist() == [0.0]


def test_with_and_without_is_a_recompute():
    """Collateral in cash: a document without a position holds no proceeds of it, which would part the wrong way."""
    c = desk(account(group(HELD), collateral={"USDC": 5e3}), model=MODEL)
    whole = float(c.result.pools.initial[0])
    for line in explain_groups(prepare(c.book, c.result.plan), c.result)[0].positions:
        rest = {name: q for name, q in HELD.items() if name != line.instrument}
        without = desk(account(group(rest), collateral={"USDC": 5e3}), model=MODEL)
        expected = whole - float(without.result.pools.initial[0])
        assert line.marginal_usd == pytest.approx(expected, rel=1e-9, abs=1e-9 * whole)


def test_scenarios_of_a_group_are_what_the_scan_counts():
    c = desk(account(group(HELD, orders=orders((BTC_PERP.id, -9.0))), collateral=COLLATERAL), model=MODEL)
    report = explain_groups(prepare(c.book, c.result.plan), c.result)[0]
    regular = c.result.plan.scenarios.regular
    assert -min(s.pnl_usd for s in report.scenarios[:regular]) == pytest.approx(c.result.groups.scan_loss[0], rel=1e-11)


@st.composite
def desks(draw: st.DrawFn) -> MarginCase:
    """One or two pools of random positions."""
    ids = (BTC_PERP.id, BTC_COIN.id, ETH_PERP.id, CALL.id, PUT.id)
    held = draw(st.dictionaries(st.sampled_from(ids), numbers(-30.0, 30.0), min_size=1, max_size=4))
    collateral = {"USDC": draw(numbers(0.0, 3e3)), "BTC": draw(numbers(0.0, 30.0))}
    alone = group({BTC_COIN.id: draw(numbers(-20.0, 20.0))}, id="i", mode="isolated")
    alone = replace(alone, collateral=account(collateral={"BTC": draw(numbers(0.1, 5.0))}).collateral)
    return desk(account(group(held), *draw(st.sampled_from(((), (alone,)))), collateral=collateral), model=MODEL)


@given(desks())
@settings(max_examples=5)
def test_the_verdict_turns_at_the_liquidation_price(c: MarginCase):
    for d in distances(edge_of(prepare(c.book, c.result.plan)), ("BTC", "ETH")):
        pool, u = c.book.pools.index(d.pool), c.snapshot.underlyings[d.underlying]
        for price in (d.below, d.above):
            if price is not None:
                moves = ({u.factor: price * x / u.spot - 1.0} for x in (1 - 1e-6, 1 + 1e-6))
                left, right = (excess(c, bump(c.snapshot, m))[pool] for m in moves)
                assert left * right <= 0.0, (d, left, right)


def test_liquidation_price_by_hand():
    # 10 long at 100 on 300 USDC, moves of 20 %: equity 300 + 10 (P − 100) meets 10·P·0.2 at P = 87.5. Far moves
    # count for nothing here, and above there is no edge.
    entered = (Position(instrument=BTC_PERP.id, quantity=10.0, entry_price=100.0),)
    c = desk(account(group(entered), collateral={"USDC": 300.0}))
    (d,) = distances(edge_of(prepare(c.book, c.result.plan)), ["BTC"])
    assert d.below == pytest.approx(87.5, rel=1e-8)
    assert d.above is None


def test_a_position_settled_to_the_mark_gains_and_loses_from_there():
    c = desk(account(group({BTC_PERP.id: 10.0}), collateral={"USDC": 300.0}))  # as above, but for its entry price
    (d,) = distances(edge_of(prepare(c.book, c.result.plan)), ["BTC"])
    assert d.below == pytest.approx(87.5, rel=1e-8)
    assert d.above is None


@given(desks())
@settings(max_examples=2)
def test_the_verdict_turns_at_the_frontier(c: MarginCase):
    for f in frontier(edge_of(prepare(c.book, c.result.plan)), "BTC", "ETH"):
        pool = c.book.pools.index(f.pool)
        factors = [c.snapshot.underlyings[name].factor for name in (f.first, f.second)]
        for point in f.points:
            if point is not None:
                sides = []
                for stretch in (1.0 - 1e-6, 1.0 + 1e-6):
                    moves = {k: math.expm1(math.log1p(x) * stretch) for k, x in zip(factors, point, strict=True)}
                    sides.append(excess(c, bump(c.snapshot, moves))[pool])
                size = 1e-9 * (1.0 + abs(sides[0]))
                assert sides[0] * sides[1] <= 0.0 or min(map(abs, sides)) < size, (f, point, sides)


@given(desks())
@settings(max_examples=4)
def test_the_largest_order_fits_and_no_larger(c: MarginCase):
    what = prepare(c.book, c.result.plan)
    for capacity in capacities(what, c.result):
        at = c.book.groups.index(capacity.group)
        pool = int(c.book.group_pool[at])
        for sign, size in ((1.0, capacity.buy), (-1.0, capacity.sell)):
            if size:
                sizes = ({capacity.instrument: sign * size * x} for x in (1 - 1e-6, 1 + 1e-6))
                inside, outside = (what.after(s, group=at) for s in sizes)
                assert inside.equity[pool] >= inside.initial[pool]
                assert outside.equity[pool] < outside.initial[pool]


def test_capacity_pays_premiums_and_forgets_no_group():
    both = (group({CALL.id: 1.0}, id="a"), group({CALL.id: 1.0}, id="b"))
    c = desk(account(*both, collateral={"USDC": 500.0}), model=MODEL)
    found = capacities(prepare(c.book, c.result.plan), c.result)
    assert [(x.group, x.instrument) for x in found] == [("desk/a", CALL.id), ("desk/b", CALL.id)]
    assert all(x.buy is not None and 10.0 < x.buy < 60.0 for x in found)
    entered = (Position(instrument=BTC_PERP.id, quantity=1.0, entry_price=50.0),)
    c = desk(account(group(entered), collateral={"USDC": 450.0}))  # 500 of equity carry 25 at 20 %: 24 more
    assert capacities(prepare(c.book, c.result.plan), c.result)[0].buy == pytest.approx(24.0, rel=1e-6)


def test_the_change_adds_up():
    before = desk(account(group({BTC_PERP.id: 3.0}), collateral=COLLATERAL), model=MODEL)
    after = desk(account(group(HELD), collateral=COLLATERAL), model=replace(MODEL, offset_cap=0.5))
    moved = bump(after.snapshot, {"spot:BTC": -0.1, "vol:BTC": 0.3})
    then = Previous(book=before.book, snapshot=before.snapshot, model=before.model)
    found = change(then, after.book, moved, after.model, account="desk")
    parts = found.positions_usd + found.market_usd + found.parameters_usd
    assert found.before_initial_usd + parts == pytest.approx(found.after_initial_usd, rel=1e-12)
    assert found.before_initial_usd == pytest.approx(before.result.pools.initial.sum(), rel=1e-12)
    assert found.after_initial_usd == pytest.approx(
        margin(after.book, moved, after.model).pools.initial.sum(), rel=1e-12
    )
    same = Previous(book=after.book, snapshot=after.snapshot, model=after.model)
    nothing = change(same, after.book, after.snapshot, after.model, account="desk")
    assert (nothing.positions_usd, nothing.market_usd, nothing.parameters_usd) == (0.0, 0.0, 0.0)


def test_an_empty_account_is_explained():
    c = desk(account(collateral={"BTC": 1.0}), model=MODEL)
    report = explain(c.book, c.snapshot, c.model, account="desk")
    assert report.account.initial_usd == 0.0
    assert report.capacity == ()
    assert all(d.below is None and d.above is None for d in report.distances)


def test_haircuts_move_the_liquidation_price():
    rates = {a: (HaircutTier(value_cap=1e18, haircut=0.5),) for a in ("USDC", "BTC")}
    held = account(group({BTC_PERP.id: -2.0}), collateral={"BTC": 3.0})
    free, cut = (
        distances(edge_of(prepare(c.book, c.result.plan)), ["BTC"])[0]
        for c in (desk(held), desk(held, model=plain_model(collateral=Collateral(haircuts=rates))))
    )
    assert cut.price == free.price == 100.0
    # Settled at the mark of 100, 2 short have gained 200 − 2·P and need 0.4·P. 3 coins count 3·P: never an edge. Half
    # counted, equity is 200 − 0.5·P, and meets 0.4·P at 222.2.
    assert (free.below, free.above, cut.below) == (None, None, None)
    assert cut.above == pytest.approx(200.0 / 0.9, rel=1e-8)
