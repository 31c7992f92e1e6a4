"""What no statistic can be made of is refused, with its place, value and limit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import DuplicateName, InvalidInput
from crossmargin.validation import disclosure, procyclicality
from crossmargin.validation.statistics import (
    comparison,
    coverage,
    distribution,
    independence,
    quantiles,
    scoring,
    shortfall,
    simulation,
)
from crossmargin.validation.statistics.results import Conventions

GAIN = np.random.default_rng(1).normal(size=(2, 40))
MARKS = GAIN < -1.5
ONE = np.ones_like(GAIN)
NORMAL = shortfall.scaled_predictive(lambda u: u - 1.0, ONE)
NAMES = ("a", "b")

# Everything that takes a series of numbers, as a function of the first series alone.
OF_SERIES = {
    "exceptions": lambda x: coverage.exceptions(x, ONE),
    "margins of exceptions": lambda x: coverage.exceptions(ONE, x),
    "dynamic quantile": lambda x: independence.dynamic_quantile(MARKS, x, rate=0.05),
    "berkowitz": distribution.berkowitz,
    "berkowitz tail": lambda x: distribution.berkowitz_tail(x, tail=0.05),
    "z1": lambda x: shortfall.acerbi_szekely(x, ONE, ONE, rate=0.05, predictive=NORMAL, seed=1),
    "z2": lambda x: shortfall.acerbi_szekely(GAIN, ONE, x, rate=0.05, predictive=NORMAL, seed=1),
    "residuals": lambda x: shortfall.exceedance_residuals(GAIN, x, ONE),
    "scales of residuals": lambda x: shortfall.exceedance_residuals(GAIN, ONE, ONE, scale=x),
    "pinball": lambda x: scoring.pinball(x, ONE, q=0.05),
    "fz0": lambda x: scoring.fz0(x, -ONE, -2.0 * ONE, q=0.05),
    "long-run variance": lambda x: scoring.long_run_variance(x, lags=2),
    "diebold_mariano": lambda x: scoring.diebold_mariano(x, ONE),
    "confidence set": lambda x: comparison.confidence_set(x, NAMES, seed=1),
    "superior ability": lambda x: comparison.superior_ability(x, NAMES, benchmark="a", seed=1),
    "peak to trough": procyclicality.peak_to_trough,
    "largest increase": lambda x: procyclicality.largest_increase(x, dates=5),
    "mean cost": procyclicality.mean_cost,
    "cost": lambda x: procyclicality.cost(ONE, x),
    "shortfall": lambda x: procyclicality.shortfall(x, ONE),
    "loss to margin": lambda x: procyclicality.loss_to_margin(x, ONE),
    "responsiveness": lambda x: procyclicality.responsiveness(x, np.exp(GAIN)),
    "value at risk": lambda x: quantiles.value_at_risk(x, q=0.05),
    "expected shortfall": lambda x: quantiles.expected_shortfall(x, q=0.05),
    "interval": lambda x: quantiles.value_at_risk_interval(x, q=0.05),
    "conformal": lambda x: quantiles.conformal_correction(x, alpha=0.05),
    "adaptive": lambda x: quantiles.adaptive_correction(x, alpha=0.05, gamma=0.01, window=10),
    "disclosure": lambda x: disclosure.principle6(
        x, ONE, model="m", confidence=0.99, currency="USD", window_days=365, conventions=Conventions()
    ),
}
# Everything that takes a probability.
OF_RATES = {
    "pof": lambda p: coverage.pof(1, 100, rate=p),
    "binomial": lambda p: coverage.binomial(1, 100, rate=p),
    "tuff": lambda p: coverage.tuff(MARKS, rate=p),
    "tbfi": lambda p: coverage.tbfi(MARKS, rate=p),
    "tbf": lambda p: coverage.tbf(MARKS, rate=p),
    "traffic light": lambda p: coverage.traffic_light(1, 100, rate=p),
    "conditional coverage": lambda p: independence.conditional_coverage(MARKS, rate=p),
    "dynamic quantile": lambda p: independence.dynamic_quantile(MARKS, np.exp(GAIN), rate=p),
    "berkowitz tail": lambda p: distribution.berkowitz_tail(np.full(20, 0.5), tail=p),
    "z1": lambda p: shortfall.acerbi_szekely(GAIN, ONE, ONE, rate=p, predictive=NORMAL, seed=1),
    "z2": lambda p: shortfall.acerbi_szekely(GAIN, ONE, ONE, rate=0.05, predictive=NORMAL, seed=1, significance=p),
    "pinball": lambda p: scoring.pinball(GAIN, ONE, q=p),
    "fz0": lambda p: scoring.fz0(GAIN, -ONE, -ONE, q=p),
    "confidence set": lambda p: comparison.confidence_set(GAIN, NAMES, seed=1, significance=p),
    "value at risk": lambda p: quantiles.value_at_risk(GAIN, q=p),
    "interval": lambda p: quantiles.value_at_risk_interval(GAIN, q=0.05, confidence=p),
    "conformal": lambda p: quantiles.conformal_correction(GAIN, alpha=p),
    "adaptive": lambda p: quantiles.adaptive_correction(GAIN, alpha=p, gamma=0.01, window=10),
    "simulated": lambda p: simulation.simulated(lambda m: coverage.tuff(m, rate=0.1), MARKS, rate=p, seed=1),
}


@pytest.mark.parametrize("name", OF_SERIES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named_with_its_place(name, bad):
    series = np.full_like(GAIN, 0.5)
    series[1, 7] = bad
    with pytest.raises(InvalidInput, match=r"\[1, 7\]"):
        OF_SERIES[name](series)


@pytest.mark.parametrize("name", OF_SERIES)
@pytest.mark.parametrize("empty", [np.float64(0.5), np.zeros((2, 0))], ids=["no axis", "no dates"])
def test_no_observations_are_refused(name, empty):
    with pytest.raises(InvalidInput):
        OF_SERIES[name](empty)


@pytest.mark.parametrize("name", sorted(OF_SERIES.keys() - {
    "berkowitz", "berkowitz tail", "long-run variance", "peak to trough", "largest increase", "mean cost", "conformal",
    "value at risk", "expected shortfall", "interval", "adaptive",
}))  # fmt: skip
def test_shapes_that_differ_are_refused(name):
    with pytest.raises(InvalidInput, match=r"\(3, 40\)"):
        OF_SERIES[name](np.full((3, 40), 0.5))


@pytest.mark.parametrize("name", OF_RATES)
@given(rate=st.sampled_from([0.0, 1.0, -0.01, 99.0, np.nan, np.inf]))
def test_rates_outside_are_refused(name, rate):
    with pytest.raises(InvalidInput):
        OF_RATES[name](rate)


@pytest.mark.parametrize(
    ("exceptions", "observations"), [(1, 0), (-1, 10), (11, 10), (1.5, 10), (1, 10.5), (np.nan, 10), ([1, 2], [10, 1])]
)
def test_counts_out_of_range_are_refused(exceptions, observations):
    for test in (coverage.pof, coverage.binomial, coverage.traffic_light, coverage.binomial_tails):
        with pytest.raises(InvalidInput):
            test(exceptions, observations, rate=0.01)


@pytest.mark.parametrize("marks", [[0.0, 0.5, 1.0], [0, 1, 2], [np.nan, 0.0, 1.0], []])
def test_marks_are_yes_or_no(marks):
    for test in (coverage.tuff, coverage.tbfi, independence.conditional_coverage):
        with pytest.raises(InvalidInput):
            test(marks, rate=0.01)


@pytest.mark.parametrize(
    "call",
    [
        lambda: independence.transitions([1]),
        lambda: independence.dynamic_quantile(MARKS[:, :10], ONE[:, :10], rate=0.05),
        lambda: distribution.berkowitz([0.5, 0.5, 1.5, 0.5, 0.5]),
        lambda: distribution.berkowitz([0.5] * 4),
        lambda: distribution.berkowitz([0.5] * 40),
        lambda: distribution.berkowitz([0.2, 0.8] * 20, likelihood="exact"),
        lambda: shortfall.acerbi_szekely(GAIN, ONE, -ONE, rate=0.05, predictive=NORMAL, seed=1),
        lambda: shortfall.acerbi_szekely(GAIN, ONE, ONE, rate=0.05, predictive=NORMAL, seed=1, simulations=10),
        lambda: shortfall.scenario_predictive(np.zeros(5)),
        lambda: shortfall.scenario_predictive(np.zeros((5, 0))),
        lambda: shortfall.scenario_predictive(np.full((5, 3), np.nan)),
        lambda: shortfall.scaled_predictive(np.sqrt, [1.0, 0.0]),
        lambda: scoring.fz0([1.0], [-1.0], [0.0], q=0.05),
        lambda: scoring.fz0([1.0], [-2.0], [-1.0], q=0.05),
        lambda: scoring.long_run_variance([1.0, 2.0], lags=2),
        lambda: scoring.diebold_mariano([1.0] * 4, [2.0] * 4),
        lambda: comparison.confidence_set(GAIN, ["a"], seed=1),
        lambda: comparison.confidence_set(GAIN[:, :4], NAMES, seed=1),
        lambda: comparison.superior_ability(GAIN, NAMES, benchmark="c", seed=1),
        lambda: procyclicality.peak_to_trough([1.0, 0.0]),
        lambda: procyclicality.largest_increase(ONE, dates=40),
        lambda: procyclicality.largest_increase(ONE, dates=0),
        lambda: procyclicality.procyclicality(ONE, GAIN, conventions=Conventions()),
        lambda: quantiles.adaptive_correction(GAIN, alpha=0.1, gamma=0.0, window=10),
        lambda: quantiles.adaptive_correction(GAIN, alpha=0.1, gamma=0.1, window=40),
    ],
)
def test_what_has_no_answer_is_refused(call):
    with pytest.raises(InvalidInput):
        call()


def test_models_have_names_of_their_own():
    with pytest.raises(DuplicateName):
        comparison.confidence_set(GAIN, ["a", "a"], seed=1)
