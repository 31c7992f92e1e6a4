"""Which of many forecasts are best, allowing for having tried them all: Model Confidence Set and superior predictive
ability, on scores of which less is better.

The resampling is our own rather than that of the package `arch`: forty lines against an import of pandas and
statsmodels that takes seconds, and the seed, the block rule and the order of the draws are then ours to state.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.check import unique
from crossmargin.core.errors import InvalidInput
from crossmargin.validation import check

_CELLS = 4_000_000  # Dates resampled at once: 32 MB of indices.


class ModelRank(msgspec.Struct, frozen=True, kw_only=True):
    """One model: its mean score, and the p-value at which it would be in the set."""

    model: str
    mean_score: float
    p_value: float
    kept: bool


class ConfidenceSet(msgspec.Struct, frozen=True, kw_only=True):
    """The models that hold the best one with the stated confidence, best mean score first."""

    models: tuple[ModelRank, ...]
    significance: float
    observations: int
    rule: str

    @property
    def kept(self) -> tuple[str, ...]:
        """The names of the models in the set."""
        return tuple(rank.model for rank in self.models if rank.kept)


class SuperiorAbility(msgspec.Struct, frozen=True, kw_only=True):
    """Whether any model beats the benchmark: p-values of Hansen's lower, consistent and upper bounds."""

    benchmark: str
    best: str
    statistic: float
    p_value_lower: float
    p_value: float
    p_value_upper: float
    observations: int
    rule: str


def stationary_bootstrap(dates: int, *, block: float, simulations: int, rng: np.random.Generator) -> IntArray:
    """Indices [simulation, date] of resamples in runs of geometric length, `block` on average, that wrap at the end.

    Source: Politis and Romano (1994), Journal of the American Statistical Association 89, 1303–1313."""
    place = np.arange(dates)
    starts = rng.random((simulations, dates)) < 1.0 / block
    starts[:, 0] = True
    first = rng.integers(0, dates, (simulations, dates))
    since = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    return (np.take_along_axis(first, since, axis=1) + place - since) % dates


def default_block(dates: int) -> float:
    """T^(1/3), at least 1: the rate at which blocks must grow (Politis and Romano 1994, section 4)."""
    return float(max(1.0, dates ** (1.0 / 3.0)))


def confidence_set(
    scores: ArrayLike,
    models: Sequence[str],
    *,
    seed: int,
    significance: float = 0.10,
    simulations: int = 1_999,
    block: float | None = None,
) -> ConfidenceSet:
    """The Model Confidence Set of scores [model, date]: models are taken out while their scores are not equal.

    The statistic is T_R = max |t_ij| over pairs, its law that of resampled means; the model with the greatest t against
    any other goes. A model's p-value is the greatest on the way to its leaving, 1 for the last.
    Source: Hansen, Lunde and Nason (2011), Econometrica 79, 453–497, sections 3.1 and 3.2. Raises `InvalidInput` for
    NaN, names that do not match, fewer than five dates, or a significance out of range."""
    level = check.rate(significance, "significance", where="confidence_set")
    table, names = _table(scores, models, "confidence_set")
    runs = default_block(table.shape[1]) if block is None else block
    means, drawn = _resampled_means(table, seed, runs, check.simulations(simulations, where="confidence_set"))
    left, p_values, reached = list(range(len(names))), np.ones(len(names)), 0.0
    while len(left) > 1:
        gap = means[left][:, None] - means[left][None, :]
        noise = drawn[:, left, None] - drawn[:, None, left] - gap
        spread = np.sqrt((noise**2).mean(axis=0))
        # Models with the same scores on all dates cannot be told apart: their t is 0.
        apart = np.where(spread > 0.0, spread, np.inf)
        ratio, law = gap / apart, np.abs(noise / apart).max(axis=(1, 2))
        reached = max(reached, _share(law >= np.abs(ratio).max()))
        worst = left[int(np.argmax(ratio.max(axis=1)))]
        p_values[worst] = reached
        left.remove(worst)
    order = np.argsort(means, kind="stable")
    return ConfidenceSet(
        models=tuple(
            ModelRank(
                model=names[m], mean_score=float(means[m]), p_value=float(p_values[m]), kept=bool(p_values[m] >= level)
            )
            for m in order
        ),
        significance=level,
        observations=table.shape[1],
        rule=_rule("T_R", simulations, runs, seed),
    )


def superior_ability(
    scores: ArrayLike,
    models: Sequence[str],
    *,
    benchmark: str,
    seed: int,
    simulations: int = 1_999,
    block: float | None = None,
) -> SuperiorAbility:
    """Hansen's test that no model has a lower mean score than `benchmark`; scores [model, date], the benchmark's too.

    T = max(0, max_k √T d̄_k/ω_k), d_k = score of the benchmark − score of k; the consistent p-value centres resamples on
    d̄_k unless √T d̄_k/ω_k < −√(2 ln ln T). A small p-value says that some model is better.
    Source: Hansen (2005), Journal of Business & Economic Statistics 23, 365–380. Raises `InvalidInput` as
    `confidence_set`, and for a benchmark that is not among the models."""
    table, names = _table(scores, models, "superior_ability")
    if benchmark not in names:
        raise InvalidInput(
            "benchmark",
            where="superior_ability",
            value=benchmark,
            limit="one of the models",
            remedy="Correct its name.",
        )
    base = names.index(benchmark)
    others = [m for m in range(len(names)) if m != base]
    runs = default_block(table.shape[1]) if block is None else block
    gains = table[base] - table[others]
    means, drawn = _resampled_means(gains, seed, runs, check.simulations(simulations, where="superior_ability"))
    noise, dates = drawn - means, table.shape[1]
    spread = np.sqrt((noise**2).mean(axis=0))
    apart = np.where(spread > 0.0, spread, np.inf)
    ratio = means / apart
    far = ratio < -np.sqrt(2.0 * np.log(np.log(dates)))
    statistic = max(0.0, float(ratio.max()))
    # What the mean gains are under the null: their own where below 0, where far below 0, or 0 for all.
    kept = (np.minimum(ratio, 0.0), np.where(far, ratio, 0.0), np.zeros(len(others)))
    p_values = [_share(np.maximum((noise / apart + centre).max(axis=1), 0.0) >= statistic) for centre in kept]
    return SuperiorAbility(
        benchmark=benchmark,
        best=names[others[int(np.argmax(ratio))]],
        statistic=statistic,
        p_value_lower=p_values[0],
        p_value=p_values[1],
        p_value_upper=p_values[2],
        observations=dates,
        rule=_rule("studentised maximum", simulations, runs, seed),
    )


def _rule(statistic: str, simulations: int, block: float, seed: int) -> str:
    return f"{statistic}; stationary bootstrap, mean block {block:.3g}, {simulations} resamples, seed {seed}"


def _share(reached: FloatArray) -> float:
    return float((1.0 + np.count_nonzero(reached)) / (len(reached) + 1.0))


def _resampled_means(table: FloatArray, seed: int, block: float, simulations: int) -> tuple[FloatArray, FloatArray]:
    """Means [row] of table [row, date], and those of its resamples [simulation, row], each the same for all rows."""
    dates, rng = table.shape[1], np.random.default_rng(seed)
    size = max(1, _CELLS // dates)
    drawn = np.empty((simulations, len(table)))
    for start in range(0, simulations, size):
        rows = min(size, simulations - start)
        index = stationary_bootstrap(dates, block=block, simulations=rows, rng=rng)
        for row, scores in enumerate(table):
            drawn[start : start + rows, row] = scores[index].mean(axis=1)
    return table.mean(axis=1), drawn


def _table(scores: ArrayLike, models: Sequence[str], where: str) -> tuple[FloatArray, tuple[str, ...]]:
    table = check.series(scores, "score", where=where)
    unique(models, "model", where=where)
    if table.ndim != 2 or table.shape[0] != len(models) or len(models) < 2 or table.shape[1] < 5:
        raise InvalidInput(
            "scores",
            where=where,
            value=table.shape,
            limit=f"[model, date] with the {len(models)} models named, at least two, and five dates",
            remedy="Give one row for each model, in the order of the names.",
        )
    return table, tuple(models)
