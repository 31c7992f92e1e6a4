"""An asset under several oracles again: which quotes count, what new risk and liquidations go by, what a peg leaves.

Everything is found by looking back over the whole history of moments. Limits are the default ones, written as numbers:
the design's reference on chains, 14.2 (rules 1 to 6) and 15 (defaults).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from spec.market import oracles

SECOND = 10**9
YEAR = 365 * 86_400 * SECOND
PEG_LEVELS = [(50.0, 300.0), (200.0, 900.0), (500.0, 3600.0)]  # basis points, seconds
HYSTERESIS = 4.0
RUN_OFF_S = 604_800.0


@dataclass(frozen=True)
class Said:
    """What one source said; times in nanoseconds. `scaled` is whether its decimals are the expected ones."""

    source: str
    family: str
    kind: str
    price: float
    confidence: float
    published: int
    seen: int
    heartbeat_s: float = 0.0
    quorum: bool = True
    scaled: bool = True
    chain: str = ""
    liquidity: float = 0.0


@dataclass(frozen=True)
class Known:
    """What is known at a time. A sequencer is up or down since then; none where that is not known."""

    time: int
    said: list[Said]
    sequencers: dict[str, tuple[bool, int] | None]
    fund: float = 1.0
    backing: float = 1.0
    redeems: bool = True
    fresh: bool = True


def counts(one: Said, known: Known) -> bool:
    """Rule 1: the gates, one after the other."""
    now = known.time
    if not 0.0 < one.price < math.inf:
        return False
    if not 0.0 <= one.confidence <= 0.01 * one.price:
        return False
    if not one.scaled or not one.quorum:
        return False
    if one.seen > now or one.published - now > 60 * SECOND:
        return False
    slow = one.kind in ("push", "redemption")
    if (now - one.published) / SECOND > (1.1 * one.heartbeat_s + 60.0 if slow else 30.0):
        return False
    if one.chain not in known.sequencers:
        return True
    sequencer = known.sequencers[one.chain]
    return sequencer is not None and sequencer[0] and now - sequencer[1] > 3600 * SECOND


def heard(known: Known) -> list[Said]:
    """Of each source its newest quote that counts; nothing of one that says two things at one time."""
    found = []
    for source in sorted({one.source for one in known.said}):
        own = [one for one in known.said if one.source == source and counts(one, known)]
        newest = [one for one in own if one.published == max(other.published for other in own)]
        if newest and all((o.family, o.price, o.confidence) == _words(newest[0]) for o in newest):
            found.append(newest[0])
    return found


def _words(one: Said) -> tuple[str, float, float]:
    return one.family, one.price, one.confidence


def by_family(said: list[Said]) -> dict[str, list[Said]]:
    """Quotes of each upstream family."""
    return {family: [one for one in said if one.family == family] for family in sorted({one.family for one in said})}


def votes(said: list[Said]) -> list[tuple[float, int]]:
    """Rule 2: one vote for each family, its median price and newest time."""
    families = by_family(said).values()
    return [(oracles.vote_of([o.price for o in own]), max(o.published for o in own)) for own in families]


def mark(known: Known, daily_vol: float) -> tuple[float, float, float, float, int, str] | None:
    """Rules 1 to 3: mid, lo, hi, sigma, families kept and state; none where there is no price."""
    families = {
        name: [(o.price, o.confidence, o.published) for o in own] for name, own in by_family(heard(known)).items()
    }
    return oracles.aggregate(families, now=known.time, daily_vol=daily_vol, band=2.0)


def worth(known: Known) -> tuple[float, float | None]:
    """Rule 4: what a pegged token is worth, and how far its market is from what it redeems for."""
    venues = []
    for name, own in by_family([one for one in heard(known) if one.liquidity > 0.0]).items():
        price = oracles.half_of(sorted((one.price, one.liquidity) for one in own))
        venues.append((name, price, sum(one.liquidity for one in own)))
    verified = known.redeems and known.fresh
    value = oracles.pegged_value(known.fund, venues, known.backing, verified=verified, stress_bps=200.0)
    market = oracles.market_of(known.fund, venues)
    return value, None if market is None else market / known.fund - 1.0


def capped(reported: float, ratio: float, since: int, growth: float) -> float:
    """Rule 4: a redemption rate under its cap, `since` nanoseconds after the cap was set."""
    return min(reported, ratio * (1.0 + growth * max(since, 0) / YEAR))


def cap_may_stand(old: tuple[float, int, float], new: tuple[float, int, float], rate: float, now: int) -> bool:
    """Rule 4: whether a new cap (ratio, time, growth) may replace the old one, in exact fractions.

    Its time lies between the old one's and now, it grows by at most 10 % a year, it steps up by at most 3 % in three
    days unless the old one grew that far itself, and it stands 5 bp above the rate or more."""
    if not old[1] <= new[1] <= now or not 0.0 <= new[2] <= 0.1:
        return False
    days = Fraction(new[1] - old[1], 86_400 * SECOND)
    grown = Fraction(old[0]) * (1 + Fraction(old[2]) * Fraction(new[1] - old[1], YEAR))
    stepped = Fraction(old[0]) * (1 + Fraction(3, 100) * min(days / 3, Fraction(1)))
    stands = Fraction(new[0]) * (1 + Fraction(new[2]) * Fraction(now - new[1], YEAR))
    return Fraction(new[0]) <= max(grown, stepped) and stands >= Fraction(rate) * (1 + Fraction(5, 10_000))


def cap_is_near_a_limit(old: tuple[float, int, float], new: tuple[float, int, float], rate: float, now: int) -> bool:
    """Whether floats may decide otherwise than fractions: within 1e-9 of a limit."""
    turns = {cap_may_stand(old, (new[0] * (1.0 + e), *new[1:]), rate, now) for e in (-1e-9, 0.0, 1e-9)}
    return len(turns) > 1


def peg_states(history: list[Known]) -> list[int]:
    """Rule 5, over the whole history: a moment without a market price leaves the deviation as it was."""
    readings: list[oracles.Reading] = []
    last: float | None = None
    for known in history:
        deviation = worth(known)[1]
        last = last if deviation is None else deviation
        readings.append((known.time, last, known.redeems and known.backing >= 1.0))
    return oracles.peg_states(readings, PEG_LEVELS, HYSTERESIS)


def existing_share(states: list[int], history: list[Known]) -> float:
    """Rule 5: what a broken peg leaves of old loans: all at first, nothing after a week, in a straight line."""
    if states[-1] < oracles.BROKEN:
        return 1.0
    since = history[-1].time
    for state, known in zip(reversed(states), reversed(history), strict=True):
        if state < oracles.BROKEN:
            break
        since = known.time
    return max(1.0 - (history[-1].time - since) / SECOND / RUN_OFF_S, 0.0)


def new_risk(known: Known, state: int, daily_vol: float) -> tuple[float, float] | None:
    """Rule 6, the quick clock: the worst that anybody who is heard says, for what is held and what is owed.

    Of a broken peg nothing counts that is held; what is owed is owed all the same."""
    found = mark(known, daily_vol)
    if found is None:
        return None
    prices = [price for price, _ in votes(heard(known))]
    held, owed = min(found[1], *prices, worth(known)[0]), max(found[2], *prices)
    return (0.0 if state == oracles.BROKEN else held), owed


def settled(history: list[Known], states: list[int], families: int) -> tuple[float, float] | None:
    """Rule 6, the slow clock: prices that enough families have said for a minute, at two updates of theirs."""
    needed = max(min(3, families), 2)
    told = [(known.time, votes(heard(known))) for known in history]
    turned = [(time, [(-price, at) for price, at in own]) for time, own in told]
    now = history[-1].time
    held = oracles.liquidation_price(told, needed=needed, now=now, span_s=60.0, updates=2)
    owed = oracles.liquidation_price(turned, needed=needed, now=now, span_s=60.0, updates=2)
    if held is None or owed is None:
        return None
    left = existing_share(states, history)
    return held * left, -owed
