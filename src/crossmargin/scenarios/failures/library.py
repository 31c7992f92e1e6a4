"""Checks of a library of failures, and what an id of it stands for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from crossmargin.core import check
from crossmargin.core.chain_ids import check_chain
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import parse_instant
from crossmargin.scenarios.document import NamedShock
from crossmargin.scenarios.factors import parse_factor
from crossmargin.scenarios.failures.document import (
    CHAIN_TARGETS,
    Backing,
    Chain,
    Composite,
    Custody,
    Detection,
    Effect,
    FailureEvent,
    FailureLibrary,
    Fees,
    Limits,
    Move,
    Oracle,
    Peg,
)
from crossmargin.scenarios.stress import DEEPEST

DURATION_S_MAX: Final = 3.2e8  # ten years


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One event or composite with all its effects: `shock` are its market moves under the id as label."""

    id: str
    label: str
    tests: str
    effects: tuple[Effect, ...]
    duration_s: tuple[float, float]
    reported_s: tuple[float, float] | None
    sources: tuple[str, ...]
    assumed: tuple[str, ...]

    @property
    def shock(self) -> NamedShock:
        """The moves of the market, those of later parts on top; wildcards as they are."""
        moves = {factor: x for e in self.effects if isinstance(e, Move) for factor, x in e.shocks.items()}
        return NamedShock(label=self.id, shocks=moves, source="; ".join(self.sources))


def checked_library(library: FailureLibrary, *, where: str = "failures") -> FailureLibrary:
    """`library`, if every figure in it is possible and every name known.

    Raises `InvalidInput`, `UnknownName` or `DuplicateName` with the event's id."""
    ids = [event.id for event in library.events]
    check.unique([*ids, *(one.id for one in library.composites)], "id", where=where)
    _check_detection(library.detection, f"{where}.detection")
    for event in library.events:
        _check_event(event, f"{where}: {event.id}")
    for one in library.composites:
        place = f"{where}: {one.id}"
        for part in one.parts:
            check.known(part, ids, "part", where=place)
        for effect in one.model:
            _check_effect(effect, place)
        if one.duration_s is not None:
            _check_span(one.duration_s, "duration_s", 0.0, DURATION_S_MAX, place)
        elif not one.parts:
            remedy = "Say how long it lasts, or of what it is made."
            raise InvalidInput("duration_s", where=place, value=None, limit="said", remedy=remedy)
    return library


def failures(library: FailureLibrary, wanted: Iterable[str] = ()) -> tuple[Failure, ...]:
    """The events and composites of a checked library with the ids `wanted`, or all; raises `UnknownName`."""
    events = {event.id: event for event in library.events}
    found = {event.id: _of_event(event) for event in library.events}
    found |= {one.id: _of_composite(one, [events[part] for part in one.parts]) for one in library.composites}
    names = tuple(wanted) or tuple(found)
    for name in names:
        check.known(name, found, "failure", where=library.name, remedy="`crossmargin failures` lists them.")
    return tuple(found[name] for name in names)


def _of_event(event: FailureEvent) -> Failure:
    return Failure(
        id=event.id,
        label=event.label,
        tests="",
        effects=event.model,
        duration_s=event.duration_s,
        reported_s=event.detect_s,
        sources=event.sources,
        assumed=(event.assumed,) if event.assumed else (),
    )


def _of_composite(one: Composite, parts: list[FailureEvent]) -> Failure:
    inherited = [
        _retargeted(effect, one)
        for part in parts
        for effect in part.model
        if effect.__struct_config__.tag not in one.replaces
    ]
    longest = max((part.duration_s for part in parts), key=lambda span: span[1], default=(0.0, 0.0))
    return Failure(
        id=one.id,
        label=one.label,
        tests=one.tests,
        effects=(*inherited, *one.model),
        duration_s=one.duration_s or longest,
        reported_s=None,
        sources=tuple(dict.fromkeys(source for part in parts for source in part.sources)),
        assumed=tuple(f"{part.id}: {part.assumed}" for part in parts if part.assumed),
    )


def _retargeted(effect: Effect, one: Composite) -> Effect:
    for name in ("chain", "asset", "bridge"):
        target = getattr(effect, name, "")
        if target in one.retarget:
            effect = replace(effect, **{name: one.retarget[target]})
    return effect


def _check_event(event: FailureEvent, where: str) -> None:
    parse_instant(event.start_utc, where=f"{where}.start_utc")
    _check_span((event.magnitude_lo, event.magnitude_hi), "magnitude", 0.0, 1e15, where)
    _check_span(event.duration_s, "duration_s", 0.0, DURATION_S_MAX, where)
    if event.detect_s is not None:
        _check_span(event.detect_s, "detect_s", 0.0, DURATION_S_MAX, where)
    for name in ("affected", "model", "sources"):
        if not getattr(event, name):
            raise InvalidInput(name, where=where, value=(), limit="at least one", remedy="Say it.")
    for effect in event.model:
        _check_effect(effect, where)


def _check_detection(rules: Detection, where: str) -> None:
    check.positive(rules.poll_s, "poll_s", where=where)
    check.within(rules.lag_multiple, "lag_multiple", 1.0, 1e3, where=where)
    check.within(rules.gap_deviations, "gap_deviations", 0.0, 100.0, where=where)


def _check_effect(effect: Effect, where: str) -> None:
    match effect:
        case Move():
            for factor, move in effect.shocks.items():
                parse_factor(factor, where=where)
                check.within(move, factor, DEEPEST, 1e3, where=where)
            for factor, move in effect.milder.items():
                check.known(factor, effect.shocks, "milder move", where=where, remedy="Name it in `shocks` too.")
                _check_milder(move, effect.shocks[factor], factor, where)
        case Backing():
            _check_span((effect.loss_lo, effect.loss_hi), "loss", 0.0, 1.0, where)
            check.within(effect.recovered, "recovered", 0.0, 1.0, where=where)
            for name in ("silent_s", "falls_s"):
                check.within(getattr(effect, name), name, 0.0, DURATION_S_MAX, where=where)
        case Peg():
            _check_span((effect.low, effect.high), "low, high", -1.0, 1e3, where)
            check.within(effect.elsewhere, "elsewhere", -1.0, 1e3, where=where)
        case Oracle():
            check.within(effect.deviation, "deviation", -1.0, 1e3, where=where)
            if effect.milder is not None:
                _check_milder(effect.milder, effect.deviation, "milder", where)
            check.within(effect.sources, "sources", 1, 99, where=where)
            check.within(effect.poisoned, "poisoned", 0, effect.sources, where=where)
            if effect.cap_ratio is not None:
                check.positive(effect.cap_ratio, "cap_ratio", where=where)
        case Custody():
            _check_span((effect.loss_lo, effect.loss_hi), "loss", 0.0, 1.0, where)
        case Fees():
            check.within(effect.multiple, "multiple", 1.0, 1e6, where=where)
        case Chain():
            check.within(effect.reorg_s, "reorg_s", 0.0, DURATION_S_MAX, where=where)
        case _:
            pass
    if isinstance(effect, Chain | Custody | Fees) and effect.chain not in CHAIN_TARGETS:
        check_chain(effect.chain, where=where)
    if isinstance(effect, Backing | Limits) and not effect.bridge:
        raise InvalidInput("bridge", where=where, value="", limit="named", remedy="Name it, or write `largest`.")


def _check_milder(milder: float, larger: float, what: str, where: str) -> None:
    """A milder figure lies between nothing and the larger one."""
    check.within(milder, f"milder {what}", min(0.0, larger), max(0.0, larger), where=where)


def _check_span(span: tuple[float, float], what: str, low: float, high: float, where: str) -> None:
    for value in span:
        check.within(value, what, low, high, where=where)
    if span[0] > span[1]:
        raise InvalidInput(what, where=where, value=span, limit="the lesser first", remedy="Exchange the two.")
