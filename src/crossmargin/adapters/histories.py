"""Histories of factors from tables: one column a factor, or one row a level."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
import polars as pl

from crossmargin.adapters.tables import ArrowStream, TableSource
from crossmargin.adapters.timed import bad_table, instants, read_timed, source_name
from crossmargin.core.errors import UnreadableFile
from crossmargin.scenarios.basis import with_basis
from crossmargin.scenarios.history import FactorHistory, build_history

Stamp: TypeAlias = Literal["close", "open"]
LONG: Final = frozenset({"time", "factor", "value"})


def read_history(
    sources: TableSource | Sequence[TableSource], *, stamp: Stamp = "close", scale: Mapping[str, float] | None = None
) -> FactorHistory:
    """The history in one or more .parquet, .csv or .arrow files or Arrow tables, joined by time.

    Each has a column `time`, and either a column for each factor (`spot:BTC`, `vol:BTC`, `rate:USD:2y`) or the columns
    `factor` and `value`. Times are instants with a zone, integer milliseconds, or days, which close at midnight UTC
    after them; where bars are stamped at their `open`, the usual bar is added. Empty cells are levels that were not
    there. `scale` as in `build_history`. Where `spot:BTC` and `spot:BTC-PERP` are both there, the perpetual's price
    becomes `basis:BTC` (`with_basis`). Raises `UnreadableFile`, and `InvalidInput` (or a kind of it) for contents.
    """
    tables = [sources] if isinstance(sources, str | os.PathLike | ArrowStream) else list(sources)
    frames = [_wide(read_timed(source), source_name(source)) for source in tables]
    if not frames:
        raise UnreadableFile("history", reason="no file was named", remedy="Name a .parquet or .csv file")
    joined = frames[0]
    for frame, source in zip(frames[1:], tables[1:], strict=True):
        twice = sorted(set(joined.columns) & set(frame.columns) - {"time"})
        if twice:
            raise bad_table(
                "factor", source_name(source), twice[0], "in one table only", "Drop one of the two columns."
            )
        joined = joined.join(frame, on="time", how="full", coalesce=True)
    joined = joined.sort("time")
    close = joined["time"].to_numpy().astype(np.int64)
    where = ", ".join(source_name(source) for source in tables)
    if stamp == "open" and len(close) > 1:
        close = close + int(np.median(np.diff(close)))
    names = [name for name in joined.columns if name != "time"]
    levels = joined.select(pl.col(names).cast(pl.Float64)).to_numpy() if names else np.empty((len(close), 0))
    return with_basis(build_history(close, names, levels, scale=scale, source=where, where=where))


def _wide(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """A table of `time` (ns) and factors, no time twice."""
    if "time" not in frame.columns:
        raise bad_table(
            "columns", where, ", ".join(frame.columns[:6]), "with a column `time`", "Rename the column of times."
        )
    timed = frame.with_columns(instants(frame["time"], where))
    if set(frame.columns) >= LONG:
        keys = timed.select("time", "factor")
        if keys.is_duplicated().any():
            row = keys.filter(keys.is_duplicated()).row(0)
            raise bad_table("level", where, f"{row[1]} twice at {row[0]}", "one at a time", "Drop the second row.")
        return timed.pivot(on="factor", index="time", values="value", sort_columns=True)
    if timed["time"].is_duplicated().any():
        row = timed["time"].is_duplicated().arg_true()[0]
        raise bad_table("time", where, f"row {row + 1} twice", "once", "Drop one of the rows.")
    words = [name for name, kind in timed.schema.items() if not kind.is_numeric() and kind != pl.Null]
    if words:
        raise bad_table("column", where, words[0], "of numbers", "Convert it, or drop it.")
    return timed
