"""What whole transactions cost, intrinsic gas and calldata included, and the table of it in docs/contracts.md.

`python -m tests.contracts.gas` writes the table; a test holds it to what is measured. Chains of one's own have few
accounts, so paths in a state trie are shorter than on a chain of millions, and the table says how long they were."""

import dataclasses
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from crossmargin.adapters.attesting import (
    claim_argument,
    claim_refutation,
    head_argument,
    leaf_argument,
    loss_refutation,
    sign_head,
)
from crossmargin.adapters.networks.backend import Receipt
from crossmargin.adapters.networks.signing import address_of
from crossmargin.proofs.claims import commit_claims
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.quantise import quantise_pnl, quantise_positions
from crossmargin.proofs.statement import Epoch, commit_epoch, statement_of
from crossmargin.proofs.trees import NODE, account_record, seal
from tests.chains_fixtures import open_backend
from tests.contracts import system as made
from tests.contracts.system import System
from tests.contracts.test_challenge import claim_of, lying, opened

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contracts.md"
TABLE = re.compile(r"(?<=<!-- gas: begin -->\n).*?(?=<!-- gas: end -->)", re.DOTALL)
SCENARIOS, POSITIONS = 250, 8


def deep(system: System, epoch: Epoch, depth: int) -> tuple[Epoch, Any]:
    """The epoch with the first account's leaf under `depth` neighbours that hold nothing, and the leaf."""
    leaf = leaf_argument(statement_of(epoch, system.account()))
    account, salt, content, loss, collateral, *_ = leaf
    record, path = account_record(account, salt, content, [loss, collateral]), []
    for level in range(depth):
        path += [keccak(level.to_bytes(32, "big")), bytes(32)]
        record = keccak(NODE + record + b"".join(path[-2:])) + record[32:]
    root = "0x" + seal(record, 1 << depth).hex()
    totals = {"worst_loss_total": str(loss), "collateral_total": str(collateral)}
    head = msgspec.structs.replace(epoch.head, accounts_root=root, accounts=1 << depth, **totals)
    return dataclasses.replace(epoch, head=head), (*leaf[:5], 0, tuple(path))


def payments(system: System) -> dict[str, int]:
    """From deposit to payment."""
    costs = {"deposit, first of an owner": system.fund(1_000).gas_used, "deposit": system.fund(1_000).gas_used}
    amounts = {system.account(): (500, 600)}
    costs["submit, first report, 3 of 5"] = system.submit(system.epoch(amounts)).gas_used
    costs["submit, 3 of 5"] = system.submit(system.epoch(amounts)).gas_used
    costs["submit, 5 of 5"] = system.submit(system.epoch(amounts), system.signers).gas_used
    for depth in (10, 20):
        number: int = system.vault.ask("nonce")
        costs["request"] = system.vault.do(system.depositor, "request", 100).gas_used
        early, leaf = deep(system, system.epoch(amounts), depth)
        system.submit(early)
        system.wait(made.WINDOW_S + 1)
        late, other = deep(system, system.epoch(amounts), depth)
        system.submit(late)
        head = head_argument(late.head)
        costs[f"opened, depth {depth}"] = system.attestor.do(system.depositor, "opened", head, other).gas_used
        arguments = (number, head_argument(early.head), leaf, head, other, 0)
        costs[f"execute, two leaves at depth {depth}"] = system.vault.do(
            system.depositor, "execute", *arguments
        ).gas_used
    return costs


def large(system: System) -> Epoch:
    """An epoch whose account holds several positions in many scenarios, with a wrong loss."""
    rng = np.random.default_rng(3)
    rows = quantise_pnl(
        rng.normal(0.0, 1e3, (POSITIONS, SCENARIOS)),
        instruments=[f"PERP-{place}" for place in range(POSITIONS)],
        scenarios=[f"move {place}" for place in range(SCENARIOS)],
    )
    held = quantise_positions(np.array([0, POSITIONS]), np.arange(POSITIONS), rng.normal(0.0, 2.0, POSITIONS), rows)
    epoch = commit_epoch(
        epoch=system.attestor.ask("epoch") + 1,
        as_of_ms=(system.now_s() + 1) * 1000,
        inputs=made.INPUTS,
        pnl=rows,
        book=held,
        accounts=[system.account()],
        collateral=[10**18],
        secret=bytes(32),
    )
    return lying(epoch, system.account(), 5)


def challenges(system: System, elsewhere: System) -> dict[str, int]:
    """From challenge to refutation."""
    costs: dict[str, int] = {}

    def do(name: str, receipt: Receipt) -> None:
        costs[name] = receipt.gas_used

    def challenged(epoch: Epoch) -> int:
        system.submit(epoch)
        return opened(system, epoch)

    challenge, challenger = system.challenge, system.challenger
    honest = system.epoch({system.account(): (500, 600)})
    other = system.epoch({system.account(): (400, 600)})
    system.submit(honest)
    do("open", challenge.do(challenger, "open", head_argument(honest.head), value=made.BOND))
    signatures = sign_head(other.head, system.signers[:3], system.domain)
    shown: tuple[Any, ...] = (head_argument(honest.head), head_argument(other.head), signatures)
    do("refuteReports, 3 of 5", challenge.do(challenger, "refuteReports", 0, *shown))
    wrong = large(system)
    number = challenged(wrong)
    shown = loss_refutation(statement_of(wrong, system.account()))
    name = f"refuteLoss, {POSITIONS} positions in {SCENARIOS} scenarios"
    do(name, challenge.do(challenger, "refuteLoss", number, *shown))
    claim, proof = claim_of(elsewhere, 999)
    claimed = system.epoch({system.account(): (1, 2)}, claims=[claim])
    number = challenged(claimed)
    argument = claim_argument(claim, commit_claims([claim]).prove(0))
    shown = (head_argument(claimed.head), argument, *claim_refutation(proof, 0))
    nodes = f"{len(proof.account_path)} and {len(proof.slots[0].path)} nodes"
    do(f"refuteClaim, {nodes}", challenge.do(challenger, "refuteClaim", number, *shown))
    last = system.epoch({system.account(): (1, 2)})
    number = challenged(last)
    system.wait(made.PROOF_S + 1)
    do("settle", challenge.do(challenger, "settle", number))
    do("collect", challenge.do(challenger, "collect", address_of(challenger)))
    return costs


def measured() -> dict[str, int]:
    """Gas by transaction, on a chain in this process, which repeats itself."""
    with open_backend("pyevm") as chain, open_backend("pyevm", chain_id=10) as other:
        elsewhere = made.build(other)
        elsewhere.fund(1_000)
        costs = payments(made.build(chain))
        system = made.build(chain)
        system.wait(made.WINDOW_S)
        return costs | challenges(system, elsewhere)


def table(costs: dict[str, int]) -> str:
    """The table of the page."""
    rows = [f"| {name} | {gas:,} |" for name, gas in costs.items()]
    return "\n".join(["| transaction | gas |", "| --- | ---: |", *rows]) + "\n"


def main(write: Callable[[str], object] = sys.stdout.write) -> None:
    """Measure, and write the page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(table(measured()).replace("\\", "\\\\"), page), encoding="utf-8")
    write(f"{PAGE.name} written\n")


if __name__ == "__main__":
    main()
