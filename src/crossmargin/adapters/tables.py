"""Flat tables, piece by piece: CSV, Parquet, and anything that streams Arrow; memory does not grow with the file."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias, runtime_checkable

import polars as pl

from crossmargin.adapters.documents import cannot_open
from crossmargin.core import check
from crossmargin.core.errors import InvalidInput, UnknownName, UnreadableFile

BLOCK_BYTES: Final = 1 << 24
PIECE_ROWS: Final = 1 << 20


@runtime_checkable
class ArrowStream(Protocol):
    """Any table with the Arrow PyCapsule interface: of polars, pyarrow, pandas, DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A capsule that holds an Arrow stream."""
        ...


TableSource: TypeAlias = str | os.PathLike[str] | ArrowStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table in pieces; `place(row)` names a row, counted from 0 over all pieces, as its reader would look it up."""

    where: str
    pieces: Iterator[pl.DataFrame]
    place: Callable[[int], str]


def open_table(source: TableSource, *, required: Collection[str], optional: Collection[str]) -> Table:
    """A .csv or .parquet file or an Arrow stream, its columns checked before the first piece is read.

    Raises `UnknownName` for a column that is neither required nor optional, `InvalidInput` for a required one that is
    missing or a line that has more or fewer fields than the header (named by its number), and `UnreadableFile` for a
    file that is truncated, or is not what its name says.
    """
    if isinstance(source, ArrowStream):
        frame = pl.DataFrame(source)
        _check_columns(frame.columns, required, optional, where="table")
        return Table(where="table", pieces=frame.iter_slices(PIECE_ROWS), place=_row)
    path = Path(source)
    if path.suffix.lower() == ".parquet":
        with _readable(path):
            schema = pl.read_parquet_schema(path)
        _check_columns(list(schema), required, optional, where=str(path))
        return Table(where=str(path), pieces=_parquet_pieces(path), place=_row)
    if path.suffix.lower() == ".csv":
        names = _csv_header(path)
        _check_columns(names, required, optional, where=str(path))
        return Table(where=str(path), pieces=_csv_pieces(path, names), place=_line)
    raise UnreadableFile(str(path), reason="its name does not end in .csv or .parquet", remedy="Rename or convert it.")


def _row(row: int) -> str:
    return f"row {row + 1}"


def _line(row: int) -> str:
    return f"line {row + 2}"  # the header is line 1


def _check_columns(names: list[str], required: Collection[str], optional: Collection[str], *, where: str) -> None:
    check.unique(names, "column", where=f"{where}: header")
    allowed = [*required, *optional]
    for name in names:
        if name not in allowed:
            raise UnknownName(
                "column", where=f"{where}: header", value=name, known=allowed, remedy="Rename it, or leave it out."
            )
    missing = [name for name in required if name not in names]
    if missing:
        raise InvalidInput(
            "columns",
            where=f"{where}: header",
            value=", ".join(names),
            limit=f"all of {', '.join(required)}",
            remedy=f"Add {', '.join(missing)}.",
        )


class _readable:  # noqa: N801 a context manager, named like a function
    """Turns what polars and the system say about a file into `UnreadableFile`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise cannot_open(self._path, error) from None
        if isinstance(error, pl.exceptions.PolarsError | pl.exceptions.PanicException | OSError):
            raise UnreadableFile(
                str(self._path),
                reason=f"it is truncated, or no Parquet ({str(error).splitlines()[0]})",
                remedy="Write or fetch it again.",
            ) from None


def _parquet_pieces(path: Path) -> Iterator[pl.DataFrame]:
    with _readable(path):
        rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
    for start in range(0, rows, PIECE_ROWS):
        with _readable(path):
            piece = pl.scan_parquet(path).slice(start, PIECE_ROWS).collect()
        yield piece


def _csv_header(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            raw = file.readline().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise cannot_open(path, error) from None
    try:
        return next(csv.reader([raw.decode().rstrip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        raise UnreadableFile(
            str(path), reason="its first line is no CSV header", remedy="Write it as CSV in UTF-8."
        ) from None


def _csv_pieces(path: Path, names: list[str]) -> Iterator[pl.DataFrame]:
    first_line = 2
    with path.open("rb") as file:
        file.readline()
        for block in _blocks(file):
            yield _parse(block, names, where=str(path), first_line=first_line)
            first_line += block.count(b"\n")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of a file in blocks of whole lines; blank lines at its end are left out."""
    rest = b""
    while block := file.read(BLOCK_BYTES):
        block = rest + block
        cut = len(block.rstrip(b"\r\n"))  # what may be the blank end of the file waits for the next block
        cut = block.rfind(b"\n", 0, cut) + 1
        rest = block[cut:]
        if cut:
            yield block[:cut]
    rest = rest.rstrip(b"\r\n")
    if rest:
        yield rest + b"\n"


def _parse(block: bytes, names: list[str], *, where: str, first_line: int) -> pl.DataFrame:
    """The lines of a block as text columns; polars fills short lines with nulls, so that they are counted first."""
    lines = block.count(b"\n")
    if b'"' in block or block.count(b",") != lines * (len(names) - 1):
        _check_lines(block, len(names), where=where, first_line=first_line)
    try:
        frame = pl.read_csv(block, has_header=False, schema=dict.fromkeys(names, pl.String))
    except pl.exceptions.PolarsError as error:
        _check_lines(block, len(names), where=where, first_line=first_line)
        raise UnreadableFile(where, reason=str(error).splitlines()[0], remedy="Write it as CSV in UTF-8.") from None
    assert frame.height == lines
    return frame


def _check_lines(block: bytes, fields: int, *, where: str, first_line: int) -> None:
    """Raise `InvalidInput` at the first line that is not text of so many fields."""
    for number, raw in enumerate(block.split(b"\n")[:-1], first_line):
        try:
            found: object = len(next(csv.reader([raw.decode().rstrip("\r")], strict=True), []))
        except UnicodeDecodeError:
            found = "no UTF-8"
        except csv.Error as error:
            found = f"no CSV ({error})"
        if found != fields:
            raise InvalidInput(
                "the number of fields",
                where=f"{where}: line {number}",
                value=found,
                limit=f"{fields}, as in the header",
                remedy="Correct the line.",
            )
