"""Transfers again, slowly: a bucket second by second, the chance of arrival by its error function, one route's cost."""

from __future__ import annotations

import math
from fractions import Fraction


def available(capacity: int, refill_per_s: Fraction, left: int, seconds: int) -> int:
    """What a bucket holds after whole seconds, filled one second at a time."""
    level = Fraction(left)
    for _ in range(seconds):
        level = min(Fraction(capacity), level + refill_per_s)
    return math.floor(level)


def chance_by(time_s: float, median_s: float, log_sd: float, retry_share: float, retry_s: float) -> float:
    """P(T ≤ t) of a lognormal and, with `retry_share`, of one whose median is `retry_s` later."""
    if time_s <= 0.0:
        return 0.0

    def lognormal(median: float) -> float:
        if log_sd == 0.0:
            return 1.0 if time_s >= median else 0.0
        return 0.5 * math.erfc(-math.log(time_s / median) / (log_sd * math.sqrt(2.0)))

    return (1.0 - retry_share) * lognormal(median_s) + retry_share * lognormal(median_s + retry_s)


def mean_s(median_s: float, log_sd: float, retry_share: float, retry_s: float) -> float:
    """E[T]: the mean of a lognormal is its median times exp(s²/2)."""
    usual = median_s * math.exp(log_sd**2 / 2.0)
    retried = (median_s + retry_s) * math.exp(log_sd**2 / 2.0)
    return (1.0 - retry_share) * usual + retry_share * retried


def failure(incidents: int, years: float, seconds: float) -> float:
    """The chance that a bridge fails within `seconds`: Jeffreys' Beta(½, ½) after `incidents` in `years`."""
    yearly = (incidents + 0.5) / (years + 1.0)
    return 1.0 - math.pow(1.0 - yearly, seconds / (365.0 * 86_400.0))


def cost_usd(
    amount_usd: float,
    gas: list[tuple[float, float, float, float]],
    markup: float,
    fee: tuple[float, float],
    depth_usd: float | None,
    rate: float,
    seconds: float,
    failed: float,
) -> list[float]:
    """Gas, fee, slippage, carry and failure of one transfer.

    `gas` of each side: (units, gwei a unit, gwei for its data, USD a coin); `fee`: (share, fixed USD).
    """
    sides = [(units * gwei + data) * 1e-9 * coin for units, gwei, data, coin in gas]
    return [
        sides[0] + sides[1] * (1.0 + markup),
        fee[0] * amount_usd + fee[1],
        0.0 if depth_usd is None else amount_usd * (amount_usd / depth_usd) / 2.0,
        rate * amount_usd * seconds / (365.0 * 86_400.0),
        failed * amount_usd,
    ]


def cheapest_way(
    ways: list[tuple[float, float, float, float, float]], value: float, tokens: float, within_s: float
) -> tuple[int, float, float]:
    """Which way is taken, what it costs and when it is there: the cheapest in time, else the first to be there.

    A way is its fixed cost, its share of the value, the time by which it is there, what passes at once, and the refill.
    """
    found = []
    for number, (fixed, share, there_s, capacity, refill_per_s) in enumerate(ways):
        over = max(tokens - capacity, 0.0)
        wait_s = 0.0 if over == 0.0 else math.inf if refill_per_s == 0.0 else over / refill_per_s
        found.append((number, fixed + share * value, there_s + wait_s))
    timely = [one for one in found if one[2] <= within_s]
    if timely:
        return min(timely, key=lambda one: (one[1], one[0]))
    return min(found, key=lambda one: (one[2], one[0]))
