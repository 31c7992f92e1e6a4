"""Scenario sets from series of levels: filtered history of many factors, against what a notebook does with pandas."""

import time

import numpy as np

from benchmarks.case import Bar, Case, Contender, Limit, optional
from crossmargin.core.instant import DAY_NS
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec, calibrate
from crossmargin.scenarios.calibrating.calibrated import build_calibrated
from crossmargin.scenarios.calibrating.calibration import Scale
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.scenarios.scenario_set import ScenarioSet
from crossmargin.scenarios.statistics.volatility import WARM_UP

FACTORS = 60
SIZES = (1_000, 4_000, 16_000)
DECAY, STRESS_BARS, STRESSED_WEIGHT = 0.97, 250, 0.35


def history(dates: int) -> FactorHistory:
    """As many common moves as scenarios, and those that warm the filter up."""
    moves = 0.02 * np.random.default_rng(0).standard_t(4, (dates + WARM_UP + 1, FACTORS))
    level = 100.0 * np.exp(np.cumsum(moves, axis=0) * 0.1)
    names = [f"spot:C{i}" for i in range(FACTORS)]
    return build_history(np.arange(1, len(level) + 1) * DAY_NS, names, level)


def scenarios(told: FactorHistory, dates: int) -> ScenarioSet:
    """What `calibrate` and `margin` do between the series and the shocks, with the default's floor and stress."""
    spec = CalibrationSpec(
        lookback=dates,
        decay=DECAY,
        stress_bars=STRESS_BARS,
        scale=Scale(stressed_weight=STRESSED_WEIGHT, floor=1.0),
    )
    return build_calibrated(calibrate(told, spec), told.factors)


def notebook(level: np.ndarray, dates: int) -> np.ndarray:
    """The same shocks [factor, scenario] with pandas: no checks, no hash, no gaps, nothing remembered."""
    import pandas as pd  # noqa: TID251 a contender, not a dependency

    returns = pd.DataFrame(np.diff(np.log(level), axis=0))
    squares = returns**2
    start = squares.iloc[:WARM_UP].mean()
    seeded = pd.concat([start.to_frame().T, squares.iloc[WARM_UP:]], ignore_index=True)
    variance = seeded.ewm(alpha=1.0 - DECAY, adjust=False).mean()
    vol = np.sqrt(variance)
    residual = returns.iloc[WARM_UP:].reset_index(drop=True) / vol.iloc[:-1]
    stressed = np.sqrt(np.maximum(squares.rolling(STRESS_BARS).mean().max(), squares.mean()))
    used = np.maximum(np.sqrt(squares.mean()), (1.0 - STRESSED_WEIGHT) * vol.iloc[-1] + STRESSED_WEIGHT * stressed)
    return np.expm1(residual.iloc[-dates:] * used).to_numpy().T


def sets(dates: int) -> list[Contender]:
    told, absent = history(dates), optional("pandas")
    return [
        Contender(name="crossmargin", run=lambda: scenarios(told, dates), cells=dates * FACTORS),
        Contender(
            name="pandas, ewm and rolling",
            run=None if absent else lambda: notebook(told.level, dates),
            cells=dates * FACTORS,
            absent=absent,
        ),
    ]


def error() -> float:
    """Largest distance of a shock from the notebook's."""
    if optional("pandas"):
        return 0.0
    told = history(SIZES[0])
    return float(np.abs(scenarios(told, SIZES[0]).shock - notebook(told.level, SIZES[0])).max())


def set_ms() -> float:
    """Milliseconds of a scenario set of 60 factors and 1,000 dates from their series, the best of five."""
    told, best = history(SIZES[0]), float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        scenarios(told, SIZES[0])
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def cases() -> list[Case]:
    return [
        Case(
            name="scenario set, filtered history",
            unit=f"dates × {FACTORS} factors, from series",
            sizes=SIZES,
            contest=sets,
            bars=(Bar(against="pandas, ewm and rolling", ratio_min=0.3),),
            limits=(Limit(name="60 factors × 1,000 dates", unit="ms", at_most=50.0, measure=set_ms),),
            error=error,
            error_max=1e-9,
            notes="Ours checks every level, hashes the history and keeps the residuals for the model file.",
        )
    ]
