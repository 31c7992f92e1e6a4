"""Bybit cross margin of options: every short by itself, spreads at the price of the naked leg."""

from __future__ import annotations

from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult
from crossmargin.margin.rulebooks.short_options import (
    OptionBookMargin,
    OptionParameters,
    OptionPortfolio,
    book_margin,
    linear_answer,
)
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


def margin_of(portfolio: OptionPortfolio, parameters: OptionParameters) -> OptionBookMargin:
    """MM = max(0.03 S, 0.03 V) + V + 0.2 % S; IM = max(max(0.15 S − O, 0.1 S) + max(entry, V), MM), a coin, USD.

    A sell order sets aside the IM of the short it opens and its fee, less the premium; a buy order premium and fee.
    Source: Bybit, help article on options margin (unified account); the order fee from a third-party copy of 2021.
    """
    return book_margin(portfolio, parameters, where=RULEBOOK.id)


def evaluate(book: Book, snapshot: Snapshot, parameters: OptionParameters) -> RuleResult:
    """The options of a book of one account; futures and perpetuals have rules of their own and are refused by name."""
    return linear_answer(book, snapshot, parameters, rulebook=RULEBOOK.id)


RULEBOOK = Rulebook(
    id="bybit-options-cross",
    name="Bybit unified account, options in cross margin",
    family="strategy",
    products="linear options on BTC, ETH and SOL",
    method="a formula for each short option, nothing netted",
    formulas=(
        "MM = max(0.03 S, 0.03 mark) + mark + 0.2 % S\n"
        "IM = max(max(0.15 S - OTM, 0.1 S) + max(entry, mark), MM)\n"
        "orders: sells IM + fee - premium, buys premium + fee; fee = min(0.03 % S, 12.5 % price)"
    ),
    sources=("Bybit, help article on options margin in the unified account",),
    certainty="approximate",
    parameters=OptionParameters,
    folder="bybit_standard",
    evaluate=evaluate,
    open_parts=("value ratios of collateral other than stablecoins", "the order fee is second-hand, of 2021"),
)
