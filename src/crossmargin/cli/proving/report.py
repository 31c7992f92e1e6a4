"""Epochs and checked statements as figures for people and machines."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from crossmargin.adapters.live.backing import Backing, trusted_of
from crossmargin.proofs.checking import Check, Outcome, Trusted, is_good
from crossmargin.proofs.statement import Epoch, Statement, head_digest, hexed

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "inputs": ("the hashes of market, scenarios, model and book are hashes", "a hash is not written as one"),
    "head": ("the epoch is the published one", "the epoch is not the published one"),
    "account and totals": (
        "the account stands among all accounts, and their totals are the stated ones",
        "the account, its positions, its lines or the totals are not the committed ones",
    ),
    "rows of R": ("each risk row is the one that all accounts share", "a risk row is not the one that all share"),
    "worst loss": ("the worst loss follows to the last digit", "the worst loss does not follow"),
    "worst scenario": ("the scenario bears that name for all", "the scenario has another name"),
    "collateral": ("the collateral is the sum of its lines", "the collateral is not the sum of its lines"),
    "state": ("header, account, code and slots follow from the block hash", "the state does not follow"),
    "anchor": ("the block is one that you trust", "the block is not one that you trust"),
    "backing": ("the amount is in a slot that is the account's own", "the slot does not back this amount"),
    "event": ("a receipt of the block has the event, of that amount", "the event does not follow from its block"),
    "each once": ("nothing stands there twice", "something stands there twice"),
    "vault": ("the contract is one that you know to hold it", "the contract is not one that you know to hold it"),
}
_LEFT_OUT: Final[dict[str, str]] = {
    "head": "whether this epoch was published: no --head was given",
    "collateral": "what the collateral is made of: it is stated without lines",
    "anchor": "whether the block is of the chain and final: no --anchor was given",
    "backing": "whether this is there: it is claimed, no state proof shows it",
    "vault": "whether the contract holds this asset, and in that mapping: no --vault was given",
}


class CheckRow(msgspec.Struct, frozen=True, kw_only=True):
    """One check, and what it means; `reason` and `why` where it does not hold."""

    check: str
    outcome: Outcome
    meaning: str
    reason: str = ""
    why: str = ""


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """A checked statement; amounts are quanta of money, 10^−`money_decimals` USD, in decimal text."""

    account: str
    epoch: int
    as_of_ms: int
    good: bool
    money_decimals: int
    worst_loss: str
    worst_scenario: str
    collateral: str
    accounts: int
    worst_loss_total: str
    collateral_total: str
    positions: int
    digest: str
    checks: tuple[CheckRow, ...]


class StatementRow(msgspec.Struct, frozen=True, kw_only=True):
    """One statement that was written; of its `lines` of collateral so many are `backed` by state proofs, and
    `command` checks it against the blocks and vaults of these."""

    account: str
    file: str
    positions: int
    worst_loss: str
    worst_scenario: str
    collateral: str
    lines: int
    backed: int
    command: str = ""


class AttestReport(msgspec.Struct, frozen=True, kw_only=True):
    """An epoch that was committed; `digest` is what to publish, amounts are as in `VerifyReport`.

    `claims` are what it says of chains' states."""

    epoch: int
    as_of_ms: int
    digest: str
    money_decimals: int
    rows: int
    scenarios: int
    claims: int
    worst_loss_total: str
    collateral_total: str
    statements: tuple[StatementRow, ...]


def verify_report(statement: Statement, checks: Sequence[Check], digest: bytes) -> VerifyReport:
    """What was found, check by check, in words; `digest` is that of the statement's head."""
    head = statement.head
    return VerifyReport(
        account=statement.account,
        epoch=head.epoch,
        as_of_ms=head.as_of_ms,
        good=is_good(checks),
        money_decimals=head.money_decimals,
        worst_loss=statement.worst_loss,
        worst_scenario=statement.worst.label,
        collateral=statement.collateral,
        accounts=head.accounts,
        worst_loss_total=head.worst_loss_total,
        collateral_total=head.collateral_total,
        positions=len(statement.positions),
        digest=digest.hex(),
        checks=check_rows(checks),
    )


def check_rows(checks: Sequence[Check]) -> tuple[CheckRow, ...]:
    """Checks in words."""
    return tuple(
        CheckRow(check=c.name, outcome=c.outcome, meaning=meaning(c), reason=c.reason, why=c.why) for c in checks
    )


def attest_report(
    epoch: Epoch,
    statements: Sequence[tuple[Statement, str]],
    backings: Sequence[Backing] = (),
    *,
    folder: Path,
) -> AttestReport:
    """An epoch, the files of its statements in a folder, and the proofs that these show."""
    head = epoch.head
    digest = head_digest(head)
    own: dict[str, list[Backing]] = {}
    for backing in backings:
        own.setdefault(backing.account, []).append(backing)
    known = {account: replace(trusted_of(shown), head=digest) for account, shown in own.items()}
    rows = [
        StatementRow(
            account=statement.account,
            file=file,
            positions=len(statement.positions),
            worst_loss=statement.worst_loss,
            worst_scenario=statement.worst.label,
            collateral=statement.collateral,
            lines=len(statement.lines),
            backed=sum(line.source is not None for line in statement.lines),
            command=verify_command(folder / file, known[statement.account]) if statement.account in known else "",
        )
        for statement, file in statements
    ]
    return AttestReport(
        epoch=head.epoch,
        as_of_ms=head.as_of_ms,
        digest=digest.hex(),
        money_decimals=head.money_decimals,
        rows=head.rows,
        scenarios=head.scenarios,
        claims=head.claims,
        worst_loss_total=head.worst_loss_total,
        collateral_total=head.collateral_total,
        statements=tuple(rows),
    )


def verify_command(file: Path, trusted: Trusted) -> str:
    """The command that checks a file against what a stranger knows."""
    domain, head = trusted.domain, [] if trusted.head is None else [f"--head {trusted.head.hex()}"]
    signed = [] if domain.contract is None else [f"--attestor eip155:{domain.chain_id}:{hexed(domain.contract)}"]
    options = [*head, *signed]
    options += [f"--anchor {chain}={hexed(one)}" for chain, anchors in trusted.anchors.items() for one in anchors]
    options += [f"--vault {vault}={held}@{slot}" for vault, (held, slot) in trusted.vaults.items()]
    options += [f"--home {vault}={chain}" for vault, chain in trusted.homes.items()]
    return " \\\n  ".join([f"crossmargin verify {shlex.quote(str(file))}", *options])


def meaning(check: Check) -> str:
    """What the outcome of a check means, in a few words."""
    kind = next(name for name in _WORDS if check.name == name or check.name.startswith(f"{name} of "))
    if check.outcome == "not checked":
        return _LEFT_OUT[kind]
    return _WORDS[kind][check.outcome == "fails"]
