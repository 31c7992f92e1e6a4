"""Realised measures: identities and what they estimate; HAR: least squares, the past alone, and forecasts in bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.statistics.realised import (
    bipower_variation,
    fit_har,
    open_close_range_variance,
    range_variance,
    realised_semivariances,
    realised_variance,
)

seeds = st.integers(0, 100_000)


def bars(seed: int, *, dates: int = 40, count: int = 48, factors: int = 3, gap: float = 0.0):
    rng = np.random.default_rng(seed)
    returns = 0.004 * rng.standard_t(5, (dates, count, factors))
    returns[rng.random(returns.shape) < gap] = np.nan
    return returns


def measures(seed: int, *, dates: int = 600, factors: int = 3):
    """Variances whose logarithm follows a HAR model with (c, day, week, month) = (−0.5, 0.4, 0.3, 0.25)."""
    rng = np.random.default_rng(seed)
    path = np.full((dates + 200, factors), -10.0)
    for t in range(30, dates + 200):
        week, month = (np.log(np.exp(path[t - k : t]).mean(axis=0)) for k in (5, 22))
        path[t] = -0.5 + 0.4 * path[t - 1] + 0.3 * week + 0.25 * month + 0.3 * rng.normal(size=factors)
    return np.exp(path[200:])


@given(seeds, st.sampled_from([0.0, 0.2]))
def test_falls_and_rises_make_the_whole(seed, gap):
    returns = bars(seed, gap=gap)
    falls, rises = realised_semivariances(returns)
    np.testing.assert_allclose(falls + rises, realised_variance(returns), rtol=1e-12)
    mirrored = realised_semivariances(-returns)
    np.testing.assert_allclose(mirrored[0], rises, rtol=1e-12)
    for measure in (realised_variance, bipower_variation):
        np.testing.assert_allclose(measure(3.0 * returns), 9.0 * measure(returns), rtol=1e-12)


def test_missing_bars_count_as_the_average_of_the_rest():
    returns = np.full((1, 10, 2), 0.01)
    returns[0, :3, 0], returns[0, :6, 1] = np.nan, np.nan
    np.testing.assert_allclose(realised_variance(returns), [[1e-3, np.nan]])


def test_a_jump_is_seen_by_one_and_not_by_the_other():
    returns = bars(1, dates=400, count=288)
    calm = realised_variance(returns)
    # Of t5 bars it is (π/2)·E²|r|/E r² = 0.849 of the variance, of Gaussian ones all of it.
    np.testing.assert_allclose(bipower_variation(returns).mean(), 0.849 * calm.mean(), rtol=0.03)
    returns[:, 100] += 0.2
    assert (realised_variance(returns) > calm + 0.03).all()
    assert bipower_variation(returns).mean() < 1.5 * calm.mean()


def test_ranges_estimate_the_variance_of_a_walk():
    """A fine random walk: both are near its variance, and less noisy than the squared return."""
    rng = np.random.default_rng(2)
    walk = np.exp(np.cumsum(0.02 / 50.0 * rng.normal(size=(2000, 2500)), axis=1))
    walk = np.concatenate([np.ones((2000, 1)), walk], axis=1)
    high, low, close = walk.max(axis=1), walk.min(axis=1), walk[:, -1]
    squared = np.log(close) ** 2
    for found in (range_variance(high, low), open_close_range_variance(np.ones(2000), high, low, close)):
        assert found.mean() == pytest.approx(4e-4, rel=0.06)
        assert found.std() < 0.6 * squared.std()


@given(seeds, st.sampled_from(["level", "log"]), st.integers(1, 5))
def test_har_is_least_squares(seed, scale, horizon):
    values = measures(seed, dates=200, factors=2)
    model = fit_har(values, scale=scale, horizon=horizon)
    shown = np.log if scale == "log" else np.asarray
    for f in range(2):
        v, rows, targets = values[:, f], [], []
        for t in range(11, 200 - horizon + 1):  # the month's window holds half of its dates from the eleventh on
            past = [v[t - 1], v[max(0, t - 5) : t].mean(), v[max(0, t - 22) : t].mean()]
            rows.append([1.0, *shown(np.array(past))])
            targets.append(shown(v[t : t + horizon].mean()))
        beta, *_ = np.linalg.lstsq(np.array(rows), np.array(targets), rcond=None)
        np.testing.assert_allclose(model.coefficients[:, f], beta, rtol=1e-8, atol=1e-11)
        assert model.dates[f] == len(targets)


@given(seeds, st.integers(30, 599), st.sampled_from(["level", "log"]))
def test_the_future_changes_no_forecast(seed, at, scale):
    values = measures(seed)
    model = fit_har(values, scale=scale)
    changed = values.copy()
    changed[at:] = 7.0
    np.testing.assert_array_equal(model.forecast(changed)[: at + 1], model.forecast(values)[: at + 1])
    np.testing.assert_array_equal(model.forecast(values[:at]), model.forecast(values)[: at + 1])


def test_what_was_simulated_is_found():
    values = measures(5, dates=8000, factors=1)
    model = fit_har(values)
    for found, error, truth in zip(model.coefficients[:, 0], model.errors[:, 0], (-0.5, 0.4, 0.3, 0.25), strict=True):
        assert abs(found - truth) < 4.0 * error
    assert model.residual_variance[0] == pytest.approx(0.09, rel=0.1)
    forecast = model.forecast(values)[:-1]
    known = ~np.isnan(forecast)
    assert np.mean(values[known] / forecast[known]) == pytest.approx(1.0, abs=0.03)


def test_forecasts_stay_within_what_was_measured():
    values = measures(6, dates=400)
    model = fit_har(values, scale="level")
    wild = np.concatenate([values, 1e3 * values[:30]])
    forecast = model.forecast(wild)
    assert np.nanmax(forecast) <= values.max()
    assert np.nanmin(forecast) >= values.min()
    assert len(forecast) == len(wild) + 1
    assert np.isnan(forecast[:11]).all()


@given(seeds)
def test_factors_do_not_know_each_other(seed):
    values = measures(seed, dates=300)
    values[:80, 1] = np.nan
    together = fit_har(values)
    alone = fit_har(values[:, [1]])
    np.testing.assert_allclose(alone.coefficients[:, 0], together.coefficients[:, 1], rtol=1e-9)
    np.testing.assert_allclose(alone.errors[:, 0], together.errors[:, 1], rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fit_har(np.full((300, 1), -1.0), scale="level"), "realised variance is -1.0.*not negative"),
        (lambda: fit_har(np.zeros((300, 1))), "above zero"),
        (lambda: fit_har(measures(0, dates=60)), "number of dates is"),
        (lambda: range_variance(np.array([1.0, 2.0]), np.array([1.0, 3.0])), r"bar \[1\]: high and low is"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
