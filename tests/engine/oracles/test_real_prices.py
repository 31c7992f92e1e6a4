"""D01 and D02 again with prices that were really paid, by day and by hour, in place of the published figures."""

import datetime as dt
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from crossmargin.adapters.files import read_model_document
from crossmargin.core.instant import DAY_NS, SECOND_NS, format_instant, from_datetime
from crossmargin.engine.oracles.document import Points, ReplayDocument
from crossmargin.engine.oracles.library import shipped_replay
from crossmargin.engine.oracles.replay import replay_oracles

DAILY = "data/stable_wrapped/stablecoins_1d.parquet"
HOURLY = "data/stable_wrapped/stable_wrapped_close_1h_binance.parquet"


def closes(file: Path, symbol: str, first: str, days: int, bar_ns: int) -> tuple[int, Points]:
    """When the first bar closed, and closes by minutes since."""
    start_ns = from_datetime(dt.datetime.fromisoformat(first).replace(tzinfo=dt.UTC))
    rows = pl.read_parquet(file).filter(pl.col("symbol") == symbol).sort("ts").select("ts", "close").rows()
    found = [(from_datetime(ts) + bar_ns, price) for ts, price in rows]
    kept = [(t, price) for t, price in found if start_ns <= t <= start_ns + days * DAY_NS]
    return kept[0][0], tuple(((t - kept[0][0]) / (60.0 * SECOND_NS), price) for t, price in kept)


def on_every_venue(name: str, start_ns: int, points: Points, *, step_min: float) -> ReplayDocument:
    """A shipped day with other prices; the venues stand 5 bp apart."""
    day = shipped_replay(name)
    one = day.assets[0]
    paths = tuple(
        replace(path, points=tuple((m, p * (1.0 + 5e-4 * k)) for m, p in points)) for k, path in enumerate(one.paths)
    )
    asset = replace(one, paths=paths)
    length = points[-1][0]
    return replace(day, start=format_instant(start_ns), duration_min=length, step_min=step_min, assets=(asset,))


def test_closes_of_ust_in_may_2022(shared: Path):
    start_ns, points = closes(shared / DAILY, "USTC", "2022-05-07", 9, DAY_NS)
    found = replay_oracles(on_every_venue("D01", start_ns, points, step_min=120.0), read_model_document())
    (ust,) = found.assets
    assert found.held
    assert ust.cut_ms is not None
    assert ust.passed_ms is not None
    assert ust.cut_ms < ust.passed_ms
    assert (ust.steps[-1].peg, ust.steps[-1].credit) == ("BROKEN", 0.0)


def test_hours_of_usdc_from_its_low_on(shared: Path):
    """The pair was opened at 0.913, so the day begins in the fall: nothing new counts until it is over."""
    start_ns, points = closes(shared / HOURLY, "USDCUSDT", "2023-03-11T14:00:00", 4, 3_600 * SECOND_NS)
    (usdc,) = replay_oracles(on_every_venue("D02", start_ns, points, step_min=60.0), read_model_document()).assets
    assert usdc.over_market < 0.0
    assert usdc.steps[2].credit == 0.0
    back = next(step for step in usdc.steps[2:] if step.credit > 0.0)
    assert 0.96 < back.market < 1.0
    assert usdc.steps[-1].credit > 0.985
