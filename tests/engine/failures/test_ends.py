"""Both ends of what was reported, on books: in order where more of a fall cannot help, and the same however asked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.engine.failures.sales import CrowdAsked
from tests.engine.failures.desks import ARBITRUM, PERPETUAL, POLYGON, account, lines_of, plain_market

ALONE = CrowdAsked(accounts=0)
HELD = (("wstETH", 40.0, ARBITRUM), ("USDC", 2e5, POLYGON), ("USDT", 5e4, "eip155:1"), ("WBTC", 1.0, "eip155:1"))


@pytest.fixture(scope="module")
def market():
    return plain_market()


@pytest.mark.parametrize("end", ["low", "mid", "high"])
def test_an_end_is_told_the_same_beside_and_by_itself(market, end):
    """What stands beside every report as its low and high end is what a report at that end says."""
    made = account(market, HELD)
    events = ("B06", "B07", "D01", "D04", "O05", "X3")
    _, lines = lines_of(market, made, *events, severity=end)
    _, high = lines_of(market, made, *events)
    for name, line in lines.items():
        assert (line.low, line.high) == (high[name].low, high[name].high), name
        if end != "mid":
            assert line.totals == getattr(high[name], end), name


RANGES = ("B06", "B07", "B09", "B10", "O05", "O09", "D01", "D02", "D04", "C01", "C06", "X1", "X3")


@settings(max_examples=5)
@given(st.lists(st.floats(1.0, 100.0), min_size=4, max_size=4), st.floats(0.0, 1.0))
def test_a_book_that_only_holds_loses_no_less_at_a_higher_end(market, amounts, long):
    """No options and nothing short: losses and what stands still are in order for the events with ranges."""
    held = [(asset, x * size, chain) for x, (asset, size, chain) in zip(amounts, HELD, strict=True)]
    made = account(market, held, positions=((PERPETUAL, long),))
    low, mid, high = (lines_of(market, made, *RANGES, severity=end, crowd=ALONE)[1] for end in ("low", "mid", "high"))
    for name, most in high.items():
        for figure in ("loss_usd", "unavailable_usd"):
            least, middle, largest = (getattr(x, figure) for x in (low[name], mid[name], most))
            assert least <= middle * (1.0 + 1e-12) <= largest * (1.0 + 1e-12), (name, figure)
        assert low[name].liquidations <= mid[name].liquidations <= most.liquidations, name


def test_ranges_make_another_loss(market):
    """Multichain's tokens were first at 0.70, then at 0.22 of face: wstETH behind the bridge loses 30 to 78 %."""
    _, lines = lines_of(market, account(market, [("wstETH", 100.0, ARBITRUM), ("USDC", 1e6, "eip155:1")]), "B07")
    whole = 100.0 * 1.2262 * 2058.25
    assert lines["B07"].low.loss_usd == pytest.approx(0.30 * whole)
    assert lines["B07"].high.loss_usd == lines["B07"].loss_usd == pytest.approx(0.78 * whole)
