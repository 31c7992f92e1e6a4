"""A cascade as tables for a terminal."""

from __future__ import annotations

from rich.console import RenderableType

from crossmargin.cli.cascading.words import account_words, chain_words, notes, story
from crossmargin.cli.failures.words import duration
from crossmargin.cli.table_parts import Row, Sheet, footer, prose, status_text, table
from crossmargin.cli.wording import Column, compact, percent, usd
from crossmargin.engine.failures.cascading import CascadeReport

ACCOUNTS_SHOWN = 20


def cascade_tables(report: CascadeReport) -> RenderableType:
    """Prices, chains, where the loss goes, and the accounts of the book."""
    parts = (_assets(report), _chains(report), _balance(report), _book(report))
    return Sheet(prose(story(report)), *parts, prose(notes(report)), *footer(report.provenance))


def _assets(report: CascadeReport) -> RenderableType:
    heads = ("shock", "in the end", "sold USD", "taken by the shock", "by sales")
    rows: list[Row] = [
        [
            a.asset,
            percent(a.shock, plus=True),
            percent(a.move, plus=True),
            *map(compact, (a.dealt_usd, a.shock_usd, a.impact_usd)),
        ]
        for a in report.by_asset
    ]
    return table(
        "Prices, and what they take from all accounts net", [Column("coin", words=True), *map(Column, heads)], rows
    )


def _chains(report: CascadeReport) -> RenderableType:
    heads = ("halted", "accounts", "sell", "fail", "lost USD", "not paid USD")
    rows: list[Row] = [
        [
            chain_words(c.chain),
            duration(c.halted_s) if c.halted_s else "",
            f"{c.accounts:,}",
            f"{c.dealt:,}",
            f"{c.failed:,}",
            compact(c.lost_usd),
            compact(c.deficit_usd),
        ]
        for c in report.by_chain
    ]
    return table("Chains", [Column("chain", words=True), *map(Column, heads)], rows)


def _balance(report: CascadeReport) -> RenderableType:
    rows: list[Row] = [
        ["losers lose", compact(report.lost_usd)],
        ["others gain", compact(-report.gained_usd)],
        ["= the shock takes, net", compact(report.shock_usd)],
        ["+ sales take, net", compact(report.impact_usd)],
        ["+ penalties", compact(report.penalty_usd)],
        ["− not paid: fund", compact(report.fund_usd)],
        ["− not paid: socialised", compact(report.socialised_usd)],
    ]
    return table("Where the loss goes", [Column("", words=True), Column("USD")], rows)


def _book(report: CascadeReport) -> RenderableType:
    heads = ("loss USD", "equity then", "maintenance then")
    columns = [Column("account", words=True), Column("on", words=True), Column("in the cascade", words=True)]
    columns += [*map(Column, heads), Column("status", words=True)]
    rows: list[Row] = [
        [
            one.id,
            chain_words(one.chain),
            account_words(one),
            *map(usd, (one.loss_usd, one.equity_usd, one.maintenance_usd)),
            status_text(one.status),
        ]
        for one in report.book[:ACCOUNTS_SHOWN]
    ]
    more = f", the first {ACCOUNTS_SHOWN} of {len(report.book):,}" if len(report.book) > ACCOUNTS_SHOWN else ""
    return table(f"The book{more}", columns, rows)
