"""The routes of one transfer as figures for people and machines."""

from __future__ import annotations

import msgspec
import numpy as np

from crossmargin.market.transfers.cost import PARTS, TransferCosts
from crossmargin.optimize.transfers.arbitrage import Band
from crossmargin.optimize.transfers.choose import Choice, Verdict


class RouteRow(msgspec.Struct, frozen=True, kw_only=True):
    """One route: cost in USD and its parts, the time by which half and 95 % have arrived, and the chance in time.

    `wait_s` is the queue at the lane's rate limit; null where the amount never passes.
    """

    route: str
    bridge: str
    verdict: Verdict
    cost_usd: float
    parts_usd: dict[str, float]
    p50_s: float
    p95_s: float
    wait_s: float | None
    chance: float
    failure: float


class TransferReport(msgspec.Struct, frozen=True, kw_only=True):
    """All routes of a transfer, the one to take (null if none is in time), and the band of prices that can persist."""

    asset: str
    origin: str
    destination: str
    amount: float
    amount_usd: float
    deadline_s: float
    confidence: float
    taken: str | None
    routes: tuple[RouteRow, ...]
    band: float | None
    band_route: str | None
    band_amount_usd: float | None
    registry_sha256: str
    routes_sha256: str


def route_rows(
    costs: TransferCosts, choice: Choice, bridges: dict[str, str], wait_s: dict[str, float | None], deadline_s: float
) -> tuple[RouteRow, ...]:
    """A row for each route, for the first of the amounts."""
    median, late = costs.time_s(0.5).tolist(), costs.time_s(0.95).tolist()
    queue = np.asarray([np.inf if wait_s[name] is None else wait_s[name] for name in costs.routes], np.float64)
    chance = costs.chance_by(deadline_s - queue).tolist()
    return tuple(
        RouteRow(
            route=name,
            bridge=bridges[name],
            verdict=verdict,
            cost_usd=float(costs.cost_usd[i, 0]),
            parts_usd=dict(zip(PARTS, costs.parts_usd[i, 0].tolist(), strict=True)),
            p50_s=median[i],
            p95_s=late[i],
            wait_s=wait_s[name],
            chance=chance[i],
            failure=float(costs.failure[i]),
        )
        for i, (name, verdict) in enumerate(choice.verdicts)
    )


def persisting(band: Band) -> tuple[float | None, str | None, float | None]:
    """The band as JSON has it: null where nothing crosses."""
    return (band.width if np.isfinite(band.width) else None, band.route, band.amount_usd)
