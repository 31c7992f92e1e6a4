"""The boosted quantile of a ratio, walked forward: fitted again every so many dates on what was known by then.

One learner serves all portfolios, since its target is what came over what a filter had said, which has no unit. So it
corrects a filter and does not replace it: a learner that finds nothing says the same multiple of the filter everywhere.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput

RATIO_LEAST: Final = 0.5  # What a learner may make of a filter's margin: half of it,
RATIO_MOST: Final = 4.0  # and four times of it.


class PredictiveSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a predictive margin learns, and how its conformal correction follows.

    The first fit is made after `learn_dates`, the next ones every `refit_dates`: `rounds` trees of at most `leaves`
    leaves, each over at least `leaf_exceptions`/`rate` rows, so that a leaf's quantile rests on that many exceptions.
    Scores of the last `window_dates` make the correction, whose level moves by `gamma` times what misses say.
    """

    rate: float = 0.01
    learn_dates: int = 500
    refit_dates: int = 60
    window_dates: int = 250
    gamma: float = 0.002
    rounds: int = 60
    leaves: int = 6
    learning_rate: float = 0.05
    leaf_exceptions: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check all numbers."""
        where = "predictive margin"
        check.within(self.rate, "rate", 1e-4, 0.5, where=where)
        check.within(self.learn_dates, "dates to learn from", 50, 100_000, where=where)
        check.within(self.refit_dates, "dates between fits", 1, 100_000, where=where)
        check.within(self.window_dates, "dates of scores", 20, 100_000, where=where)
        check.within(self.gamma, "gamma", 0.0, 1.0, where=where)
        check.within(self.rounds, "rounds", 1, 10_000, where=where)
        check.within(self.leaves, "leaves", 2, 1_000, where=where)
        check.within(self.learning_rate, "learning rate", 1e-4, 1.0, where=where)
        check.within(self.leaf_exceptions, "exceptions in a leaf", 1.0, 1e6, where=where)

    @property
    def leaf_rows(self) -> int:
        """The least rows of a leaf."""
        return round(self.leaf_exceptions / self.rate)


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
        past = features[:, :known]
        seen = np.flatnonzero(~np.isnan(past).all(axis=(0, 1)))  # What nobody knew yet cannot be learnt from.
        rows = features[:, ahead, seen]
        with limited(threads):
            learner = _fitted(past[..., seen], ratio[:, :known], spec, regressor)
            said = learner.predict(rows.reshape(-1, len(seen))).reshape(rows.shape[:2])
        found[:, ahead] = np.clip(said, RATIO_LEAST, RATIO_MOST)
    return found


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
