"""Measures of one account from its positions, by plain loops."""

import math
from collections.abc import Sequence

Positions = Sequence[tuple[int, float]]  # row of the P&L, signed quantity
Matrix = Sequence[Sequence[float]]  # unit P&L [instrument][scenario]


def losses_rows(positions: Positions, pnl: Matrix) -> list[float]:
    """The loss in each scenario."""
    return [-math.fsum(quantity * pnl[row][s] for row, quantity in positions) for s in range(len(pnl[0]))]


def worst_rows(positions: Positions, pnl: Matrix) -> tuple[float, int]:
    """The largest loss, and the first scenario that brings it."""
    losses = losses_rows(positions, pnl)
    worst = max(losses)
    return worst, losses.index(worst)


def tail_rows(positions: Positions, pnl: Matrix, tail_count: int) -> tuple[float, float, int]:
    """The `tail_count`-th largest loss, the mean of the `tail_count` largest, and the worst scenario."""
    losses = losses_rows(positions, pnl)
    tail = sorted(losses, reverse=True)[:tail_count]
    return tail[-1], math.fsum(tail) / tail_count, losses.index(tail[0])


def weighted_tail_rows(
    positions: Positions, pnl: Matrix, weight: Sequence[float], tail_weight: float
) -> tuple[float, float, int]:
    """As `tail_rows`: the tail is the fewest largest losses that weigh at least `tail_weight`."""
    losses = losses_rows(positions, pnl)
    order = sorted(range(len(losses)), key=lambda s: -losses[s])
    tail: list[int] = []
    for s in order:
        tail.append(s)
        if math.fsum(weight[t] for t in tail) >= tail_weight * (1.0 - 1e-12):
            break
    weighed = math.fsum(weight[s] for s in tail)
    return losses[tail[-1]], math.fsum(weight[s] * losses[s] for s in tail) / weighed, order[0]


def order_losses_rows(orders: Sequence[tuple[int, float, float]], pnl: Matrix) -> list[float]:
    """What orders (row, signed quantity, gain of the fill at the mark) add to the loss, each filled where it hurts."""
    return [
        math.fsum(max(0.0, -quantity * pnl[row][s] - gain) for row, quantity, gain in orders)
        for s in range(len(pnl[0]))
    ]
