"""The same account in pieces, each at the venue of its contracts and margined by that venue's own rule.

A contract is held at the venue that its id names. Collateral has no venue: it is taken to be where its pool's contracts
are, if they are all at one venue, or at the venue that is stated for its chain; otherwise it is placed nowhere, and
said so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from crossmargin.engine.comparing.panel import Panel, within
from crossmargin.engine.comparing.parts import Part, joined, own_margins, part_of
from crossmargin.engine.comparing.rules import Rule
from crossmargin.engine.plan import Plan
from crossmargin.margin.rulebooks.registry import rulebook, rulebooks
from crossmargin.margin.rulebooks.rulebook import Certainty, RuleResult
from crossmargin.portfolio.book import Book
from crossmargin.valuation.marks import marks

NO_VENUE: Final = "no venue"


class SplitPiece(msgspec.Struct, frozen=True, kw_only=True):
    """What is held at one venue, and what its rulebook asks of it, USD; `error` says why it asks nothing.

    `positions` counts contracts held, `refused` names those that the rulebook leaves out; `collateral` names what is
    held there.
    """

    venue: str
    rulebook: str = ""
    date: str = ""
    certainty: Certainty | None = None
    positions: int
    collateral: tuple[str, ...]
    initial_usd: float | None = None
    maintenance_usd: float | None = None
    equity_usd: float | None = None
    binding: str = ""
    refused: tuple[str, ...] = ()
    error: str = ""


class SplitReport(msgspec.Struct, frozen=True, kw_only=True):
    """The pieces, their sums, and Crossmargin's own netted numbers of the same positions and orders, USD.

    Positions that no piece margins are in neither; `is_whole` says that there are none. `unplaced` is collateral that
    nothing ties to a venue, worth `unplaced_usd` before haircuts: it is in no piece.
    """

    pieces: tuple[SplitPiece, ...]
    initial_usd: float
    maintenance_usd: float
    netted_initial_usd: float
    netted_maintenance_usd: float
    is_whole: bool
    unplaced: tuple[str, ...]
    unplaced_usd: float


def default_venues() -> dict[str, str]:
    """The rulebook that margins a venue, or a chain, unless the user names another: as the rulebooks say."""
    return {venue: one.id for one in rulebooks().values() for venue in one.venues}


def venues_of(alone: Book, venues: Mapping[str, str]) -> dict[str, str]:
    """Those of `venues` that an account has contracts at, or collateral on. Raises `UnknownName` for a rulebook."""
    for venue, name in venues.items():
        rulebook(name, where=f"--venue {venue}")
    used = {*alone.table.venues, *alone.table.chains}
    return {venue: name for venue, name in venues.items() if venue in used}


def split_account(panel: Panel, ready: Plan, venues: Mapping[str, str]) -> SplitReport:
    """The account in pieces, each under the rule of the panel that `venues` names for its venue (or chain)."""
    rules = {rule.id: rule for rule in panel.rules}
    parts, unplaced = _parts(panel.alone, venues)
    asked = [(part, rules.get(venues.get(part.name, ""))) for part in parts]
    answers = [panel.answer(rule, part) if rule else _no_rule(part) for part, rule in asked]
    pieces = tuple(_piece(panel.alone, part, rule, answer) for (part, rule), answer in zip(asked, answers, strict=True))
    margined = _margined(panel.alone, [part for part, _ in asked], answers)
    netted = own_margins(panel.alone, ready, [margined])
    every = len(panel.alone.positions) + len(panel.alone.orders)
    return SplitReport(
        pieces=pieces,
        initial_usd=math.fsum(p.initial_usd or 0.0 for p in pieces),
        maintenance_usd=math.fsum(p.maintenance_usd or 0.0 for p in pieces),
        netted_initial_usd=float(netted[0][0]),
        netted_maintenance_usd=float(netted[1][0]),
        is_whole=bool(margined.positions.sum() + margined.orders.sum() == every),
        unplaced=_held(panel.alone, unplaced),
        unplaced_usd=_worth(panel, unplaced),
    )


def _no_rule(part: Part) -> str:
    if part.name == NO_VENUE:
        return "its contracts name no venue"
    return f"no rulebook is known to margin {part.name}: --venue {part.name}=ID names one"


def _parts(alone: Book, venues: Mapping[str, str]) -> tuple[list[Part], Part]:
    """The lines at each venue, and the collateral that is at none."""
    table = alone.table
    names = [name or NO_VENUE for name in table.venues]
    used = np.unique(table.venue[np.concatenate([alone.positions.instrument, alone.orders.instrument])]).tolist()
    parts = {names[v]: part_of(alone, names[v], table.venue == v) for v in used}
    places = _places(alone, {v: names[v] for v in used}, venues)
    nothing = part_of(alone, "", np.zeros(len(table), np.bool_))
    for venue in dict.fromkeys(places):
        part = parts.get(venue, replace(nothing, name=venue))
        parts[venue] = replace(part, holdings=np.asarray([place == venue for place in places], np.bool_))
    return [part for venue, part in parts.items() if venue], parts.get("", nothing)


def _places(alone: Book, used: Mapping[int, str], venues: Mapping[str, str]) -> list[str]:
    """The venue of each holding, "" where nothing says it."""
    table, held = alone.table, alone.holdings
    of_pool: list[set[int]] = [set() for _ in alone.pools]
    for lines in (alone.positions, alone.orders):
        pools = alone.group_pool[lines.owner].tolist()
        for pool, venue in zip(pools, table.venue[lines.instrument].tolist(), strict=True):
            of_pool[pool].add(venue)
    chains = [table.chains[c] if c >= 0 else "" for c in table.chain[held.instrument].tolist()]
    return [
        used[next(iter(of_pool[pool]))] if len(of_pool[pool]) == 1 else _of_chain(chain, used.values(), venues)
        for pool, chain in zip(held.owner.tolist(), chains, strict=True)
    ]


def _of_chain(chain: str, used: Iterable[str], venues: Mapping[str, str]) -> str:
    """The one venue in use whose rulebook also has this chain; the chain itself where none is; "" where several are."""
    if chain not in venues:
        return ""
    here = [venue for venue in used if venues.get(venue) == venues[chain]]
    return chain if not here else here[0] if len(here) == 1 else ""


def _piece(alone: Book, part: Part, rule: Rule | None, answer: RuleResult | str) -> SplitPiece:
    piece = SplitPiece(
        venue=part.name,
        rulebook=rule.id if rule else "",
        date=rule.date if rule else "",
        positions=int(part.positions.sum()),
        collateral=_held(alone, part),
        error=answer if isinstance(answer, str) else "",
    )
    if isinstance(answer, str):
        return piece
    return msgspec.structs.replace(
        piece,
        date=answer.date,
        certainty=answer.certainty,
        initial_usd=answer.initial_usd,
        maintenance_usd=answer.maintenance_usd,
        equity_usd=answer.equity_usd,
        binding=answer.binding,
        refused=answer.refused,
    )


def _margined(alone: Book, parts: Sequence[Part], answers: Sequence[RuleResult | str]) -> Part:
    """What the pieces margin, with all collateral."""
    nothing = part_of(alone, "", np.zeros(len(alone.table), np.bool_))
    taken = [within(alone, part, answer) for part, answer in zip(parts, answers, strict=True)]
    return replace(joined("margined", [nothing, *taken]), holdings=np.ones(len(alone.holdings), np.bool_))


def _held(alone: Book, part: Part) -> tuple[str, ...]:
    """Collateral by name: `USDC eip155:1`."""
    return tuple(alone.table.ids[row].replace(".", " ", 1) for row in alone.holdings.instrument[part.holdings].tolist())


def _worth(panel: Panel, part: Part) -> float:
    held = panel.alone.holdings
    price = marks(panel.alone.table, panel.snapshot).settle_usd
    return float((held.quantity * price[held.instrument])[part.holdings].sum())
