"""Collateral on chains as tables for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType

from crossmargin.cli.table_parts import Row, prose, table
from crossmargin.cli.tokens.words import (
    ASKED,
    ASKED_TITLE,
    COUNTED,
    KINDS,
    STANDINGS,
    STOCKS,
    STOCKS_TITLE,
    WAYS,
    asked_rows,
    counted_row,
    counted_total,
    standing_rows,
    stock_rows,
    tokens_held,
    way_row,
    why,
)
from crossmargin.engine.reports import AccountReport, Share
from crossmargin.engine.token_reports import Standing


def token_share_table(shares: Sequence[Share]) -> Iterator[RenderableType]:
    """What each token adds to the requirement, where there are any."""
    if shares:
        rows: list[Row] = [list(row) for row in asked_rows(shares)]
        yield table(ASKED_TITLE, ASKED, rows)


def token_tables(account: AccountReport) -> Iterator[RenderableType]:
    """What each token counts for and why, the ways to where it is needed, and sums; nothing without chains."""
    held = tokens_held(account)
    if held:
        rows: list[Row] = [list(counted_row(*pair)) for pair in held]
        yield table("What tokens count for, taken apart, USD", COUNTED, [*rows, [*counted_total(held)]], total=True)
        reasons = [words for pair in held if (words := why(*pair))]
        if reasons:
            yield prose(reasons)
        ways: list[Row] = [list(row) for pair in held if (row := way_row(*pair))]
        if ways:
            yield table("To where it is needed", WAYS, ways)
    yield from _sums("Collateral", account.standings)


def stock_tables(standings: Sequence[Standing]) -> Iterator[RenderableType]:
    """What all accounts of a book hold together; nothing without chains."""
    yield from _sums("Collateral of all accounts", standings)
    stocks: list[Row] = [list(row) for row in stock_rows(standings)]
    if stocks:
        yield table(STOCKS_TITLE, STOCKS, stocks)


def _sums(what: str, standings: Sequence[Standing]) -> Iterator[RenderableType]:
    for kind, heading in KINDS:
        sums: list[Row] = [list(row) for row in standing_rows(standings, kind)]
        if sums:
            yield table(f"{what} {heading}", STANDINGS, sums)
