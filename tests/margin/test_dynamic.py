"""Tools against procyclicality: what holds on every series, and the arithmetic by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.dynamic import (
    Buffer,
    Tools,
    buffered,
    dynamic,
    floored,
    margin_calls,
    stressed_weight,
)

amounts = st.floats(1.0, 1e6)
series = arrays(float, st.integers(1, 30), elements=amounts)
rules = st.builds(
    Buffer,
    size=st.floats(0.001, 1.0),
    trigger=st.floats(0.0, 0.5),
    rise_bars=st.integers(1, 8),
    replenish_bars=st.integers(1, 20),
)


@given(series, rules)
def test_a_buffer_lies_between_nothing_and_its_size(margin, rule):
    found = buffered(margin, rule)
    assert (found.held >= margin).all()
    assert (found.held <= margin * (1.0 + rule.size) * (1.0 + 1e-12)).all()
    assert ((found.share >= 0.0) & (found.share <= 1.0)).all()


@given(series, rules)
def test_a_release_never_asks_for_more_than_the_margin_without_it_needs(margin, rule):
    found = buffered(margin, rule)
    for change in found.log():
        if change.after < change.before:
            assert found.held[change.bar] <= max(found.held[change.bar - 1], margin[change.bar]) * (1.0 + 1e-12)


@given(series, rules, st.integers(0, 29))
def test_what_comes_later_changes_nothing(margin, rule, bar):
    whole, cut = buffered(margin, rule), buffered(margin[: bar + 1], rule)
    np.testing.assert_array_equal(whole.held[: bar + 1], cut.held)


@given(arrays(float, (3, 12), elements=amounts), rules)
def test_many_series_are_each_alone(margin, rule):
    together = buffered(margin, rule)
    for row, alone in enumerate(margin):
        np.testing.assert_array_equal(together.held[row], buffered(alone, rule).held)
    places = [(change.series[0], change.bar) for change in together.log()]
    moved = np.argwhere(np.diff(together.share, axis=-1))
    assert places == [(int(row), int(bar) + 1) for row, bar in moved]


def test_the_log_names_each_release_and_replenishment():
    rule = Buffer(size=0.25, trigger=0.1, rise_bars=1, replenish_bars=4)
    found = buffered(np.array([100.0, 100.0, 120.0, 150.0, 150.0, 150.0, 150.0]), rule)
    # 125 is held until 120 has eaten a sixth of 25 %: 125/120 − 1 = 1/24, of 1/4 that is 1/6; then nothing is left.
    np.testing.assert_allclose(found.held, [125.0, 125.0, 125.0, 150.0, 159.375, 168.75, 178.125])
    log = found.log()
    assert [change.bar for change in log] == [2, 3, 4, 5, 6]
    assert (log[0].before, log[0].after) == (1.0, pytest.approx(1.0 / 6.0))
    assert (log[1].after, log[1].margin, log[1].held) == (0.0, 150.0, 150.0)
    assert log[2].after == pytest.approx(0.25)


@given(series, st.floats(0.0, 1.0))
def test_the_stressed_weight_lies_between_its_two_margins(margin, weight):
    stressed = 2.0 * margin
    found = stressed_weight(margin, stressed, weight=weight)
    np.testing.assert_allclose(found, margin * (1.0 + weight), rtol=1e-12)


def test_tools_act_in_their_order():
    margin, stressed, long_run = np.array([100.0, 40.0]), np.array([200.0, 200.0]), np.array([90.0, 90.0])
    tools = Tools(stressed_weight=0.25, floor=True, buffer=Buffer(size=0.25))
    np.testing.assert_allclose(dynamic(margin, tools, stressed=stressed, long_run=long_run).held, [156.25, 112.5])
    np.testing.assert_allclose(dynamic(margin, Tools(floor=True), long_run=long_run).held, [100.0, 90.0])
    np.testing.assert_array_equal(dynamic(margin, Tools()).held, margin)
    np.testing.assert_array_equal(floored(margin, long_run), [100.0, 90.0])


def test_a_call_comes_above_the_trigger_and_brings_collateral_to_the_requirement():
    asked, there = np.array([100.0, 109.0, 115.0, 130.0, 130.0]), np.array([100.0, 100.0, 100.0, 90.0, 90.0])
    found = margin_calls(asked, there)
    # 109 is within 110 %; 115 calls 15; 90 + 15 against 130 calls 25 more.
    np.testing.assert_allclose(found.called, [0.0, 0.0, 15.0, 25.0, 0.0])
    np.testing.assert_allclose(found.posted, [0.0, 0.0, 0.0, 15.0, 40.0])


@given(arrays(float, (2, 20), elements=st.floats(0.0, 1e6)), st.floats(1.0, 2.0))
def test_after_a_call_the_requirement_of_its_bar_is_covered(figures, trigger):
    asked, there = figures[0], figures[1] - 5e5
    found = margin_calls(asked, there, trigger=trigger)
    held = there + found.posted + found.called
    called = found.called > 0.0
    np.testing.assert_allclose(held[called], asked[called], rtol=1e-9, atol=1e-9)
    assert (asked <= trigger * np.maximum(held, 0.0) + 1e-6 * (1.0 + asked)).all() or (held < 0.0).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: buffered(np.array([1.0, -2.0]), Buffer()), r"bar 1.*-2.*not negative"),
        (lambda: buffered(np.array([1.0, np.nan]), Buffer()), r"bar 1.*finite"),
        (lambda: dynamic(np.array([1.0]), Tools(floor=True)), r"long-run margin.*missing"),
        (lambda: margin_calls(np.array([1.0]), np.array([1.0]), trigger=0.9), "trigger of a call"),
        (lambda: Buffer(size=-0.1), "buffer"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
