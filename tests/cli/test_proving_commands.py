"""`attest` and `verify`: what is made is believed, what is changed is not, and what is no statement is refused."""

import html
import json
from collections.abc import Iterator
from functools import partial
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from crossmargin.adapters import statements
from crossmargin.adapters.statements import (
    STATEMENT_BYTES_MAX,
    read_statement,
    statement_name,
    write_epoch,
    write_statement,
)
from crossmargin.cli.proving.page import verify_page
from crossmargin.cli.proving.report import AttestReport, VerifyReport
from crossmargin.cli.proving.words import money, verdict
from crossmargin.core.errors import InvalidInput, UnreadableFile
from crossmargin.proofs.statement import Head, Statement, head_digest, statement_of
from crossmargin.proofs.typed_hash import Domain
from tests.cli.shell import Outcome, crossmargin
from tests.proofs.test_statement import TOKEN, backing, epoch, vault

CONTRACT = "0x" + "cc" * 20


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AttestReport]:
    """The statements of the bundled desk, and the report of making them."""
    folder = tmp_path_factory.mktemp("attest")
    (folder / "secret.hex").write_text("ab" * 32 + "\n")
    with resources.as_file(resources.files("crossmargin.cli").joinpath("demo")) as demo:
        outcome = attested(folder, str(demo / "book.toml"), str(demo / "market.toml"), "--json")
    assert outcome.code == 0, outcome.err
    return folder / "out", msgspec.json.decode(outcome.out.encode(), type=AttestReport)


def attested(folder: Path, book: str, market: str, *more: str) -> Outcome:
    secret, out = str(folder / "secret.hex"), str(folder / "out")
    return crossmargin("attest", book, "--market", market, "--secret-file", secret, "--out", out, *more)


def checked(path: Path, *more: str) -> tuple[int, VerifyReport]:
    outcome = crossmargin("verify", str(path), *more, "--json")
    assert outcome.code in {0, 1}, outcome.err
    return outcome.code, msgspec.json.decode(outcome.out.encode(), type=VerifyReport)


def test_what_is_attested_verifies(made):
    folder, report = made
    assert {row.file for row in report.statements} == {path.name for path in folder.iterdir()} - {"head.json"}
    for row in report.statements:
        code, found = checked(folder / row.file, "--head", report.digest)
        assert (code, found.good, found.account) == (0, True, row.account)
        assert found.digest == report.digest
        assert (found.worst_loss, found.collateral) == (row.worst_loss, row.collateral)


def write_while(left: Iterator[int], path: Path, what: Statement | Head) -> None:
    """Write as long as something is left, then die."""
    next(left)
    write_statement(path, what)


def test_an_epoch_that_was_interrupted_is_made_again(made, tmp_path, monkeypatch):
    folder, _ = made
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    head = msgspec.json.decode(whole["head.json"], type=Head)
    own = [read_statement(folder / name) for name in sorted(whole) if name != "head.json"]
    write_epoch(tmp_path, msgspec.structs.replace(head, epoch=head.epoch - 1), own)
    for lived in range(len(own) + 1):
        with monkeypatch.context() as patch:
            patch.setattr(statements, "write_statement", partial(write_while, iter(range(lived))))
            with pytest.raises(StopIteration):
                write_epoch(tmp_path, head, own)
        assert not (tmp_path / "head.json").exists()
    write_epoch(tmp_path, head, own)
    write_epoch(tmp_path, head, own)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole


def test_an_epoch_is_told_once(made):
    folder, _ = made
    before = (folder / "head.json").read_bytes()
    head = msgspec.json.decode(before, type=Head)
    for other in ({"as_of_ms": head.as_of_ms + 1}, {"epoch": head.epoch - 1}):
        with pytest.raises(InvalidInput, match=r"epoch is .*, but must be after"):
            write_epoch(folder, msgspec.structs.replace(head, **other), [])
    assert (folder / "head.json").read_bytes() == before


def test_the_terminal_and_the_page_say_the_same(made, tmp_path):
    folder, report = made
    path, page = folder / report.statements[0].file, tmp_path / "page.html"
    outcome = crossmargin("verify", str(path), "--html", str(page))
    assert outcome.code == 0
    _, found = checked(path)
    text = " ".join(outcome.out.split())
    assert verdict(found.checks) in text
    assert html.escape(verdict(found.checks)) in page.read_text()
    assert page.read_text() == verify_page(found)
    assert "no --head was given" in text
    assert "no state proof shows it" in text


def test_a_changed_statement_is_not_believed(made, tmp_path):
    folder, report = made
    document = json.loads((folder / report.statements[0].file).read_text())
    document["worst_loss"] = "1"
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(document))
    outcome = crossmargin("verify", str(bad), "--head", report.digest)
    assert outcome.code == 1
    assert "Do not believe it: 2 checks" in outcome.out
    code, found = checked(bad, "--head", report.digest)
    assert code == 1
    assert [row.check for row in found.checks if row.outcome == "fails"] == ["account and totals", "worst loss"]


def test_collateral_is_checked_against_anchors_and_vaults(tmp_path):
    path = tmp_path / "maker.json"
    write_statement(path, statement_of(epoch(), "maker", state=[backing()]))
    held = f"eip155:1:0x{vault().address.hex()}={TOKEN}@2"
    given = ("--anchor", f"eip155:1=0x{vault().anchor.hex()}", "--vault", held)
    code, found = checked(path, *given)
    assert code == 0
    assert {row.check.split(" of ")[0] for row in found.checks if row.outcome == "not checked"} == {"head", "backing"}
    for wrong in (("--anchor", f"eip155:1=0x{'00' * 32}"), ("--vault", f"eip155:1:{CONTRACT}={TOKEN}@2")):
        assert checked(path, *wrong)[0] == 1


def test_a_head_that_was_signed_for_a_contract(tmp_path):
    path = tmp_path / "maker.json"
    write_statement(path, statement_of(epoch(), "maker"))
    digest = head_digest(epoch().head, Domain(chain_id=5, contract=bytes.fromhex(CONTRACT[2:]))).hex()
    assert checked(path, "--head", digest, "--attestor", f"eip155:5:{CONTRACT}")[0] == 1  # a line without its proof
    write_statement(path, statement_of(epoch(), "maker", state=[backing()]))
    assert checked(path, "--head", digest, "--attestor", f"eip155:5:{CONTRACT}")[0] == 0
    assert checked(path, "--head", digest)[0] == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--head", "12"),
        ("--head", "zz" * 32),
        ("--anchor", "eip155:1"),
        ("--anchor", "eip155:1=0x12"),
        ("--vault", "=x"),
        ("--vault", f"eip155:1:{CONTRACT}={TOKEN}"),
        ("--vault", f"eip155:1:{CONTRACT}={TOKEN}@-1"),
        ("--home", "eip155:1"),
        ("--attestor", "solana:1:0x00"),
        ("--attestor", "eip155:1:0x00"),
    ],
)
def test_options_that_are_not_of_their_form(made, options):
    folder, report = made
    outcome = crossmargin("verify", str(folder / report.statements[0].file), *options)
    assert outcome.code == 2
    assert options[0] in outcome.err


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", UnreadableFile),
        ("[" * 100_000, UnreadableFile),
        ('{"format": "crossmargin-statement-2", "format": "x"}', UnreadableFile),
        ("{}", InvalidInput),
        ('{"format": "crossmargin-statement-1"}', InvalidInput),
        (" " * (STATEMENT_BYTES_MAX + 1), UnreadableFile),
    ],
)
def test_files_that_are_no_statements(tmp_path, text, error):
    path = tmp_path / "statement.json"
    path.write_text(text)
    with pytest.raises(error):
        read_statement(path)
    assert crossmargin("verify", str(path)).code == 2


def test_numbers_beyond_all_bounds_fail_and_do_not_crash(made, tmp_path):
    folder, report = made
    path = tmp_path / "statement.json"
    for change in (
        lambda d: d["head"].update(epoch=2**70),
        lambda d: d["head"].update(as_of_ms=10**30),
        lambda d: d["head"].update(as_of_ms=-1),
        lambda d: d["head"].update(worst_loss_total="9" * 5000),
        lambda d: d["head"].update(accounts=0),
        lambda d: d["head"].update(money_decimals=10**9),
        lambda d: d.update(index=-1),
        lambda d: d.update(worst_loss="١"),
        lambda d: d.update(account=""),
        lambda d: d["lines"][0].update(decimals=10**9),
        lambda d: d["lines"][0].update(weight=-1),
        lambda d: d["rows"][0].update(quanta="0x" + "00" * 7),
    ):
        document = json.loads((folder / report.statements[0].file).read_text())
        change(document)
        path.write_text(json.dumps(document))
        outcome = crossmargin("verify", str(path), "--head", report.digest, "--html", str(tmp_path / "page.html"))
        assert outcome.code in {1, 2}, (outcome.out, outcome.err)


def test_round_trip_and_names(tmp_path):
    statement = statement_of(epoch(), "maker", state=[backing()])
    path = tmp_path / statement_name("../maker:1")
    write_statement(path, statement)
    assert path.parent == tmp_path
    assert read_statement(path) == statement
    assert money("5", 12) == "0.00"


def test_secrets_and_models_that_cannot_attest(made, tmp_path):
    with resources.as_file(resources.files("crossmargin.cli").joinpath("demo")) as demo:
        files = (str(demo / "book.toml"), str(demo / "market.toml"))
        assert "no such file" in attested(tmp_path, *files).err
        (tmp_path / "secret.hex").write_text("ab" * 31)
        assert "64 hexadecimal digits" in attested(tmp_path, *files).err
        (tmp_path / "secret.hex").write_text("ab" * 32)
        assert "a model of scenarios" in attested(tmp_path, *files, "--model", "derive-pmrm2@2025-03-20").err
    assert not (tmp_path / "out").exists()
