"""State proofs of what was read, kept in a file, and given to an epoch: its claims, and where its lines are proven."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from crossmargin.adapters.contracts.vault import balance_slot, vault_artifact
from crossmargin.adapters.documents import read_document
from crossmargin.adapters.live.pending import PendingProof, check_pending
from crossmargin.adapters.live.reading import VaultReading
from crossmargin.adapters.live.sources import Vault
from crossmargin.adapters.networks.endpoints import Anchor, Reading
from crossmargin.adapters.writing import write_text
from crossmargin.core import check
from crossmargin.core.chain_ids import parse_chain
from crossmargin.core.errors import InvalidInput, UnreachableChain
from crossmargin.core.instant import format_instant
from crossmargin.proofs.checking import Trusted, check_state
from crossmargin.proofs.claims import Claim
from crossmargin.proofs.collateral_lines import Source
from crossmargin.proofs.state import SLOT_LIMIT, Block, check_header, mapping_slot
from crossmargin.proofs.statement import Epoch, Statement, StateProof, backed, hexed, state_proof, statement_of

PROOFS_NAME: Final = "proofs.json"
_OWNER: Final = re.compile(r"0x[0-9a-f]{40}")


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class Backing(_Part, frozen=True, kw_only=True):
    """What an `owner` has in a vault, proven: one slot, the one of the owner in the `mapping` at that slot.

    `account` is the account or pool of the book that it is collateral of, `home` (CAIP-2) the chain by which the vault
    names its owners, `operators` those who named the block."""

    account: str
    owner: str
    home: str
    instance: str
    mapping: int
    operators: tuple[str, ...]
    proof: StateProof


class ProofsDocument(_Part, frozen=True, kw_only=True):
    """The proofs of one reading of all vaults: what owners had in final blocks, and what moved above these."""

    format: Literal["crossmargin-proofs-1"] = "crossmargin-proofs-1"
    backings: tuple[Backing, ...]
    pending: tuple[PendingProof, ...] = ()


def backing_of(vault: Vault, owner: bytes, anchor: Anchor, reading: Reading) -> Backing:
    """The proof of an owner's balance, as statements carry it."""
    slot = balance_slot(owner)
    (path,) = (proof.nodes for proof in reading.proof.slots if proof.slot == slot)
    return Backing(
        account=vault.owners[owner],
        owner=hexed(owner),
        home=f"eip155:{vault.home}",
        instance=vault.instance,
        mapping=vault_artifact().slots["balances"],
        operators=anchor.operators,
        proof=state_proof(
            chain=vault.chain,
            header=anchor.header,
            anchor=anchor.block.hash,
            address=vault.address,
            code_hash=vault.code_hash,
            account_path=reading.proof.nodes,
            slots=[(slot, reading.values[slot], path)],
        ),
    )


def backings_of(readings: Iterable[VaultReading]) -> tuple[Backing, ...]:
    """The proofs of all that owners have; of a vault that is not proven there are none."""
    return tuple(
        backing_of(one.vault, balance.owner, one.anchor, one.reading)
        for one in readings
        if one.anchor is not None and one.reading is not None
        for balance in one.balances
        if balance.proven
    )


def require_proven(readings: Iterable[VaultReading]) -> None:
    """Raises `UnreachableChain` for a vault of which nothing is proven now: there is nothing to claim."""
    for one in readings:
        if one.reading is None:
            said = [text for frozen in one.frozen for text in (str(frozen.reason), *frozen.said)]
            why = "; ".join(said) or one.unproven
            raise UnreachableChain(one.vault.name, reason=f"its balances are not proven now: {why}")


def proofs_of(readings: Sequence[VaultReading]) -> ProofsDocument:
    """All proofs of a reading, to be kept."""
    pending = tuple(proof for one in readings for proof in one.pending.proofs)
    return ProofsDocument(backings=backings_of(readings), pending=pending)


def write_proofs(folder: Path, document: ProofsDocument) -> None:
    """Keep proofs in a folder."""
    write_text(folder / PROOFS_NAME, msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def read_proofs(folder: Path) -> ProofsDocument:
    """The proofs in a folder, each checked again; raises `NotProved` for one that does not hold.

    Raises `InvalidInput` for one that is not of one slot, the owner's, on a chain of eip155, and `DuplicateName` for an
    event that stands there twice."""
    path = folder / PROOFS_NAME
    document = read_document(path, ProofsDocument)
    for i, backing in enumerate(document.backings):
        check_backing(backing, where=f"{path}: backings[{i}]")
    for one in document.pending:
        check_pending(one)
    check.unique(map(place_of, document.pending), "event", where=f"{path}: pending")
    return document


def check_backing(backing: Backing, *, where: str) -> None:
    """The slot of a proof is the owner's, and holds what is stated; raises `NotProved` or `InvalidInput`."""
    check_state(backing.proof)
    homes = [parse_chain(chain, where=where) for chain in (backing.home, backing.proof.chain)]
    stated = all(chain.namespace == "eip155" and chain.reference.isdecimal() for chain in homes)
    slots = [slot.slot for slot in backing.proof.slots]
    if not (stated and _OWNER.fullmatch(backing.owner) and 0 <= backing.mapping < SLOT_LIMIT) or slots != [
        _own(backing)
    ]:
        raise InvalidInput(
            "proof",
            where=where,
            value=slots[:2],
            limit=f"of the one slot of {backing.owner[:80]} on a chain of eip155",
            remedy="Read the chains again.",
        )


def _own(backing: Backing) -> str:
    return hexed(mapping_slot(backing.mapping, [_raw(backing.owner)], layout="vyper").to_bytes(32, "big"))


def place_of(one: PendingProof) -> str:
    """What makes an event itself: chain, block, transaction and place in its receipt."""
    return f"{one.event.chain} block {one.anchor} transaction {one.event.transaction} log {one.event.log}"


def claim_of(backing: Backing) -> Claim:
    """What an epoch says that the owner's slot holds."""
    proof = backing.proof
    (slot,) = proof.slots
    return Claim(
        account=backing.account,
        chain_id=int(parse_chain(proof.chain, where=backing.account).reference),
        anchor=_raw(proof.anchor),
        contract=_raw(proof.address),
        code_hash=_raw(proof.code_hash),
        slot=int(slot.slot, 16),
        value=int(slot.value),
    )


def block_of(backing: Backing) -> Block:
    """The block that a proof is of."""
    return check_header(_raw(backing.proof.header), _raw(backing.proof.anchor))


def check_backings(backings: Sequence[Backing], pools: Sequence[str], *, as_of_ms: int) -> None:
    """Raises `InvalidInput` for a proof of an account that the epoch lacks, or of a block from before its time.

    A contract takes a claim of an older block for refuted."""
    for backing in backings:
        if backing.account not in pools:
            raise InvalidInput(
                "account",
                where=f"proof of {backing.instance}",
                value=backing.account,
                limit="an account or pool of the book",
                remedy="Name another one in the sources, or add it to the book.",
            )
        block = block_of(backing)
        if block.timestamp_s * 1000 < as_of_ms:
            raise InvalidInput(
                "time of a proven block",
                where=f"{backing.proof.chain} block {block.number}",
                value=format_instant(block.timestamp_s * 10**9),
                limit=f"at the time of the epoch, {format_instant(as_of_ms * 10**6)}, or later",
                remedy="Use a market of the block's time or earlier, or read again once later blocks are final.",
            )


def statement_with(epoch: Epoch, account: str, backings: Iterable[Backing]) -> Statement:
    """An account's statement with its state proofs, and its lines pointing at the slots that back them.

    A line of final tokens can point there where the account bears its owner's name (`is_named`), which is what the slot
    is keyed by. Raises `InvalidInput` for a line of more than the slot holds."""
    own = [backing for backing in backings if backing.account == account]
    statement = statement_of(epoch, account, state=[backing.proof for backing in own])
    for number, backing in enumerate(own):
        place = next((i for i, line in enumerate(statement.lines) if line.instance == backing.instance), None)
        if place is None or not is_named(backing):
            continue
        line, held = statement.lines[place], int(backing.proof.slots[0].value)
        if int(line.amount) > held:
            raise InvalidInput(
                "collateral",
                where=f"{account}, {line.instance}",
                value=line.amount,
                limit=f"at most what is proven, {held}",
                remedy="Use the book that was written with these proofs.",
            )
        source = Source(proof=number, slot=0, mapping=backing.mapping, keys=(backing.owner,), layout="vyper")
        statement = backed(statement, place, source)
    return statement


def is_named(backing: Backing) -> bool:
    """Whether the account bears the name of its owner, CAIP-10 on the vault's home chain."""
    return backing.account == f"{backing.home}:{backing.owner}"


def trusted_of(backings: Iterable[Backing]) -> Trusted:
    """What a stranger has to know from elsewhere to check proofs: final blocks, vaults, and whose they are."""
    found = list(backings)
    anchors: dict[str, list[bytes]] = {}
    for backing in found:
        known, anchor = anchors.setdefault(backing.proof.chain, []), _raw(backing.proof.anchor)
        known += [] if anchor in known else [anchor]
    named = [(f"{one.proof.chain}:{one.proof.address}", one) for one in found]
    return Trusted(
        anchors=anchors,
        vaults={vault: (one.instance, one.mapping) for vault, one in named},
        homes={vault: one.home for vault, one in named if one.home != one.proof.chain},
    )


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
