"""Tries of lists: the Merkle-Patricia trie whose keys are the places of its entries, as a block keeps its receipts.

The key of an entry is the RLP of its place, and is not hashed; none begins another, so that no branch has a value. All
nodes are kept under the nibbles that lead to them, and a path is what stands under the beginnings of its key.

Source: Ethereum yellow paper, section 4.3.2 (receipts root) and appendix D.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.rlp_codec import Item, encode, minimal
from crossmargin.proofs.trie import EMPTY_ROOT, HASH_BYTES, Reader, entry_at

_DIGITS = "0123456789abcdef"
PLACES_MAX = 1 << 16  # A transaction takes 21,000 gas or more: no block comes near.


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedTrie:
    """A list's `root`, and its nodes by the nibbles that lead to them; a node inside another is not listed."""

    root: bytes
    nodes: Mapping[str, bytes]

    def path(self, place: int) -> tuple[bytes, ...]:
        """The nodes from the root towards an entry, as far as the trie goes."""
        key = key_of(place).hex()
        return tuple(self.nodes[key[:end]] for end in range(len(key) + 1) if key[:end] in self.nodes)


def ordered_trie(entries: Sequence[bytes]) -> OrderedTrie:
    """The trie of a list, whose entries are not empty."""
    if not entries:
        return OrderedTrie(root=EMPTY_ROOT, nodes={})
    nodes: dict[str, bytes] = {}
    pairs = sorted((key_of(place).hex(), entry) for place, entry in enumerate(entries))
    top = encode(_node(pairs, 0, nodes))
    nodes[""] = top
    return OrderedTrie(root=keccak(top), nodes=nodes)


def entry_of(root: bytes, place: int, nodes: Sequence[bytes], *, entry_bytes_max: int, where: str) -> bytes | None:
    """The entry at `place` of the list with `root`, or None where it has none there; raises `NotProved`."""
    return entry_at(root, key_of(place), nodes, Reader(entry_bytes_max), where=where)


def key_of(place: int) -> bytes:
    """The key of a place."""
    return encode(minimal(place))


def _node(pairs: Sequence[tuple[str, bytes]], depth: int, nodes: dict[str, bytes]) -> list[Item]:
    """The node over `pairs`, in the order of their keys, which have the first `depth` nibbles in common."""
    first, last = pairs[0][0], pairs[-1][0]
    if len(pairs) == 1:
        return [_compact(first[depth:], leaf=True), pairs[0][1]]
    shared = depth
    while first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return [_compact(first[depth:shared], leaf=False), _named(pairs, shared, nodes)]
    below: dict[str, list[tuple[str, bytes]]] = {}
    for pair in pairs:
        below.setdefault(pair[0][depth], []).append(pair)
    return [*(_named(below[digit], depth + 1, nodes) if digit in below else b"" for digit in _DIGITS), b""]


def _named(pairs: Sequence[tuple[str, bytes]], depth: int, nodes: dict[str, bytes]) -> Item:
    """How a node names the one below: by its hash, or by itself if it is shorter."""
    node = _node(pairs, depth, nodes)
    written = encode(node)
    if len(written) < HASH_BYTES:
        return node
    nodes[pairs[0][0][:depth]] = written
    return keccak(written)


def _compact(nibbles: str, *, leaf: bool) -> bytes:
    """Nibbles behind their flags: 2 for a leaf, 1 for an odd number of them."""
    flags = 2 * leaf + len(nibbles) % 2
    return bytes.fromhex(f"{flags}{'' if len(nibbles) % 2 else '0'}{nibbles}")
