"""Exceptions that come in runs, or that the forecast itself foretells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossmargin.validation.statistics import independence
from crossmargin.validation.statistics.coverage import joined, pof
from crossmargin.validation.statistics.independence import (
    Transitions,
    conditional_coverage,
    dynamic_quantile,
    transitions,
)
from crossmargin.validation.statistics.results import Conventions

marks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=1, max_dims=2, min_side=2, max_side=60))


def test_published_transitions():
    """MathWorks, `varbacktest/cci` and `varbacktest/cc`: model Normal95."""
    alone = independence.independence(Transitions(*map(np.asarray, (932, 53, 53, 4))))
    assert float(alone.statistic) == pytest.approx(0.25866, rel=5e-5)
    assert float(alone.p_value) == pytest.approx(0.61104, rel=5e-5)
    both = joined("conditional_coverage", pof(57, 1043, rate=0.05), alone)
    assert float(both.statistic) == pytest.approx(0.72013, rel=5e-5)
    assert float(both.p_value) == pytest.approx(0.69763, rel=5e-5)
    assert int(both.degrees_of_freedom) == 2


@given(marks)
def test_pairs_are_all_counted(series):
    pairs = transitions(series)
    assert (sum(pairs) == series.shape[-1] - 1).all()
    assert (pairs.n01 + pairs.n11 == series[..., 1:].sum(axis=-1)).all()


@given(marks, st.floats(0.001, 0.5))
def test_undefined_series_have_a_statistic_and_a_flag(series, rate):
    tested = conditional_coverage(series, rate=rate)
    assert np.isfinite(tested.statistic).all()
    assert (tested.flag[~series.any(axis=-1)] > 0).all()


@pytest.mark.parametrize(
    ("series", "flag"),
    [
        ([0, 0, 0, 0, 0], "no_exceptions"),
        ([0, 1, 0, 1, 0], "no_pairs"),
        ([0, 0, 0, 0, 1], "no_pairs"),
        ([1, 1, 1, 1, 1], "all_exceptions"),
        ([0, 1, 1, 0, 0], ""),
    ],
)
def test_flags(series, flag):
    tested = independence.independence(transitions(np.array(series))).at((), Conventions())
    assert tested.flag == flag
    assert tested.statistic is not None


def test_runs_are_seen_and_have_a_side():
    runs, alone = np.zeros(1000, bool), np.zeros(1000, bool)
    runs[500:520], alone[::50] = True, True
    tested = independence.independence(transitions(np.stack([runs, alone])))
    assert tested.rejects(1e-6).tolist() == [True, False]
    assert tested.side.tolist() == [1, -1]


def test_dynamic_quantile_is_the_textbook_regression():
    """b'X'X b/(p(1 − p)) with b by least squares, on a series where all regressors move."""
    rng = np.random.default_rng(5)
    series, forecast = rng.random(400) < 0.1, rng.uniform(1.0, 3.0, 400)
    hit = series - 0.1
    columns = [np.ones(396), forecast[4:], *(hit[4 - k : 400 - k] for k in range(1, 5))]
    regressors = np.stack(columns, axis=1)
    beta = np.linalg.lstsq(regressors, hit[4:], rcond=None)[0]
    expected = beta @ regressors.T @ regressors @ beta / (0.1 * 0.9)
    tested = dynamic_quantile(series, forecast, rate=0.1)
    assert float(tested.statistic) == pytest.approx(expected, rel=1e-10)
    assert int(tested.degrees_of_freedom) == 6


@given(st.integers(0, 1000), st.floats(1e-6, 1e9))
def test_dynamic_quantile_has_no_unit_and_no_level(seed, scale):
    rng = np.random.default_rng(seed)
    series, forecast = rng.random((3, 200)) < 0.1, rng.uniform(1.0, 3.0, (3, 200))
    one = dynamic_quantile(series, forecast, rate=0.1)
    other = dynamic_quantile(series, scale * forecast, rate=0.1)
    assert other.statistic == pytest.approx(one.statistic, rel=1e-6)
    assert (other.degrees_of_freedom == one.degrees_of_freedom).all()


def test_a_constant_forecast_costs_a_degree_of_freedom():
    series = np.random.default_rng(1).random(500) < 0.05
    still = dynamic_quantile(series, np.full(500, 0.1), rate=0.05)
    assert (int(still.degrees_of_freedom), still.at((), Conventions()).flag) == (5, "collinear")
    assert int(dynamic_quantile(series, np.linspace(1.0, 1.1, 500), rate=0.05).degrees_of_freedom) == 6


def test_without_exceptions_only_the_constant_is_left():
    tested = dynamic_quantile(np.zeros(500, bool), np.linspace(1.0, 2.0, 500), rate=0.01)
    assert tested.at((), Conventions()).flag == "no_exceptions"
    assert float(tested.statistic) == pytest.approx(496 * 0.01 / 0.99)
