"""The forward of each expiry, voted by put–call pairs, listed futures and the venue's own underlying price.

A pair of quoted call and put at one strike pins the forward to an interval: for options settled in coin
C − P = 1 − K/F, so F = K / (1 − (C − P)); for options settled in cash C − P = D (F − K). A stale quote gives a false
interval. So the forward is not averaged: it is where the distances to all intervals, each over its width, sum to
least, which no minority of intervals can move far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.instant import YEAR_NS
from crossmargin.market.quotes import ChainQuotes, FutureQuotes

Source: TypeAlias = Literal["parity", "future", "venue", "carry"]

# An interval narrower than a basis point of the price claims more than ticks and clocks allow.
_WIDTH_MIN: Final = 1e-4
# Of the votes' interval the venue's own price may choose within the middle quarter: pairs stay inside their quotes.
_VENUE_SHARE: Final = 0.25
# A vote that misses by more than this share of its width is not heard.
_MISS_MAX: Final = 0.25
# A pair that is priced but not quoted (closing prices) is trusted to this share of what its two options cost.
_PRICE_NOISE: Final = 0.01


class ParityViolation(msgspec.Struct, frozen=True, kw_only=True):
    """A put–call pair whose quotes no forward near the chosen one can explain; prices in quote currency."""

    expiry_ns: int
    strike: float
    forward_low: float
    forward_high: float
    forward: float
    gap_bps: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forwards:
    """Forwards [expiry] in quote currency, the `source` that settled each, the `pairs` that voted, the violations."""

    forward: FloatArray
    source: tuple[Source, ...]
    pairs: IntArray
    violations: tuple[ParityViolation, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Votes:
    """Intervals [vote] for the forward of one expiry; the first `pairs` of them are put–call pairs at `strike`."""

    low: FloatArray
    high: FloatArray
    weight: FloatArray
    strike: FloatArray


def fit_forwards(
    quotes: ChainQuotes, usable: BoolArray, expiry_ns: IntArray, *, now_ns: int, parity_limit_bps: float
) -> Forwards:
    """Forwards of the expiries `expiry_ns` [expiry], ascending, from the `usable` [quote] rows of a chain.

    Where nobody votes, the carry of the neighbouring expiries decides. Pairs off by more than `parity_limit_bps` are
    reported as violations."""
    tenor = (expiry_ns - now_ns) / YEAR_NS
    discount = quotes.rates.discount(tenor)
    forward, source, pairs = np.zeros(len(expiry_ns)), [], np.zeros(len(expiry_ns), np.int64)
    violations: list[ParityViolation] = []
    for e, when in enumerate(expiry_ns):
        rows = np.flatnonzero(quotes.expiry_ns == when)
        votes = _pair_votes(quotes, rows[usable[rows]], float(discount[e]))
        pairs[e] = len(votes.strike)
        forward[e], chosen = _settle(votes, _future_votes(quotes.futures, int(when)), quotes.underlying_price[rows])
        source.append(chosen)
        if forward[e] > 0.0:
            violations += _violations(votes, int(when), float(forward[e]), parity_limit_bps)
    filled = _fill_by_carry(forward, tenor, quotes.spot, discount)
    return Forwards(
        forward=frozen(filled), source=tuple(source), pairs=frozen(pairs, np.int64), violations=tuple(violations)
    )


def _pair_votes(quotes: ChainQuotes, rows: IntArray, discount: float) -> _Votes:
    """What each strike with both a call and a put says about the forward."""
    calls, puts = rows[quotes.is_call[rows]], rows[~quotes.is_call[rows]]
    strike, c, p = np.intersect1d(quotes.strike[calls], quotes.strike[puts], return_indices=True)
    calls, puts = calls[c], puts[p]
    low, high = _spread(quotes, calls, puts)
    ok = np.isfinite(low)
    strike, low, high = strike[ok], low[ok], high[ok]
    if quotes.in_coin:
        ok = high < 1.0
        strike, low, high = strike[ok], strike[ok] / (1.0 - low[ok]), strike[ok] / (1.0 - high[ok])
    else:
        low, high = strike + low / discount, strike + high / discount
    width = np.maximum(high - low, _WIDTH_MIN * quotes.spot)
    return _Votes(low=low, high=high, weight=1.0 / width, strike=strike)


def _spread(quotes: ChainQuotes, calls: IntArray, puts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Bounds of C − P: from bids and asks where all four stand, else the marks with their noise, else NaN."""
    two_sided = (
        (quotes.bid[calls] > 0.0) & (quotes.ask[calls] > 0.0) & (quotes.bid[puts] > 0.0) & (quotes.ask[puts] > 0.0)
    )
    priced = (quotes.mark[calls] > 0.0) & (quotes.mark[puts] > 0.0) & (quotes.bid[calls] + quotes.ask[calls] == 0.0)
    noise = _PRICE_NOISE * (quotes.mark[calls] + quotes.mark[puts])
    middle = np.where(priced, quotes.mark[calls] - quotes.mark[puts], np.nan)
    low = np.where(two_sided, quotes.bid[calls] - quotes.ask[puts], middle - noise)
    high = np.where(two_sided, quotes.ask[calls] - quotes.bid[puts], middle + noise)
    return low, high


def _future_votes(futures: FutureQuotes, expiry_ns: int) -> tuple[FloatArray, FloatArray]:
    at = futures.expiry_ns == expiry_ns
    bid, ask, mark = futures.bid[at], futures.ask[at], futures.mark[at]
    two_sided = (bid > 0.0) & (ask >= bid)
    known = two_sided | (mark > 0.0)
    return np.where(two_sided, bid, mark)[known], np.where(two_sided, ask, mark)[known]


def _settle(votes: _Votes, futures: tuple[FloatArray, FloatArray], venue: FloatArray) -> tuple[float, Source]:
    """The forward, and who settled it; 0 and "carry" where nobody votes."""
    named = venue[venue > 0.0]
    price = float(np.median(named)) if named.size else 0.0
    low, high = np.concatenate([votes.low, futures[0]]), np.concatenate([votes.high, futures[1]])
    if not low.size:
        return price, "venue" if price > 0.0 else "carry"
    weight = np.concatenate([votes.weight, 1.0 / np.maximum(futures[1] - futures[0], _WIDTH_MIN * futures[0])])
    left, right = _nearest(low, high, weight)
    # Votes that miss it are stale: they would still pull it to the edge of what the others allow.
    heard = np.maximum(low - right, left - high) * weight <= _MISS_MAX
    left, right = _nearest(low[heard], high[heard], weight[heard])
    middle, reach = 0.5 * (left + right), 0.5 * _VENUE_SHARE * (right - left)
    settled = float(np.clip(price, middle - reach, middle + reach)) if price > 0.0 else middle
    return settled, "parity" if votes.strike.size else "future"


def _nearest(low: FloatArray, high: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """The interval on which the weighted distances to all [low, high] sum to least."""
    edges = np.concatenate([low, high])
    short, long = np.maximum(low[:, None] - edges, 0.0), np.maximum(edges - high[:, None], 0.0)
    distance = (weight[:, None] * (short + long)).sum(axis=0)
    best = edges[distance <= distance.min() * (1.0 + 1e-9) + 1e-12]
    return float(best.min()), float(best.max())


def _violations(votes: _Votes, expiry_ns: int, forward: float, limit_bps: float) -> list[ParityViolation]:
    pairs = len(votes.strike)
    gap = np.maximum(votes.low[:pairs] - forward, forward - votes.high[:pairs]) / forward * 1e4
    return [
        ParityViolation(
            expiry_ns=expiry_ns,
            strike=float(votes.strike[i]),
            forward_low=float(votes.low[i]),
            forward_high=float(votes.high[i]),
            forward=forward,
            gap_bps=float(gap[i]),
        )
        for i in np.flatnonzero(gap > limit_bps)
    ]


def _fill_by_carry(forward: FloatArray, tenor: FloatArray, spot: float, discount: FloatArray) -> FloatArray:
    """Forwards where none was settled (0), from the carry ln(F/S)/τ of the others; from the rates if there is none."""
    known = forward > 0.0
    if not known.any():
        return spot / discount
    carry = np.interp(tenor, tenor[known], np.log(forward[known] / spot) / tenor[known])
    return np.where(known, forward, spot * np.exp(carry * tenor))
