"""A `Book` as a flat table, one row a position, order or holding: what `flat` reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from crossmargin.adapters.writing import replacing
from crossmargin.core.arrays import BoolArray, IndexArray, IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.terms import Spot, Token
from crossmargin.portfolio.book import Book, Lines, Mode
from crossmargin.portfolio.columns import Kind

SUFFIXES: Final = (".csv", ".parquet")
_SHARED: Final = -1
_ALWAYS: Final = ("account", "instrument", "quantity", "kind", "group", "mode")
_MAYBE: Final = ("price", "chain", "instance", "level", "trust")


def write_book(path: str | os.PathLike[str], book: Book) -> None:
    """Write a book as a flat .csv or .parquet file, whole or not at all.

    Raises what `flat_table` does, and `InvalidInput` for any other suffix and a file that cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        limit, remedy = f"one of {', '.join(SUFFIXES)}", "Choose one of these suffixes."
        raise InvalidInput("output file", where=str(path), value=suffix, limit=limit, remedy=remedy)
    table = flat_table(book)
    with replacing(Path(path)) as part:
        if suffix == ".csv":
            table.write_csv(part)
        else:
            table.write_parquet(part)


def flat_table(book: Book) -> pl.DataFrame:
    """The rows of a book, account by account and group by group; columns that nothing is in are left out.

    `read_book` makes the same book of them. What the book defines itself (`Book.defined`, `Book.products`) stands in a
    file of its own. Raises `InvalidInput` for what rows cannot say: a pool for each settlement asset, and accounts or
    groups without a name or without a row.
    """
    own = np.asarray([book.pools[p] == g for p, g in zip(book.group_pool, book.groups, strict=True)], np.bool_)
    group_of_pool = np.full(len(book.pools), _SHARED, np.int64)
    group_of_pool[book.group_pool[own]] = np.flatnonzero(own)
    _check(book, own)
    of_group = np.arange(len(book.groups), dtype=np.int64)
    rows = pl.concat(
        [
            _rows(book, Kind.POSITION, book.positions, of_group, book.group_account),
            _rows(book, Kind.ORDER, book.orders, of_group, book.group_account),
            _rows(book, Kind.COLLATERAL, book.holdings, group_of_pool, book.pool_account),
        ]
    ).sort("by account", "by group", maintain_order=True)
    return rows.select(*_ALWAYS, *(name for name in _MAYBE if rows[name].null_count() < rows.height))


def _rows(book: Book, kind: Kind, lines: Lines, group_of: IntArray, account_of: IndexArray) -> pl.DataFrame:
    """The lines of one kind; `group_of` and `account_of` [owner] say where each owner's stand."""
    group, account = group_of[lines.owner], account_of[lines.owner]
    names = [name[len(book.accounts[a]) + 1 :] for name, a in zip(book.groups, book.group_account, strict=True)]
    modes = [Mode(mode).name.lower() for mode in book.group_mode.tolist()]
    shared = group == _SHARED
    said = {name: _taken(column, lines.instrument) for name, column in _instruments(book, kind).items()}
    return pl.DataFrame(
        {
            "by account": account,
            "by group": group,
            "account": _taken(book.accounts, account),
            **said,
            "quantity": lines.quantity,
            "kind": pl.repeat(kind.name.lower(), len(lines), eager=True, dtype=pl.String),
            "group": _taken([*names, None], np.where(shared, len(names), group)),
            "mode": _taken([*modes, None], np.where(shared, len(modes), group)),
            "price": pl.Series(lines.price, dtype=pl.Float64).fill_nan(None),
        }
    )


def _instruments(book: Book, kind: Kind) -> dict[str, list[str | None]]:
    """What is said of each row of the table where it is held or traded."""
    terms = book.table.terms
    held = [t if kind == Kind.COLLATERAL and isinstance(t, Spot) else None for t in terms]
    tokens = [t if isinstance(t, Token) else None for t in held]
    return {
        "instrument": [t.id if spot is None else spot.asset for t, spot in zip(terms, held, strict=True)],
        "chain": [(spot.chain or None) if spot else None for spot in held],
        "instance": [token.instance if token else None for token in tokens],
        "level": [token.level if token else None for token in tokens],
        "trust": [token.trust if token else None for token in tokens],
    }


def _taken(names: Sequence[str | None], code: IntArray | IndexArray) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(code)


def _check(book: Book, own: BoolArray) -> None:
    remedy = "Write the book as a document (TOML or JSON)."
    group_row = np.diff(book.positions.ptr) + np.diff(book.orders.ptr) > 0
    pool_row = np.diff(book.holdings.ptr) > 0
    with_row = np.zeros(len(book.accounts), np.bool_)
    with_row[book.group_account[group_row]] = True
    with_row[book.pool_account[pool_row]] = True
    named = [name != f"{book.accounts[a]}/" for name, a in zip(book.groups, book.group_account, strict=True)]
    for what, names, holds, limit in (
        ("pool", book.pools, book.pool_asset < 0, "one that serves every settlement asset"),
        ("account", book.accounts, np.asarray([name != "" for name in book.accounts], np.bool_), "named"),
        ("group", book.groups, np.asarray(named, np.bool_), "named"),
        ("account", book.accounts, with_row, "one that has a row"),
        ("group", book.groups, group_row | (own & pool_row[book.group_pool]), "one that has a row"),
    ):
        for at in np.flatnonzero(~holds)[:1]:
            raise InvalidInput(what, where="flat book", value=names[int(at)], limit=limit, remedy=remedy)
