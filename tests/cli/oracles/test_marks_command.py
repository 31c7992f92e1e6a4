"""`oracles marks`: gates, both clocks and pegs of a file of quotes, and a market that margin counts by them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("coincurve", reason="signatures need the extra evm")

from tests.cli.oracles.quotes import USDC, feed, market, quotes, registry, ticker, when
from tests.cli.shell import crossmargin as run

CALM = {"first": 0.9998, "second": 0.9999, "third": 1.0}


def marked(folder: Path, prices: dict[str, float], *more: object, at: str = "", **document: Any) -> dict[str, Any]:
    file = quotes(folder, prices, **document)
    done = run("oracles", "marks", file, "--at", at or when(), "--registry", registry(folder), *more, "--json")
    assert done.code == 0, done.err
    report: dict[str, Any] = json.loads(done.out)
    return report


def test_quotes_of_five_kinds_make_a_mark(tmp_path: Path):
    report = marked(tmp_path, CALM)
    (usdc,) = report["assets"]
    assert usdc["mid"] == pytest.approx(0.9998, abs=1e-4)
    assert (usdc["state"], usdc["families"], usdc["peg"], usdc["worth_by"]) == ("NORMAL", 5, "normal", "redemption")
    assert (usdc["may_open"], usdc["may_liquidate"]) == (True, True)
    assert usdc["new_risk"] <= 0.9997
    assert [gate["refused"] for gate in usdc["gates"]] == [""] * 5
    assert report["refused"] == []


def test_one_venue_stops_new_risk_and_liquidates_nobody(tmp_path: Path):
    (usdc,) = marked(tmp_path, CALM | {"first": 0.65})["assets"]
    assert usdc["new_risk"] == pytest.approx(0.65, abs=1e-3)
    assert usdc["settled"] >= 0.9996
    assert usdc["mid"] >= 0.9996
    assert [gate["outlier"] for gate in usdc["gates"]][:2] == [True, False]


def test_each_gate_says_why(tmp_path: Path):
    tickers = [ticker("first", 1.0, -40.0), ticker("second", 1.0, -5.0), ticker("second", 0.9, -5.0)]
    tickers += [ticker("stranger", 5.0)]
    report = marked(tmp_path, CALM, tickers=tickers, sequencers=[{"chain": "eip155:42161"}])
    gates = {gate["source"]: gate["refused"] for gate in report["assets"][0]["gates"]}
    assert gates["first"] == "40 s old, limit 30 s"
    assert gates["third"] == "said nothing"
    assert gates["redstone"] == gates["pyth"] == ""
    assert any("says two things" in reason for reason in report["assets"][0]["reasons"])
    assert report["refused"] == ["stranger: feed, no feed of an asset in this file"]


def test_a_sequencer_of_unknown_state_closes_its_chain(tmp_path: Path):
    feeds = [feed("first", chain="eip155:42161"), feed("second"), feed("third")]
    asset = {"instance": USDC, "daily_vol": 0.002, "feeds": feeds}
    report = marked(tmp_path, CALM, assets=[asset], sequencers=[{"chain": "eip155:42161"}])
    assert "sequencer" in report["assets"][0]["gates"][0]["refused"]
    assert len(report["refused"]) == 2


def test_bad_bytes_are_named(tmp_path: Path):
    file = quotes(tmp_path, CALM)
    document = json.loads(file.read_bytes())
    document["packages"][0]["calldata"] = "zz"
    (tmp_path / "hermes.json").write_text("{")
    file.write_bytes(msgspec.json.encode(document))
    done = run("oracles", "marks", file, "--at", when(), "--registry", registry(tmp_path))
    assert done.code == 0, done.err
    assert "redstone: malformed" in done.out
    assert "hermes: malformed" in done.out
    assert done.out.count("passes") == 3


def test_a_mark_long_after_is_none_and_blocks(tmp_path: Path):
    (usdc,) = marked(tmp_path, CALM, at=when(600.0))["assets"]
    assert (usdc["state"], usdc["mid"], usdc["may_open"], usdc["may_liquidate"]) == ("HALT", None, False, False)


def equities(folder: Path, market_file: Path) -> tuple[float, float]:
    """What a million USDC count for in a market: for new risk, and behind risk taken before."""
    book = {
        "as_of": when(),
        "accounts": [{"id": "desk", "collateral": [{"instance": USDC, "amount": 1_000_000}]}],
    }
    file = folder / "book.json"
    file.write_bytes(msgspec.json.encode(book))
    done = run("margin", file, "--market", market_file, "--json")
    assert done.code == 0, done.err
    (account,) = json.loads(done.out)["accounts"]
    return account["equity_usd"], account["held_equity_usd"]


@pytest.mark.parametrize(
    ("prices", "low", "high"),
    [(CALM, 993_000.0, 995_000.0), (CALM | {"first": 0.65}, 640_000.0, 650_000.0)],
    ids=["calm", "one venue"],
)
def test_margin_reads_both_clocks_of_the_market_that_marks_write(
    tmp_path: Path, prices: dict[str, float], low: float, high: float
):
    out = tmp_path / "marked.toml"
    marked(tmp_path, prices, "--market", market(tmp_path), "--out", out)
    opening, held = equities(tmp_path, out)
    assert low < opening < high
    assert 993_000.0 < held < 995_001.0


def test_without_a_price_nothing_counts_for_new_risk_and_old_stays(tmp_path: Path):
    out = tmp_path / "marked.json"
    marked(tmp_path, CALM, "--market", market(tmp_path), "--out", out, at=when(600.0))
    assert equities(tmp_path, out) == (0.0, 995_000.0)


def test_a_page(tmp_path: Path):
    page = tmp_path / "marks.html"
    marked(tmp_path, CALM | {"first": 0.65}, "--html", page)
    written = page.read_text(encoding="utf-8")
    assert "an outlier" in written
    assert "Blocked for new risk" in written


def test_what_does_not_fit_is_refused(tmp_path: Path):
    file = quotes(tmp_path, CALM)
    done = run("oracles", "marks", file, "--at", when(), "--registry", registry(tmp_path), "--market", market(tmp_path))
    assert done.code == 2
    assert "given together" in done.err
    twice = [{"instance": key, "daily_vol": 0.1} for key in (USDC, USDC.lower())]
    file = quotes(tmp_path, CALM, assets=twice)
    assert run("oracles", "marks", file, "--at", when(), "--registry", registry(tmp_path)).code == 2
