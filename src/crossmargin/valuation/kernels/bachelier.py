"""The normal model: values and greeks of European options on a forward that may be negative.

With d = (F − K)/s, s = σ√τ in price units and Z(x) = 1 − x·M(x), M Mills' ratio, the out-of-the-money value is
s·φ(d)·Z(|d|), which keeps its digits in the tail; the other side follows by parity.

Source: Bachelier (1900), "Théorie de la spéculation"; Choi, Kim and Kwak (2009), Applied Mathematical Finance 16,
261–268.
"""

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossmargin.core.compile import compiled
from crossmargin.valuation.blocks import uniform
from crossmargin.valuation.kernels.black76 import DAYS_A_YEAR, VOL_POINT, Greeks
from crossmargin.valuation.kernels.vmath import LARGE, mills_loss_bottom_, mills_loss_top_, ndtr_, phi_


def normal_values(
    forward: Float[ndarray, "option"],
    strike: Float[ndarray, "option"],
    total_vol: Float[ndarray, "option"],
    right: Float[ndarray, "option"],
) -> Float[ndarray, "option"]:
    """Undiscounted values, in the currency of `strike`.

    right·(F − K)·N(right·d) + s·φ(d), d = (F − K)/s; s = `total_vol` = σ√τ in units of the price. s = 0 gives
    intrinsic value. Relative error ≤ 1e-11 out of the money."""
    value = np.empty(forward.size)
    _values_loop(uniform(forward), uniform(strike), uniform(total_vol), uniform(right), value)
    return value


def normal_greeks(
    forward: Float[ndarray, "option"],
    strike: Float[ndarray, "option"],
    vol: Float[ndarray, "option"],
    tau: Float[ndarray, "option"],
    rate: Float[ndarray, "option"],
    right: Float[ndarray, "option"],
) -> Greeks:
    """Value and greeks discounted by e^(−rate · tau); `vol` in price units a year, `tau` in years.

    Units as in `Greeks`, but `vega`, `vanna` and `volga` are per price unit of volatility, which has no point. At
    s = 0 delta is the derivative of intrinsic value (half at the strike) and what depends on φ/s is 0."""
    out = np.empty((9, forward.size))
    _greeks_loop(uniform(forward), uniform(strike), uniform(vol), uniform(tau), uniform(rate), uniform(right), out)
    value, delta, gamma, vega, theta, rho, vanna, volga, charm = out
    return Greeks(
        value=value,
        delta=delta,
        gamma=gamma,
        vega=vega,
        theta=theta,
        rho=rho,
        vanna=vanna,
        volga=volga,
        charm=charm,
    )


@compiled()
def normal_unit_(d: float) -> float:
    """Out-of-the-money value in units of s: φ(d)·Z(|d|)."""
    x = min(abs(d), LARGE)
    return phi_(x) * (mills_loss_top_(x) / mills_loss_bottom_(x))


@compiled()
def normal_value_(forward: float, strike: float, s: float, right: float) -> float:
    """Undiscounted value of one option; intrinsic value at s = 0."""
    intrinsic = max(right * (forward - strike), 0.0)
    return intrinsic + s * normal_unit_((forward - strike) / s) if s > 0.0 else intrinsic


@compiled()
def _values_loop(forward: ndarray, strike: ndarray, total_vol: ndarray, right: ndarray, out: ndarray) -> None:
    for i in range(out.size):
        out[i] = normal_value_(forward[i], strike[i], total_vol[i], right[i])


@compiled()
def _greeks_loop(
    forward: ndarray, strike: ndarray, vol: ndarray, tau: ndarray, rate: ndarray, right: ndarray, out: ndarray
) -> None:
    for i in range(forward.size):
        sigma, years, r, side = vol[i], tau[i], rate[i], right[i]
        s = sigma * math.sqrt(years)
        discount = math.exp(-r * years)
        value = discount * normal_value_(forward[i], strike[i], s, side)
        gap = forward[i] - strike[i]
        d = density = 0.0
        if s > 0.0:
            d = gap / s
            density = discount * phi_(d)
            delta = side * discount * ndtr_(side * d)
        else:
            delta = side * discount * (0.5 if gap == 0.0 else (1.0 if side * gap > 0.0 else 0.0))
        vega = density * math.sqrt(years)
        out[0, i] = value
        out[1, i] = delta
        out[2, i] = density / s if s > 0.0 else 0.0
        out[3, i] = vega
        out[4, i] = (r * value - (0.5 * vega * sigma / years if s > 0.0 else 0.0)) / DAYS_A_YEAR
        out[5, i] = -years * value * VOL_POINT
        out[6, i] = -density * d / sigma if s > 0.0 else 0.0
        out[7, i] = vega * d * d / sigma if s > 0.0 else 0.0
        out[8, i] = (r * delta + (0.5 * density * d / years if s > 0.0 else 0.0)) / DAYS_A_YEAR
