"""Perennial v2: ratios, least amounts, and books."""

import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.perennial.positions import RULEBOOK, UNIT, Market, Position, margin_of
from tests.margin.rulebooks.accounts import account, ask

MARKET = Market(margin_ratio=50_000, maintenance_ratio=25_000, margin_min=50 * UNIT, maintenance_min=25 * UNIT)


def test_ratios_and_least_amounts():
    assert margin_of(Position(market=MARKET, size=-100 * UNIT, price=100 * UNIT)) == (500 * UNIT, 250 * UNIT)
    assert margin_of(Position(market=MARKET, size=1, price=1)) == (50 * UNIT, 25 * UNIT)
    assert margin_of(Position(market=MARKET, size=0, price=1)) == (0, 0)
    own = Position(market=MARKET, size=100 * UNIT, price=-100 * UNIT, collateralisation=100_000)
    assert margin_of(own) == (1_000 * UNIT, 250 * UNIT)


def test_book_is_read_market_by_market():
    answer = ask(RULEBOOK, account(("BTC-P.V", 1), orders=(("BTC-P.V", 1.0),), collateral={"USDC": 7, "ETH": 1}))
    assert answer.initial_usd == pytest.approx(10_000)
    assert answer.maintenance_usd == pytest.approx(2_500)
    assert answer.equity_usd == pytest.approx(7)
    assert answer.refused == ("collateral ETH",)


def test_bad_inputs_are_refused():
    with pytest.raises(InvalidInput, match="maintenance_ratio"):
        Market(margin_ratio=1, maintenance_ratio=2)
    with pytest.raises(InvalidInput, match="price"):
        Position(market=MARKET, size=1, price=0)
