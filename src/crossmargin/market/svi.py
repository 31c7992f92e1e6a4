"""Raw SVI smiles: total variance and its shape, the jump-wings view, and the quasi-explicit calibration.

A smile is five numbers in the order (a, b, rho, m, sigma):

    w(k) = a + b (ρ (k − m) + √((k − m)² + σ²)),   k = ln(K / F),   implied vol = √(w / τ).

Sources: Gatheral and Jacquier (2014), "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14(1), 59–71;
Zeliade Systems (2009), "Quasi-explicit calibration of Gatheral's SVI model", white paper ZWP-0005.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy import ndarray

from crossmargin.core.arrays import FloatArray
from crossmargin.core.compile import compiled
from crossmargin.core.errors import InvalidInput

# Lee (2004): the slope of total variance in |k| cannot pass 2, or a far option is worth more than its bound.
LEE_SLOPE_MAX: Final = 2.0
# Fewer points than parameters leave the smile open.
POINTS_MIN: Final = 5
_SIMPLEX_STEPS: Final = 80


def total_variance(k: FloatArray, params: FloatArray) -> FloatArray:
    """Total implied variance w(k), no unit; `k` broadcasts against the leading axes of `params` [..., 5].

    Source: Gatheral and Jacquier (2014), section 3.1."""
    a, b, rho, m, sigma = np.moveaxis(params, -1, 0)
    return np.asarray(a + b * (rho * (k - m) + np.sqrt((k - m) ** 2 + sigma**2)))


def density_factor(k: FloatArray, params: FloatArray) -> FloatArray:
    """Durrleman's g(k): the risk-neutral density over a positive factor, so that g < 0 is butterfly arbitrage.

    g = (1 − k w′ / 2w)² − (w′² / 4)(1 / w + 1 / 4) + w″ / 2, with w′ = b (ρ + (k − m) / q), w″ = b σ² / q³,
    q = √((k − m)² + σ²). `k` broadcasts against `params` [..., 5].
    Source: Gatheral and Jacquier (2014), equation 2.1."""
    _, b, rho, m, sigma = np.moveaxis(params, -1, 0)
    w, q = total_variance(k, params), np.sqrt((k - m) ** 2 + sigma**2)
    first, second = b * (rho + (k - m) / q), b * sigma**2 / q**3
    return np.asarray((1.0 - 0.5 * k * first / w) ** 2 - 0.25 * first**2 * (1.0 / w + 0.25) + 0.5 * second)


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpWings:
    """One smile in figures that a trader names.

    `variance` v and `variance_min` ṽ a year, at the money and at the lowest point; `skew` ψ the slope of √w at the
    money; `put_slope` p and `call_slope` c of the wings, over √w(0); `tenor_years` τ.
    Source: Gatheral and Jacquier (2014), section 3.3.
    """

    variance: float
    skew: float
    put_slope: float
    call_slope: float
    variance_min: float
    tenor_years: float


def to_jump_wings(params: FloatArray, *, tenor_years: float) -> JumpWings:
    """Jump-wings figures of one raw smile `params` [5].

    v = w(0)/τ; ψ = b(ρ − m/√(m² + σ²)) / (2√w(0)); p = b(1 − ρ)/√w(0); c = b(1 + ρ)/√w(0);
    ṽ = (a + bσ√(1 − ρ²))/τ. Source: Gatheral and Jacquier (2014), equation 3.5."""
    a, b, rho, m, sigma = (float(x) for x in params)
    root = math.hypot(m, sigma)
    atm = a + b * (root - rho * m)
    return JumpWings(
        variance=atm / tenor_years,
        skew=b * (rho - m / root) / (2.0 * math.sqrt(atm)),
        put_slope=b * (1.0 - rho) / math.sqrt(atm),
        call_slope=b * (1.0 + rho) / math.sqrt(atm),
        variance_min=(a + b * sigma * math.sqrt(1.0 - rho * rho)) / tenor_years,
        tenor_years=tenor_years,
    )


def from_jump_wings(wings: JumpWings) -> FloatArray:
    """Raw parameters [5] of a jump-wings smile; the inverse of `to_jump_wings`.

    b = √w (c + p)/2; ρ = 1 − p√w/b; β = ρ − 2ψ√w/b = m/√(m² + σ²); then σ from
    (v − ṽ)τ = bσ (1/√(1 − β²) − ρβ/√(1 − β²) − √(1 − ρ²)), and m = βσ/√(1 − β²).
    Source: Gatheral and Jacquier (2014), lemma 3.2, with σ for m as the pivot, which also serves m = 0.
    Raises `InvalidInput` for figures that no smile has, and for a smile lowest at the money (v = ṽ), whose bend they
    leave open."""
    t = wings.tenor_years
    root = math.sqrt(wings.variance * t)
    b = 0.5 * root * (wings.call_slope + wings.put_slope)
    rho = 1.0 - wings.put_slope * root / b
    beta = rho - 2.0 * wings.skew * root / b
    if not (abs(rho) <= 1.0 and abs(beta) < 1.0 and wings.variance > wings.variance_min and rho != beta):
        raise InvalidInput(
            "jump-wings smile",
            where="jump wings",
            value=wings,
            limit="slopes at least 0, −p < 2ψ < c, and variance above its minimum",
            remedy="Give the raw parameters instead where the smile is lowest at the money.",
        )
    lever, floor = math.sqrt(1.0 - beta * beta), math.sqrt(1.0 - rho * rho)
    sigma = (wings.variance - wings.variance_min) * t / (b * ((1.0 - rho * beta) / lever - floor))
    return np.array([wings.variance_min * t - b * sigma * floor, b, rho, beta * sigma / lever, sigma])


def without_butterfly(wings: JumpWings) -> JumpWings:
    """The smile with the same v, ψ and p whose call wing and minimum are those of an SSVI smile: no butterfly.

    c′ = p + 2ψ and ṽ′ = v · 4pc′ / (p + c′)². Source: Gatheral and Jacquier (2014), section 5.1."""
    call_slope = wings.put_slope + 2.0 * wings.skew
    return JumpWings(
        variance=wings.variance,
        skew=wings.skew,
        put_slope=wings.put_slope,
        call_slope=call_slope,
        variance_min=4.0 * wings.variance * wings.put_slope * call_slope / (wings.put_slope + call_slope) ** 2,
        tenor_years=wings.tenor_years,
    )


def calibrate(k: FloatArray, w: FloatArray, weight: FloatArray) -> FloatArray:
    """The raw smile [5] nearest to total variances `w` [point] at `k` [point]: Σ weight (w(k) − w)² at its least.

    For given (m, σ) a smile is linear in its level and its two wing slopes: the inner problem is a least squares in a
    box (0 ≤ level ≤ max w, slopes in [0, 2] by Lee), solved exactly. A simplex searches (m, ln σ) outside.
    Takes at least five points. Source: Zeliade Systems (2009), with Lee's bound in the place of 4/τ."""
    assert k.size >= POINTS_MIN, f"{k.size} points for five parameters"
    return _calibrate(k, w, weight)


@compiled(fast=True)
def _moments(k: ndarray, w: ndarray, weight: ndarray, m: float, sigma: float, normal: ndarray) -> float:
    """Normal equations in (level, right slope, left slope), [3, 4] with the right-hand side last; and Σ weight w²."""
    normal[:] = 0.0
    squares = 0.0
    for i in range(k.size):
        x, q, y = k[i] - m, weight[i], w[i]
        root = math.sqrt(x * x + sigma * sigma)
        right, left = 0.5 * (root + x), 0.5 * (root - x)
        normal[0, 0] += q
        normal[0, 1] += q * right
        normal[0, 2] += q * left
        normal[0, 3] += q * y
        normal[1, 1] += q * right * right
        normal[1, 2] += q * right * left
        normal[1, 3] += q * right * y
        normal[2, 2] += q * left * left
        normal[2, 3] += q * left * y
        squares += q * y * y
    normal[1, 0], normal[2, 0], normal[2, 1] = normal[0, 1], normal[0, 2], normal[1, 2]
    return squares


@compiled(fast=True)
def _inner(
    k: ndarray, w: ndarray, weight: ndarray, m: float, sigma: float, high: ndarray, face: ndarray, best: ndarray
) -> float:
    """Least squares in the box [0, high], put in `best`: the lowest of the 27 faces' minima that lie in the box."""
    normal = face[0]
    squares = _moments(k, w, weight, m, sigma, normal)
    least = 1e300
    for which in range(27):
        system, code = face[1], which
        for j in range(3):  # A bound variable becomes the row x = bound; a free one keeps its normal equation.
            side, code = code % 3, code // 3
            for i in range(4):
                system[j, i] = normal[j, i] if side == 0 else 0.0
            if side > 0:
                system[j, j] = 1.0
                system[j, 3] = high[j] if side == 2 else 0.0
        if not _cramer(system, face[2, 0]):
            continue
        x = face[2, 0]
        if x[0] < 0.0 or x[1] < 0.0 or x[2] < 0.0 or x[0] > high[0] or x[1] > high[1] or x[2] > high[2]:
            continue
        cost = squares
        for j in range(3):
            cost -= 2.0 * x[j] * normal[j, 3]
            for i in range(3):
                cost += x[j] * x[i] * normal[j, i]
        if cost < least:
            least = cost
            best[0], best[1], best[2] = x[0], x[1], x[2]
    return least


@compiled(fast=True)
def _cramer(s: ndarray, x: ndarray) -> bool:
    """Solve the 3 × 3 system s[:, :3] x = s[:, 3]; False where it is singular."""
    c0 = s[1, 1] * s[2, 2] - s[1, 2] * s[2, 1]
    c1 = s[1, 2] * s[2, 0] - s[1, 0] * s[2, 2]
    c2 = s[1, 0] * s[2, 1] - s[1, 1] * s[2, 0]
    det = s[0, 0] * c0 + s[0, 1] * c1 + s[0, 2] * c2
    if abs(det) < 1e-300:
        return False
    d0 = s[1, 3] * s[2, 2] - s[1, 2] * s[2, 3]
    d1 = s[1, 3] * s[2, 1] - s[1, 1] * s[2, 3]
    d2 = s[1, 0] * s[2, 3] - s[1, 3] * s[2, 0]
    x[0] = (s[0, 3] * c0 - s[0, 1] * d0 + s[0, 2] * d1) / det
    x[1] = (s[0, 0] * d0 + s[0, 3] * c1 + s[0, 2] * d2) / det
    x[2] = (-s[0, 0] * d1 - s[0, 1] * d2 + s[0, 3] * c2) / det
    return True


@compiled()
def _calibrate(k: ndarray, w: ndarray, weight: ndarray) -> ndarray:
    """Nelder–Mead over (m, ln σ) around the exact inner solution, from three starts."""
    high = np.array([w.max(), LEE_SLOPE_MAX, LEE_SLOPE_MAX])
    span = k.max() - k.min()
    face, inner = np.zeros((3, 3, 4)), np.zeros(3)
    corner, cost = np.empty((3, 2)), np.empty(3)
    lowest = k[np.argmin(w)]
    answer = np.zeros(5)
    least = 1e300
    for start in range(3):
        corner[0, 0] = 0.0 if start == 2 else lowest
        corner[0, 1] = math.log(span * (0.1 if start == 0 else 0.4))
        corner[1, 0], corner[1, 1] = corner[0, 0] + 0.15 * span, corner[0, 1]
        corner[2, 0], corner[2, 1] = corner[0, 0], corner[0, 1] + 0.7
        for j in range(3):
            cost[j] = _inner(k, w, weight, corner[j, 0], math.exp(corner[j, 1]), high, face, inner)
        _simplex(k, w, weight, high, span, corner, cost, face, inner)
        j = int(np.argmin(cost))
        if cost[j] < least:
            m, sigma = corner[j, 0], math.exp(corner[j, 1])
            least = _inner(k, w, weight, m, sigma, high, face, inner)
            b = 0.5 * (inner[1] + inner[2])
            rho = 0.5 * (inner[1] - inner[2]) / b if b > 0.0 else 0.0
            answer[0], answer[1], answer[2], answer[3], answer[4] = inner[0], b, rho, m, sigma
    return answer


@compiled()
def _simplex(
    k: ndarray, w: ndarray, weight: ndarray, high: ndarray, span: float,
    corner: ndarray, cost: ndarray, face: ndarray, inner: ndarray,
) -> None:  # fmt: skip
    """Move the three corners downhill (reflect, expand, contract, shrink), in place."""
    trial = np.empty(2)
    low_sigma, high_sigma = math.log(0.01 * span), math.log(10.0 * span)
    for _ in range(_SIMPLEX_STEPS):
        best, worst = int(np.argmin(cost)), int(np.argmax(cost))
        if cost[worst] - cost[best] <= 1e-7 * cost[best]:
            break
        other = 3 - best - worst
        mid0, mid1 = 0.5 * (corner[best, 0] + corner[other, 0]), 0.5 * (corner[best, 1] + corner[other, 1])
        moved = False
        for step in (2.0, 1.0, -0.5):
            trial[0] = mid0 + step * (mid0 - corner[worst, 0])
            trial[1] = min(max(mid1 + step * (mid1 - corner[worst, 1]), low_sigma), high_sigma)
            value = _inner(k, w, weight, trial[0], math.exp(trial[1]), high, face, inner)
            if value < (cost[best] if step == 2.0 else cost[worst]):
                corner[worst, 0], corner[worst, 1], cost[worst] = trial[0], trial[1], value
                moved = True
                break
        if not moved:
            for j in range(3):
                if j != best:
                    corner[j, 0] = 0.5 * (corner[j, 0] + corner[best, 0])
                    corner[j, 1] = 0.5 * (corner[j, 1] + corner[best, 1])
                    cost[j] = _inner(k, w, weight, corner[j, 0], math.exp(corner[j, 1]), high, face, inner)
