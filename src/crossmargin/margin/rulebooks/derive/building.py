"""What the managers share: volatilities from feeds, values of options under shocks, sums over expiries.

Source: rulebook reference 1.3 to 1.5.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy import ndarray

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.compile import compiled
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.derive.native import DAY_S, Part
from crossmargin.valuation.kernels.black76 import black_value_

VARIANCE_MAX: Final = 144.0  # Total variance; a total volatility of 12.
VOL_MAX: Final = 24.0  # σ√T from which on a call is worth its forward.
VOL_MIN: Final = 1e-14  # σ√T below which time value is less than a rounding of the forward, and its terms overflow.
MONTH_S: Final = 30 * DAY_S


class VolShock(Part, frozen=True, kw_only=True):
    """How volatilities move: up by `range_up`·g, down by `range_down`·g, g = (30 d / max(T, `days_floor`))^power.

    The power is `short_power` to 30 days, `long_power` beyond. `vol_floor` holds for shocks up, and for them only.
    """

    range_up: float
    range_down: float
    short_power: float
    long_power: float
    days_floor: float
    vol_floor: float = 0.0


class Basis(Part, frozen=True, kw_only=True):
    """The basis contingency: the worse of two moves of the spot (factors `up`, `down`) in each expiry by itself,
    times `add` + `mult`·T."""

    up: float
    down: float
    add: float
    mult: float


def svi_vols(strike: FloatArray, feed: FloatArray) -> FloatArray:
    """Implied volatility of each option from its expiry's feed, `feed` [7, option]: a, b, ρ, m, σ, F, τ of the feed.

    k = ln(K/F) clamped to ±B, B = 4√(a + bσ); w = a + b(ρ(k − m) + √((k − m)² + σ²)), at most 144; vol = √(w/τ).
    Zero for a strike of 0. Raises `InvalidInput` where w is negative. Source: 1.3, "SVI vol feed".
    """
    a, b, rho, m, sigma, forward, tenor = feed
    priced = strike > 0.0
    bound = 4.0 * np.sqrt(a + b * sigma)
    k = np.clip(np.log(np.where(priced, strike, forward) / forward), -bound, bound) - m
    variance = a + b * (rho * k + np.sqrt(k * k + sigma * sigma))
    if (variance[priced] < 0.0).any():
        at = int(np.flatnonzero(priced & (variance < 0.0))[0])
        raise InvalidInput(
            "total variance", where=f"volatility feed at strike {strike[at]:g}", value=float(variance[at]),
            limit="at least 0", remedy="The venue refuses such a feed; correct it.",
        )  # fmt: skip
    return np.where(priced, np.sqrt(np.minimum(variance, VARIANCE_MAX) / tenor), 0.0)


def vol_multipliers(seconds: IntArray, shock: VolShock) -> tuple[FloatArray, FloatArray]:
    """The factors on volatility, up and down, for each time to expiry; the one down is not below zero.

    Source: 1.4, "Vol shock".
    """
    tenor = np.maximum(seconds, shock.days_floor * DAY_S)
    power = np.where(seconds <= MONTH_S, shock.short_power, shock.long_power)
    # A floor of zero days on the day of expiry shocks without bound: the venue divides by zero there, and refuses.
    if (tenor <= 0.0).any():
        raise InvalidInput(
            "days floor", where="volatility shock", value=shock.days_floor, limit="above 0 for what expires now",
            remedy="Set a floor on the time to expiry.",
        )  # fmt: skip
    g = (MONTH_S / tenor) ** power
    return 1.0 + shock.range_up * g, np.maximum(1.0 - shock.range_down * g, 0.0)


def segment_sums(ptr: IntArray, values: FloatArray) -> FloatArray:
    """Sums over the first axis of `values` [row, ...] by segment, `ptr` [segment + 1]; zero for an empty one."""
    sums = np.zeros((len(ptr) - 1, *values.shape[1:]))
    held = np.diff(ptr) > 0
    if held.any():
        sums[held] = np.add.reduceat(values, ptr[:-1][held], axis=0)
    return sums


def expiry_values(
    option_ptr: IntArray,
    strike: FloatArray,
    right: FloatArray,
    amount: FloatArray,
    total_vol: FloatArray,
    forward: FloatArray,
    vol_column: IntArray,
) -> FloatArray:
    """Undiscounted value [expiry, scenario] of the options of each expiry, USD.

    `option_ptr` [expiry + 1] bounds the options of an expiry; `total_vol` [option, column] is σ√T under each volatility
    shock, of which scenario s takes `vol_column` [scenario]; `forward` [expiry, scenario]. A value is not above the
    forward (call) or strike (put), which it is where σ√T ≥ 24. Source: 1.3, "Black-76".
    """
    value = np.zeros(forward.shape)
    _expiry_loop(option_ptr, strike, right, amount, total_vol, forward, vol_column, value)
    return value


@compiled()
def _unit_value(forward: float, strike: float, total_vol: float, right: float) -> float:
    most = forward if right > 0.0 else strike
    if forward <= 0.0 or strike <= 0.0 or total_vol < VOL_MIN:
        return max(right * (forward - strike), 0.0)
    if total_vol >= VOL_MAX:
        return most
    return min(black_value_(forward, strike, total_vol, right), most)


@compiled()
def _expiry_loop(
    option_ptr: ndarray,
    strike: ndarray,
    right: ndarray,
    amount: ndarray,
    total_vol: ndarray,
    forward: ndarray,
    vol_column: ndarray,
    out: ndarray,
) -> None:
    for e in range(option_ptr.size - 1):
        for i in range(option_ptr[e], option_ptr[e + 1]):
            for s in range(vol_column.size):
                unit = _unit_value(forward[e, s], strike[i], total_vol[i, vol_column[s]], right[i])
                out[e, s] += amount[i] * unit


def option_values(forward: FloatArray, strike: FloatArray, total_vol: FloatArray, right: FloatArray) -> FloatArray:
    """Undiscounted value of one unit of each option, with the same bounds; all [option]."""
    ptr = np.arange(len(strike) + 1)
    column = np.zeros(1, np.int64)
    return expiry_values(ptr, strike, right, np.ones(len(strike)), total_vol[:, None], forward[:, None], column)[:, 0]


def limit_assets(count: int, most: int, what: str) -> None:
    """Raise `InvalidInput` for an account with more than the manager takes."""
    if count > most:
        raise InvalidInput(
            f"number of {what}", where="account", value=count, limit=f"at most {most}",
            remedy="The manager refuses such an account; split it.",
        )  # fmt: skip


def check_ranges(part: msgspec.Struct, limits: dict[str, tuple[float, float]], *, where: str) -> None:
    """Hold the named numbers of a parameter set to the ranges that the venue admits."""
    for name, (low, high) in limits.items():
        value = getattr(part, name)
        if not low <= value <= high:
            raise InvalidInput(
                name, where=where, value=value, limit=f"between {low:g} and {high:g}",
                remedy="The venue admits no other value.",
            )  # fmt: skip
