"""Proofs of margin as tables for a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType
from rich.text import Text

from crossmargin.cli.proving.words import money, trimmed_moment
from crossmargin.cli.table_parts import Row, Sheet, prose, table
from crossmargin.cli.wording import Column, named
from crossmargin.cli.zk.report import ProveReport, ZkAttestReport, ZkVerifyReport

_STYLE: Final = {"holds": "bold green", "fails": "bold white on red", "not checked": "yellow"}
_SIGNS: Final = {"holds": "✓", "fails": "✗", "not checked": "–"}


def attest_tables(report: ZkAttestReport) -> RenderableType:
    """The openings of an epoch, and what to do with them."""
    columns = [Column("account", words=True), Column("opening", words=True)]
    rows: list[Row] = [[row.account, row.file] for row in report.openings]
    said = [
        f"Publish the digest {report.digest}.",
        "Give each account its own opening only: it is as secret as a statement.",
    ]
    if report.without:
        said.append(f"{named(report.without, 'account')} of {report.accounts} hold more than a circuit has room for.")
    return Sheet(table("Openings", columns, rows), prose(said))


def prove_tables(report: ProveReport) -> RenderableType:
    """What was proved, and how it is checked."""
    said = _said(report.account, report.epoch, report.money_decimals, report.loss_at_most, report.collateral_at_least)
    return Sheet(prose((f"Proved, and written to {report.file}: {said}.", f"It is checked against {report.digest}.")))


def verify_tables(report: ZkVerifyReport) -> RenderableType:
    """Every check with its outcome, what it means, and what the proof says."""
    columns = [Column(name, words=True) for name in ("check", "outcome", "what it means", "reason")]
    rows: list[Row] = [
        [row.check, Text(f"{_SIGNS[row.outcome]} {row.outcome}", style=_STYLE[row.outcome]), row.meaning, row.reason]
        for row in report.checks
    ]
    said = _said(report.account, report.epoch, report.money_decimals, report.loss_at_most, report.collateral_at_least)
    why = tuple(row.why for row in report.checks if row.outcome == "fails")
    verdict = "No check failed." if report.good else "Do not believe it."
    moment = f"It says, as of {trimmed_moment(report.as_of_ms)}: {said}."
    limit = "That R is right, and that prices of collateral are, no proof shows."
    return Sheet(prose((moment,)), table("Checks", columns, rows), prose((*why, verdict, limit)))


def _said(account: str, epoch: int, decimals: int, loss: str, collateral: str) -> str:
    loss_usd, collateral_usd = money(loss, decimals), money(collateral, decimals)
    return f"{account[:80]} in epoch {epoch} loses at most {loss_usd} USD and holds at least {collateral_usd} USD"
