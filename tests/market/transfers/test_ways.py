"""Ways as two figures: they say for every amount what the routes cost, and by when they are there."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.registries.transfers import read_routes
from crossmargin.core.errors import MissingFactors
from crossmargin.market.registry.document import LaneLimit
from crossmargin.market.transfers.build import build_transfers, known_part
from crossmargin.market.transfers.cost import Conditions
from crossmargin.market.transfers.duration import quantile_s
from crossmargin.market.transfers.ways import SURE, lane_limit, ways_between
from tests.market.transfers.routes import ARBITRUM, MAINNET, TABLE, VIEW, costs_of

LANE = {"asset": "USDC", "origin": ARBITRUM, "destination": MAINNET}


@given(st.floats(0.0, 1e12), st.floats(1.0, 1e5))
def test_two_figures_say_what_any_amount_costs(amount: float, coin: float):
    found = ways_between(TABLE, VIEW, **LANE, coin_usd={"ETH": coin})
    costs = costs_of([amount], Conditions(coin_usd={"ETH": coin}))
    assert found.routes == costs.routes
    assert found.fixed_usd + found.share * amount == pytest.approx(costs.cost_usd[:, 0], rel=1e-9)


def test_it_is_there_as_surely_as_is_said():
    found = ways_between(TABLE, VIEW, **LANE, coin_usd={"ETH": 2_000.0})
    costs = costs_of([1.0])
    assert costs.chance_by(found.p95_s) == pytest.approx(SURE, abs=1e-9)
    assert (found.p95_s > costs.time_s(SURE)).all()  # A bridge that fails never arrives, so it takes a little longer.
    assert (found.p50_s < found.p95_s).all()


def test_each_route_has_its_own_level():
    duration = costs_of([1.0]).duration
    levels = (0.5, 0.95, 0.99)
    found = quantile_s(duration, np.asarray(levels))
    assert found == pytest.approx([quantile_s(duration, level)[i] for i, level in enumerate(levels)])


def test_the_coin_that_pays_for_gas_needs_a_price():
    with pytest.raises(MissingFactors, match="spot:ETH"):
        ways_between(TABLE, VIEW, **LANE, coin_usd={})


def test_lanes_have_the_limits_of_the_registry_in_whole_tokens():
    limit = LaneLimit(**LANE, capacity="90000000000", refill_per_s="25000000")
    bridge = msgspec.structs.replace(VIEW.bridges["cctp"], limits=(limit,))
    view = replace(VIEW, bridges={**VIEW.bridges, "cctp": bridge})
    assert lane_limit(view, "cctp", **LANE) is limit
    assert lane_limit(VIEW, "cctp", **LANE) is None
    coin_usd = {"ETH": 2_000.0}
    limited, free = (ways_between(TABLE, registry, **LANE, coin_usd=coin_usd) for registry in (view, VIEW))
    over = np.asarray([TABLE.routes[name].bridge == "cctp" for name in limited.routes])
    assert (limited.capacity[over] == 90_000.0).all()
    assert (limited.refill_per_s[over] == 25.0).all()
    assert np.isinf([*limited.capacity[~over], *free.capacity]).all()


def test_of_the_shipped_routes_stay_those_whose_names_a_registry_knows():
    whole = read_routes("default", VIEW)
    assert {route.route for route in whole.routes} == set(TABLE.routes)
    chains = {chain: VIEW.chains[chain] for chain in (MAINNET, ARBITRUM)}
    fewer = replace(VIEW, bridges={"cctp": VIEW.bridges["cctp"]}, chains=chains)
    kept = known_part(whole, fewer)
    assert {route.bridge for route in kept.routes} == {"cctp"}
    assert {chain for route in kept.routes for chain in (*route.origins, *route.destinations)} == set(chains)
    found = ways_between(build_transfers(kept, fewer, where="here"), fewer, **LANE, coin_usd={"ETH": 2_000.0})
    assert set(found.routes) == {"cctp-standard", "cctp-fast"}
