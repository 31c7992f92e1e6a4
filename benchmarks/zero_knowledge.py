"""What it costs to commit for circuits: Poseidon over rows of R."""

import functools
import hashlib
import itertools
import time

from benchmarks.case import Bar, Case, Contender, Limit
from crossmargin.proofs.zk.poseidon import MODULUS, poseidon

NUMBERS = 97  # A row of 288 scenarios, three to a number, and its salt.
ROWS = (1, 4, 16)


@functools.cache
def parameters() -> tuple[list[list[int]], list[list[int]]]:
    """M and c from their rule, by a second hand."""

    def drawn(name: str, index: int) -> int:
        for at in itertools.count():
            raw = hashlib.sha256(f"CodaRescuePasta_p_kimchi{name}{index}_{at}".encode()).digest()
            if int.from_bytes(raw, "big") < MODULUS:
                return int.from_bytes(raw, "big")
        raise AssertionError

    x, y = ([drawn(name, i) for i in range(3)] for name in ("MDSx", "MDSy"))
    mixing = [[pow(a - b, -1, MODULUS) for b in y] for a in x]
    return mixing, [[drawn("RoundConstants", 3 * at + i) for i in range(3)] for at in range(55)]


def as_written(numbers: list[int]) -> int:
    """The sponge as the paper writes it down: powers, a matrix, a vector."""
    mixing, added = parameters()
    state = [0, 0, 0]
    for at in range(0, len(numbers), 2):
        for i, number in enumerate(numbers[at : at + 2]):
            state[i] = (state[i] + number) % MODULUS
        for vector in added:
            raised = [pow(x, 7, MODULUS) for x in state]
            state = [
                (sum(m * x % MODULUS for m, x in zip(row, raised, strict=True)) + c) % MODULUS
                for row, c in zip(mixing, vector, strict=True)
            ]
    return state[0]


def row(at: int) -> list[int]:
    return [pow(3, NUMBERS * at + i + 1, MODULUS) for i in range(NUMBERS)]


def hashing(count: int) -> list[Contender]:
    rows = [row(at) for at in range(count)]
    return [
        Contender(name="crossmargin", run=lambda: [poseidon(one) for one in rows], cells=count),
        Contender(name="as the paper writes it", run=lambda: [as_written(one) for one in rows], cells=count),
    ]


def differing() -> float:
    """How many of three rows get another hash."""
    return float(sum(poseidon(row(at)) != as_written(row(at)) for at in range(3)))


def row_milliseconds() -> float:
    start = time.perf_counter()
    poseidon(row(0))
    return (time.perf_counter() - start) * 1e3


def cases() -> list[Case]:
    return [
        Case(
            name="proofs, rows for circuits",
            unit="rows of 288 scenarios",
            sizes=ROWS,
            contest=hashing,
            bars=(Bar(against="as the paper writes it", ratio_min=1.1),),
            limits=(Limit(name="a row of 288 scenarios", unit="ms", at_most=60.0, measure=row_milliseconds),),
            error=differing,
            error_max=0.0,
        )
    ]
