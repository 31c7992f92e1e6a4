"""From a flat book, one row a position, order or holding, to the columns of `Book`: no loop over rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, IntArray, frozen
from crossmargin.core.errors import DuplicateName, InvalidInput
from crossmargin.core.finality import DEFAULT_LEVEL, DEFAULT_TRUST, LEVEL_NAMES, TRUST_NAMES
from crossmargin.instruments.symbols import Product
from crossmargin.instruments.table import InstrumentTable
from crossmargin.instruments.terms import AnyTerms
from crossmargin.portfolio.book import Book, Lines, Mode, make_lines
from crossmargin.portfolio.build import NO_INSTANCES, Universe
from crossmargin.portfolio.document import Holding

Name = TypeVar("Name", bound=str)
CodeArray: TypeAlias = NDArray[np.int8]
DEFAULT_GROUP: Final = "main"
NONE: Final = -1
_LEVELS: Final = tuple(LEVEL_NAMES.values())  # by code
_TRUSTS: Final = tuple(TRUST_NAMES.values())


class Kind(IntEnum):
    """What a row is."""

    POSITION = 0
    ORDER = 1
    COLLATERAL = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlatRows:
    """The rows of a flat book, each text as an index into its names, −1 where none is stated.

    `name` [row] points into `names`: instruments, and for `Kind.COLLATERAL` assets. `quantity` [row] is signed;
    `price` [row] is the entry or limit price, NaN where none is stated. `group` may be none: positions then stand in
    "main", and collateral is shared by the account. `instance` [row] points into `instances` (CAIP-19), `level` and
    `trust` [row] are codes of `core.finality`. `place(row)` says where a row comes from ("line 17").
    """

    accounts: tuple[str, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    chains: tuple[str, ...]
    instances: tuple[str, ...]
    account: IndexArray
    name: IndexArray
    quantity: FloatArray
    price: FloatArray
    kind: CodeArray
    group: IndexArray
    mode: CodeArray
    chain: IndexArray
    instance: IndexArray
    level: CodeArray
    trust: CodeArray
    place: Callable[[int], str]


def book_from_columns(
    rows: FlatRows,
    *,
    now_ns: int,
    instruments: Iterable[AnyTerms] = (),
    products: Iterable[Product] = (),
    instances: Mapping[str, str] = NO_INSTANCES,
    where: str = "book",
) -> Book:
    """The columns of a flat book, valued at `now_ns`: the same as `build_book` makes of the same accounts.

    `instances` name the asset of each instance that collateral may name. Accounts stand in the order in which they
    first appear, and their groups likewise. Each account is of one pool ("multi"); a group that is isolated or has
    collateral of its own has its own pool. Raises `DuplicateName` for a position or holding that stands twice, and
    `InvalidInput` (or a kind of it) for numbers, names and dates out of range, with the place of the row.
    """
    return _Assembly(rows, tuple(instruments), tuple(products), instances, where).book(now_ns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Groups:
    """Groups by account and first row: `of_row` [row] is −1 for shared collateral."""

    names: tuple[str, ...]
    account: IndexArray
    mode: IndexArray
    own_pool: BoolArray
    of_row: IndexArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pools:
    """Pools by account; `shared` [account] is the one that secures every group without its own."""

    names: tuple[str, ...]
    account: IndexArray
    of_group: IndexArray
    shared: IndexArray


class _Assembly:
    """One pass over the columns for each question they answer."""

    def __init__(
        self,
        rows: FlatRows,
        instruments: tuple[AnyTerms, ...],
        products: tuple[Product, ...],
        instances: Mapping[str, str],
        where: str,
    ) -> None:
        self.rows, self.instances, self.where = rows, instances, where
        self.instruments, self.products = instruments, products
        self.held: BoolArray = rows.kind == Kind.COLLATERAL

    def book(self, now_ns: int) -> Book:
        self._check_rows()
        groups = self._groups()
        table, instrument = self._instruments(now_ns)
        pools = _pools(self.rows.accounts, groups)
        pool_of_row = np.where(
            groups.of_row >= 0, _take(pools.of_group, groups.of_row), pools.shared[self.rows.account]
        )
        return Book(
            table=table,
            accounts=self.rows.accounts,
            pools=pools.names,
            pool_account=frozen(pools.account, np.int32),
            pool_asset=frozen(np.full(len(pools.names), NONE), np.int32),
            groups=groups.names,
            group_pool=frozen(pools.of_group, np.int32),
            group_mode=frozen(groups.mode, np.int32),
            positions=self._lines(Kind.POSITION, groups.of_row, instrument, len(groups.names), table),
            orders=self._lines(Kind.ORDER, groups.of_row, instrument, len(groups.names), table),
            holdings=self._lines(Kind.COLLATERAL, pool_of_row, instrument, len(pools.names), table),
            as_of_ns=now_ns,
            defined=self.instruments,
            products=self.products,
        )

    def _at(self, row: Any) -> str:
        return f"{self.where}: {self.rows.place(int(row))}"

    def _check_rows(self) -> None:
        rows = self.rows
        for row in _first(~(np.abs(rows.quantity) <= check.QUANTITY_LIMIT)):
            check.quantity(float(rows.quantity[row]), "quantity", where=self._at(row))
        for row in _first(rows.price <= 0.0):
            check.positive(float(rows.price[row]), "price", where=self._at(row))
        for row in _first(self.held & ~np.isnan(rows.price)):
            raise self._misplaced("price", float(rows.price[row]), "collateral has none", row)
        named = (("chain", rows.chain, rows.chains), ("instance", rows.instance, rows.instances))
        for what, code, names in (*named, ("level", rows.level, _LEVELS), ("trust", rows.trust, _TRUSTS)):
            for row in _first(~self.held & (code >= 0)):
                raise self._misplaced(what, names[code[row]], "only collateral has one", row)

    def _misplaced(self, what: str, value: object, reason: str, row: int) -> InvalidInput:
        return InvalidInput(
            what, where=self._at(row), value=value, limit=f"empty: {reason}", remedy="Clear it, or correct the kind."
        )

    def _groups(self) -> _Groups:
        rows = self.rows
        names = (*rows.groups, DEFAULT_GROUP)  # the last stands for none: what is not collateral is then in "main"
        main = rows.groups.index(DEFAULT_GROUP) if DEFAULT_GROUP in rows.groups else len(rows.groups)
        code = np.where((rows.group < 0) & ~self.held, main, rows.group)
        inside = np.flatnonzero(code >= 0)
        key = rows.account[inside].astype(np.int64) * len(names) + code[inside]
        found, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        account, name = np.divmod(found, len(names))
        order = np.lexsort((first, account))
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        of_row = np.full(len(rows.account), NONE, np.int32)
        of_row[inside] = rank[inverse]
        titles = tuple(f"{rows.accounts[a]}/{names[n]}" for a, n in zip(account[order], name[order], strict=True))
        mode = self._modes(of_row, titles)
        own_pool = mode == Mode.ISOLATED
        own_pool[of_row[self.held & (of_row >= 0)]] = True
        return _Groups(
            names=titles, account=account[order].astype(np.int32), mode=mode, own_pool=own_pool, of_row=of_row
        )

    def _modes(self, of_row: IndexArray, titles: tuple[str, ...]) -> IndexArray:
        """The mode of each group: what its rows state, which must be one thing; portfolio where none does."""
        stated = np.flatnonzero((self.rows.mode >= 0) & (of_row >= 0))
        group, mode = of_row[stated], self.rows.mode[stated]
        first = _first_rows(group, len(titles))
        modes = np.where(first >= 0, _take(mode, first), np.int32(Mode.PORTFOLIO)).astype(np.int32)
        for at in _first(modes[group] != mode):
            here, before = (Mode(int(code)).name.lower() for code in (mode[at], modes[group[at]]))
            raise InvalidInput(
                f"mode of {titles[group[at]]}",
                where=self._at(stated[at]),
                value=here,
                limit=f"that of its group ({before} at {self.rows.place(int(stated[first[group[at]]]))})",
                remedy="Give the row another group, or the mode of its group.",
            )
        return modes

    def _instruments(self, now_ns: int) -> tuple[InstrumentTable, IndexArray]:
        """The table of all that is used, and its row for each row of the book."""
        rows, universe = self.rows, self._universe(self.instruments)
        used = _first_rows(np.where(self.held, NONE, rows.name), len(rows.names))
        ids = {int(code): universe.use(rows.names[code], where=self._at(used[code])) for code in _by_row(used)}
        held = np.flatnonzero(self.held)
        _, first, inverse = np.unique(self._held_keys(held), return_index=True, return_inverse=True)
        holdings = [self._holding(universe, int(row)) for row in held[first]]
        table = self._table(universe, ids, used, now_ns)
        row_of = table.row
        of_name = np.full(len(rows.names), NONE, np.int32)
        of_name[list(ids)] = [row_of[name] for name in ids.values()]
        instrument = _take(of_name, rows.name)
        instrument[held] = np.asarray([row_of[name] for name in holdings], np.int32)[inverse]
        return table, instrument

    def _held_keys(self, held: IntArray) -> IntArray:
        """One number for all that a row of collateral says of what is held [held]."""
        rows = self.rows
        key = rows.name[held].astype(np.int64)
        named = ((rows.chain, len(rows.chains)), (rows.instance, len(rows.instances)))
        for code, count in (*named, (rows.level, len(_LEVELS)), (rows.trust, len(_TRUSTS))):
            key = key * (count + 1) + code[held]
        return key

    def _holding(self, universe: Universe, row: int) -> str:
        rows = self.rows
        said = Holding(
            amount=0.0,
            asset=_named(rows.names, rows.name[row], ""),
            chain=_named(rows.chains, rows.chain[row], ""),
            instance=_named(rows.instances, rows.instance[row], ""),
            level=_named(_LEVELS, rows.level[row], DEFAULT_LEVEL),
            trust=_named(_TRUSTS, rows.trust[row], DEFAULT_TRUST),
        )
        return universe.use_collateral(said, self.instances, where=self._at(row))

    def _universe(self, instruments: tuple[AnyTerms, ...]) -> Universe:
        return Universe(instruments, self.products, where=self.where)

    def _table(self, universe: Universe, ids: dict[int, str], used: IntArray, now_ns: int) -> InstrumentTable:
        try:
            return universe.table(now_ns=now_ns, where=self.where)
        except InvalidInput:
            for code in _by_row(used):  # once more, one by one, to name the row
                alone = self._universe(tuple(t for t in self.instruments if t.id == ids[int(code)]))
                alone.use(ids[int(code)], where=self.where)
                alone.table(now_ns=now_ns, where=self._at(used[code]))
            raise

    def _lines(
        self,
        kind: Kind,
        owner: IndexArray,
        instrument: IndexArray,
        owners: int,
        table: InstrumentTable,
    ) -> Lines:
        here = np.flatnonzero(self.rows.kind == kind)
        columns = (owner[here], instrument[here], self.rows.quantity[here], self.rows.price[here])
        lines = make_lines(*columns, owners=owners, table=table)
        twice = _first((np.diff(lines.instrument) == 0) & (np.diff(lines.owner) == 0))
        for at in twice if kind != Kind.ORDER else ():
            same = here[(columns[0] == lines.owner[at]) & (columns[1] == lines.instrument[at])]
            raise DuplicateName(
                f"{kind.name.lower()} in account {self.rows.accounts[self.rows.account[same[0]]]}",
                where=self._at(same[1]),
                value=table.ids[lines.instrument[at]],
                first=self.rows.place(int(same[0])),
            )
        return lines


def _pools(accounts: tuple[str, ...], groups: _Groups) -> _Pools:
    """Number the pools: each account's shared one, then those of its groups that have their own."""
    owned_before = np.concatenate([[0], np.cumsum(groups.own_pool)]).astype(np.int32)
    first_group = np.searchsorted(groups.account, np.arange(len(accounts)))
    shared = np.arange(len(accounts), dtype=np.int32) + owned_before[first_group]
    own = groups.account + 1 + owned_before[:-1]
    of_group = np.where(groups.own_pool, own, _take(shared, groups.account)).astype(np.int32)
    account = np.empty(len(accounts) + int(owned_before[-1]), np.int32)
    account[shared] = np.arange(len(accounts))
    account[of_group] = groups.account
    names = [accounts[a] for a in account]
    for group in np.flatnonzero(groups.own_pool):
        names[of_group[group]] = groups.names[group]
    return _Pools(names=tuple(names), account=account, of_group=of_group, shared=shared)


def _first(broken: BoolArray) -> Iterator[int]:
    """The first row at which a rule is broken, if any."""
    if broken.any():
        yield int(np.argmax(broken))


def _first_rows(code: NDArray[Any], codes: int) -> IntArray:
    """The first row of each code, −1 for codes that no row has; rows of code −1 count nowhere."""
    rows = np.flatnonzero(code >= 0)[::-1]
    first = np.full(codes, NONE, np.int64)
    first[code[rows]] = rows  # backwards, so that the first row is written last
    return first


def _by_row(first: IntArray) -> IntArray:
    """The codes that occur, in the order of their first rows."""
    used = np.flatnonzero(first >= 0)
    return used[np.argsort(first[used])]


def _named(names: tuple[Name, ...], code: int, default: Name) -> Name:
    """The name of a code, `default` for −1."""
    return names[code] if code >= 0 else default


def _take(values: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
    """`values[index]`, where −1 gives anything, even of no values."""
    return values[index] if len(values) else np.full(len(index), NONE, np.int32)
