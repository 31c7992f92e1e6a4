"""What a stranger checks, and what it costs to let him: sum trees, integer losses, state proofs."""

import functools
import hashlib
import random
import time

import numpy as np

from benchmarks.case import Bar, Case, Contender, Limit, optional
from crossmargin.core.errors import NotProved
from crossmargin.measures.kernels.reduce import worst_rows
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.quantise import quantise_pnl, quantise_positions, worst_losses
from crossmargin.proofs.rlp_codec import encode, minimal
from crossmargin.proofs.state import check_account, check_slots
from crossmargin.proofs.trees import account_record, check_inclusion, commit_accounts, salt_for

SECRET, COLUMNS = bytes(32), 2
ACCOUNTS = (100_000, 300_000, 1_000_000)
POSITIONS, A_ROW, INSTRUMENTS, SCENARIOS = (250_000, 500_000, 1_000_000), 20, 3000, 250
SLOTS, TRIE_SLOTS = (1, 10, 100), 20_000
CODE = bytes(range(32))


@functools.cache
def accounts(count: int):
    """Names, salts, contents and amounts."""
    names = [f"eip155:1:0x{i:040x}" for i in range(count)]
    rng = np.random.default_rng(0)
    amounts = [rng.integers(0, 2**62, count).tolist() for _ in range(COLUMNS)]
    return names, [salt_for(SECRET, 1, name) for name in names], [bytes(32)] * count, amounts


def plain_sha256(count: int) -> None:
    """The least that any tree in Python costs: as many hashes from the standard library, and nothing else."""
    message = bytes(129)
    for _ in range(2 * count):
        hashlib.sha256(message).digest()


def node_by_node(names, salts, contents, amounts) -> bytes:
    """The tree as one would write it down: tuples of hash and sums, joined in a loop."""

    def packed(sums):
        return b"".join(amount.to_bytes(16, "big") for amount in sums)

    rows = zip(names, salts, contents, zip(*amounts, strict=True), strict=True)
    level = [(keccak(b"\x00" + c + salt + packed(sums) + name.encode()), sums) for name, salt, c, sums in rows]
    while len(level) > 1:
        if len(level) % 2:
            level.append((bytes(32), (0,) * COLUMNS))
        level = [
            (
                keccak(b"\x01" + a[0] + packed(a[1]) + b[0] + packed(b[1])),
                tuple(x + y for x, y in zip(a[1], b[1], strict=True)),
            )
            for a, b in zip(level[0::2], level[1::2], strict=True)
        ]
    return level[0][0]


def committing(count: int) -> list[Contender]:
    named = accounts(count)
    sample = 20_000
    few = [part[:sample] for part in named[:3]] + [[column[:sample] for column in named[3]]]
    return [
        Contender(name="crossmargin", run=lambda: commit_accounts(*named), cells=count),
        Contender(name="SHA-256 of hashlib, hashes alone", run=lambda: plain_sha256(sample), cells=sample),
        Contender(name="node by node", run=lambda: node_by_node(*few), cells=sample),
    ]


def seconds(call) -> float:
    """The quickest of five runs."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


@functools.cache
def million():
    """A tree of a million, one record of it, and its proof."""
    names, salts, contents, amounts = accounts(ACCOUNTS[-1])
    tree = commit_accounts(names, salts, contents, amounts)
    at = 777_777
    record = account_record(names[at], salts[at], contents[at], [column[at] for column in amounts])
    return tree.root, record, tree.prove(at)


def proof_milliseconds() -> float:
    root, record, proof = million()
    return seconds(lambda: check_inclusion(record, proof, root, where="benchmark")) * 1e3


@functools.cache
def book(positions: int):
    """Rows of twenty positions, in floats and in integers."""
    rng = np.random.default_rng(0)
    pnl = rng.normal(0.0, 1e3, (INSTRUMENTS, SCENARIOS))
    ptr = np.arange(0, positions + 1, A_ROW)
    index = rng.integers(0, INSTRUMENTS, positions).astype(np.int32)
    quantity = np.round(rng.normal(0.0, 10.0, positions), 3)
    rows = quantise_pnl(
        pnl, instruments=[str(i) for i in range(INSTRUMENTS)], scenarios=[str(s) for s in range(SCENARIOS)]
    )
    return ptr, index, quantity, pnl, rows, quantise_positions(ptr, index, quantity, rows)


def whole_numbers(rows, held, count: int) -> list[int]:
    """The same sums in Python's own integers, for the first `count` accounts."""
    quanta = rows.quanta.astype(object)
    lots = held.lots.astype(object)
    parts = [slice(held.ptr[a], held.ptr[a + 1]) for a in range(count)]
    return [(-(lots[part] @ quanta[held.instrument[part]])).max() for part in parts]


def losses(positions: int) -> list[Contender]:
    ptr, index, quantity, pnl, rows, held = book(positions)
    cells, sample = positions * SCENARIOS, 500
    return [
        Contender(name="crossmargin", run=lambda: worst_losses(held, rows), cells=cells),
        Contender(name="float64, same thread", run=lambda: worst_rows(ptr, index, quantity, pnl), cells=cells),
        Contender(
            name="NumPy on Python integers",
            run=lambda: whole_numbers(rows, held, sample),
            cells=sample * A_ROW * SCENARIOS,
        ),
    ]


@functools.cache
def chain():
    """A contract of twenty thousand slots among ten thousand accounts, with the library `trie`."""
    from trie import HexaryTrie

    rng = random.Random(0)

    def path(tree, key):
        written = [encode(node) for node in tree.get_proof(keccak(key))]
        return [raw for place, raw in enumerate(written) if place == 0 or len(raw) >= 32]

    storage, state, address = HexaryTrie({}), HexaryTrie({}), rng.randbytes(20)
    slots = [rng.getrandbits(256) for _ in range(TRIE_SLOTS)]
    for slot in slots:
        storage.set(keccak(slot.to_bytes(32, "big")), encode(minimal(slot)))
    for at in range(10_000):
        owner = address if at == 0 else rng.randbytes(20)
        state.set(keccak(owner), encode([minimal(at), minimal(10**18), storage.root_hash, CODE]))
    paths = {slot: path(storage, slot.to_bytes(32, "big")) for slot in slots[: SLOTS[-1]]}
    return state.root_hash, address, path(state, address), paths


def by_trie(count: int) -> None:
    """The library's own way: every node of every path is hashed and set again."""
    from rlp import decode
    from trie import HexaryTrie

    root, address, nodes, paths = chain()
    account = decode(HexaryTrie.get_from_proof(root, keccak(address), [decode(node) for node in nodes]))
    for slot, path in list(paths.items())[:count]:
        HexaryTrie.get_from_proof(account[2], keccak(slot.to_bytes(32, "big")), [decode(node) for node in path])


def ours(count: int) -> None:
    root, address, nodes, paths = chain()
    account = check_account(root, address, nodes, code_hash=CODE)
    check_slots(account.storage_root, dict(list(paths.items())[:count]))


def proving(count: int) -> list[Contender]:
    absent = optional("trie")
    return [
        Contender(name="crossmargin", run=lambda: ours(count), cells=count),
        Contender(
            name="trie, get_from_proof", run=None if absent else lambda: by_trie(count), cells=count, absent=absent
        ),
    ]


def believed() -> float:
    """How many of 100,000 storage paths with one changed bit, byte or node are believed."""
    root, address, nodes, paths = chain()
    rng, listed, found = random.Random(1), list(paths.items()), 0
    storage_root = check_account(root, address, nodes).storage_root
    for _ in range(100_000):
        slot, path = rng.choice(listed)
        shown, at = list(path), rng.randrange(len(path))
        raw, kind = bytearray(path[at]), rng.randrange(5)
        if kind < 2:
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del raw[rng.randrange(len(raw))]
        shown[at] = bytes(raw)
        if kind == 3:
            del shown[at]
        elif kind == 4:
            shown.insert(at, shown[at])
        try:
            check_slots(storage_root, {slot: shown})
        except NotProved:
            continue
        found += 1
    return float(found)


def cases() -> list[Case]:
    return [
        Case(
            name="proofs, commit to accounts",
            unit=f"accounts × {COLUMNS} sums",
            sizes=ACCOUNTS,
            contest=committing,
            bars=(Bar(against="node by node", ratio_min=1.2),),
            limits=(
                Limit(
                    name="a million accounts",
                    unit="s",
                    at_most=10.0,
                    measure=lambda: seconds(lambda: commit_accounts(*accounts(ACCOUNTS[-1]))),
                ),
                Limit(name="check one of a million", unit="ms", at_most=1.0, measure=proof_milliseconds),
                Limit(name="proof", unit="bytes", at_most=2000, measure=lambda: len(million()[2].packed)),
            ),
        ),
        Case(
            name="proofs, integer losses",
            unit=f"positions × {SCENARIOS} scenarios",
            sizes=POSITIONS,
            contest=losses,
            bars=(Bar(against="NumPy on Python integers", ratio_min=10.0),),
        ),
        Case(
            name="proofs, state",
            unit="slots of one account",
            sizes=SLOTS,
            contest=proving,
            bars=(Bar(against="trie, get_from_proof", ratio_min=2.0),),
            limits=(
                Limit(name="account and slot", unit="ms", at_most=0.5, measure=lambda: seconds(lambda: ours(1)) * 1e3),
                Limit(name="100 slots", unit="ms", at_most=10.0, measure=lambda: seconds(lambda: ours(100)) * 1e3),
                Limit(name="changed paths believed", unit="of 100,000", at_most=0.0, measure=believed),
            ),
        ),
    ]
