"""Markets from chains: the figures that went in come out, and what is wrong is refused."""

import json
import math
import shutil
import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crossmargin.adapters.chains import chains_at, market_document, parse_time
from crossmargin.adapters.deribit import read_chains
from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import read_market
from crossmargin.core.errors import InvalidInput, MissingFactors, MixedValuationTime, SurfaceArbitrage, UnfitMarket
from crossmargin.core.instant import from_datetime
from crossmargin.market.document import MarketDocument
from crossmargin.market.fit import build_chain
from tests.cli.chain_files import CARRY, EXPIRIES, SEEN, SPOT, STRIKES, TICK, VOL, answers, write_answers
from tests.cli.shell import crossmargin


@pytest.fixture
def chain(tmp_path: Path) -> tuple[object, ...]:
    """The made-up chain as arguments."""
    folder = tmp_path / "answers"
    folder.mkdir()
    first, second = write_answers(folder, *answers())
    return "--deribit", first, "--deribit", second


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_built_market_is_that_of_the_chain(chain, tmp_path: Path, suffix: str):
    path, page = tmp_path / f"market.{suffix}", tmp_path / "market.html"
    outcome = crossmargin("market", "build", *chain, "--out", path, "--html", page)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Wrote {path}." in outcome.out
    assert page.read_text().count("<svg") >= 3
    snapshot = read_market(path)
    bitcoin = snapshot.underlyings["BTC"]
    assert snapshot.time_ns == from_datetime(SEEN)
    assert bitcoin.spot == SPOT
    for expiry in EXPIRIES:
        tenor = (expiry - SEEN).total_seconds() / (365 * 86_400)
        # Quotes are two to four ticks wide, so that parity pins the forward to a few of them.
        assert float(bitcoin.curve(from_datetime(expiry))) == pytest.approx(
            SPOT * math.exp(CARRY * tenor), abs=4 * TICK * SPOT
        )
        fitted = math.sqrt(float(bitcoin.surface.total_variance(0.0, from_datetime(expiry))) / tenor)
        assert fitted == pytest.approx(VOL, abs=0.002)
    assert "Fitted by crossmargin market build" in snapshot.source


def test_base_gives_what_the_chain_does_not(chain, tmp_path: Path, repository: Path):
    path = tmp_path / "market.toml"
    base = repository / "examples/small-market.toml"
    assert crossmargin("market", "build", *chain, "--base", base, "--out", path).code == 0
    built, stated = read_market(path), read_market(base)
    assert built.underlyings["BTC"].liquidity == stated.underlyings["BTC"].liquidity
    assert built.underlyings["ETH"].spot == stated.underlyings["ETH"].spot
    assert np.array_equal(built.correlation, stated.correlation)
    outcome = crossmargin("margin", repository / "examples/small-book.toml", "-m", path)
    assert (outcome.code, outcome.err) == (0, "")


def test_registry_of_the_base_is_found_from_the_new_place(chain, tmp_path: Path, repository: Path):
    base, path = tmp_path / "desk" / "base.toml", tmp_path / "built" / "market.toml"
    base.parent.mkdir()
    path.parent.mkdir()
    shutil.copyfile(
        str(resources.files("crossmargin.market.registry").joinpath("default.toml")), base.parent / "registry.toml"
    )
    text = (repository / "examples/small-market.toml").read_text()
    base.write_text(text + '\n[chains]\nregistry = "registry.toml"\n')
    outcome = crossmargin("market", "build", *chain, "--base", base, "--out", path)
    assert (outcome.code, outcome.err) == (0, "")
    assert tomllib.loads(path.read_text())["chains"]["registry"] == "../desk/registry.toml"
    assert crossmargin("market", "check", path).code == 0


def test_base_of_another_time_is_refused(chain, tmp_path: Path, repository: Path):
    base = tmp_path / "base.toml"
    text = (repository / "examples/small-market.toml").read_text()
    base.write_text(text.replace("as_of = 2026-03-31T15:30:00Z", "as_of = 2026-03-31T15:00:00Z"))
    outcome = crossmargin("market", "build", *chain, "--base", base, "--out", tmp_path / "market.toml")
    assert outcome.code == 2
    assert "prices of ETH, EUR, BTC-PERPETUAL.DERIBIT" in outcome.err
    assert not (tmp_path / "market.toml").exists()


def test_without_base_the_book_names_what_is_missing(chain, tmp_path: Path, repository: Path):
    path = tmp_path / "market.toml"
    crossmargin("market", "build", *chain, "--out", path)
    outcome = crossmargin("market", "check", path, "--book", repository / "examples/small-book.toml")
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert "ETH" in outcome.err
    assert "USDC" in outcome.err


def test_survey_is_a_line_for_each_chain(tmp_path: Path):
    instruments, summaries = answers()
    rows = [i | s for i, s in zip(instruments, summaries, strict=True)]
    table = pl.DataFrame(
        {
            "ts": [SEEN] * len(rows),
            "currency": ["BTC"] * len(rows),
            "instrument_name": [r["instrument_name"] for r in rows],
            "expiry": [EXPIRIES[i * 3 // len(rows)] for i in range(len(rows))],
            "strike": [r["strike"] for r in rows],
            "option_type": [r["option_type"] for r in rows],
            "underlying_price": [r["underlying_price"] for r in rows],
            "index_price": [SPOT] * len(rows),
            "bid": [r["bid_price"] for r in rows],
            "ask": [r["ask_price"] for r in rows],
            "mark": [r["mark_price"] for r in rows],
            "mark_iv": [VOL] * len(rows),
        }
    )
    path = tmp_path / "chains.parquet"
    pl.concat([table, table.with_columns(currency=pl.lit("ETH"))]).write_parquet(path)
    outcome = crossmargin("market", "build", "--deribit", path, "--at", "all")
    lines = outcome.out.splitlines()
    assert [line.split()[1] for line in lines[:2]] == ["BTC", "ETH"]
    assert lines[2].startswith("2 chains fitted, 0 refused")
    reports = json.loads(crossmargin("market", "build", "--deribit", path, "--at", "all", "--json").out)
    assert [report["underlying"] for report in reports] == ["BTC", "ETH"]
    refused = crossmargin("market", "build", "--deribit", path, "--at", "all", "--out", tmp_path / "market.toml")
    assert refused.code == 2
    assert not (tmp_path / "market.toml").exists()


def test_time_is_the_last_before(chain):
    chains = read_chains([chain[1], chain[3]])
    assert [c.underlying for c in chains_at(chains, None, where="x")] == ["BTC"]
    assert chains_at(chains, parse_time("2026-03-31", where="x"), where="x") == chains
    with pytest.raises(InvalidInput, match="at or after the first chain, of 2026-03-31T15:30:00Z"):
        chains_at(chains, parse_time("2026-03-30", where="x"), where="x")
    outcome = crossmargin("market", "build", *chain, "--at", "2026-03-31T15:00:00Z")
    assert outcome.code == 2


def test_underlying_without_risk_class_is_refused(chain):
    (coin,) = read_chains([chain[1], chain[3]])
    fitted = build_chain(coin, now_ns=coin.latest_ns)
    share = replace(coin, underlying="AAPL", in_coin=False)
    with pytest.raises(InvalidInput, match="risk class of AAPL"):
        market_document([(share, fitted)], source="test")


def bad_chain(what: str) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """The made-up chain with one thing wrong."""
    if what == "one expiry":
        return answers(expiries=EXPIRIES[:1])
    if what == "one strike":
        return answers(strikes=STRIKES[6:7])
    instruments, summaries = answers()
    if what == "crossed":
        for row in summaries:
            row["bid_price"], row["ask_price"] = row["ask_price"], row["bid_price"]
    elif what == "expired":
        instruments[0]["expiration_timestamp"] = 1_000_000_000_000
    elif what == "unknown":
        instruments.pop()
    else:
        name, value = what.split("=")
        rows = instruments if name in instruments[0] and name != "instrument_name" else summaries
        rows[3][name] = json.loads(value)
    return instruments, summaries


BAD_CHAINS = [
    ("one expiry", UnfitMarket, "number of expiries is 1"),
    ("one strike", UnfitMarket, "strike"),
    ("crossed", UnfitMarket, "crossed"),
    ("expired", InvalidInput, "expiry"),
    ("unknown", MissingFactors, "get_instruments"),
    ("strike=-5.0", InvalidInput, "strike"),
    ("strike=0.0", InvalidInput, "strike"),
    ("bid_price=-0.01", InvalidInput, "bid"),
    ("mark_iv=-50.0", InvalidInput, "vol"),
    ("mark_price=-0.5", InvalidInput, "mark"),
    ('mark_price="high"', InvalidInput, "mark_price is 'high'"),
]


@pytest.mark.parametrize(("what", "error", "words"), BAD_CHAINS)
def test_bad_chain_is_refused(tmp_path: Path, what: str, error: type, words: str):
    paths = write_answers(tmp_path, *bad_chain(what))
    with pytest.raises(error, match=words) as caught:
        [build_chain(quotes, now_ns=quotes.latest_ns) for quotes in read_chains(paths)]
    out = tmp_path / "market.toml"
    outcome = crossmargin("market", "build", "--deribit", paths[0], "--deribit", paths[1], "--out", out)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err == f"error: {caught.value}\n"
    assert not out.exists()


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_numbers_that_are_none_are_no_answers(tmp_path: Path, number: str):
    paths = write_answers(tmp_path, *answers())
    text = paths[1].read_text()
    paths[1].write_text(text.replace('"mark_iv": 50.0', f'"mark_iv": {number}', 1))
    outcome = crossmargin("market", "build", "--deribit", paths[0], "--deribit", paths[1])
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1


def test_surface_with_arbitrage_fails_the_check(tmp_path: Path, repository: Path):
    path = tmp_path / "market.toml"
    text = (repository / "examples/small-market.toml").read_text()
    path.write_text(text.replace("a = 0.030, b = 0.12", "a = 0.001, b = 0.01"))
    with pytest.raises(SurfaceArbitrage):
        read_market(path)
    outcome = crossmargin("market", "check", path)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith(f"error: {path}: BTC: surface.slices[1]: growth of total variance")


@pytest.mark.parametrize(
    ("now", "code"),
    [("2026-03-31T15:30:59Z", 0), ("2026-03-31T15:31:01Z", 2), ("2026-03-31T15:29:59Z", 2), ("2026-03-31", 2)],
)
def test_age_is_checked_where_a_time_is_given(repository: Path, now: str, code: int):
    path = repository / "examples/small-market.toml"
    assert crossmargin("market", "check", path, "--now", now).code == code


def test_mixed_times_in_memory(chain, repository: Path):
    (quotes,) = read_chains([chain[1], chain[3]])
    fitted = build_chain(quotes, now_ns=quotes.latest_ns + 1_000_000_000)
    base = read_document(repository / "examples/small-market.toml", MarketDocument)
    with pytest.raises(MixedValuationTime, match="prices of ETH"):
        market_document([(quotes, fitted)], base=base, source="test")


def test_every_snapshot_builds_within_its_bounds(shared: Path):
    """The bar for the chain of 2026-03-31, through the command: 0.15 and 0.5 vol points, 93 % inside."""
    path = shared / "data/options/deribit_chain_snapshots.parquet"
    outcome = crossmargin("market", "build", "--deribit", path, "--at", "2026-03-31", "--json")
    for report in json.loads(outcome.out):
        assert report["total"]["median_points"] <= 0.15
        assert report["total"]["p90_points"] <= 0.5
        assert report["total"]["inside_share"] >= 0.93
