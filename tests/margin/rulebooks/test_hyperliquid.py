"""Hyperliquid: tiers, liquidation prices, portfolio ratios, and books."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.hyperliquid import portfolio as pm
from crossmargin.margin.rulebooks.hyperliquid.perpetuals import (
    RULEBOOK,
    Collateral,
    Position,
    Tier,
    liquidation_price,
    margin_of,
    position_margin,
)
from tests.margin.rulebooks.accounts import account, ask

BTC = RULEBOOK.load("2026-11-01").tiers("BTC")


def position(size: float, mark: float = 100_000.0, leverage: float = 40.0) -> Position:
    return Position(coin="BTC", size=size, mark=mark, tiers=BTC, leverage=leverage)


def test_tiers_by_hand():
    # 100 m: 1.25 %; 200 m: 2.5 % less 150 m·1.25 %; initial there at 20x at most.
    assert position_margin(position(1_000)).maintenance == pytest.approx(1.25e6)
    assert position_margin(position(-2_000)).maintenance == pytest.approx(5e6 - 1.875e6)
    assert position_margin(position(2_000)).initial == pytest.approx(10e6)
    assert position_margin(position(0)).maintenance == 0.0
    assert margin_of(()).initial == 0.0


@given(st.floats(0.001, 1_000.0), st.sampled_from((1.0, -1.0)), st.floats(0.0, 1e7))
def test_equity_meets_maintenance_at_the_liquidation_price(size, side, available):
    held = position(side * size)
    price = liquidation_price(held, available)
    if price > 0.0:
        value = available + position_margin(held).maintenance + held.size * (price - held.mark)
        left = value - size * price * 0.0125
        assert left == pytest.approx(0.0, abs=1e-9 * (size * (held.mark + price) + available))
    assert math.isnan(liquidation_price(position(0.0), available))


def test_portfolio_ratio_by_hand():
    # 1 BTC at threshold 0.75 secures 75,000; 30,000 USDC borrowed, 5,000 maintained, 20 offset.
    btc = pm.Token(name="BTC", balance=1.0, borrowed=0.0, price=100_000.0, terms=Collateral(loan_to_value=0.5))
    cash = pm.Token(name="USDC", balance=0.0, borrowed=30_000.0, price=1.0)
    held = pm.Portfolio(tokens=(btc, cash), maintenance=(5_000.0,))
    assert pm.margin_of(held) == pytest.approx({"USDC": 35_020 / 75_000})
    capped = Collateral(loan_to_value=0.5, supply_cap=0.5, borrow_cap=20_000.0)
    assert pm.secured(pm.Token(name="B", balance=1, borrowed=0, price=1e5, terms=capped), at_threshold=True) == 20_000
    assert pm.portfolio_price(3.0, 1.0, 2.0) == 2.0


def test_books_in_both_modes():
    held = account(("BTC-P.V", 1, 101_000.0), ("BTC-F.V", 1), collateral={"USDC": 20_000, "BTC": 1})
    cross, unified = ask(RULEBOOK, held), ask(pm.RULEBOOK, held)
    assert cross.initial_usd == pytest.approx(5_000)
    assert cross.maintenance_usd == pytest.approx(1_250)
    assert cross.equity_usd == pytest.approx(19_000)
    assert set(cross.refused) == {"BTC-F.V", "collateral BTC"}
    assert unified.equity_usd == pytest.approx(19_000 + 75_000)
    assert unified.maintenance_usd == pytest.approx((1_250 + 20) / 0.95)
    assert unified.initial_usd == pytest.approx(5_000 + 25_000 + 20 / 0.95)
    assert unified.certainty == "approximate"


def test_bad_inputs_are_refused():
    with pytest.raises(InvalidInput, match="leverage"):
        position(1.0, leverage=0.5)
    with pytest.raises(InvalidInput, match="mark"):
        position(1.0, mark=0.0)
    with pytest.raises(InvalidInput, match="leverage_max"):
        position_margin(Position(coin="C", size=1, mark=1, tiers=(Tier(lower_bound=0, leverage_max=0),), leverage=2))
