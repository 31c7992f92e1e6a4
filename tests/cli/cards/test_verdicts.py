"""The report names where a predictive margin is used, and every family where it is not."""

from __future__ import annotations

import msgspec

from crossmargin.cli.cards.verdicts import VERDICTS, verdict_rows, verdict_sentences
from crossmargin.validation.predictive.adoption import where_it_wins
from tests.validation.predictive.test_adoption import FAMILIES, rivals


def test_families_are_named_where_it_is_not_used() -> None:
    learner, *others = rivals()
    found = where_it_wins(learner, others, families=FAMILIES, seed=1)
    rows = verdict_rows(found)
    assert [row[0] for row in rows] == ["all", "told", "untold"]
    assert {len(row) for row in rows} == {len(VERDICTS)}
    assert [row[-1] for row in rows[1:]] == ["yes", "no"]
    first, second = verdict_sentences(found)
    assert "700 dates" in first
    assert second.endswith("on: untold; there the filter stays.")
    told = [row for row in found.families if row.is_used]
    assert "every family" in verdict_sentences(msgspec.structs.replace(found, families=tuple(told)))[1]
    assert "Not scored" in verdict_sentences(msgspec.structs.replace(found, unscored=("one",)))[2]
