"""The book in columns: accounts hold pools of collateral, pools secure groups, groups hold positions and orders.

Rows are compressed (CSR): the positions of group g are `position_ptr[g]` to `position_ptr[g + 1]`, sorted by
underlying, expiry and instrument, so that the order in which a file lists them changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray, IntArray, frozen
from crossmargin.core.canon import digest
from crossmargin.core.errors import DuplicateName
from crossmargin.core.instant import NEVER_NS
from crossmargin.instruments.symbols import Product
from crossmargin.instruments.table import Family, InstrumentTable
from crossmargin.instruments.terms import AnyTerms


class Mode(IntEnum):
    """How a group is margined."""

    ISOLATED = 0  # by rule, position by position, on its own collateral
    CROSS = 1  # by rule, position by position, on shared collateral
    PORTFOLIO = 2  # by scenarios, netted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """Rows of one kind (positions, orders or holdings) under their owners, as CSR.

    `ptr` [owner + 1]; `instrument` [line] is a row of the table; `quantity` [line] is signed; `price` [line] is the
    entry or limit price, NaN where none was given.
    """

    ptr: IntArray
    instrument: IndexArray
    quantity: FloatArray
    price: FloatArray

    def __len__(self) -> int:
        return len(self.instrument)

    @property
    def owner(self) -> IndexArray:
        """The owner of each line."""
        return np.repeat(np.arange(len(self.ptr) - 1, dtype=np.int32), np.diff(self.ptr))

    def take(self, owners: slice) -> Lines:
        """The lines of a contiguous range of owners."""
        ptr = self.ptr[owners.start : owners.stop + 1]
        lines = slice(int(ptr[0]), int(ptr[-1]))
        return Lines(
            ptr=frozen(ptr - ptr[0], np.int64),
            instrument=self.instrument[lines],
            quantity=self.quantity[lines],
            price=self.price[lines],
        )

    def select(self, owners: IntArray) -> Lines:
        """The lines of the chosen owners, renumbered in their order."""
        count = np.diff(self.ptr)[owners]
        start = self.ptr[:-1][owners]
        ptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        lines = np.arange(ptr[-1]) + np.repeat(start - ptr[:-1], count)
        return Lines(
            ptr=frozen(ptr, np.int64),
            instrument=frozen(self.instrument[lines], np.int32),
            quantity=frozen(self.quantity[lines]),
            price=frozen(self.price[lines]),
        )

    def of(self, owner: int) -> slice:
        """The lines of one owner."""
        return slice(int(self.ptr[owner]), int(self.ptr[owner + 1]))


_NOT_HASHED = ("table", "defined", "products")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Book:
    """Who holds what. `pool_asset` is the one asset of a single-currency pool (index into `table.assets`), else −1.

    `defined` and `products` are the definitions the book came with, held or not: what a what-if may name.
    """

    table: InstrumentTable
    accounts: tuple[str, ...]
    pools: tuple[str, ...]
    pool_account: IndexArray
    pool_asset: IndexArray
    groups: tuple[str, ...]
    group_pool: IndexArray
    group_mode: IndexArray
    positions: Lines
    orders: Lines
    holdings: Lines
    as_of_ns: int
    defined: tuple[AnyTerms, ...] = ()
    products: tuple[Product, ...] = ()

    @property
    def group_account(self) -> IndexArray:
        """The account of each group."""
        return self.pool_account[self.group_pool]

    def hash(self) -> str:
        """Canonical digest of everything that is held."""
        columns = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in _NOT_HASHED}
        return digest(columns | {"table": self.table.terms})


def part(book: Book, first: int, last: int) -> Book:
    """The accounts from `first` to `last` (excluded), over the same table; accounts own contiguous pools and groups."""
    pools = slice(*np.searchsorted(book.pool_account, [first, last]))
    groups = slice(*np.searchsorted(book.group_account, [first, last]))
    return replace(
        book,
        accounts=book.accounts[first:last],
        pools=book.pools[pools],
        pool_account=frozen(book.pool_account[pools] - first, np.int32),
        pool_asset=book.pool_asset[pools],
        groups=book.groups[groups],
        group_pool=frozen(book.group_pool[groups] - pools.start, np.int32),
        group_mode=book.group_mode[groups],
        positions=book.positions.take(groups),
        orders=book.orders.take(groups),
        holdings=book.holdings.take(pools),
    )


def retable(book: Book, table: InstrumentTable) -> Book:
    """The same book over another table that holds every instrument it uses (by id)."""
    row = table.row
    code = np.asarray([row.get(name, -1) for name in book.table.ids], np.int32)
    asset = {name: i for i, name in enumerate(table.assets)}
    pool_asset = [asset.get(book.table.assets[a], -1) if a >= 0 else -1 for a in book.pool_asset]

    def moved(lines: Lines) -> Lines:
        rows = code[lines.instrument]
        assert (rows >= 0).all(), "the new table lacks an instrument of the book"
        owners = len(lines.ptr) - 1
        return make_lines(lines.owner, rows, lines.quantity, lines.price, owners=owners, table=table)

    return replace(
        book,
        table=table,
        pool_asset=frozen(pool_asset, np.int32),
        positions=moved(book.positions),
        orders=moved(book.orders),
        holdings=moved(book.holdings),
    )


def make_lines(
    owner: IndexArray,
    instrument: IndexArray,
    quantity: FloatArray,
    price: FloatArray,
    *,
    owners: int,
    table: InstrumentTable,
) -> Lines:
    """Sort lines by owner, underlying, expiry and instrument (then quantity and price), and compress them."""
    tenor = np.where(table.expiry_ns == NEVER_NS, 0, table.expiry_ns)  # what never expires stands before all expiries
    keys = (instrument, tenor[instrument], bucket_of(table)[instrument], owner)
    order = np.lexsort(keys)
    if ((np.diff(instrument[order]) == 0) & (np.diff(owner[order]) == 0)).any():
        order = np.lexsort((price, quantity, *keys))
    ptr = np.zeros(owners + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=owners), out=ptr[1:])
    return Lines(
        ptr=frozen(ptr, np.int64),
        instrument=frozen(instrument[order], np.int32),
        quantity=frozen(quantity[order]),
        price=frozen(price[order]),
    )


def bucket_of(table: InstrumentTable) -> IndexArray:
    """The netting bucket of each instrument: its underlying, or its asset for a spot holding.

    Buckets below `len(table.underlyings)` are underlyings, the rest are assets that are no underlying. BTC held and
    BTC futures share a bucket: the offset between them is within one underlying.
    """
    position = {name: i for i, name in enumerate(table.underlyings)}
    asset_bucket = np.asarray(
        [position.get(name, len(table.underlyings) + i) for i, name in enumerate(table.assets)], np.int32
    )
    of_asset = asset_bucket[table.settle] if len(table.assets) else table.settle
    is_asset = (table.family == Family.SPOT) | (table.underlying < 0)
    return np.where(is_asset, of_asset, table.underlying).astype(np.int32)


def bucket_names(table: InstrumentTable) -> tuple[str, ...]:
    """The name of each bucket of `bucket_of`."""
    return table.underlyings + table.assets


def refuse_duplicates(lines: Lines, owners: tuple[str, ...], table: InstrumentTable, *, what: str, where: str) -> None:
    """Raise `DuplicateName` at the first instrument that one owner holds on two lines."""
    same = (np.diff(lines.instrument) == 0) & (np.diff(lines.owner) == 0)
    if same.any():
        at = int(np.argmax(same))
        owner, name = owners[lines.owner[at]], table.ids[lines.instrument[at]]
        raise DuplicateName(f"{what} in {owner}", where=where, value=name)
