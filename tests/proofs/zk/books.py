"""Openings of the small epoch of five accounts."""

import functools

import msgspec

from crossmargin.proofs.statement import Statement, statement_of
from crossmargin.proofs.zk.commitments import (
    HALF,
    SHAPES,
    Leg,
    account_commitment,
    grow_rows,
    loss_of,
    packed_row,
    path_of,
    row_leaf,
)
from crossmargin.proofs.zk.openings import (
    Opened,
    Witness,
    ZkEpoch,
    check_opening,
    commit_zk,
    stated_of,
    witness_of,
)
from crossmargin.proofs.zk.statement import LeafPath, MarginProof, Opening, field_text
from tests.proofs.test_statement import epoch

replace = msgspec.structs.replace
SECRET = bytes(range(32))


@functools.cache
def statements() -> tuple[Statement, ...]:
    """What the accounts of `epoch` hold, without state proofs: one is between lots, one is empty, one only gains."""
    made = [statement_of(epoch(), account) for account in epoch().accounts]
    claimed = [tuple(replace(line, source=None) for line in one.lines) for one in made]
    return tuple(replace(one, lines=lines) for one, lines in zip(made, claimed, strict=True))


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


def edge_case() -> tuple[MarginProof, Witness]:
    """Lots and quanta at the ends of 64 bits, which no epoch has: the sums pass 2¹²⁶ and the slack 2¹²⁷."""
    shape, salt = SHAPES[0], 77
    legs = [Leg(leaf=0, lots=-HALF), Leg(leaf=1, lots=HALF - 1), Leg(leaf=0, lots=0)]
    rows = [(-HALF, HALF - 1, 0), (HALF - 1, -HALF, -1)]
    levels = grow_rows([row_leaf(salt + leaf, packed_row(row, shape)) for leaf, row in enumerate(rows)])
    stood = [rows[leg.leaf] for leg in legs]
    shown = tuple(
        LeafPath(leaf=leaf, salt=field_text(salt + leaf), path=tuple(map(field_text, path_of(levels, leaf))))
        for leaf in range(2)
    )
    plain = opened("maker")[0]
    held, commitment = 2**128 - 1, account_commitment("maker", salt, 2**128 - 1, legs, shape)
    edges = Opened(shape=shape, legs=tuple(legs), rows=tuple(stood), salt=salt, commitment=commitment)
    statement = replace(plain, collateral=str(held), worst_loss=str(loss_of(legs, stood)))
    opening = replace(opened("maker")[1], leaves=shown, salt=field_text(salt))
    stated = stated_of(statement, opening, edges, loss_at_most=int(statement.worst_loss), collateral_at_least=held)
    head = replace(stated.head, rows_root=field_text(levels[-1][0]))
    return replace(stated, head=head), witness_of(statement, opening, edges)
