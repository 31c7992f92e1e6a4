"""Paths through a Merkle-Patricia trie of which no key begins another: what stands at a key, or that nothing does.

Keys are hashes, all equally long, or places of a list in RLP (`proofs.ordered_trie`).

A path is the list of nodes from the root down, as `eth_getProof` gives it; a node shorter than 32 bytes stands inside
the node above it and is not listed. A path is accepted in one form only: each node hashes to what the node above it
names, all of them are used, and each is a node as the trie writes it: a branch has two children or more, an extension
leads to a branch, a leaf has all the nibbles that are left, and what is shorter than a hash is not listed. Under an
honest root that follows from the hashes; it is checked all the same, so that nothing depends on who made the root.
`contracts/modules/trie.vy` checks the same.

Source: Ethereum yellow paper, appendices C and D; EIP-1186.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.reasons import Reason, refuse, require
from crossmargin.proofs.rlp_codec import Item, decode, encode

HASH_BYTES: Final = 32
EMPTY_NODE: Final = b"\x80"
BRANCH_ITEMS, SHORT_ITEMS = 17, 2
NODES_MAX: Final = 65  # One for each nibble of a key, and the leaf.
NODE_BYTES_MAX: Final = 532  # A branch with sixteen hashes; nothing of the state is longer.
EMPTY_ROOT: Final = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")  # keccak(0x80)

Node = list[Item]


class Reader:
    """Hashes and decodes nodes, each distinct one once, however many paths share it; `bytes_max` bounds each."""

    __slots__ = ("_bytes_max", "_known")

    def __init__(self, bytes_max: int = NODE_BYTES_MAX) -> None:
        self._known: dict[bytes, tuple[bytes, Node]] = {}
        self._bytes_max = bytes_max

    def read(self, raw: bytes, named: bytes, *, where: str) -> Node:
        """What the node that is `named` holds; bytes that nobody named are hashed, and not read."""
        found, node = self._known.get(raw, (b"", None))
        found = found or keccak(raw)
        require(found == named, Reason.WRONG_NODE, where, found.hex(), f"a node with hash {named.hex()}")
        if node is None:
            item = decode(raw, where=where, bytes_max=self._bytes_max)
            bounded = len(raw) <= NODE_BYTES_MAX or _is_leaf(item)
            require(bounded, Reason.MALFORMED, where, f"{len(raw)} bytes", f"{NODE_BYTES_MAX} bytes, or a leaf")
            node = _checked(item, where)
            self._known[raw] = found, node
        return node


def look_up(root: bytes, key: bytes, nodes: Sequence[bytes], reader: Reader, *, where: str) -> bytes | None:
    """What the trie with `root` holds at keccak(`key`), or None where it holds nothing; raises `NotProved`."""
    return entry_at(root, keccak(key), nodes, reader, where=where)


def entry_at(root: bytes, key: bytes, nodes: Sequence[bytes], reader: Reader, *, where: str) -> bytes | None:
    """`look_up` by a key as it stands in the trie."""
    if root == EMPTY_ROOT:
        bare = list(nodes) in ([], [EMPTY_NODE])  # Clients differ: geth lists nothing, reth and anvil the empty node.
        require(bare, Reason.WRONG_COUNT, where, len(nodes), "no nodes under the root of an empty trie")
        return None
    require(0 < len(nodes) <= NODES_MAX, Reason.WRONG_COUNT, where, len(nodes), f"1 to {NODES_MAX} nodes")
    rest, left = key.hex(), iter(nodes)
    node, used = _next(root, left, reader, where), 1
    while True:
        value, child, rest = _step(node, rest, where)
        if not isinstance(child, bytes):
            node = child
        elif child:
            above, node, used = node, _next(child, left, reader, where), used + 1
            require(len(nodes[used - 1]) >= HASH_BYTES, Reason.NOT_CANONICAL, where, used, "no short node listed")
            _check_below(above, node, where)
        else:
            require(used == len(nodes), Reason.WRONG_COUNT, where, len(nodes), f"{used} nodes, all of them on the path")
            return value


def _next(named: bytes, left: Iterator[bytes], reader: Reader, where: str) -> Node:
    """The next listed node, which must be the one that is `named`."""
    raw = next(left, None)
    if raw is None:
        raise refuse(Reason.WRONG_COUNT, where, "no more nodes", f"a node with hash {named.hex()}")
    return reader.read(raw, named, where=where)


def _step(node: Node, rest: str, where: str) -> tuple[bytes | None, Item, str]:
    """The value, or the child that follows and the nibbles left; no value and no child where the key is absent."""
    if len(node) == BRANCH_ITEMS:
        require(bool(rest), Reason.MALFORMED, where, "a branch beyond the key", "a leaf")
        return None, node[int(rest[0], 16)], rest[1:]
    path, child = node
    assert isinstance(path, bytes), "checked when it was read"
    nibbles = path.hex()[1 if path[0] & 0x10 else 2 :]
    if path[0] & 0x20:
        assert isinstance(child, bytes), "checked when it was read"
        require(
            len(nibbles) == len(rest), Reason.MALFORMED, where, nibbles, "a leaf with all the nibbles that are left"
        )
        return (child if nibbles == rest else None), b"", ""
    require(
        len(nibbles) < len(rest), Reason.MALFORMED, where, nibbles, "an extension that leaves a nibble to its branch"
    )
    return (None, child, rest[len(nibbles) :]) if rest.startswith(nibbles) else (None, b"", "")


def _is_leaf(item: Item) -> bool:
    """Whether `item` has the form of a leaf, whose value may be long in a trie of receipts."""
    return isinstance(item, list) and len(item) == SHORT_ITEMS and all(isinstance(part, bytes) for part in item)


def _checked(item: Item, where: str) -> Node:
    """`item`, if it is a branch, an extension or a leaf as the trie writes them."""
    if not isinstance(item, list) or len(item) not in {BRANCH_ITEMS, SHORT_ITEMS}:
        raise refuse(Reason.MALFORMED, where, "neither", "a list of 2 or 17 items")
    if len(item) == BRANCH_ITEMS:
        require(item[-1] == b"", Reason.MALFORMED, where, "a value in a branch", "none: no key begins another")
        children = [child for child in item[:-1] if child != b""]
        require(len(children) > 1, Reason.NOT_CANONICAL, where, len(children), "two children of a branch or more")
        for child in children:
            _check_child(child, where)
        return item
    path, child = item
    if not isinstance(path, bytes) or not path or path[0] >= 0x40 or (not path[0] & 0x10 and path[0] & 0x0F):
        raise refuse(Reason.NOT_CANONICAL, where, repr(path)[:80], "a path with flags 0 to 3 and no stray nibble")
    if path[0] & 0x20:
        require(isinstance(child, bytes) and bool(child), Reason.MALFORMED, where, "no value", "a leaf with its value")
    else:
        require(
            path != b"\x00" and bool(child), Reason.MALFORMED, where, path.hex(), "an extension with path and child"
        )
        _check_child(child, where)
        _check_below(item, child, where)
    return item


def _check_below(above: Node, child: Item, where: str) -> None:
    """Below an extension stands a branch; a child that is named by its hash is judged when it is read."""
    branch = isinstance(child, bytes) or len(above) == BRANCH_ITEMS or len(child) == BRANCH_ITEMS
    require(branch, Reason.MALFORMED, where, "an extension", "a branch below an extension")


def _check_child(child: Item, where: str) -> None:
    """A child is named by its hash, or stands here itself because it is shorter than one."""
    if isinstance(child, bytes):
        if len(child) != HASH_BYTES:
            raise refuse(Reason.MALFORMED, where, f"{len(child)} bytes", "a hash of 32 bytes")
        return
    size = len(encode(child))
    require(
        size < HASH_BYTES, Reason.NOT_CANONICAL, where, f"{size} bytes inside", "a hash in place of 32 bytes or more"
    )
    _checked(child, where)
