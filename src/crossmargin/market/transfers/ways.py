"""The ways of an asset from one chain to another, for any amount: what each costs, and by when it is there.

    cost(x) = fixed_usd + share · x                there by  p95_s + max(0, tokens − capacity) / refill_per_s

Without slippage the cost of every route is affine in the amount, so that two figures say it for all holdings at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.market.registry.document import LaneLimit
from crossmargin.market.registry.registry import RegistryView
from crossmargin.market.transfers.build import TransferTable
from crossmargin.market.transfers.cost import Conditions, transfer_costs
from crossmargin.market.transfers.duration import quantile_s

SURE: Final = 0.95  # How sure an arrival must be to count as one: the p95 of every time in a report.
_AMOUNTS: Final = (0.0, 1e9)  # Two points of a line, USD; far apart, so that its slope keeps its digits.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ways:
    """Ways between two chains [way], none where nothing is open.

    `fixed_usd` of each transfer and `share` of its value, a decimal; `p50_s` and `p95_s` from sending to use, what the
    origin's finality takes included, a bridge that fails never arriving; `capacity` tokens pass at once (without bound
    where the lane has no limit) and `refill_per_s` from then on.
    """

    routes: tuple[str, ...]
    fixed_usd: FloatArray
    share: FloatArray
    p50_s: FloatArray
    p95_s: FloatArray
    capacity: FloatArray
    refill_per_s: FloatArray


def ways_between(
    table: TransferTable,
    registry: RegistryView,
    *,
    asset: str,
    origin: str,
    destination: str,
    coin_usd: Mapping[str, float],
) -> Ways:
    """Every route of a table between two chains as a way; raises what `transfer_costs` does."""
    found = transfer_costs(
        table,
        registry,
        asset=asset,
        origin=origin,
        destination=destination,
        amount_usd=_AMOUNTS,
        conditions=Conditions(coin_usd=coin_usd),
    )
    nothing, much = found.cost_usd.T
    sure = SURE / (1.0 - found.failure)
    possible = sure < 1.0
    p95_s = quantile_s(found.duration, np.where(possible, sure, SURE))
    limits = [lane_limit(registry, table.routes[r].bridge, asset, origin, destination) for r in found.routes]
    tokens = 10.0 ** registry.assets[asset].decimals
    return Ways(
        routes=found.routes,
        fixed_usd=frozen(nothing),
        share=frozen((much - nothing) / (_AMOUNTS[1] - _AMOUNTS[0])),
        p50_s=frozen(found.time_s(0.5)),
        p95_s=frozen(np.where(possible, p95_s, np.inf)),
        capacity=frozen(_limited(limits, "capacity", tokens)),
        refill_per_s=frozen(_limited(limits, "refill_per_s", tokens)),
    )


def stated_way(route: str, *, fixed_usd: float, share: float, p50_s: float, p95_s: float) -> Ways:
    """The one way that somebody states, without a limit; times from sending to use."""
    one = {"fixed_usd": fixed_usd, "share": share, "p50_s": p50_s, "p95_s": p95_s, "capacity": np.inf}
    return Ways(routes=(route,), **{name: frozen([x]) for name, x in one.items()}, refill_per_s=frozen([np.inf]))


def lane_limit(registry: RegistryView, bridge: str, asset: str, origin: str, destination: str) -> LaneLimit | None:
    """The rate limit of a bridge for an asset between two chains, if the registry has one."""
    lane = (asset, origin, destination)
    limits = registry.bridges[bridge].limits
    return next((x for x in limits if (x.asset, x.origin, x.destination) == lane), None)


def _limited(limits: Sequence[LaneLimit | None], what: str, unit: float) -> list[float]:
    return [np.inf if limit is None else float(Fraction(getattr(limit, what))) / unit for limit in limits]
