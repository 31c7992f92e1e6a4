"""Pegs: escalation is never delayed, de-escalation is slow, and a worse path is never in a better state."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import PegLevel, PegRules
from crossmargin.market.oracles.peg import PegReading, PegState, PegTrack, credit, observe_peg

RULES = PegRules()
minutes = st.integers(0, 120)
paths = st.lists(st.tuples(minutes, st.floats(-0.3, 0.3)), min_size=1, max_size=15)


def reading(at_s: float, deviation: float | None, **flags: bool) -> PegReading:
    return PegReading(time_ns=round(at_s * SECOND_NS), deviation=deviation, **flags)


def walk(readings: list[PegReading]) -> list[PegTrack]:
    tracks = [PegTrack()]
    for one in readings:
        tracks.append(observe_peg(tracks[-1], one, RULES))
    return tracks[1:]


def timed(path: list[tuple[int, float]]) -> list[PegReading]:
    at_s, readings = 0, []
    for wait_minutes, deviation in path:
        at_s += 60 * wait_minutes
        readings.append(reading(at_s, deviation))
    return readings


@pytest.mark.parametrize(
    ("deviation", "at_s", "state"),
    [
        (-0.0049, 1e6, PegState.NORMAL),
        (-0.0051, 299, PegState.NORMAL),
        (-0.0051, 300, PegState.WATCH),
        (0.0051, 300, PegState.WATCH),
        (-0.021, 899, PegState.WATCH),
        (-0.021, 900, PegState.STRESS),
        (-0.12, 3_599, PegState.STRESS),
        (-0.12, 3_600, PegState.BROKEN),
        (-1.0, 3_600, PegState.BROKEN),
    ],
)
def test_levels(deviation: float, at_s: float, state: PegState):
    assert walk([reading(0, deviation), reading(at_s, deviation)])[-1].state == state


@pytest.mark.parametrize("flag", ["redemption_open", "supply_backed"])
def test_closed_redemption_or_missing_backing_breaks_at_once(flag: str):
    assert walk([reading(0, 0.0, **{flag: False})])[-1].state == PegState.BROKEN
    assert walk([reading(0, None, **{flag: False})])[-1].state == PegState.BROKEN


def test_silence_does_not_stop_the_clock():
    assert walk([reading(0, -0.06), reading(3_600, None)])[-1].state == PegState.BROKEN


def test_the_way_back_takes_four_times_as_long_and_one_level_at_a_time():
    broken = [reading(0, -0.1), reading(3_600, -0.1)]
    calm = [reading(4_000, 0.0), reading(4_000 + 14_399, 0.0), reading(4_000 + 14_400, 0.0)]
    states = [track.state for track in walk([*broken, *calm, reading(18_401, 0.0), reading(18_402, 0.0)])]
    assert states[1:5] == [PegState.BROKEN] * 3 + [PegState.STRESS]
    assert states[5:] == [PegState.WATCH, PegState.NORMAL]


def test_after_a_flag_the_way_back_counts_from_its_end():
    readings = [reading(0, 0.0, redemption_open=False), reading(100_000, 0.0), reading(114_399, 0.0)]
    assert walk(readings)[-1].state == PegState.BROKEN
    assert walk([*readings, reading(114_400, 0.0)])[-1].state == PegState.STRESS


@given(paths, st.floats(1.0, 3.0))
def test_a_worse_path_is_never_in_a_better_state(path, factor: float):
    worse = [
        (wait, min(deviation * factor, 0.9) if deviation > 0 else max(deviation * factor, -0.9))
        for wait, deviation in path
    ]
    for mild, grave in zip(walk(timed(path)), walk(timed(worse)), strict=True):
        assert mild.state <= grave.state


@given(paths, st.integers(0, 14), st.floats(0.1, 0.9))
def test_more_readings_never_delay_an_escalation(path, at: int, part: float):
    readings = timed(path)
    at = min(at, len(readings) - 1)
    last = readings[at]
    until = readings[at + 1].time_ns if at + 1 < len(readings) else last.time_ns + 3_600 * SECOND_NS
    between = PegReading(time_ns=last.time_ns + int((until - last.time_ns) * part), deviation=last.deviation)
    few = walk(readings)
    more = walk([*readings[: at + 1], between, *readings[at + 1 :]])
    before = few[at].state
    assert more[at + 1].state >= before or more[at + 1].state == before - 1
    for one, other in zip(few[at + 1 :], more[at + 2 :], strict=True):
        if one.state > before:
            assert other.state >= one.state


@given(paths)
def test_what_has_lasted_is_seen(path):
    """At each reading the state is at least every level whose threshold has held for its duration."""
    readings = timed(path)
    for n, track in enumerate(walk(readings)):
        for state, level in enumerate((RULES.watch, RULES.stress, RULES.broken), start=1):
            held = [r for r in readings[: n + 1] if r.time_ns >= readings[n].time_ns - level.duration_s * SECOND_NS]
            earlier = [r for r in readings[: n + 1] if r not in held]
            lasting = (
                held if held[0].time_ns == readings[n].time_ns - level.duration_s * SECOND_NS else earlier[-1:] + held
            )
            reaches = lasting[0].time_ns <= readings[n].time_ns - level.duration_s * SECOND_NS
            if reaches and all(abs(r.deviation or 0.0) * 1e4 >= level.deviation_bps for r in lasting):
                assert track.state >= state


def test_what_each_state_leaves():
    stress, broken = (
        walk([reading(0, -0.1), reading(900, -0.1)])[-1],
        walk([reading(0, -0.1), reading(3_600, -0.1)])[-1],
    )
    assert credit(PegTrack(), RULES, now_ns=0).new_credit
    under_stress = credit(stress, RULES, now_ns=stress.time_ns or 0)
    assert (under_stress.new_credit, under_stress.haircut_factor, under_stress.new_risk_share) == (False, 2.0, 1.0)
    for day, left in ((0.0, 1.0), (3.5, 0.5), (7.0, 0.0), (9.0, 0.0)):
        now_ns = round((3_600 + day * 86_400) * SECOND_NS)
        after = credit(broken, RULES, now_ns=now_ns)
        assert after.new_risk_share == 0.0
        assert after.existing_share == pytest.approx(left)


@pytest.mark.parametrize("deviation", [math.nan, math.inf, -math.inf, -1.01])
def test_what_is_no_deviation_is_refused(deviation: float):
    with pytest.raises(InvalidInput, match="deviation"):
        walk([reading(0, deviation)])


def test_readings_come_in_order_and_levels_ascend():
    with pytest.raises(InvalidInput, match="time of a reading"):
        walk([reading(10, 0.0), reading(9, 0.0)])
    flat = PegRules(stress=PegLevel(deviation_bps=50.0, duration_s=1.0))
    with pytest.raises(InvalidInput, match="peg levels"):
        observe_peg(PegTrack(), reading(0, 0.0), flat)
