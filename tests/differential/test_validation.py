"""Statistics over many series against one series at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossmargin.validation.statistics import coverage, independence, scoring
from spec.validation import likelihood_ratios as spec
from spec.validation import scores

marks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=40))
rates = st.floats(0.001, 0.5)
close = {"rel": 1e-9, "abs": 1e-9}


@given(marks, rates)
def test_likelihood_ratios(series, rate):
    found = {
        spec.tuff: coverage.tuff(series, rate=rate),
        spec.tbfi: coverage.tbfi(series, rate=rate),
        spec.tbf: coverage.tbf(series, rate=rate),
        spec.conditional_coverage: independence.conditional_coverage(series, rate=rate),
    }
    for row, one in enumerate(series.astype(int).tolist()):
        for twin, tested in found.items():
            assert tested.statistic[row] == pytest.approx(twin(one, rate), **close), twin.__name__


@given(marks, rates)
def test_counts(series, rate):
    pairs = independence.transitions(series)
    alone = independence.independence(pairs)
    counted = coverage.pof(series.sum(axis=-1), series.shape[-1], rate=rate)
    for row, one in enumerate(series.astype(int).tolist()):
        assert tuple(int(count[row]) for count in pairs) == spec.transitions(one)
        assert alone.statistic[row] == pytest.approx(spec.independence(*spec.transitions(one)), **close)
        assert counted.statistic[row] == pytest.approx(spec.pof(sum(one), len(one), rate), **close)


@given(st.lists(st.tuples(st.floats(-50.0, 50.0), st.floats(-20.0, -0.01), st.floats(0.0, 5.0)), min_size=1), rates)
def test_scores(rows, q):
    pnl, quantile, beyond = map(np.array, zip(*rows, strict=True))
    shortfall = quantile - beyond
    pinball = scoring.pinball(pnl, quantile, q=q)
    fz0 = scoring.fz0(pnl, quantile, shortfall, q=q)
    for date in range(len(rows)):
        x, v, e = float(pnl[date]), float(quantile[date]), float(shortfall[date])
        assert pinball[date] == pytest.approx(scores.pinball(x, v, q), **close)
        assert fz0[date] == pytest.approx(scores.fz0(x, v, e, q), **close)
