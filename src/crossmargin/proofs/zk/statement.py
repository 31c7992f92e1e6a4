"""The second head of an epoch, which a circuit can open, the openings that accounts keep, and what a proof states.

The head names the margin head of the same epoch by its digest, so that whoever trusts its own digest trusts both. An
opening goes to its account beside the statement, whose integers it opens once more. A proof is for strangers: it says
that the account's worst loss is at most one amount and its collateral at least another, and shows nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.keccak import DIGEST_BYTES, keccak
from crossmargin.proofs.statement import Head, hexed
from crossmargin.proofs.typed_hash import Domain, Field, struct_hash, typed_digest
from crossmargin.proofs.zk.commitments import halves

OPENING_FORMAT: Final = "crossmargin-zk-opening-1"
PROOF_FORMAT: Final = "crossmargin-zk-proof-1"


class ZkHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What circuits open of one epoch; `margin` is the digest of its margin head under the plain domain.

    `faces` are leaves by row of R: 3 where any position is between lots, else 1. Roots are 32 bytes."""

    margin: str
    rows_root: str
    rows: int
    faces: int
    scenarios: int
    accounts_root: str
    accounts: int


class LeafPath(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A leaf of the tree of rows, its salt, and its neighbours from the bottom up."""

    leaf: int
    salt: str
    path: tuple[str, ...]


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account needs beside its statement to prove anything; as secret as that.

    `leaves` are those that its legs stand in, in order; `path` leads from its entry to the root of accounts."""

    format: Literal["crossmargin-zk-opening-1"] = OPENING_FORMAT
    head: ZkHead
    account: str
    salt: str
    path: tuple[str, ...]
    leaves: tuple[LeafPath, ...]


class MarginProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account's margin without its positions: `loss_at_most` and `collateral_at_least`, quanta of money.

    `proof` is what the prover made, base64; all else is what it is about."""

    format: Literal["crossmargin-zk-proof-1"] = PROOF_FORMAT
    head: ZkHead
    margin: Head
    account: str
    commitment: str
    index: int
    path: tuple[str, ...]
    loss_at_most: str
    collateral_at_least: str
    proof: str


def zk_digest(head: ZkHead, domain: Domain | None = None) -> bytes:
    """The typed hash of a head, 32 bytes: what is published, and what signers sign."""
    fields: list[Field] = [
        ("bytes32", "margin", word(head.margin)),
        ("bytes32", "rowsRoot", word(head.rows_root)),
        ("uint64", "rows", head.rows),
        ("uint8", "faces", head.faces),
        ("uint64", "scenarios", head.scenarios),
        ("bytes32", "accountsRoot", word(head.accounts_root)),
        ("uint64", "accounts", head.accounts),
    ]
    return typed_digest(domain or Domain(), struct_hash("ZeroKnowledgeMargin", fields))


def word(text: str) -> bytes:
    """32 bytes from hexadecimal; raises `InvalidInput` for anything else."""
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != DIGEST_BYTES:
        remedy = "Take the file as it was written."
        raise InvalidInput(
            "word", where="zero-knowledge", value=text[:80], limit="32 bytes in hexadecimal", remedy=remedy
        )
    return raw


def public_inputs(proof: MarginProof) -> Mapping[str, str]:
    """What a proof is checked against, as decimal text by the circuit's names: all of it follows from the statement."""
    head_high, head_low = halves(zk_digest(proof.head))
    id_high, id_low = halves(keccak(proof.account.encode()))
    numbers = {
        "headHigh": head_high,
        "headLow": head_low,
        "rowsRoot": field_number(proof.head.rows_root),
        "commitment": field_number(proof.commitment),
        "idHigh": id_high,
        "idLow": id_low,
        "loss": int(proof.loss_at_most),
        "collateral": int(proof.collateral_at_least),
    }
    return {name: str(number) for name, number in numbers.items()}


def field_text(number: int) -> str:
    """A number of the field as it stands in a file."""
    return hexed(number.to_bytes(DIGEST_BYTES, "big"))


def field_number(text: str) -> int:
    """What `field_text` wrote."""
    return int.from_bytes(word(text), "big")
