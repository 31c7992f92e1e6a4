"""Tail estimates: NumPy's rules, other engines' results, weights as repetition, and errors that cover."""

import csv
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.measures.reduce import Measure, reduce_losses, standard_error
from crossmargin.measures.tail import estimate_tail

seeds = st.integers(0, 100_000)
levels = st.floats(0.5, 0.995)
RULES = ("inverted_cdf", "linear", "weibull", "median_unbiased")
rules = st.sampled_from(RULES)


def rows(seed: int, *, count: int = 3, scenarios: int = 150):
    return np.random.default_rng(seed).standard_t(4, (count, scenarios))


def test_historical_simulation_of_another_engine(shared):
    """Rule: the ⌈n·q⌉-th smallest P&L, and the mean up to it."""
    series = defaultdict(list)
    folder = shared / "vectors/hist_sim_var"
    lines = [line for line in (folder / "historical_PnL.csv").read_text().splitlines() if not line.startswith("#")]
    for *name, _, _, amount in csv.reader(lines):
        series[tuple(name)].append(float(amount))
    lines = [line for line in (folder / "var.csv").read_text().splitlines() if not line.startswith("#")]
    for *name, q01, q05, q95, q99, e01, e05, e95, e99 in csv.reader(lines):
        pnl = np.array([series[tuple(name)]])
        for q, quantile, shortfall in ((0.01, q01, e01), (0.05, q05, e05), (0.95, q95, e95), (0.99, q99, e99)):
            found = estimate_tail(pnl, 1.0 - q)
            assert -found.value_at_risk[0] == pytest.approx(float(quantile), rel=1e-8)
            assert -found.expected_shortfall[0] == pytest.approx(float(shortfall), rel=1e-8)


@given(seeds, levels, rules)
def test_equal_weights_are_numpys_rules(seed, level, rule):
    tail = 150 * (1.0 - level)
    assume(abs(tail - round(tail)) > 1e-9)  # NumPy takes 50.000000000000007 for the fifty-first.
    pnl = rows(seed)
    expected = -np.quantile(pnl, 1.0 - level, axis=1, method=rule)
    for weight in (None, np.full(150, 0.37)):
        found = estimate_tail(pnl, level, weight=weight, quantile_rule=rule)
        np.testing.assert_allclose(found.value_at_risk, expected, rtol=1e-9, atol=1e-12)
        assert found.effective == pytest.approx(150.0)


@given(seeds, levels)
def test_agrees_with_the_reduction_of_books(seed, level):
    pnl, weight = rows(seed), np.random.default_rng(seed).uniform(0.1, 1.0, 150)
    for w in (None, weight):
        found = estimate_tail(pnl, level, weight=w)
        for r in range(3):
            for kind, value in (
                ("value_at_risk", found.value_at_risk),
                ("expected_shortfall", found.expected_shortfall),
            ):
                assert value[r] == pytest.approx(reduce_losses(-pnl[r], Measure(kind=kind, level=level), weight=w)[0])
    shortfall = estimate_tail(pnl, level).expected_shortfall_error[0]
    assert shortfall == pytest.approx(
        standard_error(-pnl[0], Measure(kind="expected_shortfall", level=level)), rel=1e-6
    )


@given(seeds, levels, st.lists(st.integers(1, 4), min_size=40, max_size=40))
def test_a_weight_is_a_number_of_repetitions(seed, level, counts):
    pnl, weight = rows(seed, scenarios=40), np.array(counts, dtype=float)
    found = estimate_tail(pnl, level, weight=weight, shortfall_rule="weighted_tail")
    plain = estimate_tail(np.repeat(pnl, counts, axis=1), level, shortfall_rule="weighted_tail")
    np.testing.assert_allclose(found.value_at_risk, plain.value_at_risk)
    np.testing.assert_allclose(found.expected_shortfall, plain.expected_shortfall, rtol=1e-9, atol=1e-12)


@given(seeds, levels, rules, st.booleans())
def test_what_holds_for_every_rule(seed, level, rule, weighted):
    pnl = rows(seed)
    weight = np.random.default_rng(seed).uniform(0.0, 1.0, 150) if weighted else None
    found = estimate_tail(pnl, level, weight=weight, quantile_rule=rule)
    exact = estimate_tail(pnl, level, weight=weight, quantile_rule=rule, shortfall_rule="weighted_tail")
    plain = estimate_tail(pnl, level, weight=weight)
    assert (found.low <= found.high).all()
    assert (plain.low <= plain.value_at_risk).all()
    assert (plain.value_at_risk <= plain.high).all()
    assert (exact.expected_shortfall >= found.expected_shortfall - 1e-12).all()
    assert (found.expected_shortfall >= plain.value_at_risk - 1e-12).all()
    assert (found.value_at_risk_error >= 0.0).all()
    moved = estimate_tail(3.0 * pnl - 5.0, level, weight=weight, quantile_rule=rule)
    np.testing.assert_allclose(moved.value_at_risk, 3.0 * found.value_at_risk + 5.0, rtol=1e-9)
    np.testing.assert_allclose(
        moved.expected_shortfall_error, 3.0 * found.expected_shortfall_error, rtol=1e-6, atol=1e-12
    )


def test_the_exact_tail_is_subadditive_where_the_boundary_is_not_needed():
    a, b = rows(1, count=200), rows(2, count=200)
    together, one, other = (
        estimate_tail(x, 0.985, shortfall_rule="weighted_tail").expected_shortfall for x in (a + b, a, b)
    )
    assert (together <= one + other + 1e-12).all()


def test_bounds_cover_as_often_as_they_say():
    """Over many samples the true quantile lies within them in at least 95 %, and the error is the spread."""
    pnl = np.random.default_rng(0).normal(size=(4000, 500))
    found = estimate_tail(pnl, 0.95)
    inside = np.mean((found.low <= 1.6448536269514722) & (found.high >= 1.6448536269514722))
    assert 0.945 < inside < 0.975
    assert np.mean(found.value_at_risk_error) == pytest.approx(np.std(found.value_at_risk), rel=0.1)
    assert np.mean(found.expected_shortfall_error) == pytest.approx(np.std(found.expected_shortfall), rel=0.1)
    few = estimate_tail(pnl[:, :50], 0.99)
    assert np.isinf(few.high).all()


@pytest.mark.parametrize("bars", [2, 5, 20])
def test_windows_that_overlap_are_not_taken_for_independent(bars: int):
    """Over many pasts of normal moves the error is the spread or a quarter more; of independent ones a √h-th of it."""
    moves = np.random.default_rng(0).normal(size=(3000, 999 + bars))
    total = np.cumsum(np.pad(moves, ((0, 0), (1, 0))), axis=1)
    sums = total[:, bars:] - total[:, :-bars]
    found, plain = estimate_tail(sums, 0.975, overlap=bars), estimate_tail(sums, 0.975)
    assert found.effective == pytest.approx(1000 / bars)
    assert 1.0 < np.mean(found.expected_shortfall_error) / np.std(found.expected_shortfall) < 1.3
    np.testing.assert_allclose(found.expected_shortfall_error, np.sqrt(bars) * plain.expected_shortfall_error)
    np.testing.assert_array_equal(found.value_at_risk, plain.value_at_risk)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": 1.0}, "confidence level is 1.0"),
        ({"confidence": 0.0}, "confidence is 0.0"),
        ({"overlap": 4}, "overlap is 4"),
        ({"weight": np.array([1.0, -1.0, 1.0])}, "none negative"),
        ({"weight": np.zeros(3)}, "not all zero"),
        ({"weight": np.ones(2)}, "3 numbers"),
        ({"pnl": np.array([[1.0, np.nan, 2.0]])}, "P&L is nan"),
    ],
)
def test_what_is_refused(change, message):
    with pytest.raises(InvalidInput, match=message):
        estimate_tail(**({"pnl": np.zeros((1, 3)), "level": 0.99} | change))
