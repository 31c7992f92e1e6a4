"""Vaults on live chains, read: followed to the last final block that operators agree on, and proven there.

What is not agreed on is not believed: the journal then stands as it was, and the chain lags at least, so that nothing
short of final counts. What is agreed on and not proven is worth less (L1). Other code than the pinned one is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from crossmargin.adapters.contracts.abi import decode, encode_call
from crossmargin.adapters.contracts.vault import balance_slot, vault_artifact, vault_key, vault_movements
from crossmargin.adapters.journals.store import JournalStore
from crossmargin.adapters.live.pending import Pending, prove_pending
from crossmargin.adapters.live.sources import LiveChain, Sources, Vault, Way
from crossmargin.adapters.networks.backend import ChainReader, Log
from crossmargin.adapters.networks.endpoints import (
    SILENCE,
    Anchor,
    Endpoint,
    Reading,
    anchored,
    head_of,
    read_slots,
    reason_of,
    stated,
)
from crossmargin.adapters.networks.following import BLOCKS_MAX, Follower, Poll, Source, Told, first_journal
from crossmargin.adapters.networks.jsonrpc import JsonRpc
from crossmargin.adapters.networks.rpc_reader import RpcReader
from crossmargin.core.errors import InvalidInput, NotProved, UnreachableChain
from crossmargin.core.finality import Health, Level, Trust
from crossmargin.engine.plan import Progress
from crossmargin.market.chains.agreement import Frozen
from crossmargin.market.chains.blocks import Key, Movement
from crossmargin.market.chains.health import Condition, condition, unexplained
from crossmargin.market.chains.journal import Journal
from crossmargin.market.chains.levels import Heads, level_of
from crossmargin.market.chains.recognition import by_level
from crossmargin.market.chains.steps import Learn
from crossmargin.market.registry.document import Finality
from crossmargin.proofs.reasons import Reason

FAILURES_MAX = 3  # An endpoint that fails so often in a row is not waited for again.
BEHIND_MAX = 8 * BLOCKS_MAX  # Some four days of Ethereum; a journal that is further behind is begun anew sooner.


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The endpoints of a chain that answered for it, and why others did not."""

    endpoints: tuple[Endpoint[ChainReader], ...]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an owner has in a vault, in smallest units: `levels` as a book states it, FINAL less all debits seen.

    `final` and `debits` (not positive) are its two parts, `pending` the credits above the final block, and `proven`
    what the slot holds there, if it is proven."""

    owner: bytes
    account: str
    levels: Mapping[Level, int]
    final: int
    debits: int
    pending: int
    proven: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultReading:
    """One look at a vault: how its chain does, and what each owner has.

    `anchor` is the final block that was agreed on, with the operators that name it; `reading` proves the balances in
    it, and is None where nothing is proven: `unproven` says why, `frozen` what was not agreed on. `refused` are
    endpoints without a vote, or whose proof did not hold; `blocks` were learnt. Of `asked` operators `agree` must.
    `pending` proves what moved above the final block."""

    vault: Vault
    journal: Journal
    condition: Condition
    trust: Trust
    balances: tuple[Balance, ...]
    blocks: int
    resumed: bool
    agree: int
    asked: int
    anchor: Anchor | None = None
    reading: Reading | None = None
    frozen: tuple[Frozen, ...] = ()
    unproven: str = ""
    pending: Pending = field(default_factory=Pending)
    refused: Mapping[str, str]


@contextmanager
def reached(chain: LiveChain) -> Iterator[Reached]:
    """The endpoints of a chain, asked once which chain they are of; their connections end with the block."""
    opened: list[JsonRpc] = []
    found: list[Endpoint[ChainReader]] = []
    refused: dict[str, str] = {}
    try:
        for way in chain.ways:
            opened.append(_connection(way, chain))
            try:
                reader = RpcReader(way.url, rpc=opened[-1])
            except SILENCE as failure:
                refused[way.name] = reason_of(failure)
                continue
            if reader.chain_id == chain.number:
                found.append(Endpoint(name=way.name, operator=way.operator, reader=reader))
            else:
                refused[way.name] = f"it is of chain eip155:{reader.chain_id}, not of {chain.chain}"
        yield Reached(endpoints=tuple(found), refused=refused)
    finally:
        for connection in opened:
            connection.close()


def _connection(way: Way, chain: LiveChain) -> JsonRpc:
    return JsonRpc(
        way.url,
        name=way.name,
        timeout_s=chain.timeout_s,
        answer_bytes_max=chain.answer_bytes_max,
        failures_max=FAILURES_MAX,
    )


def read_vaults(sources: Sources, *, now_s: int, progress: Progress) -> tuple[VaultReading, ...]:
    """Every vault of the sources, one after the other; raises as `read_vault` does."""
    found: list[VaultReading] = []
    for chain in sources.chains:
        told = partial(progress, f"following {chain.chain}")
        with reached(chain) as ways:
            found += [read_vault(chain, vault, ways, now_s=now_s, told=told) for vault in chain.vaults]
    return tuple(found)


def read_vault(chain: LiveChain, vault: Vault, ways: Reached, *, now_s: int, told: Told) -> VaultReading:
    """What a vault holds for its owners at `now_s` (Unix); its journal goes on from where it stood.

    Raises `UnreachableChain` where no journal stands and nothing was agreed on to begin one, `NotProved` for other code
    than the pinned one and for first balances that are not proven, and `InvalidInput` for a journal that is not this
    vault's or is too far behind."""
    source = Source(
        endpoints=ways.endpoints,
        profile=chain.profile,
        contract=vault.address,
        movements=_own_movements(vault),
        quorum=chain.agree,
        receipts=chain.receipts,
    )
    with JournalStore(vault.journal, partial(_first, source, vault, ways), subject=vault.subject) as store:
        if not store.begun:
            _check_distance(source, store)
        poll, blocks = _followed(Follower(source, store), told)
    reading, unproven = _proven(source, vault, poll)
    found, balances = _judged(vault, poll, reading, chain.profile, now_s)
    anchor_refused = dict(poll.anchor.refused) if poll.anchor is not None else {}
    return VaultReading(
        vault=vault,
        journal=poll.journal,
        condition=found,
        trust=reading.trust if reading is not None else Trust.L1,
        balances=balances,
        blocks=blocks,
        resumed=not store.begun,
        agree=chain.agree,
        asked=len({way.operator for way in chain.ways}),
        anchor=poll.anchor,
        reading=reading,
        frozen=poll.frozen,
        unproven=unproven,
        pending=prove_pending(source.endpoints, vault, poll.journal) if chain.receipts else Pending(),
        refused=dict(ways.refused) | anchor_refused | (dict(reading.refused) if reading is not None else {}),
    )


def key_of(vault: Vault, owner: bytes) -> Key:
    """Whose and of what, as the journal of a vault has it."""
    return vault_key(owner, home=vault.home, asset=vault.instance)


def _own_movements(vault: Vault) -> Callable[[Log], tuple[Movement, ...]]:
    """Reads the logs of this vault, and keeps what moves its owners' balances."""
    read = vault_movements(home=vault.home, asset=vault.instance)
    accounts = {key_of(vault, owner).account for owner in vault.owners}

    def movements(log: Log) -> tuple[Movement, ...]:
        if log.address != vault.address:
            return ()
        return tuple(movement for movement in read(log) if movement.account in accounts)

    return movements


def _first(source: Source, vault: Vault, ways: Reached) -> Journal:
    """A journal from the last final block on, with the balances that are proven in it."""
    anchor = anchored(source.endpoints, source.profile, quorum=source.quorum)
    if isinstance(anchor, Frozen):
        said = "; ".join((*anchor.said, *(f"{name}: {why}" for name, why in ways.refused.items())))
        raise UnreachableChain(
            vault.chain, reason=f"{source.quorum} operators do not agree on a final block ({anchor.reason}): {said}"
        )
    values = _slots(source, vault, anchor).values
    _check_stated(source, vault, anchor)
    held = {key_of(vault, owner): values[balance_slot(owner)] for owner in vault.owners}
    return first_journal(vault.chain, anchor, held)


def _check_stated(source: Source, vault: Vault, anchor: Anchor) -> None:
    """Raises `InvalidInput` where the vault says that it holds another token, or names its owners by another chain.

    Both are immutables, which the pinned code has: they are asked for once, before a journal is begun."""
    held, home = _stated(source, vault, anchor, "token"), _stated(source, vault, anchor, "home")
    token = vault.token
    for what, said, named in (("token", f"0x{held.hex()}", f"0x{token.hex()}"), ("home", home, vault.home)):
        if said != named:
            raise InvalidInput(
                what,
                where=f"sources of {vault.name}",
                value=named,
                limit=f"{said}, as the vault says of itself",
                remedy="Correct it.",
            )


def _stated(source: Source, vault: Vault, anchor: Anchor, function: str) -> Any:
    """What a quorum says that a function of the vault answers in the anchored block."""
    artifact, at = vault_artifact(), anchor.block.number
    call = encode_call(artifact, function)
    found = stated(source.endpoints, at, lambda reader: reader.call(vault.address, call, at), quorum=source.quorum)
    if isinstance(found, Frozen):
        raise UnreachableChain(vault.name, reason=f"{function}() is not agreed on: {'; '.join(found.said)}")
    return decode(artifact, function, found.value)


def _slots(source: Source, vault: Vault, anchor: Anchor) -> Reading:
    slots = [balance_slot(owner) for owner in vault.owners]
    return read_slots(source.endpoints, anchor, vault.address, slots, code_hash=vault.code_hash)


def _check_distance(source: Source, store: JournalStore) -> None:
    """Raises `InvalidInput` for a journal that would take too long to bring up to the head."""
    head = head_of(source.endpoints, quorum=source.quorum)
    behind = 0 if isinstance(head, Frozen) else head.block.number - store.journal.head.number
    if behind > BEHIND_MAX:
        raise InvalidInput(
            "journal",
            where=str(store.path),
            value=f"{behind:,} blocks behind",
            limit=f"at most {BEHIND_MAX:,}",
            remedy="Name a new file: it begins at the last final block, with balances that are proven there.",
        )


def _followed(follower: Follower, told: Told) -> tuple[Poll, int]:
    """The poll that reached the final block, or could not, and how many blocks were learnt on the way."""
    blocks = 0
    while True:
        poll = follower.poll(told)
        blocks += sum(isinstance(step, Learn) for step in poll.steps)
        if poll.frozen or not poll.steps or _is_at_anchor(poll):
            return poll, blocks


def _is_at_anchor(poll: Poll) -> bool:
    return poll.anchor is not None and poll.anchor.block.hash == poll.journal.root.hash


def _proven(source: Source, vault: Vault, poll: Poll) -> tuple[Reading | None, str]:
    """The owners' balances in the block at which the journal stands, or why they are not proven there."""
    if poll.frozen or poll.anchor is None:
        return None, ""
    if not _is_at_anchor(poll):
        place = f"operators agree on final block {poll.anchor.block.number}"
        return None, f"{place}, the journal stands at {poll.journal.root.number}"
    try:
        return _slots(source, vault, poll.anchor), ""
    except NotProved as failure:
        if failure.reason == Reason.WRONG_CODE:
            raise
        return None, str(failure)


def _judged(
    vault: Vault, poll: Poll, reading: Reading | None, profile: Finality, now_s: int
) -> tuple[Condition, tuple[Balance, ...]]:
    """How the chain does, and what each owner has."""
    journal = poll.journal
    values = {} if reading is None else {owner: reading.values[balance_slot(owner)] for owner in vault.owners}
    changes = unexplained(journal, {key_of(vault, owner): value for owner, value in values.items()})
    found = condition(journal, profile, now_s=float(now_s), unexplained=changes)
    if poll.frozen:
        why = tuple(f"nothing new is believed ({one.reason})" for one in poll.frozen)
        found = replace(found, health=max(found.health, Health.LAGGING), reasons=(*why, *found.reasons))
    at_root = Heads(latest=journal.head, safe_number=journal.root.number, final_number=journal.root.number)
    level = partial(level_of, profile=profile, heads=poll.heads or at_root, now_s=now_s)
    levels = by_level(journal, level)
    balances = tuple(
        _balance(vault, owner, journal, levels.get(key_of(vault, owner), {}), values.get(owner))
        for owner in vault.owners
    )
    return found, balances


def _balance(vault: Vault, owner: bytes, journal: Journal, levels: Mapping[Level, int], proven: int | None) -> Balance:
    """An owner's balance; of what events say and what is proven to be there the lower is final."""
    moved, counted = journal.final.get(key_of(vault, owner), 0), levels.get(Level.FINAL, 0)
    final = moved if proven is None else min(moved, proven)
    found = {at: amount for at, amount in levels.items() if at != Level.FINAL}
    left = final + counted - moved
    return Balance(
        owner=owner,
        account=vault.owners[owner],
        levels=found | ({Level.FINAL: left} if left else {}),
        final=final,
        debits=counted - moved,
        pending=sum(found.values()),
        proven=proven,
    )
