"""What-ifs: the quick answer, the report and a full recompute agree, and a deal at the mark is paid for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.engine.margin import margin
from crossmargin.engine.whatif import WhatIf, prepare, simulate, what_if
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import BookDocument, Group, Position
from tests.margin.books import MarginCase, margin_cases, quantities, replace, small_model
from tests.margin.desk import BTC_PERP, CALL, ETH_PERP, account, desk, group, orders
from tests.strategies import numbers

MODEL = small_model()


def dealt(g: Group, name: str, more: float) -> Group:
    held = tuple(replace(p, quantity=float(p.quantity) + more) if p.instrument == name else p for p in g.positions)
    return replace(g, positions=held)


def recomputed(c: MarginCase, what: WhatIf, accounts: tuple) -> np.ndarray:
    """Initial and maintenance margin of the changed account from its own document, over the same scenarios."""
    document = BookDocument(accounts=accounts, instruments=c.terms)
    book = build_book(document, now_ns=c.snapshot.time_ns)
    found = margin(book, c.snapshot, c.model, prepared=what.plan if book.table.ids == what.book.table.ids else None)
    return np.stack([found.pools.initial, found.pools.maintenance])


@given(margin_cases(most_accounts=1), quantities(), st.data())
@settings(max_examples=60)
def test_the_quick_answer_is_that_of_a_full_recompute(c: MarginCase, more: float, data: st.DataObject):
    a = replace(c.accounts[0], pool="multi")
    tradable = [(i, p.instrument) for i, g in enumerate(a.groups) for p in g.positions]
    if not tradable:
        return
    at, name = data.draw(st.sampled_from(tradable))
    c = c.changed(accounts=(a,))
    what = prepare(c.book, c.result.plan)
    answer = what.after({name: more}, group=at)
    changed = replace(a, groups=tuple(dealt(g, name, more) if i == at else g for i, g in enumerate(a.groups)))
    expected = recomputed(c, what, (changed,))
    lines, exposed = what.book.positions, what.plan.terms.exposure
    line = np.flatnonzero((lines.instrument == what.book.table.row[name]) & (lines.owner == at))
    quantity = lines.quantity.copy()
    quantity[line[0]] += more
    version = what.evaluate(quantity[None]).pools
    unit = np.abs(what.plan.pnl.values).max(axis=1) + exposed.notional + np.abs(exposed.value)
    size = 1e-12 * (1.0 + np.abs(expected).max() + (np.abs(quantity) + np.abs(lines.quantity)) @ unit[lines.instrument])
    size += 1e-12 * float(np.abs(version.equity).max(initial=0.0))
    for found in (np.stack([answer.initial, answer.maintenance]), np.stack([version.initial, version.maintenance])):
        # A change of the document pays no premium: the pool is worth something else, and so is its wrong-way term.
        if c.model.collateral.mode == "scenario" or not len(what.book.holdings):
            assert found == pytest.approx(expected, rel=1e-11, abs=size)
    assert answer.equity == pytest.approx(version.equity, rel=1e-11, abs=size)
    assert answer.initial == pytest.approx(version.initial, rel=1e-11, abs=size)
    assert answer.maintenance == pytest.approx(version.maintenance, rel=1e-11, abs=size)


books = st.dictionaries(st.sampled_from((BTC_PERP.id, ETH_PERP.id, CALL.id)), numbers(-9.0, 9.0), min_size=1)


@given(books, books)
@settings(max_examples=40)
def test_simulate_and_the_quick_answer_agree(held: dict, change: dict):
    c = desk(account(group(held), collateral={"BTC": 5.0, "USDC": 100.0}), model=MODEL)
    what = what_if(c.book, c.snapshot, c.model, account="desk", candidates=tuple(change))
    quick = what.after(change)
    report = simulate(c.book, c.snapshot, c.model, account="desk", add=change).after
    assert quick.initial.sum() == pytest.approx(report.initial_usd, rel=1e-11, abs=1e-9)
    assert quick.maintenance.sum() == pytest.approx(report.maintenance_usd, rel=1e-11, abs=1e-9)
    assert quick.equity.sum() == pytest.approx(report.equity_usd, rel=1e-11, abs=1e-9)


@given(books, books)
@settings(max_examples=40)
def test_a_deal_at_the_mark_makes_no_equity(held: dict, change: dict):
    c = desk(account(group(held), collateral={"BTC": 5.0}), model=MODEL)
    report = simulate(c.book, c.snapshot, c.model, account="desk", add=change)
    assert report.after.equity_usd == pytest.approx(report.before.equity_usd, rel=1e-12, abs=1e-9)


def test_options_are_not_bought_for_nothing():
    """The premium is paid: 500 USDC buy calls of 14 each until the loss they may bring is all there is."""
    c = desk(account(group({BTC_PERP.id: 1.0}), collateral={"USDC": 500.0}), model=MODEL)
    what = what_if(c.book, c.snapshot, c.model, account="desk", candidates=(CALL.id,))
    assert what.after({CALL.id: 10.0}).fits
    assert not what.after({CALL.id: 1e6}).fits


def test_both_sides_of_simulate_share_their_scenarios():
    c = desk(account(group({BTC_PERP.id: 1.0}), collateral={"USDC": 500.0}), model=MODEL)
    nothing = simulate(c.book, c.snapshot, c.model, account="desk", add={ETH_PERP.id: 0.0})
    assert nothing.before == nothing.after
    more = simulate(
        c.book, c.snapshot, c.model, account="desk", collateral={("USDC", ""): 100.0, ("ETH", "eip155:1"): 2.0}
    )
    assert more.after.equity_usd - more.before.equity_usd == pytest.approx(100 * 0.995 + 2 * 10 * 0.88)
    assert more.after.initial_usd >= more.before.initial_usd


def test_an_account_of_collateral_alone_may_trade():
    c = desk(account(collateral={"USDC": 500.0}), model=MODEL)
    report = simulate(c.book, c.snapshot, c.model, account="desk", add={BTC_PERP.id: 1.0})
    traded = desk(account(group({BTC_PERP.id: 1.0}), collateral={"USDC": 500.0}), model=MODEL)
    assert report.before.initial_usd == 0.0
    assert report.after.initial_usd == pytest.approx(float(traded.result.pools.initial.sum()), rel=1e-12)


def test_orders_wait_while_others_trade():
    working = orders((BTC_PERP.id, -4.0), (ETH_PERP.id, 30.0))
    c = desk(account(group({BTC_PERP.id: 1.0}, orders=working), collateral={"BTC": 5.0}), model=MODEL)
    what = what_if(c.book, c.snapshot, c.model, account="desk", candidates=(ETH_PERP.id,))
    held = account(group({BTC_PERP.id: 3.0, ETH_PERP.id: -7.0}, orders=working), collateral={"BTC": 5.0})
    answer = what.after({BTC_PERP.id: 2.0, ETH_PERP.id: -7.0})
    assert answer.initial == pytest.approx(desk(held, model=MODEL).result.pools.initial, rel=1e-12)


def test_what_it_was_not_made_with_is_named():
    c = desk(account(group({BTC_PERP.id: 1.0}, id="a"), group({BTC_PERP.id: 1.0}, id="b")), model=MODEL)
    what = what_if(c.book, c.snapshot, c.model, account="desk", candidates=(CALL.id,), group="b")
    assert what.after({CALL.id: 1.0}, group=1).fits is False
    for name, at in (("nobody", 0), (CALL.id, 0)):
        with pytest.raises(UnknownName, match="what-if"):
            what.after({name: 1.0}, group=at)
    with pytest.raises(InvalidInput):
        what.after({BTC_PERP.id: float("nan")})
    with pytest.raises(UnknownName):
        what_if(c.book, c.snapshot, c.model, account="nobody")


def test_a_position_with_an_entry_price_keeps_its_gain():
    held = (Position(instrument=BTC_PERP.id, quantity=2.0, entry_price=60.0),)
    c = desk(account(group(held), collateral={"USDC": 50.0}), model=MODEL)
    report = simulate(c.book, c.snapshot, c.model, account="desk", add={BTC_PERP.id: 3.0})
    assert report.after.equity_usd == pytest.approx(50 * 0.995 + 80.0)
    five = desk(account(group({BTC_PERP.id: 5.0})), model=MODEL)
    assert report.after.initial_usd == pytest.approx(float(five.result.pools.initial[0]), rel=1e-12)
