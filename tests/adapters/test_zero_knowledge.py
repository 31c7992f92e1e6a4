"""The prover proves what is true, and nothing else; without it, everything that needs it says how to get it."""

import base64
import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from crossmargin.adapters.zero_knowledge import (
    VARIABLE,
    accepted,
    attempts,
    find_prover,
    opening_name,
    prove_all,
    read_opening,
    read_proof,
    write_zk,
)
from crossmargin.core.errors import InvalidInput, UnreadableFile
from crossmargin.proofs.zk.commitments import DEPTH, SHAPES
from crossmargin.proofs.zk.openings import Witness
from crossmargin.proofs.zk.statement import MarginProof
from tests.proofs.zk.books import case, committed, edge_case

replace = msgspec.structs.replace


def less(stated: MarginProof, bound: str, by: int) -> MarginProof:
    return replace(stated, **{bound: str(int(getattr(stated, bound)) - by)})


def cases() -> dict[str, tuple[MarginProof, Witness]]:
    """What is true, and each lie that a prover may try."""
    (maker, secret), (edges, ends) = case("maker"), edge_case()
    other_rows = replace(maker.head, rows_root=edges.head.rows_root)
    return {
        "maker": (maker, secret),
        "edges": (edges, ends),
        "a quantum short": (less(maker, "loss_at_most", 1), secret),
        "a quantum short at the edges": (less(edges, "loss_at_most", 1), ends),
        "a quantum more collateral": (less(maker, "collateral_at_least", -1), secret),
        "another matrix": (replace(maker, head=other_rows), secret),
        "another account": (replace(maker, account="hedger"), secret),
        "another salt": (maker, replace(secret, salt=str(int(secret.salt) + 1))),
        "wrapped lots": (maker, replace(secret, lots=(str(int(secret.lots[0]) + 2**64), *secret.lots[1:]))),
        "another row": (maker, replace(secret, rows=(secret.rows[1], *secret.rows[1:]))),
    }


@pytest.mark.skipif(find_prover() is None, reason="no prover of Kimchi: run `make zk`")
def test_what_is_true_is_proved_and_a_proof_holds_for_what_it_states_alone():
    tried = cases()
    made = dict(zip(tried, attempts(list(tried.values())), strict=True))  # It compiles to the pinned key, or raises.
    proved = {name: proof for name, proof in made.items() if isinstance(proof, MarginProof)}
    assert set(proved) == {"maker", "edges"}
    maker, edges = proved["maker"], proved["edges"]
    raw = bytearray(base64.b64decode(maker.proof))
    raw[len(raw) // 2] ^= 1
    changed = [
        less(maker, "loss_at_most", 1),
        less(maker, "collateral_at_least", -1),
        replace(maker, account="hedger"),
        replace(maker, commitment=edges.commitment),
        replace(maker, head=edges.head),
        replace(maker, head=replace(maker.head, margin="0x" + "11" * 32)),  # A replay in another epoch.
        replace(maker, proof=edges.proof),
        replace(maker, proof=base64.b64encode(raw).decode()),
        replace(maker, proof="AAAA"),
    ]
    assert accepted([maker, edges, *changed]) == [True, True, *[False] * len(changed)]
    assert len(maker.proof) < 40_000


def test_each_shape_has_a_key_of_this_circuit(repository: Path):
    folder = repository / "zk"
    circuit = hashlib.sha256((folder / "src" / "circuit.mjs").read_bytes()).hexdigest()
    version = json.loads((folder / "package.json").read_text())["dependencies"]["o1js"]
    for shape in SHAPES:
        key = json.loads((folder / "keys" / f"{shape.name}.json").read_text())
        assert (key["circuit"], key["o1js"]) == (circuit, version), (
            "make it again: the command `key` of zk/src/main.mjs"
        )
    assert {path.stem for path in (folder / "keys").iterdir()} == {shape.name for shape in SHAPES}
    assert f"DEPTH = {DEPTH};" in (folder / "src" / "circuit.mjs").read_text()


def test_without_a_prover_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert find_prover() is None
    with pytest.raises(InvalidInput, match="make zk"):
        prove_all([case("maker")])
    with pytest.raises(InvalidInput, match="make zk"):
        accepted([case("maker")[0]])


def test_openings_and_proofs_are_read_as_they_were_written(tmp_path: Path):
    opening, proof = committed().openings[0], replace(case("maker")[0], proof="AAAA")
    write_zk(tmp_path / opening_name("a/b"), opening)
    write_zk(tmp_path / "proof.json", proof)
    assert read_opening(tmp_path / "a%2Fb.opening.json") == opening
    assert read_proof(tmp_path / "proof.json") == proof
    (tmp_path / "large.json").write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(UnreadableFile, match="more than"):
        read_proof(tmp_path / "large.json")
