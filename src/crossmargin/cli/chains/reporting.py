"""Reports: committed, signed, checked offline and on chain, and withdrawals that they cover or do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from crossmargin.adapters.attesting import head_argument, leaf_argument, sign_head
from crossmargin.adapters.contracts.abi import revert_reason
from crossmargin.adapters.live.backing import Backing, backing_of, claim_of, statement_with, trusted_of
from crossmargin.adapters.networks.endpoints import Reading
from crossmargin.adapters.statements import read_statement, statement_name, write_statement
from crossmargin.adapters.writing import write_text
from crossmargin.cli.chains.desk import Sight
from crossmargin.cli.chains.report import Attested, Withdrawal
from crossmargin.cli.chains.stage import CHALLENGER, DEPOSITOR, HONEST, UNIT, WINDOW_S, Look, Side, Stage
from crossmargin.cli.proving.report import verify_command, verify_report
from crossmargin.cli.proving.words import money
from crossmargin.engine.attest import attest
from crossmargin.proofs.checking import Trusted, verify
from crossmargin.proofs.claims import Claim
from crossmargin.proofs.statement import Epoch, head_digest, statement_of

COVERED, UNCOVERED = 20_000, 390_000
_SECRET: Final = bytes(range(32))  # Of a demonstration that repeats itself; draw your own.


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An epoch, and the state proofs that its collateral was counted from."""

    epoch: Epoch
    claims: tuple[Claim, ...]
    backings: tuple[Backing, ...]


def commit(stage: Stage, *, lie: int = 0) -> Made:
    """Margin what is final on both chains, and commit to it; the next epoch of B. With `lie` A's claim says so many
    whole tokens more than are there."""
    stage.settle()
    looks = tuple(stage.look(side) for side in stage.sides)
    as_of_s = min(_shown(look).block.timestamp_s for look in looks)
    result = stage.margin((looks[0], looks[1]), Sight(), time_s=as_of_s)
    backings = tuple(shown_by(stage, side, look) for side, look in zip(stage.sides, looks, strict=True))
    true = [claim_of(backing) for backing in backings]
    claims = (replace(true[0], value=true[0].value + lie * UNIT), *true[1:])
    number: int = stage.b.system.attestor.ask("epoch") + 1
    epoch = attest(result, epoch=number, secret=_SECRET, claims=claims)
    return Made(epoch=epoch, claims=claims, backings=backings)


def shown_by(stage: Stage, side: Side, look: Look) -> Backing:
    """The proof of the owner's balance on a chain."""
    assert look.poll.anchor is not None, "a reading has an anchor"
    return backing_of(side.vault, stage.owner, look.poll.anchor, _shown(look))


def _shown(look: Look) -> Reading:
    assert look.reading is not None, HONEST
    return look.reading


def submit(stage: Stage, epoch: Epoch, sides: Sequence[Side]) -> None:
    """Sign for each chain by three of five, and submit there."""
    for side in sides:
        signatures = sign_head(epoch.head, stage.signers[:3], side.system.domain)
        receipt = side.system.attestor.do(stage.keys[CHALLENGER], "submit", head_argument(epoch.head), signatures)
        which = "the first report" if epoch.head.epoch == 1 else "a report"
        stage.used(side, f"submit {which}, 3 of 5 signatures", receipt)


def attested(stage: Stage, made: Made, out: Path, *, kept: bool) -> Attested:
    """Write the statement, check the file as a stranger would, and open the leaf on chain B.

    Where the files are `kept`, verify.sh beside them checks the statement again."""
    out.mkdir(parents=True, exist_ok=True)
    file, head = out / statement_name(stage.account), made.epoch.head
    write_statement(out / "head.json", head)
    write_statement(file, statement_with(made.epoch, stage.account, made.backings))
    trusted = known_to(stage, made)
    digest = head_digest(head, trusted.domain)
    command = verify_command(file, trusted)
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


def known_to(stage: Stage, made: Made) -> Trusted:
    """What a stranger knows: the digest that was signed for B, final blocks, the vaults and whose they are."""
    domain = stage.b.system.domain
    return replace(trusted_of(made.backings), head=head_digest(made.epoch.head, domain), domain=domain)


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
