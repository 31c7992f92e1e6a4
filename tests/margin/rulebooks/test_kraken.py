"""Kraken: levels, netting, and books."""

import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.kraken.futures import RULEBOOK, Leg, Level, Schedule, leg_initial, margin_of
from tests.margin.rulebooks.accounts import account, ask

INVERSE = RULEBOOK.load("2026-11-01").schedules["inverse_btc"]


def leg(coins: float, name: str = "P", **more) -> Leg:
    return Leg(
        **{"instrument": name, "underlying": "BTC", "coins": coins, "entry": 100_000.0, "schedule": INVERSE} | more
    )


def test_levels_by_hand():
    assert leg_initial(leg(5)) == pytest.approx(10_000)  # 500,000 is still in the first level, 2 %
    assert leg_initial(leg(-6)) == pytest.approx(24_000)
    assert leg_initial(leg(0)) == 0.0
    marginal = Schedule(levels=INVERSE.levels, marginal=True)
    assert leg_initial(leg(6, schedule=marginal)) == pytest.approx(10_000 + 4_000)


def test_longs_and_shorts_of_one_underlying_net():
    got = margin_of((leg(5), leg(-3, "F"), leg(-1, "I", isolated=True)))
    assert got.by_underlying == pytest.approx({"BTC": 10_000, "I": 2_000})
    assert got.maintenance == pytest.approx(6_000)
    assert margin_of(()).initial == 0.0


def test_book_is_read_wallet_by_wallet():
    held = account(
        ("BTC-P.V", 2, 90_000.0), ("BTC-F.V", -1), ("BTC-I.V", -100_000), ("PEPE-P.V", 1), collateral={"BTC": 1}
    )
    answer = ask(RULEBOOK, held)
    # Linear: max(180,000, 100,000)·2 %; inverse: 100,000·2 %. Equity: 0.9 of a coin and 20,000 gained.
    assert answer.initial_usd == pytest.approx(3_600 + 2_000)
    assert answer.maintenance_usd == pytest.approx(2_800)
    assert answer.equity_usd == pytest.approx(90_000 + 20_000)
    assert answer.refused == ("PEPE-P.V",)
    assert answer.certainty == "unknown"


def test_orders_add_to_their_side():
    answer = ask(RULEBOOK, account(("BTC-P.V", 1), orders=(("BTC-P.V", -4.0),)))
    assert answer.initial_usd == pytest.approx(6_000)
    assert answer.maintenance_usd == pytest.approx(1_000)


def test_bad_inputs_are_refused():
    with pytest.raises(InvalidInput, match="size"):
        leg_initial(leg(751))
    with pytest.raises(InvalidInput, match="levels"):
        Schedule(levels=())
    with pytest.raises(InvalidInput, match="size_cap"):
        Schedule(levels=(Level(size_cap=2, initial_rate=0.1), Level(size_cap=1, initial_rate=0.2)))
    with pytest.raises(InvalidInput, match="entry"):
        leg(1, entry=0.0)
