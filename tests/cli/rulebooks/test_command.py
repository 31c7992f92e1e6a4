"""`rulebooks`, `compare` and `conformance` as their user meets them."""

import json
import re

import pytest
from typer.testing import CliRunner

from crossmargin.adapters.writing import write_document
from crossmargin.cli.main import app
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.registry import rulebooks
from crossmargin.margin.rulebooks.sensitivities.rule import SensitivityRule
from tests.margin.rulebooks.sensitivity_worlds import made_up


def run(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_every_rulebook_is_listed_with_its_dates():
    found = json.loads(run("rulebooks", "--json").stdout)
    assert {one["id"] for one in found} == set(rulebooks())
    assert {"derive-pmrm2", "dydx-v4", "cboe-strategy", "deribit-standard"} <= set(rulebooks())
    assert run("rulebooks").exit_code == 0


@pytest.mark.parametrize("name", sorted(rulebooks()))
def test_every_rulebook_can_be_shown_with_its_parameters(name):
    shown = json.loads(run("rulebooks", "show", name, "--json").stdout)
    assert shown["formulas"].strip()
    assert shown["sources"]
    assert bool(shown["dates"]) == (shown["parameters"] is not None)
    assert name in run("rulebooks", "show", name).stdout


def test_a_rulebook_nobody_knows_is_refused():
    # Errors of the package are printed by the entry point; the runner sees them as they are raised.
    assert "dydx-v4" in str(run("rulebooks", "show", "dydx").exception)


def test_an_account_is_compared_under_every_rulebook(repository):
    examples = repository / "examples"
    arguments = ("compare", examples / "call-book.toml", "--market", examples / "call-market.toml")
    report = json.loads(run(*arguments, "--json").stdout)
    assert {row["rulebook"] for row in report["rows"]} == set(rulebooks())
    assert report["initial_usd"] == pytest.approx(11_641.10, abs=0.01)  # the worked example of the README
    for row in report["rows"]:
        assert (row["initial_usd"] is None) == bool(row["error"])
        assert row["initial_usd"] is None or row["initial_usd"] >= 0.0
    one = json.loads(run(*arguments, "--rulebooks", "derive-pmrm2", "--json").stdout)
    assert [row["rulebook"] for row in one["rows"]] == ["derive-pmrm2"]
    assert "under every rulebook" in run(*arguments).stdout


def test_a_comparison_is_split_and_written_as_a_page(repository, tmp_path):
    examples, page = repository / "examples", tmp_path / "page.html"
    arguments = ("compare", examples / "call-book.toml", "--market", examples / "call-market.toml")
    found = json.loads(run(*arguments, "--split", "--alone", "underlying", "--html", page, "--json").stdout)
    assert (found["grain"], [p["rulebook"] for p in found["split"]["pieces"]]) == ("underlying", ["deribit-standard"])
    assert page.read_text().startswith("<!doctype html>")
    asked = json.loads(run(*arguments, "--venue", "DERIBIT=derive-pmrm2", "--json").stdout)
    assert [p["rulebook"] for p in asked["split"]["pieces"]] == ["derive-pmrm2"]
    assert json.loads(run(*arguments, "--json").stdout)["split"] is None
    for wrong in ("DERIBIT", "DERIBIT=", "=dydx-v4", "DERIBIT=nobody"):
        assert isinstance(run(*arguments, "--venue", wrong).exception, InvalidInput)


def test_a_rule_takes_its_parameters_from_a_file(repository, tmp_path):
    examples = repository / "examples"
    write_document(tmp_path / "own.toml", SensitivityRule(calibrations=(made_up(),)))
    arguments = ("compare", examples / "call-book.toml", "--market", examples / "call-market.toml")
    found = run(
        *arguments, "--rulebooks", "sensitivity-im", "--parameters", f"sensitivity-im={tmp_path}/own.toml", "--json"
    )
    (row,) = json.loads(found.stdout)["rows"]
    assert (row["error"], row["date"]) == ("", made_up().effective)
    for wrong in ("sensitivity-im", "nobody=own.toml", "sensitivity-im="):
        assert isinstance(run(*arguments, "--parameters", wrong).exception, InvalidInput)


def test_the_parameters_of_a_rule_have_a_schema():
    found = json.loads(run("rulebooks", "show", "sensitivity-im", "--schema").stdout)
    assert "calibrations" in found["$defs"]["SensitivityRule"]["properties"]


def test_a_rule_says_what_its_portfolio_is():
    found = json.loads(run("rulebooks", "show", "dydx-v4", "--portfolio-schema").stdout)
    assert "positions" in found["$defs"]["Portfolio"]["properties"]
    assert "aevo-standard" in str(run("rulebooks", "show", "standard-schedule", "--portfolio-schema").exception)


@pytest.mark.parametrize("document", ["pack", "case"])
def test_packs_have_a_schema(document):
    assert json.loads(run("schema", document).stdout)["title"] == f"Crossmargin {document}"


def test_a_pack_of_ones_own_is_written_run_and_fails(repository, tmp_path):
    examples, folder = repository / "examples", tmp_path / "mine"
    new = ("conformance", examples / "small-book.toml", "--new", folder, "--rulebook", "derive-pmrm2")
    assert isinstance(run(*new).exception, InvalidInput)
    assert not folder.exists()
    arguments = (*new, "--market", examples / "small-market.toml")
    written = run(*arguments)
    assert (written.exit_code, "2 cases" in written.stdout) == (0, True)
    assert isinstance(run(*arguments).exception, InvalidInput)
    passed = run("conformance", folder)
    assert (passed.exit_code, "Crossmargin's own numbers" in passed.stdout) == (0, True)
    case = folder / "cases/account-1.toml"
    spoilt = re.sub(r"^initial = .*$", "initial = 12345.0", case.read_text(), flags=re.MULTILINE)
    case.write_text(spoilt.replace("name =", 'source = "the venue"\nname ='))
    failed = run("conformance", folder)
    assert (failed.exit_code, "12345" in failed.stdout) == (1, True)
    (report,) = json.loads(run("conformance", folder, "--json").stdout)
    (failure,) = report["failures"]
    assert (failure["case"], failure["field"], failure["expected"]) == ("desk", "initial", 12345.0)
    assert failure["error"] == pytest.approx(abs(failure["got"] - 12345.0))
    assert (report["own"], report["cases"]) == (1, 2)


def test_packs_run_and_fail_with_their_own_exit_code(shared, tmp_path):
    assert run("conformance", shared / "vectors" / "dydx").exit_code == 0
    row = json.loads((shared / "vectors" / "dydx" / "perp_margin_requirements.json").read_text())
    text = json.dumps(row).replace('"bigExpectedInitialMargin": "', '"bigExpectedInitialMargin": "9')
    (tmp_path / "perp_margin_requirements.json").write_text(text)
    spoilt = run("conformance", tmp_path)
    assert spoilt.exit_code == 1
    assert "expected" in spoilt.stdout
