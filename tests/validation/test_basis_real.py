"""Real coins and pegs up to 2023-06-30: a basis and a peg by rules of their own against what filters made of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from crossmargin.core.instant import DAY_NS
from crossmargin.engine.recipe import recipe
from crossmargin.measures.reduce import Measure
from crossmargin.scenarios.basis import with_basis
from crossmargin.scenarios.calibrating.walk import Walk, walk
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.validation.backtest import Series, Stage, run
from crossmargin.validation.challengers.walked import Walked, judgeable
from crossmargin.validation.portfolios import strategies

COINS = ("BTC", "ETH")
SHORTFALL = Measure(kind="expected_shortfall", level=0.975)
EVERY = 7  # moves: a week from one margin to the next is enough to see it jump


@pytest.fixture(scope="module")
def prices(shared: Path) -> FactorHistory:
    """Closes at midnight of spot, perpetual and what the perpetual paid in the day, to the end of June 2023."""
    spot = _daily(pl.read_parquet(shared / "data/crypto/spot_1d_binance.parquet"), "spot:{}")
    perpetual = _daily(pl.read_parquet(shared / "data/crypto/perp_1h_binance.parquet"), "spot:{}-PERP")
    paid = pl.read_parquet(shared / "data/crypto/funding_binance.parquet").with_columns(pl.col("ts").dt.date())
    paid = paid.group_by("symbol", "ts").agg(pl.col("funding_rate").sum().alias("close"))
    frame = spot.join(perpetual, on="ts", how="left").join(_daily(paid, "funding:{}"), on="ts", how="left").sort("ts")
    return _history(frame)


def _daily(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The last row of each day of both coins, a column each."""
    days = frame.sort("ts").with_columns(pl.col("ts").cast(pl.Date)).filter(pl.col("ts") < dt.date(2023, 7, 1))
    last = days.group_by("symbol", "ts").agg(pl.col("close").cast(pl.Float64).last())
    wide = last.pivot(on="symbol", index="ts", values="close")
    return wide.select("ts", *(pl.col(f"{coin}USDT").alias(name.format(coin)) for coin in COINS))


def _history(frame: pl.DataFrame) -> FactorHistory:
    closes = frame["ts"].cast(pl.Datetime("ns")).cast(pl.Int64).to_numpy() + DAY_NS
    return build_history(closes, frame.columns[1:], frame.drop("ts").to_numpy())


def backtest(told: FactorHistory, family: str) -> Series:
    """The default's margins of the accounts of one family, from the first that can be set."""
    spec = msgspec.structs.replace(recipe("crossmargin-dynamic").calibration, default_proxy="spot:BTC")
    found = walk(told, spec)
    moves = np.flatnonzero(judgeable((found,)) & ~np.isnan(found.realised()).any(axis=0))[::EVERY]
    held = strategies(told.until(int(found.close_ns[moves[0]])), random=0)
    stage = Stage(
        book=held.book,
        snapshot=held.snapshot,
        factors=told.factors,
        close_ns=found.close_ns,
        realised=found.realised(),
        moves=moves,
        horizon_days=1.0,
        rules={},
    )
    series = run(stage, Walked(name="default", measure=SHORTFALL, walk=found))
    rows = [i for i, name in enumerate(held.families) if name == family]
    return Series(
        model=series.model,
        accounts=tuple(series.accounts[i] for i in rows),
        set_ns=series.set_ns,
        margin=series.margin[rows],
        pnl=series.pnl[rows],
    )


def test_a_coin_against_its_perpetual_is_margined_on_their_basis(prices: FactorHistory) -> None:
    apart = backtest(prices, "hedge")  # BTC against ETH, and each perpetual against the other, as prices of their own
    told = with_basis(prices)
    assert {"basis:BTC", "basis:ETH", "funding:BTC", "funding:ETH"} < set(told.factors)
    found = backtest(told, "basis")
    assert found.accounts[0] == "BTC against its perpetual long"
    rise = found.margin.max(axis=1) / found.margin.min(axis=1) - 1.0
    assert (rise < 3.0).all()  # two filters apart: 47 and 158 times
    assert (found.margin.mean(axis=1) < 0.1 * apart.margin.mean(axis=1).min()).all()
    assert (found.uncovered > 0.0).mean() <= 0.01


def test_a_peg_that_broke_and_returned_does_not_cost_for_months(shared: Path) -> None:
    """USDC closed 3 % under par on 2023-03-11 and was back within days."""
    daily = pl.read_parquet(shared / "data/stable_wrapped/stablecoins_1d.parquet")
    own = daily.filter(pl.col("symbol") == "USDC").select(pl.col("ts").cast(pl.Date), pl.col("close").cast(pl.Float64))
    told = _history(own.filter(pl.col("ts") < dt.date(2023, 7, 1)).sort("ts").rename({"close": "peg:USDC"}))
    filtered, plain = (walk(told, recipe(n).calibration) for n in ("crossmargin-dynamic", "crossmargin-pegged"))
    before, after = (_at(told, dt.date(2023, 3, day)) for day in (8, 14))
    assert _margin(plain, before) > _margin(filtered, before)  # the filter had forgotten the breaks before it
    assert _margin(filtered, after) > 3.0 * _margin(filtered, before)
    assert _margin(plain, after) < 1.5 * _margin(plain, before)


def _at(told: FactorHistory, day: dt.date) -> int:
    """The move that ends at the close of a day."""
    end = int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()) * 1_000_000_000 + DAY_NS
    return int(np.flatnonzero(told.close_ns == end)[0]) - 1


def _margin(found: Walk, move: int) -> float:
    losses = np.sort(-found.columns(move)[0])
    return float(losses[-SHORTFALL.tail_count(len(losses)) :].mean())
