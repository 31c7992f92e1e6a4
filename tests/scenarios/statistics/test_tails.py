"""Tails: published fits, recovery of what was drawn, and distributions that invert, join and keep their body."""

import csv
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.statistics.tails import ParetoTail, fit_at_shares, fit_tail, mean_excess, splice
from tests.strategies import few

seeds = st.integers(0, 100_000)


def returns(seed: int, *, dates: int = 400, factors: int = 3):
    rng = np.random.default_rng(seed)
    values = rng.standard_t([3.0, 5.0, 30.0][:factors], (dates, factors)) * [0.01, 1.0, 50.0][:factors]
    values[: dates // 4, 0] = np.nan
    return values


def tail(shape: float, *, scale: float = 1.0, threshold: float = 2.0) -> ParetoTail:
    one = np.ones(1)
    return ParetoTail(
        threshold=threshold * one, excesses=np.array([100]), total=np.array([1000]), shape=shape * one,
        scale=scale * one, log_likelihood=0.0 * one, distance=0.0 * one, inside=np.array([True]),
    )  # fmt: skip


def test_danish_fire_losses(shared):
    """Source: McNeil (1997), ASTIN Bulletin 27, 117-137, table for the threshold of ten million."""
    expected = json.loads((shared / "vectors/evt/published_values.json").read_text())["danish_u10"]
    rows = csv.DictReader((shared / "vectors/evt/danish.csv").read_text().splitlines())
    losses = np.array([[float(row["dat"])] for row in rows])
    share = expected["n_exceed"] / expected["n"]
    # The published threshold is no order statistic: move every loss that it leaves in the body onto it.
    fit = fit_tail(np.maximum(losses, expected["u"]), share)
    near = {"rel": expected["tol_rel"]}
    assert (fit.threshold[0], fit.excesses[0], fit.total[0]) == (expected["u"], expected["n_exceed"], expected["n"])
    assert fit.shape[0] == pytest.approx(expected["xi"], **near)
    assert fit.scale[0] == pytest.approx(expected["beta"], **near)
    for level, name in ((0.99, "0.99"), (0.995, "0.995")):
        assert fit.value_at_risk(level)[0] == pytest.approx(expected[f"VaR_{name}"], **near)
        assert fit.expected_shortfall(level)[0] == pytest.approx(expected[f"ES_{name}"], **near)


@given(st.sampled_from([-0.4, -1e-9, 0.0, 1e-7, 0.3, 0.9]), st.floats(0.91, 0.9999))
def test_expected_shortfall_is_the_mean_beyond_value_at_risk(shape, level):
    one = tail(shape)
    law = stats.genpareto(shape)
    share = (1.0 - level) / 0.1
    beyond = integrate.quad(
        lambda v: math.exp(-v) * (2.0 + float(law.isf(share * math.exp(-v)))), 0.0, 400.0, limit=500
    )
    assert one.expected_shortfall(level)[0] == pytest.approx(beyond[0], rel=1e-6)
    assert one.value_at_risk(level)[0] == pytest.approx(2.0 + law.ppf(1.0 - (1.0 - level) / 0.1), rel=1e-6)


def test_without_a_mean_there_is_no_shortfall():
    assert np.isinf(tail(1.0).expected_shortfall(0.99)[0])
    assert np.isfinite(tail(1.0).value_at_risk(0.99)[0])


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.25])
def test_standard_errors_are_the_spread_of_estimates(shape):
    """Over many samples of one law, each of its own number of excesses."""
    rng = np.random.default_rng(1)
    draws = stats.genpareto.rvs(shape, size=(4000, 400), random_state=rng)
    fit = fit_tail(draws, 0.1)
    assert np.std(fit.shape) == pytest.approx(np.median(fit.shape_error), rel=0.15)
    assert np.std(fit.scale) == pytest.approx(np.median(fit.scale_error), rel=0.15)
    assert np.std(fit.value_at_risk(0.99)) == pytest.approx(np.median(fit.value_at_risk_error(0.99)), rel=0.15)
    assert np.std(fit.expected_shortfall(0.99)) == pytest.approx(np.median(fit.expected_shortfall_error(0.99)), rel=0.2)
    assert np.mean(fit.shape) == pytest.approx(shape, abs=0.02)


@given(seeds, st.floats(0.09, 0.3), st.floats(1e-6, 1e6), st.floats(-100.0, 100.0))
def test_units_change_nothing(seed, share, scale, shift):
    losses = returns(seed)
    fit, moved = fit_tail(losses, share), fit_tail(scale * losses, share)
    np.testing.assert_allclose(moved.shape, fit.shape, atol=1e-7)
    np.testing.assert_allclose(moved.value_at_risk(0.99), scale * fit.value_at_risk(0.99), rtol=1e-7)
    np.testing.assert_allclose(fit_tail(losses + shift, share).shape, fit.shape, atol=1e-4)


@given(seeds, st.sampled_from([None, 0.05, 0.1]))
def test_factors_do_not_know_each_other(seed, share):
    losses = returns(seed, dates=1000)
    together = fit_tail(losses, share)
    for f in range(3):
        alone = fit_tail(losses[:, [f]], share)
        assert alone.value_at_risk(0.99)[0] == together.value_at_risk(0.99)[f]
        assert alone.excesses[0] == together.excesses[f]


def test_the_chosen_threshold_lies_where_the_tail_begins():
    """Eight hundredths of Pareto beyond a body that ends at 1; the shares above eight take body for tail."""
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.uniform(-1.0, 1.0, 9200), 1.0 + stats.genpareto.rvs(0.4, size=800, random_state=rng)])
    fit = fit_tail(losses[:, None])
    assert fit.excesses[0] / fit.total[0] <= 0.08
    assert fit.shape[0] == pytest.approx(0.4, abs=3.0 * fit.shape_error[0])
    every = fit_at_shares(losses[:, None])
    assert fit.distance[0] == min(one.distance[0] for one in every)


def test_mean_excess_of_a_pareto_tail_is_a_line():
    losses = np.array([1.0, 2.0, 4.0])
    np.testing.assert_allclose(mean_excess(losses, np.array([0.0, 1.0, 4.0])), [7.0 / 3.0, 2.0, np.nan])


@given(seeds, st.sampled_from([None, 0.1]))
def test_quantile_and_distribution_invert_each_other(seed, share):
    law = splice(returns(seed, dates=1500), share)
    p = np.tile(np.concatenate([np.geomspace(1e-12, 0.5, 60), 1.0 - np.geomspace(1e-9, 0.5, 60)]), (3, 1))
    np.testing.assert_allclose(law.cdf(law.quantile(p)), p, rtol=1e-7)


@given(seeds)
def test_quantiles_grow_and_do_not_jump_at_the_thresholds(seed):
    law = splice(returns(seed))
    p = np.tile(np.linspace(0.0005, 0.9995, 4001), (3, 1))
    x = law.quantile(p)
    assert (np.diff(x, axis=1) >= 0.0).all()
    edge = np.stack([law.low.excesses / law.low.total, 1.0 - law.high.excesses / law.high.total], axis=1)
    np.testing.assert_allclose(law.quantile(edge - 1e-12), law.quantile(edge + 1e-12), rtol=1e-6)
    np.testing.assert_allclose(law.quantile(edge)[:, 0], -law.low.threshold)
    np.testing.assert_allclose(law.quantile(edge)[:, 1], law.high.threshold)


@given(seeds)
def test_the_mirror_of_a_distribution(seed):
    values, p = returns(seed), np.tile(np.linspace(0.001, 0.999, 37), (3, 1))
    np.testing.assert_allclose(splice(-values).quantile(1.0 - p), -splice(values).quantile(p), rtol=1e-8, atol=1e-12)


@few
@given(seeds)
def test_draws_follow_the_distribution(seed):
    law = splice(returns(seed))
    draws = law.simulate(20_000, seed=seed)
    np.testing.assert_array_equal(draws, law.simulate(20_000, seed=seed))
    p = law.cdf(draws)
    assert all(stats.kstest(p[f], "uniform").pvalue > 1e-6 for f in range(3))
    np.testing.assert_allclose(p.mean(axis=1), 0.5, atol=0.02)


def test_ties_at_the_threshold_are_no_excesses():
    """A peg that stands still on most days: zero is an atom, and the tails begin beyond it."""
    rng = np.random.default_rng(3)
    values = np.where(rng.random(1000) < 0.15, rng.normal(0.0, 1.0, 1000), 0.0)[:, None]
    law = splice(values, 0.1)
    assert law.low.threshold[0] == law.high.threshold[0] == 0.0
    assert law.high.excesses[0] == (values > 0.0).sum()
    np.testing.assert_array_equal(law.quantile(np.array([[0.2, 0.5, 0.8]])), 0.0)


@pytest.mark.parametrize(
    ("losses", "share", "message"),
    [
        (np.ones((300, 1)), 0.1, r"factor 0: greatest excess is 0.0"),
        (np.arange(100.0)[:, None], 0.1, r"factor 0: number of excesses is 10, but must be at least 25"),
        (np.arange(100.0)[:, None], None, r"number of excesses is 10"),
        (np.arange(300.0)[:, None], 0.7, r"tail share is 0.7, but must be between 0.001 and 0.49"),
        (np.full((300, 1), np.nan), 0.1, r"number of values is 0"),
        (np.array([[1.0], [np.inf]]), 0.1, r"date 1, factor 0: value is inf"),
    ],
)
def test_what_is_refused(losses, share, message):
    with pytest.raises(InvalidInput, match=message):
        fit_tail(losses, share)


def test_levels_and_probabilities_have_limits():
    with pytest.raises(InvalidInput, match=r"at least 0.9 and below 1"):
        tail(0.1).value_at_risk(0.8)
    with pytest.raises(InvalidInput, match="below 1"):
        tail(0.1).value_at_risk(1.0)
    with pytest.raises(InvalidInput, match=r"probability is 1.2"):
        splice(returns(0)).quantile(np.full((3, 1), 1.2))
