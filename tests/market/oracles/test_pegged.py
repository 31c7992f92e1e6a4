"""What a pegged token is worth, and under which cap its rate grows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS
from crossmargin.market.oracles.document import PegRules, RateCapRules
from crossmargin.market.oracles.pegged import PeggedValue, pegged_value, venue_market
from crossmargin.market.oracles.quotes import Quote
from crossmargin.market.oracles.rates import RateCap, capped_rate, replaced_cap
from tests.market.oracles.made_up import feed, quote

RULES, CAP_RULES = PegRules(), RateCapRules()


def venues(*said: tuple[str, float, float]) -> list[Quote]:
    return [quote(name, price, feed=feed(name, kind="venue", liquidity_usd=usd)) for name, price, usd in said]


def valued(quotes: list[Quote], **other) -> PeggedValue:
    terms = {"fund": 1.0, "backing": 1.0, "redemption_open": True, "proofs_fresh": True}
    return pegged_value(venues=quotes, rules=RULES, **(terms | other))


def test_one_venue_alone_moves_nothing():
    quotes = venues(("dislocated", 0.65, 9e7), ("second", 0.97, 1e7), ("third", 0.98, 1e7))
    found = valued(quotes)
    assert found.market is not None
    assert found.market.left_out == "dislocated"
    assert found.market.price == pytest.approx(0.975)
    assert "dislocated stands alone and is left out" in found.reasons


def test_a_depeg_that_all_see_counts():
    found = valued(venues(("one", 0.88, 5e7), ("two", 0.89, 5e7), ("three", 0.90, 5e7)))
    assert found.rule == "lower"
    assert found.value == pytest.approx(0.89)


def test_of_two_nobody_can_say_which_is_wrong():
    market = venue_market(venues(("one", 1.0, 1e6), ("two", 0.88, 3e6)), fund=1.0)
    assert market is not None
    assert (market.price, market.left_out) == (0.88, "")


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ({}, 1.0),
        ({"backing": 0.5}, 0.5),
        ({"backing": 2.0}, 1.0),
        ({"redemption_open": False}, 0.985),
        ({"proofs_fresh": False}, 0.985),
        ({"fund": 1.005}, 1.005),
        ({"fund": 0.9, "redemption_open": False}, 0.9),
    ],
)
def test_rules(changed, value: float):
    assert valued(venues(("one", 0.985, 1e6), ("two", 0.985, 1e6)), **changed).value == pytest.approx(value)


def test_without_market_or_redemption_nothing_is_left():
    assert valued([]).value == 1.0
    assert valued([], redemption_open=False).value == 0.0
    assert valued(venues(("one", 0.5, 0.0))).market is None


@given(
    st.lists(st.floats(0.01, 3.0), max_size=5), st.floats(0.1, 2.0), st.floats(0.0, 2.0), st.booleans(), st.booleans()
)
def test_never_more_than_it_redeems_for(prices, fund: float, backing: float, redemption_open: bool, proofs_fresh: bool):
    quotes = venues(*((f"v{i}", price, 1.0 + i) for i, price in enumerate(prices)))
    found = valued(quotes, fund=fund, backing=backing, redemption_open=redemption_open, proofs_fresh=proofs_fresh)
    assert 0.0 <= found.value <= fund * min(backing, 1.0)
    if not redemption_open and found.market is not None:
        assert found.value <= found.market.price


@pytest.mark.parametrize("changed", [{"fund": 0.0}, {"fund": math.nan}, {"backing": -0.1}, {"backing": math.nan}])
def test_what_is_no_fund_or_backing_is_refused(changed):
    with pytest.raises(InvalidInput):
        valued([], **changed)


def cap(ratio: float, day: float, growth: float = 0.1) -> RateCap:
    return RateCap(ratio=ratio, time_ns=round(day * DAY_NS), growth_per_year=growth)


def test_a_cap_grows_by_the_year_and_never_backwards():
    assert cap(1.2, 0).at(365 * DAY_NS) == pytest.approx(1.32)
    assert cap(1.2, 10).at(0) == 1.2
    assert capped_rate(5.0, cap(1.2, 0), now_ns=0) == 1.2
    assert capped_rate(1.1, cap(1.2, 0), now_ns=0) == 1.1


def test_a_stale_ratio_with_a_fresh_time_is_refused():
    """10 March 2026: the ratio stayed at 1.1919 while its time advanced, under a rate of 1.228."""
    standing = cap(1.1919, 0)
    now_ns = 140 * DAY_NS
    assert standing.at(now_ns) > 1.228
    with pytest.raises(InvalidInput, match=r"at least 1\.22861, the rate of 1\.228"):
        replaced_cap(standing, cap(1.1919, 140), CAP_RULES, rate=1.228, now_ns=now_ns)


@pytest.mark.parametrize(
    ("proposed", "said"),
    [
        (cap(1.3, -1), "time of a rate cap"),
        (cap(1.3, 4), "time of a rate cap"),
        (cap(1.2372, 3), "at most 1.236"),
        (cap(1.2130, 1), "at most 1.212"),
        (cap(1.22, 3, 0.2), "growth_per_year"),
        (cap(1.15, 3), "at least 1.19"),
    ],
)
def test_caps_that_are_refused(proposed: RateCap, said: str):
    with pytest.raises(InvalidInput, match=said.replace(".", r"\.")):
        replaced_cap(cap(1.2, 0), proposed, CAP_RULES, rate=1.19, now_ns=3 * DAY_NS)


@given(st.floats(0.0, 10.0), st.floats(0.5, 2.0), st.floats(0.5, 1.5), st.floats(0.0, 0.1))
def test_a_cap_that_is_accepted_never_undervalues_the_rate_of_the_day(
    day: float, ratio: float, rate: float, growth: float
):
    now_ns = round(day * DAY_NS)
    try:
        accepted = replaced_cap(cap(1.2, 0), cap(ratio, day, growth), CAP_RULES, rate=rate, now_ns=now_ns)
    except InvalidInput:
        return
    assert capped_rate(rate, accepted, now_ns=now_ns) == rate


@pytest.mark.parametrize("ratio", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_ratio_is_refused(ratio: float):
    with pytest.raises(InvalidInput, match="ratio"):
        cap(ratio, 0)
    with pytest.raises(InvalidInput, match="redemption rate"):
        capped_rate(ratio, cap(1.0, 0), now_ns=0)
