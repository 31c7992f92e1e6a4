"""What `zk attest`, `zk prove` and `zk verify` do."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from crossmargin.adapters.statements import HEAD_NAME, read_secret, read_statement
from crossmargin.adapters.zero_knowledge import (
    OPENING_SUFFIX,
    ZK_HEAD_NAME,
    accepted,
    opening_name,
    prove_all,
    read_opening,
    read_proof,
    read_zk_head,
    write_zk,
)
from crossmargin.cli.output import print_report
from crossmargin.cli.proving.command import Asked, trusted_of
from crossmargin.cli.zk.report import attest_report, prove_report, verify_report
from crossmargin.cli.zk.tables import attest_tables, prove_tables, verify_tables
from crossmargin.core.errors import InvalidInput, NotProved
from crossmargin.proofs.checking import is_good
from crossmargin.proofs.checking import verify as verify_statement
from crossmargin.proofs.reasons import Reason
from crossmargin.proofs.zk.checking import judged, verify_stated
from crossmargin.proofs.zk.openings import check_opening, commit_zk, stated_of, witness_of
from crossmargin.proofs.zk.statement import ZkHead, zk_digest

_DIGITS_MAX: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is to be proved, USD, as the user writes it."""

    loss_at_most: str
    collateral_at_least: str


def attest(folder: Path, *, secret: Path, as_json: bool) -> None:
    """Commit to all statements in a folder, and write the head and an opening beside each."""
    hidden = read_secret(secret)
    others = {HEAD_NAME, ZK_HEAD_NAME}
    paths = [
        path for path in sorted(folder.glob("*.json")) if path.name not in others and OPENING_SUFFIX not in path.name
    ]
    if not paths:
        remedy = "Run `crossmargin attest` with --out."
        raise InvalidInput("folder", where="zk attest", value=str(folder), limit="one with statements", remedy=remedy)
    made = commit_zk([read_statement(path) for path in paths], secret=hidden)
    _check_only(folder / ZK_HEAD_NAME, made.head)
    for opening in made.openings:
        write_zk(folder / opening_name(opening.account), opening)
    write_zk(folder / ZK_HEAD_NAME, made.head)
    print_report(attest_report(made), as_json=as_json, tables=attest_tables)


def _check_only(place: Path, head: ZkHead) -> None:
    """Two heads of one epoch would be two truths; what was interrupted is made again by the same secret."""
    held = read_zk_head(place) if place.exists() else head
    if held != head and held.margin == head.margin:
        remedy = "Give the secret that it was made with."
        raise InvalidInput(
            "head", where=str(place), value=zk_digest(head).hex(), limit=zk_digest(held).hex(), remedy=remedy
        )


def prove(path: Path, bounds: Bounds, *, opening: Path | None, out: Path, cache: Path | None, as_json: bool) -> None:
    """Check statement and opening, prove the bounds, and write the proof."""
    statement = read_statement(path)
    failed = [check for check in verify_statement(statement) if check.outcome == "fails"]
    if failed:
        raise NotProved(Reason.WRONG_VALUE, where=str(path), found=failed[0].why, limit="a statement that verifies")
    opened = read_opening(opening or path.with_name(opening_name(statement.account)))
    checked = check_opening(statement, opened)
    decimals = statement.head.money_decimals
    stated = stated_of(
        statement,
        opened,
        checked,
        loss_at_most=quanta_of(bounds.loss_at_most, decimals, "--loss-at-most"),
        collateral_at_least=quanta_of(bounds.collateral_at_least, decimals, "--collateral-at-least"),
    )
    (proof,) = prove_all([(stated, witness_of(statement, opened, checked))], cache=cache)
    write_zk(out, proof)
    print_report(prove_report(proof, out), as_json=as_json, tables=prove_tables)


def verify(path: Path, *, head: str | None, attestor: str | None, as_json: bool) -> bool:
    """Check a proof and report; whether no check fails. What is not well formed is not given to the prover."""
    trusted, proof = trusted_of(Asked(head=head, attestor=attestor)), read_proof(path)
    checks = verify_stated(proof, published=trusted.head, domain=trusted.domain)
    if is_good(checks):
        checks.append(judged(accepted([proof])[0]))
    report = verify_report(proof, checks)
    print_report(report, as_json=as_json, tables=verify_tables)
    return report.good


def quanta_of(text: str, decimals: int, option: str) -> int:
    """An amount of USD as whole quanta of money.

    >>> quanta_of("12.5", 2, "--loss-at-most")
    1250
    """
    try:
        amount = Decimal(text)
        scaled = amount.scaleb(decimals) if amount.is_finite() and len(text) <= _DIGITS_MAX else Decimal("NaN")
        whole = scaled == scaled.to_integral_value()
    except InvalidOperation:
        whole = False
    if not whole or scaled < 0:
        limit = f"a decimal of at most {decimals} places, not negative"
        raise InvalidInput(option, where="command line", value=text[:80], limit=limit, remedy="Write it like 1250.50.")
    return int(scaled)
