"""Epochs for circuits and proofs of margin as figures for people and machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from crossmargin.adapters.zero_knowledge import opening_name
from crossmargin.cli.proving.report import CheckRow
from crossmargin.proofs.checking import Check, is_good
from crossmargin.proofs.zk.openings import ZkEpoch
from crossmargin.proofs.zk.statement import MarginProof, zk_digest

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "form": ("amounts, numbers and proof are well formed", "something is not of its form"),
    "margin head": ("it is of the epoch whose head stands in it", "it is of another epoch than it says"),
    "head": ("the epoch is the published one", "the epoch is not the published one"),
    "account": ("the account stands among all accounts", "the account is not committed to this"),
    "proof": ("the bounds hold for what the account is committed to", "nothing is proved"),
}
_LEFT_OUT: Final = "whether this epoch was published: no --head was given"


class OpeningRow(msgspec.Struct, frozen=True, kw_only=True):
    """One opening that was written."""

    account: str
    file: str


class ZkAttestReport(msgspec.Struct, frozen=True, kw_only=True):
    """An epoch that circuits can open; `digest` is what to publish, `without` how many accounts have no opening."""

    digest: str
    accounts: int
    without: int
    openings: tuple[OpeningRow, ...]


class ProveReport(msgspec.Struct, frozen=True, kw_only=True):
    """A proof that was made and verified; amounts as in the proof."""

    account: str
    epoch: int
    money_decimals: int
    loss_at_most: str
    collateral_at_least: str
    digest: str
    file: str


class ZkVerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """A checked proof; amounts are quanta of money, 10^−`money_decimals` USD, in decimal text."""

    account: str
    epoch: int
    as_of_ms: int
    good: bool
    money_decimals: int
    loss_at_most: str
    collateral_at_least: str
    checks: tuple[CheckRow, ...]


def attest_report(made: ZkEpoch) -> ZkAttestReport:
    """A commitment and the files of its openings."""
    return ZkAttestReport(
        digest=zk_digest(made.head).hex(),
        accounts=made.head.accounts,
        without=made.head.accounts - len(made.openings),
        openings=tuple(OpeningRow(account=one.account, file=opening_name(one.account)) for one in made.openings),
    )


def prove_report(proof: MarginProof, path: Path) -> ProveReport:
    """A proof and where it was written."""
    return ProveReport(
        account=proof.account,
        epoch=proof.margin.epoch,
        money_decimals=proof.margin.money_decimals,
        loss_at_most=proof.loss_at_most,
        collateral_at_least=proof.collateral_at_least,
        digest=zk_digest(proof.head).hex(),
        file=str(path),
    )


def verify_report(proof: MarginProof, checks: Sequence[Check]) -> ZkVerifyReport:
    """What was found, check by check, in words."""
    return ZkVerifyReport(
        account=proof.account,
        epoch=proof.margin.epoch,
        as_of_ms=proof.margin.as_of_ms,
        good=is_good(checks),
        money_decimals=proof.margin.money_decimals,
        loss_at_most=proof.loss_at_most,
        collateral_at_least=proof.collateral_at_least,
        checks=tuple(
            CheckRow(check=one.name, outcome=one.outcome, meaning=_meaning(one), reason=one.reason, why=one.why)
            for one in checks
        ),
    )


def _meaning(check: Check) -> str:
    if check.outcome == "not checked":
        return _LEFT_OUT
    return _WORDS[check.name][check.outcome == "fails"]
