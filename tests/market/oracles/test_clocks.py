"""Two clocks: new risk stops at once, liquidations wait until several families agree and it has lasted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.clocks import Persistence, liquidation_prices, new_risk_prices, observe
from crossmargin.market.oracles.quotes import Mark
from tests.market.oracles.made_up import RULES, mark


def walk(marks: list[Mark], families: int = 3) -> Persistence:
    track = Persistence()
    for one in marks:
        track = observe(track, one, RULES, families=families)
    return track


def collateral(marks: list[Mark], *, at_s: float, families: int = 3) -> float | None:
    found = liquidation_prices(walk(marks, families), RULES, now_ns=round(at_s * SECOND_NS))
    return None if found is None else found.collateral


def steady(at_s: float, price: float, names: str = "abc") -> Mark:
    return mark(at_s, *((name, price, at_s) for name in names))


def test_new_risk_sees_the_worst_word_at_once():
    band = new_risk_prices(mark(0, ("a", 1.0, 0), ("b", 0.65, 0), ("c", 1.2, 0)))
    assert band is not None
    assert (band.collateral, band.debt) == (0.65, 1.2)
    assert new_risk_prices(mark(0, state="HALT")) is None


def test_a_fall_must_last_sixty_seconds_and_two_updates():
    marks = [steady(0, 1.0), steady(100, 0.8)]
    assert collateral(marks, at_s=100) == 1.0
    assert collateral(marks, at_s=159) == 1.0
    assert collateral([*marks, steady(130, 0.8)], at_s=159) == 1.0
    assert collateral([*marks, steady(130, 0.8)], at_s=160) == 0.8
    assert collateral(marks, at_s=1_000) == 1.0  # one update alone never settles


def test_a_rise_helps_at_once_and_a_dip_in_between_does_not_hurt():
    assert collateral([steady(0, 1.0), steady(60, 0.5), steady(90, 1.0), steady(120, 0.6)], at_s=150) == 1.0


def test_the_word_of_two_families_is_not_enough_where_there_are_three():
    two = [mark(t, ("a", 0.5, t), ("b", 0.5, t), ("c", 1.0, t)) for t in (0, 60, 120)]
    assert collateral(two, at_s=200) == 1.0
    assert collateral(two, at_s=200, families=2) == 0.5


def test_repeating_old_quotes_is_no_second_update():
    marks = [steady(0, 1.0), *(mark(t, *((f, 0.8, 70) for f in "abc")) for t in (70, 100, 130, 160))]
    assert collateral(marks, at_s=200) == 1.0


@pytest.mark.parametrize("gap", [steady(90, 0.8, "a"), steady(90, 0.8, "ab"), mark(90, state="HALT")])
def test_a_gap_starts_the_clock_again(gap: Mark):
    marks = [steady(0, 0.8), steady(60, 0.8), gap, steady(120, 0.8), steady(150, 0.8)]
    assert collateral(marks, at_s=170) is None
    assert collateral([*marks, steady(185, 0.8)], at_s=185) == 0.8


def test_never_with_one_family():
    assert collateral([steady(t, 1.0, "a") for t in (0, 60, 120)], at_s=300, families=1) is None


def test_time_does_not_run_back():
    with pytest.raises(InvalidInput, match="liquidation clock"):
        walk([steady(10, 1.0), steady(9, 1.0)])


steps = st.lists(
    st.tuples(st.integers(1, 90), st.lists(st.floats(0.1, 2.0), min_size=3, max_size=3)), min_size=1, max_size=12
)


def history(said) -> list[Mark]:
    marks, at_s = [], 0
    for wait_s, prices in said:
        at_s += wait_s
        marks.append(mark(at_s, *zip("abc", prices, [at_s] * 3, strict=True)))
    return marks


@given(steps, st.sampled_from("abc"), st.floats(1e-6, 1e6))
def test_one_family_never_causes_a_liquidation(said, liar: str, lie: float):
    """Whatever one of three says, the price of collateral stays at or above the lowest word of the others."""
    marks = history(said)
    lied = [
        mark(
            m.time_ns / SECOND_NS,
            *((v.family, lie if v.family == liar else v.price, m.time_ns / SECOND_NS) for v in m.votes),
        )
        for m in marks
    ]
    at_s = marks[-1].time_ns / SECOND_NS + 60
    found = collateral(lied, at_s=at_s)
    if found is not None:
        last = [v.price for v in marks[-1].votes if v.family != liar]
        assert found >= max(last)


@given(steps)
def test_the_liquidation_price_is_never_worse_than_that_of_new_risk(said):
    marks = history(said)
    found = liquidation_prices(walk(marks), RULES, now_ns=marks[-1].time_ns)
    worst = new_risk_prices(marks[-1])
    if found is not None:
        assert worst is not None
        assert found.collateral >= worst.collateral
        assert found.debt <= worst.debt
