"""Sums of weighted sensitivities: over factors with their correlations, over buckets, and for curvature.

Factors come in one flat list, each with the number of the cell (one account and product class, say) it belongs to,
so that thousands of accounts are one call. The double sum over pairs is never formed: with f_kl = min(CR)/max(CR)
and factors in the order of CR, Σ_kl f_kl x_k x_l = Σ_l x_l (x_l + 2/CR_l · Σ_{k<l} CR_k x_k).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossmargin.core.arrays import FloatArray, IntArray, tally
from crossmargin.core.compile import compiled
from crossmargin.margin.rulebooks.sensitivities.tables import QUANTILE_995

LAMBDA = QUANTILE_995**2 - 1.0  # what curvature takes on top of its mean at θ = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Netted:
    """Sums by distinct keys: `keys[j]` [factor] is the j-th part of each key, `amount` [factor] the sum."""

    keys: tuple[IntArray, ...]
    amount: FloatArray


def netted(amount: FloatArray, *keys: IntArray) -> Netted:
    """Sums of `amount` [row] over rows that agree in all `keys` [row] (not negative), in ascending order of keys."""
    sizes = [int(key.max()) + 1 if len(key) else 1 for key in keys]
    flat = np.zeros(len(amount), np.int64)
    for key, size in zip(keys, sizes, strict=True):
        flat = flat * size + key
    distinct, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
    total = tally(inverse, amount, len(distinct))
    return Netted(keys=tuple(key[first] for key in keys), amount=total)


def by_segment(values: FloatArray, segment: IntArray, segments: int) -> FloatArray:
    """Sums of `values` [factor] by segment [segments]."""
    return tally(segment, values, segments)


def concentration(total: FloatArray, threshold: FloatArray) -> FloatArray:
    """CR = max(1, √(|Σs|/T)) of each sum."""
    return np.maximum(1.0, np.sqrt(np.abs(total) / threshold))


def pair_sums(values: FloatArray, ratio: FloatArray, segment: IntArray, segments: int) -> FloatArray:
    """Σ_kl min(CR_k, CR_l)/max(CR_k, CR_l) x_k x_l over all ordered pairs of each segment [segments].

    `values` x and concentration `ratio` CR ≥ 1 by factor. A segment without factors has zero.
    """
    order = np.lexsort((ratio, segment))
    out = np.zeros(segments)
    _pair_loop(order, segment, values, ratio, out)
    return out


@compiled()
def _pair_loop(
    order: NDArray[Any], segment: NDArray[Any], values: NDArray[Any], ratio: NDArray[Any], out: NDArray[Any]
) -> None:
    last, running = -1, 0.0
    for i in order:
        here = segment[i]
        if here != last:
            last, running = here, 0.0
        out[here] += values[i] * (values[i] + 2.0 * running / ratio[i])
        running += ratio[i] * values[i]


def root(square: FloatArray) -> FloatArray:
    """√max(x, 0): correlations as calibrated need not be positive definite, and rounding goes below zero."""
    return np.sqrt(np.maximum(square, 0.0))


def bounded(total: FloatArray, most: FloatArray) -> FloatArray:
    """S = max(min(Σ, K), −K)."""
    return np.clip(total, -most, most)


def correlated_factors(
    values: FloatArray,
    ratio: FloatArray,
    segment: IntArray,
    group: IntArray,
    same: FloatArray,
    different: FloatArray,
) -> FloatArray:
    """K² of each segment: Σ_kl ρ_kl f_kl x_k x_l with ρ = 1 on the diagonal, `same` [segment] within a group of
    factors and `different` [segment] between two groups. `group` numbers the groups over all segments."""
    segments = len(same)
    every = pair_sums(values, ratio, segment, segments)
    own = by_segment(values**2, segment, segments)
    if not len(values):
        return own
    groups = int(group.max()) + 1
    home = np.zeros(groups, np.int64)
    home[group] = segment
    within = by_segment(pair_sums(values, ratio, group, groups), home, segments)
    return (1.0 - same) * own + (same - different) * within + different * every


def across(k: FloatArray, s: FloatArray, gamma: FloatArray) -> FloatArray:
    """√(Σ_b K_b² + Σ_{b≠c} γ_bc S_b S_c) of each cell, from `k` and `s` [cell, bucket] and γ with a zero diagonal."""
    return root((k**2).sum(axis=1) + np.einsum("cb,bd,cd->c", s, gamma, s))


def curvature_margin(total: FloatArray, absolute: FloatArray, spread: FloatArray) -> FloatArray:
    """max(0, ΣCVR + λ·√(…)) with θ = min(0, ΣCVR/Σ|CVR|), λ = (Φ⁻¹(0.995)² − 1)(1 + θ) − θ; zero where all CVR are."""
    theta = np.minimum(0.0, np.divide(total, absolute, out=np.zeros_like(total), where=absolute > 0.0))
    weight = LAMBDA * (1.0 + theta) - theta
    return np.maximum(0.0, total + weight * spread)
