"""A Merkle-Patricia trie from its entries, as the yellow paper defines it, and the path to a key.

Source: Ethereum yellow paper, appendix D: c(𝔍, i) of a set of pairs, by recursion on the nibbles.
"""

from spec.proofs.keccak import keccak_256

Nested = bytes | list["Nested"]


def rlp(item: Nested) -> bytes:
    """RLP of strings and lists."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _prefix(len(item), 0x80) + item
    inside = b"".join(rlp(part) for part in item)
    return _prefix(len(inside), 0xC0) + inside


def _prefix(size: int, offset: int) -> bytes:
    if size < 56:
        return bytes([offset + size])
    width = (size.bit_length() + 7) // 8
    return bytes([offset + 55 + width]) + size.to_bytes(width, "big")


def structure(pairs: dict[str, bytes]) -> Nested:
    """The node over pairs of nibbles (hexadecimal text) and values; an empty string where there are none."""
    if not pairs:
        return b""
    if len(pairs) == 1:
        (nibbles, value), *_ = pairs.items()
        return [compact(nibbles, leaf=True), value]
    shared = common(list(pairs))
    if shared:
        rest = structure({nibbles[len(shared) :]: value for nibbles, value in pairs.items()})
        return [compact(shared, leaf=False), reference(rest)]
    children = [structure({n[1:]: v for n, v in pairs.items() if n[0] == digit}) for digit in "0123456789abcdef"]
    return [*(reference(child) for child in children), b""]


def reference(node: Nested) -> Nested:
    """How a node names another: by its hash, or by itself if it is shorter."""
    if node == b"":
        return b""
    written = rlp(node)
    return node if len(written) < 32 else keccak_256(written)


def common(texts: list[str]) -> str:
    """What all begin with."""
    low, high = min(texts), max(texts)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=True)) if a != b), len(low))
    return low[:length]


def compact(nibbles: str, *, leaf: bool) -> bytes:
    """Nibbles with their flags: 2 for a leaf, 1 for an odd number."""
    flags = 2 * leaf + len(nibbles) % 2
    return bytes.fromhex(f"{flags:x}{'' if len(nibbles) % 2 else '0'}{nibbles}")


def root(pairs: dict[str, bytes]) -> bytes:
    """The hash of the whole trie."""
    return keccak_256(rlp(structure(pairs)))


def path(pairs: dict[str, bytes], key: str, *, top: bool = True) -> list[bytes]:
    """The listed nodes from the root towards `key`, as far as the trie goes."""
    if not pairs:
        return []
    written = rlp(structure(pairs))
    here = [written] if top or len(written) >= 32 else []
    shared = common(list(pairs))
    if len(pairs) == 1 or not key.startswith(shared):
        return here
    step = len(shared) or 1
    return here + path({n[step:]: v for n, v in pairs.items() if n[:step] == key[:step]}, key[step:], top=False)
