"""Reports: committed, signed, checked offline and on chain, and withdrawals that they cover or do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crossmargin.adapters.attesting import head_argument, leaf_argument, sign_head
from crossmargin.adapters.contracts.abi import revert_reason
from crossmargin.adapters.contracts.vault import balance_slot, vault_artifact
from crossmargin.adapters.networks.endpoints import Reading
from crossmargin.adapters.statements import read_statement, statement_name, write_statement
from crossmargin.adapters.writing import write_text
from crossmargin.cli.chains.desk import Sight
from crossmargin.cli.chains.report import Attested, Withdrawal
from crossmargin.cli.chains.stage import CHALLENGER, DEPOSITOR, HONEST, UNIT, WINDOW_S, Look, Side, Stage
from crossmargin.cli.proving.report import verify_report
from crossmargin.cli.proving.words import money
from crossmargin.engine.attest import attest
from crossmargin.proofs.checking import Trusted, verify
from crossmargin.proofs.claims import Claim
from crossmargin.proofs.collateral_lines import Source
from crossmargin.proofs.statement import (
    Epoch,
    Statement,
    StateProof,
    backed,
    head_digest,
    hexed,
    state_proof,
    statement_of,
)

COVERED, UNCOVERED = 20_000, 390_000
_SECRET: Final = bytes(range(32))  # Of a demonstration that repeats itself; draw your own.


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An epoch, and the state proofs that its collateral was counted from."""

    epoch: Epoch
    claims: tuple[Claim, ...]
    proofs: tuple[StateProof, ...]


def commit(stage: Stage, *, lie: int = 0) -> Made:
    """Margin what is final on both chains, and commit to it; the next epoch of B. With `lie` A's claim says so many
    whole tokens more than are there."""
    stage.settle()
    looks = tuple(stage.look(side) for side in stage.sides)
    as_of_s = min(_shown(look).block.timestamp_s for look in looks)
    result = stage.margin((looks[0], looks[1]), Sight(), time_s=as_of_s)
    pairs = list(zip(stage.sides, looks, strict=True))
    claims = tuple(claim_of(stage, side, look, lie if side is stage.a else 0) for side, look in pairs)
    number: int = stage.b.system.attestor.ask("epoch") + 1
    epoch = attest(result, epoch=number, secret=_SECRET, claims=claims)
    return Made(epoch=epoch, claims=claims, proofs=tuple(proof_of(stage, side, look) for side, look in pairs))


def _shown(look: Look) -> Reading:
    assert look.reading is not None, HONEST
    return look.reading


def claim_of(stage: Stage, side: Side, look: Look, lie: int) -> Claim:
    """What a report says that the owner's slot holds."""
    slot, reading = balance_slot(stage.owner), _shown(look)
    return Claim(
        account=stage.account,
        chain_id=side.chain.chain_id,
        anchor=reading.block.hash,
        contract=side.system.vault.address,
        code_hash=side.system.vault.code_hash,
        slot=slot,
        value=reading.values[slot] + lie * UNIT,
    )


def proof_of(stage: Stage, side: Side, look: Look) -> StateProof:
    """The proof of the owner's slot, as statements carry it."""
    slot, reading, anchor = balance_slot(stage.owner), _shown(look), look.poll.anchor
    assert anchor is not None, "a reading has an anchor"
    return state_proof(
        chain=side.place.chain,
        header=anchor.header,
        anchor=anchor.block.hash,
        address=side.system.vault.address,
        code_hash=side.system.vault.code_hash,
        account_path=reading.proof.nodes,
        slots=[(slot, reading.values[slot], reading.proof.slots[0].nodes)],
    )


def submit(stage: Stage, epoch: Epoch, sides: Sequence[Side]) -> None:
    """Sign for each chain by three of five, and submit there."""
    for side in sides:
        signatures = sign_head(epoch.head, stage.signers[:3], side.system.domain)
        receipt = side.system.attestor.do(stage.keys[CHALLENGER], "submit", head_argument(epoch.head), signatures)
        which = "the first report" if epoch.head.epoch == 1 else "a report"
        stage.used(side, f"submit {which}, 3 of 5 signatures", receipt)


def stated(stage: Stage, made: Made) -> Statement:
    """The account's statement, each line pointing at the slot that backs it."""
    statement = statement_of(made.epoch, stage.account, state=made.proofs)
    mapping, key = vault_artifact().slots["balances"], hexed(stage.owner)
    for number, side in enumerate(stage.sides):
        place = [line.instance for line in statement.lines].index(side.place.instance)
        source = Source(proof=number, slot=0, mapping=mapping, keys=(key,), layout="vyper")
        statement = backed(statement, place, source)
    return statement


def attested(stage: Stage, made: Made, out: Path, *, kept: bool) -> Attested:
    """Write the statement, check the file as a stranger would, and open the leaf on chain B.

    Where the files are `kept`, verify.sh beside them checks the statement again."""
    out.mkdir(parents=True, exist_ok=True)
    file, head = out / statement_name(stage.account), made.epoch.head
    write_statement(out / "head.json", head)
    write_statement(file, stated(stage, made))
    trusted = trusted_of(stage, made)
    digest = head_digest(head, trusted.domain)
    command = command_of(file, trusted, digest)
    if kept:
        write_text(out / "verify.sh", command + "\n")
    statement = read_statement(file)
    report = verify_report(statement, verify(statement, trusted), digest)
    receipt = stage.b.system.attestor.do(
        stage.keys[CHALLENGER], "opened", head_argument(head), leaf_argument(statement)
    )
    stage.used(stage.b, "open the account's leaf", receipt)
    return Attested(
        epoch=head.epoch,
        digest=digest.hex(),
        signers="3 of 5",
        worst_scenario=report.worst_scenario,
        worst_loss_usd=money(report.worst_loss, report.money_decimals),
        collateral_usd=money(report.collateral, report.money_decimals),
        file=str(file) if kept else "",
        good=report.good,
        checks=report.checks,
        opened=receipt.status,
        command=command if kept else "",
    )


def trusted_of(stage: Stage, made: Made) -> Trusted:
    """What a stranger knows: the digest that was signed for B, final blocks, the vaults and whose they are."""
    mapping = vault_artifact().slots["balances"]
    named = {side.place.chain: f"{side.place.chain}:{hexed(side.system.vault.address)}" for side in stage.sides}
    return Trusted(
        head=head_digest(made.epoch.head, stage.b.system.domain),
        domain=stage.b.system.domain,
        anchors={f"eip155:{claim.chain_id}": [claim.anchor] for claim in made.claims},
        vaults={named[side.place.chain]: (side.place.instance, mapping) for side in stage.sides},
        homes=dict.fromkeys(named.values(), stage.a.place.chain),
    )


def command_of(file: Path, trusted: Trusted, digest: bytes) -> str:
    """The command that checks a file against what a stranger knows."""
    domain = trusted.domain
    assert domain.contract is not None, "reports are signed for a contract"
    options = [f"--head {digest.hex()}", f"--attestor eip155:{domain.chain_id}:{hexed(domain.contract)}"]
    options += [f"--anchor {chain}={hexed(one)}" for chain, anchors in trusted.anchors.items() for one in anchors]
    options += [f"--vault {vault}={held}@{slot}" for vault, (held, slot) in trusted.vaults.items()]
    options += [f"--home {vault}={chain}" for vault, chain in trusted.homes.items()]
    return " \\\n  ".join([f"crossmargin verify '{file}'", *options])


def reported(stage: Stage, out: Path | None) -> Attested:
    """A withdrawal is asked for, a report made after it, submitted on both chains, checked, and the withdrawal paid."""
    request(stage, stage.b, COVERED)
    made = commit(stage)
    submit(stage, made.epoch, stage.sides)
    found = attested(stage, made, out or stage.folder / "statements", kept=out is not None)
    stage.meet(WINDOW_S + 1)
    execute(stage, stage.b, COVERED, made.epoch)
    return found


def refused(stage: Stage) -> None:
    """A withdrawal that leaves the account uncovered."""
    number = request(stage, stage.a, UNCOVERED)
    made = commit(stage)
    submit(stage, made.epoch, stage.sides)
    stage.meet(WINDOW_S + 1)
    execute(stage, stage.a, UNCOVERED, made.epoch)
    vault = stage.a.system.vault
    stage.used(stage.a, "cancel a request", vault.do(stage.keys[DEPOSITOR], "cancel", number))
    stage.settle()


def request(stage: Stage, side: Side, amount: int) -> int:
    """Ask whole tokens back from a vault; the request's id."""
    number: int = side.system.vault.ask("nonce")
    stage.used(side, "request a withdrawal", side.system.vault.do(stage.keys[DEPOSITOR], "request", amount * UNIT))
    return number


def execute(stage: Stage, side: Side, amount: int, epoch: Epoch) -> Withdrawal:
    """Have the last request of a vault paid by one report, or refused."""
    vault, before = side.system.vault, side.token.ask("balanceOf", stage.owner)
    number: int = vault.ask("nonce") - 1
    shown = (head_argument(epoch.head), leaf_argument(statement_of(epoch, stage.account)))
    receipt = vault.send(stage.keys[DEPOSITOR], "execute", number, *shown, *shown, 0)
    stage.used(side, "execute a withdrawal" + ("" if receipt.status else ", refused"), receipt)
    found = Withdrawal(
        chain=side.name,
        amount=amount,
        paid=(side.token.ask("balanceOf", stage.owner) - before) / UNIT,
        reason="" if receipt.status else revert_reason(receipt.revert),
    )
    stage.withdrawals.append(found)
    return found
