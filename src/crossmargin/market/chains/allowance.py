"""The fast allowance of a chain: how much of credits that are not final may count already, refilled with time.

A token bucket, in whole units of money. A credit that counts early takes from it and gives nothing back: it refills
with time alone. What counts early at one time is bounded as well, by the same capacity, so that a chain without
finality for hours does not count more with every hour. Source of the idea: Circle CCTP's Fast Transfer Allowance
(documentation of 2026); of the default, this project: 2 % of the final value on a chain, refilled within an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from crossmargin.core.errors import InvalidInput
from crossmargin.market.chains.blocks import EventId

SHARE_PPM: Final = 20_000
REFILL_S: Final = 3_600
MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is `left` to be granted at `time_s` (Unix), and the grants to credits that are still pending.

    `left` counts in units of money / `REFILL_S`, so that refilling by whole seconds is exact."""

    time_s: int
    left: int = 0
    granted: Mapping[EventId, int] = field(default_factory=dict)


def full(capacity: int, time_s: int) -> Allowance:
    """An allowance from which nothing was taken."""
    return Allowance(time_s=time_s, left=capacity * REFILL_S)


def capacity_of(final_value: int, share_ppm: int = SHARE_PPM) -> int:
    """The capacity for a chain with `final_value` of final credits; below zero it has none."""
    return max(final_value, 0) * share_ppm // MILLION


def grant(allowance: Allowance, wanted: Mapping[EventId, int], *, capacity: int, time_s: int) -> Allowance:
    """The allowance after credits that are pending at `time_s` ask for what they are worth at their level.

    `wanted` are all pending credits in the order of their blocks. One that was granted before keeps at most that; one
    that is no longer asked for (final, or left out by a reorg) is dropped and gives nothing back. Raises
    `InvalidInput` where time runs backwards.
    """
    if time_s < allowance.time_s:
        raise InvalidInput(
            "time", where="fast allowance", value=time_s, limit=f"{allowance.time_s} or later", remedy="Time advances."
        )
    limit = capacity * REFILL_S
    left = min(limit, allowance.left + capacity * (time_s - allowance.time_s))
    granted = {event: min(allowance.granted.get(event, 0), amount) for event, amount in wanted.items()}
    room = capacity - sum(granted.values())
    for event, amount in wanted.items():
        more = max(min(amount - granted[event], room, left // REFILL_S), 0)
        granted[event] += more
        room, left = room - more, left - more * REFILL_S
    return replace(allowance, time_s=time_s, left=left, granted=MappingProxyType(granted))
