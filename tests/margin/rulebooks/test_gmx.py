"""GMX v2: remaining collateral, the three tests, and books."""

import msgspec
import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.gmx.positions import (
    RULEBOOK,
    UNIT,
    Market,
    Position,
    margin_of,
    remaining_collateral,
    required,
)
from tests.margin.rulebooks.accounts import account, ask

MARKET = Market(
    collateral_factor=UNIT // 50, liquidation_factor=UNIT // 100, impact_factor_max=UNIT // 200, collateral_min=UNIT
)


def position(**more) -> Position:
    own = {"market": MARKET, "size": 1_000 * UNIT, "collateral_amount": 20, "collateral_price_min": UNIT}
    return Position(**own | more)


def test_impact_is_never_a_gain_and_has_a_floor():
    assert remaining_collateral(position(impact=50 * UNIT)) == 20 * UNIT
    assert remaining_collateral(position(impact=-3 * UNIT)) == 17 * UNIT
    assert remaining_collateral(position(impact=-50 * UNIT)) == 15 * UNIT
    assert remaining_collateral(position(pnl=50 * UNIT, gain_max=5 * UNIT)) == 25 * UNIT


@pytest.mark.parametrize(
    ("pnl", "reason"),
    [(-10 * UNIT, ""), (-10 * UNIT - 1, "below the factor of its size"), (-20 * UNIT, "below the least collateral")],
)
def test_each_limit_is_strict(pnl, reason):
    assert margin_of(position(pnl=pnl)).reason == reason


def test_minimum_is_tested_only_where_asked():
    bare = position(pnl=-20 * UNIT)
    assert margin_of(bare, test_minimum=False).reason == "nothing is left"
    assert not margin_of(position(size=0, collateral_amount=0)).is_liquidatable


def test_positions_do_not_offset():
    assert required((position(), position())) == 2 * margin_of(position()).required == 20 * UNIT
    tiny = msgspec.structs.replace(position(), size=1)
    assert margin_of(tiny).required == UNIT


def test_book_is_margined_position_by_position():
    answer = ask(RULEBOOK, account(("BTC-P.V", 1), ("BTC-I.V", -100_000), collateral={"USDC": 10_000, "SOL": 1}))
    # Each 100,000: 2 % or 1 %, and 0.5 % impact with 0.07 % fees to close.
    assert answer.initial_usd == pytest.approx(2 * 2_570)
    assert answer.maintenance_usd == pytest.approx(2 * 1_570)
    assert answer.equity_usd == pytest.approx(10_000)
    assert answer.refused == ("collateral SOL",)


def test_missing_price_is_refused():
    with pytest.raises(InvalidInput, match="collateral_price_min"):
        position(collateral_price_min=0)
