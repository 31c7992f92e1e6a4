"""The mark: nobody's order, no single family, and no rubbish moves it; it never claims to know more than it does."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.aggregate import aggregate
from crossmargin.market.oracles.quotes import Mark, Quote
from tests.market.oracles.made_up import NOW_NS, RULES, quote

prices = st.floats(1e-6, 1e12)
votes = st.lists(st.tuples(st.sampled_from("abcdefg"), prices, st.floats(0.0, 29.0)), max_size=12)
anything = st.one_of(st.floats(), st.sampled_from([0.0, -1.0, 1e-300, 1e300, 2.0**256]))


def marked(quotes: list[Quote], *, later_s: float = 0.0, daily_vol: float = 0.04) -> Mark:
    return aggregate(quotes, RULES, now_ns=NOW_NS + round(later_s * SECOND_NS), daily_vol=daily_vol)


def made(said: list[tuple[str, float, float]]) -> list[Quote]:
    return [quote(f"{f}{i}", price, family=f, age_s=age) for i, (f, price, age) in enumerate(said)]


@given(votes, st.randoms(use_true_random=False))
def test_order_changes_nothing(said, chance):
    quotes = made(said)
    mixed = list(quotes)
    chance.shuffle(mixed)
    assert marked(quotes) == marked(mixed)


@given(st.lists(prices, min_size=2, max_size=6), prices)
def test_one_family_cannot_move_the_mark_beyond_the_others(others: list[float], wild: float):
    quotes = [quote(f"s{i}", price) for i, price in enumerate(others)]
    mid = marked([*quotes, quote("wild", wild)]).mid
    assert mid is not None
    assert min(others) * (1 - 1e-12) <= mid <= max(others) * (1 + 1e-12)


@given(prices, st.lists(anything, max_size=5), st.integers(2, 5))
def test_many_sources_of_one_family_are_one_vote(price: float, wild: list[float], count: int):
    honest = [quote(f"s{i}", price) for i in range(count)]
    liars = [quote(f"w{i}", said, family="w") for i, said in enumerate(wild)]
    mark = marked(honest + liars)
    assert mark.mid is not None
    if count > 2:
        assert mark.mid == price
    assert len(mark.votes) <= count + 1


@given(st.tuples(prices, prices))
def test_the_band_of_two_families_holds_both(pair: tuple[float, float]):
    mark = marked([quote("a", pair[0]), quote("b", pair[1])])
    assert mark.lo is not None
    assert mark.hi is not None
    assert mark.lo <= min(pair) * (1 + 1e-12)
    assert mark.hi >= max(pair) * (1 - 1e-12)
    wide = abs(pair[0] - pair[1]) > 0.02 * sum(pair) / 2 * (1 + 1e-9)
    if wide:
        assert mark.state == "DEGRADED"


@given(st.lists(st.tuples(anything, anything, anything), max_size=8))
def test_rubbish_never_raises_and_never_gives_a_bad_mark(said):
    quotes = [
        quote(f"s{i}", price, confidence=confidence, age_s=age if math.isfinite(age) and abs(age) < 1e9 else 0.0)
        for i, (price, confidence, age) in enumerate(said)
    ]
    mark = marked(quotes)
    if mark.state == "HALT":
        assert (mark.mid, mark.lo, mark.hi, mark.sigma) == (None, None, None, None)
    else:
        assert mark.mid is not None
        assert mark.lo is not None
        assert mark.hi is not None
        assert 0.0 <= mark.lo <= mark.mid <= mark.hi
        assert mark.mid > 0.0


@given(votes, st.floats(0.0, 60.0))
def test_staleness_never_adds_certainty(said, later_s: float):
    quotes = made(said)
    now, then = marked(quotes), marked(quotes, later_s=later_s)
    assert len(then.votes) <= len(now.votes)
    if {v.family: v.price for v in now.votes} == {v.family: v.price for v in then.votes} and now.sigma is not None:
        assert then.sigma is not None
        assert then.sigma >= now.sigma * (1 - 1e-12)
        assert then.mid == now.mid


@given(votes, st.floats(1e-3, 1e3))
def test_the_unit_of_price_does_not_matter(said, unit: float):
    assume(said)
    exact = 2.0 ** round(math.log2(unit))
    one, other = marked(made(said)), marked(made([(f, p * exact, a) for f, p, a in said]))
    assert one.mid is not None
    assert other.mid == one.mid * exact
    assert other.state == one.state


@pytest.mark.parametrize(
    ("said", "state", "families"),
    [
        ([], "HALT", 0),
        ([("a", 100.0, 0.0)], "DEGRADED", 1),
        ([("a", 100.0, 0.0), ("a", 100.0, 0.0)], "DEGRADED", 1),
        ([("a", 100.0, 0.0), ("b", 100.1, 0.0)], "NORMAL", 2),
        ([("a", 100.0, 0.0), ("b", 103.0, 0.0)], "DEGRADED", 2),
        ([("a", 100.0, 0.0), ("b", 100.1, 0.0), ("c", 65.0, 0.0)], "NORMAL", 2),
    ],
)
def test_states(said, state: str, families: int):
    mark = marked(made(said))
    assert (mark.state, mark.n_eff) == (state, families)


def test_uncertainty_by_hand():
    quotes = [
        quote("a", 99.0, age_s=24.0),
        quote("b", 100.0, confidence=0.3, age_s=24.0),
        quote("c", 102.0, age_s=24.0),
    ]
    mark = marked(quotes, daily_vol=0.03)
    spread, drift = 1.4826 * 1.0, 3.0 * math.sqrt(24.0 / 86_400.0)
    assert mark.sigma == pytest.approx(math.sqrt(0.3**2 + spread**2 + drift**2), rel=1e-12)
    assert mark.lo == pytest.approx(100.0 - 2 * mark.sigma, rel=1e-12)


@pytest.mark.parametrize("daily_vol", [math.nan, -0.1, math.inf])
def test_a_volatility_that_is_none_is_refused(daily_vol: float):
    with pytest.raises(InvalidInput, match="daily_vol"):
        marked([quote("a", 1.0)], daily_vol=daily_vol)
