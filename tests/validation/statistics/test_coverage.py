"""Counts of exceptions and the times between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossmargin.validation.statistics import coverage
from crossmargin.validation.statistics.results import Conventions

# Kupiec (1995), table of non-rejection regions at 5 %, as extended by Jorion, "Value at Risk": rate, dates, lowest and
# highest count that is not rejected.
REGIONS = [
    (0.01, (255, 1, 6), (510, 2, 10), (1000, 5, 16)),
    (0.025, (255, 3, 11), (510, 7, 20), (1000, 16, 35)),
    (0.05, (255, 7, 20), (510, 17, 35), (1000, 38, 64)),
    (0.075, (255, 12, 27), (510, 28, 50), (1000, 60, 91)),
    (0.10, (255, 17, 35), (510, 39, 64), (1000, 82, 119)),
]
# Basel Committee (1996), table 2: cumulative probability in % of 0, 1, … 10 exceptions in 250 dates at 1 %.
CUMULATIVE = (8.11, 28.58, 54.32, 75.81, 89.22, 95.88, 98.63, 99.60, 99.89, 99.97, 99.99)

counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
rates = st.floats(0.001, 0.5)
marks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=60))


# MathWorks, Risk Management Toolbox documentation: `varbacktest/pof` (first two), "Proportion of failures" (last two).
@pytest.mark.parametrize(
    ("observations", "exceptions", "rate", "ratio", "p_value"),
    [
        (1043, 57, 0.05, 0.46147, 0.49694),
        (1043, 17, 0.01, 3.5118, 0.060933),
        (250, 3, 0.05, 10.812, 0.0010083),
        (250, 3, 0.01, 0.09494, 0.75799),
    ],
)
def test_published_ratios(observations, exceptions, rate, ratio, p_value):
    tested = coverage.pof(exceptions, observations, rate=rate)
    assert float(tested.statistic) == pytest.approx(ratio, rel=5e-5)
    assert float(tested.p_value) == pytest.approx(p_value, rel=5e-5)


@pytest.mark.parametrize(("rate", "regions"), [(row[0], row[1:]) for row in REGIONS])
def test_published_regions(rate, regions):
    for dates, lowest, highest in regions:
        kept = np.flatnonzero(~coverage.pof(np.arange(dates), dates, rate=rate).rejects(0.05))
        assert (kept.min(), kept.max()) == (lowest, highest)


def test_published_zones():
    light = coverage.traffic_light(np.arange(13), 250)
    assert np.round(100 * light.cumulative_probability[:11], 2).tolist() == list(CUMULATIVE)
    assert light.zone.tolist() == [0] * 5 + [1] * 5 + [2] * 3
    assert light.plus_factor[[4, 5, 6, 7, 8, 9, 10, 12]].tolist() == [0, 0.40, 0.50, 0.65, 0.75, 0.85, 1.00, 1.00]
    assert light.multiplier[[4, 5, 6, 7, 8, 9, 10, 12]].tolist() == [1.5, 1.70, 1.76, 1.83, 1.88, 1.92, 2.00, 2.00]


def test_other_samples_have_zones_and_no_table():
    light = coverage.traffic_light([2, 30], [500, 1000], rate=0.01).at((1,), Conventions())
    assert (light.zone, light.plus_factor, light.multiplier) == ("red", None, None)


@given(counts, rates)
def test_the_ratio_is_least_at_the_rate_and_grows_to_either_side(count, rate):
    exceptions, dates = count
    ratio = coverage.pof(np.arange(dates + 1), dates, rate=rate).statistic
    nearest = dates * rate
    assert (np.diff(ratio[np.arange(dates + 1) >= nearest]) >= -1e-9).all()
    assert (np.diff(ratio[np.arange(dates + 1) <= nearest]) <= 1e-9).all()
    assert coverage.pof(exceptions, dates, rate=rate).side == np.sign(exceptions - nearest)


@given(counts, rates)
def test_tails_are_sums_of_probabilities(count, rate):
    exceptions, dates = count
    tails = coverage.binomial_tails(exceptions, dates, rate=rate)
    rest = coverage.binomial_tails(exceptions - 1, dates, rate=rate).lower if exceptions else 0.0
    assert float(tails.upper + rest) == pytest.approx(1.0, abs=1e-12)
    assert float(coverage.binomial(exceptions, dates, rate=rate).p_value) <= 1.0


def test_tails_of_a_die():
    """Of two throws no six, one or two: 25, 10 and 1 of 36."""
    tails = coverage.binomial_tails([0, 1, 2], 2, rate=1 / 6)
    assert tails.lower * 36 == pytest.approx([25, 35, 36])
    assert tails.upper * 36 == pytest.approx([36, 11, 1])


@given(marks, rates)
def test_mixed_test_adds_up_and_nothing_is_negative(series, rate):
    mixed, gaps = coverage.tbf(series, rate=rate), coverage.tbfi(series, rate=rate)
    counted = coverage.pof(series.sum(axis=-1), series.shape[-1], rate=rate)
    assert mixed.statistic == pytest.approx(gaps.statistic + counted.statistic)
    assert (mixed.degrees_of_freedom == series.sum(axis=-1) + 1).all()
    for tested in (mixed, gaps, counted, coverage.tuff(series, rate=rate)):
        assert tested.statistic.shape == series.shape[:-1]
        assert (tested.statistic >= 0.0).all()
        assert ((tested.p_value >= 0.0) & (tested.p_value <= 1.0)).all()


@given(marks, rates)
def test_one_exception_is_one_gap(series, rate):
    alone = np.zeros_like(series)
    alone[..., series.shape[-1] // 2] = True
    assert coverage.tbfi(alone, rate=rate).statistic == pytest.approx(coverage.tuff(alone, rate=rate).statistic)


def test_a_series_that_never_fails_says_so():
    tested = coverage.tuff(np.zeros(500, bool), rate=0.01).at((), Conventions())
    assert (tested.flag, tested.side) == ("no_exceptions", "overstated")
    assert tested.statistic == pytest.approx(-1000 * np.log(0.99))
    assert coverage.tbfi(np.zeros(500, bool), rate=0.01).at((), Conventions()).p_value == 1.0


def test_an_exception_is_a_loss_beyond_the_margin():
    """A loss of exactly the margin is covered."""
    assert coverage.exceptions([[-10.0, -10.5, 3.0]], [[10.0, 10.0, 0.0]]).tolist() == [[False, True, False]]


def test_overlapping_horizons_are_flagged():
    tested = coverage.pof(9, 250, rate=0.01).at((), Conventions(horizon_rule="overlapping", horizon_days=3.0))
    assert (tested.flag, tested.side, tested.conventions.horizon_days) == ("overlapping", "understated", 3.0)
