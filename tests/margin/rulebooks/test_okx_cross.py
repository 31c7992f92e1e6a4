"""OKX cross mode: tiers, discounts, loans, and books."""

import math

import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.okx_cross.accounts import (
    RULEBOOK,
    DiscountTier,
    Loan,
    Position,
    discounted,
    margin_of,
)
from tests.margin.rulebooks.accounts import account, ask

TIERS = (DiscountTier(value_cap=100.0, rate=0.9), DiscountTier(value_cap=300.0, rate=0.5))
TABLE = RULEBOOK.load("2024-12-30").tiers["BTC"]


def test_discounts_by_hand():
    assert discounted(50.0, TIERS) == pytest.approx(45.0)
    assert discounted(200.0, TIERS) == pytest.approx(90.0 + 50.0)
    assert discounted(1_000.0, TIERS) == pytest.approx(90.0 + 100.0)
    assert discounted(-5.0, TIERS) == -5.0


def test_tiers_count_on_the_whole_position():
    at, above = (Position(notional=n, table=TABLE, leverage=10.0) for n in (1e6, 1e6 + 1.0))
    assert margin_of((at,), ())[1] == pytest.approx(1e4)
    assert margin_of((above,), ())[1] == pytest.approx(2e4, rel=1e-5)


def test_book_with_a_loan():
    answer = ask(RULEBOOK, account(("BTC-P.V", 1), ("BTC-C.V", -1), collateral={"ETH": 10, "USDC": -1_000, "SOL": 1}))
    assert answer.initial_usd == pytest.approx(10_000 + 100)
    assert answer.maintenance_usd == pytest.approx(1_000 + 20)
    assert answer.equity_usd == pytest.approx(36_000 - 1_000)
    assert set(answer.refused) == {"BTC-C.V", "collateral SOL"}
    assert answer.certainty == "unknown"


def test_bad_inputs_are_refused():
    with pytest.raises(InvalidInput, match="value_cap"):
        discounted(1.0, (TIERS[1], TIERS[0]))
    with pytest.raises(InvalidInput, match="maintenance_rate"):
        Loan(value=1.0, initial_rate=0.1, maintenance_rate=0.2)
    with pytest.raises(InvalidInput, match="notional"):
        Position(notional=math.nan, table=TABLE, leverage=1.0)
