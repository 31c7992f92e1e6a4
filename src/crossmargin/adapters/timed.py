"""Tables whose rows have a time: files and Arrow streams, and what their times may be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import polars as pl

from crossmargin.adapters.documents import cannot_open
from crossmargin.adapters.tables import ArrowStream, TableSource
from crossmargin.core.errors import InvalidInput, UnreadableFile
from crossmargin.core.instant import DAY_NS

ENDINGS: Final = (".parquet", ".csv", ".arrow", ".feather")


def source_name(source: TableSource) -> str:
    """What a source is called in messages."""
    return Path(source).name if isinstance(source, str | os.PathLike) else "table"


def read_timed(source: TableSource) -> pl.DataFrame:
    """The whole table of a .parquet, .csv or .arrow (Arrow IPC, also .feather) file, or of an Arrow stream.

    Raises `UnreadableFile` for other names, and for what is not what its name says."""
    if isinstance(source, ArrowStream):
        return pl.DataFrame(source)
    path = Path(source)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UnreadableFile(str(path), reason="its name does not end in .parquet, .csv or .arrow", remedy="Convert it")
    try:
        if ending == ".parquet":
            return pl.read_parquet(path)
        if ending != ".csv":
            return pl.read_ipc(path)
        return pl.read_csv(path, try_parse_dates=True, infer_schema_length=None)
    except OSError as error:
        raise cannot_open(path, error) from None
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise UnreadableFile(str(path), reason=reason, remedy="Write the file again") from None


def instants(times: pl.Series, where: str) -> pl.Series:
    """Nanoseconds UTC of a column of times: instants with a zone, integer milliseconds, or days, which close at the
    midnight after them. Raises `InvalidInput` for empty cells and other types."""
    if times.null_count():
        raise bad_table("time", where, "empty", "in every row", "Drop rows without a time.")
    if times.dtype.is_integer():
        return (times.cast(pl.Int64) * 1_000_000).alias("time")
    if times.dtype == pl.Date:
        return (times.cast(pl.Datetime("ns")).cast(pl.Int64) + DAY_NS).alias("time")
    if isinstance(times.dtype, pl.Datetime) and times.dtype.time_zone is not None:
        return times.dt.cast_time_unit("ns").cast(pl.Int64).alias("time")
    raise bad_table(
        "type of time",
        where,
        str(times.dtype),
        "instants with a zone, integer milliseconds UTC, or days",
        "Write it like 2024-06-30T00:00:00Z.",
    )


def bad_table(what: str, where: str, value: str, limit: str, remedy: str) -> InvalidInput:
    """The refusal of a table."""
    return InvalidInput(what, where=where, value=value, limit=limit, remedy=remedy)
