"""Eleven ways to lie in a margin statement, each an edit of its JSON, and the checks that refuse them.

The statement needs a line of collateral with a state proof. `outcomes` gives one row for each edit: what was changed,
which checks refuse it, and the reasons.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

import msgspec

from crossmargin.proofs.checking import Trusted, verify
from crossmargin.proofs.statement import Statement

Edit = Callable[[dict[str, Any]], None]


def other_digit(text: str, at: int) -> str:
    """`text` with another hexadecimal digit in one place."""
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]


def worst_loss(s: dict[str, Any]) -> None:
    """Half of the loss."""
    s["worst_loss"] = str(int(s["worst_loss"]) // 2)


def collateral(s: dict[str, Any]) -> None:
    """A million USD more."""
    s["collateral"] = str(int(s["collateral"]) + 10**18)


def position_lots(s: dict[str, Any]) -> None:
    """A smaller position."""
    s["positions"][0]["lots"] = str(int(s["positions"][0]["lots"]) // 2)


def row_quanta(s: dict[str, Any]) -> None:
    """One risk row by some quanta in the worst scenario."""
    last = 2 + 16 * (s["worst"]["index"] + 1) - 1
    s["rows"][0]["quanta"] = other_digit(s["rows"][0]["quanta"], last)


def label(s: dict[str, Any]) -> None:
    """A worst scenario that sounds rarer."""
    s["worst"]["label"] = "once in a thousand years"


def path_sibling(s: dict[str, Any]) -> None:
    """Another neighbour on the account's path."""
    s["path"][0] = other_digit(s["path"][0], 2)


def totals(s: dict[str, Any]) -> None:
    """Smaller losses of all accounts together."""
    s["head"]["worst_loss_total"] = s["worst_loss"]


def head_epoch(s: dict[str, Any]) -> None:
    """Yesterday's statement as today's."""
    s["head"]["epoch"] += 1


def slot_value(s: dict[str, Any]) -> None:
    """A balance ten times as large."""
    s["state"][0]["slots"][0]["value"] += "0"


def header_byte(s: dict[str, Any]) -> None:
    """A header with one digit changed."""
    s["state"][0]["header"] = other_digit(s["state"][0]["header"], 20)


def anchor(s: dict[str, Any]) -> None:
    """A block of nobody's chain."""
    s["state"][0]["anchor"] = "0x" + "11" * 32


EDITS: dict[str, Edit] = {
    "nothing": lambda _: None,
    "worst loss": worst_loss,
    "collateral": collateral,
    "lots of a position": position_lots,
    "quanta of a row": row_quanta,
    "label of the worst scenario": label,
    "neighbour on a path": path_sibling,
    "totals of all accounts": totals,
    "epoch of the head": head_epoch,
    "value of a proven slot": slot_value,
    "byte of a block header": header_byte,
    "block that is the anchor": anchor,
}


def outcomes(raw: bytes, trusted: Trusted) -> list[tuple[str, str, str]]:
    """What was changed, which checks refuse it, and why, for each edit of a statement in JSON."""
    rows = []
    for changed, edit in EDITS.items():
        document = copy.deepcopy(json.loads(raw))
        edit(document)
        failed = [c for c in verify(msgspec.convert(document, Statement), trusted) if c.outcome == "fails"]
        names = ", ".join(dict.fromkeys(check.name.split(" of eip155")[0] for check in failed))
        rows.append((changed, names or "none", ", ".join(dict.fromkeys(str(check.reason) for check in failed))))
    return rows
