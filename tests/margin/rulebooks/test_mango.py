"""Mango's health: levels, orders, scaling, and books read as accounts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.vectors_mango import read_mango
from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.margin.rulebooks.mango.accounts import RULEBOOK
from crossmargin.margin.rulebooks.mango.health import Perpetual, Portfolio, Price, SpotOrders, Token, Weights, margin_of
from tests.margin.rulebooks.accounts import account, ask

WEIGHTS = Weights(init_asset=0.5, init_liability=1.5, maint_asset=0.75, maint_liability=1.25)


def token(name: str, balance: float, price: float = 1.0, **more) -> Token:
    quote = Price(oracle=price, stable=price)
    return Token(**{"name": name, "balance": balance, "price": quote, "weights": WEIGHTS} | more)


def perp(lots: int, quote: float, **more) -> Perpetual:
    own = {"settle": "USDC", "price": Price(oracle=4.0, stable=4.0), "weights": WEIGHTS, "lot_size": 10.0}
    return Perpetual(**own | {"base_lots": lots, "quote": quote} | more)


def test_reference_cases_hold(shared):
    cases = list(read_mango(shared / "vectors/mango"))
    assert len(cases) >= 5
    for case in cases:
        assert all(c.passed for c in case.check()), case.check()


def test_levels_by_hand():
    sol = token("SOL", 10, weights=WEIGHTS, price=8.0, deposits=100, deposit_scale_start=400.0)
    debt = token("USDC", -20)
    held = Portfolio(tokens=(sol, debt))
    # Deposits worth 800 against 400 halve the initial weight: 10·8·0.25 − 20·1.5.
    assert margin_of(held, "init").health == 20 - 30
    assert margin_of(held, "maint").health == 60 - 25
    assert margin_of(held, "liquidation_end").health == 40 - 30
    assert margin_of(held, "maint").ratio == pytest.approx(100 * 35 / 25)
    assert margin_of(Portfolio(tokens=(sol,)), "maint").ratio == math.inf


def test_stable_price_works_against_the_account_at_init_only():
    low, high = (Price(oracle=8.0, stable=s) for s in (4.0, 16.0))
    for price, balance, init in ((low, 10, 20.0), (high, 10, 40.0), (low, -10, -120.0), (high, -10, -240.0)):
        held = Portfolio(tokens=(_at(price, balance),))
        assert margin_of(held, "init").health == init


def _at(price: Price, balance: float) -> Token:
    return Token(name="SOL", balance=balance, price=price, weights=WEIGHTS)


def test_borrows_scale_the_liability_weight():
    held = Portfolio(tokens=(token("SOL", -1, price=2.0, borrows=1_000.0, borrow_scale_start=500.0),))
    assert margin_of(held, "init").health == -2 * 1.5 * 4
    assert margin_of(held, "maint").health == -2 * 1.25


def test_untrusted_market_counts_losses_alone():
    tokens = (token("USDC", 0),)
    gain = Portfolio(tokens=tokens, perpetuals=(perp(0, 100.0, init_overall=0.0),))
    loss = Portfolio(tokens=tokens, perpetuals=(perp(0, -100.0, init_overall=0.0),))
    assert margin_of(gain, "init").health == 0
    assert margin_of(loss, "init").health == -150


def test_order_that_repays_a_debt_counts_at_the_liability_weight():
    tokens = (token("USDC", 0), token("SOL", -10, price=1.0))
    orders = SpotOrders(base="SOL", quote="USDC", reserved_base=0.0, reserved_quote=4.0)
    # All quote: 4·0.5 = 2; all base: 4·1.5 = 6; the worse is 2.
    assert margin_of(Portfolio(tokens=tokens, orders=(orders,)), "init").health == -15 + 2


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(-100, 100))
def test_more_money_never_hurts(balance, added, lots):
    def health(x: float) -> float:
        return margin_of(Portfolio(tokens=(token("USDC", x),), perpetuals=(perp(lots, 0.0),)), "init").health

    assert health(balance + added) >= health(balance)


@given(st.integers(-100, 100), st.integers(0, 100), st.integers(0, 100))
def test_orders_never_help_a_perpetual(lots, bids, asks):
    tokens = (token("USDC", 0),)
    with_orders = Portfolio(tokens=tokens, perpetuals=(perp(lots, 0.0, bids_lots=bids, asks_lots=asks),))
    without = Portfolio(tokens=tokens, perpetuals=(perp(lots, 0.0),))
    # One side may close the position, but the other adds to it, and the worse of the two counts.
    assert margin_of(with_orders, "init").health <= margin_of(without, "init").health


def test_book_is_read_as_an_account():
    answer = ask(RULEBOOK, account(("BTC-P.V", 1, 99_000.0), collateral={"USDC": 50_000, "BTC": 1, "PEPE": 3}))
    # 100,000·10 % on the perpetual, 20 % of one BTC held; the gain of 1,000 is in equity.
    assert answer.initial_usd == pytest.approx(10_000 + 20_000)
    assert answer.maintenance_usd == pytest.approx(5_000 + 10_000)
    assert answer.equity_usd == pytest.approx(151_000)
    assert answer.refused == ("collateral PEPE",)
    assert answer.certainty == "unknown"


def test_unknown_and_missing_are_refused():
    with pytest.raises(UnknownName, match="settle token"):
        Portfolio(perpetuals=(perp(1, 0.0),))
    with pytest.raises(InvalidInput, match="oracle price"):
        Price(oracle=0.0, stable=1.0)
    with pytest.raises(InvalidInput, match="balance"):
        token("USDC", math.nan)
