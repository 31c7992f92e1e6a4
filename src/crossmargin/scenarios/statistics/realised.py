"""Variance measured within the day, and its forecast from the day, the week and the month before (HAR).

Measures are variances per date in the squared unit of the returns. A forecast for date t is made of measures up to
t − 1 alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.errors import InvalidInput

DATES_MIN: Final = 100  # Four coefficients; with less the month's is mostly noise.
_HALF: Final = 0.5  # A measure stands if at least half of what it averages is there.


def realised_variance(returns: FloatArray) -> FloatArray:
    """Σ r² of each date [date, factor] from the returns of its bars [date, bar, factor].

    Missing bars (NaN) count as the average of those that are there; NaN where fewer than half are.
    Source: Andersen, Bollerslev, Diebold and Labys (2003), Econometrica 71, 579–625."""
    return _scaled_sum(returns**2)


def realised_semivariances(returns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Σ r² over falls and over rises [date, factor], which add up to the realised variance.

    Source: Barndorff-Nielsen, Kinnebrock and Shephard (2010), "Measuring downside risk: realised semivariance"."""
    squares = returns**2
    falls = np.where(returns < 0.0, squares, np.where(np.isnan(returns), np.nan, 0.0))
    return _scaled_sum(falls), _scaled_sum(squares - falls)


def bipower_variation(returns: FloatArray) -> FloatArray:
    """(π/2)·Σ|r_i|·|r_{i−1}|·n/(n − 1) [date, factor]: the variance without jumps, for no jump stands in two bars.

    Source: Barndorff-Nielsen and Shephard (2004), Journal of Financial Econometrics 2, 1–37."""
    size, bars = np.abs(returns), returns.shape[1]
    return np.asarray(0.5 * math.pi * bars / (bars - 1.0) * _scaled_sum(size[:, 1:] * size[:, :-1]))


def range_variance(high: FloatArray, low: FloatArray) -> FloatArray:
    """ln²(high/low)/(4·ln 2), elementwise: the variance of a price without drift from its range, five times as sharp
    as its squared return.

    Source: Parkinson (1980), Journal of Business 53, 61–65. Raises `InvalidInput` for a high below its low."""
    _check_range(high, low)
    return np.asarray(np.log(high / low) ** 2 / (4.0 * math.log(2.0)))


def open_close_range_variance(opening: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """½·ln²(high/low) − (2·ln 2 − 1)·ln²(close/open), elementwise.

    Source: Garman and Klass (1980), Journal of Business 53, 67–78. Raises as `range_variance`."""
    _check_range(high, low)
    spread = 0.5 * np.log(high / low) ** 2
    return np.asarray(spread - (2.0 * math.log(2.0) - 1.0) * np.log(close / opening) ** 2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HarModel:
    """Next variance = c + b₁·day + b₂·week + b₃·month, of levels or of logarithms.

    `coefficients` and `errors` [4, factor] (c, day, week, month; errors by Newey and West with 2·(horizon − 1) + 5
    lags); `windows` dates of the three means; `horizon` dates whose mean variance is forecast; `residual_variance`
    [factor] and `r_squared` [factor] of the regression; `least` and `most` [factor] what was ever measured in the
    history: a forecast stays between them."""

    scale: Literal["level", "log"]
    windows: tuple[int, int, int]
    horizon: int
    coefficients: FloatArray
    errors: FloatArray
    residual_variance: FloatArray
    r_squared: FloatArray
    least: FloatArray
    most: FloatArray
    dates: IntArray

    def forecast(self, measures: FloatArray) -> FloatArray:
        """The mean variance expected of the `horizon` dates from date t on [date + 1, factor], t = 0 … dates.

        Made of measures [date, factor] before t; NaN until the month's window holds half of its dates. Logarithmic
        models add half the residual variance, so that the mean is forecast and not the median. Forecasts outside what
        was ever measured are cut. Source: Corsi (2009), Journal of Financial Econometrics 7, 174–196; the cut:
        Bollerslev, Patton and Quaedvlieg (2016), Journal of Econometrics 192, 1–18."""
        expected = np.einsum("ktf,kf->tf", self._features(measures), self.coefficients)
        if self.scale == "log":
            expected = np.exp(expected + 0.5 * self.residual_variance)
        return np.asarray(np.clip(expected, self.least, self.most))

    def _features(self, measures: FloatArray) -> FloatArray:
        return _features(measures, self.windows, self.scale)


def fit_har(
    measures: FloatArray,
    *,
    scale: Literal["level", "log"] = "log",
    windows: tuple[int, int, int] = (1, 5, 22),
    horizon: int = 1,
) -> HarModel:
    """Least squares of the mean of the next `horizon` measures on the day, week and month before, for each factor.

    `measures` [date, factor] with NaN where there is none; `windows` of (1, 7, 30) suit markets that never close.
    Raises `InvalidInput` for a measure that is negative (or zero, in logarithms), and for fewer than 100 dates that
    have both sides."""
    assert windows[0] < windows[1] < windows[2], "day, week and month grow"
    assert horizon > 0, "a forecast is of one date at least"
    _check_measures(measures, scale)
    x, y = _features(measures, windows, scale)[:, :-1], _targets(measures, horizon, scale)
    x = x[:, : len(y)]
    there = ~(np.isnan(x).any(axis=0) | np.isnan(y))
    count = there.sum(axis=0)
    if (count < DATES_MIN).any():
        raise InvalidInput(
            "number of dates",
            where=f"HAR, factor {int(np.argmin(count))}",
            value=int(count.min()),
            limit=f"at least {DATES_MIN}",
            remedy="Give a longer history.",
        )
    x, y = np.where(there, x, 0.0), np.where(there, y, 0.0)
    q, r = np.linalg.qr(np.moveaxis(x, (2, 1, 0), (0, 1, 2)))
    root = np.linalg.inv(r)
    inverse, beta = root @ np.swapaxes(root, 1, 2), np.einsum("fkj,ftj,tf->kf", root, q, y)
    residual = np.where(there, y - np.einsum("ktf,kf->tf", x, beta), 0.0)
    spread = np.sum(residual**2, axis=0)
    total = np.sum(np.where(there, y - y.sum(axis=0) / count, 0.0) ** 2, axis=0)
    return HarModel(
        scale=scale,
        windows=windows,
        horizon=horizon,
        coefficients=frozen(beta),
        errors=frozen(_newey_west(x * residual, inverse, 2 * (horizon - 1) + 5)),
        residual_variance=frozen(spread / (count - 4)),
        r_squared=frozen(1.0 - spread / total),
        least=frozen(np.nanmin(measures, axis=0)),
        most=frozen(np.nanmax(measures, axis=0)),
        dates=frozen(count, np.int64),
    )


def _scaled_sum(values: FloatArray) -> FloatArray:
    """Sums over bars [date, factor] of [date, bar, factor], scaled up for the bars that are missing."""
    there = (~np.isnan(values)).sum(axis=1)
    bars = values.shape[1]
    total = np.where(np.isnan(values), 0.0, values).sum(axis=1) * bars / np.maximum(there, 1)
    return np.asarray(np.where(there >= max(1.0, _HALF * bars), total, np.nan))


def _trailing_mean(values: FloatArray, window: int) -> FloatArray:
    """The mean of the `window` values before t [date + 1, factor], t = 0 … dates; NaN where most are missing."""
    padded = np.concatenate([np.full((window, values.shape[1]), np.nan), values])
    views = sliding_window_view(padded, window, axis=0)  # [date + 1, factor, window]
    there = ~np.isnan(views)
    count = there.sum(axis=-1)
    mean = np.where(there, views, 0.0).sum(axis=-1) / np.maximum(count, 1)
    return np.where(count >= max(1.0, _HALF * window), mean, np.nan)


def _features(measures: FloatArray, windows: tuple[int, int, int], scale: str) -> FloatArray:
    """A one and the three means before each date [4, date + 1, factor]; of logarithms the logarithm of the mean."""
    means = np.stack([_trailing_mean(measures, window) for window in windows])
    shown = np.log(means) if scale == "log" else means
    return np.concatenate([np.ones((1, *means.shape[1:])), shown])


def _targets(measures: FloatArray, horizon: int, scale: str) -> FloatArray:
    """The mean of the `horizon` measures from each date on [date − horizon + 1, factor]; NaN if any is missing."""
    mean = sliding_window_view(measures, horizon, axis=0).mean(axis=-1)
    return np.asarray(np.log(mean) if scale == "log" else mean)


def _newey_west(scores: FloatArray, inverse: FloatArray, lags: int) -> FloatArray:
    """Standard errors [coefficient, factor] from scores [coefficient, date, factor], with Bartlett weights.

    Source: Newey and West (1987), Econometrica 55, 703–708."""
    middle = np.einsum("ktf,jtf->fkj", scores, scores)
    for lag in range(1, lags + 1):
        cross = np.einsum("ktf,jtf->fkj", scores[:, lag:], scores[:, :-lag])
        middle += (1.0 - lag / (lags + 1.0)) * (cross + np.swapaxes(cross, 1, 2))
    covariance = inverse @ middle @ inverse
    return np.asarray(np.sqrt(np.maximum(np.einsum("fkk->kf", covariance), 0.0)))


def _check_measures(measures: FloatArray, scale: str) -> None:
    wrong: BoolArray = np.isinf(measures) | (measures <= 0.0 if scale == "log" else measures < 0.0)
    if wrong.any():
        t, f = (int(i) for i in np.argwhere(wrong)[0])
        raise InvalidInput(
            "realised variance",
            where=f"HAR, date {t}, factor {f}",
            value=float(measures[t, f]),
            limit="finite and above zero" if scale == "log" else "finite and not negative",
            remedy="Leave the date out (NaN), or fit levels.",
        )


def _check_range(high: FloatArray, low: FloatArray) -> None:
    wrong = ~((high >= low) & (low > 0.0)) & ~(np.isnan(high) | np.isnan(low))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InvalidInput(
            "high and low",
            where=f"bar {list(at)}",
            value=(float(high[at]), float(low[at])),
            limit="high ≥ low > 0",
            remedy="Correct the bar, or leave it out (NaN).",
        )
