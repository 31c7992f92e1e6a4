"""Maintenance rates that rise with the size of a position, as most venues list them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.holdings import Contract
from crossmargin.margin.rulebooks.rulebook import Certainty, RuleTerm


class Bracket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tier: positions above `notional_floor` have this maintenance rate and at most this leverage."""

    notional_floor: float
    maintenance_rate: float
    leverage_max: float


class BracketTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tiers by rising floor, the first zero, their rates not falling and their leverage not rising.

    Positions above `notional_cap` are not accepted. `certainty` and `note` say whether the table is the venue's.
    """

    brackets: tuple[Bracket, ...]
    notional_cap: float = math.inf
    certainty: Certainty = "exact"
    note: str = ""

    def __post_init__(self) -> None:
        where = "bracket table"
        if not self.brackets or self.brackets[0].notional_floor != 0.0:
            floor = self.brackets[0].notional_floor if self.brackets else None
            limit, remedy = "zero: the first tier starts there", "Add the first tier."
            raise InvalidInput("first notional_floor", where=where, value=floor, limit=limit, remedy=remedy)
        for b in self.brackets:
            check.within(b.notional_floor, "notional_floor", 0.0, math.inf, where=where)
            check.within(b.maintenance_rate, "maintenance_rate", 0.0, 1.0, where=where)
            check.positive(b.leverage_max, "leverage_max", where=where)
        for a, b in zip(self.brackets, self.brackets[1:], strict=False):
            rising = a.notional_floor < b.notional_floor and a.maintenance_rate <= b.maintenance_rate
            if not rising or a.leverage_max < b.leverage_max:
                limit, remedy = "above the tier before it, with no lower rate and no higher leverage", "Sort the tiers."
                raise InvalidInput("tier", where=where, value=b.notional_floor, limit=limit, remedy=remedy)
        if not self.brackets[-1].notional_floor < self.notional_cap:
            limit, remedy = "above the last floor", "Correct the cap."
            raise InvalidInput("notional_cap", where=where, value=self.notional_cap, limit=limit, remedy=remedy)


def tier_of(table: BracketTable, notional: float) -> int:
    """The tier of a whole position; a floor itself belongs to the tier below it.

    Raises `InvalidInput` for a position above the cap.
    """
    if not notional <= table.notional_cap:
        limit, remedy = f"at most {table.notional_cap:g}", "The venue takes no position of this size."
        raise InvalidInput("notional", where="bracket table", value=notional, limit=limit, remedy=remedy)
    return max(bisect_left([b.notional_floor for b in table.brackets], notional) - 1, 0)


def deductions(table: BracketTable) -> tuple[float, ...]:
    """What each tier's rate on the whole counts too much: cum_i = cum_{i−1} + floor_i·(rate_i − rate_{i−1})."""
    found, rate = [0.0], table.brackets[0].maintenance_rate
    for b in table.brackets[1:]:
        found.append(found[-1] + b.notional_floor * (b.maintenance_rate - rate))
        rate = b.maintenance_rate
    return tuple(found)


def bracket_maintenance(table: BracketTable, notional: float) -> float:
    """N·rate − cum of the tier of N: continuous, each rate on its own part of the position."""
    tier = tier_of(table, notional)
    return notional * table.brackets[tier].maintenance_rate - deductions(table)[tier]


def whole_maintenance(table: BracketTable, notional: float) -> float:
    """N·rate of the tier of N on the whole position: it jumps at the floors."""
    return notional * table.brackets[tier_of(table, notional)].maintenance_rate


def bracket_initial(table: BracketTable, notional: float, leverage: float) -> float:
    """N over the chosen leverage, or the largest that its tier allows where that is less."""
    check.positive(leverage, "leverage", where="bracket table")
    return notional / min(leverage, table.brackets[tier_of(table, notional)].leverage_max)


def bracket_term(contract: Contract, table: BracketTable, leverage: float) -> RuleTerm:
    """One contract on its own: initial margin of its worst fill at the chosen leverage, maintenance of what is held."""
    return RuleTerm(
        name=contract.instrument,
        initial=bracket_initial(table, contract.worst_coins * contract.mark, leverage),
        maintenance=bracket_maintenance(table, contract.notional),
        certainty=table.certainty,
        note=table.note,
    )


def within_cap(
    contracts: tuple[Contract, ...], tables: Mapping[str, BracketTable]
) -> tuple[tuple[Contract, ...], tuple[str, ...]]:
    """The contracts that the venue takes by size, and a note on each that it does not."""
    fits = [c.worst_coins * c.mark <= tables[c.coin].notional_cap for c in contracts]
    notes = (
        f"{c.instrument}: above the largest position, {tables[c.coin].notional_cap:g} USD"
        for c, fit in zip(contracts, fits, strict=True)
        if not fit
    )
    return tuple(c for c, fit in zip(contracts, fits, strict=True) if fit), tuple(notes)
