"""A rate limit lets through what it says, never more, and says when the rest will pass."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.transfers.buckets import Bucket, available, messages, take, wait_s
from spec import transfers as spec

rates = st.fractions(min_value=0, max_value=50, max_denominator=60)


@st.composite
def buckets(draw) -> Bucket:
    capacity = draw(st.integers(0, 10_000))
    return Bucket(capacity=capacity, refill_per_s=draw(rates), left=draw(st.integers(0, capacity)), time_ns=0)


@given(buckets(), st.integers(0, 400))
def test_it_fills_as_second_by_second(bucket, seconds):
    slow = spec.available(bucket.capacity, bucket.refill_per_s, bucket.left, seconds)
    assert available(bucket, seconds * SECOND_NS) == slow


@given(buckets(), st.lists(st.tuples(st.integers(0, 100), st.integers(0, 12_000)), max_size=8))
def test_never_more_passes_than_was_there_and_flowed_in(bucket, asked):
    now, passed, standing = 0, 0, bucket
    for seconds, amount in asked:
        now += seconds * SECOND_NS
        grant = take(standing, amount, now)
        if not grant.passed:
            assert grant.bucket == standing
        passed += amount * grant.passed
        standing = grant.bucket
    assert passed <= bucket.left + bucket.refill_per_s * Fraction(now, SECOND_NS)


@given(buckets(), st.integers(1, 12_000))
def test_after_the_wait_it_passes_and_not_a_second_before(bucket, amount):
    wait = wait_s(bucket, amount, 0)
    if amount > bucket.capacity:
        assert not take(bucket, amount, 0).passed
        assert take(bucket, amount, 0).wait_s is None
    elif wait is not None:
        due_ns = -(-wait * SECOND_NS // 1)
        assert take(bucket, amount, int(due_ns)).passed
        if wait > 1:
            assert not take(bucket, amount, int(due_ns) - SECOND_NS).passed


def test_published_lane():
    """CCIP's WETH lane from Ethereum to Arbitrum (August 2026): empty, it is full again after 3,600 s."""
    lane = Bucket(capacity=90_750_000_000_000_000_000, refill_per_s=Fraction(25_208_333_333_333_333), left=0, time_ns=0)
    wait = wait_s(lane, lane.capacity, 0)
    assert wait is not None
    assert abs(wait - 3_600) < 1
    assert messages(lane, 200 * 10**18) == 3


def test_a_closed_lane_is_said():
    closed = Bucket(capacity=0, refill_per_s=Fraction(0), left=0, time_ns=5)
    assert wait_s(closed, 1, 5) is None
    with pytest.raises(InvalidInput, match="capacity"):
        messages(closed, 1)
    with pytest.raises(InvalidInput, match="not before 5"):
        available(closed, 4)
    with pytest.raises(InvalidInput, match="bucket"):
        Bucket(capacity=1, refill_per_s=Fraction(0), left=2, time_ns=0)
