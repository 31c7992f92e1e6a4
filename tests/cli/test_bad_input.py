"""Bad input through the command line: exit code 2, one clear message, no traceback, and no output file.

The message is that of the typed error which the same input raises through the API; the tables of bad inputs are those
of the tests of the adapters, which check the type.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import crossmargin as xm
from crossmargin.cli import commands
from tests.adapters.bad_inputs import BAD_BOOKS, BAD_LINES, BAD_MARKETS, GOOD, HEADER, edited
from tests.cli.shell import Outcome, crossmargin


@pytest.fixture
def small(repository: Path) -> tuple[Path, Path]:
    return repository / "examples/small-book.toml", repository / "examples/small-market.toml"


@pytest.fixture
def outputs(tmp_path: Path) -> Iterator[tuple[object, ...]]:
    """Options that ask for every output, none of which may be there afterwards."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    yield "--html", folder / "report.html", "--out", folder / "results.parquet"
    assert list(folder.iterdir()) == []


def refused(outcome: Outcome, words: str = "") -> str:
    """The message of a refused command."""
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err
    assert words in outcome.err
    return outcome.err.removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize(("old", "new", "error", "words"), BAD_BOOKS)
def test_bad_book(small, outputs, tmp_path: Path, old: str, new: str, error: type, words: str):
    path = edited(small[0], tmp_path, old, new)
    message = refused(crossmargin("margin", path, "--market", small[1], *outputs))
    with pytest.raises(error) as caught:
        xm.read_book(path, market=xm.read_market(small[1]))
    assert message == str(caught.value)


@pytest.mark.parametrize(("old", "new", "error", "words"), BAD_MARKETS)
def test_bad_market(small, outputs, tmp_path: Path, old: str, new: str, error: type, words: str):
    path = edited(small[1], tmp_path, old, new)
    message = refused(crossmargin("margin", small[0], "--market", path, *outputs))
    with pytest.raises(error) as caught:
        xm.read_market(path)
    assert message == str(caught.value)


@pytest.mark.parametrize(("line", "error", "words"), BAD_LINES)
def test_bad_line(small, outputs, tmp_path: Path, line: str, error: type, words: str):
    path = tmp_path / "book.csv"
    path.write_text(HEADER + GOOD + line + "\nz,ETH-PERPETUAL.DERIBIT,1,,,,,,\n")
    message = refused(crossmargin("margin", path, "--market", small[1], *outputs))
    with pytest.raises(error) as caught:
        xm.read_book(path, market=xm.read_market(small[1]))
    assert message == str(caught.value)


def test_missing_factors_are_named_all_at_once(small, outputs, tmp_path: Path):
    market = edited(small[1], tmp_path, 'name = "ETH"\nreference = "ETH"', 'name = "XETH"\nreference = "ETH"')
    market.write_text(market.read_text().replace('name = "USDC"', 'name = "XUSDC"'))
    message = refused(crossmargin("margin", small[0], "--market", market, *outputs))
    snapshot = xm.read_market(market)
    book = xm.read_book(small[0], market=snapshot)
    with pytest.raises(xm.MissingFactors) as caught:
        xm.margin(book, snapshot, xm.read_model())
    assert message == str(caught.value)
    assert all(asset in message for asset in ("ETH", "USDC"))
    assert len(caught.value.factors) >= 2


def test_unknown_asset_as_collateral(small, outputs, tmp_path: Path):
    path = edited(small[0], tmp_path, 'asset = "BTC"', 'asset = "DOGE"')
    assert "DOGE" in refused(crossmargin("margin", path, "--market", small[1], *outputs))


def test_asset_without_haircuts(small, outputs, tmp_path: Path):
    market = edited(small[1], tmp_path, 'name = "USDT"', 'name = "USDX"')
    book = edited(small[0], tmp_path, 'asset = "USDT"', 'asset = "USDX"')
    assert "USDX" in refused(crossmargin("margin", book, "--market", market, *outputs))


def test_unknown_risk_class(small, outputs, tmp_path: Path):
    market = edited(small[1], tmp_path, 'risk_class = "crypto_major"', 'risk_class = "crypto_huge"')
    assert "crypto_huge" in refused(crossmargin("margin", small[0], "--market", market, *outputs))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "nobody"), "model is 'nobody', but must be one of: crossmargin-grid"),
        (("--model", "none.toml"), "none.toml: no such file"),
        (("--account", "nobody"), "account is 'nobody', but must be one of: desk, trader"),
        (("--instruments", "none.toml"), "none.toml: no such file"),
    ],
)
def test_unknown_names_in_options(small, outputs, options: tuple[str, ...], words: str):
    refused(crossmargin("margin", small[0], "--market", small[1], *options, *outputs), words)


@pytest.mark.parametrize("command", ["simulate", "explain", "stress"])
def test_every_command_refuses_alike(small, tmp_path: Path, command: str):
    path = edited(small[0], tmp_path, "quantity = -10 ", "quantity = nan ")
    page = tmp_path / "page.html"
    refused(crossmargin(command, path, "-m", small[1], "-a", "desk", "--html", page), "quantity is nan")
    refused(crossmargin(command, small[0], "-m", small[1], "-a", "nobody", "--html", page), "'nobody'")
    assert not page.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--add", "GOLD:1"), "GOLD"),
        (("--add", "BTC-26JUN25.DERIBIT:1"), "BTC-26JUN25"),
        (("--add", "BTC-PERPETUAL.DERIBIT:nan"), "quantity"),
        (("--add", "BTC-PERPETUAL.DERIBIT:1e16"), "at most 1e+15"),
        (("--add", "BTC-PERPETUAL.DERIBIT"), "INSTRUMENT:QTY"),
        (("--collateral", "DOGE:1"), "DOGE"),
        (("--collateral", "USDC@mainnet:1"), "CAIP-2"),
        (("--collateral", "USDC:lots"), "amount is 'lots'"),
        (("--add", "BTC-PERPETUAL.DERIBIT:1", "--group", "nobody"), "nobody"),
    ],
)
def test_what_ifs_refuse_what_they_cannot_add(small, options: tuple[str, ...], words: str):
    refused(crossmargin("simulate", small[0], "-m", small[1], "-a", "desk", *options), words)


def test_an_account_must_be_named_where_there_are_two(small):
    refused(crossmargin("explain", small[0], "-m", small[1]), "--account desk")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[scenarios]]\nlabel = "x"\n[scenarios.shocks]\n"spot:DOGE" = -0.5\n', "spot:DOGE"),
        ('[[scenarios]]\nlabel = "x"\n[scenarios.shocks]\n"spot:BTC" = nan\n', "spot:BTC"),
        ('[[scenarios]]\nlabel = "x"\n[scenarios.shocks]\n"sport:BTC" = 0.1\n', "sport"),
        ('[[scenarios]]\nlable = "x"\n', "field is 'lable'"),
    ],
)
def test_bad_scenarios(small, tmp_path: Path, text: str, words: str):
    path = tmp_path / "shocks.toml"
    path.write_text(text)
    refused(crossmargin("stress", small[0], "-m", small[1], "--scenarios", path), words)


@pytest.mark.parametrize("option", ["--out", "--html"])
def test_outputs_that_cannot_be_written(small, tmp_path: Path, option: str):
    target = tmp_path / "missing" / ("results.csv" if option == "--out" else "page.html")
    outcome = crossmargin("margin", small[0], "-m", small[1], option, target)
    refused(outcome, "a file that can be written")


def test_one_output_that_cannot_be_written_leaves_none(small, tmp_path: Path):
    good, bad = tmp_path / "results.csv", tmp_path / "missing" / "page.html"
    refused(crossmargin("margin", small[0], "-m", small[1], "--out", good, "--html", bad), str(bad))
    assert list(tmp_path.iterdir()) == []


def test_unknown_format_is_refused_before_anything_is_computed(small, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(commands, "margin_book", None)
    refused(crossmargin("margin", small[0], "-m", small[1], "--out", tmp_path / "results.xls"), "one of .parquet")


def test_what_stood_there_stays_when_a_command_fails(small, tmp_path: Path):
    path = tmp_path / "results.csv"
    path.write_text("kept")
    book = edited(small[0], tmp_path, "quantity = -10 ", "quantity = nan ")
    refused(crossmargin("margin", book, "-m", small[1], "--out", path))
    assert path.read_text() == "kept"


def test_broken_invariant_is_a_crash(small, monkeypatch):
    def broken(*_arguments: object, **_options: object) -> None:
        raise AssertionError("two and two are five")

    monkeypatch.setattr(commands, "margin_book", broken)
    with pytest.raises(AssertionError, match="five"):
        crossmargin("margin", small[0], "-m", small[1])


def test_truncated_parquet(small, outputs, tmp_path: Path):
    whole = io.BytesIO()
    pl.DataFrame({"account": ["a"] * 999, "instrument": ["b"] * 999, "quantity": [1.0] * 999}).write_parquet(whole)
    path = tmp_path / "book.parquet"
    path.write_bytes(whole.getvalue()[:-20])
    refused(crossmargin("margin", path, "-m", small[1], *outputs), "it is truncated, or no Parquet")


@pytest.mark.slow
def test_one_bad_line_in_ten_million(small, outputs, tmp_path: Path):
    path = tmp_path / "book.csv"
    with path.open("w") as file:
        file.write("account,instrument,quantity\n")
        for start in range(0, 10_000_000, 100_000):
            rows = range(start, start + 100_000)
            file.writelines(f"a{i % 50_000},BTC-26JUN26-{i // 50_000 + 1}-C.DERIBIT,1.5\n" for i in rows)
            if start == 7_000_000:
                file.write("a1,BTC-PERPETUAL.DERIBIT,1.5.0\n")
    message = refused(crossmargin("margin", path, "-m", small[1], *outputs))
    with pytest.raises(xm.InvalidInput, match=r"line 7100002: quantity is '1\.5\.0'") as caught:
        xm.read_book(path, market=xm.read_market(small[1]))
    assert message == str(caught.value)
