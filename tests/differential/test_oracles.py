"""Marks, pegs and clocks against their plain twins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.aggregate import aggregate
from crossmargin.market.oracles.clocks import Persistence, liquidation_prices, observe
from crossmargin.market.oracles.document import PegRules
from crossmargin.market.oracles.peg import PegReading, PegTrack, levels, observe_peg
from crossmargin.market.oracles.pegged import pegged_value
from spec.market import oracles as spec
from tests.market.oracles.made_up import NOW_NS, RULES, feed, mark, quote

prices = st.one_of(st.floats(0.5, 2.0), st.sampled_from([1.0, 1.003, 0.997, 1.02]))
said = st.lists(st.tuples(st.sampled_from("abcde"), prices, st.floats(0.0, 0.005), st.integers(0, 30)), max_size=9)


@given(said, st.floats(0.0, 0.5))
def test_marks(quotes, daily_vol: float):
    made = [quote(f"{f}{i}", p, family=f, confidence=c * p, age_s=age) for i, (f, p, c, age) in enumerate(quotes)]
    families: dict[str, list[tuple[float, float, int]]] = {}
    for one in made:
        families.setdefault(one.feed.family, []).append((one.price, one.confidence, one.publish_ns))
    found = aggregate(made, RULES, now_ns=NOW_NS, daily_vol=daily_vol)
    expected = spec.aggregate(families, now=NOW_NS, daily_vol=daily_vol, band=RULES.band_sigmas)
    if expected is None:
        assert found.state == "HALT"
    else:
        assert (found.mid, found.lo, found.hi, found.sigma) == pytest.approx(expected[:4], rel=1e-12, abs=1e-15)
        assert (found.n_eff, found.state) == expected[4:]


readings = st.lists(
    st.tuples(st.integers(0, 200), st.one_of(st.floats(-0.2, 0.2), st.sampled_from([0.0, -0.03, -0.1])), st.booleans()),
    min_size=1,
    max_size=25,
)


@given(readings)
def test_pegs(path):
    rules, track, now_ns = PegRules(), PegTrack(), 0
    states, history = [], []
    for minutes, deviation, sound in path:
        now_ns += minutes * 60 * SECOND_NS
        history.append((now_ns, deviation, sound))
        track = observe_peg(track, PegReading(time_ns=now_ns, deviation=deviation, supply_backed=sound), rules)
        states.append(int(track.state))
    stages = [(level.deviation_bps, level.duration_s) for level in levels(rules)]
    assert states == spec.peg_states(history, stages, rules.hysteresis)


marks = st.lists(
    st.tuples(st.integers(0, 70), st.lists(st.tuples(st.floats(0.5, 1.5), st.integers(0, 90)), max_size=4)),
    min_size=1,
    max_size=12,
)


@given(marks, st.integers(1, 4), st.integers(0, 120))
def test_liquidation_prices(path, families: int, later_s: int):
    track, at_s, history = Persistence(), 0, []
    for wait_s, votes in path:
        at_s += wait_s
        told = [(price, (at_s - age) * SECOND_NS) for price, age in votes]
        state = "NORMAL" if told else "HALT"
        made = mark(at_s, *((f, p, at_s - age) for f, (p, age) in zip("abcd", votes, strict=False)), state=state)
        track = observe(track, made, RULES, families=families)
        history.append((at_s * SECOND_NS, told))
    now_ns = (at_s + later_s) * SECOND_NS
    found = liquidation_prices(track, RULES, now_ns=now_ns)
    expected = spec.liquidation_price(history, needed=max(min(3, families), 2), now=now_ns, span_s=60.0, updates=2)
    assert (None if found is None else found.collateral) == expected


@given(
    st.lists(st.tuples(prices, st.sampled_from([1e6, 2e6, 4e6])), max_size=5),
    st.floats(0.8, 1.2),
    st.floats(0.0, 1.5),
    st.booleans(),
)
def test_pegged_values(venues, fund: float, backing: float, verified: bool):
    named = [(f"v{i}", price, usd) for i, (price, usd) in enumerate(venues)]
    quotes = [quote(n, p, feed=feed(n, kind="venue", liquidity_usd=usd)) for n, p, usd in named]
    rules = PegRules()
    found = pegged_value(
        fund=fund, venues=quotes, backing=backing, redemption_open=verified, proofs_fresh=True, rules=rules
    )
    expected = spec.pegged_value(fund, named, backing, verified=verified, stress_bps=rules.stress.deviation_bps)
    assert found.value == pytest.approx(expected, rel=1e-12)
