"""Rules of quantile and shortfall, their error, and conformal corrections."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from crossmargin.measures.reduce import Measure, reduce_losses
from crossmargin.validation.statistics import quantiles

samples = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6, allow_subnormal=False))
levels = st.sampled_from([0.01, 0.025, 0.05, 0.1, 0.25])


@given(samples, levels)
def test_the_default_rules_are_those_of_the_margin(pnl, q):
    for kind, rule in (
        ("value_at_risk", quantiles.value_at_risk),
        ("expected_shortfall", quantiles.expected_shortfall),
    ):
        measured, _ = reduce_losses(-pnl, Measure(kind=kind, level=1.0 - q))
        assert float(rule(pnl, q=q)) == pytest.approx(measured, rel=1e-12, abs=1e-9)


@given(samples, levels)
def test_shortfall_is_beyond_the_quantile(pnl, q):
    worst, slack = -pnl.min(), 1e-9 * (1.0 + abs(pnl).max())
    weighted = float(quantiles.expected_shortfall(pnl, q=q, rule="weighted_tail"))
    for figure in (weighted, float(quantiles.expected_shortfall(pnl, q=q))):
        assert float(quantiles.value_at_risk(pnl, q=q)) - slack <= figure <= worst + slack
    # The boundary counts in full in the mean, and in part in the exact tail, which is therefore never lower.
    assert weighted >= float(quantiles.expected_shortfall(pnl, q=q)) - slack


def test_rules_by_hand():
    """Ten losses of 1 … 10, q = 25 %: 2.5 of them are the tail."""
    pnl = -np.arange(1.0, 11.0)
    assert float(quantiles.value_at_risk(pnl, q=0.25)) == 8.0
    assert float(quantiles.value_at_risk(pnl, q=0.25, rule="linear")) == 7.75
    assert float(quantiles.value_at_risk(pnl, q=0.25, rule="weibull")) == 8.25
    assert float(quantiles.expected_shortfall(pnl, q=0.25)) == 9.0
    assert float(quantiles.expected_shortfall(pnl, q=0.25, rule="weighted_tail")) == pytest.approx((10 + 9 + 4) / 2.5)


def test_whole_tails_agree():
    pnl = np.random.default_rng(1).normal(size=(3, 1000))
    one = quantiles.expected_shortfall(pnl, q=0.01)
    assert quantiles.expected_shortfall(pnl, q=0.01, rule="weighted_tail") == pytest.approx(one)


def test_intervals_hold_the_truth():
    """At least 95 % of 4,000 samples of 500 bound the 5 % quantile of a uniform law."""
    pnl = np.random.default_rng(2).random((4_000, 500))
    low, high = quantiles.value_at_risk_interval(pnl, q=0.05)
    held = ((low <= -0.05) & (high >= -0.05)).mean()
    assert 0.945 <= held <= 0.985


def test_small_samples_bound_nothing():
    low, high = quantiles.value_at_risk_interval(np.arange(20.0), q=0.01)
    assert np.isfinite(low)
    assert np.isinf(high)


def test_conformal_corrections_cover():
    """Of 20,000 calibrations of 99 scores each, whatever their law, 90 % cover the next."""
    rng = np.random.default_rng(3)
    for law in (rng.normal, rng.standard_cauchy):
        scores = law(size=(20_000, 100))
        added = quantiles.conformal_correction(scores[:, :99], alpha=0.1)
        assert (scores[:, 99] <= added).mean() == pytest.approx(0.9, abs=0.01)


def test_too_few_scores_cover_nothing():
    assert np.isinf(quantiles.conformal_correction(np.arange(98.0), alpha=0.01))
    assert float(quantiles.conformal_correction(np.arange(99.0), alpha=0.01)) == 98.0


@given(st.integers(0, 500), st.floats(0.02, 0.3), st.floats(0.005, 0.1))
def test_adaptive_misses_average_to_alpha(seed, alpha, gamma):
    """Whatever the scores do: the bound of Gibbs and Candès, proposition 4.1."""
    rng = np.random.default_rng(seed)
    scores = np.cumsum(rng.normal(size=(2, 300)), axis=-1)
    found = quantiles.adaptive_correction(scores, alpha=alpha, gamma=gamma, window=20)
    bound = (max(alpha, 1.0 - alpha) + gamma) / (gamma * 280)
    assert (abs(found.missed.mean(axis=-1) - alpha) <= bound + 1e-12).all()


def test_adaptive_corrections_do_not_look_ahead():
    scores = np.random.default_rng(4).normal(size=100)
    changed = scores.copy()
    changed[60:] += 50.0
    one, other = (quantiles.adaptive_correction(s, alpha=0.1, gamma=0.02, window=30) for s in (scores, changed))
    assert (one.correction[:31] == other.correction[:31]).all()
    assert (one.correction[31:] != other.correction[31:]).any()


@pytest.mark.parametrize(("count", "q"), [(500, 0.05), (1000, 0.01), (250, 0.025)])
def test_intervals_have_binomial_ranks(count, q):
    """The innermost ranks whose chance of missing is at most 2.5 % to either side."""
    low, high = quantiles.value_at_risk_interval(-np.arange(1.0, count + 1.0)[::-1], q=q)
    below, above = count + 1 - int(high), count + 1 - int(low)
    misses = stats.binom(count, q)
    assert misses.cdf(below - 1) <= 0.025 < misses.cdf(below)
    assert misses.sf(above - 1) <= 0.025 < misses.sf(above - 2)
