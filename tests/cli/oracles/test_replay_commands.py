"""`oracles replay` prints what came of a day and writes a page that asks nobody for anything."""

import json
from pathlib import Path

import msgspec

from crossmargin.engine.oracles.library import shipped_replay
from tests.cli.shell import crossmargin as run


def test_a_day_and_its_page(tmp_path: Path):
    page = tmp_path / "day.html"
    done = run("oracles", "replay", "D05", "--html", page)
    assert done.code == 0, done.err
    for words in ("Nobody is liquidated", "rate cap: 2026-03-10 12:11", "Assumed: hour of the day", "1.1939"):
        assert words in done.out
    written = page.read_text(encoding="utf-8")
    assert written.count("<figure>") == 2
    assert "What wstETH counts for" in written
    assert "<script src" not in written


def test_the_days_are_listed():
    done = run("oracles", "replay")
    assert done.code == 0
    assert all(name in done.out for name in ("D01", "D02", "D03", "D05", "UST", "BNSOL"))
    assert {day["id"] for day in json.loads(run("oracles", "replay", "--json").out)} == {"D01", "D02", "D03", "D05"}


def test_a_day_of_ones_own_that_does_not_hold(tmp_path: Path):
    """The rate cap's price on every source: whoever expects no liquidation then is told."""
    day = shipped_replay("D05")
    one = day.assets[0]
    paths = tuple(msgspec.structs.replace(path, points=one.paths[0].points) for path in one.paths)
    own = msgspec.structs.replace(day, id="[red]own", assets=(msgspec.structs.replace(one, paths=paths),), step_min=5.0)
    file = tmp_path / "own.json"
    file.write_bytes(msgspec.json.encode(own))
    done = run("oracles", "replay", file, "--json")
    assert done.code == 1
    report = json.loads(done.out)
    assert report["held"] is False
    assert report["assets"][0]["liquidated_ms"] is not None


def test_what_is_no_day_is_refused(tmp_path: Path):
    assert "D01, D02, D03, D05" in run("oracles", "replay", "D04").err
    file = tmp_path / "day.toml"
    file.write_text("id = 1\n")
    assert run("oracles", "replay", file).code == 2
