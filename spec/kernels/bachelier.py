"""European options in the normal model, one at a time, by the textbook."""

import math

from spec.kernels.black76 import Greeks, cdf, pdf


def normal_values(forward: float, strike: float, total_vol: float, right: float) -> float:
    """Undiscounted Bachelier; intrinsic value at a volatility of 0."""
    gain = right * (forward - strike)
    if total_vol <= 0.0:
        return max(gain, 0.0)
    d = gain / total_vol
    return gain * cdf(d) + total_vol * pdf(d)


def normal_greeks(forward: float, strike: float, vol: float, tau: float, rate: float, right: float) -> Greeks:
    """Discounted value and greeks; vega, vanna and volga per price unit of volatility."""
    root = math.sqrt(tau)
    s, discount = vol * root, math.exp(-rate * tau)
    d = (forward - strike) / s
    value = discount * normal_values(forward, strike, s, right)
    delta, density = right * discount * cdf(right * d), discount * pdf(d)
    return Greeks(
        value=value,
        delta=delta,
        gamma=density / s,
        vega=density * root,
        theta=(rate * value - density * vol / (2.0 * root)) / 365.0,
        rho=-tau * value / 100.0,
        vanna=-density * d / vol,
        volga=density * root * d * d / vol,
        charm=(rate * delta + density * d / (2.0 * tau)) / 365.0,
    )


def implied_normal_vol(price: float, forward: float, strike: float, right: float) -> float:
    """σ√τ in price units by bisection; NaN below intrinsic value."""
    if not price >= max(right * (forward - strike), 0.0):
        return math.nan
    low, high = 0.0, 10.0 * (price + abs(forward - strike))
    for _ in range(200):
        middle = 0.5 * (low + high)
        if normal_values(forward, strike, middle, right) < price:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
