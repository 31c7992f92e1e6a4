"""The state of a peg over time: up at once, down slowly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import PegLevel, PegRules


class PegState(IntEnum):
    """How far a peg is gone; a larger number is worse."""

    NORMAL = 0
    WATCH = 1
    STRESS = 2
    BROKEN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PegReading:
    """What is known at `time_ns`: `deviation` = market / fundamental − 1 (none where there is no market price)."""

    time_ns: int
    deviation: float | None
    redemption_open: bool = True
    supply_backed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PegTrack:
    """A peg's state and how long it has been so.

    `above_ns[i]` is since when |deviation| has been at or above the threshold of level i + 1, `below_ns[i]` since when
    it has been below; one of each pair is none. `broken_ns` is when it broke, if it is broken."""

    state: PegState = PegState.NORMAL
    time_ns: int | None = None
    above_ns: tuple[int | None, int | None, int | None] = (None, None, None)
    below_ns: tuple[int | None, int | None, int | None] = (None, None, None)
    broken_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """What a peg's state leaves: whether new credit is given, the factor on haircuts, and the shares of value that
    count for new risk and for what was lent before."""

    new_credit: bool
    haircut_factor: float
    new_risk_share: float
    existing_share: float


def levels(rules: PegRules) -> tuple[PegLevel, PegLevel, PegLevel]:
    """WATCH, STRESS and BROKEN; raises `InvalidInput` unless each is above the one before."""
    found = (rules.watch, rules.stress, rules.broken)
    check.within(rules.hysteresis, "hysteresis", 1.0, 1e6, where="peg rules")
    check.positive(rules.run_off_s, "run_off_s", where="peg rules")
    check.positive(rules.watch.deviation_bps, "deviation_bps", where="peg rules")
    for level in found:
        check.within(level.duration_s, "duration_s", 0.0, 1e9, where="peg rules")
    if not found[0].deviation_bps < found[1].deviation_bps < found[2].deviation_bps:
        raise InvalidInput(
            "peg levels",
            where="peg rules",
            value=tuple(level.deviation_bps for level in found),
            limit="ascending",
            remedy="Order WATCH, STRESS and BROKEN.",
        )
    return found


def observe_peg(track: PegTrack, reading: PegReading, rules: PegRules) -> PegTrack:
    """The track after a reading.

    Between readings the last deviation is taken to hold, so that silence never delays an escalation: a level is entered
    at the first reading at which the deviation has been at or above its threshold for its duration. Closed redemption
    or a broken supply invariant is BROKEN at once. A state is left, one level at a reading, when the deviation has been
    below its threshold for `hysteresis` times its duration and neither flag is up. A reading without a market price
    changes no deviation. Raises `InvalidInput` for a deviation that is no number from −1 on, and for a reading from the
    past."""
    if track.time_ns is not None and reading.time_ns < track.time_ns:
        raise InvalidInput(
            "time of a reading",
            where="peg",
            value=reading.time_ns,
            limit=f"{track.time_ns} or later",
            remedy="Give readings in the order of time.",
        )
    flagged = not (reading.redemption_open and reading.supply_backed)
    stages = levels(rules)
    measured = _measured(track, reading, stages)
    if flagged:
        measured = replace(measured, below_ns=(*measured.below_ns[:2], None))
    elif measured.below_ns[2] is None and measured.above_ns[2] is None:
        measured = replace(measured, below_ns=(*measured.below_ns[:2], reading.time_ns))
    target = PegState.BROKEN if flagged else _escalation(measured, stages, reading.time_ns)
    state = target if target >= track.state else _relaxed(measured, stages, rules, reading.time_ns)
    broken_ns = (track.broken_ns if track.broken_ns is not None else reading.time_ns) if state == 3 else None
    return replace(measured, state=state, time_ns=reading.time_ns, broken_ns=broken_ns)


def credit(track: PegTrack, rules: PegRules, *, now_ns: int) -> Credit:
    """What the state leaves at `now_ns`: STRESS gives no new credit and multiplies haircuts; under BROKEN nothing
    counts for new risk, and what was lent before runs off in a straight line."""
    if track.state < PegState.STRESS:
        return Credit(new_credit=True, haircut_factor=1.0, new_risk_share=1.0, existing_share=1.0)
    if track.state == PegState.STRESS or track.broken_ns is None:
        return Credit(
            new_credit=False, haircut_factor=rules.stress_haircut_factor, new_risk_share=1.0, existing_share=1.0
        )
    gone = (now_ns - track.broken_ns) / SECOND_NS / rules.run_off_s
    left = min(max(1.0 - gone, 0.0), 1.0)
    return Credit(new_credit=False, haircut_factor=rules.stress_haircut_factor, new_risk_share=0.0, existing_share=left)


def _measured(track: PegTrack, reading: PegReading, stages: tuple[PegLevel, ...]) -> PegTrack:
    """The track with its times above and below each threshold."""
    if reading.deviation is None:
        return track
    off_bps = abs(check.within(reading.deviation, "deviation", -1.0, 1e6, where="peg")) * 1e4
    above, below = [], []
    for stage, since_above, since_below in zip(stages, track.above_ns, track.below_ns, strict=True):
        is_above = off_bps >= stage.deviation_bps
        above.append((since_above if since_above is not None else reading.time_ns) if is_above else None)
        below.append(None if is_above else (since_below if since_below is not None else reading.time_ns))
    return replace(track, above_ns=(above[0], above[1], above[2]), below_ns=(below[0], below[1], below[2]))


def _escalation(track: PegTrack, stages: tuple[PegLevel, ...], now_ns: int) -> PegState:
    """The worst level whose threshold has been passed for its duration."""
    reached = PegState.NORMAL
    for state, stage, since_ns in zip(list(PegState)[1:], stages, track.above_ns, strict=True):
        if since_ns is not None and now_ns - since_ns >= stage.duration_s * SECOND_NS:
            reached = state
    return reached


def _relaxed(track: PegTrack, stages: tuple[PegLevel, ...], rules: PegRules, now_ns: int) -> PegState:
    """The state, or the one below it if the deviation has long enough been below its threshold."""
    level = track.state - 1
    since_ns = track.below_ns[level]
    calm_ns = rules.hysteresis * stages[level].duration_s * SECOND_NS
    if since_ns is not None and now_ns - since_ns >= calm_ns:
        return PegState(level)
    return track.state
