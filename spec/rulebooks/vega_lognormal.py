"""Vega's risk factors and margin levels; section 18 of the rulebook reference."""

from __future__ import annotations

import math
from statistics import NormalDist

NORMAL = NormalDist()


def phi(x: float) -> float:
    """Normal distribution function, with its digits in the lower tail."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def factors(tail: float, tau: float, mu: float, sigma: float) -> tuple[float, float]:
    """Short and long risk factor."""
    z, width = NORMAL.inv_cdf(tail), sigma * math.sqrt(tau)
    mean = math.exp(mu * tau)
    return mean * phi(z + width) / tail - 1.0, 1.0 - mean * phi(z - width) / tail


def side(mark: float, riskiest: float, slippage: float, held: float, orders: float, rf: float) -> float:
    """What one side of a market asks."""
    return mark * abs(riskiest) * slippage + (abs(held) + orders) * rf * mark


def maintenance(
    volume: float, buys: float, sells: float, mark: float, slippage: float, rf: tuple[float, float]
) -> float:
    """The larger side, with orders."""
    short, long = rf
    most_long, most_short = max(volume + buys, 0.0), min(volume - sells, 0.0)
    return max(
        side(mark, most_long, slippage, max(volume, 0.0), buys, long),
        side(mark, most_short, slippage, min(volume, 0.0), sells, short),
    )
