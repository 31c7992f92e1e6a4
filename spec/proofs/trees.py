"""A Merkle-sum tree by recursion: what the root of a list of leaves must be, and its totals."""

from spec.proofs.keccak import keccak_256

Record = tuple[bytes, tuple[int, ...]]


def root(leaves: list[Record]) -> bytes:
    """The root over leaves of (hash, sums)."""
    digest, sums = top(leaves)
    return keccak_256(b"\x02" + len(leaves).to_bytes(8, "big") + bytes([len(sums)]) + written((digest, sums)))


def top(records: list[Record]) -> Record:
    """The record above `records`; beyond the last stands one of zeros."""
    if len(records) == 1:
        return records[0]
    nothing = (bytes(32), (0,) * len(records[0][1]))
    padded = records + [nothing] * (len(records) % 2)
    return top([parent(padded[i], padded[i + 1]) for i in range(0, len(padded), 2)])


def parent(left: Record, right: Record) -> Record:
    """The record above two."""
    sums = tuple(a + b for a, b in zip(left[1], right[1], strict=True))
    return keccak_256(b"\x01" + written(left) + written(right)), sums


def written(record: Record) -> bytes:
    """A record as bytes."""
    return record[0] + b"".join(amount.to_bytes(16, "big") for amount in record[1])


def account_leaf(account: str, salt: bytes, content: bytes, amounts: tuple[int, ...]) -> Record:
    """The leaf of one account."""
    packed = b"".join(amount.to_bytes(16, "big") for amount in amounts)
    return keccak_256(b"\x00" + content + salt + packed + account.encode()), amounts
