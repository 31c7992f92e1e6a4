"""How a Crossmargin account becomes risk units: sizes, marks, volatilities, what is left out and what is said."""

import math

import pytest

from crossmargin.core.errors import MissingFactors
from crossmargin.instruments.table import Family
from crossmargin.instruments.terms import AnyTerms, Option
from crossmargin.margin.rulebooks.holdings import LINEAR
from crossmargin.margin.rulebooks.scanning import option_values
from crossmargin.margin.rulebooks.units import ScanReading, implied_vol, read_units
from crossmargin.market.build import build_snapshot
from crossmargin.market.document import Mark
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Position
from crossmargin.valuation.pnl import values_usd
from tests.margin.rulebooks.accounts import EXPIRY, account, world
from tests.worlds import market, underlying

CALL = "BTC-26JUN26-110000-C.DERIBIT"
ALL = (*LINEAR, Family.OPTION)


def read(book: Book, snapshot: Snapshot | None = None, **more) -> ScanReading:
    base = {"coins": ("BTC", "ETH"), "families": ALL, "where": "a rulebook"}
    return read_units(book, snapshot or world(), **(base | more))


def test_contracts_are_read_in_coins_at_their_mark():
    book = account(
        ("BTC-P.V", 2.0), ("BTC-I.V", -50_000.0), ("ETH-F.V", 3.0), orders=(("BTC-P.V", 1.0), ("BTC-P.V", -4.0))
    )
    found = read(book)
    inverse, linear = found.units["BTC"].linear
    # 50,000 USD at 100,000 are half a coin.
    assert (inverse.quantity, inverse.inverse, inverse.price) == (-0.5, True, 100_000.0)
    assert (linear.quantity, linear.buys, linear.sells, linear.days) == (2.0, 1.0, 4.0, None)
    future = found.units["ETH"].linear[0]
    assert (future.kind, future.days) == ("future", pytest.approx(365.0 / 4.0))
    assert found.units["ETH"].index == 4_000.0
    assert (found.refused, found.notes, found.pnl) == ((), (), 0.0)


def test_options_are_read_with_the_volatility_of_the_surface():
    book = account((CALL, -2.0), ("BTC-X.V", 1.0), orders=((CALL, 1.0), ("BTC-C.V", -2.0)))
    found = read(book).units["BTC"]
    inverse, sold, put = found.options
    assert (inverse.instrument, inverse.quantity, inverse.buys, inverse.inverse) == (CALL, -2.0, 1.0, True)
    assert (sold.quantity, sold.sells, sold.right) == (0.0, 2.0, "call")
    assert (put.right, put.strike, put.forward, put.discount) == ("put", 90_000.0, 100_000.0, 1.0)
    assert [o.volatility for o in found.options] == pytest.approx([0.5] * 3)
    values = dict(zip(book.table.ids, values_usd(book.table, world()), strict=True))
    assert option_values(found) == pytest.approx([values[o.instrument] for o in found.options])


def test_a_smile_is_read_at_the_strike():
    u = world().underlyings["BTC"]
    assert implied_vol(u, 110_000.0, EXPIRY * 1_000_000) == pytest.approx(0.5)


def test_inverse_contracts_where_a_venue_lists_none():
    found = read(account(("BTC-I.V", 10_000.0), (CALL, 1.0)), inverse=False)
    assert not any(leg.inverse for leg in found.units["BTC"].legs)
    assert found.notes == ("an inverse contract is read as the linear one of the same coins",)
    assert read(account(("BTC-P.V", 1.0)), inverse=False).notes == ()


def test_what_a_venue_does_not_list_is_refused_by_name():
    book = account(("SOL-P.V", 1.0), ("BTC-C.V", 1.0), ("BTC-P.V", 1.0), orders=(("BTC-C.V", 1.0), ("SOL-F.V", -1.0)))
    assert read(book, families=LINEAR).refused == ("BTC-C.V", "order BTC-C.V", "SOL-F.V", "SOL-P.V")
    assert read(book).refused == ("SOL-F.V", "SOL-P.V")
    assert read(book, families=(Family.PERPETUAL,), coins=("SOL",)).refused[0] == "BTC-C.V"
    none = read(book, coins=())
    assert (dict(none.units), none.pnl) == ({}, 0.0)


def odd(terms: AnyTerms) -> Book:
    held = Group(id="g", mode="cross", positions=(Position(instrument=terms.id, quantity=1.0),))
    one = Account(id="a", groups=(held,), collateral=(Holding(asset="USDC", amount=-5.0),))
    return build_book(BookDocument(accounts=(one,), instruments=(terms,)), now_ns=world().time_ns)


@pytest.mark.parametrize(
    "kind", [{"payout": "quanto", "settle": "ETH"}, {"exercise": "american"}, {"premium": "futures"}]
)
def test_options_of_other_kinds_are_refused(kind):
    base = {"underlying": "BTC", "payout": "linear", "settle": "USDC", "expiry": EXPIRY}
    found = read(odd(Option(id="odd.V", strike=110_000.0, right="call", **(base | kind))))
    assert (found.refused, dict(found.units)) == (("odd.V",), {})
    assert found.held.balances == {"USDC": -5.0}


def test_linear_options_may_be_discounted():
    terms = Option(
        id="d.V", underlying="BTC", payout="linear", settle="USDC", expiry=EXPIRY, strike=1.0, right="call",
        multiplier=0.1,
    )  # fmt: skip
    leg = read(odd(terms)).units["BTC"].options[0]
    # 5 % a year for a quarter; a tenth of a coin a contract.
    assert leg.discount == pytest.approx(math.exp(-0.05 / 4.0))
    assert leg.quantity == pytest.approx(0.1)


def test_spot_is_a_balance_and_debt_stays():
    found = read(account(("ETH-S.V", -2.0), ("BTC-P.V", 1.0, 90_000.0), collateral={"BTC": 0.5, "USDC": -100.0}))
    assert dict(found.held.balances) == {"BTC": 0.5, "ETH": -2.0, "USDC": -100.0}
    assert set(found.units) == {"BTC"}
    assert found.pnl == pytest.approx(10_000.0)


def test_the_pnl_of_what_is_refused_is_not_counted():
    assert read(account(("SOL-P.V", 1.0, 100.0))).pnl == 0.0


def test_an_account_of_nothing():
    found = read(account())
    assert (dict(found.units), found.refused, found.notes) == ({}, (), ())


def test_missing_feeds_are_named():
    poor = build_snapshot(market(underlying("ETH", 4_000.0), underlying("BTC", 100_000.0)))
    with pytest.raises(MissingFactors, match="vol:BTC"):
        read(account(("BTC-C.V", 1.0)), poor)
    with pytest.raises(MissingFactors, match="SOL"):
        read(account(("SOL-P.V", 1.0)), poor)


def test_isolated_groups_are_read_with_the_rest_and_said_so():
    found = read(account(("BTC-P.V", 1.0), mode="isolated", collateral={"USDC": 7.0}))
    assert found.notes == ("isolated groups are read as cross",)
    assert found.held.balances["USDC"] == 7.0


def test_marks_apart_from_the_index():
    mark = Mark(instrument="BTC-P.V", underlying="BTC", price=101_000.0)
    marked = build_snapshot(market(underlying("BTC", 100_000.0), underlying("ETH", 4_000.0), marks=(mark,)))
    found = read(account(("BTC-P.V", 1.0)), marked).units["BTC"]
    assert (found.linear[0].price, found.index) == (101_000.0, 100_000.0)
