"""The scenarios that a calibration means: one column a date of the past, or a draw."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.scenarios.calibration import Calibration, require_factors
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
    """Moves over the horizon [column, factor] and the label of each column.

    overlapping: sums of consecutive rows, which keep what one bar owes to the next; bootstrap: sums of rows drawn with
    the seed, as many columns as `draws`; square_root: √h times one row.
    """
    bar = calibration.residuals.array * calibration.scales()
    bars, labels = calibration.horizon_bars, calibration.labels()
    if calibration.horizon_rule == "square_root" or bars == 1:
        return bar * np.sqrt(bars), labels
    if calibration.horizon_rule == "bootstrap":
        drawn = np.random.default_rng(calibration.seed).integers(0, len(bar), size=(calibration.draws, bars))
        return bar[drawn].sum(axis=1), tuple(f"path {i + 1}" for i in range(calibration.draws))
    total = np.cumsum(np.vstack([np.zeros((1, bar.shape[1])), bar]), axis=0)
    return total[bars:] - total[:-bars], labels[bars - 1 :]
