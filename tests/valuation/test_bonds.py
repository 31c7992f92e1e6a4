"""Bond futures: published prices, and the directions in which they move."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.table import build_table
from crossmargin.instruments.terms import BondFuture
from crossmargin.valuation.bonds import clean_price, implied_yield
from tests.strategies import AS_OF_MS, YEAR_MS, numbers
from tests.worlds import bond_market, unit_pnl


def bond(coupon: float = 0.06, per_year: int = 2, years: int = 10) -> BondFuture:
    delivery = AS_OF_MS + YEAR_MS // 4
    return BondFuture(
        id="TY-1",
        underlying="TY",
        settle="USD",
        expiry=delivery,
        coupon=coupon,
        maturity=delivery + years * YEAR_MS,
        conversion_factor=1.0,
        multiplier=1_000.0,
        coupons_per_year=per_year,
    )


def price_at(terms: BondFuture, annual_yield: float, years: float) -> float:
    return float(clean_price(terms, np.asarray([annual_yield]), years)[0])


def test_conversion_factors_of_hull():
    # Hull, Options, Futures, and Other Derivatives (9th ed.), chapter 6, conversion factors: at 6 % a 10 % bond of
    # 20 years is worth 146.23, and an 8 % bond of 18 years and 3 months 121.99 after its accrued 2.00.
    assert price_at(bond(0.10), 0.06, 20.0) == pytest.approx(146.23, abs=0.005)
    assert price_at(bond(0.08), 0.06, 18.25) == pytest.approx(121.99, abs=0.005)


def test_a_bond_at_its_coupon_is_at_par():
    for years in (0.5, 7.0, 30.0):
        assert price_at(bond(0.06), 0.06, years) == pytest.approx(100.0, abs=1e-12)


def test_one_coupon_left_by_hand():
    # Three months to the last payment of 3 + 100: 103/1.02^0.5 = 101.9852 dirty at 4 %, less 1.5 accrued.
    assert price_at(bond(0.06), 0.04, 0.25) == pytest.approx(103.0 / 1.02**0.5 - 1.5, abs=1e-12)


@given(numbers(0.0, 0.12), numbers(0.3, 30.0), st.sampled_from((1, 2, 4, 12)), numbers(-0.02, 0.3))
def test_the_yield_of_a_price_gives_the_price(coupon: float, years: float, per_year: int, annual_yield: float):
    terms = bond(coupon, per_year)
    price = price_at(terms, annual_yield, years)
    assert implied_yield(terms, price, years) == pytest.approx(annual_yield, abs=1e-11 * max(1.0, 1.0 / years))


def test_a_price_no_yield_gives_is_refused():
    with pytest.raises(InvalidInput, match=r"TY-1: price × conversion factor is 1000000000.0.*Check price"):
        implied_yield(bond(years=5), 1e9, 5.0)


def test_rates_up_prices_down_and_longer_bonds_fall_more():
    up = {"rate:USD": 0.01}
    short, long = unit_pnl(bond_market(), bond(years=2), up), unit_pnl(bond_market(), bond(years=10), up)
    assert long < short < 0.0


def test_the_price_and_the_carry_move_a_bond_future_like_any_future():
    # 1,000 a point · 110 · 2 % = 2,200; a carry of 4 % over a quarter (91.25 days) is e^0.01 − 1.
    assert unit_pnl(bond_market(110.0), bond(), {"bond:TY": 0.02}) == pytest.approx(2_200.0, abs=1e-8)
    assert unit_pnl(bond_market(110.0), bond(), {"fwd:TY": 0.04}) == pytest.approx(
        110_000.0 * np.expm1(0.01), rel=1e-12
    )


def test_a_rate_move_counts_at_the_maturity_of_the_bond():
    # Ten years and a quarter from now: half way between the nodes of 5.25 and 15.25 years, so half of 2 %.
    half = unit_pnl(bond_market(), bond(), {"rate:USD:5.25y": 0.0, "rate:USD:15.25y": 0.02})
    assert half == pytest.approx(unit_pnl(bond_market(), bond(), {"rate:USD": 0.01}), rel=1e-12)


def test_a_bond_that_matures_before_delivery_is_refused():
    with pytest.raises(InvalidInput, match=r"TY-1: maturity is .* after the delivery"):
        build_table([bond(years=0)], now_ns=AS_OF_MS * 1_000_000)
