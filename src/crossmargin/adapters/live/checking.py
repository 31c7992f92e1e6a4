"""Kept proofs, checked by a stranger: every check by name, offline, against blocks and vaults that he knows."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from crossmargin.adapters.documents import decode
from crossmargin.adapters.live.backing import ProofsDocument, check_backing, place_of
from crossmargin.adapters.live.pending import check_pending
from crossmargin.adapters.statements import STATEMENT_BYTES_MAX, read_bounded
from crossmargin.core import check
from crossmargin.proofs.checking import Check, Trusted, outcome_of
from crossmargin.proofs.reasons import Reason, require


def read_unchecked(path: Path) -> ProofsDocument:
    """The proofs in a file, of at most 16 MiB: their form, and none of what they claim; raises as `decode` does."""
    return decode(read_bounded(path, STATEMENT_BYTES_MAX), ProofsDocument, syntax="json", where=str(path))


def check_proofs(document: ProofsDocument, trusted: Trusted) -> tuple[Check, ...]:
    """All checks, none left out after one that fails.

    An event holds in its block whatever became of it; that the block is of the chain, `trusted.anchors` say."""
    checks = [outcome_of("each once", partial(_check_once, document))]
    for backing in document.backings:
        name = f"{backing.proof.chain} {backing.proof.address} for {backing.owner}"
        checks.append(outcome_of(f"state of {name}", partial(check_backing, backing, where=name)))
    for one in document.pending:
        name = f"{one.event.chain} {one.vault} at {one.event.transaction}.{one.event.log} of {one.anchor[:10]}"
        checks.append(outcome_of(f"event of {name}", partial(check_pending, one)))
    return (*checks, *_anchors(document, trusted), *_vaults(document, trusted))


def _anchors(document: ProofsDocument, trusted: Trusted) -> list[Check]:
    """Each block is one that the stranger knows."""
    proven = [(one.proof.chain, one.proof.anchor) for one in document.backings]
    blocks = dict.fromkeys(proven + [(one.event.chain, one.anchor) for one in document.pending])
    given = bool(trusted.anchors)
    return [
        outcome_of(f"anchor of {chain} {anchor[:10]}", partial(_check_anchor, chain, anchor, trusted), given=given)
        for chain, anchor in blocks
    ]


def _vaults(document: ProofsDocument, trusted: Trusted) -> list[Check]:
    """Each contract is known to hold the token, in that mapping, and to name its owners by that chain."""
    proofs = ((f"{one.proof.chain}:{one.proof.address}", one) for one in document.backings)
    shown: dict[tuple[str, str, str], set[int]] = {}
    for vault, one in proofs:
        shown.setdefault((vault, one.instance, one.home), set()).add(one.mapping)
    for moved in document.pending:  # An event says nothing of mappings.
        shown.setdefault((f"{moved.event.chain}:{moved.vault}", moved.instance, moved.home), set())
    given = bool(trusted.vaults)
    return [
        outcome_of(f"vault of {stated[0]}", partial(_check_vault, stated, mappings, trusted), given=given)
        for stated, mappings in shown.items()
    ]


def _check_once(document: ProofsDocument) -> None:
    slots = (
        f"{one.proof.chain} {one.proof.address} {slot.slot}" for one in document.backings for slot in one.proof.slots
    )
    check.unique(slots, "slot", where="proofs")
    check.unique(map(place_of, document.pending), "event", where="proofs")


def _check_anchor(chain: str, anchor: str, trusted: Trusted) -> None:
    known = {f"0x{one.hex()}" for one in trusted.anchors.get(chain, ())}
    require(
        anchor in known, Reason.WRONG_HEADER, f"anchor on {chain[:80]}", anchor[:80], "a block hash that is trusted"
    )


def _check_vault(stated: tuple[str, str, str], mappings: set[int], trusted: Trusted) -> None:
    vault, where = stated[0], f"vault {stated[0][:120]}"
    held, slot = trusted.vaults.get(vault, ("nothing", -1))
    known = (vault, held, trusted.homes.get(vault, vault.rpartition(":")[0]))
    require(stated == known, Reason.WRONG_VALUE, where, stated[1:], f"token and home as known, {known[1:]}")
    require(mappings <= {slot}, Reason.WRONG_VALUE, where, sorted(mappings)[:20], f"the mapping as known, {slot}")
