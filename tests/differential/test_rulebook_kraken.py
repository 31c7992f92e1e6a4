"""Kraken's schedules and netting against their plain forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.kraken import futures as rule
from spec.rulebooks import kraken_futures as plain


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def schedules(draw: st.DrawFn) -> rule.Schedule:
    caps = [*sorted(map(float, draw(st.sets(st.integers(1, 10**7), max_size=6)))), 1e12]
    rates = sorted(draw(numbers(0.0, 1.0)) for _ in caps)
    levels = tuple(rule.Level(size_cap=c, initial_rate=r) for c, r in zip(caps, rates, strict=True))
    return rule.Schedule(levels=levels, marginal=draw(st.booleans()))


LEGS = st.tuples(st.sampled_from("AB"), numbers(-1e4, 1e4), numbers(0.01, 1e5), schedules(), st.booleans())


@given(st.lists(LEGS, max_size=6))
def test_requirements_agree(drawn):
    legs, expected = [], []
    for i, (name, coins, entry, schedule, isolated) in enumerate(drawn):
        legs.append(
            rule.Leg(
                instrument=f"{name}{i}", underlying=name, coins=coins, entry=entry, schedule=schedule, isolated=isolated
            )
        )
        levels = [(x.size_cap, x.initial_rate) for x in schedule.levels]
        margin = plain.initial(abs(coins) * entry, levels, schedule.marginal)
        expected.append((f"{name}{i}" if isolated else name, coins, margin))
    got = rule.margin_of(legs)
    assert got.initial == pytest.approx(plain.netted(expected), rel=1e-9, abs=1e-6)
    assert got.maintenance == pytest.approx(0.5 * got.initial)
    assert got.initial <= sum(margin for _, _, margin in expected) * (1 + 1e-12)
