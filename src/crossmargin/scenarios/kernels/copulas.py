"""Student's t distribution for many numbers at once: the costly part of a t copula.

ln T_ν(−sinh s) is smooth in s and a straight line far out, so a table of it with exact slopes gives every tail
probability, however small, to 1e-9 of itself or better.
"""

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import special

from crossmargin.core.compile import compiled

KNOTS = 4097
REACH = 24.0  # sinh 24 is 1.3e10; beyond it the tail is a power of x to the last digit.
BELOW_ONE = 1.0 - 2.0**-53


def student_cdf(
    x: Float[ndarray, "factor scenario"], nu: Float[ndarray, "factor"]
) -> Float[ndarray, "factor scenario"]:
    """The probability at or below x under Student's t with `nu` ≥ 1 degrees of freedom of each factor.

    Relative error 1e-9 in the lower tail (1e-10 up to ν = 30); results lie within (0, 1), so that quantiles of them are
    finite."""
    out = np.empty(x.shape)
    kinds, which = np.unique(nu, return_inverse=True)
    tables = np.stack([_table(float(kind)) for kind in kinds]) if kinds.size else np.empty((0, KNOTS, 2))
    _student_loop(np.ascontiguousarray(x), which.astype(np.int64), tables, out)
    return out


def _table(nu: float) -> ndarray:
    """ln T(−sinh s) and its slope times the step [knot, 2] on an even grid of s in [0, `REACH`]."""
    s = np.linspace(0.0, REACH, KNOTS)
    x = np.sinh(s)
    log_scale = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * math.log(nu * math.pi)
    # Below 1e-290 the distribution function runs out of numbers; there it is its own leading term, density·x/ν.
    log_density = log_scale - 0.5 * (nu + 1.0) * np.log1p(x * x / nu)
    tail = special.stdtr(nu, -x)
    with np.errstate(divide="ignore"):
        log_tail = np.where(tail > 1e-290, np.log(tail), log_density + np.log(np.maximum(x, 1.0) / nu))
    slope = -np.exp(log_density - log_tail) * np.cosh(s)
    return np.stack([log_tail, slope * (s[1] - s[0])], axis=1)


@compiled()
def _student_loop(x: ndarray, which: ndarray, tables: ndarray, out: ndarray) -> None:
    for f in range(x.shape[0]):
        table = tables[which[f]]
        last = table.shape[0] - 2
        scale = (table.shape[0] - 1) / REACH
        for i in range(x.shape[1]):
            size = abs(x[f, i])
            place = math.log(size + math.sqrt(size * size + 1.0)) * scale
            k = min(last, int(place))
            t = place - k
            low, rise, high, fall = table[k, 0], table[k, 1], table[k + 1, 0], table[k + 1, 1]
            # Cubic Hermite; beyond the last knot t exceeds 1 and the line goes on.
            value = low + t * (
                rise + t * (3.0 * (high - low) - 2.0 * rise - fall + t * (rise + fall - 2.0 * (high - low)))
            )
            if t > 1.0:
                value = high + (t - 1.0) * fall
            tail = math.exp(value)
            out[f, i] = max(tail, 1e-300) if x[f, i] < 0.0 else min(1.0 - tail, BELOW_ONE)
