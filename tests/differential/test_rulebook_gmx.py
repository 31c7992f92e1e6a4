"""GMX v2 in whole numbers against exact fractions."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.gmx import positions as rule
from spec.rulebooks import gmx_positions as plain

U = rule.UNIT
USD = st.integers(0, 10**6).map(lambda x: x * U)
SIGNED = st.integers(-(10**6), 10**6).map(lambda x: x * U)
FACTORS = st.integers(0, 10**4).map(lambda x: x * U // 10**4)


@st.composite
def positions(draw: st.DrawFn) -> rule.Position:
    market = rule.Market(
        collateral_factor=draw(FACTORS),
        liquidation_factor=draw(FACTORS),
        impact_factor_max=draw(FACTORS),
        collateral_min=draw(st.integers(0, 10)) * U,
    )
    return rule.Position(
        market=market,
        size=draw(USD),
        collateral_amount=draw(st.integers(0, 10**6)),
        collateral_price_min=draw(st.sampled_from((U, U // 2, 1))),
        pnl=draw(SIGNED),
        impact=draw(SIGNED),
        costs=draw(USD),
        gain_max=draw(st.none() | USD),
    )


@given(positions(), st.booleans())
def test_verdicts_agree(p, test_minimum):
    def usd(x: int) -> Fraction:
        return Fraction(x, U)

    most = usd(p.size) * usd(p.market.impact_factor_max)
    gain_max = None if p.gain_max is None else usd(p.gain_max)
    left = plain.remaining(
        p.collateral_amount * usd(p.collateral_price_min), usd(p.pnl), gain_max, usd(p.impact), most, usd(p.costs)
    )
    got = rule.margin_of(p, test_minimum=test_minimum)
    assert usd(got.remaining) == left
    factor, least = usd(p.market.liquidation_factor), usd(p.market.collateral_min)
    assert got.is_liquidatable == plain.liquidated(left, usd(p.size), factor, least, test_minimum)
