"""The statement of the documentation's table: as it was made, and with eleven edits of its JSON."""

import importlib.util
from pathlib import Path
from types import ModuleType

import msgspec

from crossmargin.proofs.statement import statement_of
from tests.proofs.test_statement import backing, epoch, trusted

EXAMPLE = Path(__file__).parents[2] / "examples" / "tampered_statements.py"


def example() -> ModuleType:
    """The example, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("tampered_statements", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_edit_is_refused_where_it_was_made():
    raw = msgspec.json.encode(statement_of(epoch(), "maker", state=[backing()]))
    found = {changed: checks for changed, checks, _ in example().outcomes(raw, trusted())}
    assert found == {
        "nothing": "none",
        "worst loss": "account and totals, worst loss",
        "collateral": "account and totals, collateral",
        "lots of a position": "account and totals, worst loss",
        "quanta of a row": "rows of R, worst loss",
        "label of the worst scenario": "worst scenario",
        "neighbour on a path": "account and totals",
        "totals of all accounts": "head, account and totals",
        "epoch of the head": "head",
        "value of a proven slot": "state",
        "byte of a block header": "state",
        "block that is the anchor": "state, anchor",
    }
