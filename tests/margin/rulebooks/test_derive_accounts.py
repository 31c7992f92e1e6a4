"""A Crossmargin account under Derive's rulebooks: what is read, what is refused, and that the terms add up."""

from __future__ import annotations

import math

import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.derive.evaluating import PMRM, PMRM2, RULEBOOKS, SRM
from crossmargin.margin.rulebooks.rulebook import Rulebook
from tests.margin.rulebooks.accounts import account, ask

BOOK = account(
    ("BTC-P.V", 1.0),
    ("BTC-C.V", -3.0),
    ("ETH-P.V", -20.0),
    ("BTC-F.V", 3.0),
    ("PEPE-P.V", 5.0),
    collateral={"USDC": 1e5, "BTC": 0.5, "SOL": 5.0},
)


@pytest.mark.parametrize("rulebook", RULEBOOKS, ids=lambda r: r.id)
def test_every_set_margins_an_account(rulebook: Rulebook):
    assert rulebook.dates()
    for date in rulebook.dates():
        answer = ask(rulebook, BOOK, rulebook.load(date))
        assert answer.date == date
        assert 0.0 < answer.maintenance_usd <= answer.initial_usd
        assert answer.initial_usd == pytest.approx(math.fsum(t.initial for t in answer.terms))
        assert "BTC-F.V" in answer.refused  # dated futures are not listed
        assert "collateral SOL" in answer.refused
        assert any("confidence" in note for note in answer.notes)


def test_a_perpetual_alone_by_hand():
    book = account(("BTC-P.V", 2.0, 99_000.0), collateral={"USDC": 1_000.0})
    # 2·100,000: 18 % in the worst scenario, 3 % and 1 % on top; P&L since entry 2,000.
    portfolio = ask(PMRM2, book)
    assert portfolio.initial_usd == pytest.approx(36_000.0 + 8_000.0)
    assert portfolio.maintenance_usd == pytest.approx(0.8 * 36_000.0 + 6_000.0)
    assert portfolio.equity_usd == pytest.approx(3_000.0)
    assert portfolio.worst_scenario == "BTC: spot -18.00%, vol up"
    assert portfolio.binding == "BTC scenarios"
    assert portfolio.certainty == "exact"
    assert ask(PMRM, book).maintenance_usd == pytest.approx(200_000.0 * 0.23)
    assert ask(SRM, book).maintenance_usd == pytest.approx(13_000.0)


def test_haircuts_that_are_not_public_are_never_called_exact():
    answer = ask(PMRM2, account(collateral={"BTC": 1.0}))
    assert answer.certainty == "approximate"
    assert {t.name for t in answer.terms if t.certainty != "exact"} == {"BTC collateral"}
    assert answer.initial_usd >= 100_000.0 * 0.25


def test_other_venues_contracts_are_read_and_said_so():
    answer = ask(PMRM2, account(("BTC-I.V", 100_000.0)))
    assert answer.initial_usd == pytest.approx(22_000.0)  # 100,000 USD of notional is one coin
    assert any("inverse" in note for note in answer.notes)
    assert answer.certainty == "approximate"


def test_open_orders_are_not_counted_and_said_so():
    waiting, plain = account(("BTC-P.V", 1.0), orders=(("BTC-C.V", -9.0),)), account(("BTC-P.V", 1.0))
    assert ask(PMRM2, waiting).initial_usd == ask(PMRM2, plain).initial_usd
    assert any("orders" in note for note in ask(PMRM2, waiting).notes)


def test_a_debt_is_never_left_out():
    owing = ask(SRM, account(("BTC-P.V", 1.0), collateral={"USDC": 100.0, "SOL": -2.0}))
    assert owing.equity_usd == pytest.approx(100.0 - 400.0)
    assert not any("SOL" in name for name in owing.refused)


def test_unknown_dates_are_refused():
    with pytest.raises(InvalidInput, match="date"):
        PMRM2.load("2024-01-01")
    assert PMRM2.dates() == ("2025-03-20", "2026-01-21")
