"""Implied volatility from prices, lognormal and normal, to the last digits that the price holds.

The solver works on the out-of-the-money value in units of √(F·K), b(v), with b′ = φ-like and positive. Left of the
inflection point v = √(2|k|) it runs Newton on ln b as a function of (k/v)², which is nearly a straight line however
small the price; right of it Halley on b, or on ln(b_max − b) near the ceiling. Both are kept inside a bracket that
shrinks at every step, so they end for every price.

Sources: Jäckel (2015), "Let's be rational", Wilmott 75, 40–53, for the split and the derivatives; the iteration is
ours.
"""

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossmargin.core.compile import compiled
from crossmargin.valuation.blocks import uniform
from crossmargin.valuation.kernels.bachelier import normal_unit_
from crossmargin.valuation.kernels.black76 import log_moneyness_, mills_difference_, otm_value_
from crossmargin.valuation.kernels.vmath import INV_SQRT_TWO_PI, exp_, phi_

STEPS_MAX = 60
STEP_LAST = 1e-9  # Relative; convergence is at least quadratic, so the step after it would be below rounding.
SMALLEST = 1e-300
TOTAL_VOL_MAX = 80.0  # N(−40) is below the smallest double: no price tells two larger volatilities apart.


def implied_total_vol(
    price: Float[ndarray, "option"],
    forward: Float[ndarray, "option"],
    strike: Float[ndarray, "option"],
    right: Float[ndarray, "option"],
) -> Float[ndarray, "option"]:
    """σ√τ at which the undiscounted Black-76 value is `price`; 0 for intrinsic value.

    NaN where no volatility gives the price: below intrinsic value, or not below F (call) or K (put). An
    out-of-the-money price is met to 1e-12 relative in volatility however small it is; of one in the money only the
    time value tells, so subtract by parity with the other side's price where that is known."""
    out = np.empty(price.size)
    _black_loop(uniform(price), uniform(forward), uniform(strike), uniform(right), out)
    return out


def implied_normal_vol(
    price: Float[ndarray, "option"],
    forward: Float[ndarray, "option"],
    strike: Float[ndarray, "option"],
    right: Float[ndarray, "option"],
) -> Float[ndarray, "option"]:
    """σ√τ in price units at which the undiscounted normal value is `price`; 0 for intrinsic value, NaN below it."""
    out = np.empty(price.size)
    _normal_loop(uniform(price), uniform(forward), uniform(strike), uniform(right), out)
    return out


@compiled()
def _black_loop(price: ndarray, forward: ndarray, strike: ndarray, right: ndarray, out: ndarray) -> None:
    for i in range(out.size):
        intrinsic = max(right[i] * (forward[i] - strike[i]), 0.0)
        time_value = price[i] - intrinsic
        if 0.0 <= time_value < min(forward[i], strike[i]):
            goal = time_value / math.sqrt(forward[i] * strike[i])
            out[i] = _black_vol(log_moneyness_(forward[i], strike[i]), goal)
        else:
            out[i] = math.nan


@compiled()
def _black_vol(k: float, goal: float) -> float:
    """v with `otm_value_(k, v)` = goal, which is 0 or more and below e^(−|k|/2) but for rounding."""
    x = abs(k)
    ceiling = math.exp(-0.5 * x)
    if goal == 0.0:
        return 0.0
    inflection = math.sqrt(2.0 * x)
    if x > 0.0 and goal < otm_value_(x, inflection):
        return _below_inflection(x, goal, inflection)
    return _above_inflection(x, goal, inflection, ceiling)


@compiled()
def _below_inflection(x: float, goal: float, inflection: float) -> float:
    """Newton on ln b over z = (x/v)²; d ln b/dz = −½·(b′/b)·v³/x²."""
    target = math.log(goal)
    # b falls about as e^(−z/2), so what ln b lacks at the inflection, where z = x/2, is half of what z lacks.
    z_min = 0.5 * x
    z = z_min + 2.0 * (math.log(otm_value_(x, inflection)) - target)
    z_max = math.inf
    for _ in range(STEPS_MAX):
        v = x / math.sqrt(z)
        value = otm_value_(x, v)
        gap = math.log(value) - target if value > 0.0 else -math.inf
        if gap > 0.0:
            z_min = z
        else:
            z_max = z
        slope = INV_SQRT_TWO_PI * exp_(-0.5 * (z + 0.25 * v * v)) / value * v * v * v / (x * x) if value > 0.0 else 0.0
        after = z + 2.0 * gap / slope if slope > 0.0 else math.nan
        if abs(after - z) <= STEP_LAST * z:
            return x / math.sqrt(after)
        if not z_min < after < z_max:
            after = 0.5 * (z_min + z_max) if z_max < math.inf else 2.0 * z
        z = after
    return x / math.sqrt(z)


@compiled()
def _above_inflection(x: float, goal: float, inflection: float, ceiling: float) -> float:
    """Halley on b, or on −ln(b_max − b) where less than half of the ceiling is left; b″/b′ = x²/v³ − v/4."""
    low, high = inflection, TOTAL_VOL_MAX
    steep = goal > 0.5 * ceiling
    start = otm_value_(x, inflection) if x > 0.0 else 0.0
    slope = INV_SQRT_TWO_PI * ceiling if x > 0.0 else INV_SQRT_TWO_PI
    v = min(inflection + (goal - start) / slope, high) if not steep else max(2.0, inflection)
    for _ in range(STEPS_MAX):
        a, t = x / v, 0.5 * v
        slope = INV_SQRT_TWO_PI * exp_(-0.5 * (a * a + t * t))
        bend = a * a / v - 0.25 * v
        if steep:
            left = -slope * mills_difference_(a, t) if a < t else ceiling - otm_value_(x, v)
            gap = math.log(max(ceiling - goal, SMALLEST) / max(left, SMALLEST))
            rate = slope / max(left, SMALLEST)
            bend += rate
        else:
            gap, rate = otm_value_(x, v) - goal, slope
        if gap < 0.0:
            low = v
        else:
            high = v
        newton = gap / rate
        after = v - newton / max(1.0 - 0.5 * newton * bend, 0.5)
        if abs(after - v) <= STEP_LAST * v:
            return after
        if not low < after < high:
            after = 0.5 * (low + high)
        v = after
    return v


@compiled()
def _normal_loop(price: ndarray, forward: ndarray, strike: ndarray, right: ndarray, out: ndarray) -> None:
    for i in range(out.size):
        gap = abs(forward[i] - strike[i])
        time_value = price[i] - max(right[i] * (forward[i] - strike[i]), 0.0)
        if not 0.0 <= time_value < math.inf:
            out[i] = math.nan
        elif time_value == 0.0:
            out[i] = 0.0
        elif gap == 0.0:
            out[i] = time_value / INV_SQRT_TWO_PI
        else:
            out[i] = gap / _normal_distance(time_value / gap)


@compiled()
def _normal_distance(goal: float) -> float:
    """d > 0 with φ(d)·Z(d)/d = goal: Newton on its logarithm, inside a bracket.

    The derivative of s·φ(d)·Z(d) to s is φ(d), so that of the logarithm to ln d is −1/Z(d). The logarithm is nearly a
    straight line over ln d near the money, and over d² far from it."""
    target = math.log(goal)
    low, high = 0.0, math.inf
    d = INV_SQRT_TWO_PI / goal if goal > 1.0 else math.sqrt(max(-2.0 * target, 0.2))
    for _ in range(STEPS_MAX):
        unit = normal_unit_(d)
        gap = math.log(unit / d) - target if unit > 0.0 else -math.inf
        if gap > 0.0:
            low = d
        else:
            high = d
        step = gap * unit / phi_(d) if unit > 0.0 else -math.inf
        after = d * math.exp(min(step, 1.0)) if d < 1.0 else d * math.sqrt(max(1.0 + 2.0 * step, 0.0))
        if abs(after - d) <= STEP_LAST * d:
            return after
        if not low < after < high:
            after = 0.5 * (low + high) if high < math.inf else 2.0 * d
        d = after
    return d
