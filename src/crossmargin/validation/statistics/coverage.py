"""How often losses exceed the margin: counts of exceptions, and the times between them, against the nominal rate.

N observations, x exceptions, nominal rate p (0.01 for 99 %). 0·ln 0 = 0 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray
from crossmargin.validation import check
from crossmargin.validation.statistics.results import UNDEFINED, Conventions, Row, Tested, flags

Zone = Literal["green", "yellow", "red"]
ZONES: Final[tuple[Zone, ...]] = ("green", "yellow", "red")
YELLOW_FROM, RED_FROM = 0.95, 0.9999  # Cumulative probabilities; Basel Committee (1996), section III.
BASEL_OBSERVATIONS, BASEL_RATE = 250, 0.01
# By exceptions 0 … 10 and more. Plus factors: Basel Committee, "Supervisory framework for the use of backtesting",
# January 1996, table 2. Multipliers: Basel Framework, MAR99 table 1, in force since 2023-01-01.
PLUS_FACTORS: Final = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.40, 0.50, 0.65, 0.75, 0.85, 1.00])
MULTIPLIERS: Final = np.array([1.50, 1.50, 1.50, 1.50, 1.50, 1.70, 1.76, 1.83, 1.88, 1.92, 2.00])


def exceptions(pnl: ArrayLike, margin: ArrayLike) -> BoolArray:
    """Where P&L + margin < 0 [..., date]; `margin` [..., date] is what was set before the move.

    Raises `InvalidInput` for shapes that differ, no dates, NaN or infinity."""
    gain = check.series(pnl, "pnl", where="exceptions")
    held = check.series(margin, "margin", where="exceptions", like=gain)
    return gain + held < 0.0


def pof(exceptional: ArrayLike, observations: ArrayLike, *, rate: float) -> Tested:
    """Kupiec's test of the proportion of failures, from counts x and N [...]; chi-square with 1 degree of freedom.

    LR = −2 ln[(1 − p)^(N−x) p^x] + 2 ln[(1 − x/N)^(N−x) (x/N)^x]. Too many exceptions is the side `understated`.
    Source: Kupiec (1995), Journal of Derivatives 3, 73–84. Raises `InvalidInput` for counts or a rate out of range."""
    n, x = check.counts(observations, exceptional, where="pof")
    p = check.rate(rate, where="pof")
    ratio = 2.0 * (_log_likelihood(x, n, x / n) - _log_likelihood(x, n, np.float64(p)))
    return likelihood_ratio(
        "pof",
        ratio,
        1,
        "LR of x in N Bernoulli trials",
        _side(x, n, p),
        flags(n.shape, ("no_exceptions", x == 0), ("all_exceptions", x == n)),
    )


class BinomialTails(NamedTuple):
    """P(X ≤ x) and P(X ≥ x) [...] of X ~ Binomial(N, p)."""

    lower: FloatArray
    upper: FloatArray


def binomial_tails(exceptional: ArrayLike, observations: ArrayLike, *, rate: float) -> BinomialTails:
    """Exact tails [...], the observed count in both. Raises `InvalidInput` for counts or a rate out of range."""
    n, x = check.counts(observations, exceptional, where="binomial_tails")
    p = check.rate(rate, where="binomial_tails")
    # P(X ≥ x) = I_p(x, N − x + 1), the regularised incomplete beta function; x = 0 is certain.
    upper = np.where(x == 0, 1.0, special.betainc(np.maximum(x, 1), n - np.maximum(x, 1) + 1.0, p))
    lower = np.where(x == n, 1.0, special.betaincc(np.minimum(x, n - 1) + 1.0, n - np.minimum(x, n - 1), p))
    return BinomialTails(lower, upper)


def binomial(exceptional: ArrayLike, observations: ArrayLike, *, rate: float) -> Tested:
    """The exact test of a count [...]: p = min(1, 2·min(P(X ≤ x), P(X ≥ x))); the statistic is x.

    For rates of 0.5 % and less, where chi-square does not hold. Source: Clopper and Pearson (1934), Biometrika 26,
    404–413. Raises `InvalidInput` for counts or a rate out of range."""
    n, x = check.counts(observations, exceptional, where="binomial")
    tails = binomial_tails(x, n, rate=rate)
    return Tested(
        test="binomial",
        distribution="binomial",
        rule="two-sided: twice the smaller tail, the observed count in both",
        statistic=x.astype(np.float64),
        p_value=np.minimum(1.0, 2.0 * np.minimum(tails.lower, tails.upper)),
        degrees_of_freedom=np.zeros(n.shape, np.int64),
        side=_side(x, n, rate),
        flag=flags(n.shape, ("no_exceptions", x == 0), ("all_exceptions", x == n)),
    )


def tuff(exceptional: ArrayLike, *, rate: float) -> Tested:
    """The time until the first failure, from marks [..., date]; chi-square with 1 degree of freedom.

    With the first exception on date n, LR = −2 ln[p (1 − p)^(n−1)] + 2 ln[(1/n)(1 − 1/n)^(n−1)]. A series of N dates
    without one is censored: LR = −2 N ln(1 − p), flagged. An early exception is the side `understated`.
    Source: Kupiec (1995). Raises `InvalidInput` for no dates or a rate out of range."""
    marks, p = check.exceptions(exceptional, where="tuff"), check.rate(rate, where="tuff")
    never = ~marks.any(axis=-1)
    first = np.where(never, marks.shape[-1], marks.argmax(axis=-1) + 1)
    ratio = np.where(never, -2.0 * first * np.log1p(-p), _gap_ratio(first, p))
    return likelihood_ratio(
        "tuff",
        ratio,
        1,
        "dates count from 1; without exception −2 N ln(1 − p)",
        np.where(never, -1, np.sign(1.0 / p - first)),
        flags(never.shape, ("no_exceptions", never)),
    )


def tbfi(exceptional: ArrayLike, *, rate: float) -> Tested:
    """Times between failures, independence: the sum of the terms of `tuff` over the x gaps; chi-square with x degrees.

    The first gap counts from the start, the time after the last exception is not used. Takes marks [..., date]; a
    series without exceptions has statistic 0, p-value 1 and a flag.
    Source: Haas (2001), "New methods in backtesting", caesar. Raises `InvalidInput` as `tuff`."""
    marks, p = check.exceptions(exceptional, where="tbfi"), check.rate(rate, where="tbfi")
    flat = marks.reshape(-1, marks.shape[-1])
    row, date = np.nonzero(flat)
    before = np.where(np.diff(row, prepend=-1) == 0, np.roll(date, 1), -1)
    shape, count = marks.shape[:-1], marks.sum(axis=-1)
    ratio = np.bincount(row, weights=_gap_ratio(date - before, p), minlength=len(flat)).reshape(shape)
    return likelihood_ratio(
        "tbfi",
        ratio,
        count,
        "x gaps, the first from the start",
        _side(count, marks.shape[-1], p),
        flags(shape, ("no_exceptions", count == 0)),
    )


def tbf(exceptional: ArrayLike, *, rate: float) -> Tested:
    """The mixed test of times between failures: `pof` + `tbfi`, chi-square with x + 1 degrees of freedom.

    Takes marks [..., date]. Source: Haas (2001). Raises `InvalidInput` as `tuff`."""
    marks = check.exceptions(exceptional, where="tbf")
    return joined("tbf", pof(marks.sum(axis=-1), marks.shape[-1], rate=rate), tbfi(marks, rate=rate))


class TrafficLightResult(msgspec.Struct, frozen=True, kw_only=True):
    """The zone of one series; factors are None where Basel has no table (other than 250 observations at 1 %)."""

    zone: Zone
    exceptions: int
    observations: int
    rate: float
    cumulative_probability: float
    plus_factor: float | None
    multiplier: float | None
    conventions: Conventions


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficLight:
    """Zones of many series [...]: codes of `ZONES`; factors are NaN where Basel has no table."""

    zone: IntArray
    exceptions: IntArray
    observations: IntArray
    rate: float
    cumulative_probability: FloatArray
    plus_factor: FloatArray
    multiplier: FloatArray

    def at(self, row: Row, conventions: Conventions) -> TrafficLightResult:
        """The zone of the series at `row`, `()` for a single one."""
        tabled = bool(np.isfinite(self.plus_factor[row]))
        return TrafficLightResult(
            zone=ZONES[int(self.zone[row])],
            exceptions=int(self.exceptions[row]),
            observations=int(self.observations[row]),
            rate=self.rate,
            cumulative_probability=float(self.cumulative_probability[row]),
            plus_factor=float(self.plus_factor[row]) if tabled else None,
            multiplier=float(self.multiplier[row]) if tabled else None,
            conventions=conventions,
        )


def traffic_light(exceptional: ArrayLike, observations: ArrayLike, *, rate: float = BASEL_RATE) -> TrafficLight:
    """Basel's zones from counts x and N [...]: green while P(X ≤ x) < 95 %, yellow while < 99.99 %, red after.

    Any N and p have zones; plus factors and multipliers are those of 250 observations at 1 %. Overlapping horizons need
    bounds of their own. Source: Basel Committee (1996); Basel Framework MAR99. Raises `InvalidInput` as `pof`."""
    n, x = check.counts(observations, exceptional, where="traffic_light")
    cumulative = binomial_tails(x, n, rate=rate).lower
    step, tabled = np.minimum(x, len(PLUS_FACTORS) - 1), (n == BASEL_OBSERVATIONS) & (rate == BASEL_RATE)
    return TrafficLight(
        zone=(cumulative >= YELLOW_FROM).astype(np.int64) + (cumulative >= RED_FROM),
        exceptions=x,
        observations=n,
        rate=rate,
        cumulative_probability=cumulative,
        plus_factor=np.where(tabled, PLUS_FACTORS[step], UNDEFINED),
        multiplier=np.where(tabled, MULTIPLIERS[step], UNDEFINED),
    )


def likelihood_ratio(
    test: str, ratio: ArrayLike, degrees: ArrayLike, rule: str, side: ArrayLike, flag: IntArray
) -> Tested:
    """A test whose statistic [...] is chi-square with `degrees` [...]; no degrees of freedom give the p-value 1."""
    # Rounding leaves a ratio of equal likelihoods a hair below zero.
    statistic = np.asarray(np.maximum(ratio, 0.0), np.float64)
    degree = np.broadcast_to(np.asarray(degrees, np.int64), statistic.shape)
    p_value = np.where(degree == 0, 1.0, special.chdtrc(np.maximum(degree, 1), statistic))
    signs = np.broadcast_to(np.asarray(side, np.int64), statistic.shape)
    return Tested(
        test=test,
        distribution="chi2",
        rule=rule,
        statistic=statistic,
        p_value=p_value,
        degrees_of_freedom=degree,
        side=signs,
        flag=flag,
    )


def joined(test: str, first: Tested, second: Tested) -> Tested:
    """The joint test of two independent likelihood ratios: statistics and degrees add; the side is that of the first,
    the flag that of the second, or else of the first."""
    return likelihood_ratio(
        test,
        first.statistic + second.statistic,
        first.degrees_of_freedom + second.degrees_of_freedom,
        f"{first.test} + {second.test}: {second.rule}",
        first.side,
        np.where(second.flag > 0, second.flag, first.flag),
    )


def _log_likelihood(x: IntArray, n: IntArray, p: FloatArray | np.float64) -> FloatArray:
    return np.asarray(special.xlogy(x, p) + special.xlog1py(n - x, -p), np.float64)


def _gap_ratio(gap: IntArray, p: float) -> FloatArray:
    """−2 ln[p (1 − p)^(n−1)] + 2 ln[(1/n)(1 − 1/n)^(n−1)] of gaps n ≥ 1."""
    rest = gap - 1.0
    return np.asarray(2.0 * (special.xlog1py(rest, -1.0 / gap) - np.log(gap) - np.log(p) - rest * np.log1p(-p)))


def _side(x: IntArray, n: IntArray | int, p: float) -> IntArray:
    return np.asarray(np.sign(x - n * p), np.int64)
