"""Reports signed for a contract, and what the contracts are told: `contracts/MarginAttestor.vy` and its neighbours.

Signatures are those of EIP-712, for one contract on one chain: k of n, 65 bytes each (r, s, v), in rising order of the
signers' addresses, s in the lower half. What a statement opens becomes the arguments of contracts here: integers are
`int`, fixed bytes and addresses `bytes`, structures tuples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from crossmargin.adapters.networks.signing import address_of, coincurve
from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.calldata import loss_arguments, positions_of
from crossmargin.proofs.claims import Claim
from crossmargin.proofs.collateral_lines import lines_digest
from crossmargin.proofs.commitments import POSITIONS, leaf_content
from crossmargin.proofs.keccak import DIGEST_BYTES, keccak
from crossmargin.proofs.statement import Head, Statement, StateProof, head_digest
from crossmargin.proofs.trees import Inclusion
from crossmargin.proofs.typed_hash import Domain, struct_hash, typed_digest

SIGNATURE_BYTES: Final = 65
_RECOVERY: Final = 27  # What Ethereum adds to the recovery id of a signature.

HeadArgument = tuple[int | bytes, ...]
LeafArgument = tuple[str, bytes, bytes, int, int, int, tuple[bytes, ...]]


def sign_head(head: Head, keys: Sequence[bytes], domain: Domain) -> bytes:
    """The signatures of a report that `MarginAttestor.submit` takes."""
    return sign_digest(head_digest(head, domain), keys)


def sign_change(
    signers: Sequence[bytes], threshold: int, *, nonce: int, valid_until_s: int, keys: Sequence[bytes], domain: Domain
) -> bytes:
    """The signatures of `MarginAttestor.propose`: other signers, by rising address, and how many must sign."""
    listed = (32).to_bytes(32, "big") + len(signers).to_bytes(32, "big")
    listed += b"".join([signer.rjust(32, b"\x00") for signer in signers])
    structure = struct_hash(
        "SignerChange",
        [
            ("uint256", "nonce", nonce),
            ("bytes32", "signers", keccak(listed)),
            ("uint256", "threshold", threshold),
            ("uint256", "validUntil", valid_until_s),
        ],
    )
    return sign_digest(typed_digest(domain, structure), keys)


def sign_withdrawal(*, nonce: int, keys: Sequence[bytes], domain: Domain) -> bytes:
    """The signatures of `MarginAttestor.withdrawChange`."""
    structure = struct_hash("SignerChangeWithdrawal", [("uint256", "nonce", nonce)])
    return sign_digest(typed_digest(domain, structure), keys)


def sign_anchor(anchors: bytes, chain_id: int, block_hash: bytes, *, keys: Sequence[bytes], domain: Domain) -> bytes:
    """The signatures of `MarginAttestor.anchor`: the block is of that chain, and final."""
    structure = struct_hash(
        "Anchor",
        [("address", "anchors", anchors), ("uint256", "chainId", chain_id), ("bytes32", "blockHash", block_hash)],
    )
    return sign_digest(typed_digest(domain, structure), keys)


def sign_digest(digest: bytes, keys: Sequence[bytes]) -> bytes:
    """The signatures of a digest by private keys of 32 bytes, packed, by rising address of the signers.

    Raises `InvalidInput` where a key stands twice."""
    if len(set(keys)) < len(keys):
        raise InvalidInput("keys", where="signatures", value=len(keys), limit="each once", remedy="Sign with others.")
    return b"".join([_signature(digest, key) for key in by_address(keys)])


def by_address(keys: Sequence[bytes]) -> tuple[bytes, ...]:
    """Keys in the order in which contracts want their signers."""
    return tuple(sorted(keys, key=address_of))


def head_argument(head: Head) -> HeadArgument:
    """The structure `Head` of contracts."""
    inputs = head.inputs
    hashes = (inputs.snapshot, inputs.scenario_set, inputs.model, inputs.book, inputs.registry)
    return (
        head.epoch,
        head.as_of_ms,
        *(_raw(text) for text in hashes),
        head.money_decimals,
        _raw(head.rows_root),
        head.rows,
        _raw(head.scenarios_root),
        head.scenarios,
        _raw(head.accounts_root),
        head.accounts,
        _raw(head.claims_root),
        head.claims,
        int(head.worst_loss_total),
        int(head.collateral_total),
    )


def leaf_argument(statement: Statement) -> LeafArgument:
    """The structure `Leaf` of contracts: an account's leaf without what it holds."""
    content = leaf_content(keccak(POSITIONS + _held(statement)), lines_digest(statement.lines))
    path = [_raw(record) for record in statement.path]
    return (
        statement.account,
        _raw(statement.salt),
        content,
        int(statement.worst_loss),
        int(statement.collateral),
        statement.index,
        tuple(raw[at : at + DIGEST_BYTES] for raw in path for at in range(0, len(raw), DIGEST_BYTES)),
    )


def loss_refutation(statement: Statement) -> tuple[HeadArgument, LeafArgument, bytes, bytes, bytes]:
    """What `Challenge.refuteLoss` takes after the id: report, leaf, positions, digest of lines, opened rows.

    Raises `InvalidInput` for a statement that is larger than the contract reads."""
    *_, positions, opened = loss_arguments(statement)
    return (
        head_argument(statement.head),
        leaf_argument(statement),
        positions,
        lines_digest(statement.lines),
        opened,
    )


def claim_argument(claim: Claim, proof: Inclusion) -> tuple[Any, ...]:
    """The structure `Claim` of contracts: a claim and its place in the tree."""
    return (
        keccak(claim.account.encode()),
        claim.chain_id,
        claim.anchor,
        claim.contract,
        claim.code_hash,
        claim.slot.to_bytes(32, "big"),
        claim.value,
        proof.index,
        proof.siblings,
    )


def claim_refutation(proof: StateProof, place: int) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]:
    """What `Challenge.refuteClaim` takes after the claim: header, and nodes to account and slot."""
    nodes = [_raw(node) for node in proof.nodes]
    return (
        _raw(proof.header),
        tuple(nodes[at] for at in proof.account_path),
        tuple(nodes[at] for at in proof.slots[place].path),
    )


def _held(statement: Statement) -> bytes:
    return len(statement.positions).to_bytes(4, "big") + positions_of(statement)


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _signature(digest: bytes, key: bytes) -> bytes:
    """libsecp256k1 signs with s in the lower half, and with a nonce that the message fixes (RFC 6979)."""
    signed: bytes = coincurve().PrivateKey(key).sign_recoverable(digest, hasher=None)
    return signed[:64] + bytes([signed[64] + _RECOVERY])
