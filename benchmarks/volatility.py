"""Conditional variances of many factors: filter and fit against `arch`, and quantiles of the past."""

import numpy as np

from benchmarks.case import Bar, Case, Contender, Limit, optional
from crossmargin.scenarios.kernels.volatility import filter_variances, running_quantiles
from crossmargin.scenarios.statistics.fitting import fit_volatility
from crossmargin.scenarios.statistics.realised import fit_har
from crossmargin.scenarios.statistics.volatility import build_model, ewma, filter_history, start, step

FACTORS = 60
SIZES = (1_000, 4_000, 16_000)


def draw(dates: int) -> np.ndarray:
    return 0.02 * np.random.default_rng(0).standard_t(4, (dates, FACTORS))


def arch_variances(returns: np.ndarray, parameters: np.ndarray, backcast: np.ndarray) -> np.ndarray:
    """GJR variances of each factor by the compiled recursion that `arch` fits with."""
    from arch.univariate import GARCH

    process, out = GARCH(p=1, o=1, q=1), np.empty(returns.shape)
    for f in range(returns.shape[1]):
        e = np.ascontiguousarray(returns[:, f])
        process.compute_variance(parameters, e, out_f := np.empty(e.size), float(backcast[f]), bounds(e.size))
        out[:, f] = out_f
    return out


def bounds(dates: int) -> np.ndarray:
    """No bounds, in the form in which `arch` wants them."""
    return np.tile([0.0, 1e300], (dates, 1))


def filters(dates: int) -> list[Contender]:
    returns, cells = draw(dates), dates * FACTORS
    omega, alpha, gamma, beta = 1e-6, 0.03, 0.08, 0.9
    model = build_model(omega=np.full(FACTORS, omega), alpha=alpha, gamma=gamma, beta=beta)
    backcast = np.mean(returns**2, axis=0)
    before = start(model, backcast)
    held, rows = np.stack([before.variance, before.seen, before.squares]), model.rows()
    absent = optional("arch")
    parameters = np.array([omega, alpha, gamma, beta])
    return [
        Contender(name="crossmargin", run=lambda: filter_variances(returns, rows, held, 1), cells=cells),
        Contender(
            name="arch, one factor after the other",
            run=None if absent else lambda: arch_variances(returns, parameters, backcast),
            cells=cells,
            absent=absent,
        ),
    ]


def filter_error() -> float:
    """Largest relative distance from `arch`."""
    if optional("arch"):
        return 0.0
    returns = draw(SIZES[0])
    model, backcast = (
        build_model(omega=np.full(FACTORS, 1e-6), alpha=0.03, gamma=0.08, beta=0.9),
        np.mean(returns**2, 0),
    )
    ours = filter_history(model, returns, start(model, backcast)).variance
    theirs = arch_variances(returns, np.array([1e-6, 0.03, 0.08, 0.9]), backcast)
    return float(np.abs(ours / theirs - 1.0).max())


def step_us() -> float:
    """Microseconds of one date's step of all factors, as a live engine takes it."""
    import time

    model, returns = ewma(0.97, FACTORS), draw(500)
    state = start(model, 4e-4)
    begin = time.perf_counter()
    for row in returns:
        state = step(model, state, row)
    return (time.perf_counter() - begin) / len(returns) * 1e6


def quantiles(dates: int) -> list[Contender]:
    values, cells, window = np.abs(draw(dates)), dates * FACTORS, 1_000
    absent = optional("pandas")

    def rolling() -> object:
        import pandas as pd  # noqa: TID251 a contender, not a dependency

        return pd.DataFrame(values).rolling(window, min_periods=60).quantile(0.9, interpolation="higher")

    return [
        Contender(name="crossmargin", run=lambda: running_quantiles(values, 0.9, window, 60), cells=cells),
        Contender(name="pandas rolling quantile", run=None if absent else rolling, cells=cells, absent=absent),
    ]


def fits(dates: int) -> list[Contender]:
    """Three kinds of standard errors and the checks included in ours; `arch` gives its robust ones."""
    from arch import arch_model

    returns = simulated(dates)

    def arch_fit() -> object:
        model = arch_model(100.0 * returns, mean="Constant", vol="GARCH", p=1, o=1, q=1, dist="t", rescale=False)
        return model.fit(disp="off", show_warning=False).std_err

    return [
        Contender(name="crossmargin", run=lambda: fit_volatility(returns, "gjr", "t"), cells=dates),
        Contender(name="arch fit", run=arch_fit, cells=dates),
    ]


def har(dates: int) -> list[Contender]:
    """Regression, robust errors and forecasts of all factors; `arch` one factor at a time."""
    from arch.univariate import HARX

    measures = np.exp(np.cumsum(0.1 * np.random.default_rng(2).normal(size=(dates, FACTORS)), axis=0) / 5.0)

    def arch_har() -> object:
        return [HARX(measures[:, f], lags=[1, 5, 22], rescale=False).fit(disp="off") for f in range(4)]

    return [
        Contender(
            name="crossmargin",
            run=lambda: fit_har(measures, scale="level").forecast(measures),
            cells=dates * FACTORS,
        ),
        Contender(name="arch HARX", run=arch_har, cells=dates * 4),
    ]


def simulated(dates: int) -> np.ndarray:
    """Returns of a GJR model, so that there is something to fit."""
    z, h, out = np.random.default_rng(1).standard_t(6, dates) * np.sqrt(4.0 / 6.0), 2e-4, np.empty(dates)
    for t in range(dates):
        out[t] = np.sqrt(h) * z[t]
        h = 6e-6 + (0.04 + (0.06 if z[t] < 0.0 else 0.0)) * out[t] ** 2 + 0.9 * h
    return out


def cases() -> list[Case]:
    fit = Case(
        name="volatility fit, GJR-t",
        unit="dates",
        sizes=(1_000, 2_000, 4_000),
        contest=fits,
        bars=(Bar(against="arch fit", ratio_min=0.3),),
    )
    regression = Case(
        name="volatility, HAR",
        unit=f"dates × {FACTORS} factors",
        sizes=(500, 1_000, 2_000),
        contest=har,
        bars=(Bar(against="arch HARX", ratio_min=1.0),),
    )
    return [
        *([] if optional("arch") else [fit, regression]),  # Ours starts from it: without it there is no contest.
        Case(
            name="volatility filter, GJR",
            unit=f"dates × {FACTORS} factors",
            sizes=SIZES,
            contest=filters,
            bars=(Bar(against="arch, one factor after the other", ratio_min=1.0),),
            limits=(Limit(name="a live step", unit="µs", at_most=200.0, measure=step_us),),
            error=filter_error,
            error_max=1e-10,
        ),
        Case(
            name="volatility, running quantiles",
            unit=f"dates × {FACTORS} factors, window 1,000",
            sizes=SIZES,
            contest=quantiles,
            bars=(Bar(against="pandas rolling quantile", ratio_min=0.6),),
        ),
    ]
