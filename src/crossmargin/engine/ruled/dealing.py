"""What an account is after a deal at the mark, and how large an order still fits, under a rulebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from crossmargin.core.arrays import frozen
from crossmargin.engine.model import RulebookModel
from crossmargin.engine.plan import Progress
from crossmargin.engine.reports import Capacity
from crossmargin.engine.ruled.accounts import group_id
from crossmargin.engine.variants import with_added
from crossmargin.instruments.table import Family
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book, Lines
from crossmargin.valuation.marks import marks
from crossmargin.valuation.pnl import values_usd

GROWTH = 4.0  # from one size tried to the next
TRIALS = 24  # sizes tried: up to about 1e11 times the first
TOLERANCE = 1e-9  # relative, of the largest size


def dealt(
    alone: Book,
    snapshot: Snapshot,
    add: Mapping[str, float],
    collateral: Mapping[tuple[str, str], float],
    *,
    group: str | None = None,
) -> Book:
    """The account after dealing `add` (contracts by instrument) at the mark and adding `collateral`.

    What is paid for up front is paid from a balance in its settlement asset, which may become a debt. Raises what
    `with_added` raises.
    """
    wide = with_added(alone, add, collateral, group=group)
    paid = dict(collateral)
    for name, quantity in add.items():
        asset, price = _price(wide, snapshot, name)
        if price:
            paid[asset, ""] = paid.get((asset, ""), 0.0) - quantity * price
    return with_added(alone, add, paid, group=group) if paid != dict(collateral) else wide


def _price(book: Book, snapshot: Snapshot, name: str) -> tuple[str, float]:
    """The settlement asset of an instrument and what one contract costs up front, in units of it."""
    table, row = book.table, book.table.row[name]
    asset = table.assets[table.settle[row]]
    value = float(values_usd(table, snapshot)[row]) if table.upfront[row] else 0.0
    return asset, value / snapshot.asset_price(asset)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """An account with a line that may be dealt: `line` of the positions, and `cash` of the holdings that pays."""

    book: Book
    line: int
    cash: int
    price: float

    def at(self, quantity: float) -> Book:
        """The account after dealing a signed quantity of the line."""
        book = self.book
        return replace(
            book,
            positions=_moved(book.positions, self.line, quantity),
            holdings=_moved(book.holdings, self.cash, -quantity * self.price),
        )


def _moved(lines: Lines, line: int, amount: float) -> Lines:
    quantity = lines.quantity.copy()
    quantity[line] += amount
    return replace(lines, quantity=frozen(quantity))


def candidate(alone: Book, snapshot: Snapshot, name: str, group: str) -> Candidate:
    """The account prepared for dealing an instrument that it holds in `group`, at the mark."""
    asset, price = _price(alone, snapshot, name)
    wide = with_added(alone, {name: 0.0}, {(asset, ""): 0.0}, group=group)
    table, lines, held, owner = wide.table, wide.positions, wide.holdings, wide.groups.index(group)
    of_line = (lines.instrument == table.row[name]) & (lines.owner == owner) & np.isnan(lines.price)
    off_chain = (table.settle == table.assets.index(asset)) & (table.chain < 0)
    of_cash = off_chain[held.instrument] & (held.owner == wide.group_pool[owner])
    return Candidate(book=wide, line=int(np.argmax(of_line)), cash=int(np.argmax(of_cash)), price=price)


def capacities(
    seen: Book, snapshot: Snapshot, model: RulebookModel, *, excess_usd: float, tell: Progress
) -> tuple[Capacity, ...]:
    """The largest further buy and sell of each instrument held, after which equity still covers initial margin.

    `seen` holds what the rulebook lists, and `excess_usd` is its equity over initial margin: below zero no size fits.
    None where no size tried breaks it. Spot is not dealt.
    """
    table, lines = seen.table, seen.positions
    notional = np.abs(marks(table, snapshot).notional_usd)
    rows = [row for row in dict.fromkeys(lines.instrument.tolist()) if table.family[row] != Family.SPOT]
    found = []
    for done, row in enumerate(rows):
        tell("capacity", done, len(rows))
        holder = int(lines.owner[np.argmax(lines.instrument == row)])
        one = candidate(seen, snapshot, table.ids[row], seen.groups[holder])
        start = max(excess_usd, 1.0) / float(notional[row]) if notional[row] > 0.0 else 1.0
        buy, sell = (_largest(_excess_after(one, snapshot, model, side), excess_usd, start) for side in (1.0, -1.0))
        found.append(Capacity(group=group_id(seen, model), instrument=table.ids[row], buy=buy, sell=sell))
    return tuple(found)


def _excess_after(one: Candidate, snapshot: Snapshot, model: RulebookModel, side: float) -> Callable[[float], float]:
    def excess(size: float) -> float:
        answer = model.evaluate(one.at(side * size), snapshot)
        return answer.equity_usd - answer.initial_usd

    return excess


def _largest(excess: Callable[[float], float], now: float, start: float) -> float | None:
    """The largest size with `excess(size) ≥ 0`, if those that fit begin at zero; None where all that were tried fit."""
    if now < 0.0:
        return 0.0
    low, high = 0.0, start
    for _ in range(TRIALS):
        if excess(high) < 0.0:
            break
        low, high = high, GROWTH * high
    else:
        return None
    root = brentq(lambda x: excess(x) if x else now, low, high, xtol=TOLERANCE * start, rtol=TOLERANCE)
    # The root may stand on either side of the last size that fits; where the rule steps, just below is safe.
    return float(root) if excess(float(root)) >= 0.0 else float(root) * (1.0 - 2.0 * TOLERANCE)
