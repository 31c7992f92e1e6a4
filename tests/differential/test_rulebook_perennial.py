"""Perennial v2 in whole numbers against exact fractions."""

from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.perennial import positions as rule
from spec.rulebooks import perennial_positions as plain

RATIOS = st.integers(0, 2 * 10**6)
LEAST = st.just(0) | st.integers(0, 10**9)


@given(
    st.integers(-(10**12), 10**12),
    st.integers(1, 10**12) | st.integers(-(10**12), -1),
    st.tuples(RATIOS, RATIOS).map(sorted),
    LEAST,
    LEAST,
    st.just(0) | RATIOS,
)
def test_margins_agree(size, price, ratios, margin_min, maintenance_min, own):
    low, high = ratios
    market = rule.Market(
        margin_ratio=high, maintenance_ratio=low, margin_min=margin_min, maintenance_min=maintenance_min
    )
    got = rule.margin_of(rule.Position(market=market, size=size, price=price, collateralisation=own))
    assert got == (
        plain.margin(size, price, max(high, own), margin_min),
        plain.margin(size, price, low, maintenance_min),
    )
