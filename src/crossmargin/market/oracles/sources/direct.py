"""Prices that no oracle carries: the tickers of venues, and the rates at which issuers redeem."""

from __future__ import annotations

import math

import msgspec

from crossmargin.market.oracles.document import Feed
from crossmargin.market.oracles.quotes import Quote
from crossmargin.market.oracles.rates import RateCap
from crossmargin.market.oracles.sources.scaled import scaled


class Ticker(msgspec.Struct, frozen=True, kw_only=True):
    """Best bid and ask of a venue in the quote currency, at `time_ns` by its clock."""

    bid: float
    ask: float
    time_ns: int


class RedemptionRate(msgspec.Struct, frozen=True, kw_only=True):
    """What one token redeems for, times 10^`decimals`, as read from the issuer's contract at `time_ns`."""

    ratio: int
    decimals: int
    time_ns: int


def ticker_quote(feed: Feed, ticker: Ticker, *, seen_ns: int) -> Quote:
    """The middle of bid and ask, sure to half their distance; crossed or one-sided books give no price (NaN)."""
    sound = 0.0 < ticker.bid <= ticker.ask < math.inf
    return Quote(
        feed=feed,
        price=ticker.bid + (ticker.ask - ticker.bid) / 2.0 if sound else math.nan,
        confidence=(ticker.ask - ticker.bid) / 2.0 if sound else 0.0,
        publish_ns=ticker.time_ns,
        seen_ns=seen_ns,
    )


def redemption_quote(
    feed: Feed, rate: RedemptionRate, cap: RateCap, *, reference: float, seen_ns: int, now_ns: int
) -> Quote:
    """min(rate, cap at `now_ns`) · `reference`, the price of what it redeems for. The time is that of the rate."""
    ratio = scaled(rate.ratio, -rate.decimals)
    return Quote(
        feed=feed,
        price=min(ratio, cap.at(now_ns)) * reference if ratio > 0.0 else math.nan,
        confidence=0.0,
        publish_ns=rate.time_ns,
        seen_ns=seen_ns,
        decimals=rate.decimals,
    )
