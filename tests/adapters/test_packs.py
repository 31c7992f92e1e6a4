"""Conformance packs: every case of the reference vectors, and what a failure looks like."""

import json

import pytest

from crossmargin.adapters.conformance import Case, Pack, Statement, compare
from crossmargin.adapters.packs import Failure, read_packs, run_pack
from crossmargin.core.errors import UnreadableFile


def test_every_reference_case_passes(shared):
    results = [run_pack(pack) for pack in read_packs(shared / "vectors")]
    assert {r.pack for r in results} >= {
        f"vectors/{name}" for name in ("derive", "dydx", "drift", "mango", "vega", "simm")
    }
    assert sum(r.cases for r in results) > 140
    assert [failure for r in results for failure in r.failures] == []


def test_a_case_that_is_off_fails_and_is_named():
    def check(got: float):
        return (compare("margin", 100.0, got, relative=1e-9), compare("fee", 1.0, 1.0))

    cases = iter(
        [Case(name="good", check=lambda: check(100.0)), Case(name="bad", check=lambda: check(101.0), own=True)]
    )
    result = run_pack(Pack(name="pack", cases=cases))
    assert (result.cases, result.passed, result.failed, result.own, result.numbers) == (2, 1, 1, 1, 4)
    assert result.worst_relative_error == pytest.approx(0.01)
    assert result.worst_field == "bad: margin"
    failure = Failure(case="bad", field="margin", expected=100.0, got=101.0, error=1.0, relative_error=0.01)
    assert result.failures == (failure,)


def test_every_failure_of_a_case_is_listed_and_a_statement_has_no_error():
    stated = Statement(field="refusal", expected="MissingFactors", got="numbers", passed=False)
    case = Case(name="c", check=lambda: (compare("a", 1.0, 2.0), compare("b", 1.0, 3.0), stated))
    result = run_pack(Pack(name="pack", cases=[case]))
    assert (result.failed, result.numbers, [f.field for f in result.failures]) == (1, 2, ["a", "b", "refusal"])
    assert result.failures[-1] == Failure(case="c", field="refusal", expected="MissingFactors", got="numbers")


def test_a_nan_never_passes():
    case = Case(name="c", check=lambda: (compare("margin", 1.0, float("nan"), absolute=9.0),))
    assert run_pack(Pack(name="pack", cases=[case])).failed == 1


def test_integers_beyond_the_floats_are_compared_exactly():
    assert compare("margin", 2**60, 2**60).passed
    assert not compare("margin", 2**60, 2**60 + 1).passed


def test_a_folder_without_packs_is_refused(tmp_path):
    (tmp_path / "notes.json").write_text(json.dumps({}))
    with pytest.raises(UnreadableFile, match="holds no pack"):
        list(read_packs(tmp_path))
    with pytest.raises(UnreadableFile, match="no folder"):
        list(read_packs(tmp_path / "notes.json"))
