"""The demonstration in words: the same for the terminal and for the page."""

from __future__ import annotations

import re
from typing import Final

from crossmargin.cli.chains.desk import ASSET
from crossmargin.cli.chains.opening import OPERATORS
from crossmargin.cli.chains.reading import DEPOSITS
from crossmargin.cli.chains.report import DemoReport, Moment
from crossmargin.cli.chains.reporting import COVERED, UNCOVERED
from crossmargin.cli.chains.stage import FINAL_BLOCKS, WINDOW_S
from crossmargin.cli.wording import Column, label_text, named, quantity, usd

BACKENDS: Final = {
    "anvil": "two chains of anvil, each in a process of its own",
    "in-process": "two chains of py-evm in this process: no server, no network",
}
BALANCES: Final = (
    *(Column(name, words=True) for name in ("chain", "when", "trust")),
    *map(Column, ("pending", "final", "proven", "final block", "of", "nodes", "bytes", "ms")),
)
MOMENTS: Final = (
    *(Column(name, words=True) for name in ("what happens", "what is seen")),
    *map(Column, ("counts", "pending", "requirement", "free")),
    Column("status", words=True),
)


def told(report: DemoReport, step: str) -> tuple[str, ...]:
    """What a step did, in sentences."""
    sentences = {
        "start": _started,
        "deposits": _deposited,
        "across": _read_across,
        "margin": _margined,
        "report": _reported,
        "refused": _refused,
        "breaks": _broken,
    }
    return sentences[step](report)


def on_chain(check: str, report: DemoReport) -> str:
    """The name of a check with the letter of the chain in place of its addresses: `vault of A`."""
    for letter, chain in report.chains.items():
        check = re.sub(rf"{re.escape(chain)}\b.*", letter, check)
    return check


def gas_rows(report: DemoReport) -> list[tuple[str, ...]]:
    """What every kind of transaction took on each chain: the last of its kind."""
    found: dict[str, dict[str, int]] = {}
    for gas in report.gas:
        found.setdefault(gas.what, {})[gas.chain] = gas.gas
    return [(what, *(f"{by[name]:,}" if name in by else "" for name in report.chains)) for what, by in found.items()]


def balance_rows(report: DemoReport) -> list[tuple[str, ...]]:
    """What was read of both vaults, and how: the columns of `BALANCES`."""
    rows: list[tuple[str, ...]] = []
    for one in report.balances:
        pending = sum(amount for level, amount in one.amounts.items() if level not in {"final", "settled"})
        final = sum(one.amounts.values()) - pending
        amounts = (quantity(pending), quantity(final), quantity(one.proven), str(one.block), str(one.head))
        rows.append(
            (one.chain, one.when, one.trust, *amounts, str(one.nodes), str(one.proof_bytes), f"{one.proof_ms:.1f}")
        )
    return rows


def margin_rows(report: DemoReport) -> list[tuple[str, ...]]:
    """What counts, chain by chain, and what is asked for."""
    found = report.margin
    rows = [(f"counts on {name}", usd(amount)) for name, amount in found.by_chain.items()]
    rows += [("equity, with positions", usd(found.equity_usd)), ("requirement", usd(found.initial_usd))]
    return [*rows, *((f"of it {name.replace('_', ' ')}", usd(amount)) for name, amount in found.terms.items())]


def moment_row(found: Moment) -> tuple[str, ...]:
    """One look during a break: the columns of `MOMENTS` but the status."""
    figures = found.figures
    amounts = (figures.counts_usd, figures.pending_usd, figures.initial_usd, figures.excess_usd)
    return (found.stage, found.seen, *map(usd, amounts))


def _started(report: DemoReport) -> tuple[str, ...]:
    deployed = len({gas.what for gas in report.gas if gas.what.startswith("deploy ")})
    return (
        f"The backend is {report.backend}: {BACKENDS[report.backend]}.{report.note and f' {report.note}'}",
        f"On each {deployed} contracts are deployed: a test token that stands in for {ASSET}, and the whole system.",
        "B's token came over a bridge, whose lockbox is on A.",
        f"The account is {report.account}, on both chains.",
    )


def _deposited(report: DemoReport) -> tuple[str, ...]:
    asked, named_it = len(OPERATORS), report.balances[0].operators
    return (
        f"{quantity(DEPOSITS['A'])} are deposited on A and {quantity(DEPOSITS['B'])} on B.",
        f"{asked} operators are asked (here over one node), {named_it} name the same final block, 3 must.",
        "Its header is hashed again; account, code and slot follow from its state root (EIP-1186): trust level L2.",
        f"In a block the deposit is pending. After {FINAL_BLOCKS} blocks it is final, and proven.",
    )


def _read_across(report: DemoReport) -> tuple[str, ...]:
    found = report.across
    nodes = f"{found.account_nodes} nodes of the state trie and {found.slot_nodes} of the vault's"
    return (
        f"Three of five signers vouch for A's block {found.block} on B.",
        f"StateProof there takes the header ({found.header_bytes} bytes), {nodes}, and hashes its way down.",
        f"B reads {quantity(found.read)}. The vault on A has {quantity(found.vault)}.",
    )


def _margined(report: DemoReport) -> tuple[str, ...]:
    found = report.margin
    return (
        f"The desk is short strangles on BTC and must hold {usd(found.initial_usd)} USD.",
        f"{usd(found.counts_usd)} USD of its tokens count: less the asset's haircut, on B also 15 % for the bridge.",
        f"Were the bridge to fail, {usd(found.terms.get('bridge', 0.0))} USD more would be lost: that is required too.",
    )


def _reported(report: DemoReport) -> tuple[str, ...]:
    found = report.attested
    held = sum(check.outcome == "holds" for check in found.checks)
    loss = f"a worst loss of {found.worst_loss_usd} USD ({label_text(found.worst_scenario)})"
    written = f" The statement is {found.file}; verify.sh beside it checks it again." if found.file else ""
    return (
        f"{quantity(COVERED)} are asked back on B, and stop counting at once. A report follows, in integers that the",
        f"floats of the engine were held against: {loss}, {found.collateral_usd} USD of collateral.",
        f"{found.signers} sign it for each chain, and both accept it.{written}",
        f"Checked offline: {held} of {len(found.checks)} checks hold. B opens the account's leaf.",
        f"{WINDOW_S // 60} minutes later, by the chains' clocks, {quantity(report.withdrawals[0].paid)} are paid.",
    )


def _refused(report: DemoReport) -> tuple[str, ...]:
    return (
        f"{quantity(UNCOVERED)} are asked back on A. The next report counts the account without them,",
        f"and the vault refuses: “{report.withdrawals[1].reason}”. The request is cancelled; the tokens count again.",
    )


def _broken(report: DemoReport) -> tuple[str, ...]:
    return (
        f"{named(len(report.breaks), 'failure')}, one after the other, each read from the chains as before.",
        "Figures are those for new risk, which a quarantine stops at once; the status liquidates by what stands.",
    )
