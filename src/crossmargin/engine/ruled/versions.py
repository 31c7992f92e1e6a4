"""Versions of one account: without some of its lines, or with them scaled."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, frozen
from crossmargin.portfolio.book import Book, Lines


def keeping(
    alone: Book,
    *,
    positions: BoolArray | None = None,
    orders: BoolArray | None = None,
    holdings: BoolArray | None = None,
) -> Book:
    """The account with only the chosen lines [line] of each kind; all of a kind that is not named."""
    return replace(
        alone,
        positions=_kept(alone.positions, positions),
        orders=_kept(alone.orders, orders),
        holdings=_kept(alone.holdings, holdings),
    )


def listed(alone: Book, refused: Collection[str]) -> Book:
    """The account without what a rulebook refuses: positions, orders and collateral by their names in its answer."""
    table = alone.table
    assets = [table.assets[code] for code in table.settle[alone.holdings.instrument]]
    return keeping(
        alone,
        positions=_not_among(refused, (table.ids[row] for row in alone.positions.instrument)),
        orders=_not_among(refused, (f"order {table.ids[row]}" for row in alone.orders.instrument)),
        holdings=_not_among(refused, (f"collateral {asset}" for asset in assets)),
    )


def _not_among(refused: Collection[str], names: Iterable[str]) -> BoolArray:
    return np.asarray([name not in refused for name in names], np.bool_)


def _kept(lines: Lines, mask: BoolArray | None) -> Lines:
    if mask is None or mask.all():
        return lines
    owners = len(lines.ptr) - 1
    count = np.bincount(lines.owner[mask], minlength=owners)
    return Lines(
        ptr=frozen(np.concatenate([[0], np.cumsum(count)]), np.int64),
        instrument=frozen(lines.instrument[mask], np.int32),
        quantity=frozen(lines.quantity[mask]),
        price=frozen(lines.price[mask]),
    )


def scaled(
    alone: Book,
    *,
    positions: FloatArray | float = 1.0,
    orders: FloatArray | float = 1.0,
    holdings: FloatArray | float = 1.0,
) -> Book:
    """The account with the quantity of its lines multiplied by a factor, one for all or for each [line]."""
    return replace(
        alone,
        positions=_times(alone.positions, positions),
        orders=_times(alone.orders, orders),
        holdings=_times(alone.holdings, holdings),
    )


def _times(lines: Lines, factor: FloatArray | float) -> Lines:
    return replace(lines, quantity=frozen(lines.quantity * factor))
