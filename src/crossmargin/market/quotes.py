"""What venues quote on one underlying at one time: options, futures and the index, checked and in columns."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.errors import ExpiredInstrument, InvalidInput, UnfitMarket
from crossmargin.core.instant import format_instant
from crossmargin.market.curve import RateCurve

NO_RATES: Final = RateCurve(tenor_years=frozen([1.0]), rate=frozen([0.0]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FutureQuotes:
    """Dated futures on the underlying, in its quote currency. A `bid`, `ask` or `mark` of 0 says that nobody gives one.

    Arrays are [future]; instants are nanoseconds UTC.
    """

    instrument: tuple[str, ...] = ()
    expiry_ns: IntArray = field(default_factory=lambda: frozen([], np.int64))
    bid: FloatArray = field(default_factory=lambda: frozen([]))
    ask: FloatArray = field(default_factory=lambda: frozen([]))
    mark: FloatArray = field(default_factory=lambda: frozen([]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainQuotes:
    """The options on one underlying as their venue shows them. Arrays are [quote]; instants are nanoseconds UTC.

    `spot` is the index price. `bid`, `ask` and `mark` are in the underlying where `in_coin`, else in its quote
    currency; `mark_vol` is the mark's volatility (decimal a year); `underlying_price` the forward the venue names for
    the row. In all of these 0 says that nobody gives one, as venues write it: it is no price. `seen_ns` is when the
    row was seen. `american` chains are read through their out-of-the-money options, where an expiry has any.
    """

    underlying: str
    spot: float
    instrument: tuple[str, ...]
    expiry_ns: IntArray
    strike: FloatArray
    is_call: BoolArray
    bid: FloatArray
    ask: FloatArray
    mark: FloatArray
    mark_vol: FloatArray
    underlying_price: FloatArray
    seen_ns: IntArray
    in_coin: bool
    american: bool = False
    futures: FutureQuotes = field(default_factory=FutureQuotes)
    rates: RateCurve = NO_RATES

    @property
    def latest_ns(self) -> int:
        """When the last of the rows was seen; 0 for a chain without rows."""
        return int(self.seen_ns.max(initial=0))

    def row(self, i: int) -> str:
        """How a message names row `i`."""
        return f"{self.underlying} chain, row {i} ({self.instrument[i]})"


def require_sound(quotes: ChainQuotes, *, now_ns: int) -> None:
    """Raise at the first quote that no market can contain, by its row and instrument.

    `InvalidInput` for a missing index price, columns of different lengths, NaN, infinite or negative prices and vols,
    strikes not above zero and times after `now_ns`; `DuplicateName` for an instrument that stands twice;
    `ExpiredInstrument` for an expiry at or before `now_ns`; `UnfitMarket` for a chain of one expiry or one strike.
    """
    where = f"{quotes.underlying} chain"
    check.positive(quotes.spot, "index price", where=where)
    _require_columns(quotes, where)
    _require_columns(quotes.futures, f"{where}: futures")
    for name in ("strike", "bid", "ask", "mark", "mark_vol", "underlying_price"):
        values = getattr(quotes, name)
        bad = ~np.isfinite(values) | ((values <= 0.0) if name == "strike" else (values < 0.0))
        limit = "a finite number above zero" if name == "strike" else "a finite number, at least zero"
        _refuse_first(bad, values, name.replace("_", " "), limit, quotes)
    _refuse_first(quotes.seen_ns > now_ns, quotes.seen_ns, "time seen", f"at or before {now_ns}", quotes)
    check.unique(quotes.instrument, "instrument", where=where)
    check.unique(quotes.futures.instrument, "instrument", where=f"{where}: futures")
    for i in np.flatnonzero(quotes.expiry_ns <= now_ns)[:1]:
        expiry, now = format_instant(int(quotes.expiry_ns[i])), format_instant(now_ns)
        raise ExpiredInstrument(quotes.instrument[i], where=quotes.row(int(i)), expiry=expiry, now=now)
    _require_breadth(quotes, where)


def _require_columns(table: ChainQuotes | FutureQuotes, where: str) -> None:
    rows = len(table.instrument)
    for column in fields(table):
        values = getattr(table, column.name)
        if isinstance(values, np.ndarray) and values.shape != (rows,):
            raise InvalidInput(
                f"length of column {column.name}",
                where=where,
                value=values.shape,
                limit=f"one value for each of {rows} instruments",
                remedy="Give every column in full.",
            )


def _refuse_first(bad: BoolArray, values: FloatArray | IntArray, what: str, limit: str, quotes: ChainQuotes) -> None:
    for i in np.flatnonzero(bad)[:1]:
        remedy = "Correct the source, or leave the row out; a quote that nobody gives is 0."
        raise InvalidInput(what, where=quotes.row(int(i)), value=values[i].item(), limit=limit, remedy=remedy)


def _require_breadth(quotes: ChainQuotes, where: str) -> None:
    for values, what in ((quotes.expiry_ns, "number of expiries"), (quotes.strike, "number of strikes")):
        count = len(np.unique(values))
        if count < 2:
            remedy = "Give the whole chain: a surface needs smiles across strikes and time."
            raise UnfitMarket(what, where=where, value=count, limit="at least 2", remedy=remedy)
