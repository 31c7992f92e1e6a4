"""Reference portfolios of Derive's managers: every number of every case, and that a wrong one is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossmargin.adapters.vectors_derive import read_derive


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "vectors" / "derive"


def test_every_case_agrees(folder: Path):
    cases = list(read_derive(folder))
    assert cases
    for case in cases:
        checks = case.check()
        assert {"IM", "realIM", "InitialMarginHand"} & {c.field for c in checks}
        failed = [c for c in checks if not c.passed]
        assert not failed, f"{case.name}: {failed}"


def test_a_wrong_number_is_seen(folder: Path, tmp_path: Path):
    source = min((folder / "pmrm2").glob("*.json"))
    document = json.loads(source.read_text())
    document["Result"]["IM"] *= 1.0 + 1e-8
    planted = tmp_path / "planted.json"
    planted.write_text(json.dumps(document))
    (case,) = read_derive(planted)
    assert [c.field for c in case.check() if not c.passed] == ["IM"]
