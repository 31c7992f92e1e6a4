"""Histories come out of tables in either shape, joined by time, and what is wrong is refused with its place."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crossmargin.adapters.histories import read_history
from crossmargin.core.errors import InvalidInput, UnknownName, UnreadableFile
from crossmargin.core.instant import DAY_NS, SECOND_NS

DAYS = [dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in (1, 2, 3)]
FIRST_NS = 1_704_067_200 * SECOND_NS  # 2024-01-01T00:00:00Z


def test_wide_and_long_say_the_same(tmp_path: Path) -> None:
    wide = pl.DataFrame({"time": DAYS, "spot:BTC": [1.0, 2.0, 4.0], "vol:BTC": [0.5, None, 0.6]})
    wide.write_parquet(tmp_path / "wide.parquet")
    long = wide.unpivot(index="time", variable_name="factor", value_name="value").drop_nulls()
    first, second = read_history(tmp_path / "wide.parquet"), read_history(long)
    assert first.factors == second.factors == ("spot:BTC", "vol:BTC")
    np.testing.assert_array_equal(first.level, second.level)
    np.testing.assert_array_equal(first.close_ns, FIRST_NS + np.arange(3) * DAY_NS)
    assert np.isnan(first.level[1, 1])
    assert first.source == "wide.parquet"


def test_tables_are_joined_by_time() -> None:
    coins = pl.DataFrame({"time": DAYS, "spot:BTC": [1.0, 2.0, 4.0]})
    index = pl.DataFrame({"time": DAYS[::2], "index:SPX": [10.0, 11.0]})
    found = read_history([coins, index])
    np.testing.assert_array_equal(found.level, [[1.0, 10.0], [2.0, np.nan], [4.0, 11.0]])
    with pytest.raises(InvalidInput, match="one table only"):
        read_history([coins, coins])


def test_a_csv_of_days_closes_at_midnight(tmp_path: Path) -> None:
    (tmp_path / "days.csv").write_text("time,spot:BTC\n2024-01-01,1\n2024-01-02,2\n")
    np.testing.assert_array_equal(read_history(tmp_path / "days.csv").close_ns, FIRST_NS + np.array([1, 2]) * DAY_NS)


def test_bars_stamped_at_their_open_close_a_bar_later() -> None:
    table = pl.DataFrame({"time": DAYS, "spot:BTC": [1.0, 2.0, 4.0]})
    np.testing.assert_array_equal(read_history(table, stamp="open").close_ns, FIRST_NS + np.arange(1, 4) * DAY_NS)
    numbered = pl.DataFrame({"time": [FIRST_NS // 1_000_000], "spot:BTC": [1.0]})
    assert read_history(numbered).close_ns[0] == FIRST_NS


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"ts": DAYS, "spot:BTC": [1.0, 2.0, 4.0]}, "column `time`"),
        ({"time": [day.replace(tzinfo=None) for day in DAYS], "spot:BTC": [1.0, 2.0, 4.0]}, "zone"),
        ({"time": [DAYS[0], DAYS[0], DAYS[1]], "spot:BTC": [1.0, 2.0, 4.0]}, "twice"),
        ({"time": [DAYS[0], None, DAYS[1]], "spot:BTC": [1.0, 2.0, 4.0]}, "every row"),
        ({"time": DAYS, "spot:BTC": ["1", "2", "x"]}, "numbers"),
        ({"time": DAYS, "spot:BTC": [1.0, -2.0, 4.0]}, "above zero"),
        ({"time": [DAYS[0]] * 2, "factor": ["spot:BTC"] * 2, "value": [1.0, 2.0]}, "twice"),
    ],
)
def test_what_is_wrong_is_refused(table: dict[str, list[object]], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_history(pl.DataFrame(table))


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    for path in (tmp_path / "broken.parquet", tmp_path / "absent.csv", tmp_path / "history.xlsx"):
        with pytest.raises(UnreadableFile):
            read_history(path)
    with pytest.raises(UnknownName, match="factor"):
        read_history(pl.DataFrame({"time": DAYS, "close": [1.0, 2.0, 4.0]}))
