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


def nearest(intervals: list[tuple[float, float]], width_min: float) -> tuple[float, float]:
    """The lowest and highest forward whose distance is least: an end of some interval always is one."""
    ends = [end for interval in intervals for end in interval]
    least = min(distance(end, intervals, width_min) for end in ends)
    best = [end for end in ends if distance(end, intervals, width_min) <= least * (1.0 + 1e-9) + 1e-12]
    return min(best), max(best)


def settle(intervals: list[tuple[float, float]], width_min: float, miss_max: float) -> float:
    """The middle of the nearest forwards, once the intervals that miss them by too much are out."""
    left, right = nearest(intervals, width_min)
    heard = []
    for low, high in intervals:
        miss = max(low - right, left - high, 0.0)
        if miss <= miss_max * max(high - low, width_min):
            heard.append((low, high))
    left, right = nearest(heard, width_min)
    return (left + right) / 2.0
