"""The scenarios that a calibration means: one column a date of the past, or a draw."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.scenarios.calibration import Calibration, HorizonRule, require_factors
from crossmargin.scenarios.scenario_set import ScenarioSet, SurfaceRule

LEAST_PRICE: Final = -0.999999  # a price move below it would leave nothing to revalue


def build_calibrated(
    calibration: Calibration,
    needed: Collection[str],
    *,
    moved: Collection[str] = (),
    rules: Mapping[str, SurfaceRule] | None = None,
) -> ScenarioSet:
    """The scenario set of a calibration over the factors `needed` and those of `moved` that it has, without nodes.

    Equally likely columns of its horizon. Raises `MissingFactors` for a needed factor that it does not move: none is
    left still in silence.
    """
    parallel = [":".join(name.split(":")[:2]) for name in calibration.names]
    require_factors(parallel, needed)
    wanted = {*needed, *moved}
    kept = [i for i, name in enumerate(parallel) if name in wanted]
    moves, labels = horizon_moves(calibration)
    is_log = np.asarray([fit.is_log for fit in calibration.factors], bool)
    shock = np.where(is_log, np.maximum(np.expm1(moves), LEAST_PRICE), moves)[:, kept].T
    count = shock.shape[1]
    return ScenarioSet(
        labels=labels,
        families=(calibration.method,) * count,
        factors=tuple(calibration.names[i] for i in kept),
        shock=frozen(shock),
        weight=frozen(np.ones(count)),
        horizon_days=frozen(np.full(count, calibration.horizon_days)),
        damping=frozen(np.ones(count)),
        rules=dict(rules or {}),
    )


def horizon_moves(calibration: Calibration) -> tuple[FloatArray, tuple[str, ...]]:
    """Moves over the horizon [column, factor] and the label of each column."""
    bars, rule = calibration.horizon_bars, calibration.horizon_rule
    rows = calibration.residuals.array * calibration.scales()
    moves = horizon_sums(rows, bars=bars, rule=rule, draws=calibration.draws, seed=calibration.seed)
    if rule == "bootstrap" and bars > 1:
        return moves, tuple(f"path {i + 1}" for i in range(len(moves)))
    return moves, calibration.labels()[-len(moves) :]


def horizon_sums(rows: FloatArray, *, bars: int, rule: HorizonRule, draws: int, seed: int) -> FloatArray:
    """Moves of a bar [row, factor] to moves over `bars` [column, factor].

    overlapping: sums of consecutive rows, which keep what one bar owes to the next; bootstrap: sums of rows drawn with
    the seed, as many columns as `draws`; square_root: √bars times one row.
    """
    if bars == 1 or rule == "square_root":
        return np.asarray(rows * np.sqrt(bars))
    if rule == "bootstrap":
        drawn = np.random.default_rng(seed).integers(0, len(rows), size=(draws, bars))
        return np.asarray(rows[drawn].sum(axis=1))
    total = np.cumsum(np.vstack([np.zeros((1, rows.shape[1])), rows]), axis=0)
    return np.asarray(total[bars:] - total[:-bars])
