"""Synthetix v3: ratios, discounts, rewards, and books."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.synthetix.perpetuals import (
    RULEBOOK,
    UNIT,
    Collateral,
    Market,
    Portfolio,
    Position,
    Rewards,
    discount,
    margin_of,
    position_margin,
    windows,
)
from tests.margin.rulebooks.accounts import account, ask

MARKET = Market(
    skew_scale=1_000 * UNIT,
    initial_ratio=2 * UNIT,
    initial_ratio_min=UNIT // 20,
    maintenance_scalar=UNIT // 2,
    position_margin_min=50 * UNIT,
    flag_ratio=UNIT // 1_000,
)


def position(coins: int, market: Market = MARKET) -> Position:
    return Position(market=market, size=coins * UNIT, price=100 * UNIT)


def test_margins_by_hand():
    # 10 of 1,000 coins: ratio 0.01·2 + 0.05 = 7 %; N = 1,000: 70 + 50, and half of 70 + 50.
    assert position_margin(position(-10)) == (120 * UNIT, 85 * UNIT)
    assert position_margin(position(0)) == (0, 0)
    one_wei = Position(market=MARKET, size=1, price=100 * UNIT)
    assert position_margin(one_wei) == (50 * UNIT + 100 * (UNIT // 20) // UNIT, 50 * UNIT + 100 * (UNIT // 40) // UNIT)


def test_discount_keeps_to_its_limits():
    def taken(amount: int, **more) -> int:
        own = {"skew_scale": 100 * UNIT, "scalar": 2 * UNIT, "discount_min": UNIT // 10, "discount_max": UNIT // 2}
        return discount(Collateral(amount=amount * UNIT, price=UNIT, **own | more))

    assert (taken(1), taken(10), taken(90)) == (UNIT // 10, UNIT // 5, UNIT // 2)
    assert taken(90, skew_scale=0) == 0


def test_reward_and_windows_by_hand():
    # Flag 1,000·0.1 % + cost 2 = 3, but at least 2 + 10; two windows add the cost clamped up to 12 as well.
    market = Market(
        skew_scale=1_000 * UNIT,
        initial_ratio=2 * UNIT,
        initial_ratio_min=UNIT // 20,
        maintenance_scalar=UNIT // 2,
        flag_ratio=UNIT // 1_000,
        maker_fee=UNIT // 1_000,
        taker_fee=UNIT // 1_000,
        window_seconds=3,
    )
    held = Portfolio(
        positions=(position(10, market),),
        pnl=10_000 * UNIT,
        rewards=Rewards(reward_min=10 * UNIT, reward_max=100 * UNIT, cost=2 * UNIT),
    )
    assert windows(held.positions[0]) == 2  # 0.002·1,000·3 = 6 coins a window
    assert margin_of(held).reward == 24 * UNIT
    assert margin_of(Portfolio(rewards=held.rewards)).reward == 0


@given(st.integers(0, 10**22), st.integers(0, 10**22))
def test_larger_positions_never_need_less(a, b):
    small, large = sorted((a, b))
    one, two = (position_margin(Position(market=MARKET, size=s, price=100 * UNIT)) for s in (small, large))
    assert one[0] <= two[0]
    assert one[1] <= two[1]
    assert one[1] <= one[0]


def test_book_is_read_as_an_account():
    answer = ask(RULEBOOK, account(("BTC-P.V", 1, 99_000.0), ("SOL-P.V", 1), collateral={"USDC": 10_000, "ETH": 1}))
    # Ratio 1/100,000·2 + 5 %: 5,002 + 50; reward: 100,000·0.03 % + 1 = 31.
    assert answer.initial_usd == pytest.approx(5_052 + 31)
    assert answer.maintenance_usd == pytest.approx(2_501 + 50 + 31)
    assert answer.equity_usd == pytest.approx(10_000 + 3_800 + 1_000)
    assert answer.refused == ("SOL-P.V",)
    assert answer.certainty == "unknown"


def test_bad_inputs_are_refused():
    with pytest.raises(InvalidInput, match="skew_scale"):
        Market(skew_scale=0, initial_ratio=0, initial_ratio_min=0, maintenance_scalar=0)
    with pytest.raises(InvalidInput, match="price"):
        Position(market=MARKET, size=1, price=0)
