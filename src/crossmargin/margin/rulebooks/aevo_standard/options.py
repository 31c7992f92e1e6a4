"""Aevo standard margin of options: every short by itself."""

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
    """Short call: IM max(0.15 S − O, 0.1 S) + V, MM 0.1 S + V; short put: MM max(0.1 S, 0.1 V) + V, IM not below it.

    A coin, USD; a buy order sets its limit price aside. Source: Aevo documentation, standard margin.
    """
    return book_margin(portfolio, parameters, where=RULEBOOK.id)


def evaluate(book: Book, snapshot: Snapshot, parameters: OptionParameters) -> RuleResult:
    """The options of a book of one account; perpetuals have a rule of their own and are refused by name."""
    return linear_answer(book, snapshot, parameters, rulebook=RULEBOOK.id)


RULEBOOK = Rulebook(
    id="aevo-standard",
    name="Aevo standard margin",
    family="strategy",
    products="linear options on BTC and ETH",
    method="a formula for each short option, nothing netted",
    formulas=(
        "short call: IM max(0.15 S - OTM, 0.1 S) + mark, MM 0.1 S + mark\n"
        "short put: MM max(0.1 S, 0.1 mark) + mark, IM max(max(0.15 S - OTM, 0.1 S) + mark, MM)\n"
        "buy order: size x limit"
    ),
    sources=("Aevo, documentation: standard margin",),
    certainty="exact",
    parameters=OptionParameters,
    folder="aevo_standard",
    evaluate=evaluate,
    open_parts=("margin of sell orders: the initial margin of the shorts that they would open",),
    venues=("AEVO", "eip155:2999"),
)
