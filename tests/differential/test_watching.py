"""An asset watched through random moments against the plain twin, which looks back over the whole history each time."""

import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import Feed, OracleRules, RateCapRules
from crossmargin.market.oracles.gates import accepted, refusal
from crossmargin.market.oracles.quotes import Quote, Sequencer
from crossmargin.market.oracles.rates import RateCap, capped_rate, replaced_cap
from crossmargin.market.oracles.watching import Moment, Track, Watched, watch
from spec.market import watching as spec
from spec.market.watching import Known, Said
from tests.market.oracles.made_up import NOW_NS

RULES = OracleRules()
L2 = ["eip155:42161", "eip155:10"]
near_one = st.one_of(st.floats(0.4, 1.6), st.sampled_from([1.0, 1.0, 0.999, 1.003, 0.98, 0.95, 0.65]))
odd = st.sampled_from([math.nan, math.inf, -1.0, 0.0])
ages = st.one_of(st.integers(-80, 200), st.sampled_from([0, 0, 0, 1, 29, 30, 31, -60, -61, 170, 171]))
confidences = st.one_of(st.floats(0.0, 0.012), st.sampled_from([0.0, 0.0, 0.01]))
# name: family, kind, liquidity
SOURCES = {
    "link": ("chainlink", "push", 0.0),
    "link on L2": ("chainlink", "push", 0.0),
    "pyth": ("pyth", "pull", 0.0),
    "north": ("north", "venue", 1e6),
    "north, other book": ("north", "venue", 3e6),
    "south": ("south", "venue", 2e6),
    "east": ("east", "venue", 4e6),
    "issuer": ("issuer", "redemption", 0.0),
}


@st.composite
def said(draw, now: int) -> Said:
    source = draw(st.sampled_from(sorted(SOURCES)))
    family, kind, liquidity = SOURCES[source]
    usual = draw(st.integers(0, 19))  # most quotes are sound, so that there is something to aggregate
    return Said(
        source=source,
        family=family,
        kind=kind,
        price=draw(odd) if usual == 0 else draw(near_one),
        confidence=draw(confidences) if usual > 3 else draw(st.sampled_from([math.nan, -1.0, 0.02])),
        published=now - draw(ages) * SECOND_NS
        if usual in {4, 5, 6, 7, 8}
        else now - draw(st.integers(0, 5)) * SECOND_NS,
        seen=now + (draw(st.integers(-5, 1)) if usual == 9 else 0) * SECOND_NS,
        heartbeat_s=100.0 if kind in {"push", "redemption"} else 0.0,
        quorum=usual != 10,
        scaled=usual != 11,
        chain=draw(st.sampled_from(["", *L2])) if source == "link on L2" else "",
        liquidity=liquidity,
    )


@st.composite
def known(draw, now: int) -> Known:
    sequencer = st.one_of(
        st.none(), st.tuples(st.booleans(), st.sampled_from([now - s * SECOND_NS for s in (10, 3600, 3601)]))
    )
    return Known(
        time=now,
        said=draw(st.lists(said(now), max_size=8)),
        sequencers=draw(st.dictionaries(st.sampled_from(L2), sequencer)),
        fund=draw(st.sampled_from([1.0, 1.0, 1.05])),
        backing=draw(st.sampled_from([1.0, 1.0, 1.0, 1.2, 0.97, 0.0])),
        redeems=draw(st.sampled_from([True, True, True, False])),
        fresh=draw(st.sampled_from([True, True, True, False])),
    )


@st.composite
def histories(draw) -> list[Known]:
    now, found = NOW_NS, []
    for _ in range(draw(st.integers(1, 8))):
        now += draw(st.sampled_from([0, 1, 20, 59, 60, 61, 300, 900, 3600, 14_400, 200_000])) * SECOND_NS
        found.append(draw(known(now)))
    return found


def quote_of(one: Any) -> Quote:
    feed = Feed(
        source=one.source,
        family=one.family,
        kind=one.kind,
        heartbeat_s=one.heartbeat_s,
        decimals=8,
        chain=one.chain,
        liquidity_usd=one.liquidity,
    )
    return Quote(
        feed=feed,
        price=one.price,
        confidence=one.confidence,
        publish_ns=one.published,
        seen_ns=one.seen,
        quorum_ok=one.quorum,
        decimals=8 if one.scaled else 18,
    )


def sequencers_of(at: Known) -> dict[str, Sequencer | None]:
    return {
        chain: None if told is None else Sequencer(up=told[0], since_ns=told[1])
        for chain, told in at.sequencers.items()
    }


def moment_of(at: Known) -> Moment:
    return Moment(
        time_ns=at.time,
        quotes=tuple(quote_of(one) for one in at.said),
        fund=at.fund,
        backing=at.backing,
        redemption_open=at.redeems,
        proofs_fresh=at.fresh,
        sequencers=sequencers_of(at),
    )


def pair(band: Any) -> Any:
    return None if band is None else pytest.approx((band.collateral, band.debt), rel=1e-12, abs=1e-12)


@given(known(NOW_NS))
def test_gates(at: Known):
    told = sequencers_of(at)
    for one in at.said:
        assert (refusal(quote_of(one), RULES, now_ns=at.time, sequencers=told) == "") is spec.counts(one, at)
    kept, _ = accepted([quote_of(one) for one in at.said], RULES, now_ns=at.time, sequencers=told)
    heard = spec.heard(at)
    assert [(q.feed.source, q.price, q.publish_ns) for q in kept] == [(o.source, o.price, o.published) for o in heard]


@given(histories(), st.floats(0.0, 0.3), st.integers(1, 6))
@settings(max_examples=200)
def test_an_asset_watched(history: list[Known], daily_vol: float, families: int):
    watched, track = Watched(asset="TOKEN", families=families, daily_vol=daily_vol), Track()
    states = spec.peg_states(history)
    for n, at in enumerate(history):
        track, sight = watch(track, moment_of(at), watched)
        mark = spec.mark(at, daily_vol)
        found = (sight.mark.mid, sight.mark.lo, sight.mark.hi, sight.mark.sigma)
        assert found == ((None,) * 4 if mark is None else pytest.approx(mark[:4], rel=1e-12, abs=1e-15))
        assert (sight.mark.n_eff, sight.mark.state) == ((0, "HALT") if mark is None else mark[4:])
        value, deviation = spec.worth(at)
        assert sight.worth is not None
        assert sight.worth.value == pytest.approx(value, rel=1e-12)
        assert sight.worth.deviation == (None if deviation is None else pytest.approx(deviation, rel=1e-9, abs=1e-15))
        assert int(sight.peg.state) == states[n]
        assert spec.new_risk(at, states[n], daily_vol) == pair(sight.new_risk)
        assert spec.settled(history[: n + 1], states[: n + 1], families) == pair(sight.settled)


DAY_NS = 86_400 * SECOND_NS
ratios = st.floats(0.9, 1.4)
caps = st.tuples(ratios, st.integers(0, 10 * DAY_NS), st.one_of(st.floats(0.0, 0.12), st.just(0.1)))


@given(st.floats(0.5, 2.0), caps, st.integers(-DAY_NS, 400 * DAY_NS))
def test_capped_rates(reported: float, cap: tuple[float, int, float], since: int):
    made = RateCap(ratio=cap[0], time_ns=cap[1], growth_per_year=cap[2])
    found = capped_rate(reported, made, now_ns=cap[1] + since)
    assert found == pytest.approx(spec.capped(reported, cap[0], since, cap[2]), rel=1e-14)


@given(
    caps,
    st.floats(-0.01, 0.05),
    st.integers(-DAY_NS, 6 * DAY_NS),
    st.floats(0.0, 0.12),
    st.floats(-0.05, 0.01),
    st.integers(0, DAY_NS),
)
def test_caps_that_may_stand(
    old: tuple[float, int, float], step: float, later: int, growth: float, below: float, on: int
):
    new = (old[0] * (1.0 + step), old[1] + later, growth)
    rate, now = new[0] * (1.0 + below), old[1] + max(later, 0) + on
    assume(new[1] >= 0)
    assume(not spec.cap_is_near_a_limit(old, new, rate, now))
    kept, asked = (RateCap(ratio=one[0], time_ns=one[1], growth_per_year=one[2]) for one in (old, new))
    try:
        replaced_cap(kept, asked, RateCapRules(), rate=rate, now_ns=now)
    except InvalidInput:
        stands = False
    else:
        stands = True
    assert stands is spec.cap_may_stand(old, new, rate, now)
