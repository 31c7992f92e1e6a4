"""`registry check` and `registry propose` print what they found, and refuse with a place."""

import json
from pathlib import Path

from tests.cli.shell import crossmargin as run


def test_check_prints_what_is_in_force():
    done = run("registry", "check", "default")
    assert done.code == 0, done.err
    for word in (
        "USDC.e",
        "Arbitrum One canonical bridge",
        "eip155:8453",
        "Merkle root",
        "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
    ):
        assert word in done.out


def test_check_as_json_carries_the_hash():
    report = json.loads(run("registry", "check", "default", "--json").out)
    assert len(report["sha256"]) == len(report["root"]) == 64
    assert {row["verifiers"] for row in report["bridges"]} == {1, 9}


def test_before_its_first_record_nothing_is_in_force():
    report = json.loads(run("registry", "check", "default", "--json", "--at", "2020-01-01T00:00:00Z").out)
    assert report["instances"] == []


def test_a_rewritten_registry_is_refused(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text("[limits]\nramp_days_min = 9\n")
    done = run("registry", "check", str(file), "--before", "default")
    assert done.code == 2
    assert "kept as it was" in done.err


def test_propose_adds_nothing(tmp_path: Path):
    file = tmp_path / "tokens.json"
    token = {"chainId": 1, "address": "0x" + "ab" * 20, "decimals": 6, "symbol": "[red]NEW"}
    file.write_text(json.dumps({"name": "list", "tokens": [token]}))
    done = run("registry", "propose", str(file))
    assert done.code == 0, done.err
    assert "1 new, 0 conflict" in done.out
    assert "Nothing was added" in done.out


def test_denom_traces_are_proposed(tmp_path: Path):
    file = tmp_path / "traces.json"
    file.write_text(json.dumps({"denom_traces": [{"path": "transfer/channel-0", "base_denom": "uatom"}]}))
    done = run("registry", "propose", str(file), "--kind", "ibc", "--chain", "cosmos:osmosis-1")
    assert done.code == 0, done.err
    assert "0 new, 0 conflict, 0 known, 1 left out" in done.out
    assert run("registry", "propose", str(file), "--kind", "ibc").code == 2
