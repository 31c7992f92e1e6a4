"""Models that are fitted again every so many moves, on what had happened by then: GJR, tails, copulas.

Between two fits the parameters stay, while volatilities move on with every date. A fit after move t sees moves up to t.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import numpy as np

from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.core.errors import InvalidInput
from crossmargin.measures.reduce import Measure
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec, fill_gaps, fit_filters
from crossmargin.scenarios.calibrating.calibrated import LEAST_PRICE, horizon_sums
from crossmargin.scenarios.calibrating.calibration import HorizonRule
from crossmargin.scenarios.calibrating.law import MIDDLE
from crossmargin.scenarios.calibrating.walk import Walk, walk
from crossmargin.scenarios.statistics.copulas import fit_t, fit_vine, pseudo_observations
from crossmargin.scenarios.statistics.tails import SHAPE_OF_MARGINS, SplicedDistribution, splice
from crossmargin.validation.challengers.walked import Setting, blended_weights, textbook

# Moves from one fit to the next: a year of trading days for what is estimated from all of them, a month for tails.
GJR_EVERY: Final = 500
TAIL_EVERY: Final = 20
COPULA_EVERY: Final = 250
VINE_EVERY: Final = 1000  # A vine of twenty factors takes ten seconds to fit.
VINE_TREES: Final = 2
DRAWS: Final = 2048  # A power of two, as Sobol points like it; the tail of 1 % holds twenty.

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refitted:
    """A filter whose parameters are fitted again: one walk for each stretch of `every` moves from `first` on."""

    name: str
    measure: Measure
    first: int
    every: int
    walks: tuple[Walk, ...]

    def columns(self, t: int) -> FloatArray:
        """Shocks [factor, scenario] over the horizon that begins after move t."""
        return self.walks[_stretch(t, self.first, self.every, self.name)].columns(t)

    def weights(self, t: int) -> FloatArray | None:
        """What each column weighs [scenario]; None where nothing is blended."""
        return blended_weights(self.walks[_stretch(t, self.first, self.every, self.name)], t)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Redrawn:
    """Standardised moves drawn from a fit [scenario, factor], one set for each stretch, times today's volatilities."""

    name: str
    measure: Measure
    first: int
    every: int
    walk: Walk
    draws: tuple[FloatArray, ...]

    def columns(self, t: int) -> FloatArray:
        """Shocks [factor, scenario] over the horizon that begins after move t; draws have no order to overlap in."""
        spec, drawn = self.walk.spec, self.draws[_stretch(t, self.first, self.every, self.name)]
        rule: HorizonRule = "bootstrap" if spec.horizon_rule == "overlapping" else spec.horizon_rule
        rows = drawn * self.walk.scale[t]
        moves = horizon_sums(rows, bars=spec.horizon_bars, rule=rule, draws=len(drawn), seed=spec.seed)
        shocks, is_log = self.walk.history.as_shocks(moves), self.walk.history.is_log
        return frozen(np.where(is_log, np.maximum(shocks, LEAST_PRICE), shocks).T)


def regularly(
    setting: Setting, name: str, spec: CalibrationSpec, measure: Measure, *, every: int = GJR_EVERY
) -> Refitted:
    """A specification whose filter is fitted by likelihood, again after every so many moves; needs `calibrate`."""

    def at(t: int) -> Walk:
        known = setting.history.until(int(setting.base.close_ns[t]))
        return walk(setting.history, spec, fits=fit_filters(known, spec), refit=refit_of(spec))

    walks = tuple(_fits(setting, name, every, at))
    return Refitted(name=name, measure=measure, first=setting.first, every=every, walks=walks)


def refit_of(spec: CalibrationSpec) -> int:
    """Moves from one fit of tails and copula to the next; 1 where a specification has neither."""
    return 1 if spec.tail_rule is None and spec.copula_rule is None else COPULA_EVERY


def gjr(setting: Setting, name: str) -> Refitted:
    """Filtered history under GJR-GARCH with t innovations for each factor, EWMA where it is too short or will not fit.

    Needs the extra `calibrate`."""
    spec = msgspec.structs.replace(textbook(setting.spec, setting.history), filter="gjr", law="t")
    return regularly(setting, name, spec, setting.measure, every=GJR_EVERY)


def pareto_tails(setting: Setting, name: str) -> Redrawn:
    """Filtered history with a generalised Pareto tail on either side of each factor; every date keeps its ranks."""

    def at(t: int) -> FloatArray:
        rows = _residuals(setting.base, t)
        return frozen(_margins(rows).quantile(pseudo_observations(rows).T).T)

    return _redrawn(setting, name, TAIL_EVERY, at)


def t_copula(setting: Setting, name: str) -> Redrawn:
    """Monte Carlo from a t copula with empirical bodies and generalised Pareto tails."""

    def at(t: int) -> FloatArray:
        rows = _residuals(setting.base, t)
        uniforms = fit_t(rows).copula.simulate(DRAWS, seed=setting.seed)
        return _through(rows, uniforms)

    return _redrawn(setting, name, COPULA_EVERY, at)


def vine(setting: Setting, name: str) -> Redrawn:
    """Monte Carlo from a regular vine cut after two trees, with margins as `t_copula`; needs the extra `calibrate`."""

    def at(t: int) -> FloatArray:
        rows = _residuals(setting.base, t)
        uniforms = fit_vine(rows, truncation=VINE_TREES, threads=2).simulate(DRAWS, seed=setting.seed, threads=2)
        return _through(rows, uniforms)

    return _redrawn(setting, name, VINE_EVERY, at)


def _stretch(t: int, first: int, every: int, name: str) -> int:
    if t < first:
        raise InvalidInput(
            "move", where=name, value=t, limit=f"at least {first}, its first fit", remedy="Fit it from earlier on."
        )
    return (t - first) // every


def _fits(setting: Setting, name: str, every: int, at: Callable[[int], T]) -> Iterator[T]:
    """What `at` makes of the moves up to each fit."""
    fits = range(setting.first, setting.last + 1, every)
    for done, t in enumerate(fits):
        setting.progress(f"fitting {name}", done, len(fits))
        yield at(t)


def _redrawn(setting: Setting, name: str, every: int, at: Callable[[int], FloatArray]) -> Redrawn:
    draws = tuple(_fits(setting, name, every, at))
    return Redrawn(name=name, measure=setting.measure, first=setting.first, every=every, walk=setting.base, draws=draws)


def _margins(rows: FloatArray) -> SplicedDistribution:
    """Empirical bodies between Pareto tails that have a variance, of residuals [row, factor]."""
    return splice(rows, shape_max=SHAPE_OF_MARGINS)


def _through(rows: FloatArray, uniforms: FloatArray) -> FloatArray:
    """Draws [draw, factor] of uniforms [factor, draw], which end where the outermost row stands, as a recipe's do."""
    end = MIDDLE / len(rows)
    return frozen(_margins(rows).quantile(np.clip(uniforms, end, 1.0 - end)).T)


def _residuals(base: Walk, t: int) -> FloatArray:
    """The look-back of residuals up to move t without gaps [row, factor]."""
    rows = base.residual[max(t + 1 - base.spec.lookback, 0) : t + 1]
    return fill_gaps(rows, base.history.factors, base.spec)[0]
