"""Working orders: each at the fill that is worst, in every term, so that no fill asks for more than was held."""

from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.instruments.terms import Spot
from crossmargin.margin import document as doc
from crossmargin.portfolio.document import Group, Order, Position
from spec import margin as plain
from spec.accounts import Pool
from tests.margin.books import MarginCase, margin_cases, replace, small_model
from tests.margin.desk import BTC_PERP, ETH_PERP, account, desk, desk_market, group, orders, plain_model, required

RULES = {
    "crypto_major": doc.PositionRule(
        tiers=(doc.Tier(notional_cap=1e9, initial=0.1, maintenance=0.05),),
        option=doc.OptionRule(initial_far=0.15, initial_near=0.10, maintenance=0.075),
    )
}
ONE = doc.Factor(initial=1.0, maintenance=1.0)
BOTH_SIDES = orders((BTC_PERP.id, 9.0), (BTC_PERP.id, -8.0))


def test_a_buy_and_a_sell_of_one_contract_do_not_net():
    liquid = desk_market(adv=1e4)
    sides = desk(account(group({}, orders=BOTH_SIDES)), market=liquid, model=plain_model(liquidity=doc.Liquidity()))
    buy = desk(account(group({}, orders=BOTH_SIDES[:1])), market=liquid, model=plain_model(liquidity=doc.Liquidity()))
    assert required(sides, "liquidity") == pytest.approx(required(buy, "liquidity"), rel=1e-9)
    by_rule = desk(account(group({}, mode="cross", orders=BOTH_SIDES)), model=plain_model(rules=RULES))
    assert required(by_rule) == pytest.approx(900 * 0.1, rel=1e-9)


def test_spot_is_ordered_at_a_price_in_usd():
    coin = Spot(id="BTC-SPOT.A", asset="BTC")
    # Bought at 110 and marked at 100: 10 lost at once, 20 more in the fall.
    c = desk(account(group({}, orders=orders(("BTC-SPOT.A", 1.0, 110.0)))), more=(coin,))
    assert required(c, "scan") == pytest.approx(30.0, rel=1e-9)


def test_an_order_counts_in_the_offset_cap_before_it_fills():
    # Alone BTC loses 200 down and ETH 100 up; offsets between them count to 80 %, filled or not.
    held, working = {BTC_PERP.id: 10.0}, orders((ETH_PERP.id, -50.0))
    waiting = desk(account(group(held, orders=working)), model=plain_model(offset_cap=0.8))
    filled = desk(account(group(held | {ETH_PERP.id: -50.0})), model=plain_model(offset_cap=0.8))
    assert required(filled) == pytest.approx(220.0, rel=1e-9)
    assert required(waiting) == pytest.approx(220.0, rel=1e-9)


def test_an_order_alone_is_concentrated():
    market, model = desk_market(adv=2000.0), plain_model(liquidity=doc.Liquidity())
    waiting = desk(account(group({}, orders=orders((BTC_PERP.id, 10.0)))), market=market, model=model)
    filled = desk(account(group({BTC_PERP.id: 10.0})), market=market, model=model)
    assert required(filled, "concentration") > 100.0
    assert required(waiting, "concentration") == pytest.approx(required(filled, "concentration"), rel=1e-9)


@given(margin_cases(most_accounts=1))
@settings(max_examples=60)
def test_scan_is_the_worst_over_all_fills(c: MarginCase):
    c = c.changed(model=replace(c.model, measure=doc.MeasureChoice(kind="worst"), scan=ONE))
    regular = c.result.plan.scenarios.regular
    for a in c.accounts:
        for name, pool in c.pools(a).items():
            if c.model.collateral.mode == "rule":
                check_scan(c, name, pool, regular)


def check_scan(c: MarginCase, name: str, pool: Pool, regular: int) -> None:
    mine = [g for g in range(len(c.book.groups)) if c.book.pools[c.book.group_pool[g]] == name]
    for g, group_ in zip(mine, pool.groups, strict=True):
        if group_.mode == "portfolio":
            expected = plain.worst_over_fills(group_.positions, group_.orders, regular, "regular")
            size = sum(
                abs(x.quantity) * (x.row.notional + abs(x.row.value)) for x in (*group_.positions, *group_.orders)
            )
            assert c.result.groups.initial[g, 0] == pytest.approx(expected, rel=1e-11, abs=1e-12 * size)


def at_the_mark(g: Group) -> Group:
    return msgspec.structs.replace(g, orders=tuple(msgspec.structs.replace(o, price=None) for o in g.orders))


def filled(g: Group, chosen: tuple[Order, ...]) -> Group:
    """The group after its orders are gone, the `chosen` by filling; what it could deal in stays in the book."""
    quantity = dict.fromkeys((o.instrument for o in g.orders), 0.0)
    quantity |= {p.instrument: float(p.quantity) for p in g.positions}
    for o in chosen:
        quantity[o.instrument] += float(o.quantity)
    entry = {p.instrument: p.entry_price for p in g.positions}
    held = tuple(Position(instrument=name, quantity=q, entry_price=entry.get(name)) for name, q in quantity.items())
    return msgspec.structs.replace(g, positions=held, orders=())


@given(margin_cases(most_accounts=1, model=st.just(small_model())))
@settings(max_examples=40)
def test_no_fill_requires_more_than_the_waiting_order(c: MarginCase):
    """The requirement with orders at the mark is not below that of any set of fills.

    But for the parts of the basis that depend on where an order would be matched: those count once it is filled. The
    scenarios are the same before and after: they are those of all underlyings that the book can reach.
    """
    model = replace(c.model, basis=doc.Basis(annual=0.0, venue=0.0))
    groups = tuple(at_the_mark(g) for g in c.accounts[0].groups)
    for i, g in enumerate(groups):
        one = account(msgspec.structs.replace(g, collateral=()))
        waiting = c.changed(accounts=(one,), model=model)
        for fills in product((False, True), repeat=len(g.orders)):
            chosen = tuple(o for o, is_filled in zip(g.orders, fills, strict=True) if is_filled)
            after = c.changed(accounts=(account(filled(one.groups[0], chosen)),), model=model)
            slack = 1e-9 * (1.0 + waiting.result.pools.initial.sum())
            assert after.result.pools.initial.sum() <= waiting.result.pools.initial.sum() + slack, (i, fills)
