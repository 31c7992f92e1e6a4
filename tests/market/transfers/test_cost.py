"""Costs part by part against their twin, and what must hold of every transfer."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.market.transfers.build import build_transfers, fee_between
from crossmargin.market.transfers.cost import Conditions, awaited_s, transfer_costs, yearly_failure
from crossmargin.market.transfers.document import Fee, TransferDocument
from spec import transfers as spec
from tests.market.transfers.routes import ARBITRUM, CALM, MAINNET, TABLE, VIEW, amounts, costs_of, met


@given(amounts, met)
def test_parts_are_those_of_the_twin(amount, conditions):
    found = costs_of(amount, conditions)
    assert found.routes == ("cctp-standard", "cctp-fast", "arbitrum-exit")
    gas = TABLE.gas[ARBITRUM], TABLE.gas[MAINNET]
    for i, name in enumerate(found.routes):
        route = TABLE.routes[name]
        fee = fee_between(route, ARBITRUM, MAINNET)
        median = awaited_s(route, VIEW.chains[ARBITRUM].finality) + route.attest_s + route.execute_s
        seconds = spec.mean_s(
            median * conditions.delay_multiple, float(found.duration.log_sd[i]), route.retry_share, route.retry_s
        )
        coin = conditions.coin_usd["ETH"] * conditions.gas_multiple
        units = route.gas_origin, route.gas_destination
        for j, usd in enumerate(amount):
            parts = spec.cost_usd(
                usd,
                [(u, g.price_gwei, route.data_bytes * g.data_gwei, coin) for u, g in zip(units, gas, strict=True)],
                route.gas_markup,
                ((fee.share_bps + fee.utilisation_bps * conditions.utilisation) * 1e-4, fee.fixed_usd),
                conditions.depth_usd,
                conditions.rate,
                seconds,
                spec.failure(route.incidents, route.years, seconds),
            )
            np.testing.assert_allclose(found.parts_usd[i, j], parts, rtol=1e-9, atol=1e-12)


@given(amounts, met, st.floats(1.0, 10.0))
def test_stress_never_makes_it_cheaper_or_quicker(amount, conditions, factor):
    calm = costs_of(amount, conditions)
    rush = replace(conditions, gas_multiple=factor * conditions.gas_multiple)
    slow = replace(conditions, delay_multiple=factor * conditions.delay_multiple)
    for stressed in (costs_of(amount, rush), costs_of(amount, slow)):
        assert (stressed.cost_usd >= calm.cost_usd * (1.0 - 1e-12)).all()
        deadline = np.full(len(calm.routes), 1_800.0)
        assert (stressed.chance_by(deadline) <= calm.chance_by(deadline) + 1e-12).all()


def test_more_incidents_are_more_failure():
    assert yearly_failure(0, 9.0) == pytest.approx(0.05)
    assert yearly_failure(3, 9.0) > yearly_failure(1, 9.0) > yearly_failure(0, 9.0) > yearly_failure(0, 90.0)


def test_nothing_is_sent_over_a_bridge_that_is_shut():
    bridges = dict(VIEW.bridges) | {"cctp": msgspec.structs.replace(VIEW.bridges["cctp"], incident="paused")}
    found = transfer_costs(
        TABLE,
        replace(VIEW, bridges=bridges),
        asset="USDC",
        origin=ARBITRUM,
        destination=MAINNET,
        amount_usd=[1.0],
        conditions=CALM,
    )
    assert found.routes == ("arbitrum-exit",)


def test_bad_input_is_refused_by_name():
    with pytest.raises(MissingFactors, match="spot:ETH"):
        costs_of([1.0], Conditions(coin_usd={}))
    with pytest.raises(UnknownName, match="eip155:99999"):
        costs_of([1.0], destination="eip155:99999")
    with pytest.raises(InvalidInput, match="amount"):
        costs_of([float("nan")])
    with pytest.raises(InvalidInput, match="gas multiple"):
        costs_of([1.0], replace(CALM, gas_multiple=0.5))


def test_a_route_must_state_its_fee_for_every_pair():
    bare = msgspec.structs.replace(TABLE.routes["cctp-fast"], fees=(Fee(origin=MAINNET),))
    document = TransferDocument(routes=(bare,), gas=tuple(TABLE.gas.values()))
    with pytest.raises(InvalidInput, match="stated for every pair"):
        build_transfers(document, VIEW, where="mine.toml")


def test_a_chain_without_gas_is_refused():
    document = TransferDocument(routes=tuple(TABLE.routes.values()))
    with pytest.raises(InvalidInput, match="eip155:1"):
        build_transfers(document, VIEW, where="mine.toml")
