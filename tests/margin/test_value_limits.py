"""What options bought can need at most, and what orders of groups by rule take when they fill."""

import pytest

import crossmargin as xm
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Order, Position

STRIKES = (40_000, 60_000, 75_000, 90_000, 120_000, 250_000)


@pytest.fixture(scope="module")
def market(repository):
    return xm.read_market(repository / "examples" / "call-market.toml")


def only_group(market, group: Group):
    cash = Holding(asset="USDC", amount="1000000", chain="eip155:1")
    document = BookDocument(accounts=(Account(id="a", groups=(group,), collateral=(cash,)),))
    book = xm.build_book(document, now_ns=market.time_ns)
    return xm.margin_report(xm.margin(book, market, xm.read_model("crossmargin-grid"))).accounts[0].pools[0]


@pytest.mark.parametrize("right", ["C", "P"])
@pytest.mark.parametrize("strike", STRIKES)
def test_an_option_bought_never_needs_more_than_its_value(market, strike, right):
    line = Position(instrument=f"BTC_USDC-24APR26-{strike}-{right}.DERIBIT", quantity=3)
    pool = only_group(market, Group(id="g", mode="portfolio", positions=(line,)))
    assert 0.0 <= pool.groups[0].maintenance_usd <= pool.groups[0].initial_usd
    assert pool.groups[0].initial_usd <= pool.position_value_usd * (1.0 + 1e-12)


def test_a_hedge_beside_it_lifts_the_limit(market):
    option = Position(instrument="BTC_USDC-24APR26-250000-C.DERIBIT", quantity=1)
    short = Position(instrument="BTC_USDC-PERPETUAL.DERIBIT", quantity=-1)
    pool = only_group(market, Group(id="g", mode="portfolio", positions=(option, short)))
    assert pool.initial_usd > 1_000.0 * pool.position_value_usd


def test_an_order_to_buy_an_option_requires_its_premium(market):
    name = "BTC_USDC-24APR26-75000-P.DERIBIT"
    pool = only_group(market, Group(id="g", mode="cross", orders=(Order(instrument=name, quantity=2),)))
    held = only_group(market, Group(id="g", mode="portfolio", positions=(Position(instrument=name, quantity=2),)))
    assert pool.groups[0].initial_usd == pytest.approx(held.position_value_usd, rel=1e-12)
    assert pool.groups[0].maintenance_usd == pytest.approx(held.position_value_usd, rel=1e-12)


def test_a_limit_through_the_mark_requires_its_loss(market):
    name = "BTC_USDC-PERPETUAL.DERIBIT"

    def required(price: float) -> float:
        order = Order(instrument=name, quantity=2, price=price)
        return only_group(market, Group(id="g", mode="cross", orders=(order,))).groups[0].initial_usd

    # USDC stands at 1: 2 × (81,000 − 80,000) is lost at the fill.
    assert required(81_000.0) - required(80_000.0) == pytest.approx(2_000.0, rel=1e-9)
    assert required(79_000.0) == pytest.approx(required(80_000.0), rel=1e-12)
