"""Features come from tables as they are, and a table that could look ahead or hide a row is refused by its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crossmargin.adapters.feature_tables import read_features
from crossmargin.core.errors import DuplicateName, InvalidInput, UnreadableFile
from crossmargin.core.instant import DAY_NS
from crossmargin.validation.predictive.features import joined

FRAME = pl.DataFrame({"time": [DAY_NS // 10**6, 2 * DAY_NS // 10**6], "funding": [1e-4, None], "open_interest": [5, 7]})


@pytest.mark.parametrize("ending", ["parquet", "csv", "arrow", "feather"])
def test_every_format_says_the_same(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"features.{ending}"
    {"parquet": FRAME.write_parquet, "csv": FRAME.write_csv}.get(ending, FRAME.write_ipc)(path)
    found, table = read_features(path), read_features(FRAME)
    for one in (found, table):
        assert one.names == ("funding", "open_interest")
        np.testing.assert_array_equal(one.close_ns, [DAY_NS, 2 * DAY_NS])
        np.testing.assert_array_equal(one.value, [[1e-4, 5.0], [np.nan, 7.0]])


def test_a_row_is_known_from_its_time_on() -> None:
    found = read_features(FRAME).at(np.asarray([DAY_NS - 1, DAY_NS, 2 * DAY_NS - 1, 2 * DAY_NS]))
    np.testing.assert_array_equal(found[:, 1], [np.nan, 5.0, 5.0, 7.0])


def test_a_day_is_known_when_it_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text("time,skew\n1970-01-01,0.5\n1970-01-02,0.6\n")
    np.testing.assert_array_equal(read_features(path).close_ns, [DAY_NS, 2 * DAY_NS])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date,skew\n1,0.5\n", "with a column `time`"),
        ("time\n1\n", "at least one feature"),
        ("time,skew\n1,high\n", "'skew', but must be of numbers"),
        ("time,skew\n2,0.5\n1,0.5\n", "row 2.*Sort the rows"),
        ("time,skew\n1,0.5\n2,0.5\n2,0.7\n", "row 3.*Drop one"),
        ("time,skew\n,0.5\n1,0.5\n", "time is 'empty'"),
        ("time,skew\n1,inf\n", "infinite"),
    ],
)
def test_tables_that_say_something_else_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "features.csv"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_features(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="does not end in"):
        read_features(tmp_path / "features.xlsx")
    broken = tmp_path / "features.arrow"
    broken.write_bytes(b"ARROW1 and no more")
    with pytest.raises(UnreadableFile):
        read_features(broken)


def test_a_feature_stands_in_one_table_only() -> None:
    with pytest.raises(DuplicateName):
        joined([read_features(FRAME)] * 2, np.asarray([DAY_NS]))
