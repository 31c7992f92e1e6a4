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


def token_share_tables(report: ExplainReport) -> Iterator[RenderableType]:
    """What each token adds to the requirement and to the terms of chains, where there are any."""
    if report.by_token:
        rows: list[Row] = [list(row) for row in asked_rows(report.by_token)]
        yield table(ASKED_TITLE, ASKED, rows)
    if report.by_chain_term:
        shared: list[Row] = [list(row) for row in shared_rows(report.by_chain_term)]
        yield table(SHARED_TITLE, SHARED, shared)
        yield prose([SHARED_NOTE])


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
