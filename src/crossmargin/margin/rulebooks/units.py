"""A Crossmargin account as scenario rulebooks see it: one risk unit a coin, and the balances beside them.

Contracts on the same coin from other venues are read as this one's by their size in coins; all groups of the account
are read as one. Each keeps its own mark, and an option the volatility that the market's surface gives its strike.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.errors import MissingFactors
from crossmargin.core.instant import NEVER_NS, SECOND_NS, YEAR_DAYS
from crossmargin.instruments.table import Family, InstrumentTable, PayoutCode
from crossmargin.margin.rulebooks.holdings import Contract, Holdings, read_holdings, split_listed
from crossmargin.margin.rulebooks.scanning import LinearLeg, OptionLeg, RiskUnit
from crossmargin.market.snapshot import Snapshot, Underlying
from crossmargin.portfolio.book import Book
from crossmargin.valuation.world import rate_curve

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReading:
    """`units` by coin, in USD; `held` as every rulebook reads it; `refused` by name, collateral not among them."""

    units: Mapping[str, RiskUnit]
    held: Holdings
    refused: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def pnl(self) -> float:
        """Unsettled P&L of the linear contracts that were read, USD."""
        coins = self.units
        return sum(c.pnl for c in self.held.contracts if c.coin in coins)


def read_units(
    book: Book,
    snapshot: Snapshot,
    *,
    coins: Collection[str],
    families: Collection[Family],
    where: str,
    inverse: bool = True,
) -> ScanReading:
    """The account of a book of one, as a venue sees it that lists these families on these coins.

    Where a venue lists no `inverse` contracts, one is read as the linear one of the same coins, and a note says so.
    Raises what `read_holdings` raises, and `MissingFactors` for an option without a volatility.
    """
    linear = [family for family in families if family != Family.OPTION]
    held = read_holdings(book, snapshot, families=linear, where=where)
    listed, refused = split_listed(held, coins)
    options = _options(book, snapshot, frozenset(coins), inverse) if Family.OPTION in families else {}
    legs = _linear(book, snapshot, listed, inverse=inverse)
    names = {leg.instrument for found in options.values() for leg in found}
    return ScanReading(
        units={coin: _unit(coin, snapshot, legs, options) for coin in sorted({*legs, *options})},
        held=held,
        refused=tuple(name for name in refused if name.removeprefix("order ") not in names),
        notes=(*held.notes, *_notes(book, listed, names, inverse=inverse)),
    )


def _unit(
    coin: str,
    snapshot: Snapshot,
    legs: Mapping[str, tuple[LinearLeg, ...]],
    options: Mapping[str, tuple[OptionLeg, ...]],
) -> RiskUnit:
    linear, found = legs.get(coin, ()), options.get(coin, ())
    return RiskUnit(coin=coin, index=snapshot.usd_price(coin), linear=linear, options=found)


def _linear(
    book: Book, snapshot: Snapshot, listed: Collection[Contract], *, inverse: bool
) -> dict[str, tuple[LinearLeg, ...]]:
    row_of = {name: row for row, name in enumerate(book.table.ids)}
    found: dict[str, list[LinearLeg]] = {}
    for c in listed:
        leg = LinearLeg(
            instrument=c.instrument,
            kind="future" if c.dated else "perpetual",
            price=c.mark,
            quantity=c.coins,
            inverse=c.inverse and inverse,
            days=_days(book.table, snapshot, row_of[c.instrument]) if c.dated else None,
            buys=c.buys,
            sells=c.sells,
        )
        found.setdefault(c.coin, []).append(leg)
    return {coin: tuple(legs) for coin, legs in found.items()}


@dataclass(slots=True)
class _Line:
    quantity: float = 0.0
    buys: float = 0.0
    sells: float = 0.0


@dataclass(slots=True)
class _Lines:
    of: dict[int, _Line] = field(default_factory=dict)

    def at(self, row: int) -> _Line:
        return self.of.setdefault(row, _Line())


@lru_cache(maxsize=8)  # for the rulebooks of a comparison, which ask in turn; all values are frozen
def _options(
    book: Book, snapshot: Snapshot, coins: frozenset[str], inverse: bool
) -> Mapping[str, tuple[OptionLeg, ...]]:
    table, lines, listed = book.table, _Lines(), _listed(book.table, coins)
    for row, quantity in zip(book.positions.instrument.tolist(), book.positions.quantity.tolist(), strict=True):
        if listed[row]:
            lines.at(row).quantity += quantity
    for row, quantity in zip(book.orders.instrument.tolist(), book.orders.quantity.tolist(), strict=True):
        if listed[row]:
            line = lines.at(row)
            line.buys += max(quantity, 0.0)
            line.sells += max(-quantity, 0.0)
    rows = sorted(lines.of, key=lambda row: table.ids[row])
    quotes = _quotes(table, snapshot, rows)
    found: dict[str, list[OptionLeg]] = {}
    for row in rows:
        leg = _option(table, snapshot, row, lines.of[row], quotes[row], inverse=inverse)
        found.setdefault(table.underlyings[table.underlying[row]], []).append(leg)
    return {coin: tuple(legs) for coin, legs in found.items()}


def _listed(table: InstrumentTable, coins: frozenset[str]) -> list[bool]:
    """By instrument: European, premium paid up front, on a listed coin; no venue here lists quantos."""
    coin = np.asarray([name in coins for name in table.underlyings] + [False])[table.underlying]
    european = (table.family == Family.OPTION) & ~table.american & table.upfront
    return list((coin & european & (table.payout != PayoutCode.QUANTO)).tolist())


def _option(
    table: InstrumentTable, snapshot: Snapshot, row: int, line: _Line, quote: tuple[float, float], *, inverse: bool
) -> OptionLeg:
    u = snapshot.underlyings[table.underlyings[table.underlying[row]]]
    per, strike, (forward, vol) = float(table.multiplier[row]), float(table.strike[row]), quote
    quote_usd, days = snapshot.asset_price(u.quote), _days(table, snapshot, row)
    coin_settled = inverse and bool(table.payout[row] == PayoutCode.INVERSE)
    discounted = bool(table.discounted[row]) and not coin_settled
    return OptionLeg(
        instrument=table.ids[row],
        strike=strike * quote_usd,
        right="call" if table.right[row] > 0.0 else "put",
        days=days,
        forward=forward * quote_usd,
        volatility=vol,
        quantity=line.quantity * per,
        inverse=coin_settled,
        discount=_discount(snapshot, u.quote, days / YEAR_DAYS) if discounted else 1.0,
        buys=line.buys * per,
        sells=line.sells * per,
    )


def _discount(snapshot: Snapshot, currency: str, years: float) -> float:
    return math.exp(-float(rate_curve(snapshot, currency).rate_at(years)) * years)


def _quotes(table: InstrumentTable, snapshot: Snapshot, rows: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Forward and volatility of each option, one call to the curve and the surface of each underlying."""
    found: dict[int, tuple[float, float]] = {}
    for number in dict.fromkeys(table.underlying[rows].tolist()):
        of = [row for row in rows if table.underlying[row] == number]
        u = snapshot.underlyings[table.underlyings[number]]
        vols = implied_vols(u, table.strike[of], table.expiry_ns[of]).tolist()
        forwards = np.asarray(u.curve(table.expiry_ns[of])).tolist()
        found |= dict(zip(of, zip(forwards, vols, strict=True), strict=True))
    return found


def implied_vol(u: Underlying, strike: float, expiry_ns: int) -> float:
    """`implied_vols` of one option."""
    return float(implied_vols(u, np.asarray([strike]), np.asarray([expiry_ns]))[0])


def implied_vols(u: Underlying, strike: FloatArray, expiry_ns: IntArray) -> FloatArray:
    """What the surface of an underlying says [option]; raises `MissingFactors` where there is none."""
    if u.surface is None or not u.surface.lognormal:
        raise MissingFactors([f"vol:{u.name}"], where="market")
    return u.surface.vol(np.log(strike / u.curve(expiry_ns)), expiry_ns)


def _days(table: InstrumentTable, snapshot: Snapshot, row: int) -> float:
    expiry = int(table.expiry_ns[row])
    assert expiry != NEVER_NS, "dated contracts expire"
    return max((expiry - snapshot.time_ns) / SECOND_NS, 0.0) / _DAY_S


def _notes(book: Book, listed: Collection[Contract], names: Collection[str], *, inverse: bool) -> list[str]:
    payouts = {book.table.ids[row]: book.table.payout[row] for row in range(len(book.table))}
    coined = any(c.inverse for c in listed) or any(payouts[name] == PayoutCode.INVERSE for name in names)
    return ["an inverse contract is read as the linear one of the same coins"] if coined and not inverse else []
