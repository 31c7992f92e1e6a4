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
    if terms.model.option_value == "equity":
        return position_worth(book, terms, held)
    held = held or stock(book.positions)
    is_option = (book.table.family == Family.OPTION)[held.instrument]
    return _tallied(book, held, np.where(is_option, 0.0, _counted(book, terms, held)))


def position_worth(book: Book, terms: Terms, held: Stock | None = None) -> FloatArray:
    """What the positions of each pool (or `held` in their place) are worth as assets [pool], USD, options too,
    wherever the model counts these."""
    held = held or stock(book.positions)
    return _tallied(book, held, _counted(book, terms, held))


def premium(book: Book, terms: Terms, dealt: Stock) -> FloatArray:
    """What each pool pays for `dealt` at the mark [pool], USD: the value of what is paid for up front."""
    value = dealt.quantity * np.where(book.table.upfront, terms.exposure.value, 0.0)[dealt.instrument]
    return _tallied(book, dealt, value)


def _counted(book: Book, terms: Terms, held: Stock) -> FloatArray:
    return counted_value(held, book.group_mode == Mode.PORTFOLIO, book.table, terms.exposure, terms.model)


def _tallied(book: Book, held: Stock, value: FloatArray) -> FloatArray:
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
