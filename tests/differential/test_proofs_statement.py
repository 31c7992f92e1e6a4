"""Statements against a checker of plain Python that reads the JSON alone."""

import json

import msgspec
import pytest

from crossmargin.proofs.checking import verify
from crossmargin.proofs.statement import Statement, head_digest, statement_of
from spec.proofs import statement as spec
from tests.proofs import test_statement as made


def agreed(statement: Statement) -> list[bool]:
    """What both say of account, rows, loss and scenario."""
    read = json.loads(msgspec.json.encode(statement))
    theirs = [spec.account_holds(read), spec.rows_hold(read), spec.loss_holds(read), spec.scenario_holds(read)]
    named = {check.name: check.outcome == "holds" for check in verify(statement)}
    ours = [named[name] for name in ("account and totals", "rows of R", "worst loss", "worst scenario")]
    assert ours == theirs
    return ours


@pytest.mark.parametrize("account", made.ACCOUNTS)
def test_honest_statements_hold_for_both(account):
    assert agreed(statement_of(made.epoch(), account)) == [True] * 4


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (made.lowered_loss, [False, True, False, True]),
        (made.dropped_position, [False, True, False, True]),
        (made.smaller_position, [False, True, False, True]),
        (made.kinder_row, [True, False, False, True]),
        (made.another_label, [True, True, True, False]),
        (made.lower_total, [False, True, True, True]),
        (made.another_account, [False, True, True, True]),
        (made.more_collateral, [False, True, True, True]),
    ],
)
def test_tampered_statements_fail_alike(change, outcome):
    assert agreed(change(statement_of(made.epoch(), "maker"))) == outcome


def test_digest_of_the_head():
    head = made.epoch().head
    assert head_digest(head) == spec.digest(json.loads(msgspec.json.encode(head)))
