"""What holds for every rulebook of weights and fractions, whatever its numbers."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.terms import Perpetual
from crossmargin.margin.rulebooks.registry import rulebook
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Position
from tests.margin.rulebooks.accounts import SPOTS, account, ask, world

IDS = (
    "binance-pm",
    "binance-um",
    "bybit-cross",
    "coinbase-intx",
    "drift-v2",
    "dydx-v4",
    "gmx-v2",
    "hyperliquid",
    "hyperliquid-pm",
    "kraken-futures",
    "mango-v4",
    "okx-cross",
    "paradex-cross",
    "perennial-v2",
    "synthetix-v3",
    "vega",
    "vertex",
)
CASH = {"USDC": 1e6}
SIZES = st.just(0.0) | st.floats(1e-8, 50.0) | st.floats(-50.0, -1e-8)


@pytest.fixture(params=IDS, scope="module")
def rule(request):
    return rulebook(request.param)


def test_nothing_asks_nothing(rule):
    answer = ask(rule, account())
    assert (answer.initial_usd, answer.maintenance_usd, answer.equity_usd) == (0.0, 0.0, 0.0)
    assert answer.refused == ()


def test_zero_positions_ask_nothing(rule):
    idle = ask(rule, account(("BTC-P.V", 0.0)))
    offset = 20.0 / 0.95 if rule.id == "hyperliquid-pm" else 0.0  # its minimum, where anything is open
    assert idle.initial_usd == pytest.approx(offset, abs=1e-9)


@settings(max_examples=15)
@given(btc=SIZES, eth=SIZES, bought=st.floats(0.0, 10.0), sold=st.floats(0.0, 10.0))
def test_answers_hold_together(rule, btc, eth, bought, sold):
    orders = (("BTC-P.V", bought), ("BTC-P.V", -sold))
    answer = ask(rule, account(("BTC-P.V", btc), ("ETH-I.V", 2_000.0 * eth), orders=orders, collateral=CASH))
    assert answer.initial_usd == pytest.approx(math.fsum(t.initial for t in answer.terms))
    assert answer.maintenance_usd == pytest.approx(math.fsum(t.maintenance for t in answer.terms))
    assert answer.maintenance_usd <= answer.initial_usd * (1 + 1e-9) + 1e-6
    assert answer.initial_usd >= 0.0
    assert (answer.rulebook, answer.date) == (rule.id, rule.dates()[-1])


@settings(max_examples=15)
@given(size=st.floats(1e-6, 20.0), more=st.floats(1.0, 5.0), side=st.sampled_from((1.0, -1.0)))
def test_a_larger_position_never_asks_less(rule, size, more, side):
    small, large = (ask(rule, account(("BTC-P.V", side * x), collateral=CASH)) for x in (size, size * more))
    assert large.initial_usd >= small.initial_usd * (1 - 1e-9) - 1e-6
    assert large.maintenance_usd >= small.maintenance_usd * (1 - 1e-9) - 1e-6


@settings(max_examples=15)
@given(btc=SIZES, eth=SIZES)
def test_two_coins_never_ask_more_than_apart(rule, btc, eth):
    """Every one of these rules is sub-additive over coins: it sums them, or offsets them."""
    both = ask(rule, account(("BTC-P.V", btc), ("ETH-P.V", eth)))
    apart = [ask(rule, account((name, x))) for name, x in (("BTC-P.V", btc), ("ETH-P.V", eth))]
    assert both.initial_usd <= math.fsum(a.initial_usd for a in apart) * (1 + 1e-9) + 1e-6


def test_two_accounts_are_refused(rule):
    two = BookDocument(accounts=(Account(id="a"), Account(id="b")))
    with pytest.raises(InvalidInput, match="number of accounts"):
        ask(rule, build_book(two, now_ns=world().time_ns))


def test_what_is_unlisted_is_named_and_its_debts_count(rule):
    answer = ask(rule, account(("PEPE-P.V", 1.0), orders=(("PEPE-I.V", 1.0),), collateral={"PEPE": -100_000.0}))
    assert {"PEPE-P.V", "PEPE-I.V"} <= {name.removeprefix("order ") for name in answer.refused}
    # A debt of 1,000 USD stands in equity, or in what is asked of it.
    assert answer.equity_usd - answer.initial_usd <= -1_000.0 * (1 - 1e-9)


def test_a_hundred_and_twenty_eight_markets_are_named(rule):
    listed = tuple(
        Perpetual(id=f"{coin}-{i}.V", underlying=coin, payout="linear", settle="USDC")
        for i in range(32)
        for coin in SPOTS
    )
    held = Group(id="g", mode="cross", positions=tuple(Position(instrument=t.id, quantity=0.01) for t in listed))
    one = Account(id="a", groups=(held,), collateral=(Holding(asset="USDC", amount=1e6),))
    book = build_book(BookDocument(accounts=(one,), instruments=listed), now_ns=world().time_ns)
    answer = ask(rule, book)
    assert len([name for name in answer.refused if name.startswith("PEPE")]) == 32
    assert answer.initial_usd > 0.0
