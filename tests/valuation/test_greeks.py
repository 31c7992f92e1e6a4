"""Greeks against R itself: small moves of one factor, everything else held, the smile at its strike."""

import numpy as np
import pytest
from hypothesis import given, settings

from crossmargin.instruments.table import InstrumentTable, build_table
from crossmargin.instruments.terms import Option
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.market.snapshot import Snapshot
from crossmargin.scenarios.scenario_set import Scenario, collect
from crossmargin.valuation.greeks import option_greeks
from crossmargin.valuation.pnl import pnl, values_usd
from tests.cases import Case, cases
from tests.strategies import AS_OF_MS, DAY_MS, YEAR_MS
from tests.worlds import flat_surface, market, underlying

SMILE = doc.Surface(slices=(doc.Slice(expiry=AS_OF_MS + YEAR_MS, a=0.02, b=0.1, rho=-0.5, m=0.0, sigma=0.2),))
FORWARDS = (doc.ForwardPoint(expiry=AS_OF_MS + YEAR_MS, forward=104.0),)


def options(payout: str, settle: str) -> list[Option]:
    grid = [(d, k, r) for d in (7, 90, 500) for k in (85.0, 100.0, 120.0) for r in ("call", "put")]
    return [
        Option(
            id=f"{days}-{strike}-{right}",
            underlying="X",
            payout=payout,
            settle=settle,
            expiry=AS_OF_MS + days * DAY_MS,
            strike=strike,
            right=right,
        )
        for days, strike, right in grid
    ]


def built(surface: doc.Surface, payout: str = "linear", settle: str = "USD") -> tuple[InstrumentTable, Snapshot]:
    snapshot = build_snapshot(market(underlying("X", 100.0, surface=surface, forwards=FORWARDS)))
    return build_table(options(payout, settle), now_ns=snapshot.time_ns), snapshot


def gains(table: InstrumentTable, snapshot: Snapshot, *columns: tuple[dict[str, float], float]) -> list[np.ndarray]:
    """R of moves and days, the smile fixed at its strikes."""
    named = [Scenario(label="bump", family="price", shocks=s, horizon_days=d) for s, d in columns]
    return list(pnl(table, snapshot, collect(named), sticky=0.0).values.T)


@pytest.mark.parametrize("surface", [SMILE, flat_surface(0.2, scale=100.0)], ids=["lognormal", "normal"])
def test_greeks_are_the_slopes_of_r(surface: doc.Surface):
    table, snapshot = built(surface)
    greeks = option_greeks(table, snapshot)["X"]
    u = snapshot.underlyings["X"]
    forward = u.curve(table.expiry_ns)
    unit = forward if u.curve.lognormal else 100.0  # what a relative move of one is, in price
    h = 1e-4
    up, down = gains(table, snapshot, ({"spot:X": h}, 0.0), ({"spot:X": -h}, 0.0))
    assert greeks.value == pytest.approx(values_usd(table, snapshot), rel=1e-12)
    assert (up - down) / (2.0 * h) / unit == pytest.approx(greeks.delta, abs=1e-6)
    assert (up + down) / h**2 / unit**2 == pytest.approx(greeks.gamma, abs=1e-5)
    surface_now = u.surface
    assert surface_now is not None
    k = np.log(table.strike / forward) if u.curve.lognormal else (table.strike - forward) / 100.0
    vol = surface_now.vol(k, table.expiry_ns)
    more, less = gains(table, snapshot, ({"vol:X": h}, 0.0), ({"vol:X": -h}, 0.0))
    point = 0.01 if u.curve.lognormal else 1.0  # a normal volatility has no point: vega is per price unit of it
    assert (more - less) / (2.0 * h) / vol * point == pytest.approx(greeks.vega, rel=1e-5, abs=1e-7)
    later = gains(table, snapshot, ({}, 1e-3))[0] / 1e-3
    assert later == pytest.approx(greeks.theta, rel=2e-3, abs=1e-6)
    dear, cheap = gains(table, snapshot, ({"rate:USD": h}, 0.0), ({"rate:USD": -h}, 0.0))
    assert (dear - cheap) / (2.0 * h) / 100.0 == pytest.approx(greeks.rho, rel=1e-5, abs=1e-7)


def test_price_adjusted_delta_is_the_slope_of_the_coin_value():
    table, snapshot = built(SMILE, "inverse", "X")
    coin = option_greeks(table, snapshot, price_adjusted=True)["X"]
    plain = option_greeks(table, snapshot)["X"]
    forward = snapshot.underlyings["X"].curve(table.expiry_ns)
    assert values_usd(table, snapshot) == pytest.approx(100.0 * coin.value, rel=1e-12)
    assert coin.value * forward == pytest.approx(plain.value, rel=1e-12)
    h = 1e-4
    up, down = gains(table, snapshot, ({"spot:X": h}, 0.0), ({"spot:X": -h}, 0.0))
    value = values_usd(table, snapshot)
    # In coin: (V ± gain)/(100 (1 ± h)); F ∂c/∂F is the slope for a relative move of one.
    slope = ((value + up) / (1.0 + h) - (value + down) / (1.0 - h)) / 100.0 / (2.0 * h)
    assert slope == pytest.approx(coin.delta, abs=1e-6)


@settings(max_examples=25)
@given(cases(("option",), columns=1))
def test_the_value_of_greeks_is_the_value(c: Case):
    found = option_greeks(c.table, c.snapshot, price_adjusted=True)
    value = values_usd(c.table, c.snapshot)
    for name, greeks in found.items():
        rows = np.flatnonzero(c.table.underlying == c.table.underlyings.index(name))
        settle = np.asarray([c.snapshot.asset_price(c.table.assets[a]) for a in c.table.settle[rows]])
        expected = value[rows] / c.table.multiplier[rows] / settle
        forward = np.abs(c.snapshot.underlyings[name].curve(c.table.expiry_ns[rows])) + c.table.strike[rows]
        assert (np.abs(greeks.value - expected) <= 1e-12 * forward).all()
