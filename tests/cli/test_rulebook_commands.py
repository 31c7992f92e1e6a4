"""`rulebooks`, `compare` and `conformance` as their user meets them."""

import json

import pytest
from typer.testing import CliRunner

from crossmargin.cli.main import app
from crossmargin.margin.rulebooks.registry import rulebooks


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


def test_packs_run_and_fail_with_their_own_exit_code(shared, tmp_path):
    assert run("conformance", shared / "vectors" / "dydx").exit_code == 0
    row = json.loads((shared / "vectors" / "dydx" / "perp_margin_requirements.json").read_text())
    text = json.dumps(row).replace('"bigExpectedInitialMargin": "', '"bigExpectedInitialMargin": "9')
    (tmp_path / "perp_margin_requirements.json").write_text(text)
    spoilt = run("conformance", tmp_path)
    assert spoilt.exit_code == 1
    assert "expected" in spoilt.stdout
