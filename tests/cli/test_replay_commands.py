"""The replay command: its report, its page, and what it refuses."""

import html
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from crossmargin.cli.replaying.page import replay_page
from crossmargin.cli.replaying.words import account_words
from crossmargin.engine.outlook.replay import ReplayReport
from tests.cli.report.test_page_browser import CHROMIUM, measured
from tests.cli.shell import crossmargin

EXAMPLES = Path(__file__).parents[2] / "examples"
CALL = (str(EXAMPLES / "call-book.toml"), "--market", str(EXAMPLES / "call-market.toml"))
HOUR_MS = 3_600_000
DAY = 1_583_971_200_000  # 2020-03-12


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred hours in which BTC halves and its volatility doubles, with a peg that gives way a little."""
    path = tmp_path_factory.mktemp("replay") / "hourly.parquet"
    steps = np.arange(150)
    falling = np.clip((steps - 30) / 24, 0.0, 1.0)
    frame = {
        "time": DAY + (steps - 24) * HOUR_MS,
        "spot:BTC": 8000.0 * (1.0 - 0.5 * falling) * (1.0 + 0.001 * np.sin(steps)),
        "vol:BTC": 0.6 * (1.0 + falling),
        "peg:USDC": 1.0 - 0.01 * falling,
    }
    pl.DataFrame(frame).write_parquet(path)
    return path


def asked(hourly: Path, *more: str) -> tuple[str, ...]:
    return ("replay", *CALL, "--history", str(hourly), "--event", "2020-03-12", "--still", "peg:WBTC", *more)


def test_the_report_and_the_page_tell_of_the_same_calls(hourly: Path, tmp_path: Path):
    page = tmp_path / "replay.html"
    outcome = crossmargin(*asked(hourly, "--html", str(page)))
    assert outcome.code == 0
    report = msgspec.json.decode(crossmargin(*asked(hourly, "--json")).out.encode(), type=ReplayReport)
    one = report.events[0].accounts[0]
    assert len(one.points) == 97
    assert one.calls > 0
    assert one.liquidated_ms is not None
    text = " ".join(outcome.out.split())
    for sentence in account_words(one, report.events[0]):
        assert sentence in text
        assert html.escape(sentence) in page.read_text()
    assert page.read_text() == replay_page(report)
    assert page.read_text().count('class="spot"') == 2 * one.calls  # once in each width
    assert "Held still by request: peg:WBTC" in text


def test_bars_events_and_days_are_as_asked(hourly: Path):
    more = ("--event", "2020-03-13T06:00:00Z", "--days", "1", "--every", "6", "--trigger", "2", "--json")
    report = msgspec.json.decode(crossmargin(*asked(hourly, *more)).out.encode(), type=ReplayReport)
    assert [e.label for e in report.events] == ["2020-03-12", "2020-03-13T06:00:00Z"]
    assert [len(e.times_ms) for e in report.events] == [5, 5]
    assert report.trigger == 2.0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--event", "soon"), "soon"),
        (("--event", "2021-01-01"), "Give a history that holds the event"),
        (("--still", "spot:XRP"), "spot:XRP"),
        (("--recipe", "crossmargin-dynamic"), "must be at least 1000"),
        (("--account", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_replayed_is_named(hourly: Path, more: tuple[str, ...], words: str):
    outcome = crossmargin(*asked(hourly, *more))
    assert outcome.code == 2
    assert words in outcome.err


def test_a_factor_without_a_history_is_refused(hourly: Path):
    outcome = crossmargin(*(x for x in asked(hourly) if x not in ("--still", "peg:WBTC")))
    assert outcome.code == 2
    assert "peg:WBTC" in outcome.err
    assert "--still" in outcome.err


def test_a_rulebook_can_be_replayed(hourly: Path):
    more = ("--model", "derive-pmrm2@2025-03", "--every", "12", "--json")
    report = msgspec.json.decode(crossmargin(*asked(hourly, *more)).out.encode(), type=ReplayReport)
    points = report.events[0].accounts[0].points
    assert points[0].collateral_usd is None
    assert points[-1].initial_usd != points[0].initial_usd


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: `apt-get install chromium`")
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_overflows_and_no_label_covers_another(hourly: Path, tmp_path: Path, width: int):
    page = tmp_path / "replay.html"
    assert crossmargin(*asked(hourly, "--every", "3", "--html", str(page))).code == 0
    found = measured(page.read_text(), width, tmp_path)
    assert found["overflow"] <= 0
    assert (found["outside"], found["covered"]) == ([], [])
