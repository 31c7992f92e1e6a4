"""Measures: published historical-simulation results, and what must hold for every account."""

import csv
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.measures.kernels.reduce import losses_rows, order_losses_rows, worst_rows
from crossmargin.measures.reduce import Measure, reduce_losses, reduce_rows, standard_error, tail_weights

KINDS = ("worst", "value_at_risk", "expected_shortfall")
measures = st.builds(Measure, kind=st.sampled_from(KINDS), level=st.floats(0.5, 0.999))
subadditive = st.builds(Measure, kind=st.sampled_from(("worst", "expected_shortfall")), level=st.floats(0.5, 0.999))


def book(seed: int, *, rows: int = 7, instruments: int = 6, scenarios: int = 40, entries: int = 40):
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, entries + 1, rows - 1))
    ptr = np.concatenate([[0], cuts, [entries]])
    index = rng.integers(0, instruments, entries).astype(np.int32)
    return ptr, index, rng.normal(0.0, 5.0, entries), rng.standard_t(3, (instruments, scenarios)) * 100.0


seeds = st.integers(0, 100_000)


def table(path):
    return list(csv.reader(line for line in path.read_text().splitlines() if not line.startswith("#")))


def test_historical_simulation_of_another_engine(shared):
    """Quantile: the ceil(n·q)-th smallest P&L; expected shortfall: the mean up to it. Upper quantiles are of −P&L."""
    series = defaultdict(list)
    for *name, _, _, amount in table(shared / "vectors/hist_sim_var/historical_PnL.csv"):
        series[tuple(name)].append(float(amount))
    levels = (0.01, 0.05)
    for *name, q01, q05, _, _, e01, e05, _, _ in table(shared / "vectors/hist_sim_var/var.csv"):
        pnl = np.array([series[tuple(name)]])
        one = (np.array([0, 1]), np.array([0]), np.array([1.0]))
        for q, quantile, shortfall in zip(levels, (q01, q05), (e01, e05), strict=True):
            var, _ = reduce_rows(*one, pnl, Measure(kind="value_at_risk", level=1.0 - q))
            es, _ = reduce_rows(*one, pnl, Measure(kind="expected_shortfall", level=1.0 - q))
            assert -var[0] == pytest.approx(float(quantile), rel=1e-8)
            assert -es[0] == pytest.approx(float(shortfall), rel=1e-8)


@given(seeds, measures, st.booleans())
def test_rows_agree_with_one_row_at_a_time(seed, measure, weighted):
    ptr, index, quantity, pnl = book(seed)
    weight = np.random.default_rng(seed).uniform(0.1, 1.0, pnl.shape[1]) if weighted else None
    risk, scenario = reduce_rows(ptr, index, quantity, pnl, measure, weight=weight)
    losses = losses_rows(ptr, index, quantity, pnl)
    for r in range(ptr.size - 1):
        if ptr[r] == ptr[r + 1]:
            assert (risk[r], scenario[r]) == (0.0, -1)
            continue
        assert reduce_losses(losses[r], measure, weight=weight) == pytest.approx((risk[r], scenario[r]), rel=1e-12)


@given(seeds, measures, st.booleans())
def test_risk_is_the_weighted_sum_of_losses(seed, measure, weighted):
    """Euler: with the weights of the whole, the contributions of the parts add up to the risk of the whole."""
    rng = np.random.default_rng(seed)
    losses = rng.normal(0.0, 100.0, 60)
    weight = rng.uniform(0.1, 1.0, 60) if weighted else None
    shares = tail_weights(losses, measure, weight=weight)
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0.0).all()
    assert shares @ losses == pytest.approx(reduce_losses(losses, measure, weight=weight)[0])


@given(seeds, subadditive)
def test_netting_never_costs_more_than_standing_alone(seed, measure):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0.0, 100.0, (2, 50))
    together = reduce_losses(a + b, measure)[0]
    apart = reduce_losses(a, measure)[0] + reduce_losses(b, measure)[0]
    assert together <= apart + 1e-9


@given(seeds, measures, st.floats(0.0, 1e4))
def test_scales_with_the_position(seed, measure, size):
    ptr, index, quantity, pnl = book(seed)
    one, _ = reduce_rows(ptr, index, quantity, pnl, measure)
    many, _ = reduce_rows(ptr, index, quantity * size, pnl, measure)
    np.testing.assert_allclose(many, size * one, rtol=1e-9, atol=1e-6)


@given(seeds, st.floats(0.5, 0.99), st.floats(0.001, 0.009))
def test_worst_above_shortfall_above_quantile(seed, level, more):
    args = book(seed)
    worst, _ = reduce_rows(*args, Measure())
    shortfall, _ = reduce_rows(*args, Measure(kind="expected_shortfall", level=level))
    stricter, _ = reduce_rows(*args, Measure(kind="expected_shortfall", level=level + more))
    quantile, _ = reduce_rows(*args, Measure(kind="value_at_risk", level=level))
    slack = 1e-9 * np.abs(worst)
    assert (worst >= stricter - slack).all()
    assert (stricter >= shortfall - slack).all()
    assert (shortfall >= quantile - slack).all()


@given(seeds, st.permutations(range(40)), measures)
def test_order_of_scenarios_changes_nothing(seed, order, measure):
    ptr, index, quantity, pnl = book(seed)
    risk, _ = reduce_rows(ptr, index, quantity, pnl, measure)
    shuffled, _ = reduce_rows(ptr, index, quantity, np.ascontiguousarray(pnl[:, list(order)]), measure)
    np.testing.assert_allclose(shuffled, risk, rtol=1e-12)


@given(seeds)
def test_equal_weights_are_no_weights(seed):
    args, measure = book(seed), Measure(kind="expected_shortfall", level=0.9)
    plain, _ = reduce_rows(*args, measure)
    equal, _ = reduce_rows(*args, measure, weight=np.full(40, 0.3))
    nearly = np.full(40, 0.3)
    nearly[0] *= 1.0 + 1e-15
    np.testing.assert_array_equal(equal, plain)
    np.testing.assert_allclose(reduce_rows(*args, measure, weight=nearly)[0], plain, rtol=1e-12)


def test_threads_and_single_precision_change_little_or_nothing():
    ptr, index, quantity, pnl = book(5, rows=3000, instruments=30, scenarios=200, entries=60_000)
    for measure in (Measure(), Measure(kind="expected_shortfall", level=0.95)):
        one, where = reduce_rows(ptr, index, quantity, pnl, measure)
        two, also = reduce_rows(ptr, index, quantity, pnl, measure, threads=2)
        np.testing.assert_array_equal(two, one)
        np.testing.assert_array_equal(also, where)
        single, _ = reduce_rows(ptr, index, quantity, pnl.astype(np.float32), measure)
        np.testing.assert_allclose(single, one, rtol=1e-5)


@pytest.mark.parametrize("instruments", [6, 600])  # with tiles, and without
def test_the_first_of_equal_scenarios_is_named(instruments):
    ptr, index, quantity, _ = book(1, instruments=instruments)
    pnl = np.repeat(np.random.default_rng(0).normal(0.0, 1.0, (instruments, 20)), 7, axis=1)
    _, scenario = worst_rows(ptr, index, quantity, pnl)
    assert (scenario % 7 == 0).all()


@pytest.mark.parametrize("instruments", [6, 600])
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_broken_numbers_stop_everything(instruments, broken):
    ptr, index, quantity, pnl = book(2, instruments=instruments)
    pnl[index[3], 11] = broken
    for measure in (Measure(), Measure(kind="expected_shortfall", level=0.9)):
        with pytest.raises(AssertionError, match="finite"):
            reduce_rows(ptr, index, quantity, pnl, measure)
    with pytest.raises(AssertionError, match="quantities are finite"):
        reduce_rows(ptr, index, quantity * broken, np.ones_like(pnl), Measure())


def test_rows_must_fit_the_matrix():
    ptr, index, quantity, pnl = book(3)
    with pytest.raises(AssertionError, match="rows of the P&L"):
        reduce_rows(ptr, index + 6, quantity, pnl, Measure())
    with pytest.raises(AssertionError, match="number of positions"):
        reduce_rows(ptr[:-2], index, quantity, pnl, Measure())


def test_without_scenarios_or_positions_there_is_no_risk():
    ptr, index, quantity, pnl = book(4)
    for got in (
        reduce_rows(ptr, index, quantity, pnl[:, :0], Measure()),
        reduce_rows(np.zeros(8, np.int64), index[:0], quantity[:0], pnl, Measure()),
    ):
        np.testing.assert_array_equal(got[0], np.zeros(7))
        np.testing.assert_array_equal(got[1], np.full(7, -1))
    assert reduce_losses(np.zeros(0), Measure()) == (0.0, -1)


@given(seeds)
def test_orders_at_their_worst_fill(seed):
    """The worst scenario with orders is the worst over every set of fills."""
    rng = np.random.default_rng(seed)
    pnl, held = rng.normal(0.0, 10.0, (4, 12)), rng.normal(0.0, 5.0, 4)
    ordered, gain = rng.normal(0.0, 5.0, 4), rng.normal(0.0, 20.0, 4)
    row = (np.array([0, 4]), np.arange(4, dtype=np.int32))
    losses = losses_rows(*row, held, pnl)[0] + order_losses_rows(*row, ordered, gain, pnl)[0]
    fills = np.array(np.meshgrid(*[[0.0, 1.0]] * 4)).reshape(4, -1).T
    every = -(held @ pnl) - (fills * ordered) @ pnl - (fills @ gain)[:, None]
    assert losses.max() == pytest.approx(every.max())


def test_standard_errors_cover_the_sampling_error():
    """Over many samples the stated error is near the spread of the estimate."""
    rng = np.random.default_rng(0)
    for measure in (Measure(kind="value_at_risk", level=0.95), Measure(kind="expected_shortfall", level=0.95)):
        samples = rng.normal(0.0, 1.0, (400, 1000))
        risks = [reduce_losses(sample, measure)[0] for sample in samples]
        stated = np.mean([standard_error(sample, measure) for sample in samples])
        assert stated == pytest.approx(np.std(risks), rel=0.15)
    assert np.isnan(standard_error(samples[0], Measure()))
