"""Correlations over time, entry by entry; NaN is a return that is not there."""

from __future__ import annotations

import math
from collections.abc import Sequence

Matrix = Sequence[Sequence[float]]


def solve(matrix: Matrix, right: Sequence[float]) -> list[float]:
    """x of matrix · x = right, by elimination with pivots."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for k in range(size):
        best = max(range(k, size), key=lambda i: abs(rows[i][k]))
        rows[k], rows[best] = rows[best], rows[k]
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    out = [0.0] * size
    for k in reversed(range(size)):
        out[k] = (rows[k][size] - math.fsum(rows[k][j] * out[j] for j in range(k + 1, size))) / rows[k][k]
    return out


def determinant(matrix: Matrix) -> float:
    """By minors of the first row."""
    if not matrix:
        return 1.0
    minors = ([[*row[:j], *row[j + 1 :]] for row in matrix[1:]] for j in range(len(matrix)))
    return math.fsum((-1.0) ** j * matrix[0][j] * determinant(minor) for j, minor in enumerate(minors))


def scaled(q: Matrix) -> list[list[float]]:
    """Ones on the diagonal."""
    return [[q[i][j] / math.sqrt(q[i][i] * q[j][j]) for j in range(len(q))] for i in range(len(q))]


def expected_products(z: Sequence[float], r: Matrix) -> list[list[float]]:
    """z·z′, and what it is expected to be where some of z is missing."""
    there = [i for i, x in enumerate(z) if not math.isnan(x)]
    known = [[r[i][j] for j in there] for i in there]
    # What a missing factor is expected to be: its regression on those that are there.
    slope = {m: solve(known, [r[i][m] for i in there]) if there else [] for m in range(len(z)) if m not in there}
    full = [
        z[i] if i in there else math.fsum(s * z[j] for s, j in zip(slope[i], there, strict=True)) for i in range(len(z))
    ]
    out = [[x * y for y in full] for x in full]
    for i, weights in slope.items():
        for j in slope:
            out[i][j] += r[i][j] - math.fsum(s * r[k][j] for s, k in zip(weights, there, strict=True))
    return out


def filter_correlations(
    z: Matrix, target: Matrix, state: Matrix, a: float, b: float
) -> tuple[list[list[list[float]]], list[list[float]]]:
    """R of each date and Q after the last: Q = (1 − a − b)·target + a·M + b·Q."""
    q, path = [list(row) for row in state], []
    for row in z:
        r = scaled(q)
        path.append(r)
        m = expected_products(row, r)
        size = range(len(q))
        q = [[(1.0 - a - b) * target[i][j] + a * m[i][j] + b * q[i][j] for j in size] for i in size]
    return path, q


def correlation_log_likelihood(z: Matrix, target: Matrix, a: float, b: float) -> float:
    """−½·Σ (ln|R| + z′R⁻¹z − z′z) over what is there."""
    total = 0.0
    for row, r in zip(z, filter_correlations(z, target, target, a, b)[0], strict=True):
        there = [i for i, x in enumerate(row) if not math.isnan(x)]
        known = [[r[i][j] for j in there] for i in there]
        x = [row[i] for i in there]
        if there:
            whitened = math.fsum(u * v for u, v in zip(x, solve(known, x), strict=True))
            total -= 0.5 * (math.log(determinant(known)) + whitened - math.fsum(u * u for u in x))
    return total


def kendall_taus(x: Sequence[float], y: Sequence[float]) -> float:
    """τ_b of one pair over the dates that have both."""
    both = [(u, v) for u, v in zip(x, y, strict=True) if not (math.isnan(u) or math.isnan(v))]

    def sign(u: float) -> int:
        return (u > 0.0) - (u < 0.0)

    pairs = [(sign(p[0] - q[0]), sign(p[1] - q[1])) for i, p in enumerate(both) for q in both[:i]]
    ranked = sum(abs(s) for s, _ in pairs) * sum(abs(s) for _, s in pairs)
    return sum(s * t for s, t in pairs) / math.sqrt(ranked) if ranked else math.nan
