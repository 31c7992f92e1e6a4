"""Parts of one account: which lines belong to each, the book of a part, and what Crossmargin's own model asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, frozen, tally
from crossmargin.core.instant import DAY_NS, NEVER_NS, format_expiry_code
from crossmargin.engine.margin import margin
from crossmargin.engine.plan import Plan
from crossmargin.engine.variants import with_quantities
from crossmargin.instruments.table import InstrumentTable, build_table
from crossmargin.portfolio.book import Book, Lines, bucket_names, bucket_of, retable

Grain: TypeAlias = Literal["instrument", "expiry", "underlying"]
GRAINS: Final[tuple[Grain, ...]] = ("instrument", "expiry", "underlying")
COLLATERAL: Final = "collateral"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Some lines of an account: `positions`, `orders` and `holdings` [line] say which."""

    name: str
    positions: BoolArray
    orders: BoolArray
    holdings: BoolArray

    @property
    def key(self) -> tuple[bytes, bytes, bytes]:
        """The same for parts of the same lines, whatever their names."""
        return self.positions.tobytes(), self.orders.tobytes(), self.holdings.tobytes()

    @property
    def has_contracts(self) -> bool:
        """Whether it holds a position or an order."""
        return bool(self.positions.any() or self.orders.any())


def whole(alone: Book) -> Part:
    """All of an account."""
    lines = (alone.positions, alone.orders, alone.holdings)
    positions, orders, holdings = (np.ones(len(x), np.bool_) for x in lines)
    return Part(name=alone.accounts[0], positions=positions, orders=orders, holdings=holdings)


def parts_by(alone: Book, grain: Grain) -> tuple[Part, ...]:
    """Positions and orders of an account by instrument, by underlying and expiry, or by underlying; no collateral.

    In the order of the book, which is that of underlyings and expiries. A coin held as a position goes with its coin.
    """
    codes, names = _codes(alone.table, grain)
    used = np.concatenate([codes[alone.positions.instrument], codes[alone.orders.instrument]])
    first = np.unique(used, return_index=True)[1]
    return tuple(part_of(alone, names[code], codes == code) for code in used[np.sort(first)].tolist())


def part_of(alone: Book, name: str, instruments: BoolArray) -> Part:
    """The positions and orders in some `instruments` [instrument], without collateral."""
    return Part(
        name=name,
        positions=instruments[alone.positions.instrument],
        orders=instruments[alone.orders.instrument],
        holdings=np.zeros(len(alone.holdings), np.bool_),
    )


def joined(name: str, parts: Sequence[Part]) -> Part:
    """The lines of several parts as one."""
    return Part(
        name=name,
        positions=np.logical_or.reduce([p.positions for p in parts]),
        orders=np.logical_or.reduce([p.orders for p in parts]),
        holdings=np.logical_or.reduce([p.holdings for p in parts]),
    )


def collateral_part(alone: Book) -> Part:
    """The collateral of an account and nothing else."""
    none = part_of(alone, COLLATERAL, np.zeros(len(alone.table), np.bool_))
    return replace(none, holdings=np.ones(len(alone.holdings), np.bool_))


def _codes(table: InstrumentTable, grain: Grain) -> tuple[IndexArray, tuple[str, ...]]:
    """The part of each instrument, and the names of parts."""
    if grain == "instrument":
        return np.arange(len(table), dtype=np.int32), table.ids
    bucket, buckets = bucket_of(table), bucket_names(table)
    if grain == "underlying":
        return bucket, buckets
    # By day, as expiries are named: what expires on a morning and an evening stands together.
    day_ns = np.where(table.expiry_ns == NEVER_NS, NEVER_NS, table.expiry_ns // DAY_NS * DAY_NS)
    pairs, codes = np.unique(np.stack([bucket, day_ns]), axis=1, return_inverse=True)
    return codes.reshape(-1).astype(np.int32), tuple(_dated(buckets[int(b)], int(ns)) for b, ns in pairs.T)


def _dated(name: str, expiry_ns: int) -> str:
    return f"{name} undated" if expiry_ns == NEVER_NS else f"{name} {format_expiry_code(expiry_ns)}"


def finest_grain(alone: Book, most: int) -> Grain:
    """The finest grain that makes at most `most` parts; underlyings where each makes more."""
    instruments = np.concatenate([alone.positions.instrument, alone.orders.instrument])
    counts = {grain: len(np.unique(_codes(alone.table, grain)[0][instruments])) for grain in GRAINS}
    return next((grain for grain in GRAINS if counts[grain] <= most), "underlying")


def book_of(alone: Book, part: Part) -> Book:
    """The book of a part, over a table of its own instruments; pools stay, groups without lines go."""
    lines = (alone.positions, alone.orders, alone.holdings)
    masks = (part.positions, part.orders, part.holdings)
    kept = [_kept(one, mask) for one, mask in zip(lines, masks, strict=True)]
    used = np.unique(np.concatenate([one.instrument for one in kept]))
    groups = np.flatnonzero((np.diff(kept[0].ptr) > 0) | (np.diff(kept[1].ptr) > 0))
    smaller = replace(
        alone,
        groups=tuple(alone.groups[g] for g in groups),
        group_pool=frozen(alone.group_pool[groups], np.int32),
        group_mode=frozen(alone.group_mode[groups], np.int32),
        positions=kept[0].select(groups),
        orders=kept[1].select(groups),
        holdings=kept[2],
    )
    return retable(smaller, build_table((alone.table.terms[int(i)] for i in used), now_ns=alone.as_of_ns))


def _kept(lines: Lines, mask: BoolArray) -> Lines:
    count = np.bincount(lines.owner[mask], minlength=len(lines.ptr) - 1)
    return Lines(
        ptr=frozen(np.concatenate([[0], np.cumsum(count)]), np.int64),
        instrument=frozen(lines.instrument[mask], np.int32),
        quantity=frozen(lines.quantity[mask]),
        price=frozen(lines.price[mask]),
    )


def own_margins(alone: Book, ready: Plan, parts: Sequence[Part]) -> tuple[FloatArray, FloatArray]:
    """Initial and maintenance margin of each part by Crossmargin's model [part], all in one pass; USD.

    Under the scenarios of the whole account, so that parts and whole are judged by the same moves.
    """
    if not parts:
        return np.zeros(0), np.zeros(0)
    positions, orders, holdings = (
        np.stack([getattr(part, name) for part in parts]) for name in ("positions", "orders", "holdings")
    )
    book = with_quantities(alone, positions * alone.positions.quantity, holdings * alone.holdings.quantity)
    working = (orders * alone.orders.quantity).reshape(-1)
    book = replace(book, orders=replace(book.orders, quantity=frozen(working)))
    found = margin(book, ready.snapshot, ready.model, prepared=ready).pools
    count = len(parts)
    return tally(book.pool_account, found.initial, count), tally(book.pool_account, found.maintenance, count)
