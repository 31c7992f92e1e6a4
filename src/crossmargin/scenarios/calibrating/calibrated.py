"""The scenarios that a calibration means: one column a date of the past or a draw, and columns of stress beside them.

Families are weighed: that of the method keeps what stretch and correlation stress leave of the whole, at a weight of 1
a column. A set of one family so has equally likely columns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.core.instant import format_instant
from crossmargin.scenarios.calibrating.calibration import (
    Calibration,
    CorrelationStress,
    HorizonRule,
    Method,
    Stretch,
    base_share,
    require_factors,
)
from crossmargin.scenarios.calibrating.law import JointLaw, drawn_rows, spliced_rows
from crossmargin.scenarios.calibrating.stressed import correlation_families
from crossmargin.scenarios.scenario_set import ScenarioSet, SurfaceRule

LEAST_PRICE: Final = -0.999999  # a price move below it would leave nothing to revalue
STRESSED: Final = "stressed"


class Settings(Protocol):
    """What a specification and a calibration both say of columns."""

    @property
    def method(self) -> Method:
        """Dates of the past, or draws."""
        ...

    @property
    def horizon_bars(self) -> int:
        """Bars over which a column moves."""
        ...

    @property
    def horizon_rule(self) -> HorizonRule:
        """How moves of a bar become moves of the horizon."""
        ...

    @property
    def draws(self) -> int:
        """How many columns are drawn."""
        ...

    @property
    def seed(self) -> int:
        """The seed of all draws."""
        ...

    @property
    def correlation_stress(self) -> CorrelationStress | None:
        """Families of stressed correlations, or none."""
        ...


class Columns(NamedTuple):
    """Columns of one family: `moves` over the horizon [column, factor], and what each of them weighs."""

    family: str
    moves: FloatArray
    weight: float


def build_calibrated(
    calibration: Calibration,
    needed: Collection[str],
    *,
    moved: Collection[str] = (),
    rules: Mapping[str, SurfaceRule] | None = None,
) -> ScenarioSet:
    """The scenario set of a calibration over the factors `needed` and those of `moved` that it has, without nodes.

    Columns of its horizon, family by family. Draws are made here, from the stored parameters and the seed. Raises
    `MissingFactors` for a needed factor that it does not move: none is left still in silence.
    """
    parallel = [":".join(name.split(":")[:2]) for name in calibration.names]
    require_factors(parallel, needed)
    wanted = {*needed, *moved}
    kept = [i for i, name in enumerate(parallel) if name in wanted]
    families = calibrated_columns(calibration)
    moves = np.concatenate([f.moves[:, kept] for f in families]).T
    is_log = np.asarray([calibration.factors[i].is_log for i in kept], bool)
    moves[is_log] = np.maximum(np.expm1(moves[is_log]), LEAST_PRICE)
    count = moves.shape[1]
    return ScenarioSet(
        labels=tuple(label for f in families for label in _labels(f, calibration)),
        families=tuple(f.family for f in families for _ in range(len(f.moves))),
        factors=tuple(calibration.names[i] for i in kept),
        shock=frozen(moves),
        weight=frozen(np.concatenate([np.full(len(f.moves), f.weight) for f in families])),
        horizon_days=frozen(np.full(count, calibration.horizon_days)),
        damping=frozen(np.ones(count)),
        rules=dict(rules or {}),
    )


def calibrated_columns(calibration: Calibration) -> tuple[Columns, ...]:
    """The families of a calibration."""
    law = JointLaw(
        lower=tuple(fit.lower for fit in calibration.factors),
        upper=tuple(fit.upper for fit in calibration.factors),
        dependence=calibration.dependence,
    )
    return columns_of(
        calibration.residuals.array, calibration.scales(), calibration.names, law, calibration.stretch, calibration
    )


def columns_of(
    residuals: FloatArray,
    scale: FloatArray,
    factors: Sequence[str],
    law: JointLaw,
    stretch: Stretch | None,
    settings: Settings,
) -> tuple[Columns, ...]:
    """The families that residuals [row, factor] mean under a law, at `scale` [factor]: the method's own comes first."""
    own = base_share(stretch.weight if stretch else 0.0, settings.correlation_stress)
    bars = _bars(residuals, factors, law, settings)
    base = _over_horizon(bars, settings) * scale
    found = [Columns(settings.method, base, 1.0)]
    if stretch is not None:
        rule: HorizonRule = "square_root" if settings.horizon_rule == "square_root" else "overlapping"
        worst = horizon_sums(stretch.moves.array, bars=settings.horizon_bars, rule=rule, draws=0, seed=0)
        found.append(Columns(STRESSED, worst, stretch.weight / own * len(base) / len(worst)))
    if (stress := settings.correlation_stress) is not None:
        each = 0.5 * stress.weight / own
        for name, turned in correlation_families(bars, factors, stress):
            moves = _over_horizon(turned, settings) * scale
            found.append(Columns(name, moves, each * len(base) / len(moves)))
    return tuple(found)


def _bars(residuals: FloatArray, factors: Sequence[str], law: JointLaw, settings: Settings) -> FloatArray:
    """Residuals of single bars [row, factor]: those of the past with their tails, or draws; a path's one by one."""
    if settings.method != "monte_carlo":
        return spliced_rows(residuals, law)
    draws, seed = settings.draws, settings.seed
    first = drawn_rows(residuals, factors, law, draws=draws, seed=seed)
    if settings.horizon_bars == 1 or settings.horizon_rule == "square_root":
        return first
    order = np.random.default_rng(seed)
    later = [
        # Shuffled, because two scrambles of one sequence share their digits.
        drawn_rows(residuals, factors, law, draws=draws, seed=seed + bar)[order.permutation(draws)]
        for bar in range(1, settings.horizon_bars)
    ]
    return np.concatenate([first, *later])


def _over_horizon(bars: FloatArray, settings: Settings) -> FloatArray:
    """Residuals of bars [row, factor] summed over the horizon [column, factor]."""
    count, rule = settings.horizon_bars, settings.horizon_rule
    if settings.method == "monte_carlo" and count > 1 and rule == "bootstrap":
        return np.asarray(bars.reshape(count, -1, bars.shape[1]).sum(axis=0))
    return horizon_sums(bars, bars=count, rule=rule, draws=settings.draws, seed=settings.seed)


def horizon_moves(calibration: Calibration) -> tuple[FloatArray, tuple[str, ...]]:
    """Moves over the horizon [column, factor] of the method's own family, and the label of each column."""
    own = calibrated_columns(calibration)[0]
    return own.moves, _labels(own, calibration)


def _labels(columns: Columns, calibration: Calibration) -> tuple[str, ...]:
    """The close of the last bar of each column, or its number among the draws; of a stressed one with its family."""
    count, family = len(columns.moves), columns.family
    if family == STRESSED and calibration.stretch is not None:
        return tuple(f"{family} {format_instant(ms * 1_000_000)}" for ms in calibration.stretch.close_ms[-count:])
    named = "" if family == calibration.method else f"{family} "
    if calibration.method == "monte_carlo":
        return tuple(f"{named}draw {i + 1}" for i in range(count))
    if calibration.horizon_rule == "bootstrap" and calibration.horizon_bars > 1:
        return tuple(f"{named}path {i + 1}" for i in range(count))
    return tuple(f"{named}{label}" for label in calibration.labels()[-count:])


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
