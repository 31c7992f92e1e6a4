"""The command `cascade`: tables, JSON, a page, and what it refuses."""

import json
from importlib import resources
from pathlib import Path

import pytest

from tests.cli.shell import crossmargin

DEMO = Path(str(resources.files("crossmargin.cli").joinpath("demo")))
INPUTS = (DEMO / "book.toml", "--market", DEMO / "market.toml", "--crowd", "5000")


def test_an_event_is_told_and_drawn(tmp_path):
    page = tmp_path / "cascade.html"
    found = crossmargin("cascade", *INPUTS, "--event", "X1", "--html", page)
    assert found.code == 0, found.err
    assert "Arbitrum One" in found.out
    assert "Where the loss goes" in found.out
    text = page.read_text(encoding="utf-8")
    assert "Price path" in text
    assert "Not paid, by chain" in text


def test_json_says_what_was_asked():
    asked = ("--shock", "BTC=-0.2", "--halt", "eip155:8453=3600", "--oracle-delay", "eip155:1=120", "--seed", "7")
    report = json.loads(crossmargin("cascade", *INPUTS, *asked, "--json").out)
    assert report["shock"] == {"BTC": -0.2}
    clocks = {c["chain"]: (c["halted_s"], c["delay_s"]) for c in report["by_chain"]}
    assert clocks["eip155:8453"] == (3600.0, 0.0)
    assert clocks["eip155:1"] == (0.0, 120.0)
    assert report["seed"] == 7
    assert len(report["by_asset"][0]["path"]) == len(report["by_round"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((), "--shock"),
        (("--shock", "BTC"), "NAME=NUMBER"),
        (("--shock", "BTC=-1"), "shock of BTC"),
        (("--shock", "BTC=-0.2", "--halt", "eip155:10=60"), "eip155:10"),
        (("--event", "X99"), "X99"),
    ],
)
def test_what_cannot_be_is_refused(asked, said):
    found = crossmargin("cascade", *INPUTS, *asked)
    assert found.code == 2
    assert said in found.err
