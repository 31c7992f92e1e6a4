"""The boosted quantile of a ratio, walked forward: fitted again every so many dates on what was known by then.

One learner serves all portfolios, since its target is what came over what a filter had said, which has no unit. So it
corrects a filter and does not replace it: a learner that finds nothing says the same multiple of the filter everywhere.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.outlook.predictor import RATIO_LEAST, RATIO_MOST, PredictiveSpec
from crossmargin.engine.outlook.trees import Trees
from crossmargin.validation.predictive.exporting import trees_of


def boosted_ratios(
    ratio: FloatArray, features: FloatArray, spec: PredictiveSpec, *, lag: int, threads: int = 1
) -> FloatArray:
    """The (1 − rate)-quantile of each ratio [account, date], from features [account, date, name] and earlier ratios.

    The ratio of date s is known on date s + `lag`. NaN up to the first fit; a NaN ratio is not learnt from. Results are
    the same on any number of threads: gradients of the pinball loss take two values, whose sums float64 holds exactly.
    Source: Koenker and Bassett (1978), Econometrica 46, 33–50; Friedman (2001), Annals of Statistics 29, 1189–1232.
    Raises `InvalidInput` without the extra `calibrate`, and where a fit has too few rows for two leaves."""
    regressor, limited = _learner()
    accounts, dates = ratio.shape
    found = np.full((accounts, dates), np.nan)
    for first in range(spec.learn_dates + lag - 1, dates, spec.refit_dates):
        known, ahead = first - lag + 1, slice(first, first + spec.refit_dates)
        seen = _seen(features[:, :known])
        rows = features[:, ahead, seen]
        with limited(threads):
            learner = _fitted(features[:, :known, seen], ratio[:, :known], spec, regressor)
            said = learner.predict(rows.reshape(-1, len(seen))).reshape(rows.shape[:2])
        found[:, ahead] = np.clip(said, RATIO_LEAST, RATIO_MOST)
    return found


def boosted_trees(ratio: FloatArray, features: FloatArray, spec: PredictiveSpec, *, threads: int = 1) -> Trees:
    """What `boosted_ratios` would fit where all of these ratios [account, date] are known, as arrays; raises as it."""
    regressor, limited = _learner()
    seen = _seen(features)
    with limited(threads):
        return trees_of(_fitted(features[..., seen], ratio, spec, regressor), seen)


def _seen(past: FloatArray) -> IntArray:
    """Features that somebody knew by then: of others there is nothing to learn."""
    return np.flatnonzero(~np.isnan(past).all(axis=(0, 1)))


def _fitted(features: FloatArray, ratio: FloatArray, spec: PredictiveSpec, regressor: Any) -> Any:
    """A learner of the rows whose ratio is known."""
    known = ~np.isnan(ratio)
    if known.sum() < 2 * spec.leaf_rows:
        raise InvalidInput(
            "rows to learn from",
            where="predictive margin",
            value=int(known.sum()),
            limit=f"at least {2 * spec.leaf_rows}, two leaves of {spec.leaf_exceptions:g} exceptions",
            remedy="Learn from more portfolios or dates, or ask for a higher rate.",
        )
    learner = regressor(
        loss="quantile",
        quantile=1.0 - spec.rate,
        learning_rate=spec.learning_rate,
        max_iter=spec.rounds,
        max_leaf_nodes=spec.leaves,
        min_samples_leaf=spec.leaf_rows,
        early_stopping=False,
        random_state=spec.seed,
    )
    return learner.fit(features[known], ratio[known])


def _learner() -> tuple[Any, Any]:
    """The regressor of scikit-learn, and what holds it to a number of threads."""
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 it is an extra
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 scikit-learn brings it
    except ImportError:
        raise InvalidInput(
            "scikit-learn",
            where="predictive margin",
            value="not installed",
            limit="installed",
            remedy='Install the extra: pip install "crossmargin[calibrate]".',
        ) from None
    # Where other work holds a core, waiting for it costs many times what a second thread gains.
    return HistGradientBoostingRegressor, partial(threadpool_limits, user_api="openmp")
