"""Commands with a rulebook as their model, as their user meets them."""

import json
import re
from pathlib import Path

import msgspec
import polars as pl
import pytest

from crossmargin.adapters.files import read_book, read_market, read_model
from crossmargin.adapters.writing import write_document
from crossmargin.cli import commands
from crossmargin.cli.rulebooks.ruling import partial_line, ruling_words, warnings
from crossmargin.engine.accounts import margin_report
from crossmargin.engine.margin import margin
from crossmargin.engine.reports import Doubt, ExplainReport, MarginReport, Ruling, SimulateReport, StressReport
from crossmargin.margin.rulebooks.registry import rulebook
from tests.cli.shell import crossmargin

PMRM2 = ("--model", "derive-pmrm2@2026-01")


@pytest.fixture
def call(repository: Path) -> tuple[str, str, str]:
    """The worked example's book and market as arguments."""
    return str(repository / "examples/call-book.toml"), "--market", str(repository / "examples/call-market.toml")


@pytest.fixture
def small(repository: Path) -> tuple[str, str, str]:
    """The small book and market as arguments."""
    return str(repository / "examples/small-book.toml"), "--market", str(repository / "examples/small-market.toml")


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_margin_is_that_of_the_rulebook(call, repository: Path):
    outcome = crossmargin("margin", *call, *PMRM2, "--json")
    market = read_market(repository / "examples/call-market.toml")
    book = read_book(repository / "examples/call-book.toml", market=market)
    report = msgspec.json.decode(outcome.out.encode(), type=MarginReport)
    assert report == margin_report(margin(book, market, read_model("derive-pmrm2@2026-01-21")))
    assert report.provenance.model == "derive-pmrm2@2026-01-21"
    text = one_line(crossmargin("margin", *call, *PMRM2).out)
    assert "Margined by Derive portfolio margin (PMRM_2), parameters of 2026-01-21" in text
    assert "BTC scenarios" in text


def test_what_is_left_out_is_said_on_the_screen_and_on_stderr(small):
    outcome = crossmargin("margin", *small, "--model", "dydx-v4@2026", "--json")
    report = msgspec.json.decode(outcome.out.encode(), type=MarginReport)
    refused = {a.id: a.ruling.refused for a in report.accounts if a.ruling and a.ruling.partial}
    assert outcome.code == 0
    assert "desk" in refused
    assert outcome.err.startswith("warning: Partial requirement of ")
    text = crossmargin("margin", *small, "--model", "dydx-v4@2026", "--account", "desk")
    assert "Partial requirement: dydx-v4 does not list" in one_line(text.out)
    assert refused["desk"][0] in text.err


def test_a_whole_account_brings_no_warning(call):
    outcome = crossmargin("margin", *call, *PMRM2, "--json")
    assert not json.loads(outcome.out)["accounts"][0]["ruling"]["partial"]
    assert outcome.err == ""


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_results_have_a_row_for_each_account(small, tmp_path: Path, suffix: str):
    path = tmp_path / f"results.{suffix}"
    report = json.loads(crossmargin("margin", *small, *PMRM2, "--json", "--out", path).out)
    readers = {"parquet": pl.read_parquet, "csv": pl.read_csv}
    table = pl.DataFrame(json.loads(path.read_text())["rows"]) if suffix == "json" else readers[suffix](path)
    assert table["initial_usd"].to_list() == pytest.approx([a["initial_usd"] for a in report["accounts"]])
    assert table["status"].to_list() == [a["status"] for a in report["accounts"]]
    assert table["rulebook"].to_list() == ["derive-pmrm2"] * 2
    assert table["parameters"].to_list() == ["2026-01-21"] * 2


def test_a_rulebook_has_no_groups_to_write(small, tmp_path: Path):
    outcome = crossmargin("margin", *small, *PMRM2, "--out", tmp_path / "out.csv", "--rows", "group")
    assert outcome.code == 2
    assert "a rulebook margins whole accounts" in outcome.err
    assert not (tmp_path / "out.csv").exists()


def test_totals_of_a_large_book_keep_their_warnings(small, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(commands, "REPORTED_WHOLE", 0)
    whole = crossmargin("margin", *small, "--model", "dydx-v4@2026")
    assert whole.code == 0
    assert "warning: Partial requirement" in whole.err


def test_explain_says_all_of_it(call, tmp_path: Path):
    page = tmp_path / "desk.html"
    report = msgspec.json.decode(crossmargin("explain", *call, *PMRM2, "--json").out.encode(), type=ExplainReport)
    outcome = crossmargin("explain", *call, *PMRM2, "--html", page)
    text = one_line(outcome.out)
    assert report.change is None
    assert len(report.groups[0].scenarios) > 20
    assert "share of initial margin" in text
    assert "Largest further order that still fits" in text
    assert "No price searched turns the verdict for BTC" in text  # without WBTC it cannot be mended by a price
    html = page.read_text()
    assert "Derive portfolio margin (PMRM_2)" in html
    assert "derive-pmrm2@2026-01-21" in html
    assert "share of the initial margin" in html


def test_yesterdays_rules_are_one_option(call):
    arguments = ("explain", *call, *PMRM2, "--previous-model", "derive-pmrm2@2025-03", "--json")
    change = json.loads(crossmargin(*arguments).out)["change"]
    old, new = (
        json.loads(crossmargin("margin", *call, "--model", f"derive-pmrm2@{date}", "--json").out)["accounts"][0]
        for date in ("2025", "2026")
    )
    assert (change["before_initial_usd"], change["after_initial_usd"]) == (old["initial_usd"], new["initial_usd"])
    assert (change["positions_usd"], change["market_usd"]) == (0.0, 0.0)
    assert change["parameters_usd"] == new["initial_usd"] - old["initial_usd"] != 0.0


def test_a_rule_without_shares_says_so(call, tmp_path: Path):
    page = tmp_path / "desk.html"
    outcome = crossmargin("explain", *call, "--model", "synthetix-v3@2026", "--html", page)
    assert "The rule is not homogeneous" in one_line(outcome.out)
    assert "no shares add up" in page.read_text()


def test_simulate_and_stress_take_a_rulebook(call, tmp_path: Path):
    add = ("--add", "BTC_USDC-24APR26-75000-P.DERIBIT:1")
    arguments = ("simulate", *call, *PMRM2, *add)
    report = msgspec.json.decode(crossmargin(*arguments, "--json").out.encode(), type=SimulateReport)
    assert report.after.initial_usd < report.before.initial_usd  # one of two puts is bought back
    assert crossmargin(*arguments, "--html", tmp_path / "what-if.html").code == 0
    stressed = crossmargin("stress", *call, *PMRM2, "--html", tmp_path / "stress.html")
    found = msgspec.json.decode(crossmargin("stress", *call, *PMRM2, "--json").out.encode(), type=StressReport)
    assert len(found.accounts[0].margins) == len(found.accounts[0].lines) > 3
    for text in (stressed.out, (tmp_path / "stress.html").read_text()):
        assert "asked for after them" in text


def test_parameters_of_ones_own(call, tmp_path: Path):
    one = rulebook("dydx-v4")
    shipped = one.load(one.dates()[-1])
    write_document(tmp_path / "own.toml", shipped)
    named, own = (
        json.loads(crossmargin("margin", *call, "--model", text, "--json").out)["accounts"][0]
        for text in ("dydx-v4@2026-11-01", f"dydx-v4={tmp_path / 'own.toml'}")
    )
    assert own["initial_usd"] == named["initial_usd"]
    assert crossmargin("margin", *call, "--model", f"dydx-v4={tmp_path / 'none.toml'}").code == 2


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("dydx-v4", "on or after 2026-11-01"),  # the market is of March
        ("derive-pmrm2@2024", "2025-03-20, 2026-01-21"),
        ("sensitivity-im", "sensitivity-im=FILE"),
        ("derive-pmrm", "derive-pmrm@2026-01-21"),
        ("derive-pmrm9", "derive-pmrm2"),
    ],
)
def test_what_cannot_be_used_is_refused(call, model: str, message: str):
    outcome = crossmargin("margin", *call, "--model", model, "--json")
    if model == "derive-pmrm":  # known since January: in force
        assert message in json.loads(outcome.out)["provenance"]["model"]
    else:
        assert outcome.code == 2
        assert message in outcome.err


def ruling(*refused: str) -> Ruling:
    return Ruling(
        rulebook="r",
        name="R",
        date="2026-01-01",
        certainty="unknown",
        binding="x",
        partial=any(not name.startswith("collateral ") for name in refused),
        refused=refused,
        notes=("read so",),
        doubts=(Doubt(term="a", certainty="approximate", note="n"), Doubt(term="b", certainty="exact", note="n")),
    )


def test_words_about_a_ruling():
    words = " ".join(ruling_words(ruling()))
    assert "parameters of 2026-01-01" in words
    assert "not public in full" in words
    assert "Read so." in words
    assert "A, b: n." in words
    assert warnings(None) == warnings(ruling()) == ()
    assert "1 position or order of" in warnings(ruling("X"))[0]
    assert warnings(ruling("collateral EUR")) == ("Collateral that does not count under r: EUR.",)
    assert partial_line({"a": ruling("collateral EUR"), "b": None}) == ""
    assert partial_line({"a": ruling("X"), "b": None}) == "Partial requirement of 1 of 2 accounts: a."
    many = partial_line({f"{i}": ruling("X") for i in range(9)})
    assert many.endswith("0, 1, 2, 3, 4, 5 and 3 more.")
