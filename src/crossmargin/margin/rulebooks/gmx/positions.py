"""GMX v2: isolated positions, liquidated where what is left of their collateral is too small.

USD is a whole number of 10⁻³⁰, factors likewise; products are cut toward zero. Source: `gmx-io/gmx-synthetics` @
a5c0c883, contracts/position/PositionUtils.sol (rules only).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from crossmargin.core import check
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import PERPETUALS, Contract, cash_usd, read_holdings, split_listed
from crossmargin.margin.rulebooks.integers import whole
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

UNIT = 10**30


def applied(value: int, factor: int) -> int:
    """value·factor, cut toward zero."""
    size = abs(value) * factor // UNIT
    return size if value >= 0 else -size


class Market(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Factors of a market, 10⁻³⁰: least collateral over size to open and to stay, and most impact counted against a
    position that is liquidated; `collateral_min` is USD 10⁻³⁰."""

    collateral_factor: int
    liquidation_factor: int
    impact_factor_max: int
    collateral_min: int

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            whole(getattr(self, name), name, 0, where="gmx market")


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One side of one market on one collateral token; all USD 10⁻³⁰ but the token's amount and least price.

    `impact` is that of closing it whole plus what is pending (negative: a cost); `costs` are fees, funding and
    borrowing. A gain counts up to `gain_max`, where the pool limits it.
    """

    market: Market
    size: int
    collateral_amount: int
    collateral_price_min: int
    pnl: int = 0
    impact: int = 0
    costs: int = 0
    gain_max: int | None = None

    def __post_init__(self) -> None:
        whole(self.size, "size", 0, where="gmx position")
        whole(self.collateral_amount, "collateral_amount", 0, where="gmx position")
        whole(self.collateral_price_min, "collateral_price_min", 1, where="gmx position")
        whole(self.costs, "costs", 0, where="gmx position")
        if self.gain_max is not None:
            whole(self.gain_max, "gain_max", 0, where="gmx position")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a position (USD 10⁻³⁰), what must be, and why it is liquidated (empty: it is not)."""

    remaining: int
    required: int
    initial: int
    reason: str

    @property
    def is_liquidatable(self) -> bool:
        """Whether it may be liquidated."""
        return bool(self.reason)


def remaining_collateral(position: Position) -> int:
    """collateral·least price + P&L + impact − costs, USD 10⁻³⁰.

    A positive impact counts as zero, a negative one down to −size·largest factor.
    """
    floor = -applied(position.size, position.market.impact_factor_max)
    impact = max(min(position.impact, 0), floor)
    gain = position.pnl if position.gain_max is None else min(position.pnl, position.gain_max)
    return position.collateral_amount * position.collateral_price_min + gain + impact - position.costs


def margin_of(position: Position, *, test_minimum: bool = True) -> Verdict:
    """Whether a position stays: not below the least collateral (where tested), above zero, not below its factor."""
    left, market = remaining_collateral(position), position.market
    needed = applied(position.size, market.liquidation_factor)
    reason = ""
    if position.size:
        if test_minimum and left < market.collateral_min:
            reason = "below the least collateral"
        elif left <= 0:
            reason = "nothing is left"
        elif left < needed:
            reason = "below the factor of its size"
    least = market.collateral_min if test_minimum and position.size else 0
    initial = max(applied(position.size, market.collateral_factor), least)
    return Verdict(remaining=left, required=max(needed, least), initial=max(initial, needed), reason=reason)


class Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A market in decimals; `impact_factor` is the cost of closing that a book is read with, as a part of size."""

    collateral_factor: float
    liquidation_factor: float
    impact_factor_max: float
    impact_factor: float = 0.0
    fee_factor: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            check.within(getattr(self, name), name, 0.0, 1.0, where="gmx listing")


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Markets by coin, least collateral of a position (USD), and the tokens that may secure one."""

    source: str
    date: str
    markets: Mapping[str, Listing]
    collateral_min: float
    collateral: tuple[str, ...]
    certainty: Certainty = "exact"
    note: str = ""


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book, each contract an isolated position; nothing offsets anything.

    Impact and fees of closing are added to what a position must hold, so that equity stays its collateral and P&L.
    """
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.markets)
    terms = [_term(c, parameters) for c in listed]
    cash, unlisted = cash_usd(held, parameters.collateral)
    notes = (*(() if not held.isolated else ("every position is isolated there",)), parameters.note)
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        cash + math.fsum(c.pnl for c in listed),
        notes=(*filter(None, notes), "collateral is moved freely between positions in this reading"),
        refused=(*refused, *unlisted),
    )


def _term(contract: Contract, parameters: Parameters) -> RuleTerm:
    listing = parameters.markets[contract.coin]
    size = _usd(abs(contract.coins) * contract.oracle)
    market = Market(
        collateral_factor=_usd(listing.collateral_factor),
        liquidation_factor=_usd(listing.liquidation_factor),
        impact_factor_max=_usd(listing.impact_factor_max),
        collateral_min=_usd(parameters.collateral_min),
    )
    closing = Position(
        market=market,
        size=size,
        collateral_amount=0,
        collateral_price_min=1,
        impact=-applied(size, _usd(listing.impact_factor)),
        costs=applied(size, _usd(listing.fee_factor)),
    )
    verdict = margin_of(closing)
    return RuleTerm(
        name=contract.instrument,
        initial=(verdict.initial - verdict.remaining) / UNIT,
        maintenance=(verdict.required - verdict.remaining) / UNIT,
        certainty=parameters.certainty,
    )


def required(positions: Iterable[Position]) -> int:
    """What all positions must hold, USD 10⁻³⁰: the sum, since each is isolated."""
    return sum(margin_of(p).required for p in positions)


def _usd(value: float) -> int:
    return int(Decimal(repr(value)).scaleb(30))


RULEBOOK = Rulebook(
    id="gmx-v2",
    name="GMX v2",
    family="weights",
    products="perpetual",
    method="isolated positions: remaining collateral against a factor of size and a least amount",
    formulas="""\
remaining = collateral·least price + P&L + max(min(impact, 0), −size·max impact) − costs
liquidated if remaining < least collateral, ≤ 0, or < size·factor; gains capped by the pool""",
    sources=("gmx-io/gmx-synthetics @ a5c0c883: contracts/position/PositionUtils.sol",),
    certainty="unknown",
    parameters=Parameters,
    folder="gmx",
    evaluate=evaluate,
    open_parts=("factors by market live on chain: those shipped are a conservative reading",),
    venues=("GMX",),
)
