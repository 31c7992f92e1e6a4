"""Vertex: weighted health, with a credit for spot and perpetual of one asset on opposite sides.

Source: `vertex-protocol/vertex-contracts` @ e1381815, core/contracts/Clearinghouse.sol and RiskHelper.sol (rules only).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import PERPETUALS, Holdings, by_coin, read_holdings, split_listed
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

Level: TypeAlias = Literal["initial", "maintenance"]
_LEVELS: tuple[Level, Level] = ("initial", "maintenance")
SPREAD_LEVERAGE = 5.0  # the hedged part carries a fifth of the risk


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Long weights are at most one, short weights at least one."""

    long_initial: float
    short_initial: float
    long_maintenance: float
    short_maintenance: float

    def __post_init__(self) -> None:
        for name in ("long_initial", "long_maintenance"):
            check.within(getattr(self, name), name, 0.0, 1.0, where="vertex weights")
        for name in ("short_initial", "short_maintenance"):
            check.within(getattr(self, name), name, 1.0, 1e6, where="vertex weights")

    def of(self, level: Level, *, long: bool) -> float:
        """The weight of a side at a level."""
        return float(getattr(self, f"{'long' if long else 'short'}_{level}"))


class Product(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount of a spot token or perpetual (short < 0) at the oracle price; `quote` is the perpetual's money side."""

    amount: float
    price: float
    weights: Weights
    quote: float = 0.0

    def __post_init__(self) -> None:
        check.finite(self.amount, "amount", where="vertex product")
        check.positive(self.price, "price", where="vertex product")
        check.finite(self.quote, "quote", where="vertex product")


class Asset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Spot and perpetual of one asset; either may be absent."""

    name: str
    spot: Product | None = None
    perpetual: Product | None = None


class LiquidityToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share of a pool: its base and quote amounts at the oracle price, and the base's weights."""

    base: float
    quote: float
    price: float
    weights: Weights

    def __post_init__(self) -> None:
        check.within(self.base, "base", 0.0, math.inf, where="vertex liquidity")
        check.within(self.quote, "quote", 0.0, math.inf, where="vertex liquidity")
        check.positive(self.price, "price", where="vertex liquidity")


class Portfolio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subaccount: quote balance (debts negative), assets and shares of pools."""

    quote: float = 0.0
    assets: tuple[Asset, ...] = ()
    liquidity: tuple[LiquidityToken, ...] = ()

    def __post_init__(self) -> None:
        check.finite(self.quote, "quote", where="vertex account")
        check.unique((a.name for a in self.assets), "asset", where="vertex account")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Net health and its parts, USD: each product's, each asset's spread credit, and that of pools."""

    health: float
    spot: dict[str, float]
    perpetual: dict[str, float]
    spread: dict[str, float]
    liquidity: float


def product_health(product: Product | None, level: Level) -> float:
    """w·amount·price + quote."""
    if product is None:
        return 0.0
    return product.weights.of(level, long=product.amount >= 0.0) * product.amount * product.price + product.quote


def spread_credit(asset: Asset, level: Level) -> float:
    """basis·(p_spot + p_perp)·(spread weight − existing) for opposite sides. Not negative: long weights are at most 1.

    basis = matched amount; existing = (w_spot,long + w_perp,long)/2; spread weight = 1 − (1 − w_long)/5 with w_long of
    the perpetual where spot is long, of the spot where it is short.
    """
    spot, perpetual = asset.spot, asset.perpetual
    if spot is None or perpetual is None or not spot.amount * perpetual.amount < 0.0:
        return 0.0
    basis = min(abs(spot.amount), abs(perpetual.amount))
    longs = [p.weights.of(level, long=True) for p in (spot, perpetual)]
    long = longs[1] if spot.amount > 0.0 else longs[0]
    gained = 1.0 - (1.0 - long) / SPREAD_LEVERAGE - (longs[0] + longs[1]) / 2.0
    return basis * (spot.price + perpetual.price) * gained


def liquidity_health(token: LiquidityToken, level: Level) -> float:
    """A share at the geometric mean of its sides, 2·√(base·price·quote), its base half weighted."""
    worth = math.sqrt(token.base * token.price) * math.sqrt(token.quote)
    return worth * (1.0 + token.weights.of(level, long=True))


def margin_of(portfolio: Portfolio, level: Level) -> Health:
    """Health at a level: healthy at zero or more."""
    spot = {a.name: product_health(a.spot, level) for a in portfolio.assets}
    perpetual = {a.name: product_health(a.perpetual, level) for a in portfolio.assets}
    spread = {a.name: spread_credit(a, level) for a in portfolio.assets}
    liquidity = math.fsum(liquidity_health(t, level) for t in portfolio.liquidity)
    parts = (*spot.values(), *perpetual.values(), *spread.values(), liquidity, portfolio.quote)
    return Health(health=math.fsum(parts), spot=spot, perpetual=perpetual, spread=spread, liquidity=liquidity)


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of spot and of perpetuals by coin; `quote` is the money there."""

    source: str
    date: str
    spot: Mapping[str, Weights]
    perpetuals: Mapping[str, Weights]
    quote: str = "USDC"
    certainty: Certainty = "exact"
    note: str = ""

    def __post_init__(self) -> None:
        if self.quote in self.spot:
            limit, remedy = "no weighted token: the quote counts in full", "Take it out of `spot`."
            raise InvalidInput("quote", where="vertex parameters", value=self.quote, limit=limit, remedy=remedy)


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book; a requirement is what weights take off market value, less spread credits."""
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.perpetuals)
    markets = by_coin(listed)
    perpetuals = {
        coin: Product(
            amount=c.coins, price=c.oracle, weights=parameters.perpetuals[coin], quote=c.pnl - c.coins * c.oracle
        )
        for coin, c in markets.items()
    }
    spot = {
        n: Product(amount=x, price=held.prices[n], weights=parameters.spot[n])
        for n, x in held.balances.items()
        if n in parameters.spot
    }
    names = sorted({*perpetuals, *spot})
    assets = tuple(Asset(name=n, spot=spot.get(n), perpetual=perpetuals.get(n)) for n in names)
    quote, unlisted = _quote(held, parameters)
    found = [margin_of(Portfolio(quote=quote, assets=assets), level) for level in _LEVELS]
    equity = quote + math.fsum(p.amount * p.price + p.quote for p in (*perpetuals.values(), *spot.values()))
    notes = (*held.notes, "requirements include the haircuts of collateral", parameters.note)
    return summed(
        RULEBOOK.id,
        parameters.date,
        _terms(assets, found, parameters.certainty),
        equity,
        notes=filter(None, notes),
        refused=(*refused, *unlisted),
    )


def _terms(assets: tuple[Asset, ...], found: list[Health], certainty: Certainty) -> list[RuleTerm]:
    terms = []
    for asset in assets:
        for label, product, name in (("collateral ", asset.spot, "spot"), ("", asset.perpetual, "perpetual")):
            if product is not None:
                worth = product.amount * product.price + product.quote
                asked = [worth - getattr(health, name)[asset.name] for health in found]
                terms.append(_term(f"{label}{asset.name}", asked, certainty))
        if any(health.spread[asset.name] for health in found):
            terms.append(_term(f"spread {asset.name}", [-h.spread[asset.name] for h in found], certainty))
    return terms


def _term(name: str, asked: list[float], certainty: Certainty) -> RuleTerm:
    return RuleTerm(name=name, initial=asked[0], maintenance=asked[1], certainty=certainty)


def _quote(held: Holdings, parameters: Parameters) -> tuple[float, list[str]]:
    """USD of the quote balance and of debts in unlisted assets, and what is left out."""
    used = {n: x for n, x in held.balances.items() if n == parameters.quote or (n not in parameters.spot and x < 0.0)}
    out = [f"collateral {n}" for n, x in held.balances.items() if n not in used and n not in parameters.spot and x]
    return math.fsum(x * held.prices[n] for n, x in used.items()), out


RULEBOOK = Rulebook(
    id="vertex",
    name="Vertex",
    family="weights",
    products="spot, perpetual",
    method="net health: long and short weights, credit for spot against perpetual of one asset",
    formulas="""\
health = Σ w·amount·price + quote;  initial and maintenance weights, long ≤ 1 ≤ short
spread: + basis·(p_spot + p_perp)·(1 − (1 − w_long)/5 − (w_spot,long + w_perp,long)/2) for opposite sides
shares of pools at the geometric mean of their sides""",
    sources=("vertex-protocol/vertex-contracts @ e1381815: core/contracts/Clearinghouse.sol, RiskHelper.sol",),
    certainty="unknown",
    parameters=Parameters,
    folder="vertex",
    evaluate=evaluate,
    open_parts=("weights by product live on chain: those shipped are a conservative reading",),
    venues=("VERTEX",),
)
