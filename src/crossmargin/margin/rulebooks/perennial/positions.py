"""Perennial v2: a ratio of notional with a least amount, market by market.

Whole numbers of 10⁻⁶, requirements rounded up. Source: Perennial v2 (Apache-2.0), as read for section 19 of the
project's rulebook reference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import PERPETUALS, Contract, by_coin, cash_usd, read_holdings, split_listed
from crossmargin.margin.rulebooks.integers import ceil_div, units_up, whole
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

UNIT = 10**6


class Market(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Margin and maintenance ratios, and the least amounts (USD) of each, 10⁻⁶."""

    margin_ratio: int
    maintenance_ratio: int
    margin_min: int = 0
    maintenance_min: int = 0

    def __post_init__(self) -> None:
        whole(self.margin_ratio, "margin_ratio", 0, where="perennial market")
        whole(self.maintenance_ratio, "maintenance_ratio", 0, self.margin_ratio, where="perennial market")
        whole(self.margin_min, "margin_min", 0, where="perennial market")
        whole(self.maintenance_min, "maintenance_min", 0, where="perennial market")


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed size and price, 10⁻⁶ (prices of some payoffs are negative), and the ratio that a user asked to keep."""

    market: Market
    size: int
    price: int
    collateralisation: int = 0

    def __post_init__(self) -> None:
        whole(self.collateralisation, "collateralisation", 0, where="perennial position")
        whole(abs(self.price), "size of price", 1, where="perennial position")


def margin_of(position: Position) -> tuple[int, int]:
    """What opening and keeping a position asks, USD 10⁻⁶; nothing for a size of zero.

    max(⌈|size|·|price|·ratio⌉, least), the ratio to open being max(margin, the user's collateralisation).
    """
    if position.size == 0:
        return 0, 0
    market, notional = position.market, abs(position.size * position.price)
    ratio = max(market.margin_ratio, position.collateralisation)
    return (
        max(ceil_div(notional * ratio, UNIT**2), market.margin_min),
        max(ceil_div(notional * market.maintenance_ratio, UNIT**2), market.maintenance_min),
    )


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Markets by coin (10⁻⁶); every market is secured by the same asset."""

    source: str
    date: str
    markets: Mapping[str, Market]
    collateral: str = "USDC"
    certainty: Certainty = "exact"
    note: str = ""


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book, each market by itself, orders at their worse fill to open."""
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.markets)
    markets = by_coin(listed)
    terms = [_term(coin, c, parameters) for coin, c in markets.items()]
    cash, unlisted = cash_usd(held, (parameters.collateral,))
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        cash + math.fsum(c.pnl for c in markets.values()),
        notes=filter(None, (*held.notes, parameters.note)),
        refused=(*refused, *unlisted),
    )


def _term(coin: str, contract: Contract, parameters: Parameters) -> RuleTerm:
    market, price = parameters.markets[coin], units_up(contract.oracle, -6)
    worst, now = (
        margin_of(Position(market=market, size=units_up(x, -6), price=price))
        for x in (contract.worst_coins, contract.coins)
    )
    return RuleTerm(name=coin, initial=worst[0] / UNIT, maintenance=now[1] / UNIT, certainty=parameters.certainty)


RULEBOOK = Rulebook(
    id="perennial-v2",
    name="Perennial v2",
    family="weights",
    products="perpetual",
    method="a ratio of notional, with a least amount, market by market",
    formulas="""\
IM = max(|size|·|price|·max(margin ratio, own collateralisation), least margin)
MM = max(|size|·|price|·maintenance ratio, least maintenance)""",
    sources=("Perennial v2 contracts (Apache-2.0), rule as read in November 2026",),
    certainty="unknown",
    parameters=Parameters,
    folder="perennial",
    evaluate=evaluate,
    open_parts=("ratios by market live on chain: those shipped are a conservative reading",),
    venues=("PERENNIAL",),
)
