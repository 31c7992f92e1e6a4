"""Strategy margin of shares and listed options: Regulation T, Cboe Rule 10.3, FINRA Rule 4210.

The margin account is asked for the least that any pairing of its legs into recognised strategies asks for; initial and
maintenance margin, and the deposit of a cash account, each have a best pairing of their own.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.cboe.account import read_account
from crossmargin.margin.rulebooks.cboe.pairing import Held, best_pairing
from crossmargin.margin.rulebooks.cboe.portfolio import ZERO, Parameters, Portfolio
from crossmargin.margin.rulebooks.cboe.strategies import Purpose, Sheet
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """`count` units of a strategy: its legs by index (options, then shares) with units of each; USD of all."""

    name: str
    count: int
    legs: tuple[tuple[int, int], ...]
    requirement: Decimal
    gross: Decimal


class Pairing(msgspec.Struct, frozen=True, kw_only=True):
    """The best pairing for one purpose, USD.

    `requirement` sums what the rule states for each strategy: spreads after the premiums received, all else with them.
    `gross` counts all with them; `deposit` counts all after them, and is what a new account must bring.
    """

    requirement: Decimal
    gross: Decimal
    deposit: Decimal
    strategies: tuple[Paired, ...]


class StrategyMargin(msgspec.Struct, frozen=True, kw_only=True):
    """`cash` is None where a cash account may not hold the position (shares sold short)."""

    initial: Pairing
    maintenance: Pairing
    cash: Pairing | None


def margin_of(portfolio: Portfolio, parameters: Parameters) -> StrategyMargin:
    """The least initial, maintenance and cash requirement of positions on one underlying.

    Short option: premium + max(p·U − out of the money, m). Short straddle: the greater side, and the other premium.
    Spread: its greatest loss or the short's requirement, and the long side in full. Shares: 50 % of cost.
    Source: Cboe, Strategy-based Margin (Rule 10.3); FINRA 4210(f)(2); CBOE Margin Manual (2000).
    """
    sheet = Sheet(portfolio, parameters)
    sold = any(leg.quantity < 0 for leg in portfolio.shares)
    return StrategyMargin(
        initial=_paired(sheet, "initial"),
        maintenance=_paired(sheet, "maintenance"),
        cash=None if sold else _paired(sheet, "cash"),
    )


def _paired(sheet: Sheet, purpose: Purpose) -> Pairing:
    held = best_pairing(sheet, purpose)
    premiums = sum((-leg.quantity * leg.price for leg in sheet.portfolio.options if leg.quantity < 0), ZERO)
    gross = sum((h.strategy.gross * h.count for h in held), ZERO)
    return Pairing(
        requirement=sum((h.strategy.stated * h.count for h in held), ZERO),
        gross=gross,
        deposit=gross - premiums * sheet.parameters.multiplier,
        strategies=tuple(_stated(h) for h in held),
    )


def _stated(held: Held) -> Paired:
    s = held.strategy
    return Paired(
        name=s.name, count=held.count, legs=s.legs, requirement=s.stated * held.count, gross=s.gross * held.count
    )


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin account of a book of one: each underlying paired by itself.

    Requirements are gross: they contain the value of short options and short shares, and `equity_usd` does not deduct
    it. Raises `InvalidInput` for more than one account, `MissingFactors` where the market lacks a price.
    """
    account = read_account(book, snapshot, parameters)
    terms, notes = [], list(account.notes)
    for name, portfolio in account.portfolios.items():
        initial, maintenance = (_paired(Sheet(portfolio, parameters), p) for p in ("initial", "maintenance"))
        note = "; ".join(f"{p.count} x {p.name}" for p in initial.strategies)
        terms.append(RuleTerm(name=name, initial=float(initial.gross), maintenance=float(maintenance.gross), note=note))
    if terms and sum(t.initial for t in terms) < parameters.minimum_equity:
        notes.append(f"an account needs at least {parameters.minimum_equity} USD of equity to open positions")
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        account.equity_usd,
        notes=notes,
        refused=account.refused,
    )


RULEBOOK = Rulebook(
    id="cboe-strategy",
    name="Regulation T and Cboe strategy margin",
    family="strategy",
    products="listed options on shares and indices, shares and funds",
    method="least sum of strategy requirements over all pairings of legs, by integer programming",
    formulas=(
        "short option: premium + max(p U - OTM, m), p 20 % (broad index 15 %), m 10 % of U (call) or K (put)\n"
        "short straddle: the greater side + premium of the other\n"
        "spread: min(greatest loss over the strikes, short requirement) + longs in full\n"
        "shares: 50 % initial, 25 % (short 30 %) maintenance; hedged: 10 % of K + OTM, conversion 10 % of K\n"
        "long option: premium; beyond nine months 75 % of it"
    ),
    sources=(
        "Cboe, Strategy-based Margin (Rule 10.3)",
        "FINRA Rule 4210(f)(2)",
        "CBOE Margin Manual, April 2000",
    ),
    certainty="exact",
    parameters=Parameters,
    folder="cboe",
    evaluate=evaluate,
    open_parts=(
        "maintenance minimums of hedged shares are general knowledge, not confirmed in the rule's text",
        "a cash account is taken to hold spreads of European, cash-settled options; it may hold no others",
        "brokers may ask for more",
    ),
    venues=("CBOE",),
)
