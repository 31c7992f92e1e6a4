"""Equity of a pool: recognised collateral, unsettled P&L, and what its positions are worth as assets."""

from __future__ import annotations

import numpy as np

from crossmargin.core.arrays import FloatArray, tally
from crossmargin.instruments.table import Family
from crossmargin.margin.addons import Stock
from crossmargin.margin.requirement import Terms, counted_value, stock
from crossmargin.margin.scan import gain_since
from crossmargin.portfolio.book import Book, Mode


def position_values(book: Book, terms: Terms, held: Stock | None = None) -> FloatArray:
    """What the positions of each pool (or `held` in their place) add to equity [pool], USD.

    Spot and forwards always; net option value where the model counts it in equity, and only there.
    """
    held = held or stock(book.positions)
    value = counted_value(held, book.group_mode == Mode.PORTFOLIO, book.table, terms.exposure, terms.model)
    if terms.model.option_value == "requirement":
        value = np.where(book.table.family[held.instrument] == Family.OPTION, 0.0, value)
    return tally(book.group_pool[held.group], value, len(book.pools))


def unsettled(book: Book, terms: Terms) -> FloatArray:
    """P&L since entry that has not been paid [pool], USD; zero for positions without an entry price.

    Options and spot paid for up front have none: their value is counted instead.
    """
    held = book.positions
    gain = gain_since(book.table, terms.exposure, held.instrument, held.quantity, held.price)
    paid = np.isin(book.table.family, (Family.OPTION, Family.SPOT)) & book.table.upfront
    gain = np.where(paid[held.instrument], 0.0, gain)
    return tally(book.group_pool[held.owner], gain, len(book.pools))
