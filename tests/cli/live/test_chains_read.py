"""Live chains from the command line: read, margined, attested and verified, with endpoints that lie or fall silent.

Two chains of each kind, served over HTTP by the example; every test has its own files and journals."""

import json
import shlex
import tomllib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from crossmargin.adapters.contracts.vault import balance_slot
from crossmargin.adapters.networks.anvil import AnvilBackend
from crossmargin.cli.chains.reading import deposit
from crossmargin.cli.chains.stage import DEPOSITOR, UNIT
from crossmargin.cli.live.page import read_page
from crossmargin.cli.live.report import ReadReport
from tests.adapters.networks import liars
from tests.cli.live.desk import Desk, finals


def test_what_is_read_is_margined_attested_and_verified(desk: Desk) -> None:
    found = desk.found("--book", "book.toml", "-m", "market.toml", "--out", "live", "--html", "page.html")
    assert found["good"]
    assert (desk.folder / "page.html").read_text() == read_page(msgspec.convert(found, ReadReport))
    assert finals(found) == desk.balances
    assert all(row["proven"] == row["final"] for row in found["balances"])
    assert {(row["health"], row["trust"], len(row["operators"])) for row in found["vaults"]} == {("healthy", "L2", 3)}
    margin = desk.run("margin", "live/book.toml", "-m", "live/market.toml", "--json")
    (account,) = json.loads(margin.out)["accounts"]
    assert account["equity_usd"] > 0.8 * sum(map(float, finals(found).values()))
    kept = desk.attest("live/book.toml", "-m", "live/market.toml", "--proofs", "live", "--out", "kept", "--json")
    live = desk.attest(
        *(
            "book.toml",
            "-m",
            "market.toml",
            "--chains",
            "sources.toml",
            "--at",
            desk.served.at,
            "--out",
            "now",
            "--json",
        )
    )
    assert (kept.code, live.code) == (0, 0), kept.err + live.err
    report = json.loads(kept.out)
    assert report["digest"] == json.loads(live.out)["digest"]
    (row,) = report["statements"]
    assert (report["claims"], row["lines"], row["backed"]) == (2, 2, 2)
    options = shlex.split(row["command"].replace("\\\n", " "))[2:]
    checks = json.loads(desk.run("verify", *options, "--json").out)["checks"]
    assert {check["outcome"] for check in checks} == {"holds"}
    assert sum(check["check"].startswith("backing of") for check in checks) == 2
    for option in ("--anchor", "--vault", "--home"):
        at = options.index(option) + 1
        wrong = options[at][:-1] + ("0" if options[at][-1] != "0" else "1")
        assert desk.run("verify", *options[:at], wrong, *options[at + 1 :]).code == 1


@pytest.mark.parametrize("served", ["anvil"], indirect=True)  # a chain in this process has no URL of its own
def test_a_node_that_is_asked_itself_says_the_same(desk: Desk) -> None:
    assert isinstance(desk.stage.a.chain, AnvilBackend)
    desk.behind(desk.stage.a.chain.rpc.url)
    found = desk.found()
    assert (found["vaults"][0]["operators"], found["vaults"][0]["refused"]) == (["east", "north", "south"], {})
    assert finals(found) == desk.balances


def test_a_deposit_is_pending_until_it_is_final_and_a_request_counts_at_once(desk: Desk) -> None:
    before = desk.found()
    assert [row["resumed"] for row in before["vaults"]] == [False, False]
    a, vault = desk.stage.a, desk.stage.a.system.vault
    deposit(desk.stage, a, 5_000)
    vault.do(desk.stage.keys[DEPOSITOR], "request", 2_000 * UNIT)
    desk.stage.meet()
    found = desk.found()
    row = found["balances"][0]
    assert finals(found) == finals(before)
    assert (row["pending"], row["debits"]) == ("5000.000000", "-2000.000000")
    assert float(row["levels"]["final"]) == float(row["final"]) - 2_000
    shown = [(one["amount"], one["block"], one["chain"]) for one in found["pending"]]
    head, chain = a.chain.block("latest").number, a.place.chain
    assert [(amount, place) for amount, _, place in shown] == [("5000.000000", chain), ("-2000.000000", chain)]
    assert all(found["vaults"][0]["block"] < block <= head for _, block, _ in shown)
    assert "by receipt in" in " ".join(desk.read().out.split())
    assert [row["resumed"] for row in found["vaults"]] == [True, True]
    desk.stage.settle()
    settled = desk.found()
    assert finals(settled) == desk.balances
    assert float(finals(settled)[a.place.chain]) == float(row["final"]) + 3_000
    for journal in desk.folder.glob("*.sqlite"):
        journal.unlink()
    assert finals(desk.found()) == finals(settled)


@pytest.mark.parametrize("served", ["anvil"], indirect=True)  # it lets a slot be written
def test_a_balance_that_no_event_explains_is_the_lower_and_carries_no_new_risk(desk: Desk) -> None:
    a, owner = desk.stage.a, desk.stage.owner
    assert isinstance(a.chain, AnvilBackend)
    before = desk.found()
    held = a.system.vault.ask("balances", owner)
    slot = balance_slot(owner).to_bytes(32, "big")

    def put(amount: int) -> None:
        word = f"0x{amount.to_bytes(32, 'big').hex()}"
        a.chain.rpc.ask("anvil_setStorageAt", f"0x{a.system.vault.address.hex()}", f"0x{slot.hex()}", word)
        desk.stage.settle()

    put(held - 60_000 * UNIT)
    found = desk.found("--book", "book.toml", "-m", "market.toml", "--out", "live", code=1)
    row = found["vaults"][0]
    assert (row["health"], row["trust"], row["proven"]) == ("governed", "L2", True)
    assert float(finals(found)[a.place.chain]) == held / UNIT - 60_000
    assert finals(found) == desk.balances
    assert desk.attest("live/book.toml", "-m", "live/market.toml", "--proofs", "live", "--out", "kept").code == 0
    put(held + UNIT)
    assert finals(desk.found(code=1)) == finals(before)
    put(held)
    assert desk.found()["good"]


def test_a_reading_that_ends_in_the_middle_goes_on_where_it_stood(desk: Desk) -> None:
    before = desk.found()
    left = [14]

    def dying(answer: Any) -> Any:
        left[0] -= 1
        return answer if left[0] > 0 else liars.silent(answer)

    deposit(desk.stage, desk.stage.a, 1_000)
    desk.stage.settle()
    desk.change(lambda tree: tree["chains"][0].update(agree=3))
    sources = (desk.folder / "sources.toml").read_bytes()
    desk.behind(desk.liar(block=dying, block_logs=dying, proof=dying))
    cut = desk.found(code=1)
    assert finals(cut)[desk.stage.a.place.chain] == finals(before)[desk.stage.a.place.chain]
    (desk.folder / "sources.toml").write_bytes(sources)
    assert finals(desk.found()) == desk.balances


LIES: dict[str, dict[str, Callable[..., Any]]] = {
    "another balance": {"proof": liars.other_value},
    "a header under another hash": {"block": liars.wrong_hash},
    "another number": {"block": liars.misplaced},
    "fewer slots": {"proof": liars.fewer_slots},
    "hidden events": {"block_logs": lambda logs: ()},
    "other receipts": {"receipts": lambda receipts: receipts * 2},
    "silence": dict.fromkeys(("block", "proof", "block_logs", "receipts"), liars.silent),
}


@pytest.mark.parametrize("lie", LIES)
def test_one_endpoint_that_lies_is_named_and_changes_nothing(desk: Desk, lie: str) -> None:
    deposit(desk.stage, desk.stage.a, 10)
    desk.stage.settle()
    desk.behind(desk.liar(**LIES[lie]))
    found = desk.found()
    assert finals(found) == desk.balances
    assert found["good"]


def test_another_fork_freezes_and_what_was_known_lags_and_is_worth_less(desk: Desk) -> None:
    sources = (desk.folder / "sources.toml").read_bytes()
    before = desk.found()
    deposit(desk.stage, desk.stage.a, 700)
    desk.stage.settle()
    desk.behind(desk.liar(block=liars.forged_header))
    found = desk.found("--out", "live", code=1)
    a, b = found["vaults"]
    assert not found["good"]
    assert (a["trust"], a["proven"], a["operators"]) == ("L1", False, [])
    assert a["health"] in {"lagging", "halted"}
    assert any("disagreement" in reason for reason in a["reasons"])
    assert (b["health"], b["trust"], b["proven"]) == ("healthy", "L2", True)
    assert finals(found)[a["chain"]] == finals(before)[a["chain"]]
    held = tomllib.loads((desk.folder / "live" / "book.toml").read_text(encoding="utf-8"))["accounts"][0]["collateral"]
    assert [line["trust"] for line in held] == ["L1", "L2"]
    assert len(json.loads((desk.folder / "live" / "proofs.json").read_bytes())["backings"]) == 1
    text = desk.read()
    assert text.code == 1
    assert "is not proven now" in " ".join(text.out.split())
    refused = desk.attest_live("--out", "no")
    assert refused.code == 2
    assert "not proven now" in refused.err
    (desk.folder / "A.sqlite").unlink()
    begun = desk.read()
    assert begun.code == 2
    assert "do not agree on a final block (disagreement)" in begun.err
    (desk.folder / "sources.toml").write_bytes(sources)
    assert finals(desk.found()) == desk.balances


def test_proofs_that_nobody_gives_leave_the_word_of_operators(desk: Desk) -> None:
    desk.found()
    desk.behind(*[desk.liar(proof=liars.silent) for _ in range(3)])
    found = desk.found(code=1)
    row = found["vaults"][0]
    assert (row["trust"], row["health"], row["proven"]) == ("L1", "healthy", False)
    assert found["balances"][0]["proven"] is None
    assert finals(found) == desk.balances
    (desk.folder / "A.sqlite").unlink()
    refused = desk.read()
    assert refused.code == 2
    assert "one proof that holds" in refused.err


def test_endpoints_that_are_down_or_of_another_chain_have_no_say(desk: Desk) -> None:
    nobody = "http://127.0.0.1:9/v2/$DESK_RPC_KEY"
    desk.behind(nobody)
    assert list(desk.found()["vaults"][0]["refused"]) == ["north A"]
    desk.behind(desk.serve(desk.stage.b.chain))
    (why,) = desk.found()["vaults"][0]["refused"].values()
    assert "eip155:31338" in why
    desk.behind(nobody, desk.serve(desk.stage.b.chain))
    frozen = desk.found(code=1)["vaults"][0]
    assert (frozen["proven"], frozen["health"], set(frozen["refused"])) == (False, "lagging", {"north A", "east A"})
    (desk.folder / "A.sqlite").unlink()
    refused = desk.read()
    assert refused.code == 2
    for said in ("2 operators do not agree", "too few", "not of eip155:31337", "has no answer"):
        assert said in refused.err


def test_the_word_of_one_is_taken_where_it_is_asked_for_and_said(desk: Desk) -> None:
    def alone(tree: Any) -> None:
        chain = tree["chains"][0]
        chain.update(agree=1, endpoints=chain["endpoints"][:1])

    assert "the word of one" not in desk.read().out
    desk.change(alone)
    outcome = desk.read()
    assert outcome.code == 0
    assert "On eip155:31337 the word of one operator" in " ".join(outcome.out.split())


def test_other_code_is_refused(desk: Desk) -> None:
    desk.found()
    desk.change(lambda tree: tree["chains"][0]["vaults"][0].update(code_hash=f"0x{'12' * 32}", journal="other.sqlite"))
    refused = desk.read()
    assert refused.code == 2
    assert "wrong code" in refused.err


def test_a_vault_of_another_token_or_home_is_refused(desk: Desk) -> None:
    text = (desk.folder / "sources.toml").read_text(encoding="utf-8")
    desk.change(lambda tree: tree["chains"][0]["vaults"][0].update(home="eip155:1"))
    other = desk.read()
    assert other.code == 2
    assert "home is 1, but must be 31337, as the vault says" in " ".join(other.err.split())
    token, wrong = desk.stage.a.place.instance, f"eip155:31337/erc20:0x{'99' * 20}"
    (desk.folder / "sources.toml").write_text(text.replace(token, wrong), encoding="utf-8")
    registry = (desk.folder / "registry.toml").read_text(encoding="utf-8")
    (desk.folder / "registry.toml").write_text(registry.replace(token, wrong), encoding="utf-8")
    other = desk.read()
    assert other.code == 2
    assert f"token is '0x{'99' * 20}'" in " ".join(other.err.split())
    (desk.folder / "sources.toml").write_text(text, encoding="utf-8")
    (desk.folder / "registry.toml").write_text(registry, encoding="utf-8")
    assert not any(row["resumed"] for row in desk.found()["vaults"])  # Nothing was begun by what was refused.


def test_a_journal_is_of_one_vault_and_its_owners(desk: Desk) -> None:
    desk.found()
    owner = {"address": f"0x{'77' * 20}", "account": "other"}
    desk.change(lambda tree: tree["chains"][0]["vaults"][0]["owners"].append(owner))
    refused = desk.read()
    assert refused.code == 2
    assert "begun with" in refused.err
    desk.change(lambda tree: tree["chains"][0]["vaults"][0].update(journal="new.sqlite"))
    assert [row["account"] for row in desk.found()["balances"]].count("other") == 1
    joined = desk.read("--book", "book.toml", "--out", "live")
    assert joined.code == 2
    assert "account is 'other'" in joined.err


def test_no_key_is_in_any_output_or_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key, variable = desk.example.KEY, desk.example.VARIABLE
    wrong = f"{key}-wrong"
    outcomes = [desk.read("--book", "book.toml", "-m", "market.toml", "--out", "live"), desk.read("--json")]
    desk.read("--html", "page.html")
    desk.behind(f"http://127.0.0.1:9/v2/${variable}", desk.liar(block=liars.silent))
    outcomes += [desk.read("--html", "silent.html"), desk.read("--json")]
    monkeypatch.setenv(variable, wrong)  # The endpoints repeat it in what they refuse.
    outcomes += [desk.read(), desk.read("--json")]
    monkeypatch.setenv(variable, f"{key} with blanks")
    outcomes.append(desk.read())
    monkeypatch.delenv(variable)
    outcomes.append(desk.read())
    assert [outcome.code for outcome in outcomes] == [0, 0, 1, 1, 1, 1, 2, 2]
    assert f"${variable}" in outcomes[-1].err
    assert not any(key in outcome.out + outcome.err for outcome in outcomes)
    for path in desk.folder.rglob("*"):
        assert path.is_dir() or key.encode() not in path.read_bytes(), path


def test_joins_that_would_tell_two_truths_are_refused(desk: Desk) -> None:
    def refused(*options: object) -> str:
        outcome = desk.read(*options)
        assert outcome.code == 2
        return outcome.err

    assert "--out" in refused("--book", "book.toml")
    assert desk.read("--book", "book.toml", "-m", "market.toml", "--out", "live").code == 0
    assert "first seen at what was read" in " ".join(refused("--book", "live/book.toml", "--out", "again").split())
    text = (desk.folder / "market.toml").read_text(encoding="utf-8")
    lacking = text.replace(desk.stage.b.token.address.hex(), "99" * 20)
    (desk.folder / "lacking.toml").write_text(lacking, encoding="utf-8")
    assert "State its liquidity" in refused("-m", "lacking.toml", "--out", "again")
    later = text.replace("as_of = ", 'as_of = "2026-03-31T23:00:00Z" #')
    (desk.folder / "later.toml").write_text(later, encoding="utf-8")
    assert desk.read("--book", "book.toml", "-m", "later.toml", "--out", "later").code == 0
    options = ("--proofs", "later", "--out", "no")
    assert "time of a proven block" in desk.attest("later/book.toml", "-m", "later/market.toml", *options).err
    assert "without --proofs" in desk.attest_live(*options).err


def test_a_fragment_and_a_book_stand_alone(desk: Desk) -> None:
    found = desk.found("--out", "live")
    assert found["files"] == ["book.toml", "chains.toml", "proofs.json"]
    chains = tomllib.loads((desk.folder / "live" / "chains.toml").read_text(encoding="utf-8"))["chains"]["chains"]
    assert [state["health"] for state in chains] == ["healthy", "healthy"]
    assert desk.run("margin", "live/book.toml", "-m", "market.toml", "--json").code == 0


def test_an_account_of_another_name_is_claimed_and_its_lines_are_not_shown(desk: Desk) -> None:
    book = (desk.folder / "book.toml").read_text(encoding="utf-8").replace(desk.stage.account, "desk")
    (desk.folder / "book.toml").write_text(book, encoding="utf-8")
    desk.change(lambda tree: [chain["vaults"][0]["owners"][0].update(account="desk") for chain in tree["chains"]])
    outcome = desk.attest_live("--out", "own")
    assert outcome.code == 0, outcome.err
    assert "0 of 2 lines of collateral shown" in " ".join(outcome.out.split())
    assert "does not bear its owner's name" in " ".join(outcome.out.split())
    assert desk.run("verify", "own/desk.json").code == 0


def test_changed_proofs_are_refused(desk: Desk) -> None:
    desk.found("--book", "book.toml", "-m", "market.toml", "--out", "live")
    path = desk.folder / "live" / "proofs.json"
    document = json.loads(path.read_bytes())

    def refused(change: Callable[[Any], object]) -> str:
        changed = json.loads(json.dumps(document))
        change(changed["backings"][0])
        path.write_text(json.dumps(changed))
        outcome = desk.attest("live/book.toml", "-m", "live/market.toml", "--proofs", "live", "--out", "no")
        assert outcome.code == 2
        return outcome.err

    assert "wrong value" in refused(lambda one: one["proof"]["slots"][0].update(value="1"))
    assert "wrong header" in refused(lambda one: one["proof"].update(anchor=f"0x{'00' * 32}"))
    assert "the one slot of" in refused(lambda one: one.update(owner=f"0x{'77' * 20}"))
    assert "an account or pool of the book" in refused(lambda one: one.update(account="other"))
