"""A reading of live chains as tables for a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType
from rich.text import Text

from crossmargin.cli.live.report import BalanceRow, ReadReport, VaultRow
from crossmargin.cli.table_parts import Row, Sheet, prose, table, warning
from crossmargin.cli.wording import Column, chain_name, moment, named, quantity

CHAINS: Final = (
    *(Column(name, words=True) for name in ("chain", "health")),
    *map(Column, ("final block", "head", "age s", "learnt")),
    *(Column(name, words=True) for name in ("agreed", "trust", "token")),
)
BALANCES: Final = (
    *(Column(name, words=True) for name in ("account", "chain", "token", "trust")),
    *map(Column, ("final", "debits seen", "pending", "proven")),
)
_STYLE: Final = {"healthy": "bold green", "lagging": "yellow"}


def read_tables(report: ReadReport) -> RenderableType:
    """How each chain does and was read, what each account has there, and all that was not believed."""
    chains: list[Row] = [_vault(row) for row in report.vaults]
    balances: list[Row] = [_balance(row) for row in report.balances]
    return Sheet(
        table("Chains", CHAINS, chains),
        table("Balances in the vaults, whole tokens", BALANCES, balances),
        *warning(doubts(report)),
        prose(sentences(report)),
    )


def _vault(row: VaultRow) -> Row:
    health = Text(row.health, style=_STYLE.get(row.health, "bold red"))
    figures = (str(row.block), str(row.head), f"{row.final_age_s:.0f}", str(row.blocks))
    return (chain_name(row.chain), health, *figures, f"{len(row.operators)} of {row.asked}", row.trust, row.symbol)


def _balance(row: BalanceRow) -> Row:
    amounts = (row.final, row.debits, row.pending, row.proven)
    figures = ["not" if amount is None else quantity(float(amount)) for amount in amounts]
    return (row.account, chain_name(row.chain), row.symbol, row.trust, *figures)


def doubts(report: ReadReport) -> tuple[str, ...]:
    """What was not agreed on, not proven or not well, chain by chain."""
    found: list[str] = []
    for row in report.vaults:
        if not row.proven:
            why = "; ".join(row.said) or "nothing was agreed on"
            found.append(f"{row.vault} is not proven now ({why}): its balances are as they were known, at {row.trust}.")
        found += [f"{row.chain}: {reason}." for reason in row.reasons]
    alone = dict.fromkeys(row.chain for row in report.vaults if row.agree == 1)
    found += [f"On {chain} the word of one operator is taken for the chain's." for chain in alone]
    return tuple(found)


def sentences(report: ReadReport) -> tuple[str, ...]:
    """When it was read, who had no say, and what was written."""
    refused = {(row.chain, name): why for row in report.vaults for name, why in row.refused.items()}
    begun = [row.chain for row in report.vaults if not row.resumed]
    said = [f"As of {moment(report.as_of_ms)}: {named(len(report.vaults), 'vault')}."]
    if report.market_ms is not None:
        gap_s = (report.as_of_ms - report.market_ms) / 1000
        said.append(f"The market is of {abs(gap_s):,.0f} s {'before' if gap_s >= 0 else 'after'} that.")
    said += [f"Begun anew: {', '.join(begun)}."] if begun else []
    said += [f"On {chain} {name} has no say: {why}" for (chain, name), why in refused.items()]
    said += [f"Written: {', '.join(report.files)}."] if report.files else []
    return tuple(said)
