"""Mango v4: the health of an account, a net figure that must not fall below zero.

All numbers have 48 binary places. Source: `blockworks-foundation/mango-v4` @ 1303a4a1,
programs/mango-v4/src/health/cache.rs and state/bank.rs (MIT).
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.core.check import known
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.integers import whole
from crossmargin.margin.rulebooks.mango.fixed_point import fixed, plain, product, quotient

Level: TypeAlias = Literal["init", "maint", "liquidation_end"]


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of an asset and of a liability, at the initial and the maintenance level."""

    init_asset: float
    init_liability: float
    maint_asset: float
    maint_liability: float

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            check.within(getattr(self, name), name, 0.0, 1e9, where="mango weights")

    def of(self, level: Level, *, liability: bool) -> int:
        """The weight at a level; the end of a liquidation uses the initial ones."""
        prefix, side = "maint" if level == "maint" else "init", "liability" if liability else "asset"
        return fixed(getattr(self, f"{prefix}_{side}"), side, where="mango weights")


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price by the oracle, and the slow one that stands beside it; both in quote units a native unit."""

    oracle: float
    stable: float

    def __post_init__(self) -> None:
        check.positive(self.oracle, "oracle price", where="mango price")
        check.positive(self.stable, "stable price", where="mango price")

    def at(self, level: Level, *, liability: bool) -> int:
        """Initial health takes assets at the lower price and liabilities at the higher, the others the oracle's."""
        price = self.oracle
        if level == "init":
            price = max(self.oracle, self.stable) if liability else min(self.oracle, self.stable)
        return fixed(price, "price", where="mango price")


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A balance (debts negative) in a bank. All deposits of the bank, with what orders may bring, scale its initial
    asset weight down above `deposit_scale_start`, all borrows the liability weight up above `borrow_scale_start`
    (quote units; None: never)."""

    name: str
    balance: float
    price: Price
    weights: Weights
    deposits: float = 0.0
    borrows: float = 0.0
    order_tokens: float = 0.0
    deposit_scale_start: float | None = None
    borrow_scale_start: float | None = None

    def __post_init__(self) -> None:
        where = f"mango token {self.name}"
        check.finite(self.balance, "balance", where=where)
        for name in ("deposits", "borrows", "order_tokens"):
            check.within(getattr(self, name), name, 0.0, math.inf, where=where)
        if self.deposit_scale_start is not None:
            check.within(self.deposit_scale_start, "deposit_scale_start", 0.0, math.inf, where=where)
        if self.borrow_scale_start is not None:
            check.positive(self.borrow_scale_start, "borrow_scale_start", where=where)

    def weight(self, level: Level, *, liability: bool) -> int:
        """The weight of the balance as asset or liability; only initial health scales it, at the liability price."""
        base = self.weights.of(level, liability=liability)
        if level != "init":
            return base
        price = max(self.price.oracle, self.price.stable)
        start = self.borrow_scale_start if liability else self.deposit_scale_start
        worth = price * (self.borrows if liability else self.deposits + self.order_tokens)
        if start is None or worth <= start:
            return base
        return product(base, fixed(worth / start if liability else start / worth, "scale", where=self.name))


class SpotOrders(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is reserved in the orders of one spot market; limit prices (quote a base unit) are zero where unknown."""

    base: str
    quote: str
    reserved_base: float
    reserved_quote: float
    lowest_ask: float = 0.0
    highest_bid: float = 0.0

    def __post_init__(self) -> None:
        for name in ("reserved_base", "reserved_quote", "lowest_ask", "highest_bid"):
            check.within(getattr(self, name), name, 0.0, math.inf, where=f"mango orders {self.base}/{self.quote}")


class Perpetual(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A position in base lots of `lot_size` native units, its quote side, and the lots of its bids and asks.

    A positive total counts at the overall weight: zero for a market that is not trusted.
    """

    settle: str
    price: Price
    weights: Weights
    lot_size: float
    base_lots: int
    quote: float
    bids_lots: int = 0
    asks_lots: int = 0
    init_overall: float = 1.0
    maint_overall: float = 1.0

    def __post_init__(self) -> None:
        where = "mango perpetual"
        check.positive(self.lot_size, "lot_size", where=where)
        check.finite(self.quote, "quote", where=where)
        whole(self.bids_lots, "bids_lots", 0, where=where)
        whole(self.asks_lots, "asks_lots", 0, where=where)
        check.within(self.init_overall, "init_overall", 0.0, 1.0, where=where)
        check.within(self.maint_overall, "maint_overall", 0.0, 1.0, where=where)


class Portfolio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account. Orders and perpetuals name tokens that stand in `tokens`, with balance zero if need be."""

    tokens: tuple[Token, ...] = ()
    orders: tuple[SpotOrders, ...] = ()
    perpetuals: tuple[Perpetual, ...] = ()

    def __post_init__(self) -> None:
        names = [t.name for t in self.tokens]
        check.unique(names, "token", where="mango account")
        for orders in self.orders:
            known(orders.base, names, "base token of orders", where="mango account")
            known(orders.quote, names, "quote token of orders", where="mango account")
            if orders.base == orders.quote:
                limit, remedy = "two tokens", "Correct the market."
                raise InvalidInput("spot market", where="mango account", value=orders.base, limit=limit, remedy=remedy)
        for perpetual in self.perpetuals:
            known(perpetual.settle, names, "settle token of a perpetual", where="mango account")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Health in quote units, with the contribution of each token (perpetuals settled in it included), each spot
    market's orders, and the weighted P&L of each perpetual before its settle token's weight."""

    health: float
    tokens: dict[str, float]
    orders: tuple[float, ...]
    perpetuals: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """100·(assets − liabilities)/liabilities; infinite without liabilities."""
        parts = [*self.tokens.values(), *self.orders]
        owed = -math.fsum(x for x in parts if x < 0.0)
        return 100.0 * self.health / owed if owed > 0.0 else math.inf


def perpetual_pnl(perpetual: Perpetual, level: Level) -> int:
    """Quote + the worse of all bids filled at the liability price and all asks at the asset price.

    The base after the fill counts at its asset or liability weight and price; a positive sum at the overall weight.
    """
    bids = _filled(perpetual, perpetual.bids_lots, perpetual.price.at(level, liability=True), level)
    asks = _filled(perpetual, -perpetual.asks_lots, perpetual.price.at(level, liability=False), level)
    total = fixed(perpetual.quote, "quote", where="mango perpetual") + min(bids, asks)
    overall = perpetual.maint_overall if level == "maint" else perpetual.init_overall
    return product(fixed(overall, "overall weight", where="mango perpetual"), total) if total > 0 else total


def _filled(perpetual: Perpetual, lots: int, order_price: int, level: Level) -> int:
    size = fixed(perpetual.lot_size, "lot_size", where="mango perpetual")
    base = (perpetual.base_lots + lots) * size
    short = base < 0
    weight, price = perpetual.weights.of(level, liability=short), perpetual.price.at(level, liability=short)
    return product(base, weight, price) + product(-lots * size, order_price)


def reserved(orders: SpotOrders, base: Token, quote: Token, level: Level) -> tuple[int, int]:
    """All that a market reserves as base and as quote; a known limit price caps what an order can bring."""
    where = f"mango orders {orders.base}/{orders.quote}"
    own_base, own_quote = (fixed(x, "reserved", where=where) for x in (orders.reserved_base, orders.reserved_quote))
    bought = quotient(product(own_quote, quote.price.at(level, liability=False)), base.price.at(level, liability=True))
    sold = quotient(product(own_base, base.price.at(level, liability=False)), quote.price.at(level, liability=True))
    if orders.highest_bid > 0.0 and orders.reserved_quote > 0.0:
        bought = min(bought, fixed(orders.reserved_quote / orders.highest_bid, "at highest bid", where=where))
    if orders.lowest_ask > 0.0 and orders.reserved_base > 0.0:
        sold = min(sold, fixed(orders.reserved_base * orders.lowest_ask, "at lowest ask", where=where))
    return own_base + bought, own_quote + sold


def _effect(token: Token, most: int, added: int, level: Level) -> int:
    """What health gains when `added` comes last to a balance that is then `most`: it first repays a debt."""
    asset = max(min(most, added), 0)
    liability = added - asset
    gained = product(token.weight(level, liability=False), asset, token.price.at(level, liability=False))
    return gained + product(token.weight(level, liability=True), liability, token.price.at(level, liability=True))


def _token_health(token: Token, balance: int, level: Level) -> int:
    owed = balance < 0
    return product(balance, product(token.weight(level, liability=owed), token.price.at(level, liability=owed)))


def margin_of(portfolio: Portfolio, level: Level) -> Health:
    """The health of an account at a level.

    Σ balance·price·weight, perpetual P&L added to the settle token's balance before weighting, and for each spot market
    the smaller of what its reserve gives all in base and all in quote, all other markets having gone the worse way.
    """
    token = {t.name: t for t in portfolio.tokens}
    balance = {t.name: fixed(t.balance, "balance", where=t.name) for t in portfolio.tokens}
    gains = [perpetual_pnl(p, level) for p in portfolio.perpetuals]
    for perpetual, gain in zip(portfolio.perpetuals, gains, strict=True):
        balance[perpetual.settle] += gain
    most = dict(balance)
    kept = [reserved(o, token[o.base], token[o.quote], level) for o in portfolio.orders]
    for orders, (as_base, as_quote) in zip(portfolio.orders, kept, strict=True):
        most[orders.base] += as_base
        most[orders.quote] += as_quote
    parts = {name: _token_health(t, balance[name], level) for name, t in token.items()}
    brought = [
        min(_effect(token[o.base], most[o.base], b, level), _effect(token[o.quote], most[o.quote], q, level))
        for o, (b, q) in zip(portfolio.orders, kept, strict=True)
    ]
    return Health(
        health=plain(sum(parts.values()) + sum(brought)),
        tokens={name: plain(x) for name, x in parts.items()},
        orders=tuple(map(plain, brought)),
        perpetuals=tuple(map(plain, gains)),
    )
