"""How final a block is, by the dated profile of its chain and by what the chain says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from crossmargin.core.finality import Level
from crossmargin.market.chains.blocks import Header
from crossmargin.market.registry.document import Finality


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """What a chain calls its last block, and the numbers of its last safe and its last final one."""

    latest: Header
    safe_number: int
    final_number: int


def final_number(profile: Finality, heads: Heads) -> int:
    """The last block that counts as final: the tag's, that with enough blocks upon it, or the last where commit is
    final at once."""
    if profile.method == "depth":
        return max(heads.latest.number - profile.blocks, 0)
    return heads.final_number if profile.method == "tag" else heads.latest.number


def level_of(header: Header, profile: Finality, heads: Heads, *, now_s: int) -> Level:
    """The level of a block on the best branch.

    It is settled when it is final and `exit_s` of the canonical way out has passed as well; chains without one settle
    with finality. Blocks beyond `latest` were announced, but are in no block of this branch.
    """
    if header.number > heads.latest.number:
        return Level.SEEN
    if header.number <= final_number(profile, heads):
        wait_s = profile.exit_s or 0.0
        return Level.SETTLED if now_s - header.timestamp_s >= wait_s else Level.FINAL
    return Level.SAFE if header.number <= heads.safe_number else Level.INCLUDED
