"""Failures as rows of text: the same columns for the terminal and for the page."""

from __future__ import annotations

from typing import Final, TypeAlias

from crossmargin.cli.failures.words import duration, follows, is_held, notices
from crossmargin.cli.wording import Column, compact, percent, usd
from crossmargin.engine.failures.reports import FailureLine, FailureReport, SalesLine

Texts: TypeAlias = list[list[str]]
COINS_SHOWN: Final = 3


def event_rows(report: FailureReport) -> tuple[list[Column], Texts]:
    """One row for each event that touches the book: its loss, what forced sales add, and what follows.

    The loss at another end of what was reported stands where it is another."""
    held = [line for line in report.events if is_held(line)]
    has_low, has_high, has_sales = (
        any(line.low.loss_usd != line.loss_usd for line in held),
        any(line.high.loss_usd != line.loss_usd for line in held),
        any(line.sales is not None for line in held),
    )
    heads = [*_if(has_low, "low end"), "loss USD", *_if(has_high, "high end"), *_if(has_sales, "sales add")]
    columns = [
        Column("event", words=True),
        Column("", words=True),
        *map(Column, (*heads, "unavailable", "requirement")),
    ]
    columns += [Column("follows", words=True), Column("noticed by", words=True)]
    rows = []
    for line in held:
        figures = [*_if(has_low, _end(line, line.low.loss_usd)), usd(line.loss_usd)]
        figures += _if(has_high, _end(line, line.high.loss_usd))
        figures += _if(has_sales, usd(line.sales.loss_usd) if line.sales else "")
        figures += [usd(line.unavailable_usd), usd(line.requirement_usd)]
        rows.append([line.id, line.label, *figures, follows(line), notices(line)])
    return columns, rows


def _if(wanted: bool, text: str) -> list[str]:
    return [text] if wanted else []


def _end(line: FailureLine, loss_usd: float) -> str:
    return usd(loss_usd) if loss_usd != line.loss_usd else ""


def sales_rows(report: FailureReport) -> tuple[list[Column], Texts]:
    """One row for each event that forces sales: where prices end, who must sell and cannot pay, and who pays for it."""
    heads = ("must sell", "of the book", "cannot pay", "debts", "fund pays", "others pay", "book pays", "lasts")
    columns = [Column("event", words=True), Column("prices end at", words=True), *map(Column, heads)]
    return columns, [_sales_row(line.id, line.sales) for line in report.events if line.sales is not None]


def _sales_row(name: str, sales: SalesLine) -> list[str]:
    mine = sum(one.first_s is not None for one in sales.book)
    counts = (f"{sales.sellers:,}", f"{mine:,} of {len(sales.book):,}", f"{sales.failed:,}")
    paid = (sales.deficit_usd, sales.fund_usd, sales.charged_usd, sum(one.charged_usd for one in sales.book))
    return [name, _prices(sales), *counts, *map(compact, paid), duration(sales.lasted_s) if sales.settled else "no end"]


def _prices(sales: SalesLine) -> str:
    """The coins that end furthest down."""
    furthest = sorted(sales.moves.items(), key=lambda move: move[1])[:COINS_SHOWN]
    return ", ".join(f"{factor.partition(':')[2]} {percent(x)}" for factor, x in furthest)
