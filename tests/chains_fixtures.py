"""Chains to test on: each test of `backend` runs on both kinds, and skips with a reason where anvil is absent."""

from collections.abc import Iterator

import pytest

from crossmargin.adapters.networks.anvil import AnvilBackend, find_anvil
from crossmargin.adapters.networks.backend import ChainBackend
from crossmargin.adapters.networks.pyevm import PyEvmBackend

KINDS = {"pyevm": PyEvmBackend, "anvil": AnvilBackend}


def need(kind: str) -> None:
    """Skip where chains of a kind cannot run on this machine."""
    if kind == "anvil" and find_anvil() is None:
        pytest.skip("no anvil: run `make chains`, or name the binary in CROSSMARGIN_ANVIL")


def open_backend(kind: str, chain_id: int = 31_337) -> ChainBackend:
    """A fresh chain; close it, or use it in a `with`."""
    need(kind)
    made: ChainBackend = KINDS[kind](chain_id)
    return made


@pytest.fixture(params=list(KINDS))
def backend(request: pytest.FixtureRequest) -> Iterator[ChainBackend]:
    """A fresh chain of each kind."""
    with open_backend(request.param) as chain:
        yield chain


@pytest.fixture
def anvil() -> Iterator[ChainBackend]:
    """A fresh chain of anvil."""
    with open_backend("anvil") as chain:
        yield chain
