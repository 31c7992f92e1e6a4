"""Forwards by put–call parity one expiry at a time: the plain twin of `crossmargin.market.forwards`."""


def coin_interval(strike: float, call: tuple[float, float], put: tuple[float, float]) -> tuple[float, float]:
    """The forwards that a call and a put, each (bid, ask) in coin, allow: C − P = 1 − K/F."""
    return strike / (1.0 - (call[0] - put[1])), strike / (1.0 - (call[1] - put[0]))


def cash_interval(
    strike: float, call: tuple[float, float], put: tuple[float, float], discount: float
) -> tuple[float, float]:
    """The same for prices in cash: C − P = D (F − K)."""
    return strike + (call[0] - put[1]) / discount, strike + (call[1] - put[0]) / discount


def distance(forward: float, intervals: list[tuple[float, float]], width_min: float) -> float:
    """Sum of the distances to all intervals, each over its width."""
    total = 0.0
    for low, high in intervals:
        total += max(low - forward, forward - high, 0.0) / max(high - low, width_min)
    return total
