"""Margin of whole books: what changes nothing, what changes everything, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.engine import margin as engine
from crossmargin.engine.accounts import margin_report, provenance
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.plan import model_hash, plan
from crossmargin.instruments.terms import Spot
from crossmargin.margin import document as doc
from crossmargin.margin.requirement import counted_value, stock
from crossmargin.portfolio.book import Mode
from crossmargin.portfolio.document import Account
from tests.margin.books import MarginCase, margin_cases, models, replace, small_model
from tests.margin.desk import (
    BTC_ELSEWHERE,
    BTC_FUTURE,
    BTC_PERP,
    CALL,
    ETH_PERP,
    account,
    desk,
    desk_market,
    group,
    plain_model,
)


def columns(result: MarginResult) -> dict[str, bytes]:
    """Every number of a result, as bytes."""
    parts = {"groups": result.groups, "pools": result.pools, "holdings": result.holdings}
    return {
        f"{kind}.{name}": getattr(part, name).tobytes()
        for kind, part in parts.items()
        for name in part.__dataclass_fields__
    }


def by_name(result: MarginResult) -> dict[str, tuple[float, ...]]:
    """Every number of groups and pools by name, so that their order is no matter."""
    book, found = result.book, {}
    for g, name in enumerate(book.groups):
        found[name] = (*result.groups.initial[g].tolist(), *result.groups.maintenance[g].tolist())
    for p, name in enumerate(book.pools):
        columns = [np.atleast_1d(getattr(result.pools, f)[p]) for f in result.pools.__dataclass_fields__]
        found[f"pool {name}"] = tuple(np.concatenate(columns).tolist())
    return found


def shuffled(a: Account, pick: st.DataObject) -> Account:
    def mixed(items: tuple) -> tuple:
        return tuple(pick.draw(st.permutations(items)))

    groups = tuple(
        replace(g, positions=mixed(g.positions), orders=mixed(g.orders), collateral=mixed(g.collateral))
        for g in a.groups
    )
    return replace(a, groups=groups, collateral=mixed(a.collateral))


@given(margin_cases(most_accounts=4), st.data())
@settings(max_examples=60)
def test_order_of_accounts_and_lines_changes_no_bit(c: MarginCase, data: st.DataObject):
    other = c.changed(accounts=tuple(shuffled(a, data) for a in data.draw(st.permutations(c.accounts))))
    assert by_name(other.result) == by_name(c.result)


@given(margin_cases(), st.data())
@settings(max_examples=40)
def test_order_of_groups_changes_nothing(c: MarginCase, data: st.DataObject):
    """But the last bit of their sums; inside the scenarios, collateral stands in the first group by definition."""
    c = c.changed(model=replace(c.model, collateral=replace(c.model.collateral, mode="rule")))
    mixed = (replace(a, groups=tuple(data.draw(st.permutations(a.groups)))) for a in c.accounts)
    before, after = by_name(c.result), by_name(c.changed(accounts=tuple(mixed)).result)
    assert before.keys() == after.keys()
    for name, figures in before.items():
        size = 1e-12 * (1.0 + max(map(abs, figures[:7])))
        assert after[name] == pytest.approx(figures, rel=1e-9, abs=size) or ("pool" in name and np.isinf(figures).any())


@given(margin_cases(most_accounts=4), st.sampled_from((1, 2, 3)))
@settings(max_examples=40)
def test_blocks_and_threads_change_no_bit(c: MarginCase, lines: int):
    whole = columns(c.result)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "BLOCK_LINES", lines)
        assert columns(margin(c.book, c.snapshot, c.model)) == whole
    assert columns(margin(c.book, c.snapshot, c.model, threads=2)) == whole


def test_whales_beside_it_change_no_bit_of_a_small_account():
    model, chance = plain_model(basis=doc.Basis()), np.random.default_rng(7)
    held = (BTC_PERP.id, BTC_ELSEWHERE.id, BTC_FUTURE.id, CALL.id)
    sizes = chance.normal(size=(400, len(held))) * 10.0 ** chance.uniform(-3.0, 12.0, size=(400, 1))
    accounts = [account(group(dict(zip(held, row, strict=True))), id=f"{i}") for i, row in enumerate(sizes.tolist())]
    assert by_name(desk(*accounts, model=model).result) == by_name(desk(*reversed(accounts), model=model).result)


def test_the_same_inputs_give_the_same_bits():
    c = desk(account(group({BTC_PERP.id: 1.0, CALL.id: -3.0}), collateral={"BTC": 2.0}), model=small_model())
    again = c.changed()
    assert columns(c.result) == columns(again.result)
    assert provenance(c.result) == provenance(again.result)


CHANGES = {
    "model_hash": {"model": replace(small_model(), offset_cap=0.7999)},
    "snapshot_hash": {"market": desk_market(confidence_bps=1e-9)},
    "book_hash": {"accounts": (account(group({BTC_PERP.id: 1.0000000001})),)},
    "scenario_hash": {"model": replace(small_model(), grid=replace(small_model().grid, steps=3))},
}


@pytest.mark.parametrize("changed", CHANGES)
def test_each_input_has_its_hash(changed: str):
    base = desk(account(group({BTC_PERP.id: 1.0})), model=small_model())
    before, after = (provenance(c.result) for c in (base, base.changed(**CHANGES[changed])))
    moved = {f for f in CHANGES if getattr(before, f) != getattr(after, f)}
    assert moved == ({changed, "model_hash"} if changed == "scenario_hash" else {changed})


@given(models(), models())
@settings(max_examples=30)
def test_hashes_of_models_differ_where_a_parameter_does(first, second):
    assert (model_hash(first) == model_hash(second)) == (first == second)


@pytest.mark.parametrize(
    "empty",
    [
        (),
        (account(),),
        (account(group({})),),
        (account(group({}, mode="cross"), group({}, id="i", mode="isolated")),),
        (account(pool="single"),),
        (account(group({BTC_PERP.id: 0.0, CALL.id: 0.0})),),
        (account(group({}), collateral={"BTC": 1.0}),),
    ],
)
def test_an_empty_account_requires_nothing(empty: tuple[Account, ...]):
    c = desk(*empty, model=small_model())
    assert not c.result.pools.initial.any()
    assert not c.result.pools.maintenance.any()
    assert not c.result.pools.status.any()
    assert len(margin_report(c.result).accounts) == len(empty)


@given(margin_cases())
@settings(max_examples=80)
def test_initial_is_never_below_maintenance(c: MarginCase):
    assert (c.result.pools.initial >= c.result.pools.maintenance).all()
    assert (c.result.pools.maintenance >= 0.0).all()
    assert (c.result.groups.initial.sum(axis=1) >= c.result.groups.maintenance.sum(axis=1)).all()


@given(margin_cases(), st.floats(0.0, 1.0))
@settings(max_examples=40)
def test_excess_is_the_same_wherever_option_value_counts(c: MarginCase, credit: float):
    """As long as the requirement it is subtracted from is not used up."""
    model = replace(c.model, long_option_credit=credit)
    equity, requirement = (
        c.changed(model=replace(model, option_value=where)).result for where in ("equity", "requirement")
    )
    before = np.stack([equity.groups.initial.sum(axis=1), equity.groups.maintenance.sum(axis=1)])
    held, terms = stock(c.book.positions), equity.plan.terms
    counted = counted_value(held, c.book.group_mode == Mode.PORTFOLIO, c.book.table, terms.exposure, terms.model)
    options = np.where(terms.exposure.is_option[held.instrument], counted, 0.0)
    value = np.bincount(held.group, options, len(c.book.groups))
    free = value <= before.min(axis=0)
    for p in range(len(c.book.pools)):
        if free[c.book.group_pool == p].all():
            size = 1e-10 * (1.0 + abs(equity.pools.initial[p]) + np.abs(value[c.book.group_pool == p]).sum())
            for edge in ("initial", "maintenance"):
                first, second = (r.pools.equity[p] - getattr(r.pools, edge)[p] for r in (equity, requirement))
                assert first == pytest.approx(second, rel=1e-10, abs=size)


def test_collateral_counts_by_rule_or_inside_the_scenarios():
    """By rule: haircut, and the fall beyond it. Inside: no haircut, and the fall is part of the scan."""
    model = plain_model(wrong_way=doc.WrongWay())
    inside = replace(model, collateral=replace(model.collateral, mode="scenario"))
    held = account(group({BTC_PERP.id: 1.0}), collateral={"BTC": 5.0})
    by_rule, within = (desk(held, model=m).result for m in (model, inside))
    assert within.groups.initial[0, 0] == pytest.approx(6 * 100 * 0.2)
    assert within.pools.equity[0] == pytest.approx(500.0)
    assert by_rule.groups.initial[0, 0] == pytest.approx(100 * 0.2)
    hedged = account(group({BTC_PERP.id: -5.0}), collateral={"BTC": 5.0})
    assert desk(hedged, model=inside).result.pools.initial[0] == pytest.approx(0.0, abs=1e-9)
    assert desk(hedged, model=model).result.pools.initial[0] == pytest.approx(100.0)


def test_pools_part_collateral():
    """Isolated groups stand alone; cross and portfolio groups share; a single-currency account is parted by asset."""
    rules = small_model().rules
    c = desk(
        account(
            group({BTC_PERP.id: 1.0}, id="i", mode="isolated", collateral=account(collateral={"USDC": 7.0}).collateral),
            group({BTC_PERP.id: 2.0}, id="x", mode="cross"),
            group({ETH_PERP.id: 3.0}, id="p"),
            collateral={"USDC": 100.0},
        ),
        model=plain_model(rules=rules),
    )
    pools = dict(zip(c.book.pools, zip(c.result.pools.equity, c.result.pools.initial, strict=True), strict=True))
    assert pools["desk/i"] == pytest.approx((7.0, 4.0))
    assert pools["desk"] == pytest.approx((100.0, 8.0 + 6.0))
    single = desk(
        account(group({BTC_PERP.id: 1.0, "BTC-COIN.A": 1.0}), collateral={"USDC": 50.0, "BTC": 1.0}, pool="single")
    )
    pools = dict(
        zip(single.book.pools, zip(single.result.pools.equity, single.result.pools.initial, strict=True), strict=True)
    )
    assert pools["desk/USDC"] == pytest.approx((50.0, 20.0))
    assert pools["desk/BTC"] == pytest.approx((100.0, 20.0))  # 100 (1/100 − 1/80) coins at 80


def test_status_follows_equity():
    model = plain_model(scan=doc.Factor(initial=1.5, maintenance=1.0))
    for usdc, expected in ((30.0, "healthy"), (29.99, "restricted"), (20.0, "restricted"), (19.99, "liquidation")):
        c = desk(account(group({BTC_PERP.id: 1.0}), collateral={"USDC": usdc}), model=model)
        report = margin_report(c.result).accounts[0]
        assert report.status == expected, usdc
        assert report.margin_ratio == pytest.approx(20.0 / usdc, rel=1e-6)


def test_everything_that_is_missing_is_named_at_once():
    market = desk_market()
    btc, eth = market.underlyings
    bare = replace(market, underlyings=(replace(btc, liquidity=None), replace(eth, liquidity=None)), correlations=None)
    c = desk(account(group({BTC_PERP.id: 1.0, ETH_PERP.id: 1.0})), market=bare)
    with pytest.raises(MissingFactors) as caught:
        plan(c.book, c.snapshot, c.model)
    assert "liquidity:BTC" in str(caught.value)
    assert "liquidity:ETH" in str(caught.value)
    joint = c.changed(model=small_model())
    with pytest.raises(MissingFactors, match=r"(?s)correlation:BTC.*correlation:ETH.*liquidity:BTC.*liquidity:ETH"):
        plan(joint.book, joint.snapshot, joint.model)


def test_a_surface_and_liquidity_are_missed_together():
    market = desk_market()
    btc, eth = market.underlyings
    bare = replace(market, underlyings=(replace(btc, surface=None), replace(eth, liquidity=None)))
    c = desk(account(group({CALL.id: 1.0, ETH_PERP.id: 1.0})), market=bare)
    with pytest.raises(MissingFactors, match=r"(?s)liquidity:ETH.*vol:BTC"):
        plan(c.book, c.snapshot, c.model)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"rules": {}}, "crypto_major"),
        ({"grid": replace(small_model().grid, classes={})}, "crypto_major"),
        ({"collateral": replace(small_model().collateral, haircuts={})}, "BTC"),
    ],
)
def test_nothing_falls_into_a_default(change: dict, name: str):
    held = account(group({BTC_PERP.id: 1.0}, mode="cross"), collateral={"BTC": 1.0})
    c = desk(held, model=replace(small_model(), **change))
    with pytest.raises(UnknownName, match=name):
        margin(c.book, c.snapshot, c.model)


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_no_rule_covers_spot(mode: str):
    c = desk(account(group({"X.A": 1.0}, mode=mode)), more=(Spot(id="X.A", asset="BTC"),), model=small_model())
    with pytest.raises(InvalidInput, match="portfolio group"):
        margin(c.book, c.snapshot, c.model)


def test_an_account_that_is_not_there_is_named():
    c = desk(account(group({BTC_PERP.id: 1.0})))
    with pytest.raises(UnknownName, match="nobody"):
        margin_report(c.result, ["nobody"])
