"""How far to the edge: the prices at which equity meets maintenance margin, everything else held.

Exact by root finding on full revaluation: at each price tried, the whole market is moved (curve, marks, collateral),
R, exposures and requirement are made again, and equity is counted again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from crossmargin.core.arrays import FloatArray
from crossmargin.engine.margin import margin
from crossmargin.engine.moved import dealt_at_marks, ladder_gains, one_column
from crossmargin.engine.plan import replan
from crossmargin.engine.reports import Distance, Frontier
from crossmargin.engine.whatif import WhatIf
from crossmargin.market.snapshot import Snapshot, Underlying, bump

PRICE_SPAN = (0.02, 25.0)  # prices searched, as multiples of the price now
STEPS = 12  # points on each side, even in logs, between which the first change of sign is sought
DIRECTIONS = 16
TOLERANCE = 1e-10  # of ln(price)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edge:
    """Equity − maintenance margin of each of `pools` [pool], USD, as a function of moves of the market."""

    pools: tuple[str, ...]
    snapshot: Snapshot
    excess: Callable[[Mapping[str, float]], FloatArray]


def edge_of(what: WhatIf) -> Edge:
    """The edge of an account: everything is made again after each move.

    What stands without an entry price is settled to the mark of now, so its gain counts from there.
    """
    entered = dealt_at_marks(what.book, what.plan.snapshot)

    def excess(moves: Mapping[str, float]) -> FloatArray:
        moved = replan(what.plan, bump(what.plan.snapshot, moves))
        due = ladder_gains(entered, what.plan.snapshot, one_column(moves))[:, 0]
        result = margin(entered, moved.snapshot, moved.model, prepared=moved, cash=due)
        return np.asarray(result.pools.held_equity - result.pools.maintenance)

    return Edge(pools=what.book.pools, snapshot=what.plan.snapshot, excess=excess)


def distances(edge: Edge, underlyings: Iterable[str]) -> tuple[Distance, ...]:
    """For each pool and underlying, the nearest prices below and above at which the pool meets its maintenance."""
    return tuple(d for name in underlyings for d in _distances_of(edge, edge.snapshot.underlyings[name]))


def _distances_of(edge: Edge, u: Underlying) -> list[Distance]:
    if not u.curve.lognormal:
        return []  # a price that may be negative has no multiple; its distance is read off the spot curve

    def at(log_move: float) -> FloatArray:
        return edge.excess({u.factor: math.expm1(log_move)})

    now = at(0.0)
    low, high = math.log(PRICE_SPAN[0]), math.log(PRICE_SPAN[1])
    below, above = (_crossings(at, now, end) for end in (low, high))
    return [
        Distance(
            pool=pool,
            underlying=u.name,
            price=u.spot,
            below=None if below[p] is None else u.spot * math.exp(below[p] or 0.0),
            above=None if above[p] is None else u.spot * math.exp(above[p] or 0.0),
            searched_from=u.spot * PRICE_SPAN[0],
            searched_to=u.spot * PRICE_SPAN[1],
        )
        for p, pool in enumerate(edge.pools)
    ]


def _crossings(at: Callable[[float], FloatArray], now: FloatArray, end: float) -> list[float | None]:
    """The first point between 0 and `end` where each pool's excess changes sign [pool]; None where it never does."""
    steps = np.linspace(0.0, end, STEPS + 1)[1:]
    values = [now]
    for step in steps:
        values.append(at(float(step)))
        if all(len(set(np.sign([v[p] for v in values]))) > 1 for p in range(len(now))):
            break
    return [_first_root(at, p, steps, [float(v[p]) for v in values]) for p in range(len(now))]


def _first_root(at: Callable[[float], FloatArray], pool: int, steps: FloatArray, values: list[float]) -> float | None:
    """The root between the last point with the sign of the first value and the next; None where all signs agree."""
    signs = np.sign(values)
    change = np.flatnonzero(signs != signs[0])
    if not len(change):
        return None
    if signs[0] == 0.0:
        return 0.0
    place = int(change[0])
    left = float(steps[place - 2]) if place > 1 else 0.0
    root = brentq(lambda x: float(at(x)[pool]), left, float(steps[place - 1]), xtol=TOLERANCE, rtol=8.9e-16)
    return float(root)


def frontier(edge: Edge, first: str, second: str) -> tuple[Frontier, ...]:
    """Joint relative moves of two underlyings at which each pool meets its maintenance, in `DIRECTIONS` directions.

    Directions are even in the plane of log moves; the search goes out to the span of `distances` along each.
    """
    held = edge.snapshot.underlyings
    reach = math.log(PRICE_SPAN[1])
    points: list[list[tuple[float, float] | None]] = [[] for _ in edge.pools]
    now = edge.excess({})
    for k in range(DIRECTIONS):
        angle = 2.0 * math.pi * k / DIRECTIONS
        x, y = math.cos(angle), math.sin(angle)

        def along(r: float, x: float = x, y: float = y) -> FloatArray:
            return edge.excess({held[first].factor: math.expm1(r * x), held[second].factor: math.expm1(r * y)})

        for p, r in enumerate(_crossings(along, now, reach)):
            points[p].append(None if r is None else (math.expm1(r * x), math.expm1(r * y)))
    return tuple(
        Frontier(pool=pool, first=first, second=second, points=tuple(points[p])) for p, pool in enumerate(edge.pools)
    )
