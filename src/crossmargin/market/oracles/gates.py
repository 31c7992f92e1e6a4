"""Which quotes count at all; each refusal is a reason in words, for one bad source must not stop the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import Feed, OracleRules
from crossmargin.market.oracles.quotes import Quote, Sequencer

NO_SEQUENCERS: Final[Mapping[str, Sequencer | None]] = MappingProxyType({})


def age_limit_s(feed: Feed, rules: OracleRules) -> float:
    """How old a quote of a feed may be, in seconds; a heartbeat may come late, so it has slack."""
    if feed.kind in {"push", "redemption"}:
        return rules.heartbeat_factor * feed.heartbeat_s + rules.heartbeat_slack_s
    return rules.pull_age_s


def refusal(
    quote: Quote,
    rules: OracleRules,
    *,
    now_ns: int,
    sequencers: Mapping[str, Sequencer | None] = NO_SEQUENCERS,
) -> str:
    """Why a quote does not count at `now_ns`; empty where it does.

    It must be a positive finite number with a confidence within its limit, from the past, not stale, with the decimals
    that its feed promises and a verified quorum, and the sequencer of its chain up for longer than the grace time.
    `sequencers` holds every chain that has one, with none where its state is not known: then nothing from that chain
    counts."""
    feed, name = quote.feed, quote.feed.source
    if not (math.isfinite(quote.price) and quote.price > 0.0):
        return f"{name}: price {quote.price!r} is not a positive number"
    if not 0.0 <= quote.confidence <= rules.confidence_max * quote.price:
        return f"{name}: confidence {quote.confidence:g} is not within {rules.confidence_max:g} of {quote.price:g}"
    if quote.decimals != feed.decimals:
        return f"{name}: {quote.decimals} decimals, expected {feed.decimals}"
    if not quote.quorum_ok:
        return f"{name}: signatures below their quorum"
    ahead_s = (max(quote.publish_ns, quote.seen_ns) - now_ns) / SECOND_NS
    if quote.seen_ns > now_ns or ahead_s > rules.clock_skew_s:
        return f"{name}: from the future by {ahead_s:g} s"
    age_s, limit_s = (now_ns - quote.publish_ns) / SECOND_NS, age_limit_s(feed, rules)
    if age_s > limit_s:
        return f"{name}: {age_s:g} s old, limit {limit_s:g} s"
    if feed.chain not in sequencers:
        return ""
    return _sequencer_refusal(name, sequencers[feed.chain], rules, now_ns)


def _sequencer_refusal(name: str, sequencer: Sequencer | None, rules: OracleRules, now_ns: int) -> str:
    """Prices on an L2 look fresh right after an outage, and are not."""
    if sequencer is None:
        return f"{name}: the state of its sequencer is not known"
    since_s = (now_ns - sequencer.since_ns) / SECOND_NS
    if not sequencer.up:
        return f"{name}: sequencer down for {since_s:g} s"
    if since_s <= rules.sequencer_grace_s:
        return f"{name}: sequencer up for {since_s:g} s, grace {rules.sequencer_grace_s:g} s"
    return ""


def accepted(
    quotes: Iterable[Quote],
    rules: OracleRules,
    *,
    now_ns: int,
    sequencers: Mapping[str, Sequencer | None] = NO_SEQUENCERS,
) -> tuple[tuple[Quote, ...], tuple[str, ...]]:
    """The quotes that count, one of each source, and why others do not; both in an order of their own.

    Of several from one source the newest stands. Two of one time with different prices are a source that says two
    things at once: neither counts."""
    passed: dict[str, list[Quote]] = {}
    reasons: set[str] = set()
    for quote in quotes:
        reason = refusal(quote, rules, now_ns=now_ns, sequencers=sequencers)
        if reason:
            reasons.add(reason)
        else:
            passed.setdefault(quote.feed.source, []).append(quote)
    kept = []
    for source in sorted(passed):
        newest_ns = max(quote.publish_ns for quote in passed[source])
        newest = [quote for quote in passed[source] if quote.publish_ns == newest_ns]
        if len({(quote.feed.family, quote.price, quote.confidence) for quote in newest}) > 1:
            reasons.add(f"{source}: says two things at one time")
        else:
            kept.append(min(newest, key=lambda quote: quote.seen_ns))
    return tuple(kept), tuple(sorted(reasons))
