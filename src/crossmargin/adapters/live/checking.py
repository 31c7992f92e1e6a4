"""Kept proofs, checked by a stranger: every check by name, offline, against blocks and vaults that he knows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from crossmargin.adapters.documents import decode
from crossmargin.adapters.live.backing import Backing, ProofsDocument, check_backing, place_of
from crossmargin.adapters.live.pending import PendingProof, check_pending
from crossmargin.adapters.statements import STATEMENT_BYTES_MAX, read_bounded
from crossmargin.core import check
from crossmargin.core.errors import CrossmarginError, NotProved
from crossmargin.proofs.checking import Check, Trusted
from crossmargin.proofs.reasons import Reason, require


def read_unchecked(path: Path) -> ProofsDocument:
    """The proofs in a file, of at most 16 MiB: their form, and none of what they claim; raises as `decode` does."""
    return decode(read_bounded(path, STATEMENT_BYTES_MAX), ProofsDocument, syntax="json", where=str(path))


def check_proofs(document: ProofsDocument, trusted: Trusted) -> tuple[Check, ...]:
    """All checks, none left out after one that fails.

    An event holds in its block whatever became of it; that the block is of the chain, `trusted.anchors` say."""
    checks = [_run("each once", partial(_check_once, document))]
    for backing in document.backings:
        proof = backing.proof
        name = f"{proof.chain} {proof.address} for {backing.owner}"
        checks.append(_run(f"state of {name}", partial(check_backing, backing, where=name)))
        checks += _known(name, (proof.chain, proof.address), proof.anchor, backing, trusted)
    for one in document.pending:
        name = f"{one.event.chain} {one.vault} at {one.event.transaction}.{one.event.log} of {one.anchor[:10]}"
        checks.append(_run(f"event of {name}", partial(check_pending, one)))
        checks += _known(name, (one.event.chain, one.vault), one.anchor, one, trusted)
    return tuple(checks)


def _known(
    name: str, vault: tuple[str, str], anchor: str, shown: Backing | PendingProof, trusted: Trusted
) -> tuple[Check, Check]:
    """Block and contract are known to the stranger."""
    known = partial(_check_anchor, vault[0], anchor, trusted)
    held = partial(_check_vault, ":".join(vault), shown, trusted)
    return (
        _run(f"anchor of {name}", known, given=bool(trusted.anchors)),
        _run(f"vault of {name}", held, given=bool(trusted.vaults)),
    )


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


def _check_vault(vault: str, shown: Backing | PendingProof, trusted: Trusted) -> None:
    """The contract is known to hold the token, in that mapping, and to name its owners by that chain."""
    instance, slot = trusted.vaults.get(vault, ("nothing", -1))
    at = shown.mapping if isinstance(shown, Backing) else slot
    home = trusted.homes.get(vault, vault.rpartition(":")[0])
    stated, known = (shown.instance, at, shown.home), (instance, slot, home)
    require(stated == known, Reason.WRONG_VALUE, f"vault {vault[:120]}", stated, f"as it is known, {known}")


def _run(name: str, made: Callable[[], object], *, given: bool = True) -> Check:
    if not given:
        return Check(name=name, outcome="not checked", why="nothing to check it against was given")
    try:
        made()
    except NotProved as failure:
        return Check(name=name, outcome="fails", reason=failure.reason, why=str(failure))
    except CrossmarginError as failure:
        return Check(name=name, outcome="fails", reason=Reason.MALFORMED, why=str(failure))
    return Check(name=name, outcome="holds")
