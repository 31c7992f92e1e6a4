"""The page and the tables of a comparison: what a desk reads, and that it fits narrow and wide."""

import html
import re
from functools import cache
from importlib import resources
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from crossmargin.adapters.files import read_book, read_market, read_model_document
from crossmargin.cli.comparing import words
from crossmargin.cli.comparing.page import compare_page
from crossmargin.cli.comparing.tables import compare_tables
from crossmargin.cli.wording import usd
from crossmargin.engine.compare import CompareReport, compare
from tests.cli.report.test_page_browser import CHROMIUM, browse, measured

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: `apt-get install chromium`")


@cache
def demo_report() -> CompareReport:
    with resources.as_file(resources.files("crossmargin.cli").joinpath("demo")) as folder:
        market = read_market(Path(folder) / "market.toml")
        book = read_book(Path(folder) / "book.toml", market=market)
    return compare(book, market, read_model_document(), account="desk", split={})


def complete_report() -> CompareReport:
    """As if three rulebooks listed everything."""
    report = demo_report()
    rows = tuple(msgspec.structs.replace(r, left_out=0) if i < 3 else r for i, r in enumerate(report.rows))
    return msgspec.structs.replace(report, rows=rows)


REPORTS = {"demo": demo_report, "complete": complete_report}


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_says_every_number_and_name(name):
    report = REPORTS[name]()
    text = html.unescape(re.sub(r"<[^>]+>", " ", compare_page(report)))
    for row in words.margined(report):
        assert row.rulebook in text
        assert usd(row.initial_usd) in text
        assert usd(row.own_initial_usd) in text
        for refused in row.refused:
            assert refused in text
    for row in report.rows:
        assert row.error in text
        for source in row.sources:
            assert source in text
    assert report.split is not None
    for piece in report.split.pieces:
        assert piece.venue in text
    assert usd(report.split.netted_initial_usd) in text


def test_names_from_input_are_never_markup():
    report = msgspec.structs.replace(demo_report(), account="<script>alert(1)</script>")
    assert "<script>alert" not in compare_page(report)


def test_a_rulebook_that_lists_nothing_has_no_bar_and_no_row():
    report = demo_report()
    stranger = msgspec.structs.replace(report.rows[0], rulebook="stranger", left_out=report.lines)
    report = msgspec.structs.replace(report, rows=(*report.rows, stranger))
    assert "stranger" not in {row.rulebook for row in words.margined(report)}
    assert any("List none of the positions" in text and "stranger" in text for text in words.refusals(report))


@pytest.mark.parametrize("width", [80, 120, 200])
def test_tables_never_cut_a_number(width):
    report = demo_report()
    console = Console(width=width, record=True, file=StringIO())
    console.print(compare_tables(report))
    text = console.export_text()
    for row in words.margined(report):
        assert usd(row.initial_usd) in text


def test_the_summary_tells_whole_from_partial():
    assert "None of" in " ".join(words.summary_sentences(demo_report()))
    report = complete_report()
    told = f"3 of {len(report.rows)} rulebooks margin the whole account"
    assert told in " ".join(words.summary_sentences(report))


@needs_browser
@pytest.mark.parametrize("name", REPORTS)
def test_the_console_stays_silent(name, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(compare_page(REPORTS[name]()), encoding="utf-8")
    opened = browse(path, 1400, tmp_path / "profile")
    assert "CONSOLE" not in opened.stderr, opened.stderr


@needs_browser
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", REPORTS)
def test_nothing_overflows_and_no_label_covers_another(name, width, tmp_path):
    found = measured(compare_page(REPORTS[name]()), width, tmp_path)
    assert found["overflow"] <= 0
    assert found["outside"] == []
    assert found["covered"] == []
