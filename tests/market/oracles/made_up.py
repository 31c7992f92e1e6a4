"""Feeds and quotes to aggregate."""

from typing import Any

from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import Feed, OracleRules
from crossmargin.market.oracles.quotes import Mark, Quote, Vote

NOW_NS = 1_790_000_000 * SECOND_NS
RULES = OracleRules()


def feed(source: str, family: str = "", kind: Any = "pull", **other: Any) -> Feed:
    return Feed(source=source, family=family or source, kind=kind, **other)


def quote(source: str, price: float, *, age_s: float = 0.0, confidence: float = 0.0, **other: Any) -> Quote:
    made = other.pop("feed", None) or feed(source, other.pop("family", ""))
    time_ns = NOW_NS - round(age_s * SECOND_NS)
    seen_ns = min(time_ns, NOW_NS)
    return Quote(feed=made, price=price, confidence=confidence, publish_ns=time_ns, seen_ns=seen_ns, **other)


def mark(time_s: float, *votes: tuple[str, float, float], state: Any = "NORMAL") -> Mark:
    """A mark of votes (family, price, published at second) at a second."""
    prices = [price for _, price, _ in votes]
    return Mark(
        mid=prices[0] if prices else None,
        lo=min(prices, default=None),
        hi=max(prices, default=None),
        sigma=0.0,
        n_eff=len(votes),
        state=state,
        reasons=(),
        votes=tuple(
            Vote(family=family, price=price, confidence=0.0, publish_ns=round(at * SECOND_NS), kept=True)
            for family, price, at in sorted(votes)
        ),
        time_ns=round(time_s * SECOND_NS),
    )
