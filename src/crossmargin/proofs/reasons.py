"""Why something is not proved: one word for each way to fail."""

from __future__ import annotations

import enum

from crossmargin.core.errors import NotProved


class Reason(enum.StrEnum):
    """The reasons of `NotProved`; a check that fails has exactly one."""

    MALFORMED = "malformed"  # bytes, text or nodes that are not of the form they must have
    NOT_CANONICAL = "not canonical"  # a second way to write what has one way to be written
    WRONG_COUNT = "wrong count"  # too few or too many nodes, siblings, fields or entries
    WRONG_NODE = "wrong node"  # a node whose hash is not the one that the node above it names
    WRONG_ROOT = "wrong root"  # a path that ends at another root than the committed one
    WRONG_HEADER = "wrong header"  # a block header whose hash is not the anchored one
    WRONG_CODE = "wrong code"  # a contract with other code than the pinned one
    WRONG_VALUE = "wrong value"  # a proven or recomputed value that is not the stated one
    ABSENT = "absent"  # proven not to be there
    OVERFLOW = "overflow"  # a sum beyond 128 bits, or an amount below zero


def refuse(reason: Reason, where: str, found: object, limit: str) -> NotProved:
    """The error of a check at `where` that met `found` and not `limit`."""
    return NotProved(reason, where=where, found=found, limit=limit)


def require(holds: bool, reason: Reason, where: str, found: object, limit: str) -> None:
    """Raise `NotProved` where a check does not hold."""
    if not holds:
        raise refuse(reason, where, found, limit)
