"""Losses that a forecast of quantile and shortfall earns on one date."""

import math


def pinball(pnl: float, quantile: float, q: float) -> float:
    """u (q − 1{u < 0}), u = P&L − quantile."""
    u = pnl - quantile
    return u * (q - 1.0) if u < 0.0 else u * q


def fz0(pnl: float, quantile: float, shortfall: float, q: float) -> float:
    """Patton, Ziegel and Chen (2019), equation 6: v ≥ e of P&L, e < 0."""
    missed = quantile - pnl if pnl <= quantile else 0.0
    return -missed / (q * shortfall) + quantile / shortfall + math.log(-shortfall) - 1.0
