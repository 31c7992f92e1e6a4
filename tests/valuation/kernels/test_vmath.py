"""The vector maths against the C library, place by place."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.compile import compiled
from crossmargin.valuation.kernels import vmath


@compiled()
def exps(x, out):
    for i in range(x.size):
        out[i] = vmath.exp_(x[i])


@compiled()
def logs(x, out):
    for i in range(x.size):
        out[i] = vmath.log_(x[i])


@compiled()
def cdfs(x, out):
    for i in range(x.size):
        out[i] = vmath.ndtr_(x[i])


@compiled()
def mills(x, out):
    for i in range(x.size):
        out[i] = vmath.mills_top_(x[i]) / vmath.mills_bottom_(x[i])


@compiled()
def mills_losses(x, out):
    for i in range(x.size):
        out[i] = vmath.mills_loss_top_(x[i]) / vmath.mills_loss_bottom_(x[i])


def over(loop, x):
    out = np.empty_like(x)
    loop(x, out)
    return out


def fraction(x: float) -> float:
    """Mills' ratio by its continued fraction (Laplace), which converges fast for large x."""
    tail = 0.0
    for k in range(400, 0, -1):
        tail = k / (x + tail)
    return 1.0 / (x + tail)


@given(st.lists(st.floats(-708.0, 709.0), min_size=1, max_size=70))
def test_exp_is_within_two_units_in_the_last_place(x):
    x = np.array(x)
    np.testing.assert_allclose(over(exps, x), [math.exp(t) for t in x], rtol=4e-16)


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=70))
def test_log_is_within_two_units_in_the_last_place(x):
    x = np.array(x)
    np.testing.assert_allclose(over(logs, x), [math.log(t) for t in x], rtol=4e-16, atol=1e-300)


def test_log_near_one_keeps_its_digits():
    x = 1.0 + np.linspace(-1e-6, 1e-6, 1001)
    np.testing.assert_allclose(over(logs, x), [math.log(t) for t in x], rtol=4e-16, atol=0.0)


@given(st.lists(st.floats(-37.0, 9.0), min_size=1, max_size=70))
def test_ndtr_keeps_its_digits_in_the_tail(x):
    x = np.array(x)
    expected = [0.5 * math.erfc(-t / math.sqrt(2.0)) for t in x]
    # −t/√2 is rounded before erfc, which in the tail costs t²/2 units of rounding.
    np.testing.assert_allclose(over(cdfs, x) / expected, 1.0, rtol=0.0, atol=2e-15 + 4e-16 * float(x.min()) ** 2)


def test_mills_ratio_and_what_it_lacks():
    x = np.concatenate([np.linspace(3.0, 60.0, 500), [1e3, 1e6]])
    expected = np.array([fraction(t) for t in x])
    np.testing.assert_allclose(over(mills, x), expected, rtol=2e-15)
    small = np.linspace(0.0, 3.0, 301)
    by_erfc = [math.sqrt(math.pi / 2.0) * math.exp(0.5 * t * t) * math.erfc(t / math.sqrt(2.0)) for t in small]
    np.testing.assert_allclose(over(mills, small), by_erfc, rtol=4e-15)
    np.testing.assert_allclose(over(mills_losses, small), 1.0 - small * np.array(by_erfc), rtol=0.0, atol=4e-15)
    # 1 − x·M(x) = c/(x + c) with c = 1/(x + 2/(x + …)): the same fraction one step later.
    later = np.array([1.0 / (1.0 / fraction(t)) * (1.0 / fraction(t) - t) for t in x[:500]])
    np.testing.assert_allclose(over(mills_losses, x[:500]), later, rtol=1e-12)


@pytest.mark.parametrize("loop", [exps, cdfs])
def test_ends_and_nan(loop):
    low, high, nan = over(loop, np.array([-1e9, 1e9, np.nan]))
    assert low == 0.0
    assert high >= 1.0
    assert np.isnan(nan)


@given(st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=70))
def test_place_in_the_array_does_not_matter(x):
    """Vector body and scalar remainder of a loop give the same bits."""
    x = np.array(x)
    for loop in (exps, cdfs):
        alone = [over(loop, x[i : i + 1])[0] for i in range(x.size)]
        assert over(loop, x).tolist() == alone
