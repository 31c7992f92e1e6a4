"""What an account requires is a function of the account, the market and the model, and of nobody else in the book."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.arrays import FloatArray
from crossmargin.engine.margin import MarginResult
from crossmargin.engine.recipe import calibrated_model, recipe, recipes
from crossmargin.instruments.terms import Forward
from crossmargin.market import document as doc
from crossmargin.portfolio.document import Account
from tests.engine.calibrated import FACTORS, history
from tests.margin.books import MarginCase, accounts, default_model, margin_cases, replace
from tests.margin.desk import (
    BTC_PERP,
    CALL,
    CONTRACTS,
    ETH_PERP,
    HALF_YEAR,
    PUT,
    account,
    desk,
    desk_market,
    group,
    orders,
)
from tests.strategies import few
from tests.worlds import underlying


def figures(result: MarginResult, name: str) -> FloatArray:
    """Everything of an account's pools and groups, USD, in one row; an account whose sums cancel has a scale too."""
    at = result.book.accounts.index(name)
    pools, groups = result.book.pool_account == at, result.book.group_account == at
    own, terms = result.pools, result.groups
    rows = [own.initial[pools], own.maintenance[pools], own.equity[pools], own.wrong_way[pools], own.collateral[pools]]
    parts = [terms.initial[groups], terms.maintenance[groups], terms.scan_loss[groups], terms.covered[groups]]
    return np.concatenate([part.reshape(-1) for part in (*rows, *parts)])


def alone(case: MarginCase, one: Account) -> MarginCase:
    """The case with one account, over a table of just what it uses."""
    lines = [line for g in one.groups for line in (*g.positions, *g.orders)]
    used = {line.instrument for line in lines}
    return case.changed(accounts=(one,), terms=tuple(t for t in case.terms if t.id in used))


def assert_independent(case: MarginCase) -> None:
    for one in case.accounts:
        expected, found = figures(alone(case, one).result, one.id), figures(case.result, one.id)
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-12 * float(np.abs(expected).max(initial=0.0)))


@few
@given(margin_cases(most_accounts=3))
def test_every_account_of_a_book_requires_what_it_does_alone(case: MarginCase) -> None:
    """By any measure, and any setting of the grid."""
    assert_independent(case)


@few
@given(margin_cases(most_accounts=3, model=st.builds(default_model)))
def test_so_it_is_by_the_default_model(case: MarginCase) -> None:
    assert_independent(case)


@few
@given(st.data())
def test_whatever_another_account_trades_this_one_requires_the_same(data: st.DataObject) -> None:
    case = data.draw(margin_cases(most_accounts=2, model=st.builds(default_model)))
    other = data.draw(accounts(case.market, case.terms, "other"))
    mine = case.accounts[0].id
    before, after = (figures(c.result, mine) for c in (case, case.changed(accounts=(*case.accounts, other))))
    assert after == pytest.approx(before, rel=1e-12, abs=1e-12 * float(np.abs(before).max(initial=0.0)))


LOOKBACK = 260  # the least of which tails of a tenth can be fitted
HEDGED = account(group({BTC_PERP.id: 2.0, ETH_PERP.id: -20.0, CALL.id: -3.0}), collateral={"BTC": 1.0}, id="hedged")
ORDERS = account(group({PUT.id: 4.0}, orders=orders((ETH_PERP.id, 30.0))), collateral={"USDC": 1e4}, id="orders")


@pytest.mark.parametrize("name", sorted(recipes()))
def test_every_shipped_statistical_model_asks_each_account_alone(name: str) -> None:
    """Their columns are dates, or draws; their far moves are those of the grid."""
    made = recipe(name)
    if made.calibration.filter != "ewma":
        pytest.importorskip("arch")
    spec = replace(made.calibration, lookback=LOOKBACK)
    model = calibrated_model(replace(made, calibration=spec), default_model(), history(FACTORS, bars=LOOKBACK + 50))
    assert_independent(desk(HEDGED, ORDERS, model=model))


def far_apart() -> doc.MarketDocument:
    """Two coins that rise together, and five stocks that do without them."""
    free = doc.Liquidity(adv_usd=1e12, half_spread_bps=0.0, daily_vol=0.02, half_spread_vol_points=0.0)
    two = desk_market()
    stocks = tuple(underlying(f"S{i}", 50.0, kind="spot", risk_class="equity", liquidity=free) for i in range(5))
    names = ("BTC", "ETH", *(u.name for u in stocks))
    coin = np.arange(7) < 2
    rho = np.where(coin[:, None] & coin, 0.8, np.where(coin[:, None] | coin, 0.1, 0.6))
    np.fill_diagonal(rho, 1.0)
    matrix = tuple(tuple(row) for row in rho.tolist())
    told = doc.Correlations(names=names, matrix=matrix)
    return replace(two, underlyings=(*two.underlyings, *stocks), correlations=told)


def test_a_crypto_account_falls_as_a_whole_in_a_market_of_stocks() -> None:
    """The component of the whole market is that of the stocks; the coins have a direction of their own class."""
    stocks = {f"S{i}-FWD.A": 100.0 for i in range(5)}
    terms = tuple(
        Forward(id=name, underlying=name[:2], settle="USDC", expiry=HALF_YEAR, strike=50.0) for name in stocks
    )
    coins = account(group({BTC_PERP.id: 1.0, ETH_PERP.id: 10.0}), id="coins")
    market, model = far_apart(), replace(default_model(), rules={})
    case = MarginCase(market=market, accounts=(coins,), terms=(*CONTRACTS, *terms), model=model)
    beside = case.changed(accounts=(coins, account(group(stocks), id="stocks")))
    assert_independent(beside)
    ready = case.result.plan
    assert ready.scenarios.labels[case.result.groups.worst[0]].startswith("all -4/4 of range by beta to crypto_major")
    assert case.result.groups.scan_loss[0] == pytest.approx(0.16 * (100.0 + 100.0), rel=1e-9)


quantities = st.tuples(*(st.floats(-100.0, 100.0) for _ in range(3)))


@few
@given(quantities, quantities)
def test_two_accounts_as_one_scan_for_no_more_than_both(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    """Each in a book of its own: all are measured over the same columns of the market."""
    names = (BTC_PERP.id, ETH_PERP.id, PUT.id)
    both = tuple(a + b for a, b in zip(first, second, strict=True))
    held = (dict(zip(names, q, strict=True)) for q in (first, second, both))
    one, other, netted = (
        float(desk(account(group(q)), model=default_model()).result.groups.scan_loss[0]) for q in held
    )
    assert netted <= (one + other) * (1.0 + 1e-9) + 1e-6
