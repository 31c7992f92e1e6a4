"""Many endpoints, of which some may lie: one final block that a quorum vouches for, and what is proven in it.

The ladder of trust: L0, one endpoint says so; L1, a quorum of operators says the same; L2, proven by a path from the
state root of a header that hashes to what the quorum named; L3, and that hash is known from elsewhere as well (a light
client, another chain). Whoever gives evidence that does not hold loses its vote, and is named with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from crossmargin.adapters.networks.backend import AccountProof, BlockAnswer, ChainReader
from crossmargin.core.errors import NotProved, Reverted, UnknownName, UnreachableChain
from crossmargin.core.finality import Trust
from crossmargin.market.chains.agreement import QUORUM, Agreed, Answer, Freeze, Frozen, agree, common_height
from crossmargin.market.registry.document import Finality
from crossmargin.proofs.reasons import Reason, refuse
from crossmargin.proofs.state import Account, Block, check_account, check_header, check_slots

R = TypeVar("R")
V = TypeVar("V")
SILENCE: Final = (UnreachableChain, UnknownName, NotProved, Reverted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Generic[R]):
    """A way to a chain: its name, who operates it, and the reader that asks it."""

    name: str
    operator: str
    reader: R


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A final block that `operators` name, whose `header` hashes to its hash; `refused` are endpoints without vote."""

    block: Block
    header: bytes
    operators: tuple[str, ...]
    refused: Mapping[str, str]
    trust: Trust = Trust.L2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Slots of a contract, proven in a block: `values` by slot, `trust` that of the anchor.

    `proof` is the evidence, to be kept; `digest` is SHA-256 of the header and all nodes in their order. `refused` are
    endpoints whose proof did not hold, with the reason."""

    block: Block
    account: Account
    values: Mapping[int, int]
    trust: Trust
    proof: AccountProof
    digest: bytes
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated(Generic[V]):
    """A value that operators state alike and nobody proves."""

    value: V
    trust: Trust
    operators: tuple[str, ...]
    refused: Mapping[str, str]


def reason_of(failure: Exception) -> str:
    """Why an endpoint has no say, to stand behind its name: what it did, without the name and a remedy again."""
    return failure.reason if isinstance(failure, UnreachableChain) else str(failure)


def final_height(reader: ChainReader, profile: Finality) -> int:
    """The number of the last block that an endpoint calls final, by the method of the chain's profile."""
    if profile.method == "tag":
        return reader.block("finalized").number
    return max(reader.block("latest").number - profile.blocks, 0)


def anchored(
    endpoints: Sequence[Endpoint[ChainReader]], profile: Finality, *, quorum: int = QUORUM, dissent_max: int = 0
) -> Anchor | Frozen:
    """The last block that a quorum of operators calls final."""
    return agreed_block(endpoints, lambda reader: final_height(reader, profile), quorum=quorum, dissent_max=dissent_max)


def head_of(
    endpoints: Sequence[Endpoint[ChainReader]], *, quorum: int = QUORUM, limit: int | None = None
) -> Anchor | Frozen:
    """The last block, up to number `limit`, that a quorum has; near it honest nodes may differ, which is borne."""

    def height(reader: ChainReader) -> int:
        latest = reader.block("latest").number
        return latest if limit is None else min(latest, limit)

    return agreed_block(endpoints, height, quorum=quorum, dissent_max=len(endpoints))


def agreed_block(
    endpoints: Sequence[Endpoint[ChainReader]],
    height_of: Callable[[ChainReader], int],
    *,
    quorum: int,
    dissent_max: int,
) -> Anchor | Frozen:
    """The block at the greatest height that a quorum of operators reports, with the header that they agree on.

    An endpoint that is silent, behind that height, or whose header does not hash to its hash has no vote."""
    heights: dict[str, int] = {}
    refused: dict[str, str] = {}
    finals: dict[str, int] = {}
    for endpoint in endpoints:
        try:
            heights[endpoint.name] = height_of(endpoint.reader)
        except SILENCE as failure:
            refused[endpoint.name] = reason_of(failure)
        else:
            own = heights[endpoint.name]
            finals[endpoint.operator] = min(finals.get(endpoint.operator, own), own)
    height = common_height(finals, quorum)
    if height is None:
        return Frozen(reason=Freeze.TOO_FEW, number=-1, said=tuple(f"{n}: {why}" for n, why in refused.items()))
    headers: dict[bytes, tuple[Block, bytes]] = {}
    answers = [
        _answer(endpoint, height, heights.get(endpoint.name), refused.get(endpoint.name, ""), headers)
        for endpoint in endpoints
    ]
    found = agree(height, answers, quorum=quorum, dissent_max=dissent_max)
    if isinstance(found, Agreed):
        block, header = headers[found.block_hash]
        return Anchor(block=block, header=header, operators=found.operators, refused=found.silent)
    forged = found.reason is Freeze.TOO_FEW and any(f"({Reason.WRONG_HEADER})" in answer.silent for answer in answers)
    return replace(found, reason=Freeze.FORGED_HEADER) if forged else found


def _answer(
    endpoint: Endpoint[ChainReader],
    height: int,
    own: int | None,
    silent: str,
    headers: dict[bytes, tuple[Block, bytes]],
) -> Answer:
    """The vote of an endpoint on block `height`; the header of a block that it proves goes into `headers`."""
    said = Answer(endpoint=endpoint.name, operator=endpoint.operator, silent=silent)
    if own is not None and own < height:
        return replace(said, silent=f"stale: it reports height {own}, others {height}")
    if silent:
        return said
    try:
        answer = endpoint.reader.block(height)
        block = _checked(answer, height)
    except SILENCE as failure:
        return replace(said, silent=reason_of(failure))
    headers[block.hash] = block, answer.header
    return replace(said, block_hash=block.hash)


def _checked(answer: BlockAnswer, height: int) -> Block:
    """The block of an answer whose every field is that of its header; raises `NotProved`."""
    block = check_header(answer.header, answer.hash)
    stated = (answer.number, answer.timestamp_s, height)
    if stated != (block.number, block.timestamp_s, block.number):
        raise refuse(Reason.WRONG_VALUE, f"block {height}", stated, f"number and time of its header, {block.number}")
    return block


def vouched(anchor: Anchor, block_hash: bytes) -> Anchor | Frozen:
    """The anchor at trust L3 where another source of trust names the same hash; frozen where it names another."""
    if block_hash == anchor.block.hash:
        return replace(anchor, trust=Trust.L3)
    said = (f"operators: 0x{anchor.block.hash.hex()}", f"vouched for: 0x{block_hash.hex()}")
    return Frozen(reason=Freeze.DISAGREEMENT, number=anchor.block.number, said=said)


def read_slots(
    endpoints: Sequence[Endpoint[ChainReader]],
    anchor: Anchor,
    address: bytes,
    slots: Sequence[int],
    *,
    code_hash: bytes,
) -> Reading:
    """The slots of a contract in the anchored block, from the first endpoint whose proof holds; its code is pinned.

    Raises `NotProved` where none gives a proof that holds, with the reasons of all in its message; at once where one
    proves that other code is there, as no other endpoint can prove the contrary."""
    refused: dict[str, str] = {}
    for endpoint in endpoints:
        try:
            proof = endpoint.reader.proof(address, slots, anchor.block.number)
            account, values = _proven(anchor.block, address, slots, proof, code_hash)
        except SILENCE as failure:
            if isinstance(failure, NotProved) and failure.reason == Reason.WRONG_CODE:
                raise
            refused[endpoint.name] = reason_of(failure)
            continue
        return Reading(
            block=anchor.block,
            account=account,
            values=MappingProxyType(values),
            trust=anchor.trust,
            proof=proof,
            digest=digest_of(anchor.header, proof),
            refused=MappingProxyType(refused),
        )
    said = "; ".join(f"{name}: {why}" for name, why in refused.items())
    raise refuse(Reason.WRONG_COUNT, f"account 0x{address.hex()}", said or "no endpoint", "one proof that holds")


def _proven(
    block: Block, address: bytes, slots: Sequence[int], proof: AccountProof, code_hash: bytes
) -> tuple[Account, dict[int, int]]:
    account = check_account(block.state_root, address, proof.nodes, code_hash=code_hash)
    if account is None:
        raise refuse(Reason.ABSENT, f"account 0x{address.hex()}", "no account", "a contract")
    paths = {path.slot: path.nodes for path in proof.slots}
    if set(paths) != set(slots):
        raise refuse(Reason.WRONG_COUNT, "slots", len(paths), f"the {len(set(slots))} that were asked for")
    return account, check_slots(account.storage_root, paths)


def digest_of(header: bytes, proof: AccountProof) -> bytes:
    """SHA-256 of a header and the nodes of a proof in their order, each behind its length in four bytes."""
    hashed = hashlib.sha256()
    for part in (header, *proof.nodes, *(node for path in proof.slots for node in path.nodes)):
        hashed.update(len(part).to_bytes(4, "big") + part)
    return hashed.digest()


def stated(
    endpoints: Sequence[Endpoint[R]], height: int, ask: Callable[[R], V], *, quorum: int = QUORUM, dissent_max: int = 0
) -> Stated[V] | Frozen:
    """What a quorum of operators states alike, for chains without proofs; with a quorum of one the word of one (L0)."""
    values: dict[bytes, V] = {}
    answers: list[Answer] = []
    for endpoint in endpoints:
        said = Answer(endpoint=endpoint.name, operator=endpoint.operator)
        try:
            value = ask(endpoint.reader)
        except SILENCE as failure:
            answers.append(replace(said, silent=reason_of(failure)))
            continue
        key = hashlib.sha256(repr(value).encode()).digest()
        values[key] = value
        answers.append(replace(said, block_hash=key))
    found = agree(height, answers, quorum=quorum, dissent_max=dissent_max)
    if isinstance(found, Frozen):
        return found
    trust = Trust.L1 if len(found.operators) > 1 else Trust.L0
    return Stated(value=values[found.block_hash], trust=trust, operators=found.operators, refused=found.silent)
