"""The command `model-card`: by name, by file, with a report, and refused."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from crossmargin.adapters.files import read_model_document
from crossmargin.validation.evidence.trial import Models
from tests.cli.shell import crossmargin
from tests.validation.evidence.test_trial import made, question, run_trial, short


def test_a_card_is_printed_by_name(tmp_path: Path) -> None:
    for name in ("crossmargin-dynamic", "crossmargin-grid", "conformal"):
        told = crossmargin("model-card", name, cwd=tmp_path)
        assert told.code == 0, told.err
        assert told.out.startswith(f"# {name}\n")
        assert "No evidence" in told.out


def test_a_card_of_a_file_takes_figures_from_a_report(tmp_path: Path) -> None:
    report = run_trial(made(), Models(recipes=(short(),)), question())[0]
    (tmp_path / "report.json").write_bytes(msgspec.json.encode(report))
    (tmp_path / "own.json").write_bytes(msgspec.json.encode(short()))
    told = crossmargin("model-card", "own.json", "--evidence", "report.json", "--owner", "desk", "--json", cwd=tmp_path)
    assert told.code == 0, told.err
    card = json.loads(told.out)
    assert card["owner"] == "desk"
    assert card["evidence"]["coverage"] == report.models[0].whole.coverage


def test_a_file_of_a_model_is_told_from_one_of_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "grid.json").write_bytes(msgspec.json.encode(read_model_document()))
    told = crossmargin("model-card", "grid.json", cwd=tmp_path)
    assert told.code == 0, told.err
    assert "fixed grid" in told.out


def test_an_unknown_name_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    told = crossmargin("model-card", "crossmargin-dynamics", cwd=tmp_path)
    assert told.code == 2
    assert "crossmargin-dynamic" in told.err
