"""The demonstration as a transcript for a terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from crossmargin.cli.chains.report import DemoReport
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
from crossmargin.cli.table_parts import Row, Sheet, prose, status_text, table
from crossmargin.cli.wording import Column, quantity


def demo_tables(report: DemoReport) -> RenderableType:
    """Step by step: sentences, and a table where there is something to compare."""
    parts: list[RenderableType] = []
    tables = {
        "deposits": (balance_table,),
        "margin": (margin_table,),
        "report": (check_table,),
        "refused": (withdrawal_table,),
        "breaks": (break_table, gas_table),
    }
    for number, step in enumerate(report.steps, 1):
        heading = Text(f" {number}. {step.title}", style="bold")
        heading.append(f"  {step.seconds:.1f} s", style="dim")
        parts += [heading, prose(told(report, step.id))]
        parts += [made(report) for made in tables.get(step.id, ())]
    parts.append(prose((f"{report.seconds:.0f} seconds in all; every process that was started has ended.",)))
    return Sheet(*parts)


def balance_table(report: DemoReport) -> RenderableType:
    """What was read of both vaults, and how."""
    return table("Balances in the vaults", BALANCES, balance_rows(report))


def margin_table(report: DemoReport) -> RenderableType:
    """What counts, chain by chain, and what is asked for."""
    return table("Margin", [Column("", words=True), Column("USD")], margin_rows(report))


def check_table(report: DemoReport) -> RenderableType:
    """Every check of the statement; what was checked on a chain is told by its letter."""
    columns = [Column(name, words=True) for name in ("check", "outcome", "what it means")]
    return table("Checks", columns, [[on_chain(c.check, report), c.outcome, c.meaning] for c in report.attested.checks])


def withdrawal_table(report: DemoReport) -> RenderableType:
    """What was asked back, and what came of it; that of the challenged report stands in the last table."""
    columns = [Column("chain", words=True), Column("asked"), Column("paid"), Column("refused", words=True)]
    rows = [[w.chain, quantity(w.amount), quantity(w.paid), w.reason] for w in report.withdrawals[:2]]
    return table("Withdrawals", columns, rows)


def break_table(report: DemoReport) -> RenderableType:
    """Every break, look by look."""
    rows: list[Row] = []
    for one in report.breaks:
        rows.append([Text(one.title, style="bold"), *[""] * (len(MOMENTS) - 1)])
        rows += [[*moment_row(found), status_text(found.figures.status)] for found in one.moments]
    return table("What breaks, and what the margin does, USD", MOMENTS, rows)


def gas_table(report: DemoReport) -> RenderableType:
    """What every kind of transaction took, by chain: the last of its kind."""
    return table("Gas", [Column("transaction", words=True), Column("on A"), Column("on B")], gas_rows(report))
