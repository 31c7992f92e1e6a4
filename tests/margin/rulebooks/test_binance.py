"""Binance: brackets, uniMMR, the reader of bracket histories, and books."""

import datetime as dt
import math

import msgspec
import polars as pl
import pytest

from crossmargin.adapters.binance_brackets import COLUMNS, read_brackets
from crossmargin.core.errors import InvalidInput, UnreadableFile
from crossmargin.margin.rulebooks.binance.futures import RULEBOOK as FUTURES
from crossmargin.margin.rulebooks.binance.unified import RULEBOOK, Balance, Portfolio, Position, Ratio, margin_of
from crossmargin.margin.rulebooks.brackets import (
    Bracket,
    BracketTable,
    bracket_initial,
    bracket_maintenance,
    deductions,
    tier_of,
)
from tests.margin.rulebooks.accounts import account, ask

BTC = RULEBOOK.load("2024-07-04").brackets["BTC"]


def test_tiers_by_hand():
    # Second tier: 50,000·(0.5 − 0.4 %) = 50 is deducted, third: 600,000·0.15 % = 900 more.
    assert deductions(BTC)[:3] == pytest.approx((0.0, 50.0, 950.0))
    assert bracket_maintenance(BTC, 100_000) == pytest.approx(450.0)
    assert bracket_maintenance(BTC, 1_000_000) == pytest.approx(6_500 - 950)
    assert [tier_of(BTC, x) for x in (0.0, 50_000.0, 50_000.01, 1.8e9)] == [0, 0, 1, 11]
    assert bracket_initial(BTC, 1e6, 20.0) == 50_000
    assert bracket_initial(BTC, 100e6, 50.0) == 5e6  # that size allows 20x


def test_too_large_a_position_is_refused():
    with pytest.raises(InvalidInput, match="notional"):
        bracket_maintenance(BTC, 1.9e9)
    answer = ask(FUTURES, account(("BTC-P.V", 20_000)))
    assert answer.refused == ("BTC-P.V",)
    assert answer.initial_usd == 0.0


def test_ratio_by_hand():
    # 1 BTC at 100,000·0.95 and a debt of 20,000 USDT at 8 %; one position of 100,000 USD.
    held = Portfolio(
        balances=(
            Balance(asset="BTC", index=100_000.0, collateral_rate=0.95, margin=1.0),
            Balance(asset="USDT", index=1.0, collateral_rate=0.9, loan=20_000.0, loan_rate=0.08, open_loss=500.0),
        ),
        positions=(Position(symbol="BTCUSDT", notional=-100_000.0, table=BTC),),
    )
    got = margin_of(held)
    assert got.equity == pytest.approx(95_000 - 20_000)
    assert got.adjusted_equity == pytest.approx(74_500)
    assert got.maintenance == pytest.approx(1_600 + 450)
    assert margin_of(msgspec.structs.replace(held, pro=True)).adjusted_equity == pytest.approx(75_000)


@pytest.mark.parametrize(
    ("equity", "action"),
    [
        (151, "free"),
        (150, "reminder"),
        (120, "reduce only"),
        (105, "liquidation"),
        (100, "liquidation and claim"),
        (-1, "liquidation and claim"),
    ],
)
def test_actions_at_their_limits(equity, action):
    assert Ratio(equity=equity, adjusted_equity=equity, maintenance=100.0).action == action


def test_nothing_held_is_free():
    empty = margin_of(Portfolio())
    assert (empty.ratio, empty.action) == (math.inf, "free")


def test_books_in_both_modes():
    futures = ask(FUTURES, account(("BTC-P.V", 1, 99_000.0), orders=(("BTC-P.V", 1.0),), collateral={"USDC": 20_000}))
    assert futures.initial_usd == pytest.approx(200_000 / 20)
    assert futures.maintenance_usd == pytest.approx(450)
    assert futures.equity_usd == pytest.approx(21_000)
    unified = ask(RULEBOOK, account(("BTC-P.V", 1, 99_000.0), collateral={"USDC": 20_000, "BTC": 1, "SOL": 2}))
    assert unified.maintenance_usd == pytest.approx(1.05 * 450)
    assert unified.initial_usd == pytest.approx(1.2 * 450)
    assert unified.equity_usd == pytest.approx(19_800 + 95_000 + 1_000)
    assert unified.refused == ("collateral SOL",)
    assert unified.certainty == "unknown"


def history(tmp_path, **change):
    rows = {
        "ts": [dt.datetime(2024, 1, d, tzinfo=dt.UTC) for d in (1, 1, 2)],
        "symbol": ["A", "A", "A"],
        "tier": [1, 2, 1],
        "min_notional": [0.0, 100.0, 0.0],
        "max_notional": [100.0, 1_000.0, 500.0],
        "maint_margin_rate": [0.01, 0.02, 0.05],
        "max_leverage": [50.0, 25.0, 10.0],
        "maint_amount": [0.0, 1.0, 0.0],
    }
    path = tmp_path / "history.parquet"
    pl.DataFrame(rows | change).write_parquet(path)
    return path


def test_histories_are_read_by_day(tmp_path):
    path = history(tmp_path)
    assert len(read_brackets(path, day=dt.date(2024, 1, 1))["A"].brackets) == 2
    assert read_brackets(path, day=dt.date(2030, 1, 1))["A"].notional_cap == 500.0
    with pytest.raises(InvalidInput, match="day"):
        read_brackets(path, day=dt.date(2023, 12, 31))


def test_broken_histories_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match="maint_amount"):
        read_brackets(history(tmp_path, maint_amount=[0.0, 2.0, 0.0]), day=dt.date(2024, 1, 1))
    with pytest.raises(InvalidInput, match="min_notional"):
        read_brackets(history(tmp_path, min_notional=[0.0, 150.0, 0.0]), day=dt.date(2024, 1, 1))
    with pytest.raises(UnreadableFile):
        read_brackets(tmp_path / "none.parquet", day=dt.date(2024, 1, 1))
    path = tmp_path / "short.parquet"
    pl.DataFrame({"ts": [1]}).write_parquet(path)
    with pytest.raises(UnreadableFile):
        read_brackets(path, day=dt.date(2024, 1, 1))


def test_real_history_is_read_whole(shared):
    """Every listed deduction is what its rates give, on every day of the history."""
    path = shared / "data/liquidity/binance_leverage_tiers_history.parquet"
    rows = pl.read_parquet(path, columns=list(COLUMNS))
    for day in rows["ts"].dt.date().unique().sort():
        assert len(read_brackets(path, day=day)) >= rows.filter(pl.col("ts").dt.date() == day)["symbol"].n_unique()


@pytest.mark.parametrize(
    "tiers",
    [
        (),
        (Bracket(notional_floor=1.0, maintenance_rate=0.1, leverage_max=5.0),),
        (
            Bracket(notional_floor=0.0, maintenance_rate=0.1, leverage_max=5.0),
            Bracket(notional_floor=9.0, maintenance_rate=0.05, leverage_max=5.0),
        ),
        (Bracket(notional_floor=0.0, maintenance_rate=math.nan, leverage_max=5.0),),
    ],
)
def test_bad_tables_are_refused(tiers):
    with pytest.raises(InvalidInput):
        BracketTable(brackets=tiers)
