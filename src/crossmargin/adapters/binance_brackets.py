"""Reader of leverage-bracket histories: one row a tier, symbol and day, as Binance lists them."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import polars as pl

from crossmargin.core.errors import InvalidInput, UnreadableFile
from crossmargin.margin.rulebooks.brackets import Bracket, BracketTable, deductions

COLUMNS = ("ts", "symbol", "tier", "min_notional", "max_notional", "maint_margin_rate", "max_leverage", "maint_amount")


def read_brackets(path: Path, *, day: dt.date) -> dict[str, BracketTable]:
    """The table of each symbol in force on a day: that of the symbol's latest date not after it.

    `path` is a Parquet file with the columns of `COLUMNS`. Raises `UnreadableFile` where they are missing, and
    `InvalidInput` for a day before the first and for tiers with gaps or whose amounts contradict their rates.
    """
    try:
        rows = pl.read_parquet(path, columns=list(COLUMNS))
    except (pl.exceptions.PolarsError, OSError) as error:
        remedy = f"Give a Parquet file with the columns {', '.join(COLUMNS)}."
        raise UnreadableFile(str(path), reason=str(error).splitlines()[0], remedy=remedy) from None
    known = rows.filter(pl.col("ts").dt.date() <= day)
    if known.is_empty():
        first = str(rows["ts"].min())
        limit, remedy = f"on or after {first}", "The brackets of that time are not known."
        raise InvalidInput("day", where=str(path), value=day.isoformat(), limit=limit, remedy=remedy)
    latest = known.filter(pl.col("ts") == pl.col("ts").max().over("symbol")).sort("symbol", "tier")
    return {
        str(symbol[0]): _table(part, f"{path}: {symbol[0]}")
        for symbol, part in latest.partition_by("symbol", as_dict=True).items()
    }


def _table(part: pl.DataFrame, where: str) -> BracketTable:
    floors, caps = part["min_notional"].to_list(), part["max_notional"].to_list()
    if floors[1:] != caps[:-1]:
        limit, remedy = "the cap of the tier before", "Complete the tiers."
        raise InvalidInput("min_notional", where=where, value=floors, limit=limit, remedy=remedy)
    columns = (floors, part["maint_margin_rate"].to_list(), part["max_leverage"].to_list())
    table = BracketTable(
        brackets=tuple(
            Bracket(notional_floor=floor, maintenance_rate=rate, leverage_max=leverage)
            for floor, rate, leverage in zip(*columns, strict=True)
        ),
        notional_cap=caps[-1],
    )
    for stated, cum in zip(part["maint_amount"].to_list(), deductions(table), strict=True):
        if not math.isclose(stated, cum, rel_tol=1e-9, abs_tol=1e-6):
            limit, remedy = f"{cum:g}, which its rates give", "Correct the tier."
            raise InvalidInput("maint_amount", where=where, value=stated, limit=limit, remedy=remedy)
    return table
