"""The stress command: the list of the library, the choice of events, and what the page says of them."""

import json
from pathlib import Path

import pytest

from crossmargin.engine.stress import default_stress
from tests.cli.report.test_page_browser import CHROMIUM, measured
from tests.cli.shell import crossmargin

EXAMPLES = Path(__file__).parents[2] / "examples"
CALL = (str(EXAMPLES / "call-book.toml"), "--market", str(EXAMPLES / "call-market.toml"))


def test_the_library_is_listed_without_a_book():
    text = crossmargin("stress", "--library").out
    assert "12 March 2020" in text
    assert f"{len(default_stress().scenarios)} shocks" in text
    listed = json.loads(crossmargin("stress", "--library", "--event", "2020-03-12", "--json").out)
    assert [s["date"] for s in listed["scenarios"]] == ["2020-03-12"]
    assert listed["scenarios"][0]["shocks"]["spot:BTC"] < -0.4


def test_events_are_picked_and_their_margin_is_told(tmp_path: Path):
    page = tmp_path / "stress.html"
    asked = ("stress", *CALL, "--event", "2020-03-12", "--event", "Terra")
    outcome = crossmargin(*asked, "--html", page)
    report = json.loads(crossmargin(*asked, "--json").out)
    labels = [line["label"] for line in report["accounts"][0]["lines"]]
    assert len(labels) == 3
    assert [m["label"] for m in report["accounts"][0]["margins"]] == labels
    for text in (outcome.out, page.read_text()):
        assert "asked for after them" in text
        assert "12 March 2020" in text
    assert "Shocks and their sources" in page.read_text()
    assert "What was cut from the shipped shocks" in outcome.out


def test_a_file_and_the_library_stand_together(tmp_path: Path):
    own = tmp_path / "own.toml"
    own.write_text('[[scenarios]]\nlabel = "mine"\n[scenarios.shocks]\n"spot:BTC" = -0.1\n')
    alone = json.loads(crossmargin("stress", *CALL, "--scenarios", own, "--json").out)
    both = json.loads(crossmargin("stress", *CALL, "--scenarios", own, "--library", "--json").out)
    assert [e["label"] for e in alone["events"]] == ["mine"]
    assert len(both["events"]) == 1 + len(default_stress().scenarios)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("stress",), "BOOK is 'missing'"),
        (("stress", CALL[0]), "--market is 'missing'"),
        (("stress", *CALL, "--event", "2031"), "event is '2031'"),
    ],
)
def test_what_is_missing_is_named(arguments: tuple[str, ...], words: str):
    outcome = crossmargin(*arguments)
    assert outcome.code == 2
    assert words in outcome.err


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: `apt-get install chromium`")
@pytest.mark.parametrize("width", [360, 1280])
def test_the_whole_library_fits_the_page(tmp_path: Path, width: int):
    page = tmp_path / "stress.html"
    assert crossmargin("stress", *CALL, "--html", page).code == 0
    found = measured(page.read_text(), width, tmp_path)
    assert found["overflow"] <= 0
    assert (found["outside"], found["covered"]) == ([], [])
