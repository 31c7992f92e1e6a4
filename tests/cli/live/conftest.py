"""Served chains of both kinds, and a desk of its own for each test."""

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.chains_fixtures import need
from tests.cli.live.desk import Desk


@pytest.fixture(scope="module")
def example(repository: Path) -> ModuleType:
    """The example that serves two chains."""
    for package in ("vyper", "eth", "trie", "eth_abi", "eth_account", "coincurve"):
        pytest.importorskip(package, reason="local chains need what `make chains` installs")
    spec = importlib.util.spec_from_file_location("served_chains", repository / "examples" / "served_chains.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["in-process", "anvil"])
def served(
    request: pytest.FixtureRequest, example: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Both chains of a kind, served; skips where anvil is absent."""
    need(request.param)
    with example.served_chains(tmp_path_factory.mktemp(f"served-{request.param}"), request.param) as found:
        yield found


@pytest.fixture
def desk(served: Any, example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk that knows the key, with chains on which all is final."""
    monkeypatch.setenv(example.VARIABLE, example.KEY)
    with ExitStack() as servers:
        yield Desk(served, example, tmp_path, servers)
