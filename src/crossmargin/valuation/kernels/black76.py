"""Black-76: values and greeks of European options on a forward, to full relative precision in both tails.

The out-of-the-money side is priced and the other follows by parity. With k = ln(K/F), v = σ√τ, a = |k|/v, t = v/2 and
Mills' ratio M(x) = N(−x)/φ(x), the out-of-the-money value in units of √(F·K) is symmetric in k:

    e^(−(a² + t²)/2)/√(2π) · (M(a − t) − M(a + t)),   M(−x) = 1/φ(x) − M(x).

Source: Black (1976), "The pricing of commodity contracts", Journal of Financial Economics 3, 167–179; the symmetric
form is that of Jäckel (2015), "Let's be rational", Wilmott 75, 40–53.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossmargin.core.compile import compiled
from crossmargin.valuation.blocks import uniform
from crossmargin.valuation.kernels.vmath import (
    INV_SQRT_TWO_PI,
    LARGE,
    exp_,
    fma_,
    mills_bottom_,
    mills_loss_bottom_,
    mills_loss_top_,
    mills_top_,
    ndtr_,
    phi_,
)

VOL_POINT = 0.01
DAYS_A_YEAR = 365.0
SERIES_HALF_VOL = 0.1  # Below it the difference of two Mills' ratios is summed as a series, above it taken plainly.
SERIES_MONEYNESS = 2.0  # The series multiplies rounding by e^(|k|/2).


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeks:
    """Value and sensitivities of one unit of each option, in the currency of the strike.

    `delta`, `gamma` to the forward at fixed discounting; `vega` per vol point (0.01); `theta` per day (a 365th of a
    year), minus the derivative to time left at a fixed forward; `rho` per rate point (0.01) at a fixed forward;
    `vanna` = ∂delta/∂σ per vol point; `volga` = ∂vega/∂σ per vol point squared; `charm` = change of delta per day."""

    value: Float[ndarray, "option"]
    delta: Float[ndarray, "option"]
    gamma: Float[ndarray, "option"]
    vega: Float[ndarray, "option"]
    theta: Float[ndarray, "option"]
    rho: Float[ndarray, "option"]
    vanna: Float[ndarray, "option"]
    volga: Float[ndarray, "option"]
    charm: Float[ndarray, "option"]


def black_values(
    forward: Float[ndarray, "option"],
    strike: Float[ndarray, "option"],
    total_vol: Float[ndarray, "option"],
    right: Float[ndarray, "option"],
) -> Float[ndarray, "option"]:
    """Undiscounted values, in the currency of `strike`.

    F·N(d₁) − K·N(d₂) for a call (`right` = +1), K·N(−d₂) − F·N(−d₁) for a put (−1), d₁ = ln(F/K)/v + v/2, d₂ = d₁ − v,
    v = `total_vol` = σ√τ without unit. v = 0 gives intrinsic value. Relative error ≤ 1e-11 out of the money."""
    value = np.empty(forward.size)
    _values_loop(uniform(forward), uniform(strike), uniform(total_vol), uniform(right), value)
    return value


def black_greeks(
    forward: Float[ndarray, "option"],
    strike: Float[ndarray, "option"],
    vol: Float[ndarray, "option"],
    tau: Float[ndarray, "option"],
    rate: Float[ndarray, "option"],
    right: Float[ndarray, "option"],
) -> Greeks:
    """Value and greeks discounted by e^(−rate · tau); `tau` in years, `vol` and `rate` a year as decimals.

    At σ√τ = 0 delta is the derivative of intrinsic value (half at the strike) and what depends on φ/v is 0."""
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


def price_adjusted_greeks(greeks: Greeks, forward: Float[ndarray, "option"]) -> Greeks:
    """Greeks of an inverse option, whose value in coin is c = C/F: what its holder loses and gains in coin.

    From undiscounted `greeks` of C in USD: value C/F; delta = F·∂c/∂F = Δ − C/F, the coins to hold short against it;
    gamma = ∂delta/∂F = Γ − Δ/F + C/F²; vega, theta, rho, volga over F; vanna and charm are those of the new delta."""
    coin = greeks.value / forward
    return Greeks(
        value=coin,
        delta=greeks.delta - coin,
        gamma=greeks.gamma - (greeks.delta - coin) / forward,
        vega=greeks.vega / forward,
        theta=greeks.theta / forward,
        rho=greeks.rho / forward,
        vanna=greeks.vanna - greeks.vega / forward,
        volga=greeks.volga / forward,
        charm=greeks.charm - greeks.theta / forward,
    )


@compiled(inline=True)
def mills_difference_(a: float, t: float) -> float:
    """M(a − t) − M(a + t) for a ≥ t ≥ 0, or −(M(t − a) + M(t + a)) for a < t."""
    gap = a - t
    inner, outer = min(abs(gap), LARGE), min(a + t, LARGE)
    top, bottom, bottom_outer = mills_top_(inner), mills_bottom_(inner), mills_bottom_(outer)
    signed = top if gap >= 0.0 else -top
    return fma_(signed, bottom_outer, -mills_top_(outer) * bottom) / (bottom * bottom_outer)


@compiled()
def mills_series_(a: float, t: float) -> float:
    """M(a − t) − M(a + t) for any a ≥ 0 and small t, as −2·Σ M⁽ⁿ⁾(a)·tⁿ/n! over odd n ≤ 13.

    M′ = a·M − 1 and M⁽ⁿ⁺¹⁾ = a·M⁽ⁿ⁾ + n·M⁽ⁿ⁻¹⁾; −M′ has an approximation of its own, so nothing cancels in the first
    term."""
    before = mills_top_(a) / mills_bottom_(a)
    now = -(mills_loss_top_(a) / mills_loss_bottom_(a))
    total, power = 0.0, t
    for n in range(1, 14, 2):
        total -= 2.0 * now * power
        power *= t * t / ((n + 1) * (n + 2))
        above = a * now + n * before
        before, now = above, a * above + (n + 1) * now
    return total


@compiled()
def otm_value_(k: float, v: float) -> float:
    """Out-of-the-money value in units of √(F·K), of k = ln(K/F) and v > 0."""
    a, t = abs(k) / v, 0.5 * v
    scale = INV_SQRT_TWO_PI * exp_(-0.5 * fma_(a, a, t * t))
    if t < SERIES_HALF_VOL and abs(k) < SERIES_MONEYNESS:
        return scale * mills_series_(a, t)
    tail = scale * mills_difference_(a, t)
    return tail if a >= t else math.exp(-0.5 * abs(k)) + tail


@compiled()
def log_moneyness_(forward: float, strike: float) -> float:
    """ln(K/F); near the money from the difference, which is exact there, while the ratio is not."""
    if 0.5 * forward <= strike <= 2.0 * forward:
        return math.log1p((strike - forward) / forward)
    return math.log(strike / forward)


@compiled()
def black_value_(forward: float, strike: float, v: float, right: float) -> float:
    """Undiscounted value of one option; intrinsic value at v = 0."""
    intrinsic = max(right * (forward - strike), 0.0)
    if v <= 0.0:
        return intrinsic
    return intrinsic + math.sqrt(forward * strike) * otm_value_(log_moneyness_(forward, strike), v)


@compiled()
def _values_loop(forward: ndarray, strike: ndarray, total_vol: ndarray, right: ndarray, out: ndarray) -> None:
    for i in range(out.size):
        out[i] = black_value_(forward[i], strike[i], total_vol[i], right[i])


@compiled()
def _greeks_loop(
    forward: ndarray, strike: ndarray, vol: ndarray, tau: ndarray, rate: ndarray, right: ndarray, out: ndarray
) -> None:
    for i in range(forward.size):
        f, sigma, years, r, side = forward[i], vol[i], tau[i], rate[i], right[i]
        v = sigma * math.sqrt(years)
        discount = math.exp(-r * years)
        value = discount * black_value_(f, strike[i], v, side)
        k = log_moneyness_(f, strike[i])
        density = 0.0
        d1 = d2 = 0.0
        if v > 0.0:
            d1, d2 = -k / v + 0.5 * v, -k / v - 0.5 * v
            density = discount * phi_(d1)
            delta = side * discount * ndtr_(side * d1)
        else:
            delta = side * discount * (0.5 if k == 0.0 else (1.0 if side * k < 0.0 else 0.0))
        vega = f * density * math.sqrt(years)
        out[0, i] = value
        out[1, i] = delta
        out[2, i] = density / (f * v) if v > 0.0 else 0.0
        out[3, i] = vega * VOL_POINT
        out[4, i] = (r * value - (0.5 * vega * sigma / years if v > 0.0 else 0.0)) / DAYS_A_YEAR
        out[5, i] = -years * value * VOL_POINT
        out[6, i] = (-density * d2 / sigma if v > 0.0 else 0.0) * VOL_POINT
        out[7, i] = (vega * d1 * d2 / sigma if v > 0.0 else 0.0) * VOL_POINT * VOL_POINT
        out[8, i] = (r * delta + (0.5 * density * d2 / years if v > 0.0 else 0.0)) / DAYS_A_YEAR
