"""Collateral on chains as part of a page."""

from __future__ import annotations

from collections.abc import Sequence

from crossmargin.cli.report.page_parts import card, table
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.tokens.words import (
    ASKED,
    ASKED_TITLE,
    COUNTED,
    KINDS,
    SHARED,
    SHARED_NOTE,
    SHARED_TITLE,
    STANDINGS,
    STOCKS,
    STOCKS_TITLE,
    WAYS,
    asked_rows,
    counted_row,
    counted_total,
    shared_rows,
    standing_rows,
    stock_rows,
    tokens_held,
    way_row,
    why,
)
from crossmargin.engine.reports import AccountReport, ExplainReport
from crossmargin.engine.token_reports import Standing


def token_share_card(report: ExplainReport) -> Markup:
    """What each token adds to the requirement, and what each holding and each bridge have in the terms of chains."""
    parts = [table(ASKED_TITLE, ASKED, asked_rows(report.by_token))]
    if report.by_chain_term:
        parts.append(table(SHARED_TITLE, SHARED, shared_rows(report.by_chain_term)))
        parts.append(element("p", SHARED_NOTE, class_="note"))
    return card(join(parts))


def token_cards(account: AccountReport) -> Markup:
    """What each token counts for and why, the ways to where it is needed, and sums; nothing without chains."""
    held, parts = tokens_held(account), list[Markup]()
    if held:
        rows = [counted_row(*pair) for pair in held]
        made = table("What tokens count for, taken apart, USD", COUNTED, [*rows, counted_total(held)], total=True)
        note = (
            "Gross is at the price of the asset. Price, peg, backing, finality and liquidity are what was taken off, "
            "and add up with what is recognised. Of what was taken, pending counts once it is final; refused is not "
            "accepted as it stands."
        )
        reasons = [element("p", words, class_="note") for pair in held if (words := why(*pair))]
        parts.append(card(join((made, element("p", note, class_="note"), *reasons))))
        ways = [row for pair in held if (row := way_row(*pair))]
        if ways:
            parts.append(card(table("To where it is needed", WAYS, ways)))
    sums = _sums("Collateral", account.standings)
    if sums:
        parts.append(card(join(sums)))
    return join(parts)


def stock_card(standings: Sequence[Standing]) -> Markup:
    """What all accounts of a book hold together; nothing without chains."""
    stocks = stock_rows(standings)
    made = [*_sums("Collateral of all accounts", standings), *([table(STOCKS_TITLE, STOCKS, stocks)] if stocks else [])]
    return card(join(made)) if made else Markup("")


def _sums(what: str, standings: Sequence[Standing]) -> list[Markup]:
    return [
        table(f"{what} {heading}", STANDINGS, rows)
        for kind, heading in KINDS
        if (rows := standing_rows(standings, kind))
    ]
