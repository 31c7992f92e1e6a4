"""Which strategy portfolios an account is like, and how what it holds is known again."""

from __future__ import annotations

from typing import Final

import numpy as np

from crossmargin.core.arrays import IntArray
from crossmargin.core.canon import digest
from crossmargin.instruments.table import Family
from crossmargin.portfolio.book import Book

OPTIONS: Final = ("straddle", "strangle", "butterfly", "risk reversal", "delta-hedged")


def families_like(book: Book) -> tuple[str, ...]:
    """The families of strategy portfolios (`validation.portfolios`) that the positions of one account are like.

    Options of any kind: all families of options. Without them, by the direction held in each underlying: one underlying
    one way is an outright, both ways a basis or calendar; several all one way are a basket, two against each other a
    hedge, anything else a random book. Nothing held is like nothing."""
    table, lines = book.table, book.positions
    held = lines.instrument[lines.quantity != 0.0]
    if not len(held):
        return ()
    if (table.family[held] == Family.OPTION).any():
        return OPTIONS
    if (table.family[held] == Family.SENSITIVITIES).any():
        return ("outright",) if len(held) == 1 else ("random",)
    way = np.sign(lines.quantity[lines.quantity != 0.0] * table.multiplier[held])
    underlying = table.underlying[held].astype(np.int64)
    directions = [set(way[underlying == name].tolist()) for name in np.unique(underlying)]
    if len(directions) == 1:
        return ("outright",) if len(directions[0]) == 1 else ("basis", "calendar")
    if any(len(ways) > 1 for ways in directions):
        return ("random",)
    if all(ways == directions[0] for ways in directions):
        return ("basket",)
    return ("hedge",) if len(directions) == 2 else ("random",)


def held_hash(book: Book, account: int) -> str:
    """A digest of what an account holds as positions: quantities by instrument, whatever the market."""
    lines = book.positions
    mine: IntArray = np.flatnonzero(book.group_account[lines.owner] == account)
    held: dict[str, float] = {}
    for line in mine.tolist():
        name = book.table.ids[int(lines.instrument[line])]
        held[name] = held.get(name, 0.0) + float(lines.quantity[line])
    return digest({name: quantity for name, quantity in held.items() if quantity != 0.0})
