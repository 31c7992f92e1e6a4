"""Volatility of many factors at once, known before the return that it scales: EWMA, GARCH, GJR-GARCH, and floors.

All three are one recursion, h[t] = ω + α·e² + γ·e²·1{e < 0} + β·h of the date before: EWMA has ω = γ = 0 and α = 1 − β.
A history is filtered at once (`filter_history`) or one date at a time (`step`), to the same bits. What stands at date t
uses returns up to t − 1.

Presample rule: either a presample variance m is given, or the first `warm_up` returns of a factor give it as their mean
square, and their own variances are NaN. Before the first date e² and h are m.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from crossmargin.core.arrays import FloatArray, frozen, require_finite
from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.kernels.volatility import SEEN, SQUARES, VARIANCE, filter_variances, running_quantiles

WARM_UP: Final = 22  # A month of trading days: the least over which HAR-type models measure a level.
SYMMETRIC: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VarianceModel:
    """Parameters of the recursion [factor] and how it starts.

    `mean` is taken off each return; `fall_share` is the share of e² that falls bring, ½ where the innovation is
    symmetric; `warm_up` returns give the first variance where no presample is given."""

    mean: FloatArray
    omega: FloatArray
    alpha: FloatArray
    gamma: FloatArray
    beta: FloatArray
    fall_share: FloatArray
    warm_up: int = WARM_UP

    def __post_init__(self) -> None:
        rows = (self.omega, self.alpha, self.gamma, self.beta)
        assert len({row.shape for row in (self.mean, self.fall_share, *rows)}) == 1, "one parameter per factor"
        assert self.warm_up > 0, "a first variance needs a return"
        lowest = np.stack([self.omega, self.alpha, self.alpha + self.gamma, self.beta])
        if not (lowest >= 0.0).all():
            row, factor = (int(i) for i in np.argwhere(~(lowest >= 0.0))[0])
            raise InvalidInput(
                ("omega", "alpha", "alpha + gamma", "beta")[row],
                where=f"volatility model, factor {factor}",
                value=float(lowest[row, factor]),
                limit="at least zero",
                remedy="Fit again: a negative one can make a variance negative.",
            )

    @property
    def persistence(self) -> FloatArray:
        """α + γ·share + β [factor]: what is left of a shock to the variance a date later; at 1 it never fades."""
        return np.asarray(self.alpha + self.gamma * self.fall_share + self.beta)

    @property
    def long_run_variance(self) -> FloatArray:
        """ω/(1 − persistence) [factor]; NaN where the persistence is 1 or more, as with EWMA."""
        left = 1.0 - self.persistence
        return np.where(left > 1e-12, self.omega / np.where(left > 1e-12, left, 1.0), np.nan)

    def rows(self) -> FloatArray:
        """The parameters as the kernel reads them [6, factor]."""
        return np.stack([self.mean, self.omega, self.alpha, self.gamma, self.beta, self.fall_share])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VarianceState:
    """Where each factor stands after a date [factor].

    `variance` of the next return, NaN while warming up; `seen` returns so far; `squares` summed while warming up."""

    variance: FloatArray
    seen: FloatArray
    squares: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VariancePath:
    """Conditional variances of a history [date, factor], NaN while warming up, and the state after its last date."""

    variance: FloatArray
    state: VarianceState


def ewma(decay: float | Sequence[float], factors: int, *, warm_up: int = WARM_UP) -> VarianceModel:
    """h[t] = λ·h[t − 1] + (1 − λ)·r²[t − 1] with λ = `decay` for all factors or one each; means are zero.

    Source: J.P. Morgan/Reuters (1996), RiskMetrics Technical Document, fourth edition, section 5.2."""
    beta = np.broadcast_to(np.asarray(decay, dtype=np.float64), (factors,))
    if not ((beta > 0.0) & (beta < 1.0)).all():
        raise InvalidInput(
            "decay", where="EWMA", value=decay, limit="between 0 and 1", remedy="Take 0.94 … 0.99 for daily returns."
        )
    zero = np.zeros(factors)
    return build_model(omega=zero, alpha=1.0 - beta, beta=beta, warm_up=warm_up)


def build_model(
    *,
    omega: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    gamma: ArrayLike = 0.0,
    mean: ArrayLike = 0.0,
    fall_share: ArrayLike = SYMMETRIC,
    warm_up: int = WARM_UP,
) -> VarianceModel:
    """A GARCH(1,1) model, or GJR where `gamma` is not zero; each parameter is one for all factors or one per factor."""
    parts = np.broadcast_arrays(*(np.atleast_1d(x) for x in (mean, omega, alpha, gamma, beta, fall_share)))
    names = ("mean", "omega", "alpha", "gamma", "beta", "fall share")
    for name, part in zip(names, parts, strict=True):
        require_finite(np.asarray(part, dtype=np.float64), name, where="volatility model")
    rows = [frozen(np.array(part, dtype=np.float64)) for part in parts]
    return VarianceModel(
        mean=rows[0],
        omega=rows[1],
        alpha=rows[2],
        gamma=rows[3],
        beta=rows[4],
        fall_share=rows[5],
        warm_up=warm_up,
    )


def start(model: VarianceModel, presample: ArrayLike | None = None) -> VarianceState:
    """The state before the first date: warming up, or at `presample` (a variance, one for all factors or one each)."""
    zero = np.zeros(model.omega.shape)
    if presample is None:
        return _state(np.stack([np.full(model.omega.shape, np.nan), zero, zero]))
    m = np.broadcast_to(np.asarray(presample, dtype=np.float64), model.omega.shape)
    if not (np.isfinite(m) & (m >= 0.0)).all():
        raise InvalidInput(
            "presample variance",
            where="volatility filter",
            value=presample,
            limit="finite and not negative",
            remedy="Give a variance per factor, or none to warm up on the first returns.",
        )
    return _state(
        np.stack([model.omega + (model.alpha + model.gamma * model.fall_share) * m + model.beta * m, zero, zero])
    )


def step(model: VarianceModel, state: VarianceState, returns: FloatArray) -> VarianceState:
    """The state after one date's returns [factor]; NaN is a factor not yet listed, or a missing return."""
    return filter_history(model, returns[None, :], state).state


def filter_history(model: VarianceModel, returns: FloatArray, state: VarianceState | None = None) -> VariancePath:
    """Variances of a history of returns [date, factor] from `state`, or warming up without one.

    NaN before a factor's first return says that it is not yet listed; later it is a missing return, whose square counts
    as expected. Raises `InvalidInput` for an infinite return."""
    if np.isinf(returns).any():
        t, f = (int(i) for i in np.argwhere(np.isinf(returns))[0])
        raise InvalidInput(
            "return",
            where=f"date {t}, factor {f}",
            value=float(returns[t, f]),
            limit="finite, or NaN where there is none",
            remedy="Correct the price behind it; a price of zero has no log return.",
        )
    before = start(model) if state is None else state
    held = np.stack([before.variance, before.seen, before.squares])
    variance, after = filter_variances(np.asarray(returns, dtype=np.float64), model.rows(), held, model.warm_up)
    return VariancePath(variance=frozen(variance), state=_state(after))


def _state(rows: FloatArray) -> VarianceState:
    return VarianceState(variance=frozen(rows[VARIANCE]), seen=frozen(rows[SEEN]), squares=frozen(rows[SQUARES]))


def expected_variances(model: VarianceModel, state: VarianceState, days: int) -> FloatArray:
    """What the variances of the next returns are expected to be [day, factor]; their sum is that of the horizon.

    h[1] is the state's, then h[d + 1] = ω + persistence·h[d]."""
    path = [state.variance]
    for _ in range(days - 1):
        path.append(model.omega + model.persistence * path[-1])
    return np.stack(path)


def devolatilise(model: VarianceModel, returns: FloatArray, variance: FloatArray) -> FloatArray:
    """Standardised returns z = (r − mean)/√h [date, factor]; NaN where the return or its variance is missing.

    Raises `InvalidInput` where a return meets a variance of zero (a price that did not move while warming up)."""
    still = (variance <= 0.0) & ~np.isnan(returns)
    if still.any():
        t, f = (int(i) for i in np.argwhere(still)[0])
        raise InvalidInput(
            "conditional variance",
            where=f"date {t}, factor {f}",
            value=float(variance[t, f]),
            limit="above zero",
            remedy="Put a floor under the variances of a factor that can stand still.",
        )
    return np.asarray((returns - model.mean) / np.sqrt(variance))


def floored(variance: FloatArray, floor: ArrayLike) -> FloatArray:
    """max(h, floor), elementwise; a NaN of either stays a NaN."""
    return np.maximum(variance, floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeFloor:
    """How a floor under variances follows the regime of the whole market.

    The floor of a factor lies between two quantiles of its own past volatilities over `window` dates, `calm_level` and
    `stress_level`. Where it lies follows the stress score, the median over factors of σ over the factor's own past
    median: calm up to `onset`, full stress from `full` on, linear between. A factor that has not moved yet while the
    market has is so held at what it did in earlier stress."""

    window: int = 2520
    calm_level: float = 0.5
    stress_level: float = 0.9
    onset: float = 1.25
    full: float = 2.0
    count_min: int = 60

    def __post_init__(self) -> None:
        assert 0.0 < self.calm_level <= self.stress_level <= 1.0, "calm lies at or below stress"
        assert 0.0 < self.onset < self.full, "stress begins before it is full"


def stress_score(variance: FloatArray, rule: RegimeFloor) -> FloatArray:
    """The median over factors of σ/(own past median σ) [date]; NaN where no factor has `count_min` dates behind it.

    It takes at least one factor; one alone is its own market. Nothing later than the date's own variance, which is
    known before its return, enters."""
    vol = np.sqrt(variance)
    middle = running_quantiles(vol, 0.5, rule.window, rule.count_min)
    ratio = vol / np.where(middle > 0.0, middle, np.nan)
    known = ~np.isnan(ratio).all(axis=1)
    score = np.full(len(variance), np.nan)
    score[known] = np.nanmedian(ratio[known], axis=1)
    return score


def regime_floor(variance: FloatArray, rule: RegimeFloor) -> FloatArray:
    """The floor [date, factor] under conditional variances, from these variances up to each date; NaN where unknown.

    ((1 − w)·calm quantile + w·stress quantile)², w = clip((score − onset)/(full − onset), 0, 1)."""
    vol = np.sqrt(variance)
    calm = running_quantiles(vol, rule.calm_level, rule.window, rule.count_min)
    stress = running_quantiles(vol, rule.stress_level, rule.window, rule.count_min)
    weight = np.clip((stress_score(variance, rule) - rule.onset) / (rule.full - rule.onset), 0.0, 1.0)[:, None]
    return np.asarray(((1.0 - weight) * calm + weight * stress) ** 2)
