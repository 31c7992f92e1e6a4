"""Vega: expected shortfall of a lognormal price as a fraction of a position's value, and the margin levels on it.

Sources: `vegaprotocol/specs` @ 5fea1f3e, protocol/0018-RSKM and 0019-MCAL (rules only).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from scipy.special import ndtr, ndtri

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import LINEAR, Contract, by_coin, cash_usd, read_holdings, split_listed
from crossmargin.margin.rulebooks.integers import units_up, whole
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


class Lognormal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lognormal price: tail probability `risk_aversion`, horizon, drift and volatility a year (decimals)."""

    risk_aversion: float
    tau_years: float
    sigma: float
    mu: float = 0.0

    def __post_init__(self) -> None:
        check.positive(self.tau_years, "tau_years", where="vega risk model")
        check.positive(self.sigma, "sigma", where="vega risk model")
        check.finite(self.mu, "mu", where="vega risk model")
        if not 0.0 < self.risk_aversion < 1.0:
            limit, remedy = "above zero and below one", "It is the probability of the tail."
            raise InvalidInput(
                "risk_aversion", where="vega risk model", value=self.risk_aversion, limit=limit, remedy=remedy
            )


class RiskFactors(NamedTuple):
    """Fractions of a position's value that a short and a long one must cover."""

    short: float
    long: float


def risk_factors(model: Lognormal) -> RiskFactors:
    """Expected shortfall beyond the λ quantile of S·exp((μ − s²/2)t + s√t·Z), per unit of S.

    short = e^(μt)·Φ(z + s√t)/λ − 1, long = 1 − e^(μt)·Φ(z − s√t)/λ, z = Φ⁻¹(λ). Source: 0018-RSKM.
    """
    z, spread = float(ndtri(model.risk_aversion)), model.sigma * math.sqrt(model.tau_years)
    growth = math.exp(model.mu * model.tau_years) / model.risk_aversion
    return RiskFactors(short=growth * float(ndtr(z + spread)) - 1.0, long=1.0 - growth * float(ndtr(z - spread)))


class Scaling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What maintenance is multiplied by: 1 ≤ search < initial < release."""

    search: float
    initial: float
    release: float

    def __post_init__(self) -> None:
        if not 1.0 <= self.search < self.initial < self.release < math.inf:
            raise InvalidInput(
                "scaling factors",
                where="vega market",
                value=(self.search, self.initial, self.release),
                limit="1 <= search < initial < release",
                remedy="Correct the market's parameters.",
            )


class Market(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A market's risk model and margin parameters; `funding_factor` is used by perpetuals alone."""

    risk: Lognormal
    scaling: Scaling
    linear_slippage: float = 0.1
    funding_factor: float = 0.0

    def __post_init__(self) -> None:
        check.within(self.linear_slippage, "linear_slippage", 0.0, 1e6, where="vega market")
        check.within(self.funding_factor, "funding_factor", 0.0, 1.0, where="vega market")


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open volume, volumes of buy and sell orders (not negative) in units of 10^−position_decimals, and the mark.

    In an auction orders are priced at the larger of their mean limit price and `auction_price`. `funding_payment` is
    what one unit of the position pays now. `margin_factor` above zero makes the position isolated, at `entry_price`.
    """

    open_volume: int
    mark: float
    buys: int = 0
    sells: int = 0
    position_decimals: int = 0
    auction_price: float = 0.0
    buy_price: float = 0.0
    sell_price: float = 0.0
    funding_payment: float = 0.0
    margin_factor: float = 0.0
    entry_price: float = 0.0

    def __post_init__(self) -> None:
        check.positive(self.mark, "mark", where="vega position")
        whole(self.buys, "buys", 0, where="vega position")
        whole(self.sells, "sells", 0, where="vega position")
        whole(self.position_decimals, "position_decimals", -30, 30, where="vega position")
        for name in ("auction_price", "buy_price", "sell_price", "entry_price"):
            check.within(getattr(self, name), name, 0.0, 1e300, where="vega position")
        check.finite(self.funding_payment, "funding_payment", where="vega position")
        check.within(self.margin_factor, "margin_factor", 0.0, 1.0, where="vega position")


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """Margin levels in the settlement asset; `order` is the part of maintenance that open orders add."""

    maintenance: float
    search: float
    initial: float
    release: float
    order: float


def margin_of(position: Position, market: Market) -> Levels:
    """The levels of one market. Source: 0019-MCAL.

    A side asks mark·|riskiest|·slippage + (|open on that side| + orders)·rf·price, riskiest being the volume with all
    its orders filled; maintenance is the larger side, plus funding owed. Isolated: entry·|open|·factor, plus orders.
    """
    if position.margin_factor > 0.0:
        return _isolated(position)
    factors = risk_factors(market.risk)
    unit = 10.0**-position.position_decimals
    funding = market.funding_factor * max(0.0, position.funding_payment * position.open_volume * unit)
    held = funding + _larger_side(position, 0, 0, factors, market.linear_slippage) * unit
    whole_margin = (
        funding + _larger_side(position, position.buys, position.sells, factors, market.linear_slippage) * unit
    )
    scaling = market.scaling
    return Levels(
        maintenance=whole_margin,
        search=whole_margin * scaling.search,
        initial=whole_margin * scaling.initial,
        release=whole_margin * scaling.release,
        order=whole_margin - held,
    )


def _larger_side(position: Position, buys: int, sells: int, factors: RiskFactors, slippage: float) -> float:
    """The larger of both sides for volumes in the market's own units."""
    volume, mark = position.open_volume, position.mark
    auction = position.auction_price
    buy_price = max(position.buy_price, auction) if auction else mark
    sell_price = max(position.sell_price, auction) if auction else mark
    most_long, most_short = max(volume + buys, 0), max(sells - volume, 0)
    long = mark * most_long * slippage + (max(volume, 0) * mark + buys * buy_price) * factors.long
    short = mark * most_short * slippage + (max(-volume, 0) * mark + sells * sell_price) * factors.short
    return max(long, short)


def _isolated(position: Position) -> Levels:
    """Entry value and the orders that would open more, at their limit prices, times the factor; one level for all."""
    unit = 10.0**-position.position_decimals * position.margin_factor
    opened = position.entry_price * abs(position.open_volume) * unit
    buys = max(position.buys - max(-position.open_volume, 0), 0) * (position.buy_price or position.mark)
    sells = max(position.sells - max(position.open_volume, 0), 0) * (position.sell_price or position.mark)
    order = max(buys, sells) * unit
    total = opened + order
    return Levels(maintenance=total, search=total, initial=total, release=total, order=order)


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Markets by coin, the asset they settle in, and the position decimals that a book is read with."""

    source: str
    date: str
    markets: Mapping[str, Market]
    collateral: str = "USDT"
    position_decimals: int = 8
    certainty: Certainty = "exact"
    note: str = ""


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book: one cross-margined market a coin, in the parameters' settlement asset."""
    held = read_holdings(book, snapshot, families=LINEAR, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.markets)
    markets = by_coin(listed)
    cash, unlisted = cash_usd(held, (parameters.collateral,))
    terms = []
    for coin, contract in markets.items():
        levels = margin_of(_position(contract, parameters), parameters.markets[coin])
        terms.append(_term(coin, levels, parameters.certainty))
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        cash + sum(c.pnl for c in markets.values()),
        notes=filter(None, (*held.notes, parameters.note)),
        refused=(*refused, *unlisted),
    )


def _term(coin: str, levels: Levels, certainty: Certainty) -> RuleTerm:
    return RuleTerm(name=coin, initial=levels.initial, maintenance=levels.maintenance, certainty=certainty)


def _position(contract: Contract, parameters: Parameters) -> Position:
    exponent = -parameters.position_decimals
    return Position(
        open_volume=units_up(contract.coins, exponent),
        buys=units_up(contract.buys, exponent),
        sells=units_up(contract.sells, exponent),
        position_decimals=parameters.position_decimals,
        mark=contract.mark,
    )


RULEBOOK = Rulebook(
    id="vega",
    name="Vega",
    family="weights",
    products="future, perpetual",
    method="expected shortfall of a lognormal price per market; the larger of the long and the short side",
    formulas="""\
rf_short = e^(μt)·Φ(z + s√t)/λ − 1;  rf_long = 1 − e^(μt)·Φ(z − s√t)/λ;  z = Φ⁻¹(λ)
side = mark·|riskiest|·slippage + (|open on that side| + orders)·rf·mark
maintenance = larger side + funding factor·max(0, payment·position); search < initial < release are multiples of it""",
    sources=("vegaprotocol/specs @ 5fea1f3e: protocol/0018-RSKM, 0019-MCAL",),
    certainty="unknown",
    parameters=Parameters,
    folder="vega",
    evaluate=evaluate,
    open_parts=("risk models are set per market by its proposer: those shipped are a conservative reading",),
    venues=("VEGA",),
)
