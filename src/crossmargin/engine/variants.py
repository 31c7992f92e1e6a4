"""Many versions of one account as one book, so that a question asked of each is answered in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IndexArray, frozen
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.table import build_table
from crossmargin.portfolio.book import Book, Lines, Mode, make_lines, part, retable
from crossmargin.portfolio.build import Universe


def account_alone(book: Book, account: str) -> Book:
    """The book of one account, over a table of just the instruments it uses. Raises `UnknownName`."""
    check.known(account, book.accounts, "account", where="book", remedy="Name an account of the book.")
    return account_at(book, book.accounts.index(account))


def account_at(book: Book, row: int) -> Book:
    """The same by the row of the account."""
    alone = part(book, row, row + 1)
    used = sorted({int(i) for lines in (alone.positions, alone.orders, alone.holdings) for i in lines.instrument})
    return retable(alone, build_table((book.table.terms[i] for i in used), now_ns=book.as_of_ns))


def with_quantities(alone: Book, quantity: FloatArray, holdings: FloatArray | None = None) -> Book:
    """One account per row of `quantity` [variant, position], and of `holdings` [variant, holding] where given."""
    variants = len(quantity)
    pools = len(alone.pools)
    amount = np.tile(alone.holdings.quantity, (variants, 1)) if holdings is None else holdings
    return replace(
        alone,
        accounts=tuple(str(v) for v in range(variants)),
        pools=alone.pools * variants,
        pool_account=frozen(np.repeat(np.arange(variants), pools), np.int32),
        pool_asset=frozen(np.tile(alone.pool_asset, variants), np.int32),
        groups=alone.groups * variants,
        group_pool=_repeated(alone.group_pool, variants, pools),
        group_mode=frozen(np.tile(alone.group_mode, variants), np.int32),
        positions=_tiled(alone.positions, quantity),
        orders=_tiled(alone.orders, np.tile(alone.orders.quantity, (variants, 1))),
        holdings=_tiled(alone.holdings, amount),
    )


def _repeated(index: IndexArray, variants: int, size: int) -> IndexArray:
    return frozen(np.tile(index, variants) + np.repeat(np.arange(variants) * size, len(index)), np.int32)


def _tiled(lines: Lines, quantity: FloatArray) -> Lines:
    variants = len(quantity)
    counts = np.tile(np.diff(lines.ptr), variants)
    return Lines(
        ptr=frozen(np.concatenate([[0], np.cumsum(counts)]), np.int64),
        instrument=frozen(np.tile(lines.instrument, variants), np.int32),
        quantity=frozen(quantity.reshape(-1)),
        price=frozen(np.tile(lines.price, variants)),
    )


def additions(add: Mapping[str, float], collateral: Mapping[tuple[str, str], float]) -> tuple[str, ...]:
    """What `with_added` adds, each as a signed amount and a name."""
    added = [f"{quantity:+.15g} {name}" for name, quantity in add.items()]
    added += [f"{amount:+.15g} {asset}{f' on {c}' if c else ''}" for (asset, c), amount in collateral.items()]
    return tuple(added)


def with_added(
    alone: Book,
    add: Mapping[str, float],
    collateral: Mapping[tuple[str, str], float],
    *,
    group: str | None = None,
) -> Book:
    """The book of one account after adding positions (by instrument) and collateral (by asset and chain).

    Positions go to `group`, by default the account's first portfolio group, else its first group, else a portfolio
    group "main" made for them; collateral to the pool of that group. A quantity of zero brings in the instrument and
    nothing else. Raises `UnknownName` for a group or an instrument nobody defined, `InvalidInput` for a quantity that
    is no number.
    """
    held_terms = {t.id: t for t in alone.table.terms}
    terms = {t.id: t for t in alone.defined} | held_terms
    universe = Universe(terms.values(), alone.products, where="what-if")
    for name in alone.table.ids:
        universe.use(name, where="book")
    for name, amount in add.items():
        check.quantity(amount, f"quantity of {name}", where="what-if")
        universe.use(name, where="what-if")
    held = {universe.use_holding(a, c, where="what-if"): amount for (a, c), amount in collateral.items()}
    for name, amount in held.items():
        check.quantity(amount, f"amount of {name}", where="what-if")
    wide = retable(_with_group(alone), universe.table(now_ns=alone.as_of_ns, where="what-if"))
    target = _group_row(wide, group)
    pool = int(wide.group_pool[target])
    _refuse_other_asset(wide, pool, {**add, **held})
    return replace(
        wide, positions=_plus(wide, wide.positions, target, add), holdings=_plus(wide, wide.holdings, pool, held)
    )


def _with_group(alone: Book) -> Book:
    """The account itself, or with an empty portfolio group (and pool) where it has none."""
    if len(alone.groups):
        return alone
    has_pool, empty = len(alone.pools) > 0, frozen([0, 0], np.int64)
    return replace(
        alone,
        pools=alone.pools or alone.accounts,
        pool_account=alone.pool_account if has_pool else frozen([0], np.int32),
        pool_asset=alone.pool_asset if has_pool else frozen([-1], np.int32),
        groups=(f"{alone.accounts[0]}/main",),
        group_pool=frozen([0], np.int32),
        group_mode=frozen([Mode.PORTFOLIO], np.int32),
        positions=replace(alone.positions, ptr=empty),
        orders=replace(alone.orders, ptr=empty),
        holdings=alone.holdings if has_pool else replace(alone.holdings, ptr=empty),
    )


def _group_row(book: Book, group: str | None) -> int:
    if group is not None:
        names = {name: i for i, name in enumerate(book.groups)}
        names |= {name.partition("/")[2]: i for i, name in enumerate(book.groups)}
        check.known(group, names, "group", where="what-if", remedy="Name a group of the account.")
        return names[group]
    portfolio = np.flatnonzero(book.group_mode == Mode.PORTFOLIO)
    return int(portfolio[0]) if len(portfolio) else 0


def _refuse_other_asset(book: Book, pool: int, added: Mapping[str, float]) -> None:
    asset = int(book.pool_asset[pool])
    for name in added if asset >= 0 else ():
        settle = book.table.assets[book.table.settle[book.table.row[name]]]
        if settle != book.table.assets[asset]:
            raise InvalidInput(
                f"settlement of {name}",
                where=f"what-if: pool {book.pools[pool]}",
                value=settle,
                limit=f"{book.table.assets[asset]} in this single-currency pool",
                remedy="Name another group of the account.",
            )


def _plus(book: Book, lines: Lines, owner: int, added: Mapping[str, float]) -> Lines:
    """Lines with contracts added at the mark: onto a settled line, or as a line of their own beside an entry price."""
    row = book.table.row
    quantity = lines.quantity.copy()
    fresh: dict[int, float] = {}
    for name, amount in added.items():
        found = np.flatnonzero((lines.instrument == row[name]) & (lines.owner == owner) & np.isnan(lines.price))
        if len(found):
            quantity[found[0]] += float(amount)
        else:
            fresh[row[name]] = float(amount)
    return make_lines(
        np.append(lines.owner, np.full(len(fresh), owner)).astype(np.int32),
        np.append(lines.instrument, list(fresh)).astype(np.int32),
        np.append(quantity, list(fresh.values())),
        np.append(lines.price, np.full(len(fresh), np.nan)),
        owners=len(lines.ptr) - 1,
        table=book.table,
    )
