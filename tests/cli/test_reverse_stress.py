"""`reverse-stress`: what would exhaust an account, how far that is, and what the past says of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from crossmargin.cli.outlook.page import reverse_page
from crossmargin.cli.outlook.words import past_words, reverse_words
from crossmargin.cli.wording import usd
from crossmargin.engine.outlook.reverse import Past, ReverseLine, ReverseReport
from tests.cli.conftest import Fitted
from tests.cli.shell import crossmargin
from tests.margin.books import replace


@pytest.fixture(scope="module")
def report(fitted: Fitted) -> ReverseReport:
    asked = ("--account", "desk", "--calibration", fitted.model, "--json")
    outcome = crossmargin("reverse-stress", *fitted.inputs, *asked)
    assert outcome.code == 0, outcome.err
    return msgspec.json.decode(outcome.out.encode(), type=ReverseReport)


def test_the_move_costs_its_target(report: ReverseReport):
    reached = [line for line in report.lines if line.deviations is not None]
    assert [line.exhausts for line in report.lines] == ["maintenance margin", "initial margin", "all collateral"]
    assert reached
    for line in reached:
        assert line.pnl_usd == pytest.approx(-line.target_usd, rel=1e-6)
        assert line.past is not None
        assert line.past.scenarios == 1000
        assert 0 <= line.past.lost <= line.past.scenarios


def test_the_terminal_and_the_page_say_it(fitted: Fitted, report: ReverseReport, tmp_path: Path):
    page = tmp_path / "page.html"
    asked = ("--account", "desk", "--calibration", fitted.model, "--html", page)
    printed = " ".join(crossmargin("reverse-stress", *fitted.inputs, *asked).out.split())
    for line in report.lines:
        assert usd(line.target_usd) in printed
        assert usd(line.target_usd) in page.read_text()
        if line.deviations is None:
            assert "No move within 15 standard deviations costs desk" in printed
        else:
            assert f"is {line.deviations:.1f} deviations away" in printed
    for move in report.lines[0].moves:
        assert move.factor in printed
        assert move.factor in page.read_text()


def test_without_a_calibration_the_market_says_how_factors_move(fitted: Fitted):
    outcome = crossmargin("reverse-stress", *fitted.inputs, "--account", "coin-fund")
    assert outcome.code == 0, outcome.err
    assert "from the market's daily volatilities and correlations" in " ".join(outcome.out.split())
    assert "moved as far" not in outcome.out


def test_what_is_out_of_reach_is_said_and_drawn(report: ReverseReport):
    nothing = tuple(ReverseLine(exhausts=line.exhausts, target_usd=line.target_usd) for line in report.lines)
    words = " ".join(reverse_words(replace(report, lines=nothing)))
    assert words.count("No move within 15 standard deviations") == 3
    assert "None" not in words
    page = reverse_page(replace(report, lines=nothing))
    assert "over 15" in page
    assert ">None<" not in page


def test_an_account_with_nothing_to_lose_is_told_so(report: ReverseReport):
    idle = ReverseLine(exhausts="initial margin", target_usd=0.0, deviations=0.0, probability=0.5, pnl_usd=0.0)
    words = " ".join(reverse_words(replace(report, lines=(idle,))))
    assert "There is nothing to lose before desk has lost its initial margin" in words
    assert "initial margin" in reverse_page(replace(report, lines=(idle,)))


def test_the_past_is_counted():
    words = past_words(Past(scenarios=1_000, as_far=31, lost=2, as_far_normal=0.0005))
    assert "31 (3.1 %) moved as far in any direction, where a normal distribution has 0.05 %; 2 of them" in words
    assert "none moved as far" in past_words(Past(scenarios=1_000, as_far=0, lost=0, as_far_normal=0.0))


def test_a_model_without_a_calibration_gives_no_joint_distribution(fitted: Fitted):
    asked = ("--account", "desk", "--calibration", "crossmargin-grid")
    outcome = crossmargin("reverse-stress", *fitted.inputs, *asked)
    assert outcome.code == 2
    assert "crossmargin calibrate" in outcome.err
