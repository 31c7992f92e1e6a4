"""The command `failures`: tables, JSON, a page, the library, and what it refuses."""

import json
from importlib import resources
from pathlib import Path

from tests.cli.shell import crossmargin

DEMO = Path(str(resources.files("crossmargin.cli").joinpath("demo")))
INPUTS = (DEMO / "book.toml", "--market", DEMO / "market.toml")


def test_both_shares_are_told_at_the_high_end(tmp_path):
    page = tmp_path / "failures.html"
    asked = ("--event", "X4", "--event", "X6", "--bridge-share", "0.6", "--html", page)
    found = crossmargin("failures", *INPUTS, *asked)
    assert found.code == 0, found.err
    assert "Failures with 60 % behind wbtc-custody, at the high end of what was reported" in found.out
    assert "rate cap" in found.out
    text = page.read_text(encoding="utf-8")
    assert "With 60 % behind wbtc-custody" in text
    assert "All events, at the high end of what was reported" in text


def test_the_other_end_stands_beside():
    """Multichain's tokens at 0.70 and 0.22 of face: both losses stand in the row, whichever end is asked for."""
    for end, heads in (("high", ("low end", "loss USD")), ("low", ("loss USD", "high end"))):
        found = crossmargin("failures", *INPUTS, "--event", "B07", "--severity", end)
        row = next(line for line in found.out.splitlines() if line.startswith(" B07"))
        assert all(figure in row for figure in ("40,038", "104,099")), row
        assert all(head in found.out for head in heads)
    line = json.loads(crossmargin("failures", *INPUTS, "--event", "B07", "--severity", "mid", "--json").out)
    assert line["severity"] == "mid"
    low, mid, high = (line["as_it_is"]["events"][0][end]["loss_usd"] for end in ("low", "totals", "high"))
    assert low < mid < high


def test_an_event_that_forces_sales_says_what_cascade_says():
    crowd = ("--crowd", "5000", "--seed", "3", "--json")
    sales = json.loads(crossmargin("failures", *INPUTS, "--event", "X1", *crowd).out)["as_it_is"]["events"][0]["sales"]
    alone = json.loads(crossmargin("cascade", *INPUTS, "--event", "X1", *crowd).out)
    for name in ("rounds", "settled", "lost_usd", "deficit_usd", "fund_usd", "charged_usd", "unpaid_usd"):
        assert sales[name] == alone[name], name
    assert list(sales["moves"].values()) == [asset["move"] for asset in alone["by_asset"]]


def test_forced_sales_stand_in_the_table_and_on_the_page(tmp_path):
    page = tmp_path / "failures.html"
    found = crossmargin("failures", *INPUTS, "--event", "X1", "--crowd", "5000", "--html", page)
    assert "sales add" in found.out
    assert "Forced sales, until nothing moves" in found.out
    assert "Forced sales" in page.read_text(encoding="utf-8")
    assert "sales add" not in crossmargin("failures", *INPUTS, "--event", "B05").out


def test_a_rulebook_says_what_it_does_not_see(tmp_path):
    page = tmp_path / "failures.html"
    asked = ("--event", "O06", "--event", "D02", "--model", "deribit-pm-cross", "--html", page)
    found = crossmargin("failures", *INPUTS, *asked)
    assert found.code == 0, found.err
    for told in (" ".join(found.out.split()), " ".join(page.read_text(encoding="utf-8").split())):
        assert "Margined by Deribit portfolio margin" in told
        assert "sees the asset of a token, not its chain or bridge" in told
        assert "Partial requirement of 1 of 2 accounts: desk." in told


def test_what_stands_still_is_said_to_count_for_held_risk():
    told = " ".join(crossmargin("failures", *INPUTS, "--event", "O06").out.split())
    assert "counts for risk that is held" in told
    assert "can meet no call" in told


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
