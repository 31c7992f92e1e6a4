"""Conformance packs: every case of the reference vectors, and what a failure looks like."""

import json

import pytest

from crossmargin.adapters.conformance import Case, compare
from crossmargin.adapters.packs import read_packs, run_pack
from crossmargin.core.errors import UnreadableFile


def test_every_reference_case_passes(shared):
    results = [run_pack(name, cases) for name, cases in read_packs(shared / "vectors")]
    assert {r.pack for r in results} >= {
        f"vectors/{name}" for name in ("derive", "dydx", "drift", "mango", "vega", "simm")
    }
    assert sum(r.cases for r in results) > 140
    assert [failure for r in results for failure in r.failures] == []


def test_a_case_that_is_off_fails_and_is_named():
    def check(got: float):
        return (compare("margin", 100.0, got, relative=1e-9), compare("fee", 1.0, 1.0))

    cases = iter([Case(name="good", check=lambda: check(100.0)), Case(name="bad", check=lambda: check(101.0))])
    result = run_pack("pack", cases)
    assert (result.cases, result.passed, result.failed, result.numbers) == (2, 1, 1, 4)
    assert result.worst_relative_error == pytest.approx(0.01)
    assert result.worst_field == "bad: margin"
    assert result.failures == ("bad: margin is 101.0, expected 100.0",)


def test_a_nan_never_passes():
    result = run_pack(
        "pack", iter([Case(name="c", check=lambda: (compare("margin", 1.0, float("nan"), absolute=9.0),))])
    )
    assert result.failed == 1


def test_a_folder_without_packs_is_refused(tmp_path):
    (tmp_path / "notes.json").write_text(json.dumps({}))
    with pytest.raises(UnreadableFile, match="holds no pack"):
        list(read_packs(tmp_path))
    with pytest.raises(UnreadableFile, match="no folder"):
        list(read_packs(tmp_path / "notes.json"))
