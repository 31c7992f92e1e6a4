"""Binance portfolio margin: one ratio of equity to maintenance margin (uniMMR) over spot, loans and futures.

Not scenario based: every futures position keeps its bracket. Sources: Binance support, "What is uniMMR" (2025-02-06)
and "Portfolio Margin Pro: maintenance margin ratio".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.brackets import BracketTable, bracket_maintenance, within_cap
from crossmargin.margin.rulebooks.holdings import LINEAR, Contract, Holdings, read_holdings, split_listed
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

Action: TypeAlias = Literal["free", "reminder", "reduce only", "liquidation", "liquidation and claim"]


class Balance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One asset: margin account, its loan, futures account and unrealised P&L, in units; loss of open orders in units;
    the index in USD, the collateral rate and the maintenance rate of the loan."""

    asset: str
    index: float
    collateral_rate: float
    margin: float = 0.0
    loan: float = 0.0
    futures: float = 0.0
    unrealised: float = 0.0
    open_loss: float = 0.0
    loan_rate: float = 0.0

    def __post_init__(self) -> None:
        where = f"binance balance {self.asset}"
        check.positive(self.index, "index", where=where)
        check.within(self.collateral_rate, "collateral_rate", 0.0, 1.0, where=where)
        check.within(self.loan_rate, "loan_rate", 0.0, 1.0, where=where)
        check.within(self.loan, "loan", 0.0, math.inf, where=where)
        check.within(self.open_loss, "open_loss", 0.0, math.inf, where=where)
        for name in ("margin", "futures", "unrealised"):
            check.finite(getattr(self, name), name, where=where)

    @property
    def net(self) -> float:
        """Units owned less owed."""
        return self.margin - self.loan + self.futures + self.unrealised


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A futures position: `notional` in the units of its table (USDT for UM, coins or contracts times their multiplier
    for CM, as listed), and the index in USD of one such unit."""

    symbol: str
    notional: float
    table: BracketTable
    index: float = 1.0

    def __post_init__(self) -> None:
        check.finite(self.notional, "notional", where=f"binance position {self.symbol}")
        check.positive(self.index, "index", where=f"binance position {self.symbol}")


class Portfolio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account; in PM Pro the loss of open orders is not taken off equity."""

    balances: tuple[Balance, ...] = ()
    positions: tuple[Position, ...] = ()
    pro: bool = False


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Equity after collateral rates, equity less open losses, and maintenance margin, USD."""

    equity: float
    adjusted_equity: float
    maintenance: float

    @property
    def ratio(self) -> float:
        """uniMMR = adjusted equity / maintenance margin; infinite where nothing is required."""
        return self.adjusted_equity / self.maintenance if self.maintenance > 0.0 else math.inf

    @property
    def action(self) -> Action:
        """What the venue does at this ratio: boundaries belong to the worse side."""
        limits: tuple[tuple[float, Action], ...] = (
            (1.0, "liquidation and claim"),
            (1.05, "liquidation"),
            (1.2, "reduce only"),
            (1.5, "reminder"),
        )
        worst = (name for limit, name in limits if self.adjusted_equity <= limit * self.maintenance)
        return next(worst, "free") if self.maintenance > 0.0 else "free"


def balance_equity(balance: Balance) -> float:
    """min(x·index·rate, x·index): a debt is not made smaller by its collateral rate. USD."""
    worth = balance.net * balance.index
    return min(worth * balance.collateral_rate, worth)


def position_maintenance(position: Position) -> float:
    """|rate·notional| − cum of the tier of the whole notional, USD."""
    return bracket_maintenance(position.table, abs(position.notional)) * position.index


def margin_of(portfolio: Portfolio) -> Ratio:
    """Equity and maintenance margin of an account, summed over assets and positions."""
    equity = math.fsum(balance_equity(b) for b in portfolio.balances)
    losses = 0.0 if portfolio.pro else math.fsum(b.open_loss * b.index for b in portfolio.balances)
    loans = math.fsum(b.loan * b.loan_rate * b.index for b in portfolio.balances)
    futures = math.fsum(position_maintenance(p) for p in portfolio.positions)
    return Ratio(equity=equity, adjusted_equity=equity - losses, maintenance=loans + futures)


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Brackets by coin, in USD; collateral and loan rates by asset; the ratios at which risk may be added and
    liquidation starts. `leverage` is what a cross futures account has chosen."""

    source: str
    date: str
    brackets: Mapping[str, BracketTable]
    collateral_rates: Mapping[str, float]
    collateral_certainty: Certainty = "exact"
    loan_rate: float = 0.1
    ratio_initial: float = 1.2
    ratio_maintenance: float = 1.05
    leverage: float = 20.0
    cash: tuple[str, ...] = ("USDT", "USDC")


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book in portfolio margin.

    Initial is 1.2 times the maintenance margin (below that only reductions are taken), maintenance 1.05 times
    (liquidation). A position counts at the worse fill of its orders.
    """
    held = read_holdings(book, snapshot, families=LINEAR, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.brackets)
    listed, oversized = within_cap(listed, parameters.brackets)
    balances, unlisted = _balances(held, parameters)
    pnl = Balance(asset="P&L", index=1.0, collateral_rate=1.0, unrealised=math.fsum(c.pnl for c in listed))
    ratio = margin_of(Portfolio(balances=(*balances, pnl)))
    terms = [_term(_position(c, parameters), parameters) for c in listed]
    loans = math.fsum(b.loan * b.loan_rate * b.index for b in balances)
    if loans:
        terms.append(_scaled("loans", loans, parameters, parameters.collateral_certainty, "loan rate by leverage"))
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        ratio.adjusted_equity,
        certainty=parameters.collateral_certainty,
        notes=(*held.notes, "initial is 1.2, maintenance 1.05 times the venue's maintenance margin", *oversized),
        refused=(*refused, *unlisted, *(note.split(":", maxsplit=1)[0] for note in oversized)),
    )


def _position(contract: Contract, parameters: Parameters) -> Position:
    notional = contract.worst_coins * contract.mark
    return Position(symbol=contract.instrument, notional=notional, table=parameters.brackets[contract.coin])


def _term(position: Position, parameters: Parameters) -> RuleTerm:
    table = position.table
    return _scaled(position.symbol, position_maintenance(position), parameters, table.certainty, table.note)


def _scaled(name: str, maintenance: float, parameters: Parameters, certainty: Certainty, note: str) -> RuleTerm:
    return RuleTerm(
        name=name,
        initial=maintenance * parameters.ratio_initial,
        maintenance=maintenance * parameters.ratio_maintenance,
        certainty=certainty,
        note=note,
    )


def _balances(held: Holdings, parameters: Parameters) -> tuple[tuple[Balance, ...], tuple[str, ...]]:
    found, refused = [], []
    for name, amount in held.balances.items():
        rate = parameters.collateral_rates.get(name)
        if rate is None and amount >= 0.0:
            refused += [f"collateral {name}"] if amount else []
            continue
        owed = max(-amount, 0.0)
        found.append(
            Balance(
                asset=name,
                index=held.prices[name],
                collateral_rate=1.0 if rate is None else rate,
                margin=max(amount, 0.0),
                loan=owed,
                loan_rate=parameters.loan_rate,
            )
        )
    return tuple(found), tuple(refused)


RULEBOOK = Rulebook(
    id="binance-pm",
    name="Binance portfolio margin",
    family="weights",
    products="spot, loans, perpetual and future (USDⓈ-M, COIN-M)",
    method="equity after collateral rates over the sum of bracket maintenance margins (uniMMR)",
    formulas="""\
equity = Σ min(x·index·rate, x·index), x = asset − loan + futures asset + unrealised P&L
MM = Σ (|rate·notional| − cum)·index + Σ loan·loan rate·index;  cum_i = cum_{i−1} + floor_i·(rate_i − rate_{i−1})
uniMMR = (equity − open losses)/MM: ≤ 1.5 reminder, ≤ 1.2 reduce only, ≤ 1.05 liquidation, ≤ 1 claim""",
    sources=(
        "Binance support: What is uniMMR (2025-02-06)",
        "Binance support: Portfolio Margin Pro, maintenance margin ratio",
        "BTCUSDT leverage brackets, July 2024",
    ),
    certainty="approximate",
    parameters=Parameters,
    folder="binance",
    evaluate=evaluate,
    open_parts=(
        "whether option legs enter uniMMR is not public: options are refused",
        "collateral rates and brackets beyond BTC change often: load the venue's current tables",
    ),
)
