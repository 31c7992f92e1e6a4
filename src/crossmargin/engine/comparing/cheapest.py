"""Where the positions of an account would be cheapest to hold: offers for each group, and the best assignment.

Requirements are those of positions and orders alone, without collateral. A rulebook offers only on what it takes
whole. Rulebooks do not net with each other, so an assignment costs the sum over the rulebooks that it uses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

from crossmargin.engine.comparing.panel import Panel
from crossmargin.engine.comparing.parts import Part, joined
from crossmargin.engine.comparing.rules import Rule
from crossmargin.margin.rulebooks.rulebook import Certainty

ASKED_MOST: Final = 100  # questions for an exact search; above it only the cheapest of each underlying is looked for
_CERTAIN: Final[tuple[Certainty, ...]] = ("exact", "approximate", "unknown")


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What one rulebook would ask of a group alone, USD."""

    rulebook: str
    certainty: Certainty
    initial_usd: float


class GroupOffers(msgspec.Struct, frozen=True, kw_only=True):
    """The offers of all rulebooks that take a group whole, cheapest first; `own_initial_usd` is Crossmargin's own."""

    group: str
    own_initial_usd: float
    offers: tuple[Offer, ...]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Groups that one account under one rulebook would hold together."""

    rulebook: str
    certainty: Certainty
    groups: tuple[str, ...]
    initial_usd: float


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """Whole underlyings at rulebooks, at the least sum. `is_exact`: every way to part them was looked at.

    Otherwise each stands where it is cheapest alone, which is an upper bound of the least. `unplaced` no rulebook takes
    whole.
    """

    places: tuple[Place, ...]
    initial_usd: float
    unplaced: tuple[str, ...]
    is_exact: bool


def group_offers(panel: Panel, parts: Sequence[Part], own_initial: Sequence[float]) -> tuple[GroupOffers, ...]:
    """The offers for each part; those that are equal to the cent in the order of certainty and id."""
    return tuple(
        GroupOffers(group=part.name, own_initial_usd=float(own), offers=_offers(panel, panel.rules, part))
        for part, own in zip(parts, own_initial, strict=True)
    )


def _offers(panel: Panel, rules: Sequence[Rule], part: Part) -> tuple[Offer, ...]:
    answers = ((rule, panel.offer(rule, part)) for rule in rules)
    found = (
        Offer(rulebook=rule.id, certainty=answer.certainty, initial_usd=answer.initial_usd)
        for rule, answer in answers
        if answer is not None
    )
    return tuple(sorted(found, key=_order))


def _order(offer: Offer) -> tuple[float, int, str]:
    return round(offer.initial_usd, 2), _CERTAIN.index(offer.certainty), offer.rulebook


_Taken: TypeAlias = tuple[Part, tuple[Rule, ...]]


class _Set(NamedTuple):
    """Underlyings by bit, the rulebooks that take each of them, and the part that they are together."""

    bits: int
    rules: tuple[Rule, ...]
    part: Part


def cheapest(panel: Panel, underlyings: Sequence[Part]) -> Assignment:
    """The assignment of whole `underlyings` to rulebooks at the least sum of initial margins.

    Exact where at most `ASKED_MOST` questions decide it: every set of underlyings is asked of every rulebook that takes
    it, and the cheapest partition is found by dynamic programming over sets. A rulebook may hold two of them apart.
    """
    takers = [tuple(r for r in panel.rules if panel.offer(r, part) is not None) for part in underlyings]
    placed = [(part, rules) for part, rules in zip(underlyings, takers, strict=True) if rules]
    unplaced = tuple(part.name for part, rules in zip(underlyings, takers, strict=True) if not rules)
    sets = _sets(placed)
    costs = _costs(panel, _single(placed) if sets is None else sets)
    places = _united(panel, placed, costs) if sets is None else _places(placed, _partition(costs, len(placed)), costs)
    return Assignment(
        places=places,
        initial_usd=math.fsum(place.initial_usd for place in places),
        unplaced=unplaced,
        is_exact=sets is not None,
    )


def _single(placed: Sequence[_Taken]) -> list[_Set]:
    return [_Set(1 << i, rules, part) for i, (part, rules) in enumerate(placed)]


def _sets(placed: Sequence[_Taken]) -> list[_Set] | None:
    """Every set of underlyings that some rulebook takes; None where they are too many to ask."""
    found, asked = _single(placed), 0
    for i, (part, rules) in enumerate(placed):
        for other in [s for s in found if s.bits < 1 << i]:
            both = tuple(r for r in other.rules if r in rules)
            asked += len(both)
            if asked > ASKED_MOST:
                return None
            if both:
                name = f"{other.part.name} + {part.name}"
                found.append(_Set(other.bits | 1 << i, both, joined(name, (other.part, part))))
    return found


def _costs(panel: Panel, sets: Sequence[_Set]) -> dict[int, Offer]:
    """The cheapest offer on each set."""
    offers = {s.bits: _offers(panel, s.rules, s.part) for s in sets}
    return {bits: found[0] for bits, found in offers.items() if found}


def _partition(costs: Mapping[int, Offer], count: int) -> list[int]:
    """The sets of the cheapest partition of all `count` underlyings; each of them has an offer of its own."""
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    for mask in range(1, 1 << count):
        low = mask & -mask
        ways = [
            (offer.initial_usd + best[mask ^ bits][0], [bits, *best[mask ^ bits][1]])
            for bits, offer in costs.items()
            if bits & low and bits & mask == bits
        ]
        best[mask] = min(ways, key=lambda way: (way[0], len(way[1])))
    return best[(1 << count) - 1][1]


def _names(placed: Sequence[_Taken], bits: int) -> tuple[str, ...]:
    return tuple(part.name for i, (part, _) in enumerate(placed) if bits >> i & 1)


def _places(placed: Sequence[_Taken], chosen: Sequence[int], costs: Mapping[int, Offer]) -> tuple[Place, ...]:
    return tuple(
        Place(
            rulebook=costs[bits].rulebook,
            certainty=costs[bits].certainty,
            groups=_names(placed, bits),
            initial_usd=costs[bits].initial_usd,
        )
        for bits in chosen
    )


def _united(panel: Panel, placed: Sequence[_Taken], costs: Mapping[int, Offer]) -> tuple[Place, ...]:
    """Each underlying at its cheapest rulebook; those that meet there are margined together where that asks less."""
    by_rule: dict[str, list[int]] = {}
    for bits in costs:
        by_rule.setdefault(costs[bits].rulebook, []).append(bits)
    places: list[Place] = []
    for name, sets in by_rule.items():
        apart = _places(placed, sets, costs)
        rule = next(r for r in panel.rules if r.id == name)
        members = [part for i, (part, _) in enumerate(placed) if sum(sets) >> i & 1]
        united = panel.offer(rule, joined(" + ".join(p.name for p in members), members))
        if united is not None and united.initial_usd <= math.fsum(p.initial_usd for p in apart):
            groups, asked = tuple(part.name for part in members), united.initial_usd
            places.append(Place(rulebook=name, certainty=united.certainty, groups=groups, initial_usd=asked))
        else:
            places += apart
    return tuple(places)
