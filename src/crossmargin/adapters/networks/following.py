"""Following a chain: what many endpoints agree on becomes steps of a journal, and the journal is kept on disk.

A poll asks for the final block and for the head that a quorum has, goes back from the head by parent hashes to a block
that the journal knows, and takes the events of each block by its hash from a quorum again, held against the receipts of
that block. A reorg needs nothing of its own: the way back ends at an older block. What cannot be agreed on now is left
for the next poll, and nothing is lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from crossmargin.adapters.journals.store import JournalStore
from crossmargin.adapters.networks.backend import ChainReader, Log
from crossmargin.adapters.networks.endpoints import SILENCE, Anchor, Endpoint, anchored, head_of, reason_of
from crossmargin.adapters.networks.events import agreed_logs, may_log, stated_logs
from crossmargin.market.chains.agreement import QUORUM, Freeze, Frozen, common_height
from crossmargin.market.chains.blocks import Block, Header, Key, Movement
from crossmargin.market.chains.journal import Journal, begin, best_branch, knows
from crossmargin.market.chains.levels import Heads
from crossmargin.market.chains.steps import Adopt, Announce, Finalise, Forget, Fork, Learn, Step, take_all
from crossmargin.market.registry.document import Finality
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.rlp_codec import decode, strings
from crossmargin.proofs.state import check_header

Readers = Sequence[Endpoint[ChainReader]]
ReadMovements = Callable[[Log], Iterable[Movement]]
Told = Callable[[int, int], object]
"""Takes how many blocks are done, of how many."""
BLOCKS_MAX = 4_096  # In one poll: a chain that is further ahead is caught up with in several.


def _untold(_done: int, _total: int) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where movements come from: endpoints, the chain's finality, the contract whose events count, how to read them.

    `receipts` is false for a chain whose receipts have a form of their own: its events are then a quorum's word."""

    endpoints: Readers
    profile: Finality
    contract: bytes
    movements: ReadMovements
    quorum: int = QUORUM
    receipts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """The journal after a poll, the steps that it took, and why something was not believed, if so.

    `anchor` is the final block that was agreed on, to prove balances in (the journal's root, where all was found), and
    `heads` says how final blocks are; both are None where nothing was agreed on."""

    journal: Journal
    steps: tuple[Step, ...] = ()
    frozen: tuple[Frozen, ...] = ()
    anchor: Anchor | None = None
    heads: Heads | None = None


class Follower:
    """Follows one chain from the journal in `store`."""

    def __init__(self, source: Source, store: JournalStore) -> None:
        self.source, self.store = source, store

    @property
    def journal(self) -> Journal:
        """The journal as it stands on disk."""
        return self.store.journal

    def poll(self, told: Told = _untold) -> Poll:
        """One look at the chain; what it finds is on disk when it returns, and `told` while it goes on.

        The final block is asked for before the head: it is then below it, or final blocks were undone."""
        source, journal = self.source, self.store.journal
        final = anchored(source.endpoints, source.profile, quorum=source.quorum)
        head = head_of(source.endpoints, quorum=source.quorum, limit=journal.head.number + BLOCKS_MAX)
        if isinstance(final, Frozen) or isinstance(head, Frozen):
            found = tuple(said for said in (final, head) if isinstance(said, Frozen))
            return Poll(journal=journal, frozen=found)
        steps = next_steps(journal, source, head.header, header_of(final.header), told)
        if isinstance(steps, Frozen):
            return Poll(journal=journal, frozen=(steps,), anchor=final)
        after = self.store.append(steps)
        heads = Heads(latest=after.head, safe_number=_safe_number(source, after), final_number=after.root.number)
        return Poll(journal=after, steps=steps, anchor=final, heads=heads)

    def announce(self, debits: tuple[Movement, ...]) -> Journal:
        """Count debits of a transaction that is signed and in no block yet."""
        return self.store.append((Announce(debits),))

    def forget(self, transaction: bytes) -> Journal:
        """No longer count a transaction that cannot come any more."""
        return self.store.append((Forget(transaction),))


def next_steps(
    journal: Journal, source: Source, tip: bytes, final: Header, told: Told = _untold
) -> tuple[Step, ...] | Frozen:
    """The steps that lead a journal to the head `tip`, a header in RLP, and to `final` below it; or why the blocks
    between are not believed. Endpoints are asked only for events of blocks whose header says that there may be some.

    A head below the root says that endpoints are behind, and changes nothing. One that does not come from the root, or
    a final block beside it, contradicts what was final: a fork."""
    head = header_of(tip)
    if journal.forked is not None or head.number < journal.root.number:
        return ()
    missing: list[tuple[Header, bool]] = []
    raw, at = tip, head
    while not knows(journal, at.hash):
        if at.number <= journal.root.number:
            return (Fork(at),)
        missing.append((at, may_log(raw, source.contract) or not source.receipts))
        told(len(missing), 2 * max(head.number - journal.head.number, len(missing)))
        parent = _header(source, at.parent, at.number - 1)
        if isinstance(parent, Frozen):
            return parent
        raw, at = parent, header_of(parent)
    steps: list[Step] = []
    for done, (header, logs) in enumerate(reversed(missing), 1):
        told(len(missing) + done, 2 * len(missing))
        block = _block(source, header) if logs else Block(header=header)
        if isinstance(block, Frozen):
            return block
        steps.append(Learn(block))
    if head.hash != journal.head.hash:
        steps.append(Adopt(head.hash))
    return (*steps, *_finality(take_all(journal, steps), final))


def _finality(journal: Journal, final: Header) -> tuple[Step, ...]:
    """What the final block does to a journal that has the head."""
    if not journal.root.number <= final.number <= journal.head.number or final.hash == journal.root.hash:
        return ()
    on_branch = any(block.header.hash == final.hash for block in best_branch(journal))
    return (Finalise(final.hash) if on_branch else Fork(final),)


def _header(source: Source, block_hash: bytes, number: int) -> bytes | Frozen:
    """The header with that hash in RLP, from the first endpoint that has it; the hash is proof enough."""
    said: list[str] = []
    for endpoint in source.endpoints:
        try:
            answer = endpoint.reader.block(block_hash)
            check_header(answer.header, block_hash)
        except SILENCE as failure:
            said.append(f"{endpoint.name}: {reason_of(failure)}")
        else:
            return answer.header
    return Frozen(reason=Freeze.TOO_FEW, number=number, said=tuple(said))


def _block(source: Source, header: Header) -> Block | Frozen:
    """A header with the movements of its block, whose events a quorum states alike, as its receipts have them."""
    events = agreed_logs if source.receipts else stated_logs
    found = events(source.endpoints, header.number, header.hash, source.contract, quorum=source.quorum)
    if isinstance(found, Frozen):
        return found
    return Block(header=header, movements=tuple(moved for log in found.value for moved in source.movements(log)))


def _safe_number(source: Source, journal: Journal) -> int:
    """The number that a quorum calls safe, between root and head; the root's where the chain has no such tag."""
    if source.profile.method != "tag":
        return journal.root.number
    found: dict[str, int] = {}
    for endpoint in source.endpoints:
        with contextlib.suppress(*SILENCE):
            number = endpoint.reader.block("safe").number
            found[endpoint.operator] = min(found.get(endpoint.operator, number), number)
    height = common_height(found, source.quorum) or 0
    return min(max(height, journal.root.number), journal.head.number)


def first_journal(chain: str, anchor: Anchor, final: Mapping[Key, int]) -> Journal:
    """A journal that starts at an anchored block, with balances proven in it."""
    return begin(chain, header_of(anchor.header), final)


def header_of(header: bytes) -> Header:
    """The place in its chain that a header in RLP states, under the hash that it has; raises `NotProved`."""
    block = check_header(header, keccak(header))
    items = decode(header, where="header")
    parent = strings(items[:1], where="header")[0] if isinstance(items, list) else b""
    return Header(hash=block.hash, parent=parent, number=block.number, timestamp_s=block.timestamp_s)
