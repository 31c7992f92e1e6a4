"""A cascade as one self-contained page."""

from __future__ import annotations

from functools import partial

from crossmargin.cli.cascading.charts import price_path
from crossmargin.cli.cascading.words import account_words, chain_words, notes, story
from crossmargin.cli.failures.words import duration
from crossmargin.cli.report import charts
from crossmargin.cli.report.page_parts import (
    Section,
    Tile,
    card,
    document,
    figure,
    grid,
    header,
    status_pill,
    summary,
    table,
    warned,
)
from crossmargin.cli.report.page_parts import tiles as tile_row
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import Column, compact, named, percent, usd
from crossmargin.engine.failures.cascading import CascadeReport

ACCOUNTS_SHOWN = 200


def cascade_page(report: CascadeReport) -> str:
    """The path of prices, who fails and where, and what is left of the book."""
    name = report.book[0].id if len(report.book) == 1 else named(len(report.book), "account")
    unsettled = () if report.settled else ("No fixed point was found: raise `rounds` in the rules.",)
    top = join(
        (
            header("cascade", name, None, report.provenance),
            summary(story(report)),
            warned(unsettled),
            _tiles(report),
        )
    )
    sections = [
        Section("prices", "Prices, round by round", _prices(report)),
        Section("chains", "Who fails, and where the loss goes", _chains(report)),
        Section("book", "The book", join((card(_book(report)), element("p", " ".join(notes(report)), class_="note")))),
    ]
    return document(f"{name} · cascade", top, sections, report.provenance)


def _tiles(report: CascadeReport) -> Markup:
    dealt, failed = sum(c.dealt for c in report.by_chain), sum(c.failed for c in report.by_chain)
    deepest = min(report.by_asset, key=lambda a: a.move)
    mine = sum(one.first_s is not None for one in report.book)
    return tile_row(
        (
            Tile(f"{deepest.asset} in the end", percent(deepest.move, plus=True), f"shock {percent(deepest.shock)}"),
            Tile("Accounts that must sell", f"{dealt:,}", f"of {report.accounts:,}; {failed:,} cannot pay"),
            Tile("Not paid by losers", compact(report.deficit_usd), f"USD, {compact(report.fund_usd)} by the fund"),
            Tile("Accounts of the book", f"{mine} sell", f"of {len(report.book):,}", "short" if mine else ""),
        )
    )


def _prices(report: CascadeReport) -> Markup:
    heads = ("shock", "in the end", "sold, USD", "taken by the shock", "taken by sales")
    rows = [
        [
            a.asset,
            percent(a.shock, plus=True),
            percent(a.move, plus=True),
            *map(usd, (a.dealt_usd, a.shock_usd, a.impact_usd)),
        ]
        for a in report.by_asset
    ]
    note = "Since before the shock. What is sold in a round moves the price after it; bars are accounts that deal."
    drawn = figure("Price path", note, partial(price_path, report))
    coins = card(table("Coins", [Column("coin", words=True), *map(Column, heads)], rows))
    return join((grid(drawn), coins))


def _chains(report: CascadeReport) -> Markup:
    lost = [
        charts.Bar(chain_words(c.chain), -c.lost_usd, f"{c.dealt:,} sell, {c.failed:,} fail") for c in report.by_chain
    ]
    unpaid = [
        charts.Bar(chain_words(c.chain), -c.deficit_usd, f"halted {duration(c.halted_s)}" if c.halted_s else "")
        for c in report.by_chain
    ]
    drawn = (
        figure("Lost, by chain", "Of accounts that lose.", partial(charts.signed_bars, "Losses by chain", lost)),
        figure(
            "Not paid, by chain",
            "Who waits on a halted chain, gaps.",
            partial(charts.signed_bars, "Deficits by chain", unpaid),
        ),
    )
    heads = ("halted", "oracle late", "accounts", "sell", "fail", "lost, USD", "not paid, USD")
    rows = [
        [
            chain_words(c.chain),
            duration(c.halted_s) if c.halted_s else "",
            duration(c.delay_s) if c.delay_s else "",
            f"{c.accounts:,}",
            f"{c.dealt:,}",
            f"{c.failed:,}",
            usd(c.lost_usd),
            usd(c.deficit_usd),
        ]
        for c in report.by_chain
    ]
    chains = table("Chains", [Column("chain", words=True), *map(Column, heads)], rows)
    balance = [
        ["what losers lose", usd(report.lost_usd)],
        ["less what others gain", usd(-report.gained_usd)],
        ["is what the shock takes, net", usd(report.shock_usd)],
        ["and what sales take, net", usd(report.impact_usd)],
        ["and penalties", usd(report.penalty_usd)],
        ["less what the fund pays", usd(-report.fund_usd)],
        ["less what those who are left pay", usd(-report.charged_usd)],
        ["less what nobody pays", usd(-report.unpaid_usd)],
    ]
    whole = table("Where the loss goes", [Column("", words=True), Column("USD")], balance)
    return join((grid(*drawn), grid(card(chains), card(whole))))


def _book(report: CascadeReport) -> Markup:
    heads = ("loss, USD", "equity then, USD", "maintenance then")
    columns = [Column("account", words=True), Column("on", words=True), Column("in the cascade", words=True)]
    columns += [*map(Column, heads), Column("status", words=True)]
    rows = [
        [
            one.id,
            chain_words(one.chain),
            account_words(one),
            *map(usd, (one.loss_usd, one.equity_usd, one.maintenance_usd)),
            status_pill(one.status),
        ]
        for one in report.book[:ACCOUNTS_SHOWN]
    ]
    return table("Accounts, and their margin at the last prices", columns, rows)
