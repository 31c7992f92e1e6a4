"""Deposits, how they become final, and a proof of one chain on the other."""

from __future__ import annotations

from typing import Final

from crossmargin.adapters.attesting import sign_anchor
from crossmargin.adapters.contracts.vault import balance_slot
from crossmargin.adapters.networks.endpoints import Anchor, Reading
from crossmargin.cli.chains.report import Across, Balance
from crossmargin.cli.chains.stage import CHALLENGER, DEPOSITOR, FINAL_BLOCKS, HONEST, UNIT, Look, Side, Stage
from crossmargin.core.finality import LEVEL_NAMES

DEPOSITS: Final = {"A": 400_000, "B": 90_000}


def deposit(stage: Stage, side: Side, amount: int, what: str = "deposit") -> None:
    """Whole tokens into the vault of a chain."""
    stage.used(side, what, side.system.vault.do(stage.keys[DEPOSITOR], "deposit", amount * UNIT))


def deposited(stage: Stage) -> None:
    """The first deposits, seen before and after they are final."""
    for side in stage.sides:
        deposit(stage, side, DEPOSITS[side.name], "deposit, first of an owner")
        watched(stage, side, "in the last block")
    for side in stage.sides:
        side.chain.mine(FINAL_BLOCKS)
        watched(stage, side, f"{FINAL_BLOCKS} blocks later")


def watched(stage: Stage, side: Side, when: str) -> Look:
    """A look at a chain, kept as a row."""
    look = stage.look(side)
    reading, anchor = look.reading, look.poll.anchor
    assert reading is not None, HONEST
    assert anchor is not None, HONEST
    nodes = (*reading.proof.nodes, *(node for path in reading.proof.slots for node in path.nodes))
    stage.balances.append(
        Balance(
            when=when,
            chain=side.name,
            head=look.poll.journal.head.number,
            block=reading.block.number,
            operators=len(anchor.operators),
            trust=reading.trust.name,
            amounts={LEVEL_NAMES[level]: amount / UNIT for level, amount in look.amounts.items()},
            proven=reading.values[balance_slot(stage.owner)] / UNIT,
            nodes=len(nodes),
            proof_bytes=sum(map(len, nodes)),
            proof_ms=look.proof_ms,
        )
    )
    return look


def read_across(stage: Stage) -> Across:
    """The balance on A, read by a contract on B from a header that the signers vouch for."""
    a, b = stage.sides
    look = stage.look(a)
    anchor, reading = look.poll.anchor, look.reading
    assert reading is not None, HONEST
    assert anchor is not None, HONEST
    states, attestor = b.system.states, b.system.attestor
    signed = sign_anchor(
        states.address, a.chain.chain_id, anchor.block.hash, keys=stage.signers[:3], domain=b.system.domain
    )
    named = (states.address, a.chain.chain_id, anchor.block.hash, signed)
    stage.used(b, "anchor a block of A, 3 of 5 signatures", attestor.do(stage.keys[CHALLENGER], "anchor", *named))
    shown = shown_to(stage, a, anchor, reading)
    read: int = states.ask("readAnchored", a.chain.chain_id, *shown)
    receipt = states.do(stage.keys[CHALLENGER], "readAnchored", a.chain.chain_id, *shown)
    stage.used(b, "read a slot of A: header, account and slot", receipt)
    return Across(
        block=anchor.block.number,
        read=read / UNIT,
        vault=a.system.vault.ask("balances", stage.owner) / UNIT,
        header_bytes=len(anchor.header),
        account_nodes=len(reading.proof.nodes),
        slot_nodes=len(reading.proof.slots[0].nodes),
    )


def shown_to(stage: Stage, side: Side, anchor: Anchor, reading: Reading) -> tuple[object, ...]:
    """What `StateProof.read` takes of the owner's slot in a vault."""
    slot = balance_slot(stage.owner).to_bytes(32, "big")
    path = reading.proof.slots[0].nodes
    vault = side.system.vault
    return (
        anchor.block.hash,
        anchor.header,
        vault.address,
        vault.code_hash,
        reading.proof.nodes,
        slot,
        path,
    )
