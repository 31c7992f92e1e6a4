"""Marks, pegs and the liquidation clock again, slowly, from whole histories."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import TypeAlias

Reading: TypeAlias = tuple[int, float | None, bool]

SECOND = 10**9
DAY = 86_400 * SECOND
WATCH, STRESS, BROKEN = 1, 2, 3


def vote_of(prices: list[float]) -> float:
    """The vote of a family: the median of its prices."""
    return statistics.median(prices)


def aggregate(
    families: dict[str, list[tuple[float, float, int]]], *, now: int, daily_vol: float, band: float
) -> tuple[float, float, float, float, int, str] | None:
    """mid, lo, hi, sigma, families kept and state, from (price, confidence, time) by family; none without a family.

    The limits are the default ones: 3.5 × 1.4826 MAD and 30 bp for outliers, 200 bp between two families.
    """
    votes = [
        (vote_of([p for p, _, _ in said]), max(c for _, c, _ in said), max(t for _, _, t in said))
        for said in families.values()
        if said
    ]
    if not votes:
        return None
    centre = statistics.median([p for p, _, _ in votes])
    spread = 1.4826 * statistics.median([abs(p - centre) for p, _, _ in votes])
    kept = [vote for vote in votes if abs(vote[0] - centre) <= max(3.5 * spread, 0.003 * centre)]
    prices, mid = [p for p, _, _ in kept], centre
    mad = 1.4826 * statistics.median([abs(p - mid) for p in prices])
    age_days = statistics.median([max(now - t, 0) / DAY for _, _, t in kept])
    variance = max(c for _, c, _ in kept) ** 2 + mad**2 + (daily_vol * mid) ** 2 * age_days
    sigma = math.sqrt(variance)
    agree = len(kept) > 2 or (len(kept) == 2 and abs(prices[0] - prices[1]) <= 0.02 * mid)
    return mid, max(mid - band * sigma, 0.0), mid + band * sigma, sigma, len(kept), "NORMAL" if agree else "DEGRADED"


def peg_states(readings: list[Reading], levels: list[tuple[float, float]], hysteresis: float) -> list[int]:
    """The state after each reading (time, deviation, sound), each found by looking back over the whole history.

    A deviation that was never measured is not off, and calm only as far as nothing else is known: for BROKEN."""
    states: list[int] = []
    for n, (now, _, sound) in enumerate(readings):
        before = states[-1] if states else 0
        target = 0
        for level, (threshold, duration_s) in enumerate(levels, start=1):
            since = _run(readings[: n + 1], partial(_is_off, threshold))
            if since is not None and now - since >= duration_s * SECOND:
                target = level
        if not sound:
            target = BROKEN
        if target < before:
            threshold, duration_s = levels[before - 1]
            calm = _run(readings[: n + 1], partial(_is_calm, threshold, before))
            relaxed = calm is not None and now - calm >= hysteresis * duration_s * SECOND
            target = before - 1 if relaxed else before
        states.append(target)
    return states


def _is_off(threshold: float, reading: Reading) -> bool:
    return reading[1] is not None and abs(reading[1]) * 1e4 >= threshold


def _is_calm(threshold: float, level: int, reading: Reading) -> bool:
    known = reading[2] if level == BROKEN else reading[1] is not None
    return known and not _is_off(threshold, reading)


def _run(readings: list[Reading], holds: Callable[[Reading], bool]) -> int | None:
    """The time of the first of the last readings in a row for which something holds."""
    since = None
    for reading in reversed(readings):
        if not holds(reading):
            break
        since = reading[0]
    return since


def liquidation_price(
    marks: list[tuple[int, list[tuple[float, int]]]], *, needed: int, now: int, span_s: float, updates: int
) -> float | None:
    """The price of collateral that liquidations go by, from all marks (time, [(price, published), …]) so far."""
    news: list[tuple[int, int, float]] = []
    for time, votes in marks:
        if len(votes) < needed:
            news = []
            continue
        fresh = sorted((published for _, published in votes), reverse=True)[needed - 1]
        price = sorted(price for price, _ in votes)[needed - 1]
        if news and fresh <= news[-1][1]:
            news[-1] = (news[-1][0], news[-1][1], max(news[-1][2], price))
        else:
            news.append((time, fresh, price))
    for count in range(updates, len(news) + 1):
        last = news[-count:]
        if now - last[0][0] >= span_s * SECOND:
            return max(price for _, _, price in last)
    return None


def market_of(fund: float, venues: list[tuple[str, float, float]]) -> float | None:
    """The market over (family, price, liquidity) of venues, one line a family, without one that carries more than half
    of all deviations where there are three."""
    counted = sorted(venues)
    total = sum(abs(price - fund) for _, price, _ in counted)
    if len(counted) > 2:
        counted = [v for v in counted if abs(v[1] - fund) <= 0.5 * total]
    return half_of(sorted((price, weight) for _, price, weight in counted)) if counted else None


def pegged_value(
    fund: float, venues: list[tuple[str, float, float]], backing: float, *, verified: bool, stress_bps: float
) -> float:
    """The value of a pegged token from (family, price, liquidity) of venues, one line a family."""
    share = min(backing, 1.0)
    market = market_of(fund, venues)
    if market is None:
        return fund * share if verified else 0.0
    if verified and abs(market / fund - 1.0) * 1e4 <= stress_bps:
        return fund * share
    return min(fund, market) * share


def half_of(ordered: list[tuple[float, float]]) -> float:
    """The value at half of the weight, in exact arithmetic."""
    whole = sum(Fraction(weight) for _, weight in ordered)
    below = Fraction(0)
    for at, (value, weight) in enumerate(ordered):
        below += Fraction(weight)
        if 2 * below > whole:
            return value
        if 2 * below == whole:
            return (value + ordered[at + 1][0]) / 2.0
    raise AssertionError("half of the weight lies within it")
