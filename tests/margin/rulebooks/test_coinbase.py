"""Coinbase International: concentration, offsets, haircuts, and books."""

import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.coinbase.perpetuals import (
    RULEBOOK,
    Collateral,
    Market,
    Offset,
    Position,
    close_out_rate,
    collateral_value,
    initial_rate,
    margin_of,
)
from tests.margin.rulebooks.accounts import account, ask

MARKET = Market(base_rate=0.2, risk_parameter=1.0, daily_volume=10_000.0)
PAIR = Offset(first="BTC", second="ETH", rate=0.4)


def position(coin: str, coins: float, vwap: float = 100.0) -> Position:
    return Position(coin=coin, coins=coins, vwap=vwap, market=MARKET)


def test_rates_by_hand():
    assert initial_rate(position("BTC", 400)) == pytest.approx(0.2)  # √0.04
    assert initial_rate(position("BTC", -900)) == pytest.approx(0.3)
    assert initial_rate(position("BTC", 40_000)) == 1.0
    assert close_out_rate(0.3) == pytest.approx(0.1)
    assert close_out_rate(0.6) == pytest.approx(0.28)


def test_offset_by_hand():
    # 10,000 against 4,000: 40 % of the margin of 4,000, once on the smaller leg or on both.
    held = (position("BTC", 100), position("ETH", -40))
    assert margin_of(held, (PAIR,)).initial == pytest.approx(2_800 - 320)
    assert margin_of(held, (PAIR,), credit_on="both").initial == pytest.approx(2_800 - 640)
    assert margin_of(held, (PAIR, PAIR)).initial == pytest.approx(2_800 - 320)
    same = (position("BTC", 100), position("ETH", 40))
    assert margin_of(same, (PAIR,)).offset == 0.0
    assert margin_of(()).close_out == 0.0


def test_collateral_by_hand():
    terms = Collateral(base_haircut=0.1, size_parameter=1.0, daily_volume=100.0, limit=30.0)
    assert collateral_value(0.5, 10.0, terms) == pytest.approx(4.5)
    assert collateral_value(25.0, 10.0, terms) == pytest.approx(125.0)
    assert collateral_value(36.0, 10.0, terms) == pytest.approx(120.0)
    assert collateral_value(-5.0, 10.0, terms) == -50.0


def test_book_is_read_as_a_portfolio():
    held = account(("BTC-P.V", 1), ("ETH-P.V", -10, 4_100.0), ("BTC-F.V", 1), collateral={"USDC": 50_000, "SOL": 1})
    answer = ask(RULEBOOK, held)
    assert answer.initial_usd == pytest.approx(20_000 + 8_200 - 0.4 * 8_200)
    assert answer.maintenance_usd == pytest.approx(answer.initial_usd * 2 / 3)
    assert answer.equity_usd == pytest.approx(51_000)
    assert set(answer.refused) == {"BTC-F.V", "collateral SOL"}


def test_bad_inputs_are_refused():
    with pytest.raises(InvalidInput, match="daily_volume"):
        Market(base_rate=0.1, risk_parameter=1.0, daily_volume=0.0)
    with pytest.raises(InvalidInput, match="vwap"):
        position("BTC", 1.0, vwap=0.0)
    with pytest.raises(InvalidInput, match="unique"):
        margin_of((position("BTC", 1), position("BTC", 1)))
