"""Statements as tables for a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType
from rich.text import Text

from crossmargin.cli.proving.report import AttestReport, VerifyReport
from crossmargin.cli.proving.words import claims, left_out, limits, money, published, verdict
from crossmargin.cli.table_parts import Row, Sheet, prose, table
from crossmargin.cli.wording import Column, label_text

_STYLE: Final = {"holds": "bold green", "fails": "bold white on red", "not checked": "yellow"}
_SIGNS: Final = {"holds": "✓", "fails": "✗", "not checked": "–"}


def verify_tables(report: VerifyReport) -> RenderableType:
    """Every check with its outcome, what it means, and what the statement claims."""
    columns = [Column(name, words=True) for name in ("check", "outcome", "what it means", "reason")]
    rows: list[Row] = [
        [row.check, Text(f"{_SIGNS[row.outcome]} {row.outcome}", style=_STYLE[row.outcome]), row.meaning, row.reason]
        for row in report.checks
    ]
    why = tuple(row.why for row in report.checks if row.outcome == "fails")
    parts = [prose(claims(report)), table("Checks", columns, rows)]
    return Sheet(
        *parts, *([prose(why)] if why else []), prose((verdict(report),)), prose((*left_out(report), *limits()))
    )


def attest_tables(report: AttestReport) -> RenderableType:
    """The statements of an epoch, and what to do with them."""
    heads = ("positions", "worst loss USD", "collateral USD")
    columns = [Column("account", words=True), *map(Column, heads), Column("in", words=True), Column("file", words=True)]
    rows: list[Row] = [
        [
            row.account,
            str(row.positions),
            money(row.worst_loss, report.money_decimals),
            money(row.collateral, report.money_decimals),
            label_text(row.worst_scenario),
            row.file,
        ]
        for row in report.statements
    ]
    return Sheet(table("Statements", columns, rows), prose(published(report)))
