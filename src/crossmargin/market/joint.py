"""All smiles of an underlying at once: the SVI surface nearest to its quotes that admits no static arbitrage.

An interior-point method over the parameters of every smile. It starts inside the set of surfaces without butterfly
(g > 0), calendar (total variance growing at every k) and Lee violations, and never leaves it: the constraints push
back with weights that vanish as it converges. Far out the smiles are lines, so there the slopes must grow too.

Source of the method: Nocedal and Wright (2006), "Numerical Optimization", algorithm 19.2, with slacks that equal the
constraints because every point is feasible, and with Gauss–Newton curvature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray
from crossmargin.market.interior import G_MARGIN, GROWTH_MARGIN, descend
from crossmargin.market.svi import LEE_SLOPE_MAX, density_factor, total_variance

_LEE_MARGIN: Final = 0.01
_BLEND_STEP: Final = 0.1
_NEAR, _FAR = 3.0, 100.0
_NEAR_NODES, _FAR_NODES = 141, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the smiles are pulled to: `vol` and its `scale` at `k` [point]; expiry e has `start[e]` … `start[e + 1]`.

    Vols are decimals a year; residuals over `scale` beyond `huber` count linearly.
    """

    tenor_years: FloatArray
    start: IntArray
    k: FloatArray
    vol: FloatArray
    scale: FloatArray
    huber: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JointFit:
    """The fitted smiles `params` [expiry, 5], the `cost` of their residuals, the `steps` taken, and `blend` [expiry].

    `blend` is how far each smile had to move towards its SSVI smile before the search could start: 0 where its own
    calibration admitted no arbitrage, 1 where it started from SSVI.
    """

    params: FloatArray
    cost: float
    steps: int
    blend: FloatArray


def constraint_grid(theta: FloatArray) -> FloatArray:
    """Log-moneyness nodes [node]: most dense at the money of the nearest expiry and evenly spread in ln |k| out to 3,
    and a few far ones, where smiles are all but lines and their slopes, which grow, decide."""
    width = 0.5 * math.sqrt(float(theta[0]))
    near = width * np.sinh(np.linspace(-1.0, 1.0, _NEAR_NODES) * np.arcsinh(_NEAR / width))
    far = np.geomspace(_NEAR, _FAR, _FAR_NODES + 1)[1:]
    return np.concatenate([-far[::-1], near, far])


def fit_jointly(calibrated: FloatArray, anchor: FloatArray, targets: Targets, grid: FloatArray) -> JointFit:
    """The smiles nearest to `targets` that admit no arbitrage on `grid` [point].

    `calibrated` [expiry, 5] are smiles fitted one by one; `anchor` [expiry, 5] is a surface without arbitrage, towards
    which each smile is moved no further than needed to start."""
    box = _box(calibrated, anchor)
    inside, blend = _blend(_to_slopes(calibrated), _to_slopes(anchor), box, grid)
    cost, steps = descend(
        inside, targets.tenor_years, targets.start, targets.k, targets.vol, targets.scale, targets.huber, grid, *box
    )
    return JointFit(params=_from_slopes(inside), cost=cost, steps=steps, blend=blend)


def _to_slopes(params: FloatArray) -> FloatArray:
    """(a, right slope, left slope, m, ln σ): the coordinates in which wings and bounds are plain."""
    a, b, rho, m, sigma = params.T
    return np.column_stack([a, b * (1.0 + rho), b * (1.0 - rho), m, np.log(sigma)])


def _from_slopes(p: FloatArray) -> FloatArray:
    a, right, left, m, log_sigma = p.T
    return np.column_stack([a, 0.5 * (right + left), (right - left) / (right + left), m, np.exp(log_sigma)])


def _box(calibrated: FloatArray, anchor: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Walls [expiry, 5] around the coordinates: wide enough for any smile seen, and for the anchor."""
    level = total_variance(np.zeros(1), anchor)
    width = np.sqrt(level)
    spread = np.maximum(3.0 * width, 1.5 * np.abs(anchor[:, 3]))
    tight = np.log(np.minimum(0.03 * width, 0.5 * anchor[:, 4]))
    loose = np.log(np.maximum(4.0 * width, 2.0 * anchor[:, 4]))
    zero, lee = np.full_like(width, 1e-9), np.full_like(width, LEE_SLOPE_MAX - _LEE_MARGIN)
    deep = 10.0 * (np.abs(calibrated[:, 0]) + level) + 5.0
    return np.column_stack([-deep, zero, zero, -spread, tight]), np.column_stack([deep, lee, lee, spread, loose])


def _blend(
    p: FloatArray, anchor: FloatArray, box: tuple[FloatArray, FloatArray], grid: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Move the smiles that break a constraint towards the anchor, a tenth at a time, until none does."""
    low, high = box
    p = np.clip(p, low + 1e-5 * (high - low), high - 1e-5 * (high - low))
    share = np.zeros(len(p))
    while True:
        mixed = (1.0 - share[:, None]) * p + share[:, None] * anchor
        bad = _broken(mixed, box, grid)
        if not bad.any():
            return np.ascontiguousarray(mixed), share
        stuck = bad & (share >= 1.0)  # Such a smile cannot move: its neighbours must.
        bad[1:] |= stuck[:-1]
        bad[:-1] |= stuck[1:]
        assert (share[bad] < 1.0).any(), "the anchor admits arbitrage"
        share = np.where(bad, np.minimum(1.0, share + _BLEND_STEP), share)


def _broken(p: FloatArray, box: tuple[FloatArray, FloatArray], grid: FloatArray) -> BoolArray:
    """Which smiles [expiry] touch a wall, or break a constraint alone or with a neighbour (both are then named)."""
    params = _from_slopes(p)[:, None, :]
    w = total_variance(grid, params)
    with np.errstate(divide="ignore", invalid="ignore"):  # Where w ≤ 0, g means nothing, and w is looked at as well.
        sound = (w > 0.0) & (density_factor(grid, params) > 2.0 * G_MARGIN)
    inside = ((p > box[0]) & (p < box[1])).all(axis=1) & sound.all(axis=1)
    grown = (w[1:] > w[:-1] * (1.0 + 2.0 * GROWTH_MARGIN)).all(axis=1) & (p[1:, 1:3] > p[:-1, 1:3]).all(axis=1)
    bad = np.asarray(~inside)
    bad[1:] |= ~grown
    bad[:-1] |= ~grown
    return bad
