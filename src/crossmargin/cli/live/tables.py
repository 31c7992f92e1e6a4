"""A reading of live chains as tables for a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType
from rich.text import Text

from crossmargin.cli.live.report import ReadReport, VaultRow
from crossmargin.cli.live.words import BALANCES, CHAINS, PENDING, balance_row, doubts, pending_row, sentences
from crossmargin.cli.table_parts import Row, Sheet, prose, table, warning
from crossmargin.cli.wording import chain_name

_STYLE: Final = {"healthy": "bold green", "lagging": "yellow"}


def read_tables(report: ReadReport) -> RenderableType:
    """How each chain does and was read, what each account has there, and all that was not believed."""
    chains: list[Row] = [_vault(row) for row in report.vaults]
    above = [table("Above the final block", PENDING, map(pending_row, report.pending))] if report.pending else []
    return Sheet(
        table("Chains", CHAINS, chains),
        table("Balances in the vaults, whole tokens", BALANCES, map(balance_row, report.balances)),
        *above,
        *warning(doubts(report)),
        prose(sentences(report)),
    )


def _vault(row: VaultRow) -> Row:
    health = Text(row.health, style=_STYLE.get(row.health, "bold red"))
    figures = (str(row.block), str(row.head), f"{row.final_age_s:.0f}", str(row.blocks))
    return (chain_name(row.chain), health, *figures, f"{len(row.operators)} of {row.asked}", row.trust, row.symbol)
