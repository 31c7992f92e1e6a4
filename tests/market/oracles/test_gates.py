"""Each way in which a quote can be wrong is seen, named, and stops nobody else."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.gates import accepted, age_limit_s, refusal
from crossmargin.market.oracles.quotes import Sequencer
from tests.market.oracles.made_up import NOW_NS, RULES, feed, quote

PUSH = feed("push", kind="push", heartbeat_s=3_600.0, decimals=8, chain="eip155:42161")
GOOD = quote("push", 100.0, feed=PUSH, decimals=8)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"price": math.nan}, "not a positive number"),
        ({"price": 0.0}, "not a positive number"),
        ({"price": -1.0}, "not a positive number"),
        ({"price": math.inf}, "not a positive number"),
        ({"confidence": 1.01}, "is not within"),
        ({"confidence": math.nan}, "is not within"),
        ({"confidence": -0.1}, "is not within"),
        ({"decimals": 18}, "18 decimals, expected 8"),
        ({"decimals": None}, "None decimals, expected 8"),
        ({"quorum_ok": False}, "below their quorum"),
        ({"publish_ns": NOW_NS + 61 * SECOND_NS}, "from the future"),
        ({"seen_ns": NOW_NS + 1}, "from the future"),
        ({"publish_ns": NOW_NS - 4_021 * SECOND_NS}, "4021 s old, limit 4020 s"),
        ({"publish_ns": 0}, "old, limit"),
        ({"publish_ns": -(2**256)}, "old, limit"),
    ],
)
def test_refused_with_its_reason(changed, reason: str):
    assert refusal(GOOD, RULES, now_ns=NOW_NS) == ""
    assert reason in refusal(replace(GOOD, **changed), RULES, now_ns=NOW_NS)


def test_a_late_heartbeat_and_a_slightly_fast_clock_pass():
    assert age_limit_s(PUSH, RULES) == pytest.approx(4_020.0)
    for publish_ns in (NOW_NS - 4_020 * SECOND_NS, NOW_NS + 60 * SECOND_NS):
        assert refusal(replace(GOOD, publish_ns=publish_ns), RULES, now_ns=NOW_NS) == ""


@pytest.mark.parametrize(
    ("sequencer", "reason"),
    [
        (None, "is not known"),
        (Sequencer(up=False, since_ns=NOW_NS - SECOND_NS), "sequencer down"),
        (Sequencer(up=True, since_ns=NOW_NS - 3_600 * SECOND_NS), "grace"),
        (Sequencer(up=True, since_ns=NOW_NS + SECOND_NS), "grace"),
        (Sequencer(up=True, since_ns=NOW_NS - 3_601 * SECOND_NS), ""),
    ],
)
def test_prices_of_an_l2_wait_for_its_sequencer(sequencer, reason: str):
    said = refusal(GOOD, RULES, now_ns=NOW_NS, sequencers={"eip155:42161": sequencer})
    assert (reason in said) if reason else said == ""


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(0, 60))
def test_age_only_takes_away(ages_s: list[int], later_s: int):
    quotes = [quote(f"s{i}", 100.0, age_s=age) for i, age in enumerate(ages_s)]
    now, _ = accepted(quotes, RULES, now_ns=NOW_NS)
    then, _ = accepted(quotes, RULES, now_ns=NOW_NS + later_s * SECOND_NS)
    assert set(then) <= set(now)


def test_one_source_counts_once_by_its_newest_word():
    old, new = quote("one", 99.0, age_s=5.0), quote("one", 101.0)
    kept, reasons = accepted([new, old, new], RULES, now_ns=NOW_NS)
    assert [q.price for q in kept] == [101.0]
    assert not reasons


def test_a_source_that_says_two_things_is_not_heard():
    kept, reasons = accepted([quote("one", 99.0), quote("one", 101.0), quote("two", 100.0)], RULES, now_ns=NOW_NS)
    assert [q.feed.source for q in kept] == ["two"]
    assert reasons == ("one: says two things at one time",)


def test_a_source_cannot_have_two_families():
    kept, _ = accepted([quote("one", 99.0, family="a"), quote("one", 99.0, family="b")], RULES, now_ns=NOW_NS)
    assert not kept
