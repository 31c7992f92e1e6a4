"""Numbers name their source, files give nothing away, and commits are readable."""

import subprocess
from pathlib import Path

import pytest

from tests.guards import provenance
from tests.guards.tree import plant, report

ENTRY = '["black76.csv"]\nsource = "a paper"\nlicence = "CC0"\nsha256 = "00"\ncommand = "typed from its table 2"\n'


def test_parameter_tables_name_their_source(repository: Path):
    violations = list(provenance.parameters(repository))
    assert not violations, report(violations)


def test_golden_files_are_accounted_for(repository: Path):
    violations = list(provenance.golden(repository))
    assert not violations, report(violations)


def test_tracked_files_hold_no_addresses(repository: Path):
    violations = list(provenance.addresses(repository, provenance.tracked(repository)))
    assert not violations, report(violations)


def test_subjects_of_commits_are_short(repository: Path):
    log = subprocess.run(
        ["git", "log", "--max-count=200", "--format=%h %s"], cwd=repository, capture_output=True, text=True, check=False
    )
    violations = list(provenance.subjects(log.stdout.splitlines()))
    assert not violations, report(violations)


@pytest.mark.parametrize(
    ("rule", "files", "seen"),
    [
        (provenance.parameters, {"src/a/rules.toml": "[floor]\nvol = 0.1\n"}, "src/a/rules.toml: provenance"),
        (provenance.parameters, {"src/a/rules.toml": 'source = "a rulebook"\n'}, "src/a/rules.toml: provenance"),
        (provenance.parameters, {"src/a/book.toml": "# Source: a desk\n[account]\n"}, "src/a/book.toml: provenance"),
        (provenance.golden, {"tests/golden/black76.csv": "1,2\n"}, "black76.csv: provenance: SOURCES.toml does not"),
        (
            provenance.golden,
            {"tests/golden/black76.csv": "1\n", "tests/golden/SOURCES.toml": '["black76.csv"]\nsource = "a paper"\n'},
            "SOURCES.toml does not give its licence, sha256, command",
        ),
        (provenance.golden, {"tests/golden/SOURCES.toml": ENTRY}, "black76.csv is gone"),
    ],
)
def test_planted_gap_is_named(rule, files: dict[str, str], seen: str, tmp_path: Path):
    assert seen in report(list(rule(plant(tmp_path, files))))


def test_accounted_numbers_pass(tmp_path: Path):
    table = '[source]\nsource = "a rulebook, section 3"\ndate = 2026-03-31\n[floor]\nvol = 0.1\n'
    golden = {"tests/golden/black76.csv": "1\n", "tests/golden/SOURCES.toml": ENTRY}
    heading = "# A desk.\n# Source: made up for the demo,\n# on 2026-03-31.\n[account]\nid = 1\n"
    root = plant(tmp_path, {"src/a/rules.toml": table, "src/a/book.toml": heading} | golden)
    assert not [*provenance.parameters(root), *provenance.golden(root)]


@pytest.mark.parametrize(
    "text",
    ["https://py" + "pi.org/x", "/wo" + "rk/main", "see /ro" + "ot/.cache", "file:/" + "//srv", "/ho" + "me/me/x"],
)
def test_planted_address_is_named(text: str, tmp_path: Path):
    plant(tmp_path, {"a.md": f"fine\n{text}\n"})
    assert report(list(provenance.addresses(tmp_path, [tmp_path / "a.md"]))).startswith("\na.md:2: address")


@pytest.mark.parametrize(
    "text", ["net/work/flow", "https://example.org/home/", "~/wo" + "rk/", "the /root of", "a/root/b"]
)
def test_what_is_no_address_passes(text: str, tmp_path: Path):
    plant(tmp_path, {"a.md": text})
    assert not list(provenance.addresses(tmp_path, [tmp_path / "a.md"]))


def test_planted_subject_is_named():
    seen = report(
        list(provenance.subjects(["abc Mend the floor.", "def " + "x" * 61, "123 Value perps in their coin"]))
    )
    assert "abc: commit: subject ends in a full stop" in seen
    assert "def: commit: subject of 61 characters" in seen
    assert "123" not in seen
