"""Openings of the small epoch of five accounts."""

import functools

import msgspec

from crossmargin.proofs.statement import Statement, statement_of
from crossmargin.proofs.zk.openings import (
    Opened,
    Witness,
    ZkEpoch,
    check_opening,
    commit_zk,
    stated_of,
    witness_of,
)
from crossmargin.proofs.zk.statement import MarginProof, Opening
from tests.proofs.test_statement import epoch

SECRET = bytes(range(32))


@functools.cache
def statements() -> tuple[Statement, ...]:
    """What the accounts of `epoch` hold, without state proofs: one is between lots, one is empty, one only gains."""
    made = [statement_of(epoch(), account) for account in epoch().accounts]
    claimed = [tuple(msgspec.structs.replace(line, source=None) for line in one.lines) for one in made]
    return tuple(msgspec.structs.replace(one, lines=lines) for one, lines in zip(made, claimed, strict=True))


@functools.cache
def committed() -> ZkEpoch:
    """The same for circuits."""
    return commit_zk(statements(), secret=SECRET)


def opened(account: str) -> tuple[Statement, Opening, Opened]:
    """Statement and opening of an account, checked."""
    statement = next(one for one in statements() if one.account == account)
    opening = next(one for one in committed().openings if one.account == account)
    return statement, opening, check_opening(statement, opening)


def case(account: str, *, loss_more: int = 0, collateral_less: int = 0) -> tuple[MarginProof, Witness]:
    """What is to be proved of an account, by default its very loss and collateral, and what proves it."""
    statement, opening, checked = opened(account)
    stated = stated_of(
        statement,
        opening,
        checked,
        loss_at_most=int(statement.worst_loss) + loss_more,
        collateral_at_least=int(statement.collateral) - collateral_less,
    )
    return stated, witness_of(statement, opening, checked)
