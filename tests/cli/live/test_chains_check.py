"""What is not final yet, kept by `chains read --out`, and checked offline by `chains check` as a stranger would."""

import json
from typing import Any

from crossmargin.cli.chains.reading import deposit
from crossmargin.cli.chains.stage import DEPOSITOR, UNIT
from tests.adapters.networks import liars
from tests.cli.live.desk import Desk


def test_what_is_pending_is_kept_and_checked_by_a_stranger(desk: Desk) -> None:
    deposit(desk.stage, desk.stage.a, 3_000)
    desk.stage.b.system.vault.do(desk.stage.keys[DEPOSITOR], "request", 1_000 * UNIT)
    desk.stage.meet()
    found = desk.found("--book", "book.toml", "-m", "market.toml", "--out", "live")
    kept, path = desk.folder / "live" / "proofs.json", "live/proofs.json"
    document = json.loads(kept.read_bytes())
    assert [one["amount"] for one in document["pending"]] == [str(3_000 * UNIT), str(-1_000 * UNIT)]
    options: list[str] = []
    for row in (*found["vaults"], *found["pending"]):
        options += ["--anchor", f"{row['chain']}={row['block_hash']}"]
    for one, row in zip(document["backings"], found["vaults"], strict=True):
        options += [
            "--vault",
            f"{row['vault']}={row['instance']}@{one['mapping']}",
            "--home",
            f"{row['vault']}={one['home']}",
        ]
    report = json.loads(desk.run("chains", "check", path, *options, "--json").out)
    assert (report["good"], {check["outcome"] for check in report["checks"]}) == (True, {"holds"})
    assert [(row["kind"], row["block"]) for row in report["shown"][2:]] == [
        (kind, row["block"]) for kind, row in zip(("credit", "debit"), found["pending"], strict=True)
    ]
    alone = desk.run("chains", "check", path)
    assert alone.code == 0
    assert "Not checked is whether the block is of the chain" in " ".join(alone.out.split())
    assert desk.run("chains", "check", path, *options[:4], *options[8:]).code == 1  # Its block is not known.
    final = desk.attest("live/book.toml", "-m", "live/market.toml", "--proofs", "live", "--out", "kept")
    assert final.code == 0, final.err
    hostile: list[dict[str, Any]] = [{"mapping": -1}, {"mapping": 2**256}, {"home": "solana:x", "owner": "7S3P4"}]
    for fields in (*hostile, {"owner": "0xzz"}, {"home": ""}, {"mapping": 2**60}):
        changed = json.loads(json.dumps(document))
        changed["backings"][0].update(fields)
        kept.write_text(json.dumps(changed))
        assert desk.run("chains", "check", path, *options).code in {1, 2}, fields
    document["pending"][0]["amount"] = str(4_000 * UNIT)
    kept.write_text(json.dumps(document))
    refused = desk.run("chains", "check", path, *options)
    assert (refused.code, "Do not believe it" in refused.out) == (1, True)
    again = desk.attest("live/book.toml", "-m", "live/market.toml", "--proofs", "live", "--out", "no")
    assert (again.code, "wrong value" in again.err) == (2, True)
    desk.stage.settle()


def test_receipts_that_nobody_gives_any_more_leave_nothing_to_keep(desk: Desk) -> None:
    deposit(desk.stage, desk.stage.a, 20)
    desk.stage.meet()
    assert len(desk.found()["pending"]) == 1
    desk.behind(*[desk.liar(receipts=liars.silent) for _ in range(3)])
    found = desk.found("--out", "live")
    assert (found["good"], found["pending"], found["balances"][0]["pending"]) == (True, [], "20.000000")
    assert "timed out" in found["vaults"][0]["unarchived"][0]
    assert "what moved is not archived" in " ".join(desk.read().out.split())
    desk.stage.settle()
