"""What scenarios do to prices, forwards and discounting, against the twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import MissingFactors
from crossmargin.core.instant import NEVER_NS
from crossmargin.market.build import build_snapshot
from crossmargin.scenarios.scenario_set import still
from crossmargin.valuation.world import World, rate_curve, surface_of
from spec import world as plain
from tests.cases import Case, cases
from tests.strategies import CHAINS, YEAR_MS, few
from tests.worlds import market, underlying


@few
@given(cases(("spot",)), st.integers(60_000, 5 * YEAR_MS), st.sampled_from(("", *CHAINS)))
def test_the_world_of_each_column_is_that_of_the_twin(c: Case, tenor_ms: int, chain: str):
    world = World(snapshot=c.snapshot, scenarios=c.scenarios)
    expiry_ms = c.snapshot.time_ns // 1_000_000 + tenor_ms
    expiry = np.asarray([expiry_ms * 1_000_000])
    for j, s in enumerate(c.plain_scenarios):
        for asset in ("USD", *c.snapshot.assets):
            expected = plain.asset_usd(c.plain_market, asset, s, chain)
            assert world.asset_price(asset, chain)[j] == pytest.approx(expected, rel=1e-13, abs=1e-300)
        for name, u in c.snapshot.underlyings.items():
            other = c.plain_market.underlyings[name]
            now = plain.forward_now(c.plain_market, other, expiry_ms)
            moved = plain.moved_price(c.plain_market, other, now, expiry_ms, s)
            forward, move = float(u.curve(expiry)[0]), world.log_move(u, expiry)[0, j]
            found = forward * np.exp(move) if u.curve.lognormal else forward + move * other.scale
            assert found == pytest.approx(moved, rel=1e-12, abs=1e-12)
            multiplier = world.vol_multiplier(name, np.asarray([tenor_ms / YEAR_MS]))[0, j]
            assert multiplier == pytest.approx(plain.vol_multiplier(s, name, tenor_ms / YEAR_MS), rel=1e-12, abs=1e-13)
        for currency in c.snapshot.rates:
            expected = plain.discount(c.plain_market, currency, expiry_ms, s)
            assert world.discount(currency, expiry)[0, j] == pytest.approx(expected, rel=1e-13)
        left = plain.years_left(c.plain_market, expiry_ms, s)
        assert world.tenor_after(expiry)[0, j] == pytest.approx(left, rel=1e-13, abs=1e-15)


def test_what_never_expires_has_no_carry():
    snapshot = build_snapshot(market(underlying("BTC", 5e4)))
    world = World(snapshot=snapshot, scenarios=still())
    assert world.tenor_years(np.asarray([NEVER_NS])).tolist() == [0.0]
    assert world.log_move(snapshot.underlyings["BTC"], np.asarray([NEVER_NS])).tolist() == [[0.0]]


def test_missing_curves_and_surfaces_are_named():
    snapshot = build_snapshot(market(underlying("BTC", 5e4)))
    with pytest.raises(MissingFactors, match="rate:GBP"):
        rate_curve(snapshot, "GBP")
    with pytest.raises(MissingFactors, match="vol:BTC"):
        surface_of(snapshot.underlyings["BTC"])
