"""Whom to believe: endpoints of several operators, asked for the hash of one block at a height that is final.

Each operator has one vote, however many endpoints it runs. A quorum must name the same hash, and by default nobody
another one: below a final height honest nodes cannot differ, so a contradiction is a fork or a lie, and freezes.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crossmargin.core.errors import InvalidInput

QUORUM: Final = 3  # Of four. KelpDAO, 2026-04-18: one verifier read two poisoned nodes; Across asks for two at least.


class Freeze(enum.StrEnum):
    """Why nothing is believed."""

    TOO_FEW = "too few"  # operators that answer, or that call a common height final
    DISAGREEMENT = "disagreement"  # two operators name different blocks at a final height
    TWO_FACED = "two-faced"  # endpoints of one operator name different blocks
    FORGED_HEADER = "forged header"  # no header that hashes to what the quorum named
    UNPROVED = "unproved"  # no receipts that hash to the root in a block's header, or none that can be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an endpoint said: its final height, the hash at the height asked for, or why there is none."""

    endpoint: str
    operator: str
    block_hash: bytes = b""
    silent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """A block hash that a quorum of operators named; `silent` are endpoints that did not answer, and why."""

    number: int
    block_hash: bytes
    operators: tuple[str, ...]
    silent: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Nothing is believed: the reason, and what was said in words, to be looked at by a person."""

    reason: Freeze
    number: int
    said: tuple[str, ...]


def common_height(finals: Mapping[str, int], quorum: int = QUORUM) -> int | None:
    """The greatest height that at least `quorum` operators call final; None where fewer answer.

    `finals` has the final height of each operator. A node that lags is left behind, one that runs ahead counts for
    nothing by itself."""
    _check(quorum)
    ordered = sorted(finals.values(), reverse=True)
    return ordered[quorum - 1] if len(ordered) >= quorum else None


def agree(number: int, answers: Sequence[Answer], *, quorum: int = QUORUM, dissent_max: int = 0) -> Agreed | Frozen:
    """The hash of block `number` that the operators agree on, or why nothing is believed."""
    _check(quorum)
    said = tuple(f"{a.endpoint} ({a.operator}): {a.silent or '0x' + a.block_hash.hex()}" for a in answers)
    votes: dict[str, set[bytes]] = {}
    for answer in answers:
        if not answer.silent:
            votes.setdefault(answer.operator, set()).add(answer.block_hash)
    if any(len(hashes) > 1 for hashes in votes.values()):
        return Frozen(reason=Freeze.TWO_FACED, number=number, said=said)
    by_hash: dict[bytes, list[str]] = {}
    for operator, (named,) in sorted(votes.items()):
        by_hash.setdefault(named, []).append(operator)
    best = max(by_hash, key=lambda named: (len(by_hash[named]), named), default=b"")
    for_best = len(by_hash.get(best, ()))
    if len(votes) - for_best > dissent_max:
        return Frozen(reason=Freeze.DISAGREEMENT, number=number, said=said)
    if for_best < quorum:
        return Frozen(reason=Freeze.TOO_FEW, number=number, said=said)
    silent = {answer.endpoint: answer.silent for answer in answers if answer.silent}
    return Agreed(number=number, block_hash=best, operators=tuple(by_hash[best]), silent=silent)


def _check(quorum: int) -> None:
    if quorum < 1:
        raise InvalidInput("quorum", where="agreement", value=quorum, limit="1 or more", remedy="Ask for three.")
