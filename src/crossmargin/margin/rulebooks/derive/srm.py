"""Derive's standard manager: margins by formula, market by market, options by isolated margin or maximum loss.

    net = cash + sum over markets of (perpetual + options + collateral + perpetual's value − depeg), healthy if ≥ 0.

Each expiry of options costs the lesser of two: the sum of what its shorts cost alone, and the most that it can lose
at settlement. The value of long options does not count. Source: rulebook reference 1.3 and 1.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy import ndarray

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IntArray, require_finite
from crossmargin.core.compile import compiled
from crossmargin.margin.rulebooks.derive.auction import AuctionParameters
from crossmargin.margin.rulebooks.derive.building import check_ranges, limit_assets, option_values, segment_sums
from crossmargin.margin.rulebooks.derive.columns import Columns, columns_of
from crossmargin.margin.rulebooks.derive.native import WAD, Confidence, Feeds, Option, Part, Portfolio, wad


class Market(Part, frozen=True, kw_only=True):
    """What an account holds in one market: `perp` coins of its perpetual, its options, and `base`, coins held as
    collateral. `perp_pnl` and `perp_funding` are what the perpetual has gained and accrued, USD."""

    underlying: str
    feeds: Feeds
    perp: float = 0.0
    perp_pnl: float = 0.0
    perp_funding: float = 0.0
    base: float = 0.0
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        check.within(self.base, "collateral", 0.0, check.QUANTITY_LIMIT, where=f"market {self.underlying}")


class SrmPortfolio(Part, frozen=True, kw_only=True):
    """One account of the standard manager; `cash` in units of the cash stablecoin, whose price is one for all."""

    cash: float = 0.0
    markets: tuple[Market, ...] = ()

    def __post_init__(self) -> None:
        check.finite(self.cash, "cash", where="portfolio")
        check.unique((m.underlying for m in self.markets), "market", where="portfolio")


class OptionTerms(Part, frozen=True, kw_only=True):
    """Margins of short options as shares of the spot, and the scales of what is unpaired."""

    spot_max: float
    spot_min: float
    maintenance_call: float
    maintenance_put: float
    maintenance_put_mark: float
    unpaired_initial: float
    unpaired_maintenance: float
    put_offset: float


class OracleTerms(Part, frozen=True, kw_only=True):
    """Below a threshold, `factor`·(1 − confidence) of the notional is added to initial margin; 0 switches it off."""

    perp_threshold: Confidence
    option_threshold: Confidence
    base_threshold: Confidence
    factor: float


class MarketTerms(Part, frozen=True, kw_only=True):
    """Terms of one market. What it does not list has no terms: `perp_*` of 0 with no perpetual, `option` None.

    Collateral counts `base_factor` of its value, for initial margin times `base_initial_scale` more.
    """

    perp_initial: float | None = None
    perp_maintenance: float | None = None
    option: OptionTerms | None = None
    oracle: OracleTerms
    base_factor: float = 0.0
    base_initial_scale: float = 1.0

    def __post_init__(self) -> None:
        where = "standard manager's market"
        for name in ("perp_initial", "perp_maintenance"):
            if (value := getattr(self, name)) is not None:
                check.within(value, name.replace("_", " "), 0.0, 1.0, where=where)
        check_ranges(self, {"base_factor": (0.0, 1.0), "base_initial_scale": (0.0, 1.0)}, where=where)
        if self.option is not None:
            shares = ("maintenance_call", "maintenance_put", "maintenance_put_mark")
            scales = ("unpaired_initial", "unpaired_maintenance", "put_offset")
            limits = {"spot_max": (0.0, 1.2), "spot_min": (0.0, 1.2)} | dict.fromkeys(shares, (0.0, 1.0))
            check_ranges(self.option, limits | dict.fromkeys(scales, (1.0, 3.0)), where=where)


class SrmParameters(Part, frozen=True, kw_only=True):
    """A dated parameter set; its ranges are those that the venue admits (reference 1.7)."""

    source: str
    date: str
    markets: dict[str, MarketTerms]
    depeg_threshold: float
    depeg_factor: float
    auction: AuctionParameters | None = None
    cash: str = "USDC"
    assets_max: int = 48
    note: str = ""

    def __post_init__(self) -> None:
        where = "standard manager's parameters"
        check_ranges(self, {"depeg_threshold": (0.0, 1.0), "depeg_factor": (0.0, 3.0)}, where=where)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """A number for initial and for maintenance margin, each an array over the same axis."""

    initial: FloatArray
    maintenance: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SrmMargins:
    """Net margins and all that makes them, USD: `net` [account]; the rest by market, `market_ptr` [account + 1].

    `perp` and `option` are ≤ 0, `base` ≥ 0, `oracle` and `depeg` ≤ 0 and of initial margin only. By expiry of a market
    [expiry], `expiry_ptr` [market + 1]: `isolated` and `bounded` (the maximum loss); an expiry costs the greater, that
    is the lesser loss. `mark_to_market` [account] holds the cash too.
    """

    net: Side
    mark_to_market: FloatArray
    cash: FloatArray
    market_ptr: IntArray
    markets: tuple[str, ...]
    perp: Side
    perp_value: FloatArray
    option: Side
    option_value: FloatArray
    base: Side
    base_value: FloatArray
    oracle: FloatArray
    depeg: FloatArray
    expiry_ptr: IntArray
    expiry_seconds: IntArray
    isolated: Side
    bounded: Side

    def __len__(self) -> int:
        return len(self.cash)


def margin_of(portfolio: SrmPortfolio, parameters: SrmParameters) -> SrmMargins:
    """Margins of one portfolio, market by market and expiry by expiry: `margins_of` of it alone."""
    return margins_of((portfolio,), parameters)


def margins_of(portfolios: Sequence[SrmPortfolio], parameters: SrmParameters) -> SrmMargins:
    """Margins of many portfolios, in their order.

    Raises `UnknownName` for a market that has no terms for what is held there, `InvalidInput` for numbers out of range
    or more assets than the manager takes, `MissingFactors` where a feed is missing.
    """
    for p in portfolios:
        _check(p, parameters)
    held = [m for p in portfolios for m in p.markets]
    terms = [parameters.markets[m.underlying] for m in held]
    columns = columns_of([_as_portfolio(m) for m in held])
    ptr = np.concatenate([[0], np.cumsum([len(p.markets) for p in portfolios])]).astype(np.int64)
    cash = np.asarray([p.cash for p in portfolios], np.float64)
    require_finite(cash, "cash", where="portfolios")
    base = np.asarray([m.base for m in held], np.float64)
    perp, base_side = _perp(columns, terms), _base(columns, terms, base)
    isolated, bounded, unit = _options(columns, terms)
    option = Side(
        initial=segment_sums(columns.expiries.account_ptr, np.maximum(isolated.initial, bounded.initial)),
        maintenance=segment_sums(columns.expiries.account_ptr, np.maximum(isolated.maintenance, bounded.maintenance)),
    )
    oracle = _oracle(columns, terms, base)
    short = _short(columns)
    depeg = -np.maximum(parameters.depeg_threshold - columns.accounts.stable, 0.0) * parameters.depeg_factor
    depeg = depeg * columns.accounts.spot * (np.abs(columns.accounts.perp) + segment_sums(_ptr(columns), short))
    value = segment_sums(_ptr(columns), segment_sums(columns.options.expiry_ptr, unit * columns.options.amount))
    base_value = base * columns.accounts.spot / columns.accounts.stable
    maintenance = perp.maintenance + option.maintenance + base_side.maintenance + columns.accounts.perp_value
    initial = perp.initial + option.initial + base_side.initial + columns.accounts.perp_value + oracle + depeg
    return SrmMargins(
        net=Side(initial=cash + segment_sums(ptr, initial), maintenance=cash + segment_sums(ptr, maintenance)),
        mark_to_market=cash + segment_sums(ptr, columns.accounts.perp_value + value + base_value),
        cash=cash,
        market_ptr=ptr,
        markets=tuple(m.underlying for m in held),
        perp=perp,
        perp_value=columns.accounts.perp_value,
        option=option,
        option_value=value,
        base=base_side,
        base_value=base_value,
        oracle=oracle,
        depeg=depeg,
        expiry_ptr=_ptr(columns),
        expiry_seconds=columns.expiries.seconds,
        isolated=isolated,
        bounded=bounded,
    )


def _ptr(columns: Columns) -> IntArray:
    return columns.expiries.account_ptr


def _as_portfolio(market: Market) -> Portfolio:
    return Portfolio(
        underlying=market.underlying,
        feeds=market.feeds,
        perp=market.perp,
        perp_pnl=market.perp_pnl,
        perp_funding=market.perp_funding,
        options=market.options,
    )


def _check(portfolio: SrmPortfolio, parameters: SrmParameters) -> None:
    """Every position has terms, and the account is not too large."""
    assets = sum(len(m.options) + (m.perp != 0.0) + (m.base != 0.0) for m in portfolio.markets)
    limit_assets(assets, parameters.assets_max, "assets")
    for m in portfolio.markets:
        check.known(m.underlying, parameters.markets, "market", where="portfolio")
        terms = parameters.markets[m.underlying]
        if m.perp != 0.0 and (terms.perp_initial is None or terms.perp_maintenance is None):
            check.known(m.underlying, _listing(parameters, "perp_initial"), "perpetual market", where="portfolio")
        if m.options and terms.option is None:
            check.known(m.underlying, _listing(parameters, "option"), "option market", where="portfolio")


def _listing(parameters: SrmParameters, field: str) -> list[str]:
    return [name for name, terms in parameters.markets.items() if getattr(terms, field) is not None]


def _perp(columns: Columns, terms: list[MarketTerms]) -> Side:
    notional = np.abs(columns.accounts.perp) * columns.accounts.perp_price
    initial = np.asarray([t.perp_initial or 0.0 for t in terms], np.float64)
    maintenance = np.asarray([t.perp_maintenance or 0.0 for t in terms], np.float64)
    return Side(initial=-notional * initial, maintenance=-notional * maintenance)


def _base(columns: Columns, terms: list[MarketTerms], base: FloatArray) -> Side:
    """What collateral counts; its value here is not divided by the price of the stablecoin."""
    counted = base * columns.accounts.spot * np.asarray([t.base_factor for t in terms], np.float64)
    scale = np.asarray([t.base_initial_scale for t in terms], np.float64)
    return Side(initial=counted * scale, maintenance=counted)


def _options(columns: Columns, terms: list[MarketTerms]) -> tuple[Side, Side, FloatArray]:
    """Isolated and bounded margins of each expiry, and the value of one unit of each option."""
    options, expiries = columns.options, columns.expiries
    market = expiries.account[options.expiry]
    forward = expiries.forward[options.expiry]
    total_vol = options.vol * np.sqrt(expiries.tenor_years)[options.expiry]
    unit = option_values(forward, options.strike, total_vol, options.right)
    table = {
        name: np.asarray([getattr(t.option, name, 0.0) for t in terms], np.float64)
        for name in OptionTerms.__struct_fields__
    }
    alone = isolated_margins(
        unit, options.amount, options.strike, options.right, columns.accounts.spot[market],
        {name: column[market] for name, column in table.items()},
    )  # fmt: skip
    isolated = Side(
        initial=segment_sums(options.expiry_ptr, alone.initial),
        maintenance=segment_sums(options.expiry_ptr, alone.maintenance),
    )
    loss = worst_payoffs(options.expiry_ptr, options.strike, options.right, options.amount)
    calls = segment_sums(options.expiry_ptr, np.where(options.right > 0.0, options.amount, 0.0))
    unpaired = np.minimum(calls, 0.0) * expiries.forward
    bounded = Side(
        initial=loss + unpaired * table["unpaired_initial"][expiries.account],
        maintenance=loss + unpaired * table["unpaired_maintenance"][expiries.account],
    )
    return isolated, bounded, unit


def isolated_margins(
    unit: FloatArray,
    amount: FloatArray,
    strike: FloatArray,
    right: FloatArray,
    spot: FloatArray,
    terms: dict[str, FloatArray],
) -> Side:
    """The margin of each option alone [option], ≤ 0; a long one costs nothing. `terms` are columns of `OptionTerms`.

    With a the size, mark = −unit·a, otm the amount out of the money of the spot S: initial margin is mark −
    max(min·S, max·S − otm)·a, maintenance mark − call·S·a, or mark − max(put·S·a, put_mark·|mark|) for a put, whose
    initial margin is at least its maintenance times the offset. Source: 1.6, "Options, each expiry".
    """
    size = np.maximum(-amount, 0.0)
    mark = -unit * size
    otm = np.maximum(right * (strike - spot), 0.0)
    initial = mark - np.maximum(terms["spot_min"] * spot, terms["spot_max"] * spot - otm) * size
    put_charge = np.maximum(terms["maintenance_put"] * spot * size, terms["maintenance_put_mark"] * np.abs(mark))
    maintenance = mark - np.where(right > 0.0, terms["maintenance_call"] * spot * size, put_charge)
    least = np.where(right > 0.0, initial, np.minimum(initial, maintenance * terms["put_offset"]))
    return Side(initial=least, maintenance=maintenance)


def worst_payoffs(expiry_ptr: IntArray, strike: FloatArray, right: FloatArray, amount: FloatArray) -> FloatArray:
    """The least payoff [expiry] at settlement prices 0 and each strike of the expiry, or 0 if all are above it."""
    worst = np.zeros(len(expiry_ptr) - 1)
    _worst_payoff_loop(expiry_ptr, strike, right, amount, worst)
    return worst


@compiled()
def _worst_payoff_loop(expiry_ptr: ndarray, strike: ndarray, right: ndarray, amount: ndarray, out: ndarray) -> None:
    for e in range(expiry_ptr.size - 1):
        first, last = expiry_ptr[e], expiry_ptr[e + 1]
        for at in range(first - 1, last):
            settlement = 0.0 if at < first else strike[at]
            payoff = 0.0
            for i in range(first, last):
                payoff += amount[i] * max(right[i] * (settlement - strike[i]), 0.0)
            out[e] = min(out[e], payoff)


def _short(columns: Columns) -> FloatArray:
    """The number of options short in each expiry."""
    return segment_sums(columns.options.expiry_ptr, np.maximum(-columns.options.amount, 0.0))


def _oracle(columns: Columns, terms: list[MarketTerms], base: FloatArray) -> FloatArray:
    """What feeds that are not sure cost [market], ≤ 0, initial margin only. Source: 1.6."""
    accounts, expiries = columns.accounts, columns.expiries
    factor = np.asarray([t.oracle.factor for t in terms], np.float64)

    def thresholds(kind: Literal["perp_threshold", "option_threshold", "base_threshold"]) -> IntArray:
        return np.asarray([wad(getattr(t.oracle, kind), kind, where="oracle terms") for t in terms], np.int64)

    def doubt(confidence: IntArray, threshold: IntArray) -> FloatArray:
        return np.where(confidence < threshold, (WAD - confidence) / WAD, 0.0)

    perp = doubt(np.minimum(accounts.perp_confidence, accounts.spot_confidence), thresholds("perp_threshold"))
    feeds = np.minimum(expiries.forward_confidence, expiries.vol_confidence)
    sure = np.minimum(accounts.spot_confidence[expiries.account], feeds)
    short = doubt(sure, thresholds("option_threshold")[expiries.account]) * _short(columns)
    held = doubt(accounts.spot_confidence, thresholds("base_threshold")) * base
    notional = perp * np.abs(accounts.perp) + segment_sums(expiries.account_ptr, short) + held
    return -notional * factor * accounts.spot
