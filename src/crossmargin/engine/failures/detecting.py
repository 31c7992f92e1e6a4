"""What notices a failure, and when: computed from the registry's times and by the oracle's own rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS, SECOND_NS
from crossmargin.market.oracles.aggregate import aggregate
from crossmargin.market.oracles.clocks import Band, Persistence, liquidation_prices, new_risk_prices, observe
from crossmargin.market.oracles.document import Feed, OracleRules, PegRules, RateCapRules
from crossmargin.market.oracles.peg import Credit, PegReading, PegState, PegTrack, credit, observe_peg
from crossmargin.market.oracles.quotes import Mark, Quote
from crossmargin.market.oracles.rates import RateCap, replaced_cap
from crossmargin.market.registry.registry import RegistryView, chain_of
from crossmargin.scenarios.failures.document import Detection

Detector: TypeAlias = Literal[
    "supply invariant",
    "finality monitor",
    "sequencer feed",
    "state proof",
    "peg state",
    "quorum",
    "rate cap",
    "lane limits",
    "marks",
]
CALM_S: Final = 600.0  # of quotes before the event, so that the liquidation clock has its updates
READINGS: Final = 100  # one a look, which covers all levels of a peg, and as many over the rest of a long event
FAMILIES: Final = 4  # of a token with several venues; one of them may be wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What notices, how many seconds after the start (none: never, while it lasts), and why in words."""

    detector: Detector
    after_s: float | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What quotes make of an asset worth 1, some time into an event: price for new risk, and for liquidations."""

    mark: Mark
    new_risk: float
    settled: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pegged:
    """How a peg went: when it first was in STRESS or worse, in which state it ends, and what that leaves."""

    after_s: float | None
    state: PegState
    credit: Credit


def supply_invariant(registry: RegistryView, bridge: str, rules: Detection, *, provable: bool) -> Finding:
    """A proof of supply abroad and lockbox at home, both final: as late as the slower chain, and the next look."""
    name: Detector = "supply invariant"
    if not provable:
        return Finding(detector=name, after_s=None, words="a forged proof is what went wrong: none would show it")
    chains = [
        chain
        for key, instance in registry.instances.items()
        for edge in instance.backing
        if edge.bridge == bridge and edge.lockbox
        for chain in (chain_of(key), chain_of(edge.home))
    ]
    if not chains:
        return Finding(detector=name, after_s=None, words=f"the registry has no lockbox of {bridge} to prove")
    slowest = max(chains, key=lambda chain: registry.chains[chain].finality.final_s)
    final_s = registry.chains[slowest].finality.final_s
    words = f"supply exceeds the lockbox, both proved final; {registry.chains[slowest].name} takes {final_s:g} s"
    return Finding(detector=name, after_s=final_s + rules.poll_s, words=words)


def finality_monitor(registry: RegistryView, chain: str, duration_s: float, rules: Detection) -> Finding:
    """A last final block older than a multiple of the chain's own time; shorter trouble is not told from none."""
    name: Detector = "finality monitor"
    if chain not in registry.chains:
        return Finding(detector=name, after_s=None, words=f"the registry does not know {chain}")
    final_s = registry.chains[chain].finality.final_s
    after_s = max((rules.lag_multiple - 1.0) * final_s, rules.poll_s)
    if after_s > duration_s:
        return Finding(detector=name, after_s=None, words=f"over before the last final block is {after_s:g} s late")
    return Finding(detector=name, after_s=after_s, words=f"the last final block is {after_s:g} s later than it may be")


def pegged(
    deviation: Callable[[float], float],
    duration_s: float,
    rules: PegRules,
    *,
    poll_s: float,
    redemption_open: bool = True,
    broken_s: float | None = None,
) -> Pegged:
    """Readings from the start to the end of an event, the first `READINGS` each `poll_s`; `broken_s` is when a proof
    says that supply is not backed."""
    track, found = PegTrack(), None
    for at_s in _times(duration_s, poll_s):
        reading = PegReading(
            time_ns=int(at_s * SECOND_NS),
            deviation=deviation(at_s),
            redemption_open=redemption_open,
            supply_backed=broken_s is None or at_s < broken_s,
        )
        track = observe_peg(track, reading, rules)
        if found is None and track.state >= PegState.STRESS:
            found = at_s
    end = credit(track, rules, now_ns=int(max(duration_s, poll_s) * SECOND_NS))
    return Pegged(after_s=found, state=track.state, credit=end)


def _times(duration_s: float, poll_s: float) -> list[float]:
    looks = [poll_s * (i + 1) for i in range(min(READINGS, max(int(duration_s / poll_s), 1)))]
    step = (duration_s - looks[-1]) / READINGS
    return looks + ([looks[-1] + step * (i + 1) for i in range(READINGS)] if step > 0.0 else [])


def priced(prices: dict[str, tuple[str, float]], duration_s: float, rules: OracleRules, *, poll_s: float) -> Priced:
    """An asset that was at 1 on all sources, then at their `prices` (source to upstream family and price) at once.

    Quotes come each `poll_s`; the clocks of `market.oracles` see them in their order, and the price for liquidations is
    that at the end of the event, or after an hour of it."""
    feeds = {s: Feed(source=s, family=f, kind="venue", liquidity_usd=1e7) for s, (f, _) in prices.items()}
    families = len({f for f, _ in prices.values()})
    track, mark, band = Persistence(), None, None
    end_s = min(max(duration_s, 2.0 * poll_s), 3_600.0)
    start = int(CALM_S / poll_s)
    for i in range(start + int(end_s / poll_s) + 1):
        now_ns = DAY_NS + int(i * poll_s * SECOND_NS)
        said = [
            Quote(
                feed=feeds[source],
                price=1.0 if i < start else price,
                confidence=1e-4,
                publish_ns=now_ns,
                seen_ns=now_ns,
            )
            for source, (_, price) in prices.items()
        ]
        mark = aggregate(said, rules, now_ns=now_ns, daily_vol=0.01)
        track = observe(track, mark, rules, families=families)
        band = liquidation_prices(track, rules, now_ns=now_ns)
    assert mark is not None, "there are quotes before an event"
    worst = new_risk_prices(mark) or Band(collateral=0.0, debt=0.0)
    return Priced(mark=mark, new_risk=worst.collateral, settled=1.0 if band is None else band.collateral)


def quorum(found: Priced, poll_s: float) -> Finding:
    """Whether families disagree: an outlier that is left out, or a mark that is not settled."""
    outliers = [vote.family for vote in found.mark.votes if not vote.kept]
    if found.mark.state != "NORMAL":
        return Finding(detector="quorum", after_s=poll_s, words="; ".join(found.mark.reasons))
    if outliers:
        return Finding(detector="quorum", after_s=poll_s, words=f"{', '.join(outliers)} stands alone and is left out")
    return Finding(detector="quorum", after_s=None, words="all upstream families say the same")


def rate_cap(ratio: float, rules: RateCapRules) -> Finding:
    """Whether a cap of `ratio` times the market's rate would be refused: what went wrong on 10 March 2026."""
    now_ns = 10 * DAY_NS
    current = RateCap(ratio=1.0, time_ns=now_ns - 3 * DAY_NS, growth_per_year=rules.growth_per_year)
    proposed = RateCap(ratio=ratio, time_ns=now_ns, growth_per_year=rules.growth_per_year)
    try:
        replaced_cap(current, proposed, rules, rate=1.0, now_ns=now_ns)
    except InvalidInput as refused:
        return Finding(detector="rate cap", after_s=0.0, words=f"{ratio:g} of the rate is refused: {refused.limit}")
    return Finding(detector="rate cap", after_s=None, words="the cap is above the rate")
