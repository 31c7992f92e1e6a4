"""Monte Carlo models: scenario sets of a t copula with Pareto tails against SciPy, and margin over 100,000 draws."""

import time
from functools import cache

import numpy as np
from msgspec.structs import replace
from scipy import special, stats

import crossmargin as xm
from benchmarks.case import Bar, Case, Contender, Limit
from benchmarks.engine import account, market
from crossmargin.core.instant import DAY_NS
from crossmargin.margin.document import MeasureChoice
from crossmargin.market.snapshot import factors_of
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec, calibrate
from crossmargin.scenarios.calibrating.calibrated import build_calibrated
from crossmargin.scenarios.calibrating.calibration import Calibration
from crossmargin.scenarios.history import FactorHistory, build_history

FACTORS, DATES = 20, 1_000
SIZES = (10_000, 30_000, 100_000)
POSITIONS = 40


def history(names: tuple[str, ...]) -> FactorHistory:
    """Moves with a common part and fat tails."""
    draw = np.random.default_rng(0)
    common, own = draw.standard_t(4, (DATES + 50, 1)), draw.standard_t(4, (DATES + 50, len(names)))
    level = 100.0 * np.exp(np.cumsum(0.01 * common + 0.01 * own, axis=0))
    return build_history(np.arange(1, len(level) + 1) * DAY_NS, names, level)


@cache
def fitted(draws: int, names: tuple[str, ...] = tuple(f"spot:C{i}" for i in range(FACTORS))) -> Calibration:
    spec = CalibrationSpec(method="monte_carlo", marginals="spliced", lookback=DATES, draws=draws, seed=1)
    return calibrate(history(names), spec)


def scipy_set(calibration: Calibration) -> np.ndarray:
    """Shocks [factor, scenario] of the same law: multivariate t, then quantiles of body and tails."""
    fit, residuals, scale = calibration.dependence, calibration.residuals.array, calibration.scales()
    assert fit is not None
    nu = fit.degrees[0]
    law = stats.multivariate_t(shape=fit.correlation.array, df=nu, seed=1)
    uniforms = special.stdtr(nu, law.rvs(calibration.draws)).T
    out = np.empty_like(uniforms)
    for i, (u, factor) in enumerate(zip(uniforms, calibration.factors, strict=True)):
        moves = np.quantile(residuals[:, i], u)
        for sign, tail, beyond in ((-1.0, factor.lower, u), (1.0, factor.upper, 1.0 - u)):
            assert tail is not None
            far = beyond < tail.share
            excess = stats.genpareto.isf(beyond[far] / tail.share, tail.shape, scale=tail.scale)
            moves[far] = sign * (tail.threshold + excess)
        out[i] = np.expm1(moves * scale[i])
    return out


def sets(draws: int) -> list[Contender]:
    made = fitted(draws)
    return [
        Contender(name="crossmargin", run=lambda: build_calibrated(made, made.names), cells=FACTORS * draws),
        Contender(name="scipy, multivariate_t and genpareto", run=lambda: scipy_set(made), cells=FACTORS * draws),
    ]


def shortfall_gap() -> float:
    """The largest relative distance of a factor's expected shortfall at 97.5 % from SciPy's, draws being random."""
    made = fitted(SIZES[-1])
    tails = (np.sort(shock, axis=1)[:, : SIZES[-1] // 40].mean(axis=1) for shock in (_ours(made), scipy_set(made)))
    one, other = tails
    return float(np.abs(one / other - 1.0).max())


def _ours(made: Calibration) -> np.ndarray:
    return build_calibrated(made, made.names).shock


@cache
def model(draws: int) -> xm.ModelDocument:
    """The grid's add-ons around draws of every price and volatility of the demo market."""
    names = tuple(name for name in factors_of(market()) if name.split(":")[0] in ("spot", "index", "fx", "vol", "peg"))
    _, base = account(POSITIONS)
    measure = MeasureChoice(kind="expected_shortfall", level=0.975)
    return replace(base, measure=measure, calibration=fitted(draws, names))


def margins(draws: int) -> list[Contender]:
    book, made = account(POSITIONS)[0], model(draws)
    return [
        Contender(
            name="margin from the model file's parameters", run=lambda: xm.margin(book, market(), made), cells=draws
        )
    ]


def best_seconds(run: object) -> float:
    assert callable(run)
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)


def margin_seconds() -> float:
    return best_seconds(margins(SIZES[-1])[0].run)


def set_seconds() -> float:
    return best_seconds(sets(SIZES[-1])[0].run)


def cases() -> list[Case]:
    return [
        Case(
            name="drawn scenarios, t copula with Pareto tails",
            unit=f"draws × {FACTORS} factors",
            sizes=SIZES,
            contest=sets,
            bars=(Bar(against="scipy, multivariate_t and genpareto", ratio_min=1.5),),
            limits=(Limit(name="100,000 × 20 with labels", unit="s", at_most=0.8, measure=set_seconds),),
            error=shortfall_gap,
            error_max=0.05,
            notes="the error is of two samples; ours are Sobol points",
        ),
        Case(
            name="drawn scenarios, margin of options",
            unit=f"draws, {POSITIONS} positions",
            sizes=SIZES,
            contest=margins,
            limits=(Limit(name="100,000 draws", unit="s", at_most=3.0, measure=margin_seconds),),
        ),
    ]
