"""`chains demo` on both kinds of chains: what must hold whatever the figures are, and that nothing is left running."""

import html
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crossmargin.cli.chains import command
from crossmargin.cli.chains.opening import chosen
from crossmargin.cli.chains.page import demo_page
from crossmargin.cli.chains.report import DemoReport
from tests.chains_fixtures import need
from tests.cli.chains.transcript import BLOCK, PAGE, block, words
from tests.cli.shell import crossmargin

Found = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def toolchain() -> None:
    """What contracts are compiled with and run on."""
    for package in ("vyper", "eth", "trie", "eth_abi", "eth_account", "coincurve"):
        pytest.importorskip(package, reason="the demonstration needs what `make chains` installs")


@pytest.fixture(scope="module", params=["in-process", "anvil"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each kind of chains; skips where anvil is absent."""
    need(request.param)
    return str(request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Path:
    """Where statements are kept."""
    return tmp_path_factory.mktemp(f"chains-{backend}")


@pytest.fixture(scope="module")
def found(backend: str, folder: Path) -> Found:
    """The report as machines get it."""
    outcome = crossmargin("chains", "demo", "--backend", backend, "--out", folder, "--json")
    assert outcome.code == 0, outcome.err
    assert not children(), "a child process is left"
    report: Found = json.loads(outcome.out)
    return report


def children() -> list[str]:
    """The chains that are children of this process."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    found = [Path(f"/proc/{child}/comm") for task in tasks for child in task.read_text(encoding="ascii").split()]
    return [name for name in (path.read_text(encoding="utf-8").strip() for path in found) if "anvil" in name]


def moments(found: Found, name: str) -> list[Found]:
    (one,) = [one for one in found["breaks"] if one["id"] == name]
    return [moment["figures"] for moment in one["moments"]]


def counts(found: Found, name: str) -> list[float]:
    return [figures["counts_usd"] for figures in moments(found, name)]


def test_a_deposit_is_pending_and_then_final_and_proven(found: Found):
    for chain in found["chains"]:
        before, after = (row for row in found["balances"] if row["chain"] == chain)
        assert set(before["amounts"]) == {"included"}
        assert before["proven"] == 0
        assert set(after["amounts"]) == {"final"}
        assert after["amounts"]["final"] == after["proven"] == before["amounts"]["included"]
        assert {before["trust"], after["trust"]} == {"L2"}
        assert before["operators"] == 4


def test_one_chain_reads_the_other(found: Found):
    across = found["across"]
    assert across["read"] == across["vault"] > 0


def test_the_margin_counts_both_chains_and_asks_for_the_bridge(found: Found):
    margin = found["margin"]
    held = {row["chain"]: row["proven"] for row in found["balances"]}
    assert all(0 < margin["by_chain"][chain] < held[chain] for chain in found["chains"])
    assert margin["status"] == "healthy"
    assert margin["terms"]["bridge"] > 0


def test_every_check_of_the_statement_holds(found: Found, folder: Path):
    attested = found["attested"]
    assert attested["good"]
    assert attested["opened"]
    assert {check["outcome"] for check in attested["checks"]} == {"holds"}
    options = (folder / "verify.sh").read_text(encoding="utf-8").replace("\\\n", " ").replace("'", "").split()
    assert crossmargin(*options[1:]).code == 0
    anchor = options.index("--anchor") + 1
    options[anchor] = options[anchor][:-1] + ("0" if options[anchor][-1] != "0" else "1")
    assert crossmargin(*options[1:]).code == 1


def test_withdrawals_are_paid_where_covered_and_refused_where_not(found: Found):
    covered, uncovered, frozen, late = found["withdrawals"]
    assert covered["paid"] == covered["amount"]
    assert (uncovered["paid"], uncovered["reason"]) == (0, "margin")
    assert (frozen["paid"], frozen["reason"]) == (0, "frozen")
    assert late["paid"] == late["amount"] == frozen["amount"]


def test_a_reorg_undoes_what_was_pending_and_nothing_counts_twice(found: Found):
    before, pending, undone, again = moments(found, "reorg")
    assert pending["pending_usd"] > 0
    assert before["counts_usd"] < pending["counts_usd"] < again["counts_usd"]
    assert undone["counts_usd"] == pytest.approx(before["counts_usd"])
    assert undone["pending_usd"] == again["pending_usd"] == 0
    assert again["counts_usd"] - before["counts_usd"] == pytest.approx(50_000, rel=0.01)


def test_beyond_finality_a_chain_counts_nothing_until_it_is_anchored_again(found: Found):
    before, forked, still, anchored = moments(found, "fork")
    for figures in (forked, still):
        assert figures["health"]["A"] == "FORKED"
        assert figures["by_chain"]["A"] == 0
        assert figures["excess_usd"] < 0 < before["excess_usd"]
    (told,) = [one["moments"] for one in found["breaks"] if one["id"] == "fork"]
    assert "490,000 of A stand behind old risk, 0 behind new" in told[1]["seen"]
    assert anchored["health"]["A"] == "HEALTHY"
    assert before["by_chain"]["A"] - anchored["by_chain"]["A"] == pytest.approx(40_000, rel=0.01)
    assert anchored["counts_usd"] == pytest.approx(counts(found, "reorg")[-1])


def test_a_halt_takes_value_and_asks_for_more_until_it_ends(found: Found):
    before, halted, after = moments(found, "halt")
    assert halted["health"] == {"A": "HALTED", "B": "HEALTHY"}
    assert halted["by_chain"]["A"] < before["by_chain"]["A"]
    assert halted["initial_usd"] > before["initial_usd"]
    assert after["counts_usd"] == pytest.approx(before["counts_usd"])


def test_without_backing_a_bridged_token_is_worth_nothing(found: Found):
    before, drained, filled, later = moments(found, "drained")
    assert drained["by_chain"]["B"] == filled["by_chain"]["B"] == 0
    assert drained["by_chain"]["A"] == pytest.approx(before["by_chain"]["A"])
    assert later["counts_usd"] == pytest.approx(before["counts_usd"])


def test_a_lost_peg_takes_value_at_once_and_gives_it_back_slowly(found: Found):
    before, stressed, broken, back, later = counts(found, "depeg")
    assert before > stressed > broken
    assert back == pytest.approx(broken)
    assert later == pytest.approx(before)


def test_lying_endpoints_change_nothing_or_freeze(found: Found):
    before, proof, header, forged, silent, honest = counts(found, "endpoint")
    assert proof == header == pytest.approx(before)
    assert forged == silent <= before
    assert honest - before == pytest.approx(30_000, rel=0.01)
    (told,) = [one["moments"] for one in found["breaks"] if one["id"] == "endpoint"]
    assert [("refused" in moment["seen"], "frozen" in moment["seen"]) for moment in told[1:]] == [
        (True, False),
        (True, False),
        (False, True),
        (False, True),
        (False, False),
    ]


def test_a_wrong_report_freezes_withdrawals_until_a_right_one(found: Found):
    (told,) = [one["moments"] for one in found["breaks"] if one["id"] == "report"]
    assert ["frozen" in moment["seen"] for moment in told] == [False, True, True, False]
    assert "0 coin at stake" in told[2]["seen"]


def test_transcript_and_page_say_the_same(found: Found, backend: str):
    report = msgspec.convert(found, DemoReport)
    page = html.unescape(demo_page(report))
    for one in report.breaks:
        assert all(moment.stage in page and moment.seen in page for moment in one.moments)
    if backend == "in-process":
        unkept = msgspec.structs.replace(report.attested, file="", command="")
        (kept,) = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
        made = block(msgspec.structs.replace(report, attested=unkept))
        assert words(kept) == words(made), "run python -m tests.cli.chains.transcript"


def test_an_interrupt_leaves_nothing(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def interrupt(label: str, done: int, total: int) -> None:
        if done == 3:
            assert bool(children()) == (backend == "anvil")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        command.run(chosen(backend), None, interrupt)
    assert not children()
    assert not list(tmp_path.iterdir())
