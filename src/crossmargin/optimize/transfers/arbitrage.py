"""What price difference between chains can persist: less than it costs an arbitrageur to close it.

Buying on one chain, carrying over and selling on the other earns difference · amount − cost(amount). A difference
stands as long as no amount earns anything: up to the least cost per dollar over routes and amounts. It is wider where
gas is dear and bridges are slow, and without bound where nothing crosses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossmargin.core.errors import InvalidInput
from crossmargin.market.transfers.cost import TransferCosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The largest relative price difference that nobody gains by closing, and the route and amount that set it.

    Without a route the band is infinite.
    """

    width: float
    route: str | None = None
    amount_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What closing a difference earns: the best route and amount, USD net of all costs; 0 where nothing does."""

    profit_usd: float
    route: str | None = None
    amount_usd: float | None = None


def band(costs: TransferCosts) -> Band:
    """The band that `costs` leaves, over its amounts; raises `InvalidInput` for amounts that are not positive."""
    if not (costs.amount_usd > 0.0).all():
        raise InvalidInput(
            "amount (USD)",
            where="arbitrage",
            value=costs.amount_usd.tolist(),
            limit="above zero",
            remedy="Ask for a ladder of positive amounts.",
        )
    if not costs.routes:
        return Band(width=np.inf)
    per_dollar = costs.cost_usd / costs.amount_usd
    route, amount = np.unravel_index(int(per_dollar.argmin()), per_dollar.shape)
    return Band(
        width=float(per_dollar[route, amount]),
        route=costs.routes[int(route)],
        amount_usd=float(costs.amount_usd[amount]),
    )


def close(costs: TransferCosts, difference: float) -> Closing:
    """What a relative price `difference` ≥ 0 earns by the best route and amount of `costs`."""
    if not costs.routes:
        return Closing(profit_usd=0.0)
    profit = difference * costs.amount_usd - costs.cost_usd
    route, amount = np.unravel_index(int(profit.argmax()), profit.shape)
    if profit[route, amount] <= 0.0:
        return Closing(profit_usd=0.0)
    return Closing(
        profit_usd=float(profit[route, amount]),
        route=costs.routes[int(route)],
        amount_usd=float(costs.amount_usd[amount]),
    )
