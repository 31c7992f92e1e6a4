"""`transfer` prints every route with its parts, says which one to take, and refuses with a place."""

import json
from importlib import resources

import pytest

from tests.cli.shell import crossmargin as run

MARKET = str(resources.files("crossmargin.cli").joinpath("demo/market.toml"))
WAY = ("--from", "eip155:42161", "--to", "eip155:1", "--amount", "250000", "--market", MARKET)


def test_it_says_which_route_to_take():
    done = run("transfer", "USDC", *WAY)
    assert done.code == 0, done.err
    assert "Take cctp-standard" in done.out
    assert "before closing pays" in " ".join(done.out.split())


def test_as_json_the_parts_add_up():
    report = json.loads(run("transfer", "USDC", *WAY, "--deadline", "5", "--json").out)
    assert report["taken"] == "cctp-fast"
    for route in report["routes"]:
        assert sum(route["parts_usd"].values()) == pytest.approx(route["cost_usd"])
    assert [len(report[key]) for key in ("registry_sha256", "routes_sha256")] == [64, 64]


def test_without_a_route_it_says_so():
    done = run("transfer", "WBTC", "--from", "eip155:1", "--to", "eip155:10", "--amount", "1", "--market", MARKET)
    assert done.code == 0, done.err
    assert "No route carries" in done.out


def test_an_unknown_asset_is_refused_with_the_known_ones():
    done = run("transfer", "USDX", *WAY)
    assert done.code == 2
    assert "USDC" in done.err
