"""Collateral in a real vault: a statement whose line is the deposit, proven from the chain's own state."""

import msgspec
import numpy as np

from crossmargin.adapters.networks.signing import address_of
from crossmargin.proofs.calldata import read_arguments
from crossmargin.proofs.checking import Check, Trusted, is_good, verify
from crossmargin.proofs.collateral_lines import WEIGHT_ONE, CollateralLine, Source, counted
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.quantise import quantise_pnl, quantise_positions
from crossmargin.proofs.state import mapping_slot
from crossmargin.proofs.statement import (
    Epoch,
    Statement,
    StateProof,
    backed,
    commit_epoch,
    head_digest,
    state_proof,
    statement_of,
)
from tests.contracts.system import INPUTS, System

DEPOSIT = 2_500_000_000  # Of a token with six decimals.


def instance(system: System) -> str:
    return f"eip155:{system.chain.chain_id}/erc20:0x{system.token.address.hex()}"


def epoch_with(system: System, amount: int) -> Epoch:
    """Two accounts; the depositor's collateral is an amount of the token at par, less a tenth."""
    lines = [
        CollateralLine(
            instance=instance(system), amount=str(amount), decimals=6, price=str(10**12), weight=WEIGHT_ONE * 9 // 10
        )
    ]
    rows = quantise_pnl(np.array([[-5.0, 3.0]]), instruments=["PERP"], scenarios=["fall", "rise"])
    book = quantise_positions(np.array([0, 1, 2]), np.array([0, 0]), np.array([10.0, -4.0]), rows)
    return commit_epoch(
        epoch=1,
        as_of_ms=1,
        inputs=INPUTS,
        pnl=rows,
        book=book,
        accounts=[system.account(), system.account(system.challenger)],
        collateral=[counted(lines[0]), 0],
        secret=bytes(32),
        lines=[lines, []],
    )


def proof_of(system: System, owner: bytes) -> tuple[StateProof, Source]:
    """The owner's balance in the vault in the last block, and where a line finds it."""
    block, keys = system.chain.block("latest"), [address_of(owner)]
    slot = mapping_slot(0, keys, layout="vyper")
    found = system.chain.proof(system.vault.address, [slot], block.number)
    proof = state_proof(
        chain=f"eip155:{system.chain.chain_id}",
        header=block.header,
        anchor=block.hash,
        address=system.vault.address,
        code_hash=keccak(system.chain.code(system.vault.address)),
        account_path=found.nodes,
        slots=[(slot, found.slots[0].value, found.slots[0].nodes)],
    )
    return proof, Source(proof=0, slot=0, mapping=0, keys=("0x" + keys[0].hex(),), layout="vyper")


def stated(system: System, amount: int, owner: bytes) -> Statement:
    """The depositor's statement of an amount, with a proof of what an owner has in the vault."""
    proof, source = proof_of(system, owner)
    return backed(statement_of(epoch_with(system, amount), system.account(), state=[proof]), 0, source)


def checks(system: System, statement: Statement) -> tuple[Check, ...]:
    chain = f"eip155:{system.chain.chain_id}"
    known = Trusted(
        head=head_digest(statement.head),
        anchors={chain: [system.chain.block("latest").hash]},
        vaults={f"{chain}:0x{system.vault.address.hex()}": (instance(system), 0)},
    )
    return verify(msgspec.json.decode(msgspec.json.encode(statement), type=Statement), known)


def failing(system: System, statement: Statement) -> set[str]:
    return {check.name.split(" of ")[0] for check in checks(system, statement) if check.outcome == "fails"}


def test_a_deposit_backs_a_line_and_nothing_is_left_unchecked(system):
    system.fund(DEPOSIT)
    statement = stated(system, DEPOSIT, system.depositor)
    found = checks(system, statement)
    assert {check.outcome for check in found} == {"holds"}
    assert is_good(found)
    assert system.states.ask("read", *read_arguments(statement.state[0], 0)) == DEPOSIT


def test_more_than_the_deposit_is_not_backed(system):
    system.fund(DEPOSIT)
    assert failing(system, stated(system, DEPOSIT - 1, system.depositor)) == set()
    assert failing(system, stated(system, DEPOSIT + 1, system.depositor)) == {"backing"}


def test_what_is_withdrawn_backs_nothing(system):
    system.fund(DEPOSIT)
    system.request(1)
    assert failing(system, stated(system, DEPOSIT, system.depositor)) == {"backing"}


def test_another_s_deposit_is_not_one_s_own(system):
    system.fund(DEPOSIT, system.challenger)
    assert failing(system, stated(system, DEPOSIT, system.challenger)) == {"backing"}
