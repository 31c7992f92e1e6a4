"""`zk attest`, `zk prove` and `zk verify`: what is refused before the prover is asked, and what is said after."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from crossmargin.adapters import zero_knowledge
from crossmargin.adapters.statements import write_epoch
from crossmargin.adapters.zero_knowledge import read_proof, write_zk
from crossmargin.cli.zk import command
from crossmargin.cli.zk.report import ZkAttestReport, ZkVerifyReport
from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.zk.statement import MarginProof
from tests.cli.shell import Outcome, crossmargin
from tests.proofs.test_statement import ACCOUNTS, epoch
from tests.proofs.zk.books import SECRET, case, statements

replace = msgspec.structs.replace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Statements as `attest` writes them, and the secret beside."""
    out = tmp_path / "statements"
    out.mkdir()
    write_epoch(out, epoch().head, statements())
    (tmp_path / "secret.hex").write_text(SECRET.hex())
    return out


def attested(folder: Path, *more: str) -> Outcome:
    return crossmargin("zk", "attest", folder, "--secret-file", folder.parent / "secret.hex", *more)


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> list[MarginProof]:
    """A prover that believes what it is told; what it was asked to prove or to judge."""
    asked: list[MarginProof] = []

    def proved(cases: Sequence[tuple[MarginProof, object]], **_: object) -> list[MarginProof]:
        asked.extend(stated for stated, _ in cases)
        return [replace(stated, proof="AAAA") for stated, _ in cases]

    def judged(proofs: Sequence[MarginProof]) -> list[bool]:
        asked.extend(proofs)
        return [proof.proof == "AAAA" for proof in proofs]

    monkeypatch.setattr(command, "prove_all", proved)
    monkeypatch.setattr(command, "accepted", judged)
    return asked


def test_each_account_gets_an_opening_and_attesting_again_changes_nothing(folder):
    first = attested(folder, "--json")
    assert first.code == 0, first.err
    report = msgspec.json.decode(first.out, type=ZkAttestReport)
    assert {row.account for row in report.openings} == set(ACCOUNTS)
    assert all((folder / row.file).is_file() for row in report.openings)
    assert attested(folder, "--json").out == first.out
    assert f"Publish the digest {report.digest}" in attested(folder).out.replace("\n", " ")


def test_an_epoch_has_one_head(folder):
    attested(folder)
    head = (folder / "zk-head.json").read_text()
    (folder.parent / "secret.hex").write_text("ab" * 32)
    outcome = attested(folder)
    assert (outcome.code, "made with" in outcome.err) == (2, True)
    assert (folder / "zk-head.json").read_text() == head


def test_what_is_proved_is_believed_for_its_own_epoch(folder, trusting):
    digest = msgspec.json.decode(attested(folder, "--json").out, type=ZkAttestReport).digest
    maker, proof = statements()[0], folder.parent / "proof.json"
    bounds = ("--loss-at-most", "1000000", "--collateral-at-least", "0.5")
    made = crossmargin("zk", "prove", folder / "maker.json", *bounds, "--out", proof)
    assert made.code == 0, made.err
    assert "1,000,000.00 USD" in made.out
    assert trusting[0].loss_at_most == str(10**18)
    assert maker.worst_loss not in proof.read_text()
    good = crossmargin("zk", "verify", proof, "--head", digest, "--json")
    report = msgspec.json.decode(good.out, type=ZkVerifyReport)
    assert (good.code, report.good, report.checks[-1].check) == (0, True, "proof")
    assert crossmargin("zk", "verify", proof, "--head", "00" * 32).code == 1
    unknown = crossmargin("zk", "verify", proof)
    assert (unknown.code, "no --head was given" in unknown.out.replace("\n", " ")) == (0, True)


def test_a_changed_proof_is_not_believed(folder, trusting):
    attested(folder)
    path = folder.parent / "proof.json"
    crossmargin("zk", "prove", folder / "maker.json", "--loss-at-most", "1000000", "--out", path)
    proof = read_proof(path)
    asked = len(trusting)
    write_zk(path, replace(proof, account="hedger"))
    assert crossmargin("zk", "verify", path).code == 1
    assert len(trusting) == asked
    write_zk(path, replace(proof, proof="BBBB"))
    refused = crossmargin("zk", "verify", path)
    assert (refused.code, "Do not believe it" in refused.out) == (1, True)


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--loss-at-most", "0.000000000001", "the worst loss"),
        ("--loss-at-most", "1e-13", "12 places"),
        ("--loss-at-most", "-1", "not negative"),
        ("--loss-at-most", "much", "12 places"),
        ("--collateral-at-least", "1000000", "what is held"),
        ("--collateral-at-least", "Infinity", "12 places"),
    ],
)
def test_what_is_not_so_is_refused_before_the_prover_is_asked(folder, trusting, option, text, said):
    attested(folder)
    bounds = {"--loss-at-most": "1000000"} | {option: text}
    more = [part for pair in bounds.items() for part in pair]
    outcome = crossmargin("zk", "prove", folder / "maker.json", *more, "--out", folder.parent / "proof.json")
    assert (outcome.code, trusting) == (2, [])
    assert said in outcome.err.replace("\n", " ")


def test_a_tampered_statement_is_neither_proved_nor_attested(folder, trusting):
    attested(folder)
    path = folder / "maker.json"
    path.write_text(path.read_text().replace('"worst_loss": "', '"worst_loss": "1'))
    assert crossmargin("zk", "prove", path, "--loss-at-most", "1000000", "--out", folder.parent / "p.json").code != 0
    assert "verify" in attested(folder).err
    path.unlink()
    assert "one of each" in attested(folder).err.replace("\n", " ")
    assert trusting == []


def test_without_a_prover_the_remedy_is_named(folder, monkeypatch):
    attested(folder)
    monkeypatch.setenv(zero_knowledge.VARIABLE, str(folder))
    outcome = crossmargin("zk", "prove", folder / "maker.json", "--loss-at-most", "1000000", "--out", folder / "p.json")
    assert (outcome.code, "make zk" in outcome.err) == (2, True)
    write_zk(folder.parent / "proof.json", replace(case("maker")[0], proof="AAAA"))
    assert "make zk" in crossmargin("zk", "verify", folder.parent / "proof.json").err
    empty = folder.parent / "empty"
    empty.mkdir()
    assert "crossmargin attest" in crossmargin("zk", "attest", empty, "--secret-file", folder.parent / "secret.hex").err


def test_amounts_are_whole_quanta_or_refused():
    assert command.quanta_of("12.50", 12, "--loss-at-most") == 12_500_000_000_000
    assert command.quanta_of("1e3", 2, "--loss-at-most") == 100_000
    for text in ("nan", "0.001", "1" * 80, ""):
        with pytest.raises(InvalidInput, match="2 places"):
            command.quanta_of(text, 2, "--loss-at-most")
