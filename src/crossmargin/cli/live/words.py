"""A reading of live chains in words and rows: the same for the terminal and for the page."""

from __future__ import annotations

from typing import Final

from crossmargin.cli.live.report import BalanceRow, PendingRow, ReadReport
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
PENDING: Final = (
    *(Column(name, words=True) for name in ("account", "chain", "token")),
    Column("amount"),
    Column("pending, by receipt in", words=True),
)


def balance_row(row: BalanceRow) -> tuple[str, ...]:
    """What an owner has, in the columns `BALANCES`."""
    amounts = (row.final, row.debits, row.pending, row.proven)
    figures = ("not" if amount is None else quantity(float(amount)) for amount in amounts)
    return (row.account, chain_name(row.chain), row.symbol, row.trust, *figures)


def pending_row(row: PendingRow) -> tuple[str, ...]:
    """A movement above the final block, in the columns `PENDING`."""
    place = f"block {row.block}, transaction {row.transaction}, event {row.log}"
    return (row.account, chain_name(row.chain), row.symbol, quantity(float(row.amount)), place)


def doubts(report: ReadReport) -> tuple[str, ...]:
    """What was not agreed on, not proven or not well, chain by chain."""
    found: list[str] = []
    for row in report.vaults:
        if not row.proven:
            why = "; ".join(row.said) or "nothing was agreed on"
            found.append(f"{row.vault} is not proven now ({why}): its balances are as they were known, at {row.trust}.")
        found += [f"{row.chain}: {reason}." for reason in row.reasons]
    found += [f"{row.chain}: what moved is not archived, {why}." for row in report.vaults for why in row.unarchived]
    alone = dict.fromkeys(row.chain for row in report.vaults if row.agree == 1)
    found += [f"On {chain} the word of one operator is taken for the chain's." for chain in alone]
    return tuple(found)


def verdict(report: ReadReport) -> str:
    """Whether what was read is known for sure, in a sentence."""
    if report.good:
        return "All balances are agreed on, proven in the last final block, and what events say they are."
    return "Not all is as it should be: what is not agreed on is not believed, and what is not proven is worth less."


def left_out(report: ReadReport) -> dict[tuple[str, str], str]:
    """Why an endpoint has no say, by its chain and its name."""
    return {(row.chain, name): why for row in report.vaults for name, why in row.refused.items()}


def about(report: ReadReport) -> tuple[str, ...]:
    """When it was read, beside which market, from where on, and what was written."""
    begun = [row.chain for row in report.vaults if not row.resumed]
    said = [f"As of {moment(report.as_of_ms)}: {named(len(report.vaults), 'vault')}."]
    if report.market_ms is not None:
        gap_s = (report.as_of_ms - report.market_ms) / 1000
        said.append(f"The market is of {abs(gap_s):,.0f} s {'before' if gap_s >= 0 else 'after'} that.")
    said += [f"Begun anew: {', '.join(begun)}."] if begun else []
    said += [f"Written: {', '.join(report.files)}."] if report.files else []
    return tuple(said)


def sentences(report: ReadReport) -> tuple[str, ...]:
    """All that `about` says, and who had no say."""
    silent = (f"On {chain} {name} has no say: {why}" for (chain, name), why in left_out(report).items())
    return (*about(report), *silent)
