"""SPAN-style scanning against its plain form, and generated arrays against Black's formula option by option."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.instruments.table import build_table
from crossmargin.instruments.terms import Future, Option
from crossmargin.margin.rulebooks.span.arrays import composite_deltas, scanned_pnl
from crossmargin.margin.rulebooks.span.parameters import STANDARD_POINTS, ScanRange
from crossmargin.margin.rulebooks.span.scan import margin_of
from crossmargin.market.build import build_snapshot
from spec.kernels import black76
from spec.rulebooks import span_scanning as plain
from tests.margin.rulebooks.span_files import plain_commodity, plain_spread, portfolios
from tests.strategies import AS_OF_MS, YEAR_MS
from tests.worlds import flat_surface, market, underlying

SPOT, VOL, RATE, YEARS, DAY = 100.0, 0.4, 0.05, 0.25, 1.0 / 365.0


@given(portfolios())
def test_margin_of_random_portfolios(drawn):
    parameters, held = drawn
    found = margin_of(held, parameters)
    expected = plain.requirement(
        held,
        {c.code: plain_commodity(c) for c in parameters.commodities},
        [plain_spread(s) for s in parameters.inter_spreads],
    )
    scale = 1e-9 * (1.0 + sum(c.scan + abs(c.option_value) for c in found.commodities))
    assert found.maintenance == pytest.approx(expected["maintenance"], rel=1e-9, abs=scale)
    assert found.initial == pytest.approx(expected["initial"], rel=1e-9, abs=scale)


def world():
    return build_snapshot(market(underlying("BTC", SPOT, surface=flat_surface(VOL))))


def option(strike: float, right: str, payout: str, number: int) -> Option:
    return Option(
        id=f"o{number}",
        underlying="BTC",
        payout=payout,
        settle="BTC" if payout == "inverse" else "USDC",
        expiry=AS_OF_MS + int(YEARS * YEAR_MS),
        strike=strike,
        right=right,
        multiplier=2.0,
    )


def plain_value(spot: float, strike: float, sign: float, vol: float, years: float, payout: str) -> float:
    """USD of one coin: the forward is the spot; a linear one is discounted, at the rate now over the time then."""
    value = black76.black_values(spot, strike, max(vol, 0.0) * math.sqrt(years), sign)
    return value if payout == "inverse" else value * math.exp(-RATE * years)


RANGES = st.builds(
    ScanRange,
    price=st.floats(0.01, 0.3),
    volatility=st.floats(0.0, 0.6),
    volatility_unit=st.sampled_from(("relative", "absolute")),
    extreme_multiple=st.sampled_from((2.0, 3.0)),
    cover=st.sampled_from((0.33, 0.35)),
    horizon_days=st.just(1.0),
)


@given(RANGES, st.lists(st.tuples(st.floats(60.0, 160.0), st.sampled_from(("call", "put")),
                                  st.sampled_from(("linear", "inverse"))), min_size=1, max_size=4))  # fmt: skip
def test_arrays_are_full_revaluations(scan, rows):
    terms = [option(strike, right, payout, n) for n, (strike, right, payout) in enumerate(rows)]
    found = scanned_pnl(build_table(terms, now_ns=world().time_ns), world(), "BTC", scan, STANDARD_POINTS)
    for row, (strike, right, payout) in enumerate(rows):
        sign = 1.0 if right == "call" else -1.0
        now = plain_value(SPOT, strike, sign, VOL, YEARS, payout)
        for j in range(16):
            move = plain.PRICES[j] if j < 14 else (scan.extreme_multiple if j == 14 else -scan.extreme_multiple)
            shift = scan.volatility * ((1.0 if j % 2 == 0 else -1.0) if j < 14 else 0.0)
            vol = VOL * (1.0 + shift) if scan.volatility_unit == "relative" else VOL + shift
            then = plain_value(SPOT * (1.0 + move * scan.price), strike, sign, vol, YEARS - DAY, payout)
            cover = scan.cover if j > 13 else 1.0
            assert found[row, j] == pytest.approx(2.0 * cover * (then - now), rel=1e-7, abs=1e-7)


@given(st.floats(0.01, 0.3), st.floats(60.0, 160.0), st.sampled_from(("call", "put")))
def test_composite_delta_is_the_mean_of_seven(price, strike, right):
    scan = ScanRange(price=price, volatility=0.1)
    table = build_table(
        [
            option(strike, right, "linear", 1),
            Future(id="f", underlying="BTC", payout="linear", settle="USDC", expiry=AS_OF_MS + YEAR_MS),
        ],
        now_ns=world().time_ns,
    )
    found = composite_deltas(table, world(), "BTC", scan)
    sign, weights = (
        (1.0 if right == "call" else -1.0),
        dict(zip(range(7), (0.27, *(0.217,) * 2, *(0.111,) * 2, *(0.037,) * 2), strict=True)),
    )
    steps = (0.0, 1 / 3, -1 / 3, 2 / 3, -2 / 3, 1.0, -1.0)
    deltas = [black76.black_greeks(SPOT * (1.0 + x * price), strike, VOL, YEARS - DAY, RATE, sign).delta for x in steps]
    assert found[0] == pytest.approx(2.0 * sum(weights[k] * d for k, d in enumerate(deltas)), abs=1e-6)
    assert found[1] == pytest.approx(1.0, rel=1e-9)
    assert np.isfinite(found).all()
