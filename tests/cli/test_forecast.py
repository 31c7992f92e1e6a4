"""`forecast`: the same figures on the terminal, as JSON and on the page."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from crossmargin.cli.outlook.page import forecast_page
from crossmargin.cli.outlook.words import forecast_words
from crossmargin.cli.wording import usd
from crossmargin.engine.outlook.forecast import ForecastReport, Posting
from tests.cli.conftest import Fitted
from tests.cli.shell import crossmargin
from tests.margin.books import replace


@pytest.fixture(scope="module")
def report(fitted: Fitted) -> ForecastReport:
    asked = ("--model", fitted.model, "--account", "coin-fund", "--outcomes", 20, "--json")
    outcome = crossmargin("forecast", *fitted.inputs, *asked)
    assert outcome.code == 0, outcome.err
    return msgspec.json.decode(outcome.out.encode(), type=ForecastReport)


def test_the_report_is_of_the_account_and_the_model(report: ForecastReport):
    assert report.account == "coin-fund"
    assert report.horizon_days == 1.0
    assert len(report.outcomes) == 20
    assert report.provenance.sampling is not None
    assert report.provenance.sampling.measure == "expected_shortfall"


def test_the_terminal_and_the_page_show_its_figures(fitted: Fitted, report: ForecastReport, tmp_path: Path):
    page = tmp_path / "page.html"
    asked = ("--model", fitted.model, "--account", "coin-fund", "--outcomes", 20, "--html", page)
    printed = crossmargin("forecast", *fitted.inputs, *asked).out
    for q in report.quantiles:
        for figure in (usd(q.initial_usd), usd(q.excess_usd)):
            assert figure in printed
            assert figure in page.read_text()
    assert "None of 20 outcomes brings a call" in printed
    assert page.read_text().count("<svg") >= 4


def test_chances_and_postings_are_told(report: ForecastReport):
    short = replace(
        report, call_chance=0.1, call_chance_error=0.03, postings=(Posting(chance=0.05, amount_usd=1_500.0),)
    )
    words = " ".join(forecast_words(short))
    assert "The chance of a call (equity below initial margin) is 10 % ± 3 %." in words
    assert "With 1,500 USD posted now it is at most 5 %." in words
    assert "All of 20 outcomes bring liquidation." in " ".join(forecast_words(replace(report, liquidation_chance=1.0)))


def test_outcomes_below_the_call_are_marked(report: ForecastReport):
    under = tuple(replace(o, initial_usd=o.equity_usd + 1_000.0 * (-1.0) ** i) for i, o in enumerate(report.outcomes))
    page = forecast_page(replace(report, outcomes=under))
    assert 'class="loss"' in page
    assert 'class="loss"' not in forecast_page(report)


def test_a_model_without_a_calibration_is_refused(fitted: Fitted):
    outcome = crossmargin("forecast", *fitted.inputs, "--model", "crossmargin-grid", "--account", "desk")
    assert outcome.code == 2
    assert "crossmargin calibrate" in outcome.err


def test_one_of_several_accounts_has_to_be_named(fitted: Fitted):
    outcome = crossmargin("forecast", *fitted.inputs, "--model", fitted.model)
    assert outcome.code == 2
    assert "--account" in outcome.err
