"""Hyperliquid portfolio margin (alpha): what is borrowed and maintained over what secures it, token by token.

Source: Hyperliquid documentation, "Portfolio margin".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median

import msgspec

from crossmargin.core import check
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import (
    PERPETUALS,
    Contract,
    Holdings,
    by_coin,
    read_holdings,
    split_listed,
)
from crossmargin.margin.rulebooks.hyperliquid.perpetuals import Collateral, Parameters, Position, position_margin
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units held and borrowed, and the price: the median of spot, perpetual mark and oracle. Terms are absent for a
    token that secures nothing."""

    name: str
    balance: float
    borrowed: float
    price: float
    terms: Collateral | None = None

    def __post_init__(self) -> None:
        where = f"hyperliquid token {self.name}"
        check.within(self.balance, "balance", 0.0, math.inf, where=where)
        check.within(self.borrowed, "borrowed", 0.0, math.inf, where=where)
        check.positive(self.price, "price", where=where)


class Portfolio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tokens, and the maintenance margin of each perpetual exchange (USD)."""

    tokens: tuple[Token, ...]
    maintenance: tuple[float, ...] = ()
    minimum_offset: float = 20.0

    def __post_init__(self) -> None:
        check.unique((t.name for t in self.tokens), "token", where="hyperliquid account")


def portfolio_price(spot: float, mark: float, oracle: float) -> float:
    """The price of a token in portfolio margin."""
    return float(median((spot, mark, oracle)))


def secured(token: Token, *, at_threshold: bool) -> float:
    """USD that a token secures: min(borrow cap, min(balance, supply cap)·price·factor).

    The factor is the liquidation threshold 0.5 + 0.5·LTV, or the LTV itself for what may be borrowed.
    """
    if token.terms is None:
        return 0.0
    ltv = token.terms.loan_to_value
    factor = 0.5 + 0.5 * ltv if at_threshold else ltv
    return min(token.terms.borrow_cap, min(token.balance, token.terms.supply_cap) * token.price * factor)


def token_ratio(portfolio: Portfolio, name: str) -> float:
    """(20 + Σ maintenance + borrowed·price) / (own balance + Σ secured by the others) of one borrowed token."""
    token = next(t for t in portfolio.tokens if t.name == name)
    owed = portfolio.minimum_offset + math.fsum(portfolio.maintenance) + token.borrowed * token.price
    others = math.fsum(secured(t, at_threshold=True) for t in portfolio.tokens if t.name != name)
    have = token.balance * token.price + others
    return owed / have if have > 0.0 else math.inf


def margin_of(portfolio: Portfolio) -> dict[str, float]:
    """The ratio of each borrowed token; the account's is the largest, and above 0.95 it is liquidated."""
    return {t.name: token_ratio(portfolio, t.name) for t in portfolio.tokens if t.borrowed > 0.0}


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book in portfolio margin.

    Equity is what secures, at liquidation thresholds; maintenance is what is owed and maintained over 0.95. Initial
    counts coins at their loan to value, and the initial margin of perpetuals. All debts are set against all that
    secures, which is the ratio of one borrowed token, and stricter with several.
    """
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.coins)
    markets = by_coin(listed)
    gain = math.fsum(c.pnl for c in markets.values())
    tokens, unlisted = _tokens(held, markets, gain, parameters)
    terms = [_perpetual(coin, c, parameters) for coin, c in markets.items()]
    terms += [_debt(t, parameters) for t in tokens if t.borrowed > 0.0]
    terms += [_unborrowable(t, parameters) for t in tokens if t.terms is not None]
    if terms:
        offset = parameters.minimum_offset / parameters.ratio_max
        terms.append(RuleTerm(name="minimum offset", initial=offset, maintenance=offset))
    equity = math.fsum(
        t.balance * t.price if t.name == parameters.cash else secured(t, at_threshold=True) for t in tokens
    )
    notes = (*held.notes, f"liquidated above a ratio of {parameters.ratio_max:g}", "alpha: caps and tokens change")
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        equity,
        certainty="approximate",
        notes=notes,
        refused=(*refused, *unlisted),
    )


def _perpetual(coin: str, c: Contract, parameters: Parameters) -> RuleTerm:
    tiers, leverage = parameters.tiers(coin), parameters.leverage
    worst = position_margin(Position(coin=coin, size=c.worst_coins, mark=c.mark, tiers=tiers, leverage=leverage))
    now = position_margin(Position(coin=coin, size=c.coins, mark=c.mark, tiers=tiers, leverage=leverage))
    maintenance = now.maintenance / parameters.ratio_max
    return RuleTerm(name=coin, initial=max(worst.initial, maintenance), maintenance=maintenance)


def _debt(token: Token, parameters: Parameters) -> RuleTerm:
    owed = token.borrowed * token.price / parameters.ratio_max
    return RuleTerm(name=f"debt {token.name}", initial=owed, maintenance=owed)


def _unborrowable(token: Token, parameters: Parameters) -> RuleTerm:
    gap = secured(token, at_threshold=True) - secured(token, at_threshold=False)
    certainty = parameters.collateral_certainty
    return RuleTerm(name=f"collateral {token.name}", initial=gap, maintenance=0.0, certainty=certainty)


def _tokens(
    held: Holdings, markets: Mapping[str, Contract], gain: float, parameters: Parameters
) -> tuple[list[Token], list[str]]:
    """Balances as tokens; unsettled P&L is cash, a debt where it is a loss beyond it."""
    found, refused = [], []
    for name, amount in ({parameters.cash: 0.0} | dict(held.balances)).items():
        price = held.prices.get(name, 1.0)
        units = amount + (gain / price if name == parameters.cash else 0.0)
        terms = parameters.collateral.get(name)
        if terms is None and name != parameters.cash and units >= 0.0:
            refused += [f"collateral {name}"] if units else []
            continue
        if name in markets:
            price = portfolio_price(price, markets[name].mark, markets[name].oracle)
        found.append(Token(name=name, balance=max(units, 0.0), borrowed=max(-units, 0.0), price=price, terms=terms))
    return found, refused


RULEBOOK = Rulebook(
    id="hyperliquid-pm",
    name="Hyperliquid portfolio margin (alpha)",
    family="weights",
    products="spot, perpetual, loans",
    method="loans and maintenance margin over collateral at its liquidation threshold",
    formulas="""\
ratio(token) = (20 + Σ maintenance + borrowed·price) / (balance·price + Σ min(borrow cap, min(balance, cap)·price·lt))
lt = 0.5 + 0.5·LTV; account ratio = largest; liquidated above 0.95; may borrow balance·price·LTV
price = median(spot, perpetual mark, perpetual oracle)""",
    sources=("Hyperliquid documentation: Portfolio margin",),
    certainty="approximate",
    parameters=Parameters,
    folder="hyperliquid",
    evaluate=evaluate,
    open_parts=(
        "the order in which legs and loans are liquidated is not deterministic: see margin after losing one leg",
        "loan to value of HYPE is listed as 0.5 and as 0.65: the lower is taken",
    ),
)
