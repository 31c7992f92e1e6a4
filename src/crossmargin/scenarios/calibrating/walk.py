"""Calibrations walked forward: what `calibrate` would have said after every bar of a history, in one pass.

Row t holds what was known after bar t. Each figure is a recursion or a running sum of the bars up to t, so it equals a
calibration of the history cut there, and nothing later can enter it. Tails and copulas are fitted to the residuals up
to t, or with `refit` > 1 up to the last of every `refit` moves: older, never newer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.instant import to_milliseconds
from crossmargin.scenarios.calibrating.calibrate import (
    CalibrationSpec,
    common_bars,
    fill_gaps,
    filter_fits,
    standardised,
    stressed_stretch,
    unfiltered,
    variance_model,
)
from crossmargin.scenarios.calibrating.calibrated import LEAST_PRICE, Columns, columns_of
from crossmargin.scenarios.calibrating.calibration import FilterFit, held_volatilities
from crossmargin.scenarios.calibrating.law import JointLaw, fit_law
from crossmargin.scenarios.history import FactorHistory
from crossmargin.scenarios.statistics.volatility import WARM_UP, RegimeFloor, filter_history, regime_floor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walk:
    """Moves [move, factor] of a history, and after each of them the volatilities of the next bar [move, factor].

    `residual` [move, factor] is the move over its forecast; move t ends at `close_ns[t]`. `long_run` [move, factor] is
    the root mean square of all moves up to each one.
    """

    history: FactorHistory
    spec: CalibrationSpec
    close_ns: IntArray
    move: FloatArray
    residual: FloatArray
    scale: FloatArray
    long_run: FloatArray
    refit: int = 1

    def columns(self, t: int) -> FloatArray:
        """The shocks [factor, scenario] that the calibration after move t means, over its horizon."""
        moves = np.concatenate([family.moves for family in self._families(t)])
        shocks = self.history.as_shocks(moves)
        return frozen(np.where(self.history.is_log, np.maximum(shocks, LEAST_PRICE), shocks).T)

    def weights(self, t: int) -> FloatArray:
        """What each of these columns weighs [scenario]; ones unless a specification blends families."""
        return frozen(np.concatenate([np.full(len(f.moves), f.weight) for f in self._families(t)]))

    def _families(self, t: int) -> tuple[Columns, ...]:
        spec, factors = self.spec, self.history.factors
        stretch = None
        if spec.stressed_share > 0.0:
            close_ms = tuple(to_milliseconds(int(x)) for x in self.close_ns[: t + 1])
            stretch = stressed_stretch(self.move[: t + 1], close_ms, self.long_run[t], factors, spec)
        return columns_of(self._rows(t), self.scale[t], factors, self._law(t), stretch, spec)

    def _rows(self, t: int) -> FloatArray:
        """Residuals of the look-back up to move t [row, factor], without gaps."""
        rows = self.residual[max(t + 1 - self.spec.lookback, 0) : t + 1]
        return fill_gaps(rows, self.history.factors, self.spec)[0] if np.isnan(rows).any() else rows

    def _law(self, t: int) -> JointLaw:
        """The law that is known after move t, fitted at the last of every `refit` moves."""
        at = t - t % self.refit
        return _fitted(self, at if at + 1 >= self.spec.lookback else t)

    def ready(self) -> BoolArray:
        """After which moves [move] a calibration of the history cut there is made.

        A look-back is there, before it the moves that warm the filter up, and in it enough moves of every factor.
        """
        seen = np.cumsum(np.vstack([np.zeros((1, self.residual.shape[1])), ~np.isnan(self.residual)]), axis=0)
        first = np.maximum(np.arange(1, len(self.residual) + 1) - self.spec.lookback, 0)
        enough = (seen[1:] - seen[first]).min(axis=1, initial=np.inf) >= self.spec.least_bars
        return np.asarray(enough & (np.arange(len(enough)) + 1 >= self.spec.lookback + WARM_UP))

    def realised(self) -> FloatArray:
        """The shocks [factor, move] over the horizon that began after move t; NaN where it has not ended."""
        bars, moves = self.spec.horizon_bars, self.move
        ahead = np.full_like(moves, np.nan)
        total = np.cumsum(np.vstack([np.zeros((1, moves.shape[1])), np.nan_to_num(moves)]), axis=0)
        gap = np.cumsum(np.vstack([np.zeros((1, moves.shape[1])), np.isnan(moves)]), axis=0)
        sums, gaps = total[bars:] - total[:-bars], gap[bars:] - gap[:-bars]
        ahead[: len(moves) - bars] = np.where(gaps == 0.0, sums, np.nan)[1:]
        return frozen(self.history.as_shocks(ahead).T)


@lru_cache(maxsize=8)
def _fitted(walked: Walk, t: int) -> JointLaw:
    """The law after move t; dates that share it fit it once."""
    spec = walked.spec
    return fit_law(walked._rows(t), walked.history.factors, spec.tail_rule, spec.copula_rule)


def walk(
    history: FactorHistory, spec: CalibrationSpec, *, fits: dict[str, FilterFit] | None = None, refit: int = 1
) -> Walk:
    """Walk a history forward under one specification; GARCH parameters, if any, are given and stay.

    Tails and copula are fitted after every move, or after every `refit` of them. Raises what `common_bars` raises, and
    `UnknownName` for GARCH without fits.
    """
    whole = common_bars(history)
    moves = whole.moves()
    count = np.cumsum(~np.isnan(moves), axis=0)
    squares = np.cumsum(np.nan_to_num(moves) ** 2, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        long_run = np.sqrt(squares / count)
    filters = filter_fits(whole.factors, spec, fits or {})
    path, now, regime = _forecasts(moves, filters, spec)
    stressed = np.maximum(_worst_so_far(moves, spec.stress_bars), np.nan_to_num(long_run))
    scales = [spec.own_scale(name) or spec.scale for name in whole.factors]
    used = held_volatilities(scales, now, stressed, long_run, regime)
    # Residuals of what is not filtered are moves: their scale is relative to the volatility that they have.
    unit = np.where(unfiltered(filters) & (now != 0.0), now, 1.0)
    return Walk(
        history=whole,
        spec=spec,
        close_ns=whole.close_ns[1:],
        move=frozen(moves),
        residual=frozen(standardised(moves, path)),
        scale=frozen(used / unit),
        long_run=frozen(long_run),
        refit=refit,
    )


def _forecasts(
    moves: FloatArray, filters: tuple[FilterFit, ...], spec: CalibrationSpec
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The volatility known before each move, after it, and the regime floor after it [move, factor]."""
    plain = unfiltered(filters)
    found = filter_history(variance_model(filters), moves)
    after = np.sqrt(np.vstack([found.variance[1:], found.state.variance[None, :]]))
    regime = np.sqrt(regime_floor(found.variance, RegimeFloor())) if spec.regime else np.zeros_like(moves)
    now = np.where(plain, _recent(moves, spec.lookback), after) if plain.any() else after
    return np.where(plain, 1.0, np.sqrt(found.variance)), now, np.nan_to_num(regime)


def _recent(moves: FloatArray, bars: int) -> FloatArray:
    """The root mean square of the last `bars` moves up to each one [move, factor]."""
    zero = np.zeros((1, moves.shape[1]))
    squares = np.cumsum(np.vstack([zero, np.nan_to_num(moves) ** 2]), axis=0)
    counts = np.cumsum(np.vstack([zero, ~np.isnan(moves)]), axis=0)
    first = np.maximum(np.arange(1, len(moves) + 1) - bars, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt((squares[1:] - squares[first]) / (counts[1:] - counts[first])))


def _worst_so_far(moves: FloatArray, bars: int) -> FloatArray:
    """The largest root mean square of `bars` consecutive moves up to each one [move, factor]; 0 before the first."""
    known = ~np.isnan(moves)
    zero = np.zeros((1, moves.shape[1]))
    squares = np.cumsum(np.vstack([zero, np.where(known, moves, 0.0) ** 2]), axis=0)
    counts = np.cumsum(np.vstack([zero, known]), axis=0)
    worst = np.zeros_like(moves)
    if len(moves) >= bars:
        found, total = squares[bars:] - squares[:-bars], counts[bars:] - counts[:-bars]
        worst[bars - 1 :] = np.sqrt(np.where(total == bars, np.maximum(found, 0.0) / bars, 0.0))
    return np.asarray(np.maximum.accumulate(worst, axis=0))
