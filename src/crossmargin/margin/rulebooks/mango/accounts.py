"""Mango v4: a Crossmargin account read as one of Mango's."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from crossmargin.core import check
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import PERPETUALS, Contract, Holdings, by_coin, read_holdings, split_listed
from crossmargin.margin.rulebooks.mango.health import Level, Perpetual, Portfolio, Price, Token, Weights, margin_of
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


class PerpMarket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of a perpetual's base, and of a positive total; lots in coins."""

    weights: Weights
    lot_size: float
    init_overall: float = 1.0
    maint_overall: float = 1.0


class Bank(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of a token and where they scale (USD); totals in tokens."""

    weights: Weights
    deposits: float = 0.0
    borrows: float = 0.0
    deposit_scale_start: float | None = None
    borrow_scale_start: float | None = None


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Banks by asset, perpetuals by coin, and the token in which these settle, one of the banks."""

    source: str
    date: str
    banks: Mapping[str, Bank]
    perpetuals: Mapping[str, PerpMarket]
    settle: str = "USDC"
    certainty: Certainty = "exact"
    note: str = ""

    def __post_init__(self) -> None:
        check.known(self.settle, self.banks, "settle token", where="mango parameters")


_UNLISTED = Bank(weights=Weights(init_asset=0.0, init_liability=1.0, maint_asset=0.0, maint_liability=1.0))


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book as a Mango account; the stable price is taken equal to the oracle's.

    Equity is at market value and a requirement is what weights take off it, so that equity − requirement is health.
    """
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.perpetuals)
    markets = by_coin(listed)
    used = [n for n, x in held.balances.items() if n in parameters.banks or x < 0.0]
    unlisted = [f"collateral {n}" for n, x in held.balances.items() if n not in used and x > 0.0]
    tokens = tuple(_token(n, held, snapshot, parameters) for n in dict.fromkeys([parameters.settle, *used]))
    portfolio = Portfolio(
        tokens=tokens,
        perpetuals=tuple(_perpetual(c, snapshot, parameters) for c in markets.values()),
    )
    terms = _terms(portfolio, tuple(markets), parameters)
    equity = math.fsum(t.balance * t.price.oracle for t in tokens) + math.fsum(c.pnl for c in markets.values())
    notes = (*held.notes, "requirements include the haircuts of collateral", parameters.note)
    return summed(RULEBOOK.id, parameters.date, terms, equity, notes=filter(None, notes), refused=(*refused, *unlisted))


def _terms(portfolio: Portfolio, coins: tuple[str, ...], parameters: Parameters) -> list[RuleTerm]:
    """One term a perpetual (P&L at the market less what it counts), then one a token (value less its contribution)."""
    settle = next(t for t in portfolio.tokens if t.name == parameters.settle).price.oracle
    levels: tuple[Level, Level] = ("init", "maint")
    found = [margin_of(portfolio, level) for level in levels]
    terms = []
    for i, coin in enumerate(coins):
        p = portfolio.perpetuals[i]
        worth = p.base_lots * p.lot_size * p.price.oracle + p.quote
        initial, maintenance = ((worth - health.perpetuals[i]) * settle for health in found)
        terms.append(RuleTerm(name=coin, initial=initial, maintenance=maintenance, certainty=parameters.certainty))
    for token in portfolio.tokens:
        own = [token.balance + (math.fsum(h.perpetuals) if token.name == parameters.settle else 0.0) for h in found]
        initial, maintenance = (x * token.price.oracle - h.tokens[token.name] for x, h in zip(own, found, strict=True))
        name = f"collateral {token.name}"
        terms.append(RuleTerm(name=name, initial=initial, maintenance=maintenance, certainty=parameters.certainty))
    return terms


def _token(name: str, held: Holdings, snapshot: Snapshot, parameters: Parameters) -> Token:
    bank, price = parameters.banks.get(name, _UNLISTED), snapshot.asset_price(name)
    return Token(
        name=name,
        balance=held.balances.get(name, 0.0),
        price=Price(oracle=price, stable=price),
        weights=bank.weights,
        deposits=bank.deposits,
        borrows=bank.borrows,
        deposit_scale_start=bank.deposit_scale_start,
        borrow_scale_start=bank.borrow_scale_start,
    )


def _perpetual(contract: Contract, snapshot: Snapshot, parameters: Parameters) -> Perpetual:
    """The position in lots, its size rounded up, and in units of the settle token."""
    market, settle = parameters.perpetuals[contract.coin], snapshot.asset_price(parameters.settle)
    price = contract.oracle / settle
    lots = math.ceil(abs(contract.coins) / market.lot_size - 1e-9) * (1 if contract.coins >= 0.0 else -1)
    return Perpetual(
        settle=parameters.settle,
        price=Price(oracle=price, stable=price),
        weights=market.weights,
        lot_size=market.lot_size,
        base_lots=lots,
        quote=contract.pnl / settle - lots * market.lot_size * price,
        bids_lots=math.ceil(contract.buys / market.lot_size - 1e-9),
        asks_lots=math.ceil(contract.sells / market.lot_size - 1e-9),
        init_overall=market.init_overall,
        maint_overall=market.maint_overall,
    )


RULEBOOK = Rulebook(
    id="mango-v4",
    name="Mango v4",
    family="weights",
    products="spot, perpetual, open orders",
    method="net health: weighted assets less weighted liabilities; orders at their worse outcome",
    formulas="""\
health = Σ (balance + perpetual P&L settled in the token)·price·weight + Σ spot markets min(reserve as base, as quote)
init: assets at min(oracle, stable), liabilities at max; weight × start/deposits, × borrows/start beyond `start`
perpetual: quote + min(bids filled at the liability price, asks at the asset price); positive totals × overall weight
maint health < 0 is liquidated until init health (unscaled, oracle prices) ≥ 0""",
    sources=("blockworks-foundation/mango-v4 @ 1303a4a1: programs/mango-v4/src/health, state/bank.rs",),
    certainty="unknown",
    parameters=Parameters,
    folder="mango",
    evaluate=evaluate,
    open_parts=("weights by token and market live on chain: those shipped are a conservative reading",),
    venues=("MANGO",),
)
