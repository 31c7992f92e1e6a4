"""Events of a block as endpoints state them, held against the receipts that its header commits to.

One endpoint's receipts are enough, whoever it is: they hash to the root in a header whose hash a quorum named, or they
are refused. Then every endpoint states the events of the contract, and one that hides, invents, changes or moves any
has no vote. What is left to the quorum is the hash of a transaction, which no receipt has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from crossmargin.adapters.networks.backend import ChainReader, Log
from crossmargin.adapters.networks.endpoints import SILENCE, Endpoint, Stated, reason_of, stated
from crossmargin.market.chains.agreement import Freeze, Frozen
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.reasons import Reason, require
from crossmargin.proofs.receipts import AnyReceipt, PlacedLog, ReceiptLog, check_receipts, logs_of
from crossmargin.proofs.rlp_codec import decode, strings
from crossmargin.proofs.state import HEADER, check_header
from crossmargin.proofs.trie import EMPTY_ROOT

Readers = Sequence[Endpoint[ChainReader]]
_RECEIPTS, _BLOOM = list(HEADER).index("receiptsRoot"), list(HEADER).index("logsBloom")
_BLOOM_BYTES: Final = 256


def may_log(header: bytes, contract: bytes) -> bool:
    """Whether a block may have events of a contract, by its header in RLP; no is certain where blooms are kept.

    The bloom has, for each address that logs, the three bits that the first three pairs of bytes of its keccak name
    modulo 2048. An empty one over receipts says nothing: chains need not keep them, and EIP-7668 would drop them.
    Source: Ethereum yellow paper, section 4.3.1 (M3:2048)."""
    items = decode(header, where="header")
    fields = strings(items, where="header") if isinstance(items, list) else [b""] * len(HEADER)
    bloom, named = int.from_bytes(fields[_BLOOM], "big"), keccak(contract)
    bits = [int.from_bytes(named[place : place + 2], "big") % (8 * _BLOOM_BYTES) for place in (0, 2, 4)]
    kept = bloom > 0 and len(fields[_BLOOM]) == _BLOOM_BYTES
    return fields[_RECEIPTS] != EMPTY_ROOT and (not kept or all(bloom >> bit & 1 for bit in bits))


def proven_receipts(reader: ChainReader, block_hash: bytes) -> tuple[AnyReceipt, ...]:
    """All receipts of a block, proven by its hash; raises `NotProved`, or what the reader raises."""
    block = check_header(reader.block(block_hash).header, block_hash)
    receipts = reader.receipts(block_hash)
    check_receipts(block.receipts_root, receipts, where=f"receipts of block {block.number}")
    return receipts


def proven_logs(reader: ChainReader, block_hash: bytes, contract: bytes) -> tuple[PlacedLog, ...]:
    """The events of a contract in a block, proven by its hash; raises as `proven_receipts` does."""
    return logs_of(proven_receipts(reader, block_hash), contract, where=f"block 0x{block_hash.hex()}")


def agreed_logs(
    endpoints: Readers, number: int, block_hash: bytes, contract: bytes, *, quorum: int
) -> Stated[tuple[Log, ...]] | Frozen:
    """The events of a contract in a block that a quorum states as the receipts have them; or why none are believed."""
    proven = _first(endpoints, number, lambda reader: proven_logs(reader, block_hash, contract))
    if isinstance(proven, Frozen):
        return proven

    def ask(reader: ChainReader) -> tuple[Log, ...]:
        return matching(reader.block_logs(block_hash, contract), proven, block_hash, number)

    return stated(endpoints, number, ask, quorum=quorum)


def stated_logs(
    endpoints: Readers, number: int, block_hash: bytes, contract: bytes, *, quorum: int
) -> Stated[tuple[Log, ...]] | Frozen:
    """The events of a contract in a block that a quorum states alike, and nothing proves."""
    return stated(endpoints, number, lambda reader: reader.block_logs(block_hash, contract), quorum=quorum)


def matching(logs: tuple[Log, ...], proven: Sequence[PlacedLog], block_hash: bytes, number: int) -> tuple[Log, ...]:
    """`logs`, if they are those that were proven, each at its place; raises `NotProved` otherwise."""
    where = f"events of block {number}"
    require(len(logs) == len(proven), Reason.WRONG_COUNT, where, len(logs), f"the {len(proven)} of its receipts")
    for log, held in zip(logs, proven, strict=True):
        said = ReceiptLog(address=log.address, topics=log.topics, data=log.data)
        require(said == held.log, Reason.WRONG_VALUE, where, said, f"{held.log} in its receipts")
        places = (log.transaction_index, log.index, log.block_hash, log.block_number)
        known = (held.transaction_index, held.index, block_hash, number)
        require(places == known, Reason.WRONG_VALUE, where, places, f"the place {known} of its receipts")
    return logs


def _first(
    endpoints: Readers, number: int, prove: Callable[[ChainReader], tuple[PlacedLog, ...]]
) -> tuple[PlacedLog, ...] | Frozen:
    """What the first endpoint proves that can, or what all said instead."""
    said: list[str] = []
    for endpoint in endpoints:
        try:
            return prove(endpoint.reader)
        except SILENCE as failure:
            said.append(f"{endpoint.name}: {reason_of(failure)}")
    return Frozen(reason=Freeze.UNPROVED, number=number, said=tuple(said))
