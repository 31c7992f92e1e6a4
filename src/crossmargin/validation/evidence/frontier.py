"""Cost against procyclicality: one recipe over a grid of its tools, each walked forward like the default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Final

import msgspec
import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.measures.reduce import Measure
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.calibrating.calibration import Scale
from crossmargin.scenarios.calibrating.walk import walk
from crossmargin.scenarios.history import FactorHistory
from crossmargin.validation.backtest import Progress, Stage, run
from crossmargin.validation.challengers.walked import Walked, silent
from crossmargin.validation.evidence.documents import FrontierLine
from crossmargin.validation.evidence.report import Scope, greatest
from crossmargin.validation.evidence.statistics import Judged

STRESSED_WEIGHTS: Final = (0.0, 0.25, 0.35, 0.5)
FLOORS: Final = (0.0, 0.75, 1.0)
DECAYS: Final = (0.97, 0.99)


def choices(spec: CalibrationSpec) -> Iterator[CalibrationSpec]:
    """The specification itself, and every other choice of weight, floor and decay in the grid."""
    yield spec
    for weight, floor, decay in product(STRESSED_WEIGHTS, FLOORS, DECAYS):
        if (weight, floor, decay) != (spec.scale.stressed_weight, spec.scale.floor, spec.decay):
            yield msgspec.structs.replace(spec, decay=decay, scale=Scale(stressed_weight=weight, floor=floor))


def frontier(
    stage: Stage,
    history: FactorHistory,
    spec: CalibrationSpec,
    measure: Measure,
    scope: Scope,
    *,
    gains: FloatArray,
    baseline: FloatArray,
    factor: float = 1.0,
    threads: int = 1,
    progress: Progress = silent,
) -> tuple[FrontierLine, ...]:
    """One line for each choice of tools, the specification's own first.

    Margins are the measure times `factor`; cost is against those of `baseline` [account, date]."""
    tried = tuple(choices(spec))
    lines = []
    for done, one in enumerate(tried):
        progress("frontier", done, len(tried))
        model = Walked(name="frontier", measure=measure, walk=walk(history, one))
        plain = run(stage, model, gains=gains, threads=threads)
        series = replace(plain, margin=factor * plain.margin)
        judged = Judged(series=series, family=scope.family, side=scope.side, baseline=baseline, rate=scope.rate)
        lines.append(_line(judged, one, scope, is_default=done == 0))
    return tuple(lines)


def _line(judged: Judged, spec: CalibrationSpec, scope: Scope, *, is_default: bool) -> FrontierLine:
    """The figures of one choice: crises by their worst window, rises and peaks by the worst of them too."""
    everyone, set_ns = np.ones(len(judged.series.accounts), bool), judged.series.set_ns
    whole = judged.group("all", everyone, np.ones(len(set_ns), bool))
    assert whole is not None, "a backtest has accounts and dates"
    found = (judged.group(w.name, everyone, w.dates(set_ns)) for w in scope.windows)
    crises = [group for group in found if group is not None]
    return FrontierLine(
        stressed_weight=spec.scale.stressed_weight,
        floor=spec.scale.floor,
        decay=spec.decay,
        is_default=is_default,
        coverage=whole.coverage,
        crisis_coverage=min((g.coverage for g in crises), default=None),
        loss_to_margin_max=max((g.loss_to_margin_max or 0.0 for g in crises), default=None),
        rise_5=greatest(g.rise_5 for g in crises),
        peak_to_trough=greatest(g.peak_to_trough for g in crises),
        cost_ratio=whole.cost_ratio,
    )
