"""Raw SVI smiles one number at a time: the plain twin of `crossmargin.market.svi` and `.arbitrage`."""

import math


def total_variance(k: float, a: float, b: float, rho: float, m: float, sigma: float) -> float:
    """Total implied variance at log-moneyness k (Gatheral and Jacquier, 2014, section 3.1)."""
    return a + b * (rho * (k - m) + math.sqrt((k - m) ** 2 + sigma**2))


def density_factor(k: float, a: float, b: float, rho: float, m: float, sigma: float) -> float:
    """Durrleman's g (Gatheral and Jacquier, 2014, equation 2.1)."""
    root = math.sqrt((k - m) ** 2 + sigma**2)
    w = total_variance(k, a, b, rho, m, sigma)
    slope = b * (rho + (k - m) / root)
    bend = b * sigma**2 / root**3
    return (1.0 - k * slope / (2.0 * w)) ** 2 - slope**2 / 4.0 * (1.0 / w + 0.25) + bend / 2.0


def ssvi_total_variance(k: float, theta: float, rho: float, eta: float, gamma: float) -> float:
    """SSVI with the power-law curvature (Gatheral and Jacquier, 2014, section 4)."""
    phi = eta / (math.pow(theta, gamma) * math.pow(1.0 + theta, 1.0 - gamma))
    return theta / 2.0 * (1.0 + rho * phi * k + math.sqrt((phi * k + rho) ** 2 + 1.0 - rho**2))


def unit_price(k: float, total_vol: float, is_call: bool) -> float:
    """Undiscounted Black price over the forward."""
    strike = math.exp(k)
    if total_vol <= 0.0:
        return max(1.0 - strike, 0.0) if is_call else max(strike - 1.0, 0.0)
    d1 = -k / total_vol + total_vol / 2.0
    d2 = d1 - total_vol
    sign = 1.0 if is_call else -1.0
    return sign * (_cdf(sign * d1) - strike * _cdf(sign * d2))


def implied_total_vol(k: float, price: float, is_call: bool) -> float:
    """The total vol of a price, by bisection; 0 without time value."""
    if price <= unit_price(k, 0.0, is_call):
        return 0.0
    low, high = 0.0, 80.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if unit_price(k, middle, is_call) < price else (low, middle)
    return 0.5 * (low + high)


def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
