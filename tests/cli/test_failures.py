"""The command `failures`: tables, JSON, a page, the library, and what it refuses."""

import json
from importlib import resources
from pathlib import Path

from tests.cli.shell import crossmargin

DEMO = Path(str(resources.files("crossmargin.cli").joinpath("demo")))
INPUTS = (DEMO / "book.toml", "--market", DEMO / "market.toml")


def test_both_shares_stand_in_one_table(tmp_path):
    page = tmp_path / "failures.html"
    asked = ("--event", "X4", "--event", "X6", "--bridge-share", "0.6", "--html", page)
    found = crossmargin("failures", *INPUTS, *asked)
    assert found.code == 0, found.err
    assert "loss at 60 %" in found.out
    assert "rate cap" in found.out
    text = page.read_text(encoding="utf-8")
    assert "With 60 % behind wbtc-custody" in text


def test_json_holds_findings_and_sources():
    found = crossmargin("failures", *INPUTS, "--event", "X1", "--json")
    line = json.loads(found.out)["as_it_is"]["events"][0]
    assert line["targets"][-1] == "L2 with most collateral: eip155:42161"
    assert line["availability"] == {"chain:eip155:42161": -1.0}
    assert {f["detector"] for f in line["findings"]} >= {"quorum", "sequencer feed", "finality monitor"}
    assert line["sources"]


def test_without_a_book_the_library_is_listed():
    found = crossmargin("failures")
    assert found.code == 0
    assert "Ronin: lockbox drained" in found.out
    assert json.loads(crossmargin("failures", "--json").out)["events"][0]["id"] == "B01"


def test_what_is_missing_is_named():
    assert "--market" in crossmargin("failures", DEMO / "book.toml").err
    assert "X99" in crossmargin("failures", *INPUTS, "--event", "X99").err
