"""Whether the whole forecast distribution, or its lower tail, is right: Berkowitz's likelihood ratios.

What is tested are probabilities u [..., date] that the forecast gave to what came or less: uniform and independent if
it was right, so z = Φ⁻¹(u) is standard normal and independent.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.core.errors import InvalidInput
from crossmargin.validation import check
from crossmargin.validation.statistics.coverage import likelihood_ratio
from crossmargin.validation.statistics.results import Tested, flags

CLIP = 1e-9  # A probability of 0 or 1 would be an infinite z; this one is six standard deviations.
VARIANCE_MIN = 1e-20  # Of what the date before leaves: no random series comes near it.
_GRID = 81
_GOLDEN = 0.5 * (5.0**0.5 - 1.0)
_HALVINGS = 60
_NEWTON_STEPS, _NEWTON_TOLERANCE = 60, 1e-12


def berkowitz(probabilities: ArrayLike, *, likelihood: Literal["conditional", "exact"] = "conditional") -> Tested:
    """Zero mean, unit variance and no autocorrelation of z [..., date] together; chi-square with 3 degrees of freedom.

    z_t − μ = ρ (z_{t−1} − μ) + e, e ~ N(0, σ²); LR = −2 [L(0, 1, 0) − L(μ̂, σ̂², ρ̂)]. `conditional` starts at the second
    date; `exact` adds the first one, N(μ, σ²/(1 − ρ²)). The side is `understated` where z has more than unit variance.
    Probabilities within 1e-9 of 0 or 1 are moved there, and flagged. Source: Berkowitz (2001), Journal of Business &
    Economic Statistics 19, 465–474. Raises `InvalidInput` for probabilities outside [0, 1], fewer than five dates, or a
    series that is constant or foretold exactly by the date before."""
    z, clipped = _normal(probabilities, "berkowitz")
    moments = _moments(z)
    if (_residual_variance(moments) <= VARIANCE_MIN).any():
        raise InvalidInput(
            "probabilities",
            where="berkowitz",
            value="a series that its own past foretells exactly",
            limit="neither constant nor a line of the date before",
            remedy="Check that forecasts and outcomes belong to the same dates.",
        )
    ratio = _conditional_ratio(moments) if likelihood == "conditional" else _exact_ratio(moments)
    return likelihood_ratio(
        f"berkowitz_{likelihood}",
        ratio,
        3,
        "likelihood from the second date" if likelihood == "conditional" else "likelihood with stationary first date",
        np.sign((z**2).mean(axis=-1) - 1.0),
        flags(clipped.shape, ("clipped", clipped)),
    )


def berkowitz_tail(probabilities: ArrayLike, *, tail: float) -> Tested:
    """Mean and variance of z [..., date] below c = Φ⁻¹(tail), the rest censored; chi-square with 2 degrees of freedom.

    L = Σ_{z<c} ln[φ((z − μ)/σ)/σ] + #{z ≥ c}·ln(1 − Φ((c − μ)/σ)); LR = −2 [L(0, 1) − L(μ̂, σ̂)]. A series that never
    enters the tail has the supremum 0 of L, one that enters it once an estimate on one point: both are flagged. The
    side is `understated` where more than `tail` of the dates lie in the tail, or its mean lies lower than it should.
    Source: Berkowitz (2001), section 3. Raises `InvalidInput` as `berkowitz`, and for a tail outside (0, 1)."""
    z, clipped = _normal(probabilities, "berkowitz_tail")
    cut = float(special.ndtri(check.rate(tail, "tail", where="berkowitz_tail")))
    inside = z < cut
    inner, outer = inside.sum(axis=-1), (~inside).sum(axis=-1)
    total, squares = np.where(inside, z, 0.0).sum(axis=-1), np.where(inside, z**2, 0.0).sum(axis=-1)
    stated = outer * special.log_ndtr(-cut) - 0.5 * squares
    best = _censored_maximum(inner, outer, total, squares, cut)
    # E[z; z < c] = −φ(c) a date.
    expected = -z.shape[-1] * np.exp(-0.5 * cut**2) / np.sqrt(2.0 * np.pi)
    return likelihood_ratio(
        "berkowitz_tail",
        2.0 * (np.where(inner == 0, 0.0, best) - stated),
        2,
        f"z at or above the {tail:g} quantile censored",
        np.sign(expected - total),
        flags(inner.shape, ("no_exceptions", inner == 0), ("few_exceptions", inner < 2), ("clipped", clipped)),
    )


class _Moments(NamedTuple):
    """Sums [...] that the likelihoods need: of z from the second date, of z before it, their squares and product."""

    first: FloatArray
    pairs: int
    now: FloatArray
    before: FloatArray
    now_now: FloatArray
    before_before: FloatArray
    now_before: FloatArray


def _moments(z: FloatArray) -> _Moments:
    now, before = z[..., 1:], z[..., :-1]
    sums = (now, before, now * now, before * before, now * before)
    return _Moments(z[..., 0], now.shape[-1], *(np.asarray(part.sum(axis=-1)) for part in sums))


def _conditional_ratio(m: _Moments) -> FloatArray:
    """Σ z² − n ln σ̂² − n from the second date: the least squares of z on its lag are the maximum."""
    return np.asarray(m.now_now - m.pairs * np.log(_residual_variance(m)) - m.pairs)


def _residual_variance(m: _Moments) -> FloatArray:
    spread = m.before_before - m.before**2 / m.pairs
    moves = spread > VARIANCE_MIN * m.pairs
    covered = (m.now_before - m.now * m.before / m.pairs) ** 2 / np.where(moves, spread, 1.0)
    return np.asarray((m.now_now - m.now**2 / m.pairs - np.where(moves, covered, 0.0)) / m.pairs)


def _exact_ratio(m: _Moments) -> FloatArray:
    """As `_conditional_ratio` with the first date: μ and σ² are closed forms in ρ, which is searched for.

    A grid finds the neighbourhood of the maximum, golden sections the maximum: it need not be the only one."""
    grid = np.linspace(-0.999, 0.999, _GRID).reshape(-1, *([1] * m.first.ndim))
    step = float(grid.ravel()[1] - grid.ravel()[0])
    near = np.take_along_axis(
        np.broadcast_to(grid, (_GRID, *m.first.shape)), _profile(m, grid).argmax(axis=0)[None], axis=0
    )[0]
    low, high = np.maximum(near - step, -0.999999), np.minimum(near + step, 0.999999)
    for _ in range(_HALVINGS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        rising = _profile(m, left) < _profile(m, right)
        low, high = np.where(rising, left, low), np.where(rising, high, right)
    return np.asarray(m.first**2 + m.now_now + 2.0 * _profile(m, 0.5 * (low + high)))


def _profile(m: _Moments, rho: FloatArray) -> FloatArray:
    """Maximum over μ and σ² of the exact log-likelihood at ρ, without the constant −½ N ln 2π."""
    dates, rest = m.pairs + 1, 1.0 - rho
    mean = ((1.0 + rho) * m.first + m.now - rho * m.before) / ((1.0 + rho) + m.pairs * rest)
    # Σ (z_t − ρ z_{t−1} − (1 − ρ) μ)² by its sums.
    square = m.now_now - 2.0 * rho * m.now_before + rho**2 * m.before_before
    square = square - 2.0 * rest * mean * (m.now - rho * m.before) + m.pairs * (rest * mean) ** 2
    square = square + (1.0 - rho**2) * (m.first - mean) ** 2
    return np.asarray(-0.5 * dates * (np.log(square / dates) + 1.0) + 0.5 * np.log1p(-(rho**2)))


def _censored_maximum(
    inner: FloatArray, outer: FloatArray, total: FloatArray, squares: FloatArray, cut: float
) -> FloatArray:
    """Maximum [...] of n₁ ln h − ½ Σ (h z − g)² + n₀ ln Φ(g − h c) over h = 1/σ > 0 and g = μ/σ; n₁ ≥ 1 where used.

    In h and g it is concave (Olsen 1978, Econometrica 46, 1211–1215), so Newton's steps, halved while they fall, find
    the only maximum from μ = 0, σ = 1."""
    h, g = np.ones(inner.shape), np.zeros(inner.shape)
    sums = (inner, outer, total, squares, cut)
    value = _censored(h, g, *sums)
    for _ in range(_NEWTON_STEPS):
        step_h, step_g = _newton_step(h, g, *sums)
        size = np.where(h + step_h > 0.0, 1.0, -0.9 * h / np.where(step_h < 0.0, step_h, -1.0))
        tried = _censored(h + size * step_h, g + size * step_g, *sums)
        for _ in range(30):
            falls = ~(tried >= value)
            if not falls.any():
                break
            size = np.where(falls, 0.5 * size, size)
            tried = _censored(h + size * step_h, g + size * step_g, *sums)
        gained = np.maximum(tried - value, 0.0)
        better = tried >= value
        h, g = np.where(better, h + size * step_h, h), np.where(better, g + size * step_g, g)
        value = np.where(better, tried, value)
        if (gained < _NEWTON_TOLERANCE * (1.0 + np.abs(value))).all():
            break
    return value


def _censored(
    h: FloatArray,
    g: FloatArray,
    inner: FloatArray,
    outer: FloatArray,
    total: FloatArray,
    squares: FloatArray,
    cut: float,
) -> FloatArray:
    square = h**2 * squares - 2.0 * h * g * total + inner * g**2
    return np.asarray(inner * np.log(h) - 0.5 * square + outer * special.log_ndtr(g - h * cut))


def _newton_step(
    h: FloatArray,
    g: FloatArray,
    inner: FloatArray,
    outer: FloatArray,
    total: FloatArray,
    squares: FloatArray,
    cut: float,
) -> tuple[FloatArray, FloatArray]:
    """−H⁻¹ ∇ of the censored log-likelihood; with m = φ(x)/Φ(x), m' = −m (x + m) at x = g − h c."""
    x = g - h * cut
    mills = np.exp(-0.5 * x**2 - special.log_ndtr(x)) / np.sqrt(2.0 * np.pi)
    bend = outer * mills * (x + mills)
    down_h = inner / h - h * squares + g * total - outer * cut * mills
    down_g = h * total - inner * g + outer * mills
    hh, hg, gg = inner / h**2 + squares + cut**2 * bend, -total - cut * bend, inner + bend
    # Where no date lies in the tail the maximum is at infinity and its value known: no step is needed.
    determinant = np.where(inner > 0, hh * gg - hg**2, 1.0)
    return (
        np.where(inner > 0, (gg * down_h - hg * down_g) / determinant, 0.0),
        np.where(inner > 0, (hh * down_g - hg * down_h) / determinant, 0.0),
    )


def _normal(probabilities: ArrayLike, where: str) -> tuple[FloatArray, BoolArray]:
    """z [..., date], and which series had probabilities moved off 0 or 1 [...]."""
    u = check.series(probabilities, "probability", where=where)
    if u.shape[-1] < 5:
        raise InvalidInput("dates", where=where, value=u.shape[-1], limit="at least 5", remedy="Test a longer series.")
    if ((u < 0.0) | (u > 1.0)).any():
        raise InvalidInput(
            "probability",
            where=where,
            value=[float(u.min()), float(u.max())],
            limit="between 0 and 1",
            remedy="Give the forecast's distribution function at what came.",
        )
    moved = np.clip(u, CLIP, 1.0 - CLIP)
    return np.asarray(special.ndtri(moved), np.float64), (moved != u).any(axis=-1)
