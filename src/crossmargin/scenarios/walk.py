"""Calibrations walked forward: what `calibrate` would have said after every bar of a history, in one pass.

Row t holds what was known after bar t. Each figure is a recursion or a running sum of the bars up to t, so it equals a
calibration of the history cut there, and nothing later can enter it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.scenarios.calibrate import (
    CalibrationSpec,
    common_bars,
    fill_gaps,
    filter_fits,
    standardised,
    variance_model,
)
from crossmargin.scenarios.calibrated import horizon_sums
from crossmargin.scenarios.calibration import FilterFit
from crossmargin.scenarios.history import FactorHistory
from crossmargin.scenarios.volatility import RegimeFloor, filter_history, regime_floor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walk:
    """Moves [move, factor] of a history, and after each of them the volatilities of the next bar [move, factor].

    `residual` [move, factor] is the move over its forecast; move t ends at `close_ns[t]`.
    """

    history: FactorHistory
    spec: CalibrationSpec
    close_ns: IntArray
    move: FloatArray
    residual: FloatArray
    scale: FloatArray

    def columns(self, t: int) -> FloatArray:
        """The shocks [factor, scenario] that the calibration after move t means, over its horizon."""
        spec = self.spec
        rows = self.residual[max(t + 1 - spec.lookback, 0) : t + 1]
        if np.isnan(rows).any():
            rows = fill_gaps(rows, self.history.factors, spec)[0]
        moves = horizon_sums(
            rows * self.scale[t], bars=spec.horizon_bars, rule=spec.horizon_rule, draws=spec.draws, seed=spec.seed
        )
        return frozen(self.history.as_shocks(moves).T)

    def ready(self) -> BoolArray:
        """After which moves [move] a look-back is there, and every factor has enough moves of its own in it."""
        seen = np.cumsum(np.vstack([np.zeros((1, self.residual.shape[1])), ~np.isnan(self.residual)]), axis=0)
        first = np.maximum(np.arange(1, len(self.residual) + 1) - self.spec.lookback, 0)
        enough = (seen[1:] - seen[first]).min(axis=1, initial=np.inf) >= self.spec.least_bars
        return np.asarray(enough & (np.arange(len(enough)) + 1 >= self.spec.lookback))

    def realised(self) -> FloatArray:
        """The shocks [factor, move] over the horizon that began after move t; NaN where it has not ended."""
        bars, moves = self.spec.horizon_bars, self.move
        ahead = np.full_like(moves, np.nan)
        total = np.cumsum(np.vstack([np.zeros((1, moves.shape[1])), np.nan_to_num(moves)]), axis=0)
        gap = np.cumsum(np.vstack([np.zeros((1, moves.shape[1])), np.isnan(moves)]), axis=0)
        sums, gaps = total[bars:] - total[:-bars], gap[bars:] - gap[:-bars]
        ahead[: len(moves) - bars] = np.where(gaps == 0.0, sums, np.nan)[1:]
        return frozen(self.history.as_shocks(ahead).T)


def walk(history: FactorHistory, spec: CalibrationSpec, *, fits: dict[str, FilterFit] | None = None) -> Walk:
    """Walk a history forward under one specification; GARCH parameters, if any, are given and stay.

    Raises what `common_bars` raises, and `UnknownName` for GARCH without fits.
    """
    whole = common_bars(history)
    moves = whole.moves()
    count = np.cumsum(~np.isnan(moves), axis=0)
    squares = np.cumsum(np.nan_to_num(moves) ** 2, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        long_run = np.sqrt(squares / count)
    path, now, regime = _forecasts(moves, whole.factors, spec, fits or {})
    stressed = np.maximum(_worst_so_far(moves, spec.stress_bars), np.nan_to_num(long_run))
    return Walk(
        history=whole,
        spec=spec,
        close_ns=whole.close_ns[1:],
        move=frozen(moves),
        residual=frozen(standardised(moves, path)),
        scale=frozen(spec.scale.of(now, stressed, long_run, regime) / (now if spec.filter == "none" else 1.0)),
    )


def _forecasts(
    moves: FloatArray, factors: tuple[str, ...], spec: CalibrationSpec, fits: dict[str, FilterFit]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The volatility known before each move, after it, and the regime floor after it [move, factor]."""
    zero = np.zeros_like(moves)
    if spec.filter == "none":
        recent = _recent(moves, spec.lookback)
        return np.ones_like(moves), recent, zero
    found = filter_history(variance_model(filter_fits(factors, spec, fits)), moves)
    after = np.sqrt(np.vstack([found.variance[1:], found.state.variance[None, :]]))
    regime = np.nan_to_num(np.sqrt(regime_floor(found.variance, RegimeFloor()))) if spec.regime else zero
    return np.sqrt(found.variance), after, regime


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
