"""Every check of a proof of margin but the proof itself, which a verifier of Kimchi has to do.

What is checked is what the public inputs are made of: the heads, and the account's commitment under them. Nothing here
needs the engine, the market or the network.
"""

from __future__ import annotations

import re
from typing import Final

from crossmargin.proofs.checking import Check, check_form, outcome_of
from crossmargin.proofs.reasons import Reason, require
from crossmargin.proofs.statement import head_digest, hexed
from crossmargin.proofs.trees import NAME_MAX, SUM_LIMIT, Inclusion, check_inclusion, list_record
from crossmargin.proofs.typed_hash import Domain
from crossmargin.proofs.zk.commitments import LEAVES_MAX, account_entry, shape_for
from crossmargin.proofs.zk.poseidon import MODULUS
from crossmargin.proofs.zk.statement import MarginProof, field_number, word, zk_digest

_AMOUNT: Final = re.compile(r"0|[1-9][0-9]{0,38}")
_PROOF: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
PROOF_CHARACTERS_MAX: Final = 1 << 17


def verify_stated(proof: MarginProof, *, published: bytes | None = None, domain: Domain | None = None) -> list[Check]:
    """All checks but that of the proof itself; `published` is the digest of the head that is known from elsewhere."""
    checks = [
        outcome_of("form", lambda: _check_form(proof)),
        outcome_of("margin head", lambda: _check_margin(proof)),
        outcome_of("head", lambda: _check_head(proof, published or b"", domain), given=published is not None),
    ]
    return [*checks, outcome_of("account", lambda: _check_account(proof))]


def judged(accepted: bool) -> Check:
    """The check of the proof itself, from what the verifier of Kimchi answered."""
    limit = "one that proves what is stated"
    return outcome_of("proof", lambda: require(accepted, Reason.WRONG_VALUE, "proof", "refused", limit))


def _check_form(proof: MarginProof) -> None:
    """Amounts are below 2¹²⁸, numbers in the field, and the proof is base64 of a sane length."""
    for what, text in (("loss at most", proof.loss_at_most), ("collateral at least", proof.collateral_at_least)):
        require(bool(_AMOUNT.fullmatch(text)), Reason.NOT_CANONICAL, what, text[:80], "a decimal integer, not negative")
        require(int(text) < SUM_LIMIT, Reason.OVERFLOW, what, text, "below 2¹²⁸")
    for what, text in (("commitment", proof.commitment), ("root of rows", proof.head.rows_root)):
        number = field_number(text)
        require(0 < number < MODULUS, Reason.OVERFLOW, what, text, "a number of the field, not 0")
    for text in (proof.commitment, proof.head.rows_root, proof.head.accounts_root, proof.head.margin, *proof.path):
        require(text == hexed(word(text)), Reason.NOT_CANONICAL, "hash", text[:80], "lower-case hexadecimal after 0x")
    require(0 < len(proof.account) <= NAME_MAX, Reason.MALFORMED, "account", proof.account[:80], "1 to 256 characters")
    rows, faces = proof.head.rows, proof.head.faces
    require(faces in (1, 3), Reason.MALFORMED, "faces of a row", faces, "1 or 3")
    require(0 < rows <= LEAVES_MAX // faces, Reason.WRONG_COUNT, "rows", rows, f"from 1 to {LEAVES_MAX // faces}")
    shape_for(proof.head.scenarios)
    size = len(proof.proof)
    require(size <= PROOF_CHARACTERS_MAX, Reason.MALFORMED, "proof", size, f"at most {PROOF_CHARACTERS_MAX} characters")
    require(bool(_PROOF.fullmatch(proof.proof)), Reason.MALFORMED, "proof", proof.proof[:80], "base64")


def _check_margin(proof: MarginProof) -> None:
    """The head is of the epoch whose margin head stands beside it."""
    check_form(proof.margin)
    found, stated = hexed(head_digest(proof.margin)), proof.head.margin
    require(found == stated, Reason.WRONG_ROOT, "margin head", found, f"the one that the head names, {stated}")
    ours = (proof.head.rows, proof.head.scenarios, proof.head.accounts)
    theirs = (proof.margin.rows, proof.margin.scenarios, proof.margin.accounts)
    require(ours == theirs, Reason.WRONG_COUNT, "head", ours, f"the counts of the margin head, {theirs}")


def _check_head(proof: MarginProof, published: bytes, domain: Domain | None) -> None:
    found = zk_digest(proof.head, domain)
    require(found == published, Reason.WRONG_ROOT, "head", found.hex(), f"the published {published.hex()}")


def _check_account(proof: MarginProof) -> None:
    """The commitment is this account's, under the head."""
    entry = account_entry(proof.account, field_number(proof.commitment))
    place = Inclusion(index=proof.index, count=proof.head.accounts, siblings=tuple(map(word, proof.path)))
    check_inclusion(list_record(entry), place, word(proof.head.accounts_root), where=f"account {proof.account!r}")
