"""The prover of Kimchi in a child process of Node, and openings and proofs in files.

It runs `zk/src/main.mjs` on a job in a folder that only this user can read, and is asked nothing over a network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from crossmargin.adapters.documents import decode
from crossmargin.adapters.statements import account_stem, read_bounded
from crossmargin.adapters.writing import write_text
from crossmargin.core.errors import InvalidInput, NotProved
from crossmargin.proofs.reasons import Reason
from crossmargin.proofs.zk.commitments import Shape, shape_for
from crossmargin.proofs.zk.openings import Witness
from crossmargin.proofs.zk.statement import MarginProof, Opening, ZkHead, public_inputs

VARIABLE: Final = "CROSSMARGIN_ZK"
ZK_HEAD_NAME: Final = "zk-head.json"
OPENING_SUFFIX: Final = ".opening.json"
FILE_BYTES_MAX: Final = 1 << 20


def find_prover() -> Path | None:
    """The folder that CROSSMARGIN_ZK names, or `zk` of the repository, with its packages; None without them or Node."""
    # An editable install stands in its repository: src/crossmargin/adapters/zero_knowledge.py.
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "zk"
    ready = shutil.which("node") is not None and (folder / "node_modules" / "o1js").is_dir()
    return folder if ready else None


def prove_all(cases: Sequence[tuple[MarginProof, Witness]], *, cache: Path | None = None) -> list[MarginProof]:
    """Each of `cases`, of one epoch, with its proof, which has been verified; `cache` keeps the proving key.

    Raises `InvalidInput` where Node or its packages are missing, and `NotProved` where a case is not true."""
    proved = []
    for attempt in attempts(cases, cache=cache):
        if isinstance(attempt, NotProved):
            raise attempt
        proved.append(attempt)
    return proved


def attempts(
    cases: Sequence[tuple[MarginProof, Witness]], *, cache: Path | None = None
) -> list[MarginProof | NotProved]:
    """As `prove_all`, with the refusal in place of a proof where a case is not true: one process, one compilation."""
    jobs = [{"stated": public_inputs(stated), "witness": msgspec.to_builtins(witness)} for stated, witness in cases]
    answer = _asked("prove", shape_for(cases[0][0].head.scenarios), cases=jobs, cache=cache and str(cache.resolve()))
    return [
        msgspec.structs.replace(stated, proof=found["proof"]) if "proof" in found else _refused(stated, found["why"])
        for (stated, _), found in zip(cases, answer["attempts"], strict=True)
    ]


def _refused(stated: MarginProof, why: str) -> NotProved:
    limit = "a statement that is true of what is committed"
    return NotProved(Reason.WRONG_VALUE, where=f"account {stated.account!r}", found=why, limit=limit)


def accepted(proofs: Sequence[MarginProof]) -> list[bool]:
    """Whether each proof, of one shape, proves what it states; the pinned key of the shape is what judges.

    Raises `InvalidInput` where Node or its packages are missing."""
    cases = [{"stated": public_inputs(proof), "proof": proof.proof} for proof in proofs]
    found: list[bool] = _asked("verify", shape_for(proofs[0].head.scenarios), cases=cases)["accepted"]
    return found


def _asked(command: str, shape: Shape, **more: object) -> dict[str, Any]:
    """What the child process answers."""
    folder, node = find_prover(), shutil.which("node")
    if folder is None or node is None:
        raise InvalidInput(
            "prover",
            where="zero-knowledge",
            value="not found",
            limit="Node 20 and the packages of the folder zk",
            remedy=f"Run `make zk`, or name the folder in {VARIABLE}.",
        )
    with tempfile.TemporaryDirectory(prefix="crossmargin-zk-") as private:
        job_path, answer_path = Path(private, "job.json"), Path(private, "answer.json")
        job = {"command": command, "shape": {"legs": shape.legs, "scenarios": shape.scenarios}, **more}
        job_path.write_bytes(msgspec.json.encode(job))
        started = [node, str(folder / "src" / "main.mjs"), str(job_path), str(answer_path)]
        ended = subprocess.run(started, capture_output=True, check=False)  # noqa: S603 Node, by its path
        if ended.returncode != 0 or not answer_path.is_file():
            raise InvalidInput(
                "prover",
                where=str(folder),
                value=ended.stderr.decode(errors="replace")[-400:],
                limit="able to answer",
                remedy="Run `make zk` again; it needs Node 20 and 3 GB of memory.",
            )
        answer: dict[str, Any] = msgspec.json.decode(answer_path.read_bytes())
    return answer


def opening_name(account: str) -> str:
    """The name of the file of an account's opening, whatever its id.

    >>> opening_name("desk/punt")
    'desk%2Fpunt.opening.json'
    """
    return account_stem(account) + OPENING_SUFFIX


def read_opening(path: str | Path) -> Opening:
    """The opening in a .json file; checks its form and none of what it claims."""
    return decode(read_bounded(Path(path), FILE_BYTES_MAX), Opening, syntax="json", where=str(path))


def read_proof(path: str | Path) -> MarginProof:
    """The proof in a .json file; checks its form and none of what it claims."""
    return decode(read_bounded(Path(path), FILE_BYTES_MAX), MarginProof, syntax="json", where=str(path))


def read_zk_head(path: str | Path) -> ZkHead:
    """The head in a .json file; checks its form and none of what it claims."""
    return decode(read_bounded(Path(path), FILE_BYTES_MAX), ZkHead, syntax="json", where=str(path))


def write_zk(path: str | Path, document: ZkHead | Opening | MarginProof) -> None:
    """Write a head, an opening or a proof as JSON; an opening is a secret, and its user alone can read it."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
    write_text(path, text, private=isinstance(document, Opening))
