"""The journal of a chain: a tree of blocks above the last final one, and what accounts hold at its head.

A reorg is a new head. The blocks that it leaves are undone by the inverse of what they did, those that it enters are
done, and no event counts twice or is lost: what stands at the head is always what was final and the movements of the
best branch, whatever came between. Which head is best, the chain says; the journal only follows parents.

A debit that was seen stays seen: where a reorg leaves it out, its transaction can still come back, so it counts as
announced until the best branch has it again, or it is known that it cannot (`forget`).

Every function gives a new journal and changes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.market.chains.blocks import Block, Header, Key, Movement, moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is known of `chain` (CAIP-2).

    `root` is the last final block and `final` what accounts hold after it; `blocks` are all that are known above it, on
    whatever branch, by hash; `balances` is what accounts hold after `head`. `seen` are debits by transaction that were
    announced or left behind, and are not final (`announced` says which count). `forked` is a header that contradicts
    what was final.
    """

    chain: str
    root: Header
    final: Mapping[Key, int]
    head: Header
    balances: Mapping[Key, int]
    blocks: Mapping[bytes, Block] = field(default_factory=dict)
    seen: Mapping[bytes, tuple[Movement, ...]] = field(default_factory=dict)
    forked: Header | None = None


def begin(chain: str, root: Header, final: Mapping[Key, int]) -> Journal:
    """A journal that starts from a final block and what accounts hold after it."""
    held = MappingProxyType({key: amount for key, amount in final.items() if amount})
    return Journal(chain=chain, root=root, final=held, head=root, balances=held)


def knows(journal: Journal, block_hash: bytes) -> bool:
    """Whether a block is the root or above it."""
    return block_hash == journal.root.hash or block_hash in journal.blocks


def learn(journal: Journal, block: Block) -> Journal:
    """With `block` among those known; again with the same block it changes nothing.

    Raises `UnknownName` where its parent is not known, and `InvalidInput` where it does not follow it, or where another
    content was told under the same hash.
    """
    header, where = block.header, f"{journal.chain} block {block.header.number}"
    known = journal.blocks.get(header.hash)
    if known is not None:
        if known != block:
            raise InvalidInput(
                "block", where=where, value=f"0x{header.hash.hex()}", limit="the same each time", remedy="Ask others."
            )
        return journal
    if not knows(journal, header.parent):
        raise UnknownName("parent", where=where, value=f"0x{header.parent.hex()}", remedy="Learn its ancestors first.")
    parent = _header(journal, header.parent)
    if header.number != parent.number + 1 or header.timestamp_s < parent.timestamp_s:
        raise InvalidInput(
            "place",
            where=where,
            value=(header.number, header.timestamp_s),
            limit=f"number {parent.number + 1}, time from {parent.timestamp_s} on",
            remedy="Ask another endpoint: this is no child of its parent.",
        )
    return replace(journal, blocks=MappingProxyType({**journal.blocks, header.hash: block}))


def adopt(journal: Journal, head: bytes) -> Journal:
    """With the known block `head` at the end of the best branch; raises `UnknownName` for one that is not known."""
    left, entered = path(journal, head)
    balances, seen = dict(journal.balances), dict(journal.seen)
    for block in left:
        balances = moved(balances, block.movements, -1)
        seen |= _debits(block)
    for block in entered:
        balances = moved(balances, block.movements)
    return replace(
        journal,
        head=_header(journal, head),
        balances=MappingProxyType(balances),
        seen=MappingProxyType(seen),
    )


def path(journal: Journal, head: bytes) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """The blocks that a new head leaves, last first, and those that it enters, first first."""
    old, new = journal.head.hash, head
    if not knows(journal, head):
        raise UnknownName("head", where=journal.chain, value=f"0x{head.hex()}", remedy="Learn the block first.")
    left: list[Block] = []
    entered: list[Block] = []
    while old != new:
        if _header(journal, old).number >= _header(journal, new).number:
            left.append(journal.blocks[old])
            old = left[-1].header.parent
        else:
            entered.append(journal.blocks[new])
            new = entered[-1].header.parent
    return tuple(left), tuple(reversed(entered))


def best_branch(journal: Journal) -> tuple[Block, ...]:
    """The blocks above the root up to the head, first first."""
    found: list[Block] = []
    at = journal.head.hash
    while at != journal.root.hash:
        found.append(journal.blocks[at])
        at = found[-1].header.parent
    return tuple(reversed(found))


def announced(journal: Journal) -> dict[bytes, tuple[Movement, ...]]:
    """Debits that were seen and are not on the best branch, by transaction."""
    here = _transactions(best_branch(journal))
    return {transaction: debits for transaction, debits in journal.seen.items() if transaction not in here}


def finalise(journal: Journal, final: bytes) -> Journal:
    """With `final` as the root: what does not descend from it is dropped.

    A known block beside the best branch that is called final contradicts it: the journal is then `forked` and else
    unchanged. Raises `UnknownName` for a block that is not known.
    """
    if not knows(journal, final):
        raise UnknownName("final block", where=journal.chain, value=f"0x{final.hex()}", remedy="Learn the block first.")
    branch = best_branch(journal)
    upto = next((n + 1 for n, block in enumerate(branch) if block.header.hash == final), 0)
    if not upto:
        return journal if final == journal.root.hash else fork(journal, _header(journal, final))
    settled = journal.final
    for block in branch[:upto]:
        settled = moved(settled, block.movements)
    kept: dict[bytes, Block] = {}
    for block in sorted(journal.blocks.values(), key=lambda block: block.header.number):
        if block.header.parent == final or block.header.parent in kept:
            kept[block.header.hash] = block
    done = _transactions(branch[:upto])
    return replace(
        journal,
        root=branch[upto - 1].header,
        final=MappingProxyType(dict(settled)),
        blocks=MappingProxyType(kept),
        seen=MappingProxyType({key: debits for key, debits in journal.seen.items() if key not in done}),
    )


def fork(journal: Journal, header: Header) -> Journal:
    """Marked as contradicted by `header`: what was final is not. Only a new journal, anchored again, is free of it."""
    return replace(journal, forked=header)


def announce(journal: Journal, debits: tuple[Movement, ...]) -> Journal:
    """With debits of one transaction that is in no block yet; for one that the best branch has nothing changes."""
    known = {movement.transaction for movement in debits} & _transactions(best_branch(journal))
    return journal if known else see(journal, debits)


def see(journal: Journal, debits: tuple[Movement, ...]) -> Journal:
    """With debits of one transaction among those seen, wherever it is; raises `InvalidInput` for anything else."""
    transactions = {movement.transaction for movement in debits}
    if len(transactions) != 1 or any(movement.amount > 0 for movement in debits):
        raise InvalidInput(
            "announced",
            where=journal.chain,
            value=len(transactions),
            limit="debits of one transaction",
            remedy="Announce each transaction by itself; credits count when a block has them.",
        )
    return replace(journal, seen=MappingProxyType({**journal.seen, debits[0].transaction: debits}))


def forget(journal: Journal, transaction: bytes) -> Journal:
    """Without an announced transaction that can no longer come: another one with its nonce is final, or it expired."""
    if transaction in _transactions(best_branch(journal)):
        return journal
    left = {key: debits for key, debits in journal.seen.items() if key != transaction}
    return replace(journal, seen=MappingProxyType(left))


def _header(journal: Journal, block_hash: bytes) -> Header:
    return journal.root if block_hash == journal.root.hash else journal.blocks[block_hash].header


def _transactions(blocks: Iterable[Block]) -> set[bytes]:
    return {movement.transaction for block in blocks for movement in block.movements}


def _debits(block: Block) -> dict[bytes, tuple[Movement, ...]]:
    found: dict[bytes, tuple[Movement, ...]] = {}
    for movement in block.movements:
        if movement.amount < 0:
            found[movement.transaction] = (*found.get(movement.transaction, ()), movement)
    return found
