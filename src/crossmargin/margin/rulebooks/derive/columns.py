"""Many portfolios in columns: accounts own expiries, expiries own options, accounts own collateral.

Confidences are whole numbers of 1e-18, so that tests against a threshold are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IntArray, require_finite, tally
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.margin.rulebooks.derive.building import segment_sums, svi_vols
from crossmargin.margin.rulebooks.derive.native import (
    WAD,
    YEAR_S,
    Confidence,
    ExpiryFeed,
    Feeds,
    Option,
    Portfolio,
    wad,
)

# Markets stand apart by this many seconds in the one key by which an option finds its feed.
_MARKET_S = 1 << 40
_RIGHTS: Final = {"call": 1.0, "put": -1.0}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpiryColumns:
    """The expiries that accounts hold [expiry], each with its feed; `account_ptr` [account + 1] bounds an account's.

    `gross` is the number of options, longs and shorts; `naked` the options short at each strike after netting its call
    and put, summed.
    """

    account_ptr: IntArray
    account: IntArray
    seconds: IntArray
    tenor_years: FloatArray
    variable: FloatArray
    fixed: FloatArray
    rate: FloatArray
    forward_confidence: IntArray
    rate_confidence: IntArray
    vol_confidence: IntArray
    gross: FloatArray
    naked: FloatArray

    @property
    def confidence(self) -> IntArray:
        """The lowest of forward, rate and volatility."""
        return np.minimum(np.minimum(self.forward_confidence, self.rate_confidence), self.vol_confidence)

    @property
    def forward(self) -> FloatArray:
        """The forward now."""
        return self.variable + self.fixed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OptionColumns:
    """Options netted [option], by account, expiry, strike; `expiry_ptr` [expiry + 1] bounds those of an expiry.

    `right` is +1 for a call, −1 for a put; `vol` the mark volatility.
    """

    expiry_ptr: IntArray
    expiry: IntArray
    strike: FloatArray
    right: FloatArray
    amount: FloatArray
    vol: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AccountColumns:
    """What an account has once [account]: feeds of its underlying, cash and perpetual (`perp_value` with funding)."""

    spot: FloatArray
    spot_confidence: IntArray
    perp_price: FloatArray
    perp_confidence: IntArray
    stable: FloatArray
    cash: FloatArray
    perp: FloatArray
    perp_value: FloatArray

    @property
    def confidence(self) -> IntArray:
        """The lower confidence of spot and perpetual; the perpetual counts only where one is held."""
        held = self.perp != 0.0
        return np.where(held, np.minimum(self.spot_confidence, self.perp_confidence), self.spot_confidence)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Portfolios as arrays. Collateral [holding] is bounded by `holding_ptr` [account + 1]; `value` is in stable."""

    accounts: AccountColumns
    expiries: ExpiryColumns
    options: OptionColumns
    holding_ptr: IntArray
    holding_asset: tuple[str, ...]
    value: FloatArray
    confidence: IntArray


def columns_of(portfolios: Sequence[Portfolio]) -> Columns:
    """Columns of `portfolios`, in their order; an option that stands twice in an account is netted.

    Raises `InvalidInput` for numbers out of range and `MissingFactors` for feeds that the positions need.
    """
    accounts = _account_columns(portfolios)
    options, expiries = _option_columns(portfolios)
    held = [c for p in portfolios for c in p.collaterals]
    counts = [len(p.collaterals) for p in portfolios]
    return Columns(
        accounts=accounts,
        expiries=expiries,
        options=options,
        holding_ptr=_pointers(counts),
        holding_asset=tuple(c.asset for c in held),
        value=_floats(c.amount * c.price for c in held) / np.repeat(accounts.stable, counts),
        confidence=_wads((c.confidence for c in held), len(held)),
    )


def _account_columns(portfolios: Sequence[Portfolio]) -> AccountColumns:
    feeds = [p.feeds for p in portfolios]
    for p in portfolios:
        if p.perp != 0.0 and p.feeds.perp_price is None:
            raise MissingFactors([f"perp:{p.underlying}"], where="feeds")
    columns = AccountColumns(
        spot=_floats(f.spot for f in feeds),
        spot_confidence=_wads((f.spot_confidence for f in feeds), len(feeds)),
        perp_price=_floats(f.perp_price or 0.0 for f in feeds),
        perp_confidence=_wads((f.perp_confidence for f in feeds), len(feeds)),
        stable=_floats(f.stable_price for f in feeds),
        cash=_floats(p.cash for p in portfolios),
        perp=_floats(p.perp for p in portfolios),
        perp_value=_floats(p.perp_pnl + p.perp_funding for p in portfolios),
    )
    for name in ("cash", "perp", "perp_value"):
        require_finite(getattr(columns, name), name, where="portfolios")
    return columns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _FeedTable:
    """The expiry feeds of all markets, by `key` [feed]: market, then seconds. `svi` is NaN where there is none."""

    key: IntArray
    feeds: tuple[ExpiryFeed, ...]
    svi: FloatArray


def _feed_table(markets: Iterable[Feeds]) -> _FeedTable:
    keyed = sorted(
        ((_MARKET_S * m + e.seconds_to_expiry, e) for m, feeds in enumerate(markets) for e in feeds.expiries),
        key=lambda pair: pair[0],
    )
    feeds = tuple(e for _, e in keyed)
    none = (np.nan,) * 7
    shapes = [(s.a, s.b, s.rho, s.m, s.sigma, s.forward, s.tenor_years) if (s := e.svi) else none for e in feeds]
    return _FeedTable(
        key=np.asarray([key for key, _ in keyed], np.int64),
        feeds=feeds,
        svi=np.asarray(shapes, np.float64).reshape(-1, 7).T,
    )


def _option_columns(portfolios: Sequence[Portfolio]) -> tuple[OptionColumns, ExpiryColumns]:
    markets = {id(p.feeds): p.feeds for p in portfolios}
    position = {key: m for m, key in enumerate(markets)}
    table = _feed_table(markets.values())
    held = list(chain.from_iterable(p.options for p in portfolios))
    counts = [len(p.options) for p in portfolios]
    account = np.repeat(np.arange(len(portfolios)), counts)
    market = np.repeat(np.asarray([position[id(p.feeds)] for p in portfolios], np.int64), counts)
    seconds = np.fromiter((o.seconds_to_expiry for o in held), np.int64, len(held))
    feed = _feed_rows(table, market * _MARKET_S + seconds, held)
    strike, amount = _floats(o.strike for o in held), _floats(o.amount for o in held)
    for unknown in {o.right for o in held} - _RIGHTS.keys():
        check.known(unknown, _RIGHTS, "right", where="options")
    right = _floats(_RIGHTS[o.right] for o in held)
    _check_options(strike, amount)
    order = np.lexsort((right, strike, feed, account))
    account, feed = account[order], feed[order]
    strike, right, amount = strike[order], right[order], amount[order]
    first = _starts(account, feed, strike, right)
    kept = np.flatnonzero(first)
    netted = segment_sums(np.append(kept, len(held)), amount)
    vol = _vols([held[i] for i in order[kept]], strike[kept], table, feed[kept])
    expiry_first = _starts(account[kept], feed[kept])
    options = OptionColumns(
        expiry_ptr=np.append(np.flatnonzero(expiry_first), len(kept)),
        expiry=np.cumsum(expiry_first) - 1,
        strike=strike[kept],
        right=right[kept],
        amount=netted,
        vol=vol,
    )
    starts = kept[expiry_first]
    return options, _expiry_columns(options, table, feed[starts], account[starts], len(portfolios))


def _feed_rows(table: _FeedTable, key: IntArray, held: list[Option]) -> IntArray:
    """The feed of each option; raises `MissingFactors` where its expiry has none."""
    row = np.searchsorted(table.key, key)
    found = row < len(table.key)
    found[found] = table.key[row[found]] == key[found]
    if not found.all():
        missing = {f"feeds of the expiry in {held[i].seconds_to_expiry} s" for i in np.flatnonzero(~found)}
        raise MissingFactors(missing, where="feeds")
    return row


def _check_options(strike: FloatArray, amount: FloatArray) -> None:
    require_finite(strike, "strike", where="options")
    require_finite(amount, "amount", where="options")
    if (strike < 0.0).any():
        at = int(np.argmax(strike < 0.0))
        raise InvalidInput(
            "strike", where=f"options[{at}]", value=float(strike[at]), limit="at least 0", remedy="Correct the option."
        )


def _vols(options: list[Option], strike: FloatArray, table: _FeedTable, feed: IntArray) -> FloatArray:
    vol = np.fromiter((np.nan if o.vol is None else o.vol for o in options), np.float64, len(options))
    asked = np.fromiter((o.vol is None for o in options), np.bool_, len(options))
    shapes = table.svi[:, feed[asked]]
    if np.isnan(shapes).any():
        row = int(feed[asked][np.flatnonzero(np.isnan(shapes).any(axis=0))[0]])
        raise MissingFactors([f"volatility of the expiry in {table.feeds[row].seconds_to_expiry} s"], where="feeds")
    vol[asked] = svi_vols(strike[asked], shapes)
    require_finite(vol, "volatility", where="options")
    if (vol < 0.0).any():
        raise InvalidInput(
            "volatility", where="options", value=float(vol.min()), limit="at least 0", remedy="Correct the feed."
        )
    return vol


def _expiry_columns(
    options: OptionColumns, table: _FeedTable, feed: IntArray, account: IntArray, accounts: int
) -> ExpiryColumns:
    feeds = [table.feeds[i] for i in feed]
    seconds = np.fromiter((e.seconds_to_expiry for e in feeds), np.int64, len(feeds))
    at_strike = np.flatnonzero(_starts(options.expiry, options.strike))
    short = np.maximum(-segment_sums(np.append(at_strike, len(options.strike)), options.amount), 0.0)
    return ExpiryColumns(
        account_ptr=_pointers(np.bincount(account, minlength=accounts)),
        account=account,
        seconds=seconds,
        tenor_years=seconds / YEAR_S,
        variable=_floats(e.forward_variable for e in feeds),
        fixed=_floats(e.forward_fixed for e in feeds),
        rate=_floats(e.rate for e in feeds),
        forward_confidence=_wads((e.forward_confidence for e in feeds), len(feeds)),
        rate_confidence=_wads((e.rate_confidence for e in feeds), len(feeds)),
        vol_confidence=_wads((e.vol_confidence for e in feeds), len(feeds)),
        gross=segment_sums(options.expiry_ptr, np.abs(options.amount)),
        naked=tally(options.expiry[at_strike], short, len(feeds)),
    )


def _starts(*keys: FloatArray | IntArray) -> np.ndarray:
    """Where any of the sorted keys changes: True at the first row of each run."""
    size = len(keys[0])
    first = np.ones(size, np.bool_)
    if size:
        first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return first


def _pointers(counts: Sequence[int] | IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(np.asarray(counts, np.int64))]).astype(np.int64)


def _floats(values: Iterable[float]) -> FloatArray:
    return np.fromiter(values, np.float64)


def _wads(values: Iterable[Confidence], size: int) -> IntArray:
    known: dict[Confidence, int] = {1.0: WAD}
    return np.fromiter((_wad(value, known) for value in values), np.int64, size)


def _wad(value: Confidence, known: dict[Confidence, int]) -> int:
    if value not in known:
        known[value] = wad(value, "confidence", where="feeds")
    return known[value]
