"""The command `backtest`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import polars as pl
import pytest

from crossmargin.cli.backtesting import words
from crossmargin.validation.evidence.documents import BacktestReport
from tests.cli.shell import Outcome, crossmargin
from tests.validation.evidence.test_trial import BARS, made

RECIPE = """
name = "own"
date = "2026-11-22"
source = "a test's own"
[measure]
kind = "expected_shortfall"
level = 0.975
[calibration]
lookback = 260
stress_bars = 100
scale = { stressed_weight = 0.35, floor = 1.0 }
"""
WINDOWS = """
[[windows]]
name = "own window"
start = 2022-01-01
end = 2022-02-01
"""
CLASSES = ("--risk-class", "*=crypto_major", "--risk-class", "SOL=crypto_alt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, told = tmp_path_factory.mktemp("backtest"), made()
    columns = {name: told.level[:, i] for i, name in enumerate(told.factors)}
    pl.DataFrame({"time": told.close_ns // 1_000_000, **columns}).write_parquet(place / "levels.parquet")
    (place / "own.toml").write_text(RECIPE)
    (place / "windows.toml").write_text(WINDOWS)
    return place


def backtest(folder: Path, *options: str) -> Outcome:
    span = ("--from", "2021-11-01", "--to", "2022-05-30", "--unseen-from", "2022-04-01")
    return crossmargin("backtest", "--history", "levels.parquet", "--model", "own.toml", *span, *options, cwd=folder)


@pytest.fixture(scope="module")
def told(folder: Path) -> Outcome:
    models = ("--model", "grid", "--model", "history", *CLASSES, "--frontier", "--windows", "windows.toml")
    return backtest(folder, *models, "--html", "page.html", "--auth066", "message.xml", "--json")


def test_the_report_is_json(told: Outcome) -> None:
    assert told.code == 0, told.err
    report = json.loads(told.out)
    assert [m["model"] for m in report["models"]] == ["own", "fhs-0.97", "history", "grid"]
    assert report["windows"][0]["name"] == "own window"
    assert set(report) == set(BacktestReport.__struct_fields__)
    assert len(report["frontier"]) == 24  # the default is one of the grid, and stands once
    assert report["first"] >= "2021-11-01"
    assert report["last"] <= "2022-05-31"
    assert BARS == 520


def test_the_page_stands_alone(told: Outcome, folder: Path) -> None:
    page = (folder / "page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "http:" not in page.replace("http://www.w3.org", "")
    assert "https:" not in page
    for anchor in ("models", "targets", "frontier", "windows", "families", "paths", "scores", "accounts", "disclosed"):
        assert f'id="{anchor}"' in page
    assert not re.search(r"\b(nan|inf)\b", page, re.IGNORECASE)


def test_the_message_is_that_of_the_default(told: Outcome, folder: Path) -> None:
    root = ET.parse(folder / "message.xml").getroot()
    space = {"m": "urn:iso:std:iso:20022:tech:xsd:auth.066.001.01"}
    disclosed = json.loads(told.out)["models"][0]["disclosed"]
    found = root.findtext(".//m:NbOfObsrvtns", namespaces=space)
    assert found == str(disclosed["6.5.3"])


def test_tables_show_every_model_and_part(folder: Path) -> None:
    found = backtest(folder, "--model", "fhs-0.94")
    assert found.code == 0, found.err
    for said in ("own", "fhs-0.97", "fhs-0.94", "from 2022-04-01", "straddle", "Targets", "FZ0"):
        assert said in found.out


def test_what_is_missing_or_misspelt_is_named(folder: Path) -> None:
    assert "t-copula" in backtest(folder, "--model", "t-copul").err
    assert "risk class" in backtest(folder, "--model", "grid").err
    assert "--market" in backtest(folder, "own.toml").err
    assert "NAME=CLASS" in backtest(folder, "--risk-class", "BTC").err
    assert "--unseen-from" in backtest(folder, "--unseen-from", "July").err


def test_all_leaves_out_what_cannot_run_and_says_so(folder: Path) -> None:
    found = backtest(folder, "--model", "all", "--json")
    assert found.code == 0, found.err
    report = json.loads(found.out)
    assert set(report["left_out"]) == {"grid", "conformal"}  # no risk classes, and too few dates to learn from
    assert {"gjr-t", "pot", "t-copula", "vine", "fhs-0.94"} <= {m["model"] for m in report["models"]}
    assert np.isfinite([m["whole"]["coverage"] for m in report["models"]]).all()


def test_the_horizon_is_that_of_the_recipe_unless_it_is_given(folder: Path) -> None:
    (folder / "three.toml").write_text(RECIPE + "horizon_bars = 3\n")
    span = (
        "--history",
        "levels.parquet",
        "--model",
        "three.toml",
        "--from",
        "2021-11-01",
        "--to",
        "2022-05-30",
        "--json",
    )
    for given, days in (((), 3.0), (("--horizon", "2"), 2.0)):
        found = crossmargin("backtest", *span, *given, cwd=folder)
        assert found.code == 0, found.err
        assert json.loads(found.out)["horizon_days"] == days


def test_a_model_that_explodes_is_named_in_words(told: Outcome) -> None:
    report = msgspec.json.decode(told.out.encode(), type=BacktestReport)
    assert words.out_of_measure_sentences(report) == []
    first, line = report.models[0], report.models[0].accounts[-1]
    wild = msgspec.structs.replace(
        first,
        whole=msgspec.structs.replace(first.whole, cost_ratio=9e6),
        accounts=(*first.accounts[:-1], msgspec.structs.replace(line, cost_ratio=8e7)),
    )
    said = words.out_of_measure_sentences(msgspec.structs.replace(report, models=(wild, *report.models[1:])))
    assert len(said) == 1
    assert said[0].startswith(f"{first.model} explodes: it asks for 9,000,000 times what fhs-0.97 asks")
    assert line.account in said[0]


def test_figures_out_of_measure_are_said_to_be() -> None:
    assert words.share(1e14) == "> 100,000 %"
    assert words.times(6e7) == "> 1,000 ×"
    assert (words.share(0.5649), words.times(1.2641), words.covered(0.9)) == ("56 %", "1.26 ×", "90.00 %")
