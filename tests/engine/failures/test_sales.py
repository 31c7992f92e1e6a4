"""Forced sales after events: the figures of `cascade`, on top of the event, and liquidations that they bring about."""

from dataclasses import replace

import pytest

from crossmargin.adapters.files import read_book, read_market, read_model_document
from crossmargin.adapters.registries.files import default_registry
from crossmargin.engine.failures.cascading import asked_of, run_cascade
from crossmargin.engine.failures.consequences import Rules
from crossmargin.engine.failures.library import default_failures
from crossmargin.engine.failures.run import run_failures
from crossmargin.engine.failures.sales import NO_DEPTH, CrowdAsked
from crossmargin.scenarios.failures.library import failures
from tests.engine.failures.desks import DEMO, account, lines_of, plain_market

CROWD = CrowdAsked(accounts=20_000, seed=1)


@pytest.fixture(scope="module")
def desk():
    """The demonstration's book, market and model."""
    snapshot = read_market(str(DEMO / "market.toml"))
    return read_book(str(DEMO / "book.toml"), market=snapshot), snapshot, read_model_document("crossmargin-grid")


@pytest.mark.parametrize("event", ["X1", "C02"])
def test_an_event_says_what_cascade_says_of_it(desk, event):
    library = default_failures()
    (failure,) = failures(library, [event])
    asked = asked_of(failure, *desk, default_registry(), Rules(detection=library.detection))
    alone = run_cascade(*desk, replace(asked, crowd=CROWD.accounts, seed=CROWD.seed))
    reports = run_failures(*desk, default_registry(), events=[event], crowd=CROWD)
    sales = reports.as_it_is.events[0].sales
    same = ("rounds", "lasted_s", "settled", "lost_usd", "penalty_usd", "deficit_usd", "fund_usd", "charged_usd")
    for name in (*same, "unpaid_usd", "made_up", "seed", "rules_hash"):
        assert getattr(sales, name) == getattr(alone, name), name
    assert sales.population == alone.accounts
    assert sales.moves == {f"spot:{a.asset}": a.move for a in alone.by_asset}
    assert sales.sellers == sum(c.dealt for c in alone.by_chain)
    assert sales.failed == sum(c.failed for c in alone.by_chain)
    for mine, theirs in zip(sales.book, alone.book, strict=True):
        assert (mine.id, mine.first_s, mine.failed_s) == (theirs.id, theirs.first_s, theirs.failed_s)
        assert (mine.loss_usd, mine.deficit_usd) == (theirs.loss_usd, theirs.deficit_usd)


def test_events_without_liquidations_force_no_sales(desk):
    reports = run_failures(*desk, default_registry(), events=["B05", "O02", "D03", "X2"], crowd=CROWD)
    assert all(line.sales is None for line in reports.as_it_is.events)


def test_every_cascade_of_record_is_followed():
    """12 March 2020 to 10 October 2025, and the composite that one of them is a part of."""
    market = plain_market()
    _, lines = lines_of(market, account(market, [("USDC", 1e6, "")]), crowd=CROWD)
    assert [name for name, line in lines.items() if line.sales is not None] == [f"C0{i}" for i in range(1, 7)] + ["X1"]


def test_a_long_loses_what_prices_fall_further():
    """One bitcoin long: what sales add is the further fall of the price, and nothing else moves."""
    market = plain_market()
    _, lines = lines_of(market, account(market, [("USDC", 1e6, "")]), "C02", crowd=CROWD)
    line = lines["C02"]
    further = line.moves["spot:BTC"] - line.sales.moves["spot:BTC"]
    assert further > 0.0
    mark = market.marks["BTC_USDC-PERPETUAL.DERIBIT"].price * market.asset_price("USDC")
    assert line.sales.loss_usd == pytest.approx(further * mark)
    assert line.sales.totals.loss_usd == pytest.approx(line.loss_usd + line.sales.loss_usd)


def test_sales_liquidate_who_stood_the_event():
    """Just enough for a fall by 30 %, which is too little for what follows: it must sell, and the row says so."""
    market = plain_market()
    low, high = 2e4, 6e4
    for _ in range(20):
        middle = (low + high) / 2
        made = account(market, [("USDC", middle, "")])
        _, lines = lines_of(market, made, "C02", crowd=CrowdAsked(accounts=0))
        low, high = (low, middle) if lines["C02"].totals.liquidations == 0 else (middle, high)
    _, lines = lines_of(market, account(market, [("USDC", high, "")]), "C02", crowd=CROWD)
    line = lines["C02"]
    assert line.totals.liquidations == 0
    assert line.liquidations == line.sales.liquidations == 1
    assert line.sales.book[0].first_s is not None


def test_alone_a_book_that_need_not_sell_adds_nothing():
    market = plain_market()
    _, lines = lines_of(market, account(market, [("USDC", 1e6, "")]), "C02", crowd=CrowdAsked(accounts=0))
    sales = lines["C02"].sales
    assert (sales.population, sales.sellers, sales.deficit_usd) == (1, 0, 0.0)
    assert sales.loss_usd == pytest.approx(0.0, abs=1e-6)


def test_a_market_without_volumes_follows_no_sales():
    """Coins that do not say how they trade: a book of stablecoins is margined, and the report says what it lacks."""
    market = plain_market()
    quiet = replace(market, underlyings={n: replace(u, liquidity=None) for n, u in market.underlyings.items()})
    made = account(quiet, [("USDC", 1e6, "")], positions=())
    reports = run_failures(made, quiet, read_model_document("crossmargin-grid"), default_registry(), events=["C02"])
    assert reports.as_it_is.events[0].sales is None
    assert reports.left_out == (NO_DEPTH,)
