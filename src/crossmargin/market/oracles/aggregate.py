"""Quotes to one mark: gates, one vote for each upstream family, the median, outliers out, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from crossmargin.core import check
from crossmargin.core.instant import DAY_NS
from crossmargin.market.oracles.document import OracleRules
from crossmargin.market.oracles.gates import NO_SEQUENCERS, accepted
from crossmargin.market.oracles.median import MAD_TO_SIGMA, absolute_deviation, median
from crossmargin.market.oracles.quotes import Mark, MarkState, Quote, Sequencer, Vote

BPS = 1e-4


def aggregate(
    quotes: Iterable[Quote],
    rules: OracleRules,
    *,
    now_ns: int,
    daily_vol: float,
    sequencers: Mapping[str, Sequencer | None] = NO_SEQUENCERS,
) -> Mark:
    """The mark of one asset at `now_ns`; the order of the quotes does not matter, and no quote makes it raise.

    mid is the median of the families' votes, so no single family moves it beyond what the others say. A vote further
    from it than max(3.5 · 1.4826 MAD, 30 bp · mid) is an outlier: it is not counted, and adds nothing to the
    uncertainty. It keeps its rank in the median; to take the median again without it would let the family next to it
    pull the mark. σ² = c² + (1.4826 MAD)² + (daily_vol · mid)² · age/day, with c the widest confidence, MAD and age
    (the median of ages) of the votes that are kept. `daily_vol` is the standard deviation of a day's return. Raises
    `InvalidInput` for a `daily_vol` that is not a number from 0 on."""
    check.within(daily_vol, "daily_vol", 0.0, 10.0, where="oracle rules")
    kept_quotes, reasons = accepted(quotes, rules, now_ns=now_ns, sequencers=sequencers)
    votes = without_outliers(family_votes(kept_quotes), rules)
    kept = [vote for vote in votes if vote.kept]
    outliers = tuple(f"{v.family}: {v.price:g} is an outlier" for v in votes if not v.kept)
    if not kept:
        return Mark(
            mid=None,
            lo=None,
            hi=None,
            sigma=None,
            n_eff=0,
            state="HALT",
            reasons=(*reasons, "no family counts"),
            votes=votes,
            time_ns=now_ns,
        )
    mid = median([vote.price for vote in votes])
    sigma = _sigma(kept, mid, daily_vol, now_ns)
    state, why = _state(kept, mid, rules)
    return Mark(
        mid=mid,
        lo=max(mid - rules.band_sigmas * sigma, 0.0),
        hi=mid + rules.band_sigmas * sigma,
        sigma=sigma,
        n_eff=len(kept),
        state=state,
        reasons=(*reasons, *outliers, *why),
        votes=votes,
        time_ns=now_ns,
    )


def family_votes(quotes: Sequence[Quote]) -> tuple[Vote, ...]:
    """One vote for each family, in their order: the median of its quotes, its widest confidence, its newest time."""
    families: dict[str, list[Quote]] = {}
    for quote in quotes:
        families.setdefault(quote.feed.family, []).append(quote)
    return tuple(
        Vote(
            family=family,
            price=median([quote.price for quote in said]),
            confidence=max(quote.confidence for quote in said),
            publish_ns=max(quote.publish_ns for quote in said),
            kept=True,
        )
        for family, said in sorted(families.items())
    )


def without_outliers(votes: Sequence[Vote], rules: OracleRules) -> tuple[Vote, ...]:
    """The votes, those too far from their median marked as not kept. At least half always stay."""
    if not votes:
        return ()
    prices = [vote.price for vote in votes]
    centre = median(prices)
    spread = MAD_TO_SIGMA * absolute_deviation(prices, centre)
    limit = max(rules.mad_multiple * spread, rules.outlier_floor_bps * BPS * centre)
    return tuple(replace(vote, kept=abs(vote.price - centre) <= limit) for vote in votes)


def _sigma(kept: Sequence[Vote], mid: float, daily_vol: float, now_ns: int) -> float:
    spread = MAD_TO_SIGMA * absolute_deviation([vote.price for vote in kept], mid)
    age_days = median([max(now_ns - vote.publish_ns, 0) / DAY_NS for vote in kept])
    drift = daily_vol * mid * math.sqrt(age_days)
    return math.hypot(max(vote.confidence for vote in kept), spread, drift)


def _state(kept: Sequence[Vote], mid: float, rules: OracleRules) -> tuple[MarkState, tuple[str, ...]]:
    if len(kept) < rules.families_min:
        return "DEGRADED", (f"{len(kept)} families, {rules.families_min} make a mark",)
    width = max(vote.price for vote in kept) - min(vote.price for vote in kept)
    if len(kept) == 2 and width > rules.disagreement_bps * BPS * mid:
        return "DEGRADED", (f"two families {width / mid / BPS:.0f} bp apart",)
    return "NORMAL", ()
