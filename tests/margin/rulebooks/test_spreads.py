"""Charges beside a grid: sums by hand, and what must hold of all holdings."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.scanning import RiskUnit, unit_pnl
from crossmargin.margin.rulebooks.spreads import (
    QuotedUnit,
    Tier,
    cash_deltas,
    check_tiers,
    largest,
    matched_days,
    matched_pairs,
    reach,
    sizes,
    spot_hedge,
    tenors,
    tiered,
    unit_deltas_usd,
)
from tests.margin.rulebooks.portfolio_units import quoted_units
from tests.margin.rulebooks.scan_units import call, perpetual, risk_units

TIERS = (Tier(cap=10.0, factor=1.0), Tier(cap=30.0, factor=2.0), Tier(cap=math.inf, factor=4.0))


def test_tiers_by_hand():
    # 10·1 + 20·2 + 5·4
    assert [tiered(x, TIERS) for x in (0.0, 5.0, 10.0, 35.0)] == [0.0, 5.0, 10.0, 70.0]


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_tiers_are_convex(a, b):
    assert tiered(a + b, TIERS) >= (tiered(a, TIERS) + tiered(b, TIERS)) * (1.0 - 1e-12)


@pytest.mark.parametrize(
    "tiers",
    [
        (),
        (Tier(cap=1.0, factor=1.0),),
        (Tier(cap=math.inf, factor=-1.0),),
        (Tier(cap=0.0, factor=1.0), Tier(cap=math.inf, factor=1.0)),
        (Tier(cap=5.0, factor=2.0), Tier(cap=math.inf, factor=1.0)),
        (Tier(cap=math.nan, factor=1.0), Tier(cap=math.inf, factor=1.0)),
    ],
)
def test_tiers_that_make_no_sense_are_refused(tiers):
    with pytest.raises(InvalidInput, match="tiers"):
        check_tiers(tiers, where="here")


def test_matched_days_by_hand():
    days = np.asarray([0.0, 30.0, 90.0])
    # A butterfly: each wing of one against half of the body, 30 and 60 days away.
    assert matched_days(np.asarray([1.0, -2.0, 1.0]), days) == pytest.approx(30.0 + 60.0)
    # Three long against one short: the short in full, the long in proportion.
    assert matched_days(np.asarray([3.0, -1.0, 0.0]), days) == pytest.approx(30.0)
    assert matched_days(np.asarray([3.0, 1.0, 0.0]), days) == 0.0


@given(st.lists(st.floats(-10.0, 10.0), min_size=3, max_size=3))
def test_matched_days_do_not_know_sides(amounts):
    days, held = np.asarray([0.0, 7.0, 365.0]), np.asarray(amounts)
    assert matched_days(held, days) == pytest.approx(matched_days(-held, days), rel=1e-9, abs=1e-9)


@given(*(st.floats(-1e6, 1e6) for _ in range(3)))
def test_pairs_match_no_more_than_there_is(usd, usdt, usdc):
    found = matched_pairs({"USD": usd, "USDT": usdt, "USDC": usdc})
    assert all(size >= 0.0 for size in found.values())
    long, short = (sum(max(side * x, 0.0) for x in (usd, usdt, usdc)) for side in (1.0, -1.0))
    assert sum(found.values()) == pytest.approx(min(long, short), rel=1e-9, abs=1e-9)


@given(risk_units())
def test_deltas_are_the_slope_of_the_grid(unit):
    smooth = [o for o in unit.options if o.days >= 1.0 and o.volatility >= 0.05]
    unit = RiskUnit(coin=unit.coin, index=unit.index, linear=unit.linear, options=tuple(smooth))
    vols = np.asarray([[o.volatility] * 2 for o in unit.options]).reshape(-1, 2)
    step = 1e-6
    pnl = unit_pnl(unit, np.asarray([-step, step]), vols, coins_at="index moved")
    slope = (pnl[:, 1] - pnl[:, 0]) / (2.0 * step)
    assert unit_deltas_usd(unit) == pytest.approx(slope, rel=1e-4, abs=1e-4 * unit.index)


@given(quoted_units("BTC"))
def test_orders_only_reach_further(one):
    by, deltas = tenors(one.unit), unit_deltas_usd(one.unit)
    assert (reach(one.unit, deltas, by, orders=True) >= reach(one.unit, deltas, by, orders=False) - 1e-9).all()
    assert (largest(one.unit, orders=True) >= largest(one.unit, orders=False)).all()


def test_currencies_by_hand():
    legs = (perpetual(instrument="t", quantity=3.0), perpetual(instrument="i", inverse=True, quantity=-1.0))
    spot = perpetual(instrument="s", kind="spot", quantity=7.0)
    one = QuotedUnit(unit=RiskUnit(coin="BTC", index=90.0, linear=(*legs, spot)), quotes={"t": "USDT"})
    held, _, _ = sizes(one.unit, orders=False)
    # 3 at a mark of 100; 1 short at the index; spot is quoted in nothing.
    assert cash_deltas(one, held * unit_deltas_usd(one.unit)) == {"USD": -90.0, "USDT": 300.0, "USDC": 0.0}


def test_spot_hedges_what_stands_against_it():
    assert spot_hedge(2.0, -5.0) == 2.0
    assert spot_hedge(9.0, -5.0) == 5.0
    assert spot_hedge(-9.0, 5.0) == -5.0
    assert spot_hedge(2.0, 5.0) == 0.0
    assert spot_hedge(0.0, -5.0) == 0.0


def test_tenors_start_at_none():
    by = tenors(RiskUnit(coin="BTC", index=1.0, linear=(perpetual(),), options=(call(days=30.0), call(days=30.0))))
    assert by.days.tolist() == [0.0, 30.0]
    assert by.summed(np.asarray([1.0, 2.0, 3.0])).tolist() == [1.0, 5.0]
