"""Receipts of a block: the root over all of them, and one of them by itself."""

import functools
import random
import time

from benchmarks.case import Bar, Case, Contender, Limit, optional
from crossmargin.core.errors import NotProved
from crossmargin.proofs.receipts import (
    BlockReceipt,
    ReceiptLog,
    check_receipt,
    encode_receipt,
    prove_receipt,
    receipts_root,
)

RECEIPTS, BLOCK = (50, 200, 800), 200
FLIPS = 10_000


@functools.cache
def block(count: int) -> list[BlockReceipt]:
    """Receipts with up to eight events of three topics and two words, as transfers and swaps leave them."""
    rng = random.Random(0)

    def log() -> ReceiptLog:
        topics = tuple(rng.randbytes(32) for _ in range(3))
        return ReceiptLog(address=rng.randbytes(20), topics=topics, data=rng.randbytes(64))

    return [
        BlockReceipt(
            kind=2,
            outcome=b"\x01",
            gas=120_000 * (place + 1),
            bloom=rng.randbytes(256),
            logs=tuple(log() for _ in range(rng.randrange(9))),
        )
        for place in range(count)
    ]


def by_trie(receipts: list[BlockReceipt]) -> bytes:
    """The libraries' own way: every receipt through `rlp.encode`, and set in a trie of the library `trie`."""
    import rlp
    from trie import HexaryTrie

    tree = HexaryTrie({}, prune=True)
    for place, one in enumerate(receipts):
        logs = [[log.address, list(log.topics), log.data] for log in one.logs]
        gas = one.gas.to_bytes((one.gas.bit_length() + 7) // 8, "big")
        tree[rlp.encode(place)] = b"\x02" + rlp.encode([one.outcome, gas, one.bloom, logs])
    return tree.root_hash


def rooting(count: int) -> list[Contender]:
    receipts, absent = block(count), optional("trie")
    return [
        Contender(name="crossmargin", run=lambda: receipts_root(receipts), cells=count),
        Contender(name="rlp and trie", run=None if absent else lambda: by_trie(receipts), cells=count, absent=absent),
    ]


def milliseconds(call) -> float:
    """The quickest of seven runs."""
    best = float("inf")
    for _ in range(7):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def checking_milliseconds() -> float:
    receipts = block(BLOCK)
    root, path = receipts_root(receipts), prove_receipt(receipts, BLOCK - 1)
    return milliseconds(lambda: check_receipt(root, BLOCK - 1, path))


def proof_bytes() -> float:
    """What a path holds beside the receipt itself, at the most."""
    receipts = block(BLOCK)
    beside = [
        sum(map(len, prove_receipt(receipts, place))) - len(encode_receipt(receipts[place]))
        for place in (0, 1, 150, 199)
    ]
    return float(max(beside))


def believed() -> float:
    """How many of 10,000 paths with one changed bit are believed."""
    receipts, rng, found = block(BLOCK), random.Random(1), 0
    root, path = receipts_root(receipts), prove_receipt(receipts, 150)
    for _ in range(FLIPS):
        shown, at = list(path), rng.randrange(len(path))
        raw = bytearray(path[at])
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        shown[at] = bytes(raw)
        try:
            check_receipt(root, 150, shown)
        except NotProved:
            continue
        found += 1
    return float(found)


def cases() -> list[Case]:
    return [
        Case(
            name="proofs, receipts",
            unit="receipts of a block",
            sizes=RECEIPTS,
            contest=rooting,
            bars=(Bar(against="rlp and trie", ratio_min=2.0),),
            limits=(
                Limit(
                    name=f"root of {BLOCK} receipts",
                    unit="ms",
                    at_most=40.0,
                    measure=lambda: milliseconds(lambda: receipts_root(block(BLOCK))),
                ),
                Limit(name="one receipt by its path", unit="ms", at_most=1.0, measure=checking_milliseconds),
                Limit(name="path, beside the receipt", unit="bytes", at_most=2500, measure=proof_bytes),
                Limit(name="changed paths believed", unit="of 10,000", at_most=0.0, measure=believed),
            ),
        )
    ]
