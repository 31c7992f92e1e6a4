"""An asset watched: whatever one family says, new risk never counts more than it, and liquidations never follow it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.peg import PegState
from crossmargin.market.oracles.quotes import Quote
from crossmargin.market.oracles.sources.direct import Ticker, ticker_quote
from crossmargin.market.oracles.watching import Moment, Sight, Track, Watched, watch
from tests.market.oracles.made_up import NOW_NS, feed

WATCHED = Watched(asset="USDC", families=4, daily_vol=0.002)
TRUE = 1.0
lies = st.lists(st.floats(0.01, 100.0), min_size=4, max_size=12)


def said(source: str, price: float, now_ns: int) -> Quote:
    ticker = Ticker(bid=price * 0.9998, ask=price * 1.0002, time_ns=now_ns)
    return ticker_quote(feed(source, kind="venue", liquidity_usd=1e7), ticker, seen_ns=now_ns)


def run(told: list[dict[str, float]], **known: object) -> list[Sight]:
    """Sights of what sources say, 30 s apart."""
    track, sights = Track(), []
    for step, prices in enumerate(told):
        now_ns = NOW_NS + step * 30 * SECOND_NS
        quotes = tuple(said(source, price, now_ns) for source, price in prices.items())
        track, sight = watch(track, Moment(time_ns=now_ns, quotes=quotes, fund=TRUE, **known), WATCHED)
        sights.append(sight)
    return sights


@given(lies)
def test_one_liar_of_four_stops_new_risk_at_most(lied: list[float]):
    told = [{"liar": lie, "b": 0.9999, "c": 1.0, "d": 1.0001} for lie in lied]
    for sight, prices in zip(run(told), told, strict=True):
        assert sight.new_risk is not None
        assert sight.new_risk.collateral <= min(prices.values())
        assert sight.settled is None or sight.settled.collateral >= 0.9998
        assert sight.settled is None or sight.settled.debt <= 1.0002
        assert sight.peg.state == PegState.NORMAL


@given(st.lists(st.floats(0.2, 1.0), min_size=4, max_size=10))
def test_what_all_say_is_followed_by_both_clocks(path: list[float]):
    sights = run([dict.fromkeys("abcd", price) for price in path])
    for k, sight in enumerate(sights):
        assert sight.new_risk is not None
        assert sight.new_risk.collateral <= path[k]
        if k >= 2:
            assert sight.settled is not None
            assert sight.settled.collateral <= max(path[k - 2 : k + 1]) * (1 + 1e-12)


def test_a_closed_redemption_breaks_the_peg_at_once_and_runs_off_slowly():
    sights = run([dict.fromkeys("abcd", 1.0)] * 6, redemption_open=False)
    assert {sight.peg.state for sight in sights} == {PegState.BROKEN}
    assert all(sight.new_risk is not None and sight.new_risk.collateral == 0.0 for sight in sights)
    settled = [sight.settled.collateral for sight in sights if sight.settled is not None]
    assert len(settled) >= 3
    assert all(b < a <= 1.0 for a, b in pairwise(settled))


def test_without_a_fund_there_is_no_peg():
    quotes = tuple(said(source, 5.0, NOW_NS) for source in "abc")
    track, sight = watch(Track(), Moment(time_ns=NOW_NS, quotes=quotes), WATCHED)
    assert (sight.worth, track.peg.time_ns) == (None, None)
    assert sight.left.new_credit


def test_silence_counts_for_nothing():
    (sight,) = run([{}])
    assert (sight.new_risk, sight.settled, sight.mark.state) == (None, None, "HALT")
