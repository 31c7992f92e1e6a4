"""Hyperliquid perpetuals, cross and isolated: half of the largest leverage's margin maintains a position.

Sources: Hyperliquid documentation, "Margin tiers" and "Margining".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.brackets import Bracket, BracketTable, bracket_initial, bracket_maintenance, tier_of
from crossmargin.margin.rulebooks.holdings import PERPETUALS, by_coin, cash_usd, read_holdings, split_listed
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

WITHDRAWABLE_RATE = 0.1  # gains may be withdrawn down to this part of notional, or the initial margin if larger


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Positions above `lower_bound` (USD) have at most this leverage."""

    lower_bound: float
    leverage_max: float


def bracket_table(tiers: Iterable[Tier]) -> BracketTable:
    """A margin table: the maintenance rate of a tier is (1/max leverage)/2."""
    listed = tuple(tiers)
    for tier in listed:
        check.positive(tier.leverage_max, "leverage_max", where="hyperliquid tier")
    return BracketTable(
        brackets=tuple(
            Bracket(
                notional_floor=t.lower_bound,
                maintenance_rate=min(0.5 / t.leverage_max, 1.0),
                leverage_max=t.leverage_max,
            )
            for t in listed
        )
    )


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed size in coins at a mark; the leverage that was chosen."""

    coin: str
    size: float
    mark: float
    tiers: tuple[Tier, ...]
    leverage: float

    def __post_init__(self) -> None:
        where = f"hyperliquid position {self.coin}"
        check.finite(self.size, "size", where=where)
        check.positive(self.mark, "mark", where=where)
        if not 1.0 <= self.leverage < math.inf:
            limit, remedy = "one or more", "Choose a leverage."
            raise InvalidInput("leverage", where=where, value=self.leverage, limit=limit, remedy=remedy)

    @property
    def notional(self) -> float:
        """USD, not negative."""
        return abs(self.size) * self.mark


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """Initial and maintenance margin, and what must stay when gains are withdrawn, USD."""

    initial: float
    maintenance: float
    withdrawal: float


def position_margin(position: Position) -> Requirement:
    """N/leverage (at most the tier's) and N·rate − deduction of the tier of N."""
    table = bracket_table(position.tiers)
    initial = bracket_initial(table, position.notional, position.leverage)
    return Requirement(
        initial=initial,
        maintenance=bracket_maintenance(table, position.notional),
        withdrawal=max(initial, WITHDRAWABLE_RATE * position.notional),
    )


def margin_of(positions: Iterable[Position]) -> Requirement:
    """The sum over positions: nothing is netted across coins."""
    parts = [position_margin(p) for p in positions]
    return Requirement(
        initial=math.fsum(p.initial for p in parts),
        maintenance=math.fsum(p.maintenance for p in parts),
        withdrawal=math.fsum(p.withdrawal for p in parts),
    )


def liquidation_price(position: Position, margin_available: float) -> float:
    """p − side·available/size/(1 − side·l), l the maintenance rate of the position's tier; NaN without a position.

    `margin_available` is account value (isolated: the position's margin) less maintenance margin.
    """
    if position.size == 0.0:
        return math.nan
    table = bracket_table(position.tiers)
    rate = table.brackets[tier_of(table, position.notional)].maintenance_rate
    side = math.copysign(1.0, position.size)
    return position.mark - side * margin_available / abs(position.size) / (1.0 - side * rate)


class Collateral(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a token counts for in portfolio margin: loan to value, most units supplied, most USD borrowed against it."""

    loan_to_value: float
    supply_cap: float = math.inf
    borrow_cap: float = math.inf

    def __post_init__(self) -> None:
        check.within(self.loan_to_value, "loan_to_value", 0.0, 1.0, where="hyperliquid collateral")


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Margin tables by name, the table of each coin, the leverage chosen, and the terms of portfolio margin."""

    source: str
    date: str
    tables: Mapping[str, tuple[Tier, ...]]
    coins: Mapping[str, str]
    collateral: Mapping[str, Collateral]
    collateral_certainty: Certainty = "exact"
    leverage: float = 20.0
    cash: str = "USDC"
    minimum_offset: float = 20.0
    ratio_max: float = 0.95

    def __post_init__(self) -> None:
        for coin, name in self.coins.items():
            check.known(name, self.tables, f"table of {coin}", where="hyperliquid parameters")

    def tiers(self, coin: str) -> tuple[Tier, ...]:
        """The tiers of a coin."""
        return self.tables[self.coins[coin]]


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book in cross mode; orders count at their worse fill for initial margin."""
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.coins)
    markets = by_coin(listed)
    cash, unlisted = cash_usd(held, (parameters.cash,))
    terms = []
    for coin, c in markets.items():
        tiers, leverage = parameters.tiers(coin), parameters.leverage
        worst = position_margin(Position(coin=coin, size=c.worst_coins, mark=c.mark, tiers=tiers, leverage=leverage))
        now = position_margin(Position(coin=coin, size=c.coins, mark=c.mark, tiers=tiers, leverage=leverage))
        terms.append(RuleTerm(name=coin, initial=worst.initial, maintenance=now.maintenance))
    equity = cash + math.fsum(c.pnl for c in markets.values())
    notes = (*held.notes, f"leverage chosen: {parameters.leverage:g}, or the most that a tier allows")
    return summed(RULEBOOK.id, parameters.date, terms, equity, notes=notes, refused=(*refused, *unlisted))


RULEBOOK = Rulebook(
    id="hyperliquid",
    name="Hyperliquid, cross and isolated",
    family="weights",
    products="perpetual",
    method="leverage tiers by notional; maintenance at half of the initial margin at the largest leverage",
    formulas="""\
IM = N/leverage;  MM = N·rate_n − deduction_n, rate_n = 1/(2·max leverage_n)
deduction_n = deduction_{n−1} + lower_n·(rate_n − rate_{n−1})
liquidation price = p − side·available/size/(1 − side·rate)""",
    sources=("Hyperliquid documentation: Margin tiers; Margining; FAQ",),
    certainty="exact",
    parameters=Parameters,
    folder="hyperliquid",
    evaluate=evaluate,
    open_parts=("the exact form of the liquidation price across tiers is general knowledge",),
    venues=("HYPERLIQUID", "eip155:999"),
)
