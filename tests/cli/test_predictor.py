"""A predictive margin from the backtest that fits it to the forecast that may use it: files in, files out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from crossmargin.cli.outlook.page import forecast_page
from crossmargin.cli.outlook.words import forecast_words
from crossmargin.cli.wording import usd
from crossmargin.core.canon import digest
from crossmargin.engine.outlook.forecast import PREDICTOR, Answer, ForecastReport
from crossmargin.engine.outlook.predictor import Predictor
from tests.cli.conftest import Fitted
from tests.cli.shell import Outcome, crossmargin
from tests.margin.books import replace

RECIPE = """
name = "own"
date = "2026-11-22"
source = "a test's own"
[measure]
kind = "expected_shortfall"
level = 0.975
[calibration]
lookback = 250
"""


class Files:
    """A short history, features of the user, and a predictor learnt from them."""

    def __init__(self, folder: Path, fitted: Fitted) -> None:
        self.folder, self.fitted = folder, fitted
        columns = ["time", "spot:BTC", "spot:ETH", "index:SPX", "vol:BTC", "vol:ETH", "vol:SPX", "fx:EUR", "rate:USD"]
        self.levels = pl.read_csv(fitted.history, try_parse_dates=True).select(columns).tail(520)
        self.levels.write_parquet(folder / "levels.parquet")
        funding = 1e-4 * np.random.default_rng(3).normal(size=len(self.levels))
        self.features = self.levels.select("time").with_columns(funding=pl.Series(funding))
        self.features.write_csv(folder / "features.csv", datetime_format="%Y-%m-%dT%H:%M:%SZ")
        (folder / "own.toml").write_text(RECIPE)
        (folder / "learning.toml").write_text("learn_dates = 80\nwindow_dates = 40\nrefit_dates = 60\nrounds = 10\n")
        made = crossmargin("calibrate", "levels.parquet", "--recipe", "own.toml", "--out", "model.json", cwd=folder)
        assert made.code == 0, made.err

    def backtest(self, out: str, *options: str, features: str = "features.csv") -> Outcome:
        asked = ("--from", "2025-06-20", "--to", "2026-03-01", "--confidence", "0.9", "--model", "own.toml")
        kept = ("--predictor", out, "--features", features, "--learning", "learning.toml", "--json")
        return crossmargin("backtest", "--history", "levels.parquet", *asked, *kept, *options, cwd=self.folder)

    def forecast(self, *options: str, history: str = "levels.parquet", features: str = "features.csv") -> Outcome:
        asked = ("--model", "model.json", "--account", "coin-fund", "--outcomes", "20", "--json")
        learnt = ("--predictor", "kept.json", "--history", history, "--features", features)
        return crossmargin("forecast", *self.fitted.inputs, *asked, *learnt, *options, cwd=self.folder)

    def report(self, **sources: str) -> ForecastReport:
        outcome = self.forecast(**sources)
        assert outcome.code == 0, outcome.err
        return msgspec.json.decode(outcome.out.encode(), type=ForecastReport)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, fitted: Fitted) -> Files:
    found = Files(tmp_path_factory.mktemp("predictor"), fitted)
    outcome = found.backtest("kept.json")
    assert outcome.code == 0, outcome.err
    return found


@pytest.fixture(scope="module")
def kept(files: Files) -> Predictor:
    return msgspec.json.decode((files.folder / "kept.json").read_bytes(), type=Predictor)


@pytest.fixture(scope="module")
def report(files: Files) -> ForecastReport:
    return files.report()


def test_what_is_kept_says_what_it_is_from(kept: Predictor) -> None:
    assert kept.given == ("funding",)
    assert "funding" in kept.features
    assert kept.model is not None
    assert (kept.model.name, kept.filter.name, kept.of_book) == ("own", "fhs-0.97", False)
    assert kept.adoption is not None
    assert "own" in kept.adoption.rivals


def test_the_forecast_shows_it_beside_the_filter(report: ForecastReport, kept: Predictor) -> None:
    said, answer = report.foretold, report.answer
    assert said is not None
    assert answer is not None
    assert said.predictor == digest(kept)
    assert 0.25 * said.filter_usd < said.margin_usd < 8.0 * said.filter_usd
    assert answer.margin_usd == (said.margin_usd if said.is_used else said.filter_usd)
    assert any("collateral whose price moves" in reason for reason in said.call_reasons)
    assert answer.postings == report.postings
    page = forecast_page(report)
    for figure in (usd(said.margin_usd), usd(said.filter_usd), *(usd(one.need_usd) for one in said.levels)):
        assert figure in page


def test_a_verdict_that_wins_is_the_answer(report: ForecastReport) -> None:
    said = report.foretold
    assert said is not None
    won = tuple(replace(v, outcome="wins") for v in said.verdicts)
    used = replace(said, verdicts=won, reasons=(), call_reasons=())
    answer = Answer(
        margin_usd=said.margin_usd, margin_by=PREDICTOR, call_chance=0.2, postings=report.postings, calls_by=PREDICTOR
    )
    changed = replace(report, foretold=used, answer=answer)
    words = " ".join(forecast_words(changed))
    assert "by the predictive margin, which is used as it beat" in words
    assert "By the predictor a call has a chance of" in words
    assert "by the predictor" in forecast_page(changed)


def test_nothing_stamped_later_is_read(files: Files, report: ForecastReport) -> None:
    later = files.levels.tail(1).with_columns(pl.col("time").dt.offset_by("1d"), pl.col("spot:BTC") * 3.0)
    pl.concat([files.levels, later]).write_parquet(files.folder / "later.parquet")
    told = files.features
    ahead = told.tail(1).with_columns(pl.col("time").dt.offset_by("1d"), pl.lit(9.0).alias("funding"))
    pl.concat([told, ahead]).write_parquet(files.folder / "ahead.parquet")
    assert files.report(history="later.parquet", features="ahead.parquet").foretold == report.foretold


def test_a_changed_past_is_noticed_and_not_used(files: Files) -> None:
    bitcoin = pl.when(pl.int_range(pl.len()) == 100).then(pl.col("spot:BTC") * 1.01).otherwise(pl.col("spot:BTC"))
    files.levels.with_columns(bitcoin.alias("spot:BTC")).write_parquet(files.folder / "other.parquet")
    said = files.report(history="other.parquet").foretold
    assert said is not None
    assert "the history is not the one that it learnt from" in said.reasons


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--predictor", "kept.json"), "--history"),
        (("--history", "levels.parquet"), "--predictor"),
        (("--predictor", "kept.json", "--history", "levels.parquet"), "funding"),
        (("--horizon", "2d"), "1d, the horizon of own"),
        (("--horizon", "x"), "--horizon"),
    ],
)
def test_what_does_not_fit_is_refused(files: Files, options: tuple[str, ...], message: str) -> None:
    asked = ("--model", "model.json", "--account", "coin-fund", "--outcomes", "20")
    outcome = crossmargin("forecast", *files.fitted.inputs, *asked, *options, cwd=files.folder)
    assert outcome.code == 2
    assert message in outcome.err
