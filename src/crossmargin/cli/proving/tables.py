"""Statements as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from crossmargin.cli.proving.report import AttestReport, CheckRow, VerifyReport
from crossmargin.cli.proving.words import claims, left_out, limits, money, published, verdict
from crossmargin.cli.table_parts import Row, Sheet, prose, table
from crossmargin.cli.wording import Column, label_text

_STYLE: Final = {"holds": "bold green", "fails": "bold white on red", "not checked": "yellow"}
_SIGNS: Final = {"holds": "✓", "fails": "✗", "not checked": "–"}


def verify_tables(report: VerifyReport) -> RenderableType:
    """Every check with its outcome, what it means, and what the statement claims."""
    return Sheet(prose(claims(report)), *check_parts(report.checks), prose((*left_out(report.checks), *limits())))


def check_parts(checks: Sequence[CheckRow]) -> tuple[RenderableType, ...]:
    """Every check with its outcome, why any fails, and the verdict."""
    columns = [Column(name, words=True) for name in ("check", "outcome", "what it means", "reason")]
    rows: list[Row] = [
        [row.check, Text(f"{_SIGNS[row.outcome]} {row.outcome}", style=_STYLE[row.outcome]), row.meaning, row.reason]
        for row in checks
    ]
    why = tuple(row.why for row in checks if row.outcome == "fails")
    return (table("Checks", columns, rows), *([prose(why)] if why else []), prose((verdict(checks),)))


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
