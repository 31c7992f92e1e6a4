"""Routes over the shipped registry for tests."""

from crossmargin.adapters.registries.files import default_registry
from crossmargin.adapters.registries.transfers import read_transfers
from crossmargin.optimize.transfers.cost import Conditions

REGISTRY = default_registry()
VIEW = REGISTRY.at(REGISTRY.times_ns[-1])
TABLE = read_transfers("default", VIEW)
MAINNET, ARBITRUM = "eip155:1", "eip155:42161"
CALM = Conditions(coin_usd={"ETH": 2_000.0})
