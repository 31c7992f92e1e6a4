"""Size and power of every test by simulation: 2,000 models that are true, and as many that understate risk.

A true model is rejected at nominal 5 % in 3.5 % to 6.5 % of the cases, where the number of exceptions lets the limit
law hold. Against twice the exceptions power is printed, and must not fall under a floor far below what is measured.
"""

import sys
from functools import partial

import numpy as np
import pytest
from scipy import special

from crossmargin.validation.statistics import comparison, coverage, distribution, independence, scoring, shortfall
from crossmargin.validation.statistics.simulation import simulated

MODELS, LOW, HIGH = 2_000, 0.035, 0.065
SIMULATIONS = 9_999


def pdf(x):
    return np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi)


def marks(seed, *, rate, dates):
    """Independent exceptions, and a forecast that moves by itself [model, date]."""
    rng = np.random.default_rng(seed)
    exceptional = rng.random((MODELS, dates)) < rate
    return exceptional, np.exp(0.02 * np.cumsum(rng.normal(size=(MODELS, dates)), axis=-1))


def runs(seed, *, rate, dates, after):
    """Exceptions of the same rate in the long run, and of rate `after` on the date after one."""
    rng = np.random.default_rng(seed)
    u, state = rng.random((dates, MODELS)), np.zeros(MODELS, bool)
    calm, series = rate * (1.0 - after) / (1.0 - rate), []
    for row in u:
        state = row < np.where(state, after, calm)
        series.append(state)
    return np.stack(series, axis=-1)


def losses(seed, *, tail, dates, times):
    """P&L of a normal law whose exceptions are `times` as many as those of a standard one [model, date]."""
    spread = special.ndtri(tail) / special.ndtri(times * tail)
    return spread * np.random.default_rng(seed).normal(size=(MODELS, dates))


def z_tests(pnl, *, tail):
    """Acerbi and Székely's tests of a standard normal forecast."""
    quantile = -special.ndtri(tail)
    normal = shortfall.scaled_predictive(special.ndtri, np.ones(pnl.shape[-1]))
    level, beyond = np.full_like(pnl, quantile), np.full_like(pnl, pdf(quantile) / tail)
    return shortfall.acerbi_szekely(pnl, level, beyond, rate=tail, predictive=normal, seed=11, simulations=2_999)


def residual_test(pnl, *, tail):
    quantile = -special.ndtri(tail)
    level, beyond = np.full_like(pnl, quantile), np.full_like(pnl, pdf(quantile) / tail)
    return shortfall.exceedance_residuals(pnl, level, beyond, seed=5, simulations=499)


def simulate(test, series, rate):
    return simulated(partial(test, rate=rate), series, rate=rate, seed=17, simulations=SIMULATIONS)


def conditional(series, rate):
    return independence.conditional_coverage(series, rate=rate)


def alone(series):
    return independence.independence(independence.transitions(series))


def pof(series, rate):
    return coverage.pof(series.sum(axis=-1), series.shape[-1], rate=rate)


def counted(series, rate):
    return coverage.binomial(series.sum(axis=-1), series.shape[-1], rate=rate)


# Name: rate, dates, least power, the test of marks and forecast at the nominal rate.
OF_MARKS = {
    "pof, 1 %, 1,000 dates": (0.01, 1000, 0.7, lambda m, v: pof(m, 0.01)),
    "pof, 5 %, 1,000 dates": (0.05, 1000, 0.99, lambda m, v: pof(m, 0.05)),
    "conditional coverage, 10 %, 1,000 dates": (0.1, 1000, 0.99, lambda m, v: conditional(m, 0.1)),
    "conditional coverage, 1 %, 2,000 dates, simulated": (
        0.01, 2000, 0.9, lambda m, v: simulate(independence.conditional_coverage, m, 0.01),
    ),
    "time until first failure, 1 %, 1,000 dates, simulated": (
        0.01, 1000, 0.07, lambda m, v: simulate(coverage.tuff, m, 0.01),
    ),
    "times between failures, 1 %, 1,000 dates, simulated": (
        0.01, 1000, 0.6, lambda m, v: simulate(coverage.tbfi, m, 0.01),
    ),
    "mixed times between failures, 1 %, 1,000 dates, simulated": (
        0.01, 1000, 0.7, lambda m, v: simulate(coverage.tbf, m, 0.01),
    ),
    "dynamic quantile, 10 %, 1,000 dates": (
        0.1, 1000, 0.99, lambda m, v: independence.dynamic_quantile(m, v, rate=0.1),
    ),
}  # fmt: skip
# Name: tail, dates, least power, the test of P&L against a standard normal forecast.
OF_LOSSES = {
    "Berkowitz, conditional, 1,000 dates": (0.01, 1000, 0.99, lambda x: distribution.berkowitz(special.ndtr(x))),
    "Berkowitz, exact, 1,000 dates": (
        0.01, 1000, 0.99, lambda x: distribution.berkowitz(special.ndtr(x), likelihood="exact"),
    ),
    "Berkowitz, tail 5 %, 1,000 dates": (
        0.05, 1000, 0.99, lambda x: distribution.berkowitz_tail(special.ndtr(x), tail=0.05),
    ),
    "Z1, 2.5 %, 250 dates": (0.025, 250, 0.1, lambda x: z_tests(x, tail=0.025).z1),
    "Z2, 2.5 %, 250 dates": (0.025, 250, 0.6, lambda x: z_tests(x, tail=0.025).z2),
    "Z2, 1 %, 500 dates": (0.01, 500, 0.55, lambda x: z_tests(x, tail=0.01).z2),
    "exceedance residuals, 2.5 %, 1,000 dates, resampled": (
        0.025, 1000, 0.55, lambda x: residual_test(x, tail=0.025),
    ),
}  # fmt: skip


def rejected(tested):
    return float(tested.rejects(0.05).mean())


def say(capsys, name, size, power):
    with capsys.disabled():
        sys.stdout.write(f"\n  {name}: size {size:.1%}, power {power:.1%}")


@pytest.mark.parametrize("name", OF_MARKS)
def test_of_marks(name, capsys):
    rate, dates, least, test = OF_MARKS[name]
    size = rejected(test(*marks(1, rate=rate, dates=dates)))
    power = rejected(test(*marks(2, rate=2.0 * rate, dates=dates)))
    say(capsys, name, size, power)
    assert LOW <= size <= HIGH
    assert power >= least


@pytest.mark.parametrize("name", OF_LOSSES)
def test_of_losses(name, capsys):
    tail, dates, least, test = OF_LOSSES[name]
    size = rejected(test(losses(1, tail=tail, dates=dates, times=1.0)))
    power = rejected(test(losses(2, tail=tail, dates=dates, times=2.0)))
    say(capsys, name, size, power)
    assert LOW <= size <= HIGH
    assert power >= least


def test_of_runs(capsys):
    """Independence looks at runs alone: twice the exceptions on the date after one, as many in the long run."""
    size = rejected(alone(marks(3, rate=0.1, dates=2000)[0]))
    power = rejected(alone(runs(4, rate=0.1, dates=2000, after=0.2)))
    say(capsys, "independence, 10 %, 2,000 dates, against twice the exceptions after one", size, power)
    assert LOW <= size <= HIGH
    assert power >= 0.8


def test_the_exact_test_never_rejects_too_often(capsys):
    """At 0.1 % the limit law of the ratio does not hold, the exact law does."""
    series, _ = marks(5, rate=0.001, dates=1000)
    twice, _ = marks(6, rate=0.002, dates=1000)
    size, power = rejected(counted(series, 0.001)), rejected(counted(twice, 0.001))
    say(capsys, "exact binomial, 0.1 %, 1,000 dates", size, power)
    assert size <= 0.05
    assert power >= 0.1


def test_waiting_times_are_no_chi_square():
    """The term of one waiting time is no likelihood ratio of many dates: its sums reject true models too often."""
    series, _ = marks(1, rate=0.01, dates=1000)
    assert rejected(coverage.tbfi(series, rate=0.01)) > 0.08


def test_diebold_mariano(capsys):
    """Scores with memory, the same in the mean, or one higher by a tenth of their deviation."""
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(2, MODELS, 1001))
    first, second = noise[..., 1:] + 0.5 * noise[..., :-1]
    size = rejected(scoring.diebold_mariano(first, second))
    power = rejected(scoring.diebold_mariano(first + 0.2, second))
    say(capsys, "Diebold–Mariano, 1,000 dates, against a tenth of the deviation", size, power)
    assert LOW <= size <= HIGH
    assert power >= 0.5


def test_the_confidence_set_holds_the_best_model(capsys):
    """With confidence 90 %: four equal models, of which none may be missed, and a worse one, which is to go."""
    rng, names = np.random.default_rng(8), ("one", "two", "three", "four", "worse")
    kept = np.zeros(len(names))
    draws = 300
    for draw in range(draws):
        scores = rng.normal(size=(5, 500)) + np.array([0.0, 0.0, 0.0, 0.0, 0.25])[:, None]
        found = comparison.confidence_set(scores, names, seed=draw, simulations=199, block=1.0)
        kept += [name in found.kept for name in names]
    say(capsys, "model confidence set, a good and a bad model taken out", *(1.0 - kept[[0, 4]] / draws))
    assert (kept[:4] >= 0.9 * draws).all()
    assert kept[4] <= 0.3 * draws


def test_superior_ability(capsys):
    """A benchmark as good as all others, and one that is worse."""
    rng, names, draws = np.random.default_rng(9), ("base", "one", "two", "three"), 400
    low = np.zeros(2)
    for draw in range(draws):
        scores = rng.normal(size=(4, 500))
        for case, worse in enumerate((0.0, 0.2)):
            shifted = scores + np.array([worse, 0.0, 0.0, 0.0])[:, None]
            tested = comparison.superior_ability(
                shifted, names, benchmark="base", seed=draw, simulations=199, block=1.0
            )
            low[case] += tested.p_value < 0.05
    say(capsys, "superior ability, 500 dates, against a fifth of the deviation", *(low / draws))
    assert low[0] / draws <= 0.08
    assert low[1] / draws >= 0.5
