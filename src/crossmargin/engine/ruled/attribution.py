"""Whose requirement it is under a rulebook, by asking it again: with each part a little larger, and without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.engine.model import RulebookModel
from crossmargin.engine.plan import Progress
from crossmargin.engine.reports import Share
from crossmargin.engine.ruled.versions import keeping, scaled
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

STEP = 1e-3  # relative, of the central differences: well above what integers of a venue round, within its brackets
ADDS_UP = 1e-5  # of the requirement: nearer than this, shares are said to add up to it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shares:
    """Euler shares of initial margin, USD: of each position [line], of all orders, of all collateral."""

    positions: FloatArray
    orders: float
    collateral: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """The initial margin of versions of one account."""

    alone: Book
    snapshot: Snapshot
    model: RulebookModel
    initial_usd: float

    def initial(self, version: Book) -> float:
        """What the rulebook asks of a version, USD."""
        return self.model.evaluate(version, self.snapshot).initial_usd

    def without(self, positions: BoolArray) -> float:
        """Initial margin with the chosen positions [line] minus without them, USD."""
        return self.initial_usd - self.initial(keeping(self.alone, positions=~positions))


def euler_shares(asked: Asked, tell: Progress) -> Shares | None:
    """q_i · ∂IM/∂q_i of each position, of the orders together and of the collateral together.

    By Euler's theorem they add up to IM exactly where the rule is homogeneous of degree one in all that is held, as
    rules of scenarios and of plain fractions are. None where they do not add up: brackets, minima, steps.
    """
    alone, count = asked.alone, len(asked.alone.positions)
    positions = np.zeros(count)
    for line in range(count):
        tell("attribution", line, count)
        positions[line] = _slope(asked, positions=(np.arange(count) == line).astype(np.float64))
    orders = _slope(asked, orders=1.0) if len(alone.orders) else 0.0
    collateral = _slope(asked, holdings=1.0) if len(alone.holdings) else 0.0
    shares = Shares(positions=positions, orders=orders, collateral=collateral)
    total = float(positions.sum()) + orders + collateral
    return shares if abs(total - asked.initial_usd) <= ADDS_UP * max(asked.initial_usd, 1.0) else None


def _slope(
    asked: Asked,
    *,
    positions: FloatArray | float = 0.0,
    orders: float = 0.0,
    holdings: float = 0.0,
) -> float:
    """The derivative of initial margin by the size of the chosen lines, each relative to itself."""
    up, down = (
        asked.initial(
            scaled(asked.alone, positions=1.0 + x * positions, orders=1.0 + x * orders, holdings=1.0 + x * holdings)
        )
        for x in (STEP, -STEP)
    )
    return (up - down) / (2.0 * STEP)


def shares_of(
    asked: Asked, names: Sequence[str], masks: Sequence[BoolArray], euler: Shares | None
) -> tuple[Share, ...]:
    """The share of each named part of the positions, `masks` [part][line]."""
    return tuple(
        Share(
            name=name,
            euler_usd=None if euler is None else float(euler.positions[mask].sum()),
            marginal_usd=asked.without(mask),
        )
        for name, mask in zip(names, masks, strict=True)
    )


def other_shares(asked: Asked, euler: Shares | None) -> Iterator[Share]:
    """The shares of open orders and of collateral, where the requirement depends on them."""
    alone = asked.alone
    no_orders = keeping(alone, orders=np.zeros(len(alone.orders), np.bool_))
    no_collateral = keeping(alone, holdings=np.zeros(len(alone.holdings), np.bool_))
    parts = (
        ("open orders", no_orders, len(alone.orders), euler.orders if euler else None),
        ("collateral", no_collateral, len(alone.holdings), euler.collateral if euler else None),
    )
    for name, rest, count, share in parts:
        alone_usd = asked.initial_usd - asked.initial(rest) if count else 0.0
        if alone_usd or share:
            yield Share(name=name, euler_usd=share, marginal_usd=alone_usd)
