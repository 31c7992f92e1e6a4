"""The figures of the shipped shocks against the price histories that they were computed from."""

import datetime as dt
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crossmargin.engine.stress import default_stress
from crossmargin.scenarios.document import NamedShock

WINDOW = re.compile(r"the (worst|best) (\d+) h of each coin between hourly closes, (\S+) to (\S+) UTC")
DAY = re.compile(r"close to close on (\d{4}-\d\d-\d\d)")
DAILY = {
    "index:SPX": "SPX",
    "index:NDX": "NDX",
    "spot:XAU": "GOLD_FUT_FRONT",
    "spot:XAG": "SILVER_FUT_FRONT",
    "spot:WTI": "WTI_FUT_FRONT",
    "vol:SPX": "VIX",
}
PUBLISHED = {"19 October 1987: Black Monday"}  # from published closes: it is before the histories begin
ROUNDING = 6e-5
HISTORICAL = [s for s in default_stress().scenarios if s.date]


def midnight(day: str) -> dt.datetime:
    return dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def hourly(shared: Path) -> pl.DataFrame:
    crypto = shared / "data" / "crypto"
    names = ("spot_1h_binance", "spot_close_1h_crisis_windows_400")
    frames = [pl.read_parquet(crypto / f"{name}.parquet").select("symbol", "ts", "close") for name in names]
    return pl.concat(frames).unique(["symbol", "ts"], keep="first").sort("symbol", "ts")


@pytest.fixture(scope="module")
def daily(shared: Path) -> pl.DataFrame:
    return pl.read_parquet(shared / "data" / "cross_asset" / "indices_fx_commodities_1d.parquet").sort("ts")


def extreme(frame: pl.DataFrame, hours: int, kind: str) -> float:
    """The worst or best move over some hours between closes that many hours apart."""
    hour = frame["ts"].dt.epoch("s").to_numpy() // 3600
    close = np.full(int(hour[-1] - hour[0]) + 1, np.nan)
    close[hour - hour[0]] = frame["close"].to_numpy()
    moves = close[hours:] / close[:-hours] - 1.0
    return float(np.nanmin(moves) if kind == "worst" else np.nanmax(moves))


@pytest.mark.parametrize("shock", [s for s in HISTORICAL if WINDOW.search(s.window)], ids=lambda s: s.label)
def test_coins_move_by_the_extremes_of_the_window(shock: NamedShock, hourly: pl.DataFrame):
    kind, hours, first, last = WINDOW.search(shock.window).groups()
    within = hourly.filter((pl.col("ts") >= midnight(first)) & (pl.col("ts") < midnight(last)))
    checked = 0
    for factor, move in shock.shocks.items():
        frame = within.filter(pl.col("symbol") == f"{factor.removeprefix('spot:')}USDT")
        if factor.startswith("spot:") and frame.height > int(hours) + 24:
            assert max(extreme(frame, int(hours), kind), -0.9999) == pytest.approx(move, abs=ROUNDING), factor
            checked += 1
    assert checked >= 8


@pytest.mark.parametrize(
    "shock", [s for s in HISTORICAL if DAY.search(s.window) and s.label not in PUBLISHED], ids=lambda s: s.label
)
def test_other_markets_move_from_close_to_close(shock: NamedShock, daily: pl.DataFrame):
    day = midnight(DAY.search(shock.window)[1])
    for factor, symbol in DAILY.items():
        if factor in shock.shocks:
            closes = daily.filter((pl.col("symbol") == symbol) & (pl.col("ts") <= day)).tail(2)
            assert closes["ts"][1] == day
            move = float(closes["close"][1]) / float(closes["close"][0]) - 1.0
            assert move == pytest.approx(shock.shocks[factor], abs=ROUNDING), factor


def test_nothing_historical_is_unchecked():
    unchecked = [s.label for s in HISTORICAL if not WINDOW.search(s.window) and not DAY.search(s.window)]
    assert unchecked == []
