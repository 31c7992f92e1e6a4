"""Which way to take: the cheapest route that arrives in time, and what a lane's rate limit does to it.

It is the rule that always works: where a plan over all chains takes too long to compute, and where the bridges that the
plan relied on are used up by others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.market.transfers.cost import TransferCosts

Verdict = Literal["taken", "dearer", "late", "rate limit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The route that is taken for one amount, or None; `verdicts` says of each route why it is or is not.

    `cost_usd`, `chance` of arrival in time and `wait_s` at the lane's limit are the taken route's own.
    """

    route: str | None
    verdicts: tuple[tuple[str, Verdict], ...]
    cost_usd: float = 0.0
    chance: float = 0.0
    wait_s: float = 0.0


def cheapest_in_time(
    costs: TransferCosts,
    *,
    amount: int,
    deadline_s: float,
    confidence: float = 0.95,
    wait_s: Mapping[str, float | None] | None = None,
) -> Choice:
    """The cheapest route by which `costs.amount_usd[amount]` arrives within `deadline_s` with probability `confidence`.

    `wait_s` by route is the time in the queue of a rate limit (`buckets.wait_s`), None where the amount never passes;
    a route that is not named waits for nothing. Of equally cheap routes the one that stands first is taken.
    """
    check.within(confidence, "confidence", 0.0, 1.0, where="transfer")
    check.within(deadline_s, "deadline (s)", 0.0, 1e9, where="transfer")
    waits = wait_s or {}
    queue = np.asarray([_or_never(waits.get(name, 0.0)) for name in costs.routes], dtype=np.float64)
    chance = costs.chance_by(deadline_s - queue)
    price, in_time = costs.cost_usd[:, amount], chance >= confidence
    if not in_time.any():
        return Choice(route=None, verdicts=_verdicts(costs, in_time, queue, deadline_s, None))
    taken = int(np.argmin(np.where(in_time, price, np.inf)))
    return Choice(
        route=costs.routes[taken],
        verdicts=_verdicts(costs, in_time, queue, deadline_s, taken),
        cost_usd=float(price[taken]),
        chance=float(chance[taken]),
        wait_s=float(queue[taken]),
    )


def _or_never(wait: float | None) -> float:
    return np.inf if wait is None else wait


def _verdicts(
    costs: TransferCosts, in_time: BoolArray, queue: FloatArray, deadline_s: float, taken: int | None
) -> tuple[tuple[str, Verdict], ...]:
    def verdict(i: int) -> Verdict:
        if i == taken:
            return "taken"
        if in_time[i]:
            return "dearer"
        return "rate limit" if queue[i] >= deadline_s else "late"

    return tuple((name, verdict(i)) for i, name in enumerate(costs.routes))
