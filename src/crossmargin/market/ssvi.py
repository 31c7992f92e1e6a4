"""SSVI: one shape of smile for all expiries, scaled by the at-the-money total variance θ of each.

    w(k, θ) = θ/2 (1 + ρ φ k + √((φ k + ρ)² + 1 − ρ²)),   φ(θ) = η θ^−γ (1 + θ)^(γ − 1).

With 0 < γ ≤ 1/2 and η (1 + |ρ|) ≤ 2, and θ growing with expiry, it admits no static arbitrage.
Source: Gatheral and Jacquier (2014), Quantitative Finance 14(1), 59–71, theorems 4.1 and 4.2 and remark 4.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy import ndarray

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.compile import compiled

# Below the 2 of theorem 4.2, so that g stays off zero and the surface is a strictly free point to start from.
SPREAD_MAX: Final = 1.95
# Below this many nats a pair of expiries could touch by rounding.
GROWTH_MIN: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssvi:
    """The shape: `rho` ρ the correlation, `eta` η the curvature, `gamma` γ how fast it fades with variance."""

    rho: float
    eta: float
    gamma: float

    def curvature(self, theta: FloatArray) -> FloatArray:
        """φ(θ) of at-the-money total variances `theta` [expiry]."""
        return np.asarray(self.eta * theta**-self.gamma * (1.0 + theta) ** (self.gamma - 1.0))

    def smiles(self, theta: FloatArray) -> FloatArray:
        """The raw SVI smiles [expiry, 5] of at-the-money total variances `theta` [expiry].

        a = θ(1 − ρ²)/2, b = θφ/2, m = −ρ/φ, σ = √(1 − ρ²)/φ. Source: Gatheral and Jacquier (2014), section 4."""
        phi, root = self.curvature(theta), math.sqrt(1.0 - self.rho**2)
        rho = np.full_like(theta, self.rho)
        return np.column_stack([0.5 * theta * root**2, 0.5 * theta * phi, rho, -self.rho / phi, root / phi])

    def is_free(self) -> bool:
        """Whether the shape admits no static arbitrage for any growing θ (theorem 4.2, remark 4.4)."""
        return abs(self.rho) < 1.0 and 0.0 < self.gamma <= 0.5 and 0.0 < self.eta * (1.0 + abs(self.rho)) <= 2.0


def growing(theta: FloatArray) -> FloatArray:
    """The at-the-money total variances [expiry] nearest in ln θ to `theta` that grow by 0.1 % or more at each expiry.

    Pool adjacent violators. Source: Ayer, Brunk, Ewing, Reid and Silverman (1955), Ann. Math. Statist. 26, 641–647."""
    trend = GROWTH_MIN * np.arange(theta.size)
    blocks: list[tuple[float, int]] = []
    for level in np.log(theta) - trend:
        block = (float(level), 1)
        while blocks and blocks[-1][0] >= block[0]:
            mean, count = blocks.pop()
            total = count + block[1]
            block = ((mean * count + block[0] * block[1]) / total, total)
        blocks.append(block)
    means, counts = zip(*blocks, strict=True)
    return np.asarray(np.exp(np.repeat(means, counts) + trend))


def calibrate(
    theta: FloatArray, tenor_years: FloatArray, start: IntArray, k: FloatArray, vol: FloatArray, scale: FloatArray
) -> Ssvi:
    """The shape nearest to the vols of all expiries: Σ ((√(w/τ) − vol) / scale)², Huber beyond 3, at its least.

    `theta`, `tenor_years` [expiry]; `k`, `vol`, `scale` [point], those of expiry e from `start[e]` to `start[e + 1]`.
    Levenberg–Marquardt over (ρ, η, γ) inside the conditions of `Ssvi.is_free`."""
    rho, eta, gamma = _calibrate(theta, tenor_years, start, k, vol, scale)
    return Ssvi(rho=float(rho), eta=float(eta), gamma=float(gamma))


@compiled()
def _assemble(
    shape: ndarray, theta: ndarray, tau: ndarray, start: ndarray, k: ndarray, vol: ndarray, scale: ndarray,
    normal: ndarray, gradient: ndarray,
) -> float:  # fmt: skip
    """The cost at `shape` (ρ, η, γ), with its Gauss–Newton normal matrix and gradient."""
    rho, eta, gamma = shape[0], shape[1], shape[2]
    normal[:] = 0.0
    gradient[:] = 0.0
    cost = 0.0
    row = np.empty(3)
    for e in range(tau.size):
        t = theta[e]
        phi = eta * t ** (-gamma) * (1.0 + t) ** (gamma - 1.0)
        for i in range(start[e], start[e + 1]):
            z = phi * k[i]
            root = math.sqrt((z + rho) ** 2 + 1.0 - rho * rho)
            fitted = math.sqrt(0.5 * t * (1.0 + rho * z + root) / tau[e])
            residual = (fitted - vol[i]) / scale[i]
            pull = 1.0 if abs(residual) <= 3.0 else math.sqrt(3.0 / abs(residual))
            cost += 0.5 * residual**2 if pull == 1.0 else 3.0 * (abs(residual) - 1.5)
            slope = pull * 0.25 * t / (fitted * tau[e] * scale[i])
            row[0] = slope * (z + z / root)
            row[1] = slope * (rho + (z + rho) / root) * z / eta
            row[2] = slope * (rho + (z + rho) / root) * z * math.log((1.0 + t) / t)
            for a in range(3):
                gradient[a] += row[a] * pull * residual
                for b in range(3):
                    normal[a, b] += row[a] * row[b]
    return cost


@compiled()
def _calibrate(
    theta: ndarray, tau: ndarray, start: ndarray, k: ndarray, vol: ndarray, scale: ndarray
) -> ndarray:  # fmt: skip
    """Damped Gauss–Newton steps, clipped to the free shapes."""
    best, trial = np.array([-0.2, 1.0, 0.4]), np.array([-0.2, 1.0, 0.4])
    normal, gradient = np.zeros((3, 3)), np.zeros(3)
    kept, kept_gradient = np.zeros((3, 3)), np.zeros(3)
    damp, least = 1e-2, 1e300
    for _ in range(60):
        cost = _assemble(trial, theta, tau, start, k, vol, scale, normal, gradient)
        if cost < least:
            done = least - cost <= 1e-6 * cost
            least = cost
            best[:] = trial
            kept[:] = normal
            kept_gradient[:] = gradient
            damp = max(damp * 0.2, 1e-8)
            if done:
                break
        else:
            damp *= 5.0
            if damp > 1e8:
                break
        normal[:] = kept
        for a in range(3):
            normal[a, a] = normal[a, a] * (1.0 + damp) + 1e-12
        trial[:] = best - np.linalg.solve(normal, kept_gradient)
        trial[0] = min(max(trial[0], -0.95), 0.95)
        trial[1] = min(max(trial[1], 0.01), SPREAD_MAX / (1.0 + abs(trial[0])))
        trial[2] = min(max(trial[2], 0.01), 0.5)
    return best
