"""Scores are least for the truth, and comparisons keep the best."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from crossmargin.validation.statistics import comparison, scoring

Q = 0.025
TRUE_QUANTILE = float(special.ndtri(Q))
TRUE_SHORTFALL = -stats.norm.pdf(TRUE_QUANTILE) / Q
RANKS = special.ndtri((np.arange(200_000) + 0.5) / 200_000)


def mean_fz0(quantile, shortfall):
    return scoring.fz0(RANKS, np.full_like(RANKS, quantile), np.full_like(RANKS, shortfall), q=Q).mean()


def test_the_pair_score_is_least_for_the_true_pair():
    """Moving either forecast to either side costs, the other being right or wrong."""
    least = mean_fz0(TRUE_QUANTILE, TRUE_SHORTFALL)
    for quantile in (0.9, 0.97, 1.0, 1.03, 1.1):
        for shortfall in (0.9, 0.97, 1.0, 1.03, 1.1):
            v, e = quantile * TRUE_QUANTILE, shortfall * TRUE_SHORTFALL
            if e <= v and (quantile, shortfall) != (1.0, 1.0):
                assert mean_fz0(v, e) > least


def test_the_pair_score_of_the_truth_is_known():
    """At the true pair E[1{X ≤ v}(v − X)]/q = v − e, so all but ln(−e) cancels."""
    assert mean_fz0(TRUE_QUANTILE, TRUE_SHORTFALL) == pytest.approx(np.log(-TRUE_SHORTFALL), abs=1e-4)


@given(st.floats(0.01, 100.0), st.integers(0, 1000))
def test_differences_of_the_pair_score_have_no_unit(unit, seed):
    rng = np.random.default_rng(seed)
    pnl = rng.normal(size=50)
    first, second = ((-rng.uniform(1.0, 2.0, 50), -rng.uniform(2.0, 3.0, 50)) for _ in range(2))
    small = scoring.fz0(pnl, *first, q=Q) - scoring.fz0(pnl, *second, q=Q)
    large = [scoring.fz0(unit * pnl, unit * v, unit * e, q=Q) for v, e in (first, second)]
    assert large[0] - large[1] == pytest.approx(small, abs=1e-9)


@given(st.floats(0.005, 0.5), st.floats(-3.0, 3.0))
def test_pinball_is_least_for_the_quantile(q, moved):
    ranks = RANKS[::50]

    def score(quantile):
        return scoring.pinball(ranks, np.full_like(ranks, quantile), q=q).mean()

    true = float(special.ndtri(q))
    assert score(true) <= score(true + moved) + 1e-6


def test_pinball_by_hand():
    assert scoring.pinball([2.0, -3.0], [-1.0, -1.0], q=0.01).tolist() == pytest.approx([0.03, 1.98])


def test_long_run_variance_by_hand():
    """Of 1, −1, 1, −1: γ₀ = 1, γ₁ = −3/4; one lag weighs a half."""
    series = np.array([1.0, -1.0, 1.0, -1.0])
    assert float(scoring.long_run_variance(series, lags=0)) == pytest.approx(1.0)
    assert float(scoring.long_run_variance(series, lags=1)) == pytest.approx(0.25)


def test_long_run_variance_of_a_moving_average():
    """x_t = e_t + ½ e_{t−1} has the long-run variance (1 + ½)² and the variance 1 + ¼."""
    noise = np.random.default_rng(1).normal(size=200_001)
    series = noise[1:] + 0.5 * noise[:-1]
    assert float(scoring.long_run_variance(series, lags=0)) == pytest.approx(1.25, rel=0.02)
    assert float(scoring.long_run_variance(series, lags=60)) == pytest.approx(2.25, rel=0.05)


@given(st.integers(0, 1000))
def test_diebold_mariano_turns_its_sign(seed):
    first, second = np.random.default_rng(seed).normal(size=(2, 3, 40))
    there, back = scoring.diebold_mariano(first, second), scoring.diebold_mariano(second, first)
    assert there.statistic == pytest.approx(-back.statistic)
    assert there.p_value == pytest.approx(back.p_value)


def test_scores_that_are_the_same_or_differ_by_a_constant():
    score = np.random.default_rng(1).integers(0, 50, (2, 30)).astype(float)
    tested = scoring.diebold_mariano(score, score + np.array([[0.0], [1.0]]))
    assert tested.statistic.tolist() == [0.0, -np.inf]
    assert tested.p_value.tolist() == [1.0, 0.0]


@given(st.integers(0, 1000), st.integers(2, 5))
def test_the_confidence_set_is_a_ranking_and_holds_the_lowest(seed, count):
    scores = np.random.default_rng(seed).normal(size=(count, 60))
    names = [f"model {i}" for i in range(count)]
    found = comparison.confidence_set(scores, names, seed=1, simulations=100)
    assert max(rank.p_value for rank in found.models) == 1.0
    assert found.models[0].model in found.kept
    assert [r.mean_score for r in found.models] == sorted(scores.mean(axis=1))


def test_the_order_of_models_changes_nothing():
    scores = np.random.default_rng(3).normal(size=(4, 200)) + np.array([[0.0], [0.1], [0.2], [0.3]])
    names, turned = ["a", "b", "c", "d"], [2, 0, 3, 1]
    one = comparison.confidence_set(scores, names, seed=1)
    other = comparison.confidence_set(scores[turned], [names[i] for i in turned], seed=1)
    assert one.models == other.models


def test_equal_models_stay_together():
    score = np.random.default_rng(4).normal(size=100)
    found = comparison.confidence_set(np.stack([score, score, score + 5.0]), ["a", "b", "far"], seed=1)
    assert set(found.kept) == {"a", "b"}


def test_the_bounds_of_superior_ability_are_in_order():
    scores = np.random.default_rng(5).normal(size=(5, 300)) + np.array([[0.0], [0.0], [-0.05], [0.3], [0.5]])
    tested = comparison.superior_ability(scores, list("abcde"), benchmark="a", seed=1)
    assert tested.p_value_lower <= tested.p_value <= tested.p_value_upper
    assert comparison.superior_ability(scores, list("abcde"), benchmark="e", seed=1).p_value < 0.01


def test_resamples_run_in_blocks():
    rng = np.random.default_rng(1)
    index = comparison.stationary_bootstrap(500, block=20.0, simulations=200, rng=rng)
    assert index.min() >= 0
    assert index.max() < 500
    onward = (np.diff(index, axis=1) % 500 == 1).mean()
    assert onward == pytest.approx(0.95, abs=0.01)
    # Every date comes as often as any other.
    assert np.bincount(index.ravel(), minlength=500).std() / 200 < 0.4


def test_far_models_do_not_count_in_the_consistent_bound():
    """Many models far below the benchmark weaken the upper bound alone; near ones the consistent bound too."""
    rng = np.random.default_rng(6)
    shift = np.array([0.0, -0.12, *([1.0] * 8)])[:, None]
    tested = comparison.superior_ability(
        rng.normal(size=(10, 300)) + shift, [str(i) for i in range(10)], benchmark="0", seed=1, simulations=4_999
    )
    assert tested.best == "1"
    assert tested.p_value == pytest.approx(tested.p_value_lower, abs=1e-9)
    assert tested.p_value_upper > 2.0 * tested.p_value


def test_who_leaves_first_has_the_least_p_value():
    """Two models far behind and two that nothing parts: p-values never fall on the way, and the last has 1."""
    rng = np.random.default_rng(7)
    for seed in range(20):
        scores = rng.normal(size=(4, 200)) + np.array([0.0, 0.0, 0.15, 0.6])[:, None]
        by_name = {r.model: r for r in comparison.confidence_set(scores, list("abcd"), seed=seed).models}
        assert by_name["d"].p_value == min(rank.p_value for rank in by_name.values()) < 0.01
        assert max(by_name["a"].p_value, by_name["b"].p_value, by_name["c"].p_value) == 1.0
        assert by_name["d"].kept is False


def test_p_values_never_fall_on_the_way():
    """Two models equally behind: alone against the best, the second would look worse than the two together did."""
    noise = np.random.default_rng(12).normal(size=(3, 400))
    noise -= noise.mean(axis=1, keepdims=True)
    scores = noise + np.array([0.0, 0.13, 0.13])[:, None]
    together = {r.model: r.p_value for r in comparison.confidence_set(scores, list("abc"), seed=1).models}
    pairs = [
        {r.model: r.p_value for r in comparison.confidence_set(scores[[0, m]], ["a", name], seed=1).models}[name]
        for m, name in ((1, "b"), (2, "c"))
    ]
    assert together["b"] == together["c"] > max(pairs)
