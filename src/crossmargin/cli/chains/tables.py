"""The demonstration as a transcript for a terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from crossmargin.cli.chains.report import DemoReport
from crossmargin.cli.chains.words import gas_rows, on_chain, told
from crossmargin.cli.table_parts import Row, Sheet, prose, status_text, table
from crossmargin.cli.wording import Column, quantity, usd


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
    names = ("pending", "final", "proven", "final block", "of", "nodes", "bytes", "ms")
    columns = [Column("chain", words=True), Column("when", words=True), Column("trust", words=True)]
    columns += map(Column, names)
    rows: list[Row] = []
    for one in report.balances:
        pending = sum(amount for level, amount in one.amounts.items() if level not in {"final", "settled"})
        final = sum(one.amounts.values()) - pending
        figures = (quantity(pending), quantity(final), quantity(one.proven), str(one.block), str(one.head))
        cost = (str(one.nodes), str(one.proof_bytes), f"{one.proof_ms:.1f}")
        rows.append([one.chain, one.when, one.trust, *figures, *cost])
    return table("Balances in the vaults", columns, rows)


def margin_table(report: DemoReport) -> RenderableType:
    """What counts, chain by chain, and what is asked for."""
    found = report.margin
    rows: list[Row] = [[f"counts on {name}", usd(amount)] for name, amount in found.by_chain.items()]
    rows += [["equity, with positions", usd(found.equity_usd)], ["requirement", usd(found.initial_usd)]]
    rows += [[f"of it {name.replace('_', ' ')}", usd(amount)] for name, amount in found.terms.items()]
    return table("Margin", [Column("", words=True), Column("USD")], rows)


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
    columns = [Column(name, words=True) for name in ("what happens", "what is seen")]
    columns += map(Column, ("counts", "pending", "requirement", "free"))
    columns.append(Column("status", words=True))
    rows: list[Row] = []
    for one in report.breaks:
        rows.append([Text(one.title, style="bold"), *[""] * 6])
        for moment in one.moments:
            figures = moment.figures
            amounts = (figures.counts_usd, figures.pending_usd, figures.initial_usd, figures.excess_usd)
            rows.append([moment.stage, moment.seen, *map(usd, amounts), status_text(figures.status)])
    return table("What breaks, and what the margin does, USD", columns, rows)


def gas_table(report: DemoReport) -> RenderableType:
    """What every kind of transaction took, by chain: the last of its kind."""
    return table("Gas", [Column("transaction", words=True), Column("on A"), Column("on B")], gas_rows(report))
