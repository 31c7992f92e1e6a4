"""Chains said again, from the whole history each time: no journal, no inverse, nothing that is carried along."""

from __future__ import annotations

from fractions import Fraction

# A block is (hash, parent, number, movements), a movement (transaction, log index, account, asset, amount).
Movement = tuple[str, int, str, str, int]
Block = tuple[str, str, int, tuple[Movement, ...]]


def branch(blocks: dict[str, Block], head: str) -> list[Block]:
    """All blocks from the first to `head`."""
    found = []
    while head in blocks:
        found.append(blocks[head])
        head = blocks[head][1]
    return found[::-1]


def balances(blocks: dict[str, Block], head: str) -> dict[tuple[str, str], int]:
    """What accounts hold after `head`: the sum of all movements of its branch."""
    total: dict[tuple[str, str], int] = {}
    for _, _, _, movements in branch(blocks, head):
        for _, _, account, asset, amount in movements:
            total[account, asset] = total.get((account, asset), 0) + amount
    return {key: amount for key, amount in total.items() if amount}


def announced(
    blocks: dict[str, Block], history: list[tuple[str, str | tuple[Movement, ...]]], head: str
) -> dict[str, tuple[Movement, ...]]:
    """Debits that were seen and are not on the branch of `head`, by transaction.

    `history` says in order what was seen: ("head", hash), ("announce", debits) or ("forget", transaction)."""
    seen: dict[str, tuple[Movement, ...]] = {}
    on: set[str] = set()
    for kind, what in history:
        if kind == "head":
            assert isinstance(what, str)
            on = {movement[0] for block in branch(blocks, what) for movement in block[3]}
            for block in branch(blocks, what):
                for transaction in {movement[0] for movement in block[3]}:
                    debits = tuple(m for m in block[3] if m[0] == transaction and m[4] < 0)
                    if debits:
                        seen[transaction] = debits
        elif kind == "announce":
            assert isinstance(what, tuple)
            if what[0][0] not in on:
                seen[what[0][0]] = what
        elif what not in on:
            assert isinstance(what, str)
            seen.pop(what, None)
    here = {movement[0] for block in branch(blocks, head) for movement in block[3]}
    return {transaction: debits for transaction, debits in seen.items() if transaction not in here}


def kept(blocks: dict[str, Block], root: str) -> set[str]:
    """The blocks above `root`: those whose branch has it, without itself."""
    return {name for name in blocks if name != root and root in {block[0] for block in branch(blocks, name)}}


def grants(steps: list[tuple[int, int, list[tuple[str, int]]]], refill_s: int) -> list[dict[str, int]]:
    """What an allowance grants at each step (time, capacity, wanted in order), from the first, where it is full.

    Told by what was taken when, in exact fractions, and not by what is left."""
    answers: list[dict[str, int]] = []
    level, before = Fraction(0), 0
    granted: dict[str, int] = {}
    for place, (time_s, capacity, wanted) in enumerate(steps):
        level = Fraction(capacity) if not place else level + Fraction(capacity * (time_s - before), refill_s)
        level, before = min(level, Fraction(capacity)), time_s
        granted = {name: min(granted.get(name, 0), amount) for name, amount in wanted}
        for name, amount in wanted:
            more = max(min(amount - granted[name], capacity - sum(granted.values()), int(level // 1)), 0)
            granted[name] += more
            level -= more
        answers.append(granted)
    return answers
