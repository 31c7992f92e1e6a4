"""Variance recursions over dates and quantiles of the past, for many series at once.

Arrays are [date, factor]. What stands at date t depends on returns up to t − 1 alone (a quantile: on values up to t),
so a history worked off at once, in parts, or date by date gives the same bits.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossmargin.core.compile import compiled

# Rows of the parameters and of the state that the recursion reads.
MEAN, OMEGA, ALPHA, GAMMA, BETA, FALL_SHARE = range(6)
VARIANCE, SEEN, SQUARES = range(3)


def filter_variances(
    returns: Float[ndarray, "date factor"],
    parameters: Float[ndarray, "6 factor"],
    state: Float[ndarray, "3 factor"],
    warm_up: int,
) -> tuple[Float[ndarray, "date factor"], Float[ndarray, "3 factor"]]:
    """Conditional variances h[t] of returns, each known before its return, and the state after the last date.

    h[t] = ω + α·e²[t − 1] + γ·e²[t − 1]·1{e < 0} + β·h[t − 1], e = r − mean. Parameters by row: mean, ω, α, γ, β and
    the share of e² that falls bring. State by row: the variance of the next return (NaN while warming up), returns
    seen, and the sum of their e² while warming up.

    The first `warm_up` returns give their mean square m, and with it the presample: h = ω + (α + γ·share + β)·m.
    A NaN is a factor not yet listed, as long as no return has been seen, and changes nothing; later it is a missing
    return, for which e² counts as expected: h[t] = ω + (α + γ·share + β)·h[t − 1].
    Source: Bollerslev (1986), Journal of Econometrics 31, 307–327; Glosten, Jagannathan and Runkle (1993), Journal of
    Finance 48, 1779–1801."""
    variance, after = np.empty(returns.shape), state.copy()
    _filter_loop(np.ascontiguousarray(returns), np.ascontiguousarray(parameters), after, warm_up, variance)
    return variance, after


def running_quantiles(
    values: Float[ndarray, "date factor"], level: float, window: int, count_min: int
) -> Float[ndarray, "date factor"]:
    """The ceil(n·level)-th smallest of the last `window` values up to each date, NaN left out; n counts what is left.

    NaN where fewer than `count_min` values are left. The inverted distribution function of the past."""
    assert 0.0 < level <= 1.0, "a level is above 0 and at most 1"
    assert 0 < count_min <= window, "a window holds the least number of values"
    out = np.empty(values.shape)
    _quantile_loop(np.ascontiguousarray(values), level, min(window, max(1, values.shape[0])), count_min, out)
    return out


@compiled(inline=True)
def _next_variance(omega: float, alpha: float, gamma: float, beta: float, e: float, h: float) -> float:
    fall = gamma if e < 0.0 else 0.0
    return omega + (alpha + fall) * (e * e) + beta * h


@compiled()
def _filter_loop(returns: ndarray, parameters: ndarray, state: ndarray, warm_up: int, out: ndarray) -> None:
    for t in range(returns.shape[0]):
        for f in range(returns.shape[1]):
            omega, alpha, gamma = parameters[OMEGA, f], parameters[ALPHA, f], parameters[GAMMA, f]
            beta, share = parameters[BETA, f], parameters[FALL_SHARE, f]
            h, r = state[VARIANCE, f], returns[t, f]
            out[t, f] = h
            if np.isnan(r):
                if state[SEEN, f] > 0.0:
                    state[VARIANCE, f] = omega + (alpha + gamma * share) * h + beta * h
                continue
            e = r - parameters[MEAN, f]
            state[SEEN, f] += 1.0
            if not np.isnan(h):
                state[VARIANCE, f] = _next_variance(omega, alpha, gamma, beta, e, h)
                continue
            state[SQUARES, f] += e * e
            if state[SEEN, f] >= warm_up:
                m = state[SQUARES, f] / state[SEEN, f]
                state[VARIANCE, f] = omega + (alpha + gamma * share) * m + beta * m


@compiled()
def _place(ordered: ndarray, count: int, value: float) -> int:
    """The first place of the ascending `ordered[:count]` whose entry is not below `value`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled()
def _exchange(ordered: ndarray, count: int, old: float, new: float) -> int:
    """Take `old` out of the ascending `ordered[:count]` and put `new` in, either of them where it is no NaN.

    Gives the new count; only what stands between the two moves."""
    gone = count if np.isnan(old) else _place(ordered, count, old)
    if np.isnan(new):
        for i in range(gone, count - 1):
            ordered[i] = ordered[i + 1]
        return count if np.isnan(old) else count - 1
    at = _place(ordered, count, new)
    if at > gone:
        for i in range(gone, at - 1):
            ordered[i] = ordered[i + 1]
        ordered[at - 1] = new
        return count
    for i in range(gone, at, -1):
        ordered[i] = ordered[i - 1]
    ordered[at] = new
    return count + 1 if np.isnan(old) else count


@compiled()
def _quantile_loop(values: ndarray, level: float, window: int, count_min: int, out: ndarray) -> None:
    """One factor at a time: the window is kept sorted, its oldest value leaves as a new one comes."""
    ordered = np.empty(window)
    for f in range(values.shape[1]):
        count = 0
        for t in range(values.shape[0]):
            count = _exchange(ordered, count, values[t - window, f] if t >= window else np.nan, values[t, f])
            # The slack keeps 100 · 0.07 = 7.000000000000001 from asking for the eighth.
            rank = max(1, int(np.ceil(count * level - 1e-12 * count)))
            out[t, f] = ordered[rank - 1] if count >= count_min else np.nan
