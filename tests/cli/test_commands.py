"""Each command does what its help says."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import polars as pl
import pytest

from crossmargin.adapters.files import read_book, read_market, read_model
from crossmargin.cli import commands, output
from crossmargin.cli.inputs import parse_addition, parse_collateral, summed
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.accounts import margin_report
from crossmargin.engine.margin import margin
from crossmargin.engine.reports import ExplainReport, MarginReport, SimulateReport, StressReport
from tests.cli.shell import crossmargin

COMMANDS = ["margin", "simulate", "explain", "stress", "schema", "demo", "market build", "market check"]
COMMANDS += ["compare", "conformance", "rulebooks show", "calibrate", "forecast", "reverse-stress"]


@pytest.fixture
def small(repository: Path) -> tuple[str, str, str]:
    """The small book and market as arguments."""
    return str(repository / "examples/small-book.toml"), "--market", str(repository / "examples/small-market.toml")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_and_gives_an_example(command: str):
    outcome = crossmargin(*command.split(), "--help")
    assert outcome.code == 0
    assert f"Example: crossmargin {command}" in re.sub(r"\s+", " ", outcome.out)


def test_help_lists_every_command():
    text = crossmargin("--help").out + crossmargin("market", "--help").out + crossmargin("rulebooks", "--help").out
    assert all(name in text for command in COMMANDS for name in command.split())


def test_margin_prints_every_account(small):
    outcome = crossmargin("margin", *small)
    assert outcome.code == 0
    assert outcome.err == ""
    assert "desk" in outcome.out
    assert "trader" in outcome.out


def test_margin_json_is_the_report(small, repository: Path):
    outcome = crossmargin("margin", *small, "--json")
    market = read_market(repository / "examples/small-market.toml")
    book = read_book(repository / "examples/small-book.toml", market=market)
    expected = margin_report(margin(book, market, read_model()))
    assert msgspec.json.decode(outcome.out.encode(), type=MarginReport) == expected


def test_margin_of_one_account_is_its_part_of_the_whole(small):
    whole = json.loads(crossmargin("margin", *small, "--json").out)
    alone = json.loads(crossmargin("margin", *small, "--json", "--account", "trader").out)
    assert [a["id"] for a in alone["accounts"]] == ["trader"]
    assert alone["accounts"][0]["initial_usd"] == pytest.approx(whole["accounts"][1]["initial_usd"], rel=1e-12)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow", "json"])
@pytest.mark.parametrize("rows", ["account", "group"])
def test_results_are_written_in_every_format(small, tmp_path: Path, suffix: str, rows: str):
    path = tmp_path / f"results.{suffix}"
    report = json.loads(crossmargin("margin", *small, "--json", "--out", path, "--rows", rows).out)
    readers = {"parquet": pl.read_parquet, "csv": pl.read_csv, "arrow": pl.read_ipc}
    table = pl.DataFrame(json.loads(path.read_text())["rows"]) if suffix == "json" else readers[suffix](path)
    if rows == "account":
        assert table["account"].to_list() == ["desk", "trader"]
        for column in ("equity_usd", "initial_usd", "maintenance_usd", "excess_initial_usd", "margin_ratio", "status"):
            assert table[column].to_list() == pytest.approx([a[column] for a in report["accounts"]])
    else:
        assert table["group"].to_list() == ["desk/options", "trader/isolated", "trader/main"]
        assert table["mode"].to_list() == ["portfolio", "isolated", "cross"]
    terms = [c for c in table.columns if c.endswith("_initial_usd") and c != "excess_initial_usd"]
    total = table.select(pl.sum_horizontal(terms))[:, 0].to_list()
    assert total == pytest.approx(table["initial_usd"].to_list())
    assert list(tmp_path.iterdir()) == [path]


def test_results_carry_what_they_were_computed_from(small, tmp_path: Path):
    path = tmp_path / "results.parquet"
    report = json.loads(crossmargin("margin", *small, "--json", "--out", path).out)
    assert json.loads(pl.read_parquet_metadata(path)["crossmargin"]) == report["provenance"]


def test_totals_of_a_large_book_are_those_of_its_report(small, monkeypatch):
    whole = json.loads(crossmargin("margin", *small, "--json").out)
    seen: list[MarginReport] = []
    monkeypatch.setattr(commands, "REPORTED_WHOLE", 1)
    monkeypatch.setattr(commands, "print_report", lambda report, **_: seen.append(report))
    crossmargin("margin", *small)
    for account, expected in zip(seen[0].accounts, whole["accounts"], strict=True):
        assert account.pools == ()
        found = msgspec.to_builtins(account)
        assert {k: found[k] for k in found if k not in {"pools", "standings"}} == pytest.approx(
            {k: expected[k] for k in expected if k not in {"pools", "standings"}}
        )


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (("explain", "--account", "desk"), ExplainReport),
        (("stress",), StressReport),
        (("stress", "--account", "trader"), StressReport),
        (("simulate", "--account", "desk", "--add", "BTC-26JUN26-100000-C.DERIBIT:-5"), SimulateReport),
        (("simulate", "-a", "desk", "--collateral", "USDC@eip155:1:-5000", "--collateral", "BTC:1"), SimulateReport),
    ],
)
def test_reports_in_every_form(small, tmp_path: Path, command: tuple[str, ...], kind: type):
    name, *options = command
    page = tmp_path / "report.html"
    printed = crossmargin(name, *small, *options, "--html", page)
    assert (printed.code, printed.err) == (0, "")
    assert "As of 2026-03-31 15:30:00 UTC" in printed.out
    assert page.read_text().startswith("<!doctype html>")
    report = msgspec.json.decode(crossmargin(name, *small, *options, "--json").out.encode(), type=kind)
    assert report.provenance.as_of_ms == 1_774_971_000_000


def test_simulate_adds_what_it_is_told(small):
    add = "--add", "BTC-PERPETUAL.DERIBIT:-100000", "--add", "BTC-PERPETUAL.DERIBIT:-50000"
    report = json.loads(crossmargin("simulate", *small, "-a", "desk", *add, "--collateral", "USDC:1000", "--json").out)
    assert report["added"] == ["-150000 BTC-PERPETUAL.DERIBIT", "+1000 USDC"]
    gained = report["after"]["equity_usd"] - report["before"]["equity_usd"]
    assert gained == pytest.approx(1000 * (1 - 0.005))  # dealt at the mark; USDC has a haircut of 0.5 %


def test_explain_splits_what_changed(small, repository: Path, tmp_path: Path):
    then = tmp_path / "then.toml"
    then.write_text(Path(small[2]).read_text().replace("spot = 80000.0", "spot = 78000.0"))
    out = crossmargin("explain", *small, "-a", "desk", "--previous-market", then, "--json").out
    change = json.loads(out)["change"]
    assert change["positions_usd"] == 0.0
    assert change["parameters_usd"] == 0.0
    assert change["after_initial_usd"] - change["before_initial_usd"] == pytest.approx(change["market_usd"])
    assert change["market_usd"] != 0.0


def test_own_scenarios_stress_the_book(small, tmp_path: Path):
    path = tmp_path / "shocks.toml"
    path.write_text('[[scenarios]]\nlabel = "half"\n[scenarios.shocks]\n"spot:BTC" = -0.5\n')
    report = json.loads(crossmargin("stress", *small, "--scenarios", path, "--json").out)
    assert [line["label"] for line in report["accounts"][0]["lines"]] == ["half"]


@pytest.mark.parametrize("document", ["book", "market", "model", "stress"])
def test_schema_describes_what_is_read(document: str):
    schema = json.loads(crossmargin("schema", document).out)
    assert schema["$schema"].startswith("https://json-schema.org/draft/2020-12")
    assert schema["title"] == f"Crossmargin {document}"
    structs = schema["$defs"]
    assert all(part["additionalProperties"] is False for part in structs.values() if "properties" in part)
    assert all("\n    " not in part.get("description", "") for part in structs.values())
    assert set(re.findall(r"#/\$defs/(\w+)", json.dumps(schema))) <= set(structs)


def test_demo_prints_and_writes_a_report(tmp_path: Path):
    outcome = crossmargin("demo", cwd=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert "Wrote report.html" in outcome.out
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_flat_book_margins_as_its_document(small, repository: Path):
    flat = repository / "examples/small-book.csv"
    assert crossmargin("margin", flat, *small[1:], "--json").out == crossmargin("margin", *small, "--json").out


def test_market_check_says_what_is_there(small):
    outcome = crossmargin("market", "check", small[2], "--book", small[0])
    assert outcome.code == 0
    assert "BTC" in outcome.out
    assert outcome.out.rstrip().endswith(f"It holds all that {small[0]} needs.")


def test_a_whole_process_exits_with_two(small, tmp_path: Path):
    command = [sys.executable, "-m", "crossmargin.cli.main", "margin", str(tmp_path / "none.toml"), *small[1:]]
    script = f"import sys; sys.argv = {command[2:]!r}; from crossmargin.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"error: {tmp_path}/none.toml: no such file or directory. Check the path.\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BTC-PERPETUAL.DERIBIT:-5", ("BTC-PERPETUAL.DERIBIT", -5.0)),
        ("BTC.eip155:1:2.5", ("BTC.eip155:1", 2.5)),
    ],
)
def test_additions_are_taken_apart(text: str, expected: tuple[str, float]):
    assert parse_addition(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("USDC:5000", (("USDC", ""), 5000.0)),
        ("USDC@eip155:1:-5000", (("USDC", "eip155:1"), -5000.0)),
    ],
)
def test_collateral_is_taken_apart(text: str, expected: tuple[tuple[str, str], float]):
    assert parse_collateral(text) == expected


@pytest.mark.parametrize("text", ["BTC", ":5", "BTC:", "BTC:nan", "BTC:inf", "BTC:five", "BTC:1e20", ""])
def test_malformed_additions_are_refused(text: str):
    with pytest.raises(InvalidInput, match=r"--add|command line"):
        parse_addition(text)


@pytest.mark.parametrize(
    "text", ["USDC", "USDC@:5", "@eip155:1:5", "USDC@mainnet:5", "USDC@eip155:1", "eip155:1:5", "USDC:nan"]
)
def test_malformed_collateral_is_refused(text: str):
    with pytest.raises(InvalidInput, match=r"--collateral|command line"):
        parse_collateral(text)


def test_what_is_named_twice_is_added_up():
    assert summed([("a", 1.0), ("b", 2.0), ("a", -3.0)]) == {"a": -2.0, "b": 2.0}


class Terminal(io.StringIO):
    """Somewhere to write that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_alone(small, monkeypatch):
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        monkeypatch.setattr("sys.stderr", stream)
        with output.progress_bar() as progress:
            progress("margin", 1, 2)
    assert "margin" in terminal.getvalue()
    assert pipe.getvalue() == ""
