"""Which way each holding takes to where it is needed: the cheapest that is there in time, by what it counts for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.market.representations.build import TRANSFER_S_MAX
from crossmargin.market.transfers.ways import Ways, stated_way

SHUT: Final = stated_way("", fixed_usd=0.0, share=0.0, p50_s=np.inf, p95_s=np.inf)  # where no way is open


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lanes:
    """The ways of each lane [lane, way], as `Ways` has them; a lane with fewer is filled up by ways that never arrive.

    `within_s` is when it must be there.
    """

    routes: tuple[tuple[str, ...], ...]
    fixed_usd: FloatArray
    share: FloatArray
    p50_s: FloatArray
    p95_s: FloatArray
    capacity: FloatArray
    refill_per_s: FloatArray
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taken:
    """The way that each holding takes [holding], by its code in the lane.

    `cost_usd` moves all of it: `fixed_usd` and `share` of its value. `p95_s` has the wait at a rate limit, and 90 days
    for what never arrives; `in_time` whether that is as early as it must be.
    """

    way: IntArray
    cost_usd: FloatArray
    fixed_usd: FloatArray
    share: FloatArray
    p50_s: FloatArray
    p95_s: FloatArray
    in_time: BoolArray


def lanes_of(found: Iterable[Ways], *, within_s: float) -> Lanes:
    """Ways of several lanes as one table; a lane without any has one that never arrives and costs nothing."""
    each = [ways if ways.routes else SHUT for ways in found]
    width = max((len(ways.routes) for ways in each), default=1)
    columns = {f.name: _padded([getattr(ways, f.name) for ways in each], width) for f in fields(Ways)[1:]}
    return Lanes(routes=tuple(ways.routes for ways in each), **columns, within_s=within_s)


def _padded(rows: Sequence[FloatArray], width: int) -> FloatArray:
    table = np.full((len(rows), width), np.inf)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return frozen(table)


def cheapest_ways(
    lanes: Lanes,
    lane: Int[ndarray, "holding"],
    value: Float[ndarray, "holding"],
    tokens: Float[ndarray, "holding"],
) -> Taken:
    """The cheapest way of each holding that is there in time, and the first to be there where none is.

    `value` is what is moved, USD, as `tokens` of whole units. fixed_usd + share · value is least among the ways with
    p95_s + max(0, tokens − capacity)/refill_per_s ≤ within_s; of equally cheap ways the first.
    """
    over = np.maximum(tokens[:, None] - lanes.capacity[lane], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        there = lanes.p95_s[lane] + np.where(over > 0.0, over / lanes.refill_per_s[lane], 0.0)
        cost = lanes.fixed_usd[lane] + lanes.share[lane] * value[:, None]
    in_time = there <= lanes.within_s
    price = np.where(in_time, cost, np.inf)
    way = np.where(in_time.any(axis=1), np.argmin(price, axis=1), np.argmin(there, axis=1))
    at = (lane, way)
    rows = np.arange(len(lane))
    return Taken(
        way=frozen(way, np.int64),
        cost_usd=frozen(cost[rows, way]),
        fixed_usd=frozen(lanes.fixed_usd[at]),
        share=frozen(lanes.share[at]),
        p50_s=frozen(np.minimum(lanes.p50_s[at], TRANSFER_S_MAX)),
        p95_s=frozen(np.minimum(there[rows, way], TRANSFER_S_MAX)),
        in_time=frozen(in_time[rows, way], np.bool_),
    )
