"""`calibrate`: a model out of a history, what is said of it, and margin by it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import polars as pl
import pytest

from crossmargin.adapters.files import read_model_document
from crossmargin.cli.fitting.command import cut, end_of, scales, with_proxies
from crossmargin.cli.fitting.page import diagnosis_page, volatility_paths
from crossmargin.cli.fitting.tables import remarks
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import parse_instant
from crossmargin.engine.diagnosis import Diagnosis, diagnose
from crossmargin.engine.recipe import recipe
from crossmargin.scenarios.basis import with_basis
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec, calibrate
from crossmargin.scenarios.calibrating.calibration import KindRule
from tests.cli.conftest import Fitted
from tests.cli.report.test_page_browser import CHROMIUM, measured
from tests.cli.shell import crossmargin
from tests.engine.calibrated import history


def calibrated(fitted: Fitted, folder: Path, *more: object) -> Diagnosis:
    outcome = crossmargin("calibrate", fitted.history, "--out", folder / "model.json", "--json", *more)
    assert outcome.code == 0, outcome.err
    return msgspec.json.decode(outcome.out.encode(), type=Diagnosis)


def test_the_same_history_gives_the_same_bytes(fitted: Fitted, tmp_path: Path):
    calibrated(fitted, tmp_path)
    assert (tmp_path / "model.json").read_bytes() == fitted.model.read_bytes()


def test_the_diagnosis_is_of_every_factor(fitted: Fitted, tmp_path: Path):
    found = calibrated(fitted, tmp_path)
    assert [f.factor for f in found.factors] == pl.read_csv(fitted.history).columns[1:]
    assert found.rows == 1000
    for f in found.factors:
        assert f.used >= f.long_run * (1.0 - 1e-9), "the default holds the long run as a floor"
        assert f.residual_deviation == pytest.approx(1.0, abs=0.15)


def test_what_has_no_filter_and_what_gives_no_basis_is_said():
    told = history(("spot:BTC", "spot:BTC-PERP", "spot:SOL-PERP"))
    spec = CalibrationSpec(lookback=200, kinds={"basis": KindRule()})
    words = remarks(diagnose(calibrate(with_basis(told), spec), model="made up"))
    assert "Without a filter, at one volatility for the whole look-back: basis:BTC." in words
    assert "spot:SOL-PERP has no spot:SOL beside it: it gives no basis, and is a price of its own." in words
    plain = remarks(diagnose(calibrate(history(), spec), model="made up"))
    assert not any("basis" in said or "Without a filter" in said for said in plain)


def test_tails_that_are_held_and_columns_that_no_price_follows_are_said():
    """A coin whose greatest move is a hundredfold, once."""
    calm = history(("spot:BTC", "spot:DOGE"), bars=600)
    level = calm.level.copy()
    level[-10:, 1] *= 100.0
    shocked = replace(calm, level=level)
    spec = CalibrationSpec(lookback=300)
    plain, wild = (remarks(diagnose(calibrate(told, spec), model="made up")) for told in (calm, shocked))
    assert not any("on record" in said or "held at" in said for said in plain)
    assert any("spot:DOGE: a column multiplies it by" in said for said in wild)
    made = calibrate(calm, msgspec.structs.replace(spec, marginals="spliced"))
    held = msgspec.structs.replace(made.factors[1].upper, shape=0.5, shape_error=None)
    fit = msgspec.structs.replace(made.factors[1], upper=held)
    found = remarks(diagnose(msgspec.structs.replace(made, factors=(made.factors[0], fit)), model="made up"))
    assert any("Tails held at a shape of 0.5" in said and "spot:DOGE (rises)" in said for said in found)


def test_nothing_after_the_cut_enters(fitted: Fitted, tmp_path: Path):
    whole, short = tmp_path / "whole", tmp_path / "short"
    whole.mkdir()
    short.mkdir()
    day = "2026-01-31"
    calibrated(fitted, whole, "--until", day)
    told = pl.read_csv(fitted.history)
    kept = told.filter(pl.col("time") < "2026-02-01T00:00:00Z")
    assert len(kept) < len(told)
    kept.write_csv(short / "history.csv")
    outcome = crossmargin("calibrate", short / "history.csv", "--out", short / "model.json")
    assert outcome.code == 0, outcome.err
    assert (whole / "model.json").read_bytes() == (short / "model.json").read_bytes()


def test_margin_by_the_model_says_what_it_estimates(fitted: Fitted):
    outcome = crossmargin("margin", *fitted.inputs, "--model", fitted.model, "--account", "desk", "--json")
    report = json.loads(outcome.out)
    told = report["provenance"]["sampling"]
    assert (told["measure"], told["level"], told["scenarios"], told["tail"]) == ("expected_shortfall", 0.975, 1000, 25)
    assert told["horizon_days"] == 1.0
    assert "fwd:BTC" in told["unmoved"]
    assert "spot:BTC" not in told["unmoved"]
    groups = {g["id"]: g for pool in report["accounts"][0]["pools"] for g in pool["groups"]}
    scanned = groups["desk/portfolio"]
    assert 0.0 < scanned["standard_error_usd"] < scanned["scan_usd"] < scanned["worst_loss_usd"]
    assert groups["desk/directional"]["standard_error_usd"] is None
    printed = " ".join(crossmargin("margin", *fitted.inputs, "--model", fitted.model, "--account", "desk").out.split())
    assert "an expected shortfall at 97.5 % of" in printed
    assert "No scenario moves these factors" in printed
    assert "this one sets its requirement" not in printed


def test_a_late_factor_needs_a_proxy_and_is_named(fitted: Fitted, tmp_path: Path):
    told = pl.read_csv(fitted.history).with_row_index()
    late = told.with_columns(pl.when(pl.col("index") < 900).then(None).otherwise(pl.col("spot:ETH")).alias("spot:ETH"))
    late.drop("index").write_csv(tmp_path / "late.csv")
    refused = crossmargin("calibrate", tmp_path / "late.csv", "--out", tmp_path / "model.json")
    assert refused.code == 2
    assert "spot:ETH" in refused.err
    assert not (tmp_path / "model.json").exists()
    asked = ("--out", tmp_path / "model.json", "--proxy", "spot:ETH=spot:BTC")
    printed = " ".join(crossmargin("calibrate", tmp_path / "late.csv", *asked).out.split())
    assert "filled from spot:BTC at a beta of" in printed
    asked = ("--model", tmp_path / "model.json", "--account", "coin-fund")
    printed = " ".join(crossmargin("margin", *fitted.inputs, *asked).out.split())
    assert "spot:ETH was listed late" in printed


def test_a_factor_that_the_book_needs_is_missed_by_name(fitted: Fitted, tmp_path: Path):
    pl.read_csv(fitted.history).drop("index:SPX", "vol:SPX").write_csv(tmp_path / "less.csv")
    assert crossmargin("calibrate", tmp_path / "less.csv", "--out", tmp_path / "model.json").code == 0
    outcome = crossmargin("margin", *fitted.inputs, "--model", tmp_path / "model.json")
    assert outcome.code == 2
    assert "index:SPX" in outcome.err
    assert "vol:SPX" in outcome.err


def test_the_model_is_written_as_json_only(fitted: Fitted, tmp_path: Path):
    outcome = crossmargin("calibrate", fitted.history, "--out", tmp_path / "model.toml")
    assert outcome.code == 2
    assert ".json" in outcome.err


def test_the_page_draws_every_factor(fitted: Fitted, tmp_path: Path):
    page = tmp_path / "fit.html"
    found = calibrated(fitted, tmp_path, "--html", page)
    text = page.read_text()
    for f in found.factors:
        assert f"Volatility of {f.factor} a year, over time" in text
        assert f"Residuals of {f.factor} against a normal distribution" in text
    assert "Correlations of residuals" in text
    assert read_model_document(tmp_path / "model.json").calibration.history_hash in text  # type: ignore[union-attr] it has one


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: `apt-get install chromium`")
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", ["calibrate", "forecast", "reverse-stress"])
def test_pages_do_not_overflow(fitted: Fitted, name: str, width: int, tmp_path: Path):
    page = tmp_path / "page.html"
    account = ("--account", "desk", "--html", page)
    arguments = {
        "calibrate": (fitted.history, "--out", tmp_path / "model.json", "--html", page),
        "forecast": (*fitted.inputs, "--model", fitted.model, "--outcomes", 20, *account),
        "reverse-stress": (*fitted.inputs, "--calibration", fitted.model, *account),
    }
    assert crossmargin(name, *arguments[name]).code == 0
    found = measured(page.read_text(), width, tmp_path)
    assert found["overflow"] <= 0
    assert found["outside"] == []
    assert found["covered"] == []


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: `apt-get install chromium`")
@pytest.mark.parametrize("width", [400, 1400])
def test_a_page_of_many_factors_covers_no_label(width: int, tmp_path: Path):
    told = history(tuple(f"spot:COIN{i}" for i in range(40)))
    model = calibrate(told, CalibrationSpec(lookback=200))
    found = measured(diagnosis_page(diagnose(model, model="many"), model, told, model_hash=""), width, tmp_path)
    assert (found["overflow"] <= 0, found["outside"], found["covered"]) == (True, [], [])


def test_the_last_point_of_a_path_is_the_forecast_before_the_last_move(fitted: Fitted):
    model = read_model_document(fitted.model).calibration
    assert model is not None
    from crossmargin.adapters.histories import read_history

    told = read_history(fitted.history)
    close_ns, vol = volatility_paths(model, told)
    assert close_ns[-1] == told.close_ns[-1]
    moves, year = told.moves(), (365.0 / model.bar_days) ** 0.5
    now = (0.97 * (vol[-1] / year) ** 2 + 0.03 * moves[-1] ** 2) ** 0.5
    assert now == pytest.approx([fit.now for fit in model.factors], rel=1e-9)


def test_options_are_taken_apart():
    made = with_proxies(recipe("crossmargin-dynamic"), ("spot:NEW=spot:ETH", "spot:BTC"))
    assert made.calibration.proxies == {"spot:NEW": "spot:ETH"}
    assert made.calibration.default_proxy == "spot:BTC"
    assert scales(("spot:WTI=50", "rate:USD:2y=0.01")) == {"spot:WTI": 50.0, "rate:USD:2y": 0.01}
    with pytest.raises(InvalidInput, match="FACTOR=PRICE"):
        scales(("50",))
    assert end_of("2024-02-29", where="x") == parse_instant("2024-03-01T00:00:00Z", where="x")
    assert end_of("2024-02-29T12:00:00Z", where="x") == parse_instant("2024-02-29T12:00:00Z", where="x")
    assert len(cut(history(), None)) == len(history())
