"""A market that names routes: its report takes the way that `transfer` takes for the same amount."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.registries.files import default_registry
from crossmargin.adapters.writing import write_document
from crossmargin.market.document import MarketDocument
from crossmargin.market.registry.document import RegistryDocument
from tests.cli.shell import crossmargin

DEMO = Path(str(resources.files("crossmargin.cli").joinpath("demo")))
USDC = "eip155:42161/erc20:0xaf88d065e77c8cc2239327c5edb3a432268e5831"


@pytest.fixture
def routed(tmp_path: Path) -> Path:
    """The bundled market, its tokens but one left to the shipped routes, and a registry that has Circle's bridge."""
    shipped = default_registry()
    cctp = replace(shipped.at(shipped.times_ns[-1]).bridges["cctp"], limits=(), valid_from="2025-01-01T00:00:00Z")
    records = read_document(DEMO / "registry.toml", RegistryDocument)
    write_document(tmp_path / "registry.toml", replace(records, bridges=(*records.bridges, cctp)))
    document = read_document(DEMO / "market.toml", MarketDocument)
    assert document.chains is not None
    tokens = tuple(x if "5979d7" in x.instance else replace(x, transfer=None) for x in document.chains.instances)
    chains = replace(document.chains, instances=tokens, routes="default", needed_within_s=3_600.0)
    write_document(tmp_path / "market.toml", replace(document, chains=chains))
    return tmp_path / "market.toml"


def test_the_report_takes_the_way_that_transfer_takes(routed: Path):
    report = json.loads(crossmargin("margin", DEMO / "book.toml", "-m", routed, "-a", "desk", "--json").out)
    (line,) = [
        c
        for p in report["accounts"][0]["pools"]
        for c in p["collateral"]
        if (c["token"] or {}).get("instance") == USDC and c["token"]["level"] == "final"
    ]
    way: dict[str, Any] = line["token"]["transfer"]
    amount = line["recognised_usd"] / line["price_usd"]
    lane = ("--from", "eip155:42161", "--to", "eip155:1", "--amount", amount, "--deadline", 60)
    asked = json.loads(crossmargin("transfer", "USDC", *lane, "--market", routed, "--json").out)
    (taken,) = [route for route in asked["routes"] if route["route"] == asked["taken"]]
    assert way["route"] == asked["taken"] == "cctp-standard"
    assert way["cost_usd"] == pytest.approx(taken["cost_usd"], rel=1e-9)
    assert way["in_time"]


def test_the_tables_show_it(routed: Path):
    said = crossmargin("margin", DEMO / "book.toml", "-m", routed, "-a", "desk")
    assert said.code == 0, said.err
    assert "cctp-standard" in said.out
    assert "arbitrum-canonical" in said.out
    assert said.out.split("in time")[1].count(" no ") >= 1
