"""The compiled search of `joint`: a primal–dual interior-point method over the smiles of one underlying.

A smile is p = (a, r, l, m, s): level, right and left slope, place, and s = ln σ of the smile's bend:

    w(k) = a + (r − l)/2 (k − m) + (r + l)/2 q,   q = √((k − m)² + σ²).

The slack of a constraint is its distance from its limit. Per expiry: five lower and five upper walls, the growth of
the two slopes since the expiry before, g at each node of the grid, and the growth of w at each node.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy import ndarray

from crossmargin.core.compile import compiled

# What is kept at the nodes of the grid, so that the points between them hold as well.
G_MARGIN: Final = 1e-3
GROWTH_MARGIN: Final = 1e-4
_GRID: Final = 12  # The first slack of the grid.
_MU_FIRST, _MU_LAST, _MU_FACTOR = 0.01, 3e-4, 0.1
_STEPS_MAX: Final = 300
_TOLERANCE: Final = 3e-3  # Of the cost, which a step must still promise to gain.
_DUAL_SPREAD: Final = 1e3  # How far a weight may stand from μ / slack.


@compiled()
def descend(
    p: ndarray, tau: ndarray, start: ndarray, k: ndarray, vol: ndarray, scale: ndarray, huber: float,
    grid: ndarray, low: ndarray, high: ndarray,
) -> tuple[float, int]:  # fmt: skip
    """Move `p` [expiry, 5], strictly inside, to the least cost inside; in place. The cost there, and the steps."""
    n = 5 * tau.size
    normal, gradient, step, factor = np.zeros((n, n)), np.zeros(n), np.zeros(n), np.zeros((n, n))
    terms, slack = np.empty((tau.size, grid.size, 18)), np.ones((tau.size, _GRID + 2 * grid.size))
    terms_new, slack_new, p_new = np.empty_like(terms), np.ones_like(slack), np.empty_like(p)
    assert _slacks(p, grid, low, high, terms, slack)
    mu, damp = _MU_FIRST, 1e-6
    dual = mu / slack
    cost = 0.0
    for taken in range(_STEPS_MAX):
        normal[:] = 0.0
        gradient[:] = 0.0
        cost = _pull(p, tau, start, k, vol, scale, huber, normal, gradient, True)
        merit = cost + mu * _barrier(slack)
        _push(p, grid, mu, terms, slack, dual, normal, gradient)
        while not _solve(normal, gradient, damp, factor, step):
            damp *= 10.0
        descent = np.dot(gradient, step)
        alpha, moved, value = 1.0, False, cost
        while not moved and alpha > 1e-3:
            p_new[:] = p + alpha * step.reshape(p.shape)
            if _slacks(p_new, grid, low, high, terms_new, slack_new):
                value = _pull(p_new, tau, start, k, vol, scale, huber, normal, gradient, False)
                moved = value + mu * _barrier(slack_new) <= merit + 1e-4 * alpha * descent
            if not moved:
                alpha *= 0.7
        if moved:
            _reweigh(mu, alpha, slack, slack_new, dual)
            p[:] = p_new
            cost = value
            terms, terms_new, slack, slack_new = terms_new, terms, slack_new, slack
            damp = max(damp * 0.1, 1e-9) if alpha > 0.5 else damp
        else:
            damp = max(damp * 30.0, 1e-4)
        if damp > 1e6 or (moved and -descent < _TOLERANCE * (1.0 + cost)):
            if mu <= _MU_LAST:
                return cost, taken + 1
            mu, damp = max(mu * _MU_FACTOR, _MU_LAST), min(damp, 1e-6)
    return cost, _STEPS_MAX


@compiled()
def _terms(p: ndarray, k: float, out: ndarray) -> None:
    """w, w′, w″ at `k`, then the gradients of each in p, five a piece."""
    sigma2 = math.exp(2.0 * p[4])
    x = k - p[3]
    q2 = x * x + sigma2
    q = math.sqrt(q2)
    half, mean = 0.5 * (p[1] - p[2]), 0.5 * (p[1] + p[2])
    u, c = x / q, sigma2 / (q2 * q)
    out[0] = p[0] + half * x + mean * q
    out[1] = half + mean * u
    out[2] = mean * c
    out[3], out[4], out[5], out[6], out[7] = 1.0, 0.5 * (x + q), 0.5 * (q - x), -out[1], mean * sigma2 / q
    out[8], out[9], out[10], out[11], out[12] = 0.0, 0.5 * (1.0 + u), 0.5 * (u - 1.0), -out[2], -mean * u * sigma2 / q2
    out[13], out[14], out[15], out[16] = 0.0, 0.5 * c, 0.5 * c, 3.0 * mean * c * x / q2
    out[17] = mean * c * (2.0 - 3.0 * sigma2 / q2)


@compiled()
def _slacks(p: ndarray, grid: ndarray, low: ndarray, high: ndarray, terms: ndarray, slack: ndarray) -> bool:
    """Fill `terms` and `slack` [expiry, constraint]; False as soon as a limit is reached."""
    size = grid.size
    for e in range(p.shape[0]):
        for j in range(5):
            slack[e, j], slack[e, 5 + j] = p[e, j] - low[e, j], high[e, j] - p[e, j]
        if e > 0:
            slack[e, 10], slack[e, 11] = p[e, 1] - p[e - 1, 1], p[e, 2] - p[e - 1, 2]
        for j in range(_GRID):
            if not slack[e, j] > 0.0:
                return False
        for i in range(size):
            _terms(p[e], grid[i], terms[e, i])
            w, slope = terms[e, i, 0], terms[e, i, 1]
            if not w > 0.0:
                return False
            lever = 1.0 - 0.5 * grid[i] * slope / w
            g = lever * lever - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * terms[e, i, 2]
            slack[e, _GRID + i] = g - G_MARGIN
            slack[e, _GRID + size + i] = w - terms[e - 1, i, 0] * (1.0 + GROWTH_MARGIN) if e > 0 else w
            if not (slack[e, _GRID + i] > 0.0 and slack[e, _GRID + size + i] > 0.0):
                return False
    return True


@compiled()
def _barrier(slack: ndarray) -> float:
    total = 0.0
    for e in range(slack.shape[0]):
        for i in range(slack.shape[1]):
            total -= math.log(slack[e, i])
    return total


@compiled()
def _reweigh(mu: float, alpha: float, slack: ndarray, slack_new: ndarray, dual: ndarray) -> None:
    """Newton's step for the weights, whose product with the slacks goes to μ; kept positive and near it."""
    for e in range(slack.shape[0]):
        for i in range(slack.shape[1]):
            c, z, c_new = slack[e, i], dual[e, i], slack_new[e, i]
            full = (mu - z * (c_new - c) / alpha) / c
            moved = z + alpha * (full - z)
            dual[e, i] = min(max(moved, mu / (_DUAL_SPREAD * c_new)), _DUAL_SPREAD * mu / c_new)


@compiled()
def _add(normal: ndarray, gradient: ndarray, at: int, row: ndarray, width: int, residual: float) -> None:
    """Add row rowᵀ (lower half) and row · residual at parameter `at`."""
    for i in range(width):
        gradient[at + i] += row[i] * residual
        for j in range(i + 1):
            normal[at + i, at + j] += row[i] * row[j]


@compiled()
def _pull(
    p: ndarray, tau: ndarray, start: ndarray, k: ndarray, vol: ndarray, scale: ndarray, huber: float,
    normal: ndarray, gradient: ndarray, derive: bool,
) -> float:  # fmt: skip
    """The cost of the residuals in vol; where `derive`, their curvature and gradient are added."""
    cost = 0.0
    t, row = np.empty(18), np.empty(5)
    for e in range(tau.size):
        for i in range(start[e], start[e + 1]):
            _terms(p[e], k[i], t)
            if not t[0] > 0.0:
                return np.inf
            fitted = math.sqrt(t[0] / tau[e])
            residual = (fitted - vol[i]) / scale[i]
            far = abs(residual) > huber
            cost += huber * (abs(residual) - 0.5 * huber) if far else 0.5 * residual * residual
            if derive:
                pull = math.sqrt(huber / abs(residual)) if far else 1.0
                for j in range(5):
                    row[j] = pull * 0.5 * t[3 + j] / (fitted * tau[e] * scale[i])
                _add(normal, gradient, 5 * e, row, 5, pull * residual)
    return cost


@compiled()
def _push(
    p: ndarray, grid: ndarray, mu: float, terms: ndarray, slack: ndarray, dual: ndarray,
    normal: ndarray, gradient: ndarray,
) -> None:  # fmt: skip
    """Add what the constraints push: gradient −μ/c ∇c and curvature (z/c) ∇c ∇cᵀ, for slack c of weight z."""
    size = grid.size
    row = np.zeros(10)
    for e in range(p.shape[0]):
        for j in range(5):
            gradient[5 * e + j] += mu / slack[e, 5 + j] - mu / slack[e, j]
            normal[5 * e + j, 5 * e + j] += dual[e, j] / slack[e, j] + dual[e, 5 + j] / slack[e, 5 + j]
        for j in range(1, 3):
            if e > 0:
                c = slack[e, 9 + j]
                f = math.sqrt(dual[e, 9 + j] / c)
                row[:] = 0.0
                row[j], row[5 + j] = -f, f
                _add(normal, gradient, 5 * e - 5, row, 10, -mu / (c * f))
        for i in range(size):
            c = slack[e, _GRID + i]
            f = math.sqrt(dual[e, _GRID + i] / c)
            _density_row(terms[e, i], grid[i], f, row)
            _add(normal, gradient, 5 * e, row, 5, -mu / (c * f))
            c = slack[e, _GRID + size + i]
            f = math.sqrt(dual[e, _GRID + size + i] / c)
            for j in range(5):
                row[5 + j] = f * terms[e, i, 3 + j]
            if e > 0:
                for j in range(5):
                    row[j] = -f * (1.0 + GROWTH_MARGIN) * terms[e - 1, i, 3 + j]
                _add(normal, gradient, 5 * e - 5, row, 10, -mu / (c * f))
            else:
                _add(normal, gradient, 0, row[5:], 5, -mu / (c * f))


@compiled()
def _density_row(terms: ndarray, k: float, factor: float, row: ndarray) -> None:
    """`factor` times the gradient of g in p."""
    w, slope = terms[0], terms[1]
    lever = 1.0 - 0.5 * k * slope / w
    for j in range(5):
        dw, d_slope, d_bend = terms[3 + j], terms[8 + j], terms[13 + j]
        row[j] = factor * (
            lever * k * (slope * dw / w - d_slope) / w
            - 0.5 * slope * d_slope * (1.0 / w + 0.25)
            + 0.25 * slope * slope * dw / (w * w)
            + 0.5 * d_bend
        )


@compiled()
def _solve(normal: ndarray, gradient: ndarray, damp: float, factor: ndarray, step: ndarray) -> bool:
    """step = −(normal + damping)⁻¹ gradient by Cholesky on the band of two smiles; False where it is not positive."""
    n = gradient.size
    for i in range(n):
        first = max(0, 5 * (i // 5) - 5)
        for j in range(first, i + 1):
            s = normal[i, j]
            if i == j:
                s = s * (1.0 + damp) + 1e-12
            for q in range(first, j):
                s -= factor[i, q] * factor[j, q]
            if i == j:
                if not s > 0.0:
                    return False
                factor[i, i] = math.sqrt(s)
            else:
                factor[i, j] = s / factor[j, j]
    for i in range(n):
        s = -gradient[i]
        for j in range(max(0, 5 * (i // 5) - 5), i):
            s -= factor[i, j] * step[j]
        step[i] = s / factor[i, i]
    for i in range(n - 1, -1, -1):
        s = step[i]
        for j in range(i + 1, min(n, 5 * (i // 5) + 10)):
            s -= factor[j, i] * step[j]
        step[i] = s / factor[i, i]
    return True
