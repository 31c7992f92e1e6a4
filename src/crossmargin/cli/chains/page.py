"""The demonstration as one self-contained page."""

from __future__ import annotations

from crossmargin.cli.chains.report import Break, DemoReport
from crossmargin.cli.chains.words import (
    BALANCES,
    MOMENTS,
    balance_rows,
    gas_rows,
    margin_rows,
    moment_row,
    on_chain,
    told,
)
from crossmargin.cli.report.page_parts import Section, Tile, card, closing, framed, status_pill, summary, table, tiles
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import Column, usd


def demo_page(report: DemoReport) -> str:
    """What counts, step by step, what breaks, and what it took."""
    top = join((_header(report), summary(told(report, "start")), _tiles(report)))
    sections = [Section(step.id, step.title, _step(report, step.id)) for step in report.steps if step.id != "start"]
    sections.append(Section("gas", "Gas", card(_gas(report))))
    foot = closing(
        (("Account", report.account), ("Backend", report.backend), ("Digest of the report", report.attested.digest)),
        "Chains of one's own: nothing here is of worth. The market is the bundled one, held still.",
    )
    return framed("Across chains", top, sections, foot)


def _header(report: DemoReport) -> Markup:
    return element(
        "header",
        element("p", "Crossmargin · demonstration", class_="kind"),
        element("h1", element("span", "One margin over two chains")),
        element("p", f"{report.backend} · {report.seconds:.0f} s", class_="when"),
    )


def _tiles(report: DemoReport) -> Markup:
    found, checks = report.margin, report.attested.checks
    held = sum(check.outcome == "holds" for check in checks)
    return tiles(
        (
            Tile("Counts", usd(found.counts_usd), "USD, on both chains"),
            Tile("Requirement", usd(found.initial_usd), "USD"),
            Tile("Checks that hold", f"{held} of {len(checks)}", "of the statement, offline"),
            Tile("Breaks", str(len(report.breaks)), "each with the margin before and after"),
        )
    )


def _step(report: DemoReport, step: str) -> Markup:
    parts = [element("p", " ".join(told(report, step)))]
    if step == "deposits":
        parts.append(table("Balances in the vaults", BALANCES, balance_rows(report)))
    if step == "margin":
        parts.append(table("Margin", [Column("", words=True), Column("USD")], margin_rows(report)))
    if step == "report":
        columns = [Column(name, words=True) for name in ("check", "outcome", "what it means")]
        rows = [(on_chain(c.check, report), c.outcome, c.meaning) for c in report.attested.checks]
        parts.append(table("Checks", columns, rows))
    if step == "breaks":
        parts += [_broken(one) for one in report.breaks]
    return card(join(parts))


def _broken(one: Break) -> Markup:
    rows = [(*moment_row(found), status_pill(found.figures.status)) for found in one.moments]
    return table(f"{one.title}, USD", MOMENTS, rows)


def _gas(report: DemoReport) -> Markup:
    columns = [Column("transaction", words=True), Column("on A"), Column("on B")]
    return table("What each kind of transaction took, the last of its kind", columns, gas_rows(report))
