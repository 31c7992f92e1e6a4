"""Endpoints that lie: a wrapper around a reader that answers some questions otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from crossmargin.adapters.networks.backend import AccountProof, BlockAnswer, ChainReader, SlotProof
from crossmargin.core.errors import UnreachableChain
from crossmargin.proofs.keccak import keccak


class Liar:
    """`reader`, with some of its methods passed through a lie about the true answer."""

    def __init__(self, reader: ChainReader, **lies: Callable[..., Any]) -> None:
        self._reader, self._lies = reader, lies

    def __getattr__(self, name: str) -> Any:
        truth = getattr(self._reader, name)
        lie = self._lies.get(name)
        return truth if lie is None else lambda *args, **named: lie(truth(*args, **named))


def silent(_: Any) -> Any:
    raise UnreachableChain("rpc", reason="timed out")


def wrong_hash(block: BlockAnswer) -> BlockAnswer:
    """The true header under another hash."""
    return replace(block, hash=keccak(block.hash))


def forged_header(block: BlockAnswer) -> BlockAnswer:
    """A header that hashes to its hash, of a block that is not on the chain: another state root."""
    header = block.header.replace(block.header[91:123], keccak(b"another state"))
    return replace(block, header=header, hash=keccak(header))


def stale(block: BlockAnswer, *, reader: ChainReader, behind: int) -> BlockAnswer:
    return reader.block(max(block.number - behind, 0))


def misplaced(block: BlockAnswer) -> BlockAnswer:
    """The true block under another number."""
    return replace(block, number=block.number + 1)


def other_value(proof: AccountProof) -> AccountProof:
    """Slots with one bit of their last node turned."""
    return replace(proof, slots=tuple(_turned(path) for path in proof.slots))


def _turned(path: SlotProof) -> SlotProof:
    last = path.nodes[-1]
    return replace(path, nodes=(*path.nodes[:-1], last[:-1] + bytes([last[-1] ^ 1])))


def fewer_slots(proof: AccountProof) -> AccountProof:
    return replace(proof, slots=proof.slots[:-1])
