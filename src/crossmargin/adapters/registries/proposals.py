"""What a public list would add to a registry, and where it contradicts it. Nobody adds it but a person."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Verdict: TypeAlias = Literal["new", "known", "conflict", "left out"]


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a list: `subject` is what it is about, `reason` why it is judged so.

    `new` could be added, `known` says what the registry says, `conflict` contradicts it, `left out` cannot be judged.
    """

    subject: str
    verdict: Verdict
    reason: str
    record: dict[str, object] = {}


class Proposals(msgspec.Struct, frozen=True, kw_only=True):
    """All entries of one list beside the registry with hash `registry_sha256`."""

    source: str
    registry_sha256: str
    proposals: tuple[Proposal, ...]

    def count(self, verdict: Verdict) -> int:
        """How many entries are judged so."""
        return sum(proposal.verdict == verdict for proposal in self.proposals)
