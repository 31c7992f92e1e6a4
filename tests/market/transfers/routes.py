"""Routes over the shipped registry for tests."""

from hypothesis import strategies as st

from crossmargin.adapters.registries.files import default_registry
from crossmargin.adapters.registries.transfers import read_transfers
from crossmargin.market.transfers.cost import Conditions, transfer_costs

REGISTRY = default_registry()
VIEW = REGISTRY.at(REGISTRY.times_ns[-1])
TABLE = read_transfers("default", VIEW)
MAINNET, ARBITRUM = "eip155:1", "eip155:42161"
CALM = Conditions(coin_usd={"ETH": 2_000.0})
amounts = st.lists(st.floats(1.0, 1e9), min_size=1, max_size=5)
met = st.builds(
    Conditions,
    coin_usd=st.fixed_dictionaries({"ETH": st.floats(1.0, 1e5)}),
    rate=st.floats(0.0, 1.0),
    utilisation=st.floats(0.0, 1.0),
    depth_usd=st.none() | st.floats(1e3, 1e9),
    gas_multiple=st.floats(1.0, 20.0),
    delay_multiple=st.floats(1.0, 20.0),
)


def costs_of(amount, conditions=CALM, *, asset="USDC", origin=ARBITRUM, destination=MAINNET, table=TABLE):
    return transfer_costs(
        table, VIEW, asset=asset, origin=origin, destination=destination, amount_usd=amount, conditions=conditions
    )
