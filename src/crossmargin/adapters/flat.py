"""Flat books: the rows of a table, coded piece by piece, to a `Book`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from crossmargin.adapters.tables import Table, TableSource, open_table
from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IndexArray
from crossmargin.core.errors import InvalidInput, MixedValuationTime
from crossmargin.core.finality import LEVELS, TRUSTS
from crossmargin.core.instant import format_instant, parse_instant
from crossmargin.instruments.symbols import Product
from crossmargin.instruments.terms import AnyTerms
from crossmargin.portfolio.book import Book, Mode
from crossmargin.portfolio.build import NO_INSTANCES
from crossmargin.portfolio.columns import NONE, FlatRows, Kind, book_from_columns

REQUIRED: Final = ("account", "instrument", "quantity")
OPTIONAL: Final = ("kind", "group", "mode", "price", "chain", "instance", "level", "trust", "as_of")
_NAMED: Final = ("account", "instrument", "group", "chain", "instance")
_KINDS: Final = {kind.name.lower(): int(kind) for kind in Kind}
_MODES: Final = {mode.name.lower(): int(mode) for mode in Mode}
_CHOICES: Final[dict[str, tuple[Mapping[str, int], int]]] = {
    "kind": (_KINDS, Kind.POSITION),
    "mode": (_MODES, NONE),
    "level": (LEVELS, NONE),
    "trust": (TRUSTS, NONE),
}


def read_flat_book(
    source: TableSource,
    *,
    now_ns: int,
    instruments: Iterable[AnyTerms] = (),
    products: Iterable[Product] = (),
    instances: Mapping[str, str] = NO_INSTANCES,
) -> Book:
    """The book in a table of the columns account, instrument, quantity and, where wanted, `OPTIONAL`.

    `kind` is position (default), order or collateral, of which `instrument` is then the asset and `chain` its chain;
    `group` and `mode` place positions (default "main", portfolio); `price` is the entry or limit price; `as_of` the
    valuation time, one for all rows. Collateral may name its `instance` (CAIP-19, one of `instances`, which give its
    asset), with `level` and `trust`; `instrument` and `chain` may then be empty. Raises what `open_table` and
    `book_from_columns` do, with the row's number.
    """
    table = open_table(source, required=REQUIRED, optional=OPTIONAL)
    rows = _Collector(table, now_ns).rows()
    return book_from_columns(
        rows, now_ns=now_ns, instruments=instruments, products=products, instances=instances, where=table.where
    )


class _Names:
    """Texts numbered as they appear."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}

    def codes(self, texts: pl.Series) -> IndexArray:
        """The number of each text, −1 for null and for empty text."""
        found = [text for text in texts.unique(maintain_order=True) if text]
        codes = [self.number.setdefault(text, len(self.number)) for text in found]
        return coded(texts, found, codes)


def coded(texts: pl.Series, found: list[str], codes: list[int]) -> IndexArray:
    """The code of each text that was found, −1 for any other."""
    numbers = pl.Series(codes, dtype=pl.Int32)
    known = pl.Series(found, dtype=pl.String)
    return texts.replace_strict(known, numbers, default=NONE, return_dtype=pl.Int32).to_numpy().astype(np.int32)


class _Collector:
    """Checks and codes the pieces of one table."""

    def __init__(self, table: Table, now_ns: int) -> None:
        self.table, self.now_ns = table, now_ns
        self.seen = 0
        self.time: tuple[int, str] | None = None
        self.texts = {column: _Names() for column in _NAMED}
        self.parts: dict[str, list[NDArray[Any]]] = {column: [] for column in (*REQUIRED, *OPTIONAL)}

    def rows(self) -> FlatRows:
        for piece in self.table.pieces:
            self._take(piece)
            self.seen += piece.height
        return FlatRows(
            accounts=tuple(self.texts["account"].number),
            names=tuple(self.texts["instrument"].number),
            groups=tuple(self.texts["group"].number),
            chains=tuple(self.texts["chain"].number),
            instances=tuple(self.texts["instance"].number),
            account=self._column("account", NONE, np.int32),
            name=self._column("instrument", NONE, np.int32),
            quantity=self._column("quantity", np.nan, np.float64),
            price=self._column("price", np.nan, np.float64),
            kind=self._column("kind", Kind.POSITION, np.int8),
            group=self._column("group", NONE, np.int32),
            mode=self._column("mode", NONE, np.int8),
            chain=self._column("chain", NONE, np.int32),
            instance=self._column("instance", NONE, np.int32),
            level=self._column("level", NONE, np.int8),
            trust=self._column("trust", NONE, np.int8),
            place=self.table.place,
        )

    def _column(self, column: str, default: float, dtype: Any) -> Any:
        """All parts of a column in one, or its default for every row."""
        parts = self.parts.pop(column)
        return np.concatenate(parts) if parts else np.broadcast_to(np.asarray(default, dtype), self.seen)

    def _take(self, piece: pl.DataFrame) -> None:
        for column in piece.columns:
            series = piece[column]
            if column in {"quantity", "price"}:
                self.parts[column].append(self._numbers(series))
            elif column == "as_of":
                self._check_time(series)
            elif column in _CHOICES:
                self.parts[column].append(self._choices(series, *_CHOICES[column]))
            else:
                self.parts[column].append(self._codes(series))
        self._check_names(piece)

    def _check_names(self, piece: pl.DataFrame) -> None:
        """Refuse a row that names neither an instrument nor an instance."""
        nameless = self.parts["instrument"][-1] < 0
        if "instance" in piece.columns:
            nameless &= self.parts["instance"][-1] < 0
        for row in np.flatnonzero(nameless)[:1]:
            raise self._missing("instrument", int(row))

    def _at(self, row: int) -> str:
        return f"{self.table.where}: {self.table.place(self.seen + row)}"

    def _codes(self, series: pl.Series) -> IndexArray:
        codes = self.texts[series.name].codes(self._text(series))
        for row in np.flatnonzero(codes < 0)[:1] if series.name == "account" else ():
            raise self._missing(series.name, int(row))
        return codes

    def _text(self, series: pl.Series) -> pl.Series:
        """A column as text: integers may name accounts and groups, nothing else may."""
        kind = series.dtype
        integers = kind.is_integer() and series.name in {"account", "group"}
        if not (integers or isinstance(kind, pl.String | pl.Categorical | pl.Enum | pl.Null)):
            raise self._mistyped(series, "text")
        return series.cast(pl.String)

    def _choices(self, series: pl.Series, choices: Mapping[str, int], default: int) -> NDArray[np.int8]:
        texts = self._text(series).replace("", None)
        codes = coded(texts, list(choices), list(choices.values()))
        empty = texts.is_null().to_numpy()
        for row in np.flatnonzero((codes < 0) & ~empty)[:1]:
            check.known(texts[int(row)], choices, series.name, where=self._at(int(row)))
        return np.where(empty, default, codes).astype(np.int8)

    def _numbers(self, series: pl.Series) -> FloatArray:
        """A column as float64, NaN where a price is not given."""
        if isinstance(series.dtype, pl.String):
            series = series.replace("", None)
        elif not (series.dtype.is_numeric() or isinstance(series.dtype, pl.Null)):
            raise self._mistyped(series, "a number")
        numbers = series.cast(pl.Float64, strict=False)
        for row in (numbers.is_null() & series.is_not_null()).arg_true()[:1]:
            raise InvalidInput(
                series.name, where=self._at(row), value=series[row], limit="a number", remedy="Correct the row."
            )
        for row in numbers.is_null().arg_true()[:1] if series.name in REQUIRED else ():
            raise self._missing(series.name, row)
        for row in (~numbers.is_finite()).arg_true()[:1]:
            check.finite(numbers[row], series.name, where=self._at(row))
        return numbers.to_numpy().astype(np.float64)

    def _mistyped(self, series: pl.Series, limit: str) -> InvalidInput:
        return InvalidInput(
            f"type of column {series.name}",
            where=self.table.where,
            value=str(series.dtype),
            limit=limit,
            remedy="Convert the column.",
        )

    def _missing(self, column: str, row: int) -> InvalidInput:
        return InvalidInput(column, where=self._at(row), value="missing", limit="given", remedy="Complete the row.")

    def _check_time(self, series: pl.Series) -> None:
        """Raise `MixedValuationTime` unless every time that is stated is the market's."""
        for value in series.unique(maintain_order=True).drop_nulls():
            row = int((series == value).arg_true()[0])
            digits = isinstance(value, str) and value.removeprefix("-").isdigit()
            stated = parse_instant(int(value) if digits else value, where=self._at(row))
            first, where = self.time or (stated, self.table.place(self.seen + row))
            self.time = (first, where)
            if stated != first:
                raise MixedValuationTime(
                    where=self._at(row), value=format_instant(stated), first=f"{format_instant(first)} at {where}"
                )
            if stated != self.now_ns:
                raise MixedValuationTime(
                    where=self._at(row),
                    value=format_instant(stated),
                    first=f"the market's {format_instant(self.now_ns)}",
                )
