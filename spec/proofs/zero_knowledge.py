"""The circuit of `zk/src/circuit.mjs` in plain Python: whether it would be satisfied, and what it leaves open.

The hash is an argument, since it is checked by vectors of its own. Everything is computed modulo p, as the circuit does
it, so a number that should be negative is a large one: what keeps them apart are the ranges, and they alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

P = 0x40000000000000000000000000000000224698FC094CF91B992D30ED00000001
Hash = Callable[[Sequence[int]], int]


def satisfied(stated: Mapping[str, int], secret: Mapping[str, object], scenarios: int, sponge: Hash) -> bool:
    """Whether the circuit holds for these public and private numbers."""
    lots = [n % P for n in _numbers(secret["lots"])]
    index, salts = _numbers(secret["index"]), _numbers(secret["row_salts"])
    held, legs = _number(secret["held"]), []
    totals = [0] * scenarios
    for i, n in enumerate(lots):
        raised = (n + 2**63) % P
        row, path = _lists(secret["rows"])[i], _lists(secret["paths"])[i]
        numbers = [packed >> (64 * k) & (2**64 - 1) for packed in row for k in range(3)]
        packable = all(packed < 2**192 for packed in row) and not any(numbers[scenarios:])
        if raised >= 2**64 or not packable or index[i] >= 2 ** len(path):
            return False
        if n and _root(sponge([salts[i], *row]), index[i], path, sponge) != stated["rowsRoot"]:
            return False
        short = raised < 2**63
        totals = [(t + n * (u - 2**63 + short)) % P for t, u in zip(totals, numbers, strict=False)]
        legs.append((raised + index[i] * 2**64) % P)
    content = [0x31, _number(secret["salt"]), stated["idHigh"], stated["idLow"], held, *legs]
    if sponge(content) != stated["commitment"]:
        return False
    amounts = (stated["loss"], held, (held - stated["collateral"]) % P)
    return all((t + stated["loss"]) % P < 2**140 for t in totals) and all(one < 2**128 for one in amounts)


def _root(node: int, index: int, path: Sequence[int], sponge: Hash) -> int:
    for level, sibling in enumerate(path):
        node = sponge([sibling, node] if index >> level & 1 else [node, sibling])
    return node


def _number(value: object) -> int:
    assert isinstance(value, (int, str))
    return int(value)


def _numbers(values: object) -> list[int]:
    assert isinstance(values, (list, tuple))
    return [_number(value) for value in values]


def _lists(values: object) -> list[list[int]]:
    assert isinstance(values, (list, tuple))
    return [_numbers(value) for value in values]
