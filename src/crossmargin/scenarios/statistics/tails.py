"""Tails beyond what was seen: peaks over a threshold, and distributions with a Pareto tail on either side.

Values are losses where a function says so, else returns as they are; each factor has its own sample, and a NaN in it
is left out (a factor not yet listed has fewer values). Everything works on all factors at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.check import within
from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.kernels.tails import SHAPE_MAX, SHAPE_MIN, fit_excesses, spliced_cdf, spliced_quantiles

# Below it the standard error of ξ is above 0.2, and the fit says little.
EXCESSES_MIN: Final = 25
# DuMouchel (1983), Annals of Statistics 11, 1019–1031: a tenth is the most that is still tail.
SHARES: Final = (0.10, 0.085, 0.07, 0.06, 0.05, 0.04, 0.03)
# The most that a margin is computed from. At ξ ≥ 1 there is no expected shortfall, and above ½ its estimates have no
# variance. Returns have tail indices above two, that is ξ < ½: Cont (2001), "Empirical properties of asset returns",
# Quantitative Finance 1, 223–236, section 2. Shapes held within ½ in size: Martins and Stedinger (2000), Water
# Resources Research 36, 737–744.
SHAPE_OF_MARGINS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParetoTail:
    """Generalised Pareto tails of losses above a threshold [factor].

    `excesses` of `total` losses lie above `threshold`; ξ is `shape`, β `scale`; `log_likelihood` is of the excesses,
    `distance` the largest gap between their empirical and fitted distributions. Where `inside` is false ξ stands at
    a limit, −½ or the greatest allowed: the tail is then the best within both, and the standard errors do not hold."""

    threshold: FloatArray
    excesses: IntArray
    total: IntArray
    shape: FloatArray
    scale: FloatArray
    log_likelihood: FloatArray
    distance: FloatArray
    inside: BoolArray

    @property
    def shape_error(self) -> FloatArray:
        """Standard error of ξ, (1 + ξ)/√k, from the expected information; NaN at a limit.

        Source: Smith (1987), "Estimating tails of probability distributions", Annals of Statistics 15, 1174–1207."""
        return np.where(self.inside, (1.0 + self.shape) / np.sqrt(self.excesses), np.nan)

    @property
    def scale_error(self) -> FloatArray:
        """Standard error of β, β·√(2(1 + ξ)/k); NaN at a limit."""
        return np.where(self.inside, self.scale * np.sqrt(2.0 * (1.0 + self.shape) / self.excesses), np.nan)

    def value_at_risk(self, level: float) -> FloatArray:
        """The loss that a share 1 − `level` lies beyond [factor]: u + (β/ξ)·(((n/k)·(1 − level))^−ξ − 1).

        Raises `InvalidInput` for a level that is not beyond the threshold of every factor."""
        depth = self._depth(level)
        return np.asarray(self.threshold + self.scale * depth * _expm1_ratio(self.shape * depth))

    def expected_shortfall(self, level: float) -> FloatArray:
        """The mean loss beyond `value_at_risk` [factor]: (VaR + β − ξ·u)/(1 − ξ); infinite for ξ ≥ 1.

        Source: McNeil (1997), "Estimating the tails of loss severity distributions", ASTIN Bulletin 27, 117–137."""
        top = self.value_at_risk(level) + self.scale - self.shape * self.threshold
        return np.where(self.shape < 1.0, top / np.where(self.shape < 1.0, 1.0 - self.shape, 1.0), np.inf)

    def value_at_risk_error(self, level: float) -> FloatArray:
        """Standard error of `value_at_risk` [factor] by the delta method: of ξ, β and the share above u."""
        gradient, covariance = self._gradient(level), self._covariance()
        return np.asarray(np.sqrt(np.einsum("if,ijf,jf->f", gradient, covariance, gradient)))

    def expected_shortfall_error(self, level: float) -> FloatArray:
        """Standard error of `expected_shortfall` [factor] by the delta method; infinite for ξ ≥ 1."""
        left = np.where(self.shape < 1.0, 1.0 - self.shape, np.nan)
        gradient = self._gradient(level)
        gradient[0] += self.expected_shortfall(level) - self.threshold
        gradient[1] += 1.0
        spread = np.einsum("if,ijf,jf->f", gradient, self._covariance(), gradient)
        return np.where(self.shape < 1.0, np.sqrt(spread) / left, np.inf)

    def _depth(self, level: float) -> FloatArray:
        """ln of the share above the threshold over that beyond the level [factor]."""
        within(level, "confidence level", 0.0, 1.0, where="Pareto tail")
        share = self.excesses / self.total
        if level >= 1.0 or not (1.0 - level <= share * (1.0 + 1e-12)).all():
            raise InvalidInput(
                "confidence level",
                where=f"Pareto tail, factor {int(np.argmin(share))}",
                value=level,
                limit=f"at least {1.0 - float(share.min()):.4g} and below 1",
                remedy="Below the threshold the empirical distribution says more: use a spliced distribution.",
            )
        return np.log(share / (1.0 - level))

    def _gradient(self, level: float) -> FloatArray:
        """The derivatives of value at risk to ξ, β and the share above the threshold [3, factor]."""
        depth = self._depth(level)
        x = self.shape * depth
        growth = np.exp(x)
        near = np.abs(x) < 1e-4
        bend = np.where(near, 0.5 + x / 3.0, (x * growth - np.expm1(x)) / np.where(near, 1.0, x) ** 2)
        share = self.excesses / self.total
        return np.stack([self.scale * depth**2 * bend, depth * _expm1_ratio(x), self.scale * growth / share])

    def _covariance(self) -> FloatArray:
        """The covariance of the estimates of ξ, β and the share above the threshold [3, 3, factor]."""
        k, share, one = self.excesses, self.excesses / self.total, 1.0 + self.shape
        out = np.zeros((3, 3, k.size))
        out[0, 0], out[1, 1] = one**2 / k, 2.0 * self.scale**2 * one / k
        out[0, 1] = out[1, 0] = -self.scale * one / k
        out[2, 2] = share * (1.0 - share) / self.total
        return np.where(self.inside, out, np.nan)


def fit_tail(losses: FloatArray, share: float | None = None, *, shape_max: float = SHAPE_MAX) -> ParetoTail:
    """The tails of losses [date, factor] above the threshold that a `share` of them exceeds, or above the chosen one.

    Without a `share` the threshold is that of `SHARES` whose fit lies nearest to its excesses in the distance of
    Kolmogorov and Smirnov: too low a threshold takes body for tail and bends away, too high a one has few values and
    wanders. Source of the rule: Clauset, Shalizi and Newman (2009), SIAM Review 51, 661–703, section 3.3.
    ξ is at most `shape_max`; where it stands there β is the best for it, and `inside` is false.
    Raises `InvalidInput` for an infinite loss, for fewer than 25 excesses, and for excesses that are all zero."""
    within(shape_max, "greatest shape", SHAPE_MIN + 0.1, SHAPE_MAX, where="Pareto tail")
    ptr, ordered = _sorted_samples(losses)
    tails = [_tail_at(ptr, ordered, s, shape_max) for s in (SHARES if share is None else (_checked_share(share),))]
    few = np.max([tail.excesses for tail in tails], axis=0)
    if (few < EXCESSES_MIN).any():
        raise InvalidInput(
            "number of excesses",
            where=f"Pareto tail, factor {int(np.argmin(few))}",
            value=int(few.min()),
            limit=f"at least {EXCESSES_MIN}",
            remedy="Give a longer history, or a larger share.",
        )
    nearest = np.argmin([np.where(t.excesses < EXCESSES_MIN, np.inf, t.distance) for t in tails], axis=0)
    return _merge(tails, nearest)


def fit_at_shares(losses: FloatArray, shares: Sequence[float] = SHARES) -> tuple[ParetoTail, ...]:
    """The tail at each of several thresholds, for a plot of how ξ and the loss beyond depend on the choice."""
    ptr, ordered = _sorted_samples(losses)
    return tuple(_tail_at(ptr, ordered, _checked_share(share)) for share in shares)


def mean_excess(losses: FloatArray, thresholds: FloatArray) -> FloatArray:
    """The mean loss beyond each threshold less the threshold [threshold], of one sample; NaN where none lies beyond.

    It is a straight line of slope ξ/(1 − ξ) where the tail is a generalised Pareto one."""
    beyond = losses[None, :] - thresholds[:, None]
    above = beyond > 0.0
    count = above.sum(axis=1)
    total = np.where(above, beyond, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplicedDistribution:
    """An empirical body between generalised Pareto tails, for each factor.

    `low` is the tail of −values, `high` that of values; the body joins the order statistics between the thresholds by
    lines. `ptr` and `ordered` hold the samples, one factor after the other, ascending."""

    ptr: IntArray
    ordered: FloatArray
    low: ParetoTail
    high: ParetoTail

    def quantile(self, probability: FloatArray) -> FloatArray:
        """The value below which `probability` lies [factor, scenario]; probabilities in [0, 1]."""
        if not ((probability >= 0.0) & (probability <= 1.0)).all():
            raise InvalidInput(
                "probability",
                where="spliced distribution",
                value=float(probability[~((probability >= 0.0) & (probability <= 1.0))][0]),
                limit="between 0 and 1",
                remedy="Give uniform numbers.",
            )
        return spliced_quantiles(probability, *self._columns())

    def cdf(self, value: FloatArray) -> FloatArray:
        """The probability at or below `value` [factor, scenario]."""
        assert not np.isnan(value).any(), "values are numbers"
        return spliced_cdf(value, *self._columns())

    def simulate(self, scenarios: int, *, seed: int) -> FloatArray:
        """Independent draws [factor, scenario]; a copula's uniforms through `quantile` give dependent ones."""
        return self.quantile(np.random.default_rng(seed).random((self.ptr.size - 1, scenarios)))

    def _columns(self) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
        low, high = (np.stack([t.excesses.astype(np.float64), t.shape, t.scale]) for t in (self.low, self.high))
        return self.ptr, self.ordered, low, high


def splice(values: FloatArray, share: float | None = 0.10, *, shape_max: float = SHAPE_MAX) -> SplicedDistribution:
    """The spliced distribution of values [date, factor]: tails of a `share` on either side, or chosen without one.

    ξ of either is at most `shape_max`. Raises as `fit_tail` does."""
    high, low = (fit_tail(sign * values, share, shape_max=shape_max) for sign in (1.0, -1.0))
    ptr, ordered = _sorted_samples(values)
    return SplicedDistribution(ptr=frozen(ptr, np.int64), ordered=frozen(ordered), low=low, high=high)


def _expm1_ratio(x: FloatArray) -> FloatArray:
    """(e^x − 1)/x, 1 at zero."""
    near = np.abs(x) < 1e-8
    return np.where(near, 1.0 + 0.5 * x, np.expm1(x) / np.where(near, 1.0, x))


def _checked_share(share: ArrayLike) -> float:
    return within(float(np.asarray(share)), "tail share", 0.001, 0.49, where="Pareto tail")


def _sorted_samples(values: FloatArray) -> tuple[IntArray, FloatArray]:
    """The samples of each factor, ascending and without NaN, one after the other, and where each begins."""
    if np.isinf(values).any():
        t, f = (int(i) for i in np.argwhere(np.isinf(values))[0])
        raise InvalidInput(
            "value", where=f"date {t}, factor {f}", value=float(values[t, f]), limit="finite", remedy="Correct it."
        )
    ordered = np.sort(values, axis=0)  # NaN last
    counts = (~np.isnan(values)).sum(axis=0)
    packed = [ordered[:count, f] for f, count in enumerate(counts)]
    return np.concatenate([[0], np.cumsum(counts)]), np.concatenate(packed)


def _tail_at(ptr: IntArray, ordered: FloatArray, share: float, shape_max: float = SHAPE_MAX) -> ParetoTail:
    """The tails above the order statistic that a `share` exceeds; values equal to it are not beyond it."""
    total = np.diff(ptr)
    place = ptr[1:] - 1 - np.minimum(np.ceil(total * share - 1e-9).astype(np.int64), np.maximum(total - 1, 0))
    if (total < 2).any():
        empty = int(np.argmin(total))
        raise InvalidInput(
            "number of values",
            where=f"factor {empty}",
            value=int(total[empty]),
            limit="at least 2",
            remedy="Leave it out.",
        )
    threshold = ordered[place]
    factor = np.repeat(np.arange(total.size), total)
    excess = ordered - threshold[factor]
    beyond = excess > 0.0
    excesses = np.bincount(factor[beyond], minlength=total.size)
    if (excesses == 0).any():
        flat = int(np.argmin(excesses))
        raise InvalidInput(
            "greatest excess",
            where=f"Pareto tail, factor {flat}",
            value=0.0,
            limit="above zero",
            remedy="The largest values are all equal: leave the factor out, or give a longer history.",
        )
    fit = fit_excesses(np.concatenate([[0], np.cumsum(excesses)]), excess[beyond], shape_max)
    return ParetoTail(
        threshold=frozen(threshold),
        excesses=frozen(excesses, np.int64),
        total=frozen(total, np.int64),
        shape=frozen(fit[:, 0]),
        scale=frozen(fit[:, 1]),
        log_likelihood=frozen(fit[:, 2]),
        distance=frozen(fit[:, 3]),
        inside=frozen(fit[:, 4] > 0.0, np.bool_),
    )


def _merge(tails: Sequence[ParetoTail], chosen: IntArray) -> ParetoTail:
    """For each factor its chosen tail."""
    factor = np.arange(chosen.size)

    def pick(name: str) -> Any:
        stacked = np.stack([getattr(tail, name) for tail in tails])[chosen, factor]
        return frozen(stacked, stacked.dtype)

    return ParetoTail(
        threshold=pick("threshold"),
        excesses=pick("excesses"),
        total=pick("total"),
        shape=pick("shape"),
        scale=pick("scale"),
        log_likelihood=pick("log_likelihood"),
        distance=pick("distance"),
        inside=pick("inside"),
    )
