"""Option chains of exchanges for shares, indices and futures, as tables of closing prices."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import polars as pl

from crossmargin.adapters.tables import open_table
from crossmargin.core.arrays import frozen
from crossmargin.core.check import known
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.curve import RateCurve
from crossmargin.market.quotes import ChainQuotes

StrPath: TypeAlias = str | os.PathLike[str]

COLUMNS: Final = ("kind", "underlying", "ts", "expiry", "strike", "right", "close", "volume", "underlying_close")
_UNUSED: Final = (
    "open",
    "high",
    "low",
    "open_interest",
    "implied_volatility",
    "delta",
    "gamma",
    "vega",
    "theta",
    "rho",
)
# Which kinds may be exercised before their expiry. Options on index futures mostly can, options on indices cannot.
_AMERICAN: Final = {"option": True, "indexoption": False, "futureoption": True}
# 16:00 in New York in winter. In summer it is an hour earlier: then tenors of close and expiry shift alike.
CLOSE_HOUR_UTC: Final = 21


def read_option_chains(
    path: StrPath, *, rates: RateCurve, spots: Mapping[str, float] | None = None, close_hour_utc: int = CLOSE_HOUR_UTC
) -> Iterator[ChainQuotes]:
    """The chains in a .parquet or .csv table with `COLUMNS`, by day and underlying; prices are closes.

    `ts` and `expiry` are days; both end at `close_hour_utc`. `rates` discounts every chain. `spots` gives the prices
    of underlyings that the table leaves out (null). Where any row of a chain traded that day, the closes of the others
    are old and count as no price. Options that expire on the day itself are settled, and left out.
    Raises `UnreadableFile`, `InvalidInput` for a missing column and `UnknownName` for an unknown kind."""
    table = open_table(str(Path(path)), required=COLUMNS, optional=_UNUSED)
    frame = pl.concat(table.pieces)
    for (kind, underlying, _), rows in frame.group_by("kind", "underlying", "ts", maintain_order=True):
        alive = rows.filter(pl.col("expiry").dt.date() > pl.col("ts").dt.date())
        american = _AMERICAN[known(str(kind), _AMERICAN, "kind", where=f"{table.where}: {underlying}")]
        if alive.height:
            yield _chain(alive, str(underlying), american, rates, (spots or {}).get(str(underlying)), close_hour_utc)


def _chain(
    rows: pl.DataFrame, underlying: str, american: bool, rates: RateCurve, spot: float | None, close_hour_utc: int
) -> ChainQuotes:
    close_ns = close_hour_utc * 3600 * SECOND_NS
    number = {n: rows[n].cast(pl.Float64).fill_null(0.0).to_numpy() for n in ("close", "volume", "underlying_close")}
    traded = number["volume"] > 0.0
    price = np.where(traded | ~traded.any(), number["close"], 0.0)
    absent = np.zeros(rows.height)
    names = [
        f"{underlying}-{expiry:%Y%m%d}-{strike:g}-{right}"
        for expiry, strike, right in rows.select("expiry", "strike", "right").iter_rows()
    ]
    return ChainQuotes(
        underlying=underlying,
        spot=float(np.median(number["underlying_close"])) if spot is None else spot,
        instrument=tuple(names),
        expiry_ns=frozen(rows["expiry"].dt.truncate("1d").dt.timestamp("ns").to_numpy() + close_ns, np.int64),
        strike=frozen(rows["strike"].cast(pl.Float64).to_numpy()),
        is_call=frozen((rows["right"].str.to_uppercase() == "C").to_numpy(), np.bool_),
        bid=frozen(absent),
        ask=frozen(absent),
        mark=frozen(price),
        mark_vol=frozen(absent),
        underlying_price=frozen(absent),
        seen_ns=frozen(rows["ts"].dt.truncate("1d").dt.timestamp("ns").to_numpy() + close_ns, np.int64),
        in_coin=False,
        american=american,
        rates=rates,
    )
