"""European options, one at a time, by the textbook."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Greeks:
    """Value and sensitivities; vega, rho per point (0.01), theta and charm per day (a 365th of a year)."""

    value: float
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float
    vanna: float
    volga: float
    charm: float


def cdf(x: float) -> float:
    """The normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def pdf(x: float) -> float:
    """The normal density."""
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def black_values(forward: float, strike: float, total_vol: float, right: float) -> float:
    """Undiscounted Black (1976); intrinsic value at a volatility of 0."""
    if total_vol <= 0.0:
        return max(right * (forward - strike), 0.0)
    d1 = math.log(forward / strike) / total_vol + 0.5 * total_vol
    d2 = d1 - total_vol
    return right * (forward * cdf(right * d1) - strike * cdf(right * d2))


def black_greeks(forward: float, strike: float, vol: float, tau: float, rate: float, right: float) -> Greeks:
    """Discounted value and greeks to the forward, for a volatility and a time above 0."""
    root = math.sqrt(tau)
    v, discount = vol * root, math.exp(-rate * tau)
    d1 = math.log(forward / strike) / v + 0.5 * v
    d2 = d1 - v
    value = discount * black_values(forward, strike, v, right)
    delta = right * discount * cdf(right * d1)
    vega = discount * forward * pdf(d1) * root
    return Greeks(
        value=value,
        delta=delta,
        gamma=discount * pdf(d1) / (forward * v),
        vega=vega / 100.0,
        theta=(rate * value - discount * forward * pdf(d1) * vol / (2.0 * root)) / 365.0,
        rho=-tau * value / 100.0,
        vanna=-discount * pdf(d1) * d2 / vol / 100.0,
        volga=vega * d1 * d2 / vol / 10_000.0,
        charm=(rate * delta + discount * pdf(d1) * d2 / (2.0 * tau)) / 365.0,
    )


def price_adjusted_greeks(forward: float, strike: float, vol: float, tau: float, right: float) -> Greeks:
    """Greeks of the value in coin, C/F, delta being F·∂(C/F)/∂F, from differences of the undiscounted price."""

    def coin(f: float, sigma: float, t: float) -> float:
        return black_values(f, strike, sigma * math.sqrt(t), right) / f

    def delta(f: float, sigma: float, t: float) -> float:
        h = 1e-4 * f
        return f * (coin(f + h, sigma, t) - coin(f - h, sigma, t)) / (2.0 * h)

    h, e, u = 1e-3 * forward, 1e-3 * vol, 1e-3 * tau
    up, now, down = (coin(forward, vol + k * e, tau) for k in (1, 0, -1))
    return Greeks(
        value=now,
        delta=delta(forward, vol, tau),
        gamma=(delta(forward + h, vol, tau) - delta(forward - h, vol, tau)) / (2.0 * h),
        vega=(up - down) / (2.0 * e) / 100.0,
        theta=-(coin(forward, vol, tau + u) - coin(forward, vol, tau - u)) / (2.0 * u) / 365.0,
        rho=-tau * now / 100.0,
        vanna=(delta(forward, vol + e, tau) - delta(forward, vol - e, tau)) / (2.0 * e) / 100.0,
        volga=(up - 2.0 * now + down) / (e * e) / 10_000.0,
        charm=-(delta(forward, vol, tau + u) - delta(forward, vol, tau - u)) / (2.0 * u) / 365.0,
    )


def implied_total_vol(price: float, forward: float, strike: float, right: float) -> float:
    """σ√τ by bisection; NaN where no volatility gives the price."""
    floor, roof = max(right * (forward - strike), 0.0), forward if right > 0.0 else strike
    if not floor <= price < roof:
        return math.nan
    low, high = 0.0, 80.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if black_values(forward, strike, middle, right) < price:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
