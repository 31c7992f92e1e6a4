"""What holds for every rulebook of portfolio margin that nets one coin, whatever its numbers, on whole accounts."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.instruments.terms import Option
from crossmargin.margin.rulebooks.registry import rulebook
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult
from crossmargin.market.build import build_snapshot
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Position
from tests.margin.rulebooks.accounts import account, ask, world
from tests.strategies import AS_OF_MS
from tests.worlds import market, underlying

IDS = ("bybit-pm", "okx-pm", "paradex-pm")
SIZES = st.just(0.0) | st.sampled_from((1e-18, -1e-18)) | st.floats(-20.0, 20.0)
HOUR_MS = 3_600_000


@pytest.fixture(params=IDS, scope="module")
def rule(request: pytest.FixtureRequest) -> Rulebook:
    return rulebook(request.param)


def chain(count: int, hours: float, sizes: tuple[float, ...] = (1.0, -1.0)) -> BookDocument:
    """An account of `count` BTC options from half to twice the spot that expire some hours ahead."""
    expiry = AS_OF_MS + int(hours * HOUR_MS)
    terms = [
        Option(
            id=f"BTC-{n}.V",
            underlying="BTC",
            payout="linear",
            settle="USDC",
            discounted=False,
            strike=50_000.0 + 100_000.0 * n / count,
            right=("call", "put")[n % 2],
            expiry=expiry,
        )
        for n in range(count)
    ]
    held = tuple(Position(instrument=t.id, quantity=sizes[n % len(sizes)]) for n, t in enumerate(terms))
    one = Account(
        id="a",
        groups=(Group(id="g", mode="cross", positions=held),),
        collateral=(Holding(asset="USDC", amount=1e6),),
    )
    return BookDocument(accounts=(one,), instruments=tuple(terms))


def answer(rule: Rulebook, document: BookDocument) -> RuleResult:
    return ask(rule, build_book(document, now_ns=world().time_ns))


@settings(max_examples=20, deadline=None)
@given(perp=SIZES, call=SIZES, put=SIZES, eth=SIZES, ordered=SIZES)
def test_answers_hold_together(rule: Rulebook, perp: float, call: float, put: float, eth: float, ordered: float):
    held = (("BTC-P.V", perp), ("BTC-C.V", call), ("BTC-X.V", put), ("ETH-P.V", eth))
    found = ask(rule, account(*held, orders=(("BTC-C.V", ordered),), collateral={"USDC": 1e5, "BTC": 1.0}))
    assert found.initial_usd == pytest.approx(math.fsum(t.initial for t in found.terms))
    assert found.maintenance_usd == pytest.approx(math.fsum(t.maintenance for t in found.terms))
    assert 0.0 <= found.maintenance_usd <= found.initial_usd * (1 + 1e-9) + 1e-6
    assert all(math.isfinite(s.pnl_usd) for s in found.scenarios)
    backwards = ask(rule, account(*reversed(held), orders=(("BTC-C.V", ordered),), collateral={"USDC": 1e5, "BTC": 1}))
    assert (backwards.initial_usd, backwards.equity_usd) == pytest.approx((found.initial_usd, found.equity_usd))
    without = ask(rule, account(*held, collateral={"USDC": 1e5, "BTC": 1.0}))
    assert without.maintenance_usd == pytest.approx(found.maintenance_usd)


def test_terms_that_are_not_exact_say_why(rule: Rulebook):
    found = ask(rule, account(("BTC-C.V", -1.0), ("SOL-P.V", 5.0), ("BTC-P.V", 1.0), orders=(("BTC-X.V", 1.0),)))
    assert found.terms
    assert all(bool(t.note) == (t.certainty != "exact") for t in found.terms)
    assert found.certainty != "exact"
    coins = ask(rule, account(("BTC-I.V", -1_000.0)))
    assert all(bool(t.note) == (t.certainty != "exact") for t in coins.terms)


def test_coins_are_summed(rule: Rulebook):
    both = ask(rule, account(("BTC-P.V", 1.0), ("ETH-P.V", -20.0)))
    alone = [ask(rule, account(p)) for p in (("BTC-P.V", 1.0), ("ETH-P.V", -20.0))]
    assert both.initial_usd == pytest.approx(math.fsum(a.initial_usd for a in alone))
    assert both.maintenance_usd == pytest.approx(math.fsum(a.maintenance_usd for a in alone))


def test_one_hundred_and_twenty_eight_options(rule: Rulebook):
    found = answer(rule, chain(128, 24.0 * 30.0))
    assert math.isfinite(found.initial_usd)
    assert found.initial_usd > found.maintenance_usd > 0.0
    assert found.refused == ()


@pytest.mark.parametrize("hours", [0.01, 0.25, 2.0])
def test_expiry_within_hours(rule: Rulebook, hours: float):
    found = answer(rule, chain(4, hours, sizes=(-1.0,)))
    # Four options sold within 50 % of the spot: no more than four coins.
    assert 0.0 < found.maintenance_usd < 400_000.0


def test_what_has_no_volatility_is_refused(rule: Rulebook):
    bare = build_snapshot(market(underlying("BTC", 100_000.0)))
    book = build_book(chain(1, 24.0), now_ns=bare.time_ns)
    with pytest.raises(MissingFactors, match="vol:BTC"):
        rule.evaluate(book, bare, rule.load(rule.dates()[-1]))


def test_two_accounts_are_refused(rule: Rulebook):
    two = BookDocument(accounts=(Account(id="a"), Account(id="b")))
    with pytest.raises(InvalidInput, match="number of accounts"):
        answer(rule, two)


def test_every_dated_set_has_source_and_date(rule: Rulebook):
    for date in rule.dates():
        rules = rule.load(date)
        assert rules.date == date
        assert rules.source
        assert msgspec.convert(msgspec.to_builtins(rules), type(rules)) == rules
