"""Forced sales and prices, one account at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Holder:
    """An account: lines of (asset, quantity, requirement rate), cash, its chain, and what became of it."""

    lines: list[tuple[int, float, float]]
    cash: float
    chain: int
    first: int = -1
    failed: int = -1
    penalty: float = 0.0
    deficit: float = 0.0
    closed: bool = False

    def worth(self, price: Sequence[float]) -> float:
        """Cash and holdings at `price`."""
        return self.cash + sum(q * price[j] for j, q, _ in self.lines)

    def need(self, price: Sequence[float]) -> float:
        """The requirement at `price`."""
        return sum(rate * abs(q) * price[j] for j, q, rate in self.lines)

    def gross(self, price: Sequence[float]) -> float:
        """What it holds and owes in assets, without sign."""
        return sum(abs(q) * price[j] for j, q, _ in self.lines)


@dataclass(frozen=True)
class Law:
    """How the price of one asset answers to what is sold."""

    impact: float
    depth: float
    step: float
    floor: float


@dataclass
class Course:
    """Prices by round, what was dealt by round, and whether nothing moves any more."""

    price: list[list[float]]
    dealt: list[list[float]] = field(default_factory=list)
    settled: bool = False


def share_to_deal(one: Holder, seen: Sequence[float], health: float, penalty: float) -> float:
    """The share of its holdings that brings an account to its target health, or everything."""
    worth, need = one.worth(seen), one.need(seen)
    if worth >= 0.0 and worth >= need * (1.0 - 1e-12):
        return 0.0
    room = health * need - penalty * one.gross(seen)
    short = health * need - worth
    return 1.0 if worth <= 0.0 or short >= room else short / room


def deal(one: Holder, part: float, price: Sequence[float], penalty: float, now: int) -> None:
    """Deal a share of an account at `price`, and let it pay."""
    paid = min(penalty * part * one.gross(price), max(one.worth(price), 0.0))
    one.cash += part * sum(q * price[j] for j, q, _ in one.lines) - paid
    one.lines = [(j, q * (1.0 - part), rate) for j, q, rate in one.lines]
    one.penalty += paid
    one.first = now if one.first < 0 else one.first
    if part == 1.0:
        one.closed = True
        if one.cash < 0.0:
            one.deficit, one.cash, one.failed = one.deficit - one.cash, 0.0, now


def next_price(law: Law, sold: float, start: float, shocked: float, price: float) -> float:
    """The price after a round, within its step and above its floor."""
    aim = shocked * math.exp(-math.copysign(law.impact * math.sqrt(abs(sold) / law.depth), sold))
    aim = min(max(aim, price * (1.0 - law.step)), price * (1.0 + law.step))
    return max(aim, min(law.floor * start, shocked))


def cascade_rounds(
    holders: Sequence[Holder],
    start: Sequence[float],
    shocked: Sequence[float],
    laws: Sequence[Law],
    clocks: Sequence[tuple[int, int]],
    *,
    health: float,
    penalty: float,
    rounds: int,
) -> Course:
    """Let holders deal until nothing moves; `clocks` are (resumes, delay) of each chain. Holders are changed."""
    course = Course([list(start), list(shocked)], [[0.0] * len(start)])
    sold, quiet = [0.0] * len(start), 0
    for now in range(1, rounds):
        dealing = []
        for one in holders:
            resumes, delay = clocks[one.chain]
            if not one.closed and now >= resumes:
                part = share_to_deal(one, course.price[max(now - delay, 0)], health, penalty)
                if part > 0.0:
                    dealing.append((one, part))
        flow = [0.0] * len(start)
        for one, part in dealing:
            for j, q, _ in one.lines:
                flow[j] += part * q
        sold = [a + b for a, b in zip(sold, flow, strict=True)]
        before = course.price[-1]
        after = [next_price(laws[j], sold[j], start[j], shocked[j], before[j]) for j in range(len(start))]
        for one, part in dealing:
            deal(one, part, after, penalty, now)
        course.price.append(after)
        course.dealt.append(flow)
        quiet = 0 if dealing or after != before else quiet + 1
        if quiet > max(delay for _, delay in clocks) and now >= max(resumes for resumes, _ in clocks):
            course.settled = True
            break
    return course
