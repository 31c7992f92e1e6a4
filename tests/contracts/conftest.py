"""A system of contracts for each test, on a chain in this process."""

from collections.abc import Iterator

import pytest

from tests.chains_fixtures import backend, open_backend
from tests.contracts.system import System, build

__all__ = ["backend"]


@pytest.fixture(scope="session", autouse=True)
def toolchain() -> None:
    """What contracts are compiled with and run on."""
    for package in ("vyper", "eth", "trie", "eth_abi", "eth_account", "coincurve"):
        pytest.importorskip(package, reason="contracts need the extras contracts, evm and evm-local")


@pytest.fixture
def system() -> Iterator[System]:
    """A system on a fresh chain."""
    with open_backend("pyevm") as chain:
        yield build(chain)
