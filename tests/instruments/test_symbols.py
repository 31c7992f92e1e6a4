"""Canonical ids: one name for one contract, there and back."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.core.instant import format_expiry_code, parse_instant
from crossmargin.instruments.catalogue import builtin_products, product_table
from crossmargin.instruments.symbols import (
    Product,
    Symbol,
    format_strike,
    format_symbol,
    option_id,
    parse_symbol,
    resolve_symbol,
)
from crossmargin.instruments.terms import Future, Option, Perpetual

VENUES = st.sampled_from(("DERIBIT", "OKX", "X"))
PREFIXES = st.from_regex(r"[A-Z0-9_]{1,8}", fullmatch=True)
DATES = st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)).map(lambda d: f"{d.day}{d:%b}{d:%y}".upper())
# At most fifteen significant digits, so that a float holds each exactly enough to print it back.
STRIKES = st.decimals("0.00000001", "9999999", places=8).map(float) | st.integers(1, 10**15 - 1).map(float)


@given(VENUES, PREFIXES, DATES, STRIKES, st.sampled_from("CP"))
def test_there_and_back(venue: str, prefix: str, code: str, strike: float, right: str):
    for symbol in (
        Symbol(venue=venue, prefix=prefix),
        Symbol(venue=venue, prefix=prefix, expiry_code=code),
        Symbol(venue=venue, prefix=prefix, expiry_code=code, strike=strike, right=right),
    ):
        assert parse_symbol(format_symbol(symbol), where="here") == symbol


@given(st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)), STRIKES)
def test_the_id_of_an_option_is_that_of_its_terms(day: dt.date, strike: float):
    expiry = parse_instant(dt.datetime(day.year, day.month, day.day, 8, tzinfo=dt.UTC), where="here")
    symbol = parse_symbol(option_id("BTC", expiry, strike, "C", "DERIBIT"), where="here")
    assert (symbol.expiry_code, symbol.strike) == (format_expiry_code(expiry), strike)


@pytest.mark.parametrize(
    ("strike", "text"),
    [(100_000.0, "100000"), (0.5, "0d5"), (1e-5, "0d00001"), (1.25, "1d25"), (2e15, "2000000000000000")],
)
def test_a_strike_is_written_in_its_shortest_form(strike: float, text: str):
    assert format_strike(strike) == text


@pytest.mark.parametrize(
    "text",
    [
        "BTC-27MAR26-0100000-C.DERIBIT",
        "BTC-27MAR26-100000d0-C.DERIBIT",
        "BTC-27MAR26-1d50-C.DERIBIT",
        "BTC-27MAR26-1d100000000000000-C.DERIBIT",
    ],
)
def test_a_second_name_for_one_contract_is_refused(text: str):
    with pytest.raises(InvalidInput, match=r"here: instrument is .* written BTC-27MAR26-.* One contract has one name"):
        parse_symbol(text, where="here")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BTC",
        "BTC.DERIBIT",
        "BTC-PERPETUAL",
        "BTC-PERPETUAL.",
        ".DERIBIT",
        "btc-PERPETUAL.DERIBIT",
        "BTC-27MAR26-100000.DERIBIT",
        "BTC-27MAR26-100000-X.DERIBIT",
        "BTC-27MAR26--5-C.DERIBIT",
        "BTC-27MAR26-1e5-C.DERIBIT",
        "BTC-07MAR26-100000-C.DERIBIT",  # would be a second name of BTC-7MAR26-…
        "BTC-2٧MAR26-100000-C.DERIBIT",
        "BTC-27MAR26-" + "9" * 400 + "-C.DERIBIT",
        " BTC-PERPETUAL.DERIBIT",
        "BTC-PERPETUAL-C.DERIBIT",
    ],
)
def test_what_is_no_symbol_says_how_to_mend_it(text: str):
    with pytest.raises(InvalidInput, match=r"here: instrument is .*\[\[instruments\]\]"):
        parse_symbol(text, where="here")


def resolve(text: str, *own: Product) -> object:
    return resolve_symbol(text, product_table(own), where="here")


def test_listed_contracts_have_the_terms_of_the_catalogue():
    expiry = 1_774_598_400_000  # 2026-03-27T08:00:00Z
    assert resolve("BTC-27MAR26-100000-C.DERIBIT") == Option(
        id="BTC-27MAR26-100000-C.DERIBIT",
        underlying="BTC",
        payout="inverse",
        settle="BTC",
        expiry=expiry,
        strike=100_000.0,
        right="call",
        discounted=False,
    )
    assert resolve("BTC-27MAR26.DERIBIT") == Future(
        id="BTC-27MAR26.DERIBIT", underlying="BTC", payout="inverse", settle="BTC", expiry=expiry
    )
    assert resolve("ETH_USDC-PERPETUAL.DERIBIT") == Perpetual(
        id="ETH_USDC-PERPETUAL.DERIBIT", underlying="ETH", payout="linear", settle="USDC"
    )


def test_the_kind_is_never_read_from_the_name():
    quanto = Product(
        venue="DERIBIT",
        prefix="BTC",
        family="perpetual",
        underlying="ETH",
        payout="quanto",
        settle="USDC",
        multiplier=3.0,
    )
    found = resolve("BTC-PERPETUAL.DERIBIT", quanto)
    assert found == Perpetual(
        id="BTC-PERPETUAL.DERIBIT", underlying="ETH", payout="quanto", settle="USDC", multiplier=3.0
    )


@pytest.mark.parametrize("text", ["DOGE-PERPETUAL.DERIBIT", "BTC-PERPETUAL.NOWHERE", "BTC_USDC-27MAR26.DERIBIT"])
def test_a_product_that_nobody_defined_is_refused_with_near_names(text: str):
    with pytest.raises(UnknownName, match=rf"product of {text}.*BTC.*DERIBIT.*\[\[products\]\]"):
        resolve(text)


@pytest.mark.parametrize("code", ["31FEB26", "0JAN26", "32JAN26", "30FEB24", "1XXX26"])
def test_a_day_that_does_not_exist_is_refused(code: str):
    with pytest.raises(InvalidInput):
        resolve(f"BTC-{code}-100000-C.DERIBIT")


def test_the_catalogue_names_its_sources_and_each_product_once():
    products = builtin_products()
    assert all(p.source and p.multiplier > 0.0 for p in products)
    assert len({(p.venue, p.prefix, p.family) for p in products}) == len(products)


def test_two_products_of_one_name_are_refused():
    product = builtin_products()[0]
    with pytest.raises(InvalidInput, match=r"products\[1\].*unique"):
        product_table([product, product])
    assert product_table([product]) == product_table()
