"""Chainlink's AggregatorV3 and its feed of L2 sequencer uptime, read from a chain at one block.

All calls are pinned to the hash of a block, so that a reorg between two of them is an error and no mixture of states.

Source: smartcontractkit/documentation, data feeds, AggregatorV3Interface (2026-08-21); Solidity ABI specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from crossmargin.adapters.networks.backend import BlockId, ChainReader
from crossmargin.adapters.oracles.reading import Cursor, Read, Refused, malformed
from crossmargin.core.errors import InvalidInput, Reverted, UnknownName, UnreachableChain
from crossmargin.market.oracles.document import Feed
from crossmargin.market.oracles.quotes import Sequencer
from crossmargin.market.oracles.sources.chainlink import Round, round_quote, sequencer_state

LATEST_ROUND: Final = bytes.fromhex("feaf968c")  # keccak of "latestRoundData()", its first four bytes
DECIMALS: Final = bytes.fromhex("313ce567")  # "decimals()"
_WORD: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregator:
    """A feed and the contract that answers for it, on the chain that the feed names."""

    feed: Feed
    address: bytes


def read_aggregators(
    reader: ChainReader, aggregators: Iterable[Aggregator], *, at: BlockId, seen_ns: int
) -> tuple[Read, bytes]:
    """The last rounds of contracts in the state after one block, and the hash of that block.

    What reverts, answers in another form or stands on another chain is refused with its reason. Raises as
    `ChainReader.block` does where the block is not known."""
    pinned = reader.block(at).hash
    found = Read()
    for one in aggregators:
        found += _aggregator(reader, one, pinned, seen_ns)
    return found, pinned


def _aggregator(reader: ChainReader, one: Aggregator, pinned: bytes, seen_ns: int) -> Read:
    source = one.feed.source
    if one.feed.chain != f"eip155:{reader.chain_id}":
        words = f"the feed is read on {one.feed.chain or 'no chain'}, not on eip155:{reader.chain_id}"
        return Read(refused=(Refused(source=source, reason="chain", words=words),))
    try:
        return Read(quotes=(round_quote(one.feed, read_round(reader, one.address, at=pinned), seen_ns=seen_ns),))
    except (Reverted, UnreachableChain, UnknownName) as failure:
        return Read(refused=(Refused(source=source, reason="call", words=str(failure)),))
    except InvalidInput as failure:
        return Read(refused=(Refused(source=source, reason="malformed", words=str(failure)),))


def read_round(reader: ChainReader, address: bytes, *, at: BlockId) -> Round:
    """What `latestRoundData()` and `decimals()` answer at a block; raises `InvalidInput` for another form."""
    where = f"0x{address.hex()}"
    scale = _one(reader.call(address, DECIMALS, at), where)
    data = Cursor(reader.call(address, LATEST_ROUND, at), where=where)
    round_id, answer = _narrow(data, 80, where), data.number(_WORD, signed=True)
    started_at, updated_at = _narrow(data, 64, where), _narrow(data, 64, where)
    _narrow(data, 80, where)
    data.end()
    return Round(round_id=round_id, answer=answer, started_at=started_at, updated_at=updated_at, decimals=scale)


def read_sequencer(reader: ChainReader, address: bytes, *, at: BlockId) -> Sequencer | None:
    """The state of a sequencer by its uptime feed at a block; none, which closes the gate, where it tells nothing.

    `latestRoundData()` answers 0 for up and 1 for down, since `startedAt`."""
    try:
        return sequencer_state(read_round(reader, address, at=at))
    except (Reverted, UnreachableChain, InvalidInput):
        return None


def _narrow(data: Cursor, bits: int, where: str) -> int:
    """A word that must fit a narrower type: what does not is no answer of this interface, or a time beyond all."""
    value = data.number(_WORD)
    if value >> bits:
        raise malformed(where, value, f"below 2^{bits}")
    return value


def _one(output: bytes, where: str) -> int:
    word = Cursor(output, where=where)
    value = _narrow(word, 8, where)
    word.end()
    return value
