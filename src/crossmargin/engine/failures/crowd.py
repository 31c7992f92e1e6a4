"""Populations for cascades: a book's accounts as linear exposures, and a made-up crowd around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from crossmargin.accounts.cascade import Depth, Population
from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IntArray, frozen, tally
from crossmargin.core.errors import MissingFactors
from crossmargin.engine.margin import MarginResult
from crossmargin.instruments.table import Family
from crossmargin.market.snapshot import USD, Liquidity, Snapshot
from crossmargin.portfolio.book import Book

RATE_MAX: Final = 0.5  # of what a position is worth; what an account needs beyond that is taken off its cash


class Crowd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a made-up population is drawn: parameters only; the file that ships says where each comes from.

    Open interest is `open_interest_days` of volume on either side. Equity is lognormal, so is leverage, around its
    median and at most `leverage_max`; `maintenance` of positions is required. A share `coin` of accounts hold coins as
    collateral, less `coin_haircut`. `chains` are the shares of accounts on each, "" for none."""

    open_interest_days: float
    equity_median_usd: float
    equity_sigma: float
    leverage_long: float
    leverage_short: float
    leverage_sigma: float
    leverage_max: float
    maintenance: float
    coin: float
    coin_haircut: float
    chains: dict[str, float]
    source: str = ""
    date: str = ""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("open_interest_days", 1e-6, 1e3),
            ("equity_median_usd", 1e-6, 1e12),
            ("equity_sigma", 0.0, 10.0),
            ("leverage_long", 1.0, 1e3),
            ("leverage_short", 1.0, 1e3),
            ("leverage_sigma", 0.0, 10.0),
            ("leverage_max", 1.0, 1e3),
            ("maintenance", 0.0, 1.0),
            ("coin", 0.0, 1.0),
            ("coin_haircut", 0.0, 1.0),
        ):
            check.within(getattr(self, name), name, low, high, where="crowd")
        check.within(sum(self.chains.values()), "sum of chains", 1.0 - 1e-9, 1.0 + 1e-9, where="crowd")


def depth_of(snapshot: Snapshot) -> tuple[tuple[str, ...], Depth]:
    """The coins of a market that say how they trade, and what moves their prices.

    Raises `MissingFactors` without one."""
    known = coins_of(snapshot)
    if not known:
        raise MissingFactors(["liquidity of a coin"], where="market", remedy="State adv_usd and daily_vol of one.")
    price = np.asarray([snapshot.usd_price(name) for name in known])
    return tuple(known), Depth(
        price=frozen(price),
        daily_vol=frozen([x.daily_vol for x in known.values()]),
        volume=frozen(np.asarray([x.adv_usd for x in known.values()]) / price),
    )


def coins_of(snapshot: Snapshot) -> dict[str, Liquidity]:
    """The coins of a market that say how they trade."""
    return {
        name: u.liquidity
        for name, u in snapshot.underlyings.items()
        if u.kind == "spot" and u.risk_class.startswith("crypto") and u.liquidity is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """A margined book as a cascade needs it, USD.

    `equity` behind held risk and `maintenance` [account]; what a unit of each instrument gains per relative move of its
    underlying, `delta` [instrument]; the value of each line of collateral, `gross`, and what of it counts for held
    risk, `recognised` [holding]."""

    book: Book
    snapshot: Snapshot
    delta: FloatArray
    equity: FloatArray
    maintenance: FloatArray
    gross: FloatArray
    recognised: FloatArray


def standing_of(result: MarginResult) -> Standing:
    """How the accounts of a book stand under a model of our own."""
    return Standing(
        book=result.book,
        snapshot=result.plan.snapshot,
        delta=result.plan.terms.exposure.delta,
        equity=result.by_account(result.pools.held_equity),
        maintenance=result.by_account(result.pools.maintenance),
        gross=result.holdings.gross,
        recognised=result.held.recognised,
    )


def population_of(standing: Standing, assets: Sequence[str], depth: Depth) -> tuple[Population, tuple[str, ...]]:
    """The accounts of a book as lines of `assets`, and the underlyings among its positions that are not of them.

    A position is its delta; its account's maintenance margin is spread over its positions, and that of what a cascade
    does not move is taken off its cash. Coins held as collateral are lines whose rate is their haircut. So worth − need
    is equity − maintenance, account by account, at the prices of now. An account is on the chain that most of its
    collateral is on."""
    book = standing.book
    place = {name: j for j, name in enumerate(assets)}
    of_underlying = np.asarray([place.get(name, -1) for name in book.table.underlyings] or [-1])
    held = book.positions
    code = of_underlying[book.table.underlying[held.instrument]]
    is_spot = (book.table.family == Family.SPOT)[held.instrument]
    moves = (code >= 0) & ~is_spot & (book.table.underlying[held.instrument] >= 0)
    account = book.group_account[held.owner]
    delta = held.quantity * standing.delta[held.instrument]
    left_out = {book.table.underlyings[u] for u in np.unique(book.table.underlying[held.instrument[~moves]]) if u >= 0}
    cells = _cells(account[moves], code[moves], delta[moves], len(assets))
    gross = tally(cells[0], np.abs(cells[2]), len(book.accounts))
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(gross > 0.0, np.minimum(standing.maintenance / gross, RATE_MAX), 0.0)
    coin_account, coin, value, haircut = _coins(standing, place)
    owner = np.concatenate([cells[0], coin_account])
    worth = np.concatenate([cells[2], value])
    line_rate = np.concatenate(
        [rate[cells[0]], np.where(value > 0.0, haircut / np.where(value > 0.0, value, 1.0), 0.0)]
    )
    order = np.argsort(owner, kind="stable")
    asset = np.concatenate([cells[1], coin])[order]
    count = len(book.accounts)
    recognised = standing.equity + tally(coin_account, haircut, count)
    fixed = standing.maintenance - rate * gross
    names, chain = _chain_of(standing)
    return Population(
        ptr=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=count))]).astype(np.int64),
        asset=asset.astype(np.int32),
        quantity=frozen(worth[order] / depth.price[asset]),
        rate=frozen(line_rate[order]),
        cash=frozen(recognised - tally(owner, worth, count) - fixed),
        chain=chain.astype(np.int32),
        assets=tuple(assets),
        chains=names,
    ), tuple(sorted(left_out))


def _cells(account: IntArray, asset: IntArray, value: FloatArray, assets: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Sums of `value` by account and asset: accounts, assets and sums, those of zero left out."""
    key, index = np.unique(account.astype(np.int64) * assets + asset, return_inverse=True)
    total = tally(index.reshape(-1), value, len(key))
    kept = total != 0.0
    return key[kept] // assets, key[kept] % assets, total[kept]


def _coins(standing: Standing, place: dict[str, int]) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Coins among the collateral: account, asset, gross value and what haircuts and caps take [line]."""
    book, snapshot = standing.book, standing.snapshot
    reference = [USD if name == USD else snapshot.assets[name].reference for name in book.table.assets]
    code = np.asarray([place.get(name, -1) for name in reference] or [-1])[book.table.settle[book.holdings.instrument]]
    mine = np.flatnonzero((code >= 0) & (standing.gross != 0.0))
    account = book.pool_account[book.holdings.owner[mine]].astype(np.int64)
    gross = standing.gross[mine]
    return account, code[mine], gross, np.maximum(gross - standing.recognised[mine], 0.0)


def _chain_of(standing: Standing) -> tuple[tuple[str, ...], IntArray]:
    """The chain that most of each account's collateral is on: names and codes [account]."""
    book = standing.book
    names = ("", *book.table.chains)
    code = book.table.chain[book.holdings.instrument].astype(np.int64) + 1
    account = book.pool_account[book.holdings.owner].astype(np.int64)
    amount = np.maximum(standing.recognised, 0.0)
    size = len(book.accounts) * len(names)
    by_chain = tally(account * len(names) + code, amount, size).reshape(len(book.accounts), len(names))
    return names, by_chain.argmax(axis=1)


def made_up_crowd(assets: Sequence[str], depth: Depth, crowd: Crowd, *, accounts: int, seed: int) -> Population:
    """Accounts of one position each, drawn with a seed: longs and shorts of every asset as large as its open interest.

    The assets are dealt in proportion to the root of their volumes; positions are scaled to the open interest, equity
    with them, so that the leverage of each stays."""
    check.within(accounts, "accounts", 2, 1e8, where="crowd")
    rng = np.random.default_rng(seed)
    volume = depth.volume * depth.price
    share = np.sqrt(volume) / np.sqrt(volume).sum()
    asset = rng.choice(len(assets), accounts, p=share)
    long = rng.random(accounts) < 0.5
    equity = crowd.equity_median_usd * np.exp(crowd.equity_sigma * rng.standard_normal(accounts))
    median = np.where(long, crowd.leverage_long, crowd.leverage_short)
    leverage = np.clip(median * np.exp(crowd.leverage_sigma * rng.standard_normal(accounts)), 1.0, crowd.leverage_max)
    side = asset * 2 + long
    total = tally(side, equity * leverage, 2 * len(assets))
    scale = crowd.open_interest_days * volume[asset] / np.where(total > 0.0, total, 1.0)[side]
    equity, notional = equity * scale, equity * leverage * scale * np.where(long, 1.0, -1.0)
    coins = np.where(rng.random(accounts) < crowd.coin, equity, 0.0)
    names = tuple(crowd.chains)
    chain = rng.choice(len(names), accounts, p=np.asarray(list(crowd.chains.values())) / sum(crowd.chains.values()))
    has = coins > 0.0
    count = 1 + has
    ptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    line_asset, value, rate = np.repeat(asset, count), np.repeat(notional, count), np.full(ptr[-1], crowd.maintenance)
    held = ptr[1:][has] - 1
    value[held], rate[held] = coins[has], crowd.coin_haircut
    return Population(
        ptr=ptr,
        asset=line_asset.astype(np.int32),
        quantity=frozen(value / depth.price[line_asset]),
        rate=frozen(rate),
        # A coin counts less its haircut, and whoever posts coins has as much left after it as the others.
        cash=frozen(equity - notional - (1.0 - crowd.coin_haircut) * coins),
        chain=chain.astype(np.int32),
        assets=tuple(assets),
        chains=names,
    )


def joined(first: Population, second: Population) -> Population:
    """The accounts of both, those of `first` first; both are of the same assets."""
    assert first.assets == second.assets, "populations of the same assets"
    chains = tuple(dict.fromkeys((*first.chains, *second.chains)))
    code = [np.asarray([chains.index(name) for name in one.chains])[one.chain] for one in (first, second)]
    return Population(
        ptr=np.concatenate([first.ptr, first.ptr[-1] + second.ptr[1:]]),
        asset=np.concatenate([first.asset, second.asset]),
        quantity=frozen(np.concatenate([first.quantity, second.quantity])),
        rate=frozen(np.concatenate([first.rate, second.rate])),
        cash=frozen(np.concatenate([first.cash, second.cash])),
        chain=np.concatenate(code).astype(np.int32),
        assets=first.assets,
        chains=chains,
    )
