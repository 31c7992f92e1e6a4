"""Features of a user from tables: funding, open interest, implied volatility, or whatever was known by a time."""

from __future__ import annotations

import numpy as np
import polars as pl

from crossmargin.adapters.tables import TableSource
from crossmargin.adapters.timed import bad_table, instants, read_timed, source_name
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import format_instant
from crossmargin.validation.predictive.features import FeatureTable, build_features

TIME = "time"


def read_features(source: TableSource) -> FeatureTable:
    """The features in a .parquet, .csv or .arrow file or an Arrow table: a column `time`, and one of numbers for each.

    `time` says when the row was *known*, as in `read_history` (a day is known at the midnight UTC that ends it), and
    rises from row to row. An empty cell is a feature that was not known. Raises `UnreadableFile`, and `InvalidInput`
    (or a kind of it) for a missing column `time`, no feature at all, text in a column, times that fall or stand twice,
    and infinities."""
    frame, where = read_timed(source), source_name(source)
    if TIME not in frame.columns:
        said = ", ".join(frame.columns[:6])
        raise bad_table("columns", where, said, f"with a column `{TIME}`", "Rename the column of times.")
    names = [name for name in frame.columns if name != TIME]
    if not names:
        raise bad_table("columns", where, TIME, "with at least one feature beside it", "Add a column of numbers.")
    words = [name for name in names if not frame[name].dtype.is_numeric() and frame[name].dtype != pl.Null]
    if words:
        raise bad_table("column", where, words[0], "of numbers", "Convert it, or drop it.")
    close = instants(frame[TIME], where).to_numpy().astype(np.int64)
    _rising(close, where)
    return build_features(close, names, frame.select(pl.col(names).cast(pl.Float64)).to_numpy(), where=where)


def _rising(close: np.ndarray, where: str) -> None:
    """Refuse the first row that is not after the one before it, and say which it is."""
    wrong = np.flatnonzero(np.diff(close) <= 0)
    if not len(wrong):
        return
    row = int(wrong[0]) + 1
    twice = close[row] == close[row - 1]
    raise InvalidInput(
        "time",
        where=f"{where}, row {row + 1}",
        value=format_instant(int(close[row])),
        limit=f"after {format_instant(int(close[row - 1]))} in the row before",
        remedy="Drop one of the rows." if twice else "Sort the rows by time.",
    )
