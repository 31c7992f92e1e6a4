"""Undiscounted Black prices in units of the forward, and the total vols they imply.

What the building of a market needs, and no more; the full kernels stand with valuation.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy import ndarray

from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.core.compile import compiled

# exp(−v²/8) is zero in double precision beyond it: every price then equals its roof.
_TOTAL_VOL_MAX: Final = 80.0
_ROOT_HALF: Final = math.sqrt(0.5)
_DENSITY_AT_ZERO: Final = 1.0 / math.sqrt(2.0 * math.pi)


def unit_price(k: FloatArray, total_vol: FloatArray, is_call: BoolArray) -> FloatArray:
    """Undiscounted prices [option] over the forward, at log-moneyness `k` and total vol v = σ√τ.

    Call N(d₁) − eᵏ N(d₂), put eᵏ N(−d₂) − N(−d₁), d₁ = −k/v + v/2, d₂ = d₁ − v; v = 0 gives the intrinsic value.
    This is the price in coin of an option settled in its underlying. Source: Black (1976), J. Financ. Econ. 3."""
    out = np.empty(k.shape)
    _unit_price(k, total_vol, is_call, out)
    return out


def implied_total_vol(k: FloatArray, price: FloatArray, is_call: BoolArray) -> FloatArray:
    """Total vols [option] whose `unit_price` is `price`: 0 at or below intrinsic value, infinite at or above the roof.

    Newton on the logarithm of the time value between brackets, to 1e-12 relative."""
    out = np.empty(k.shape)
    _implied_total_vol(k, price, is_call, out)
    return out


@compiled()
def _ndtr(x: float) -> float:
    return 0.5 * math.erfc(-x * _ROOT_HALF)


@compiled()
def _price(k: float, v: float, is_call: bool) -> float:
    strike = math.exp(k)
    if v <= 0.0:
        return max(1.0 - strike, 0.0) if is_call else max(strike - 1.0, 0.0)
    d1 = -k / v + 0.5 * v
    if is_call:
        return _ndtr(d1) - strike * _ndtr(d1 - v)
    return strike * _ndtr(v - d1) - _ndtr(-d1)


@compiled()
def _unit_price(k: ndarray, v: ndarray, is_call: ndarray, out: ndarray) -> None:
    for i in range(k.size):
        out[i] = _price(k[i], v[i], is_call[i])


@compiled()
def _implied_total_vol(k: ndarray, price: ndarray, is_call: ndarray, out: ndarray) -> None:
    for i in range(k.size):
        strike = math.exp(k[i])
        intrinsic = max(1.0 - strike, 0.0) if is_call[i] else max(strike - 1.0, 0.0)
        time_value = price[i] - intrinsic
        if time_value <= 0.0:
            out[i] = 0.0
        elif time_value >= min(1.0, strike):
            out[i] = np.inf
        else:
            out[i] = _invert(k[i], time_value)


@compiled()
def _invert(k: float, time_value: float) -> float:
    """Total vol of the out-of-the-money option at `k`; by parity its price is the time value of the other."""
    is_call = k > 0.0
    goal = math.log(time_value)
    low, high = 0.0, _TOTAL_VOL_MAX
    v = math.sqrt(2.0 * abs(k)) + 0.05  # Near the point where the price bends, from which Newton finds both ways.
    for _ in range(100):
        value = _price(k, v, is_call)
        gap = math.log(value) - goal if value > 0.0 else -1e300
        if gap > 0.0:
            high = v
        else:
            low = v
        d1 = -k / v + 0.5 * v
        vega = math.exp(-0.5 * d1 * d1) * _DENSITY_AT_ZERO
        new = v - gap * value / vega if vega > 0.0 and value > 0.0 else -1.0
        if not low < new < high:
            new = 0.5 * (low + high) if high < _TOTAL_VOL_MAX else min(2.0 * v, 0.5 * (v + high))
        if abs(new - v) <= 1e-12 * v:
            return new
        v = new
    return v
