"""Correlations that move with the market: one date after the other, each known before its returns.

Q[t] = (1 − a − b)·Q̄ + a·M[t − 1] + b·Q[t − 1], R[t] = Q[t] scaled to ones on the diagonal. M is z·z′ where all of a
date's standardised returns z are there. Where some are missing, M is what z·z′ is expected to be given the others
under R[t]: with o what is there and m what is not, ẑ_m = R_mo·R_oo⁻¹·z_o and M_mm = ẑ_m·ẑ_m′ + R_mm − R_mo·R_oo⁻¹·R_om.
So M is positive semi-definite and its expectation is R[t], with or without gaps.
Source: Engle (2002), "Dynamic conditional correlation", Journal of Business and Economic Statistics 20, 339–350; the
rule for gaps is the expectation step of Dempster, Laird and Rubin (1977), J. Royal Statistical Society B 39, 1–38.
"""

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossmargin.core.compile import compiled

PIVOT_MIN = 1e-13  # Of a correlation matrix: below it a factor follows from those before it.


def filter_correlations(
    z: Float[ndarray, "date factor"],
    target: Float[ndarray, "factor factor"],
    state: Float[ndarray, "factor factor"],
    a: float,
    b: float,
) -> tuple[Float[ndarray, "date factor factor"], Float[ndarray, "factor factor"]]:
    """R[t] of each date, known before its returns, and Q after the last; `state` is Q of the first date.

    a = b = 0 keeps R at the target (constant correlation); a + b = 1 is an exponentially weighted average."""
    path, after = np.empty((z.shape[0], *target.shape)), np.ascontiguousarray(state).copy()
    _filter_loop(np.ascontiguousarray(z), np.ascontiguousarray(target), a, b, after, path)
    return path, after


def correlation_log_likelihood(
    z: Float[ndarray, "date factor"], target: Float[ndarray, "factor factor"], a: float, b: float
) -> float:
    """What correlation adds to the Gaussian log-likelihood of z: −½·Σ (ln|R| + z′R⁻¹z − z′z), over what is there.

    Minus infinity where an R is singular. The first Q is the target."""
    return _likelihood_loop(np.ascontiguousarray(z), np.ascontiguousarray(target), a, b)


def kendall_taus(values: Float[ndarray, "date factor"]) -> Float[ndarray, "factor factor"]:
    """Kendall's τ_b of each pair of factors over the dates that have both; NaN where one of them stands still.

    (concordant − discordant)/√(pairs not tied in one · pairs not tied in the other).
    Source: Kendall (1945), "The treatment of ties in ranking problems", Biometrika 33, 239–251."""
    out = np.eye(values.shape[1])
    _kendall_loop(np.ascontiguousarray(values.T), out)
    return out


@compiled()
def cholesky_(matrix: ndarray, rows: ndarray, count: int, root: ndarray) -> bool:
    """The lower triangular root of `matrix` over its first `count` `rows`; false where it is singular.

    A factor that follows from those before it gets a zero on the diagonal, and only their columns."""
    regular = True
    for i in range(count):
        for j in range(i + 1):
            total = matrix[rows[i], rows[j]]
            for k in range(j):
                total -= root[i, k] * root[j, k]
            if i == j:
                regular = regular and total > PIVOT_MIN
                root[i, i] = math.sqrt(total) if total > PIVOT_MIN else 0.0
            else:
                root[i, j] = total / root[j, j] if root[j, j] > 0.0 else 0.0
    return regular


@compiled()
def _solve_lower(root: ndarray, count: int, x: ndarray) -> None:
    """x ← L⁻¹·x; a zero pivot gives zero."""
    for i in range(count):
        total = x[i]
        for k in range(i):
            total -= root[i, k] * x[k]
        x[i] = total / root[i, i] if root[i, i] > 0.0 else 0.0


@compiled()
def _scale(q: ndarray, r: ndarray) -> None:
    """R of Q, with exact ones on the diagonal."""
    for i in range(q.shape[0]):
        for j in range(i):
            r[i, j] = r[j, i] = q[i, j] / math.sqrt(q[i, i] * q[j, j])
        r[i, i] = 1.0


@compiled()
def _split(z: ndarray, there: ndarray, gone: ndarray) -> int:
    """The places of what is there and of what is not; how many are there."""
    count = missing = 0
    for i in range(z.size):
        if np.isnan(z[i]):
            gone[missing] = i
            missing += 1
        else:
            there[count] = i
            count += 1
    return count


@compiled()
def _expect_products(
    z: ndarray, r: ndarray, there: ndarray, gone: ndarray, count: int, work: ndarray, m: ndarray
) -> None:
    """M of a date with gaps; `work` [3, factor, factor] is room for the root of R_oo, L⁻¹·R_om and L⁻¹·z."""
    root, across, filled = work[0], work[1], work[2]
    cholesky_(r, there, count, root)
    for i in range(count):
        filled[0, i] = z[there[i]]
    _solve_lower(root, count, filled[0])
    for j in range(z.size - count):
        for i in range(count):
            across[j, i] = r[there[i], gone[j]]
        _solve_lower(root, count, across[j])
        filled[1, gone[j]] = np.dot(across[j, :count], filled[0, :count])
    for i in range(count):
        filled[1, there[i]] = z[there[i]]
    for i in range(z.size):
        for j in range(z.size):
            m[i, j] = filled[1, i] * filled[1, j]
    for i in range(z.size - count):
        for j in range(z.size - count):
            m[gone[i], gone[j]] += r[gone[i], gone[j]] - np.dot(across[i, :count], across[j, :count])


@compiled()
def _advance(
    z: ndarray,
    target: ndarray,
    a: float,
    b: float,
    r: ndarray,
    there: ndarray,
    gone: ndarray,
    work: ndarray,
    q: ndarray,
) -> None:
    """Q of the next date."""
    count = _split(z, there, gone)
    if count < z.size:
        m = work[3]
        _expect_products(z, r, there, gone, count, work, m)
        for i in range(z.size):
            for j in range(z.size):
                q[i, j] = (1.0 - a - b) * target[i, j] + a * m[i, j] + b * q[i, j]
        return
    for i in range(z.size):
        for j in range(z.size):
            q[i, j] = (1.0 - a - b) * target[i, j] + a * (z[i] * z[j]) + b * q[i, j]


@compiled()
def _filter_loop(z: ndarray, target: ndarray, a: float, b: float, q: ndarray, path: ndarray) -> None:
    size = target.shape[0]
    there, gone, work = np.empty(size, np.int64), np.empty(size, np.int64), np.empty((4, size, size))
    for t in range(z.shape[0]):
        _scale(q, path[t])
        _advance(z[t], target, a, b, path[t], there, gone, work, q)


@compiled()
def _likelihood_loop(z: ndarray, target: ndarray, a: float, b: float) -> float:
    size = target.shape[0]
    there, gone, work = np.empty(size, np.int64), np.empty(size, np.int64), np.empty((4, size, size))
    q, r, root, x = target.copy(), np.empty((size, size)), np.empty((size, size)), np.empty(size)
    total = 0.0
    for t in range(z.shape[0]):
        _scale(q, r)
        count = _split(z[t], there, gone)
        if not cholesky_(r, there, count, root):
            return -np.inf
        for i in range(count):
            x[i] = z[t, there[i]]
            total += x[i] * x[i]
        _solve_lower(root, count, x)
        for i in range(count):
            total -= x[i] * x[i] + 2.0 * math.log(root[i, i])
        _advance(z[t], target, a, b, r, there, gone, work, q)
    return 0.5 * total


@compiled()
def _kendall_loop(values: ndarray, out: ndarray) -> None:
    x, y = np.empty(values.shape[1]), np.empty(values.shape[1])
    for f in range(values.shape[0]):
        for g in range(f):
            count = balance = ranked_x = ranked_y = 0
            for t in range(values.shape[1]):
                if not (np.isnan(values[f, t]) or np.isnan(values[g, t])):
                    x[count], y[count] = values[f, t], values[g, t]
                    count += 1
            for i in range(count):
                for j in range(i):
                    up_x, up_y = int(x[i] > x[j]) - int(x[i] < x[j]), int(y[i] > y[j]) - int(y[i] < y[j])
                    balance += up_x * up_y
                    ranked_x += up_x * up_x
                    ranked_y += up_y * up_y
            pairs = math.sqrt(float(ranked_x) * float(ranked_y))
            out[f, g] = out[g, f] = balance / pairs if pairs > 0.0 else np.nan
