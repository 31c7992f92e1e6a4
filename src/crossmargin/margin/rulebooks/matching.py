"""The cheapest way to pair amounts, two and two, where each may also stand alone: a linear program.

Where pairs join two classes (shorts and longs, say), the vertices of the program are whole numbers of the smallest unit
whenever the amounts are, so that the optimum of the program is that of the pairing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One unit of `first` with one of `second` costs `cost`."""

    first: int
    second: int
    cost: float


def cheapest_pairs(
    amounts: Sequence[int], alone: Sequence[float], pairs: Sequence[Pair]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What of each amount stands alone, and how much of each pair is made, at the least sum of costs.

    `amounts` in whole units, not negative; `alone` the cost of one unit by itself. Pairs must join two classes.
    """
    worth = [c for c, pair in enumerate(pairs) if pair.cost < alone[pair.first] + alone[pair.second]]
    if len(worth) < len(pairs):  # what costs as much as both alone is never needed
        rest, some = cheapest_pairs(amounts, alone, [pairs[c] for c in worth])
        by_pair = dict(zip(worth, some, strict=True))
        return rest, tuple(by_pair.get(c, 0) for c in range(len(pairs)))
    if not pairs:
        return tuple(amounts), ()
    from scipy.optimize import linprog  # noqa: PLC0415 half a second that accounts without pairs need not wait
    from scipy.sparse import csr_array  # noqa: PLC0415 with the above

    count = len(amounts)
    ends = [p.first for p in pairs] + [p.second for p in pairs]
    columns = [count + c for c in range(len(pairs))] * 2
    entries = (np.ones(count + 2 * len(pairs)), ([*range(count), *ends], [*range(count), *columns]))
    used = csr_array(entries, shape=(count, count + len(pairs)))
    # Costs and amounts near one keep the solver's absolute tolerances far below a unit.
    costs = np.asarray([*alone, *(p.cost for p in pairs)])
    scale = float(max(amounts, default=0)) or 1.0
    found = linprog(
        costs / (np.abs(costs).max() or 1.0), A_eq=used, b_eq=np.asarray(amounts, float) / scale, method="highs-ds"
    )
    assert found.success, f"each amount may stand alone: {found.message}"
    made = [round(x * scale) for x in found.x[count:]]
    left = list(amounts)
    for c, pair in enumerate(pairs):
        made[c] = max(0, min(made[c], left[pair.first], left[pair.second]))  # a rounding of the solver is no amount
        left[pair.first] -= made[c]
        left[pair.second] -= made[c]
    return tuple(left), tuple(made)
