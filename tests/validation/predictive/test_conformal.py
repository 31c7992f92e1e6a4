"""Conformal corrections cover exactly what is exchangeable, and come back to nominal where it drifts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.engine.outlook.predictor import PredictiveSpec
from crossmargin.validation.predictive.conformal import correct
from crossmargin.validation.statistics.quantiles import conformal_correction

RATE = 0.05


def spec(*, window: int = 100, gamma: float = 0.0, rate: float = RATE) -> PredictiveSpec:
    return PredictiveSpec(rate=rate, window_dates=window, gamma=gamma)


def test_exchangeable_scores_are_covered_exactly() -> None:
    """The chance of a miss is 1 − ⌈(n + 1)(1 − α)⌉/(n + 1) for any continuous law, here without a variance."""
    rng = np.random.default_rng(2)
    for window in (39, 59):
        scores = rng.standard_t(2, size=(1, 15_000))
        rate = float(correct(scores, spec(window=window), lag=1).missed[0, window:].mean())
        exact = 1.0 - np.ceil((window + 1) * (1.0 - RATE)) / (window + 1)
        error = np.sqrt(2.0 * exact * (1.0 - exact) / 15_000)  # twice: pools overlap
        assert rate == pytest.approx(exact, abs=4.0 * error)


def test_a_drifting_law_regains_the_nominal_rate() -> None:
    """A deviation that doubles every 250 dates: a pool lags behind, the adaptive level makes up for it."""
    dates = np.arange(3000)
    rng = np.random.default_rng(3)
    scores = np.exp(np.log(2.0) * dates / 250.0) * np.abs(rng.normal(size=(20, len(dates))))
    fixed = correct(scores, spec(window=250), lag=1).missed[:, 600:].mean()
    adaptive = correct(scores, spec(window=250, gamma=0.01), lag=1).missed[:, 600:].mean()
    assert fixed > 2.0 * RATE
    assert adaptive == pytest.approx(RATE, abs=0.01)


def test_each_portfolio_finds_its_own_level_in_a_shared_pool() -> None:
    rng = np.random.default_rng(4)
    scores = np.abs(rng.normal(size=(10, 3000)))
    scores[0] *= 1.5
    fixed = correct(scores, spec(window=250), lag=1).missed[:, 600:].mean(axis=1)
    found = correct(scores, spec(window=250, gamma=0.005), lag=1)
    assert fixed[0] > 2.5 * RATE
    assert found.missed[0, 600:].mean() == pytest.approx(RATE, abs=0.012)
    assert found.level[0, -1] < found.level[1:, -1].min()


@given(st.integers(0, 10_000), st.integers(20, 60), st.sampled_from([1, 2, 5]))
def test_one_portfolio_without_steps_is_split_conformal(seed: int, window: int, lag: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(1, window + 20))
    found = correct(scores, spec(window=window, rate=0.1), lag=lag)
    t = window + 10
    pool = scores[0, t - lag - window + 1 : t - lag + 1]
    assert found.quantile[0, t] == conformal_correction(pool, alpha=0.1)
    assert np.isnan(found.quantile[0, : window + lag - 1]).all()
    assert found.shortfall[0, t] == pytest.approx(pool[pool >= found.quantile[0, t]].mean())


@given(st.integers(0, 10_000), st.sampled_from([1, 3]), st.integers(40, 118))
def test_scores_enter_when_they_are_known(seed: int, lag: int, date: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(3, 120))
    other = scores.copy()
    other[:, date - lag + 1 :] += 5.0
    one, two = (correct(x, spec(window=30, gamma=0.05), lag=lag) for x in (scores, other))
    np.testing.assert_array_equal(one.quantile[:, : date + 1], two.quantile[:, : date + 1])
    np.testing.assert_array_equal(one.level[:, : date + 1], two.level[:, : date + 1])


def test_a_level_at_zero_takes_the_largest_score_and_says_so() -> None:
    rising = np.arange(1.0, 201.0)[None, :]
    found = correct(rising, spec(window=50, gamma=0.05), lag=1)
    assert found.missed[0, 50:].all()
    assert found.capped[0, 60:].all()
    np.testing.assert_array_equal(found.quantile[0, 60:], rising[0, 59:-1])
    assert (found.level[0, 50:] >= 0.0).all()


def test_a_calm_stretch_lowers_a_margin_to_twice_the_rate_at_most() -> None:
    calm = np.concatenate([np.random.default_rng(5).random(100), np.zeros(2000)])[None, :]
    assert correct(calm, spec(window=50, gamma=0.05), lag=1).level[0, -1] == pytest.approx(2.0 * RATE)
