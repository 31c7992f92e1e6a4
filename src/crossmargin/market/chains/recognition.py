"""What counts of what accounts have on a chain: debits when they are seen, credits when they are final.

    V = Σ final − Σ debits seen + min(Σ pending · (1 − p_level), A)

p is the chance that a credit at that level is lost, A what the fast allowance grants. A health other than HEALTHY takes
the second part away, and FORKED or GOVERNED all of it from new risk. Units of money are whole, rounded down: towards
the fund.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from crossmargin.core import check
from crossmargin.core.finality import Level
from crossmargin.market.chains.allowance import MILLION, REFILL_S, SHARE_PPM, Allowance, capacity_of, grant
from crossmargin.market.chains.blocks import EventId, Header, Key, Movement
from crossmargin.market.chains.health import EFFECTS, Condition
from crossmargin.market.chains.journal import Journal, announced, best_branch

# The chance that a credit is lost by its level, parts per million: this project's, conservative. A mempool promises
# nothing; no safe block of Ethereum was ever left out, reorgs of a few blocks are known (7 on 2022-05-25).
LOSS_PPM: Final[Mapping[Level, int]] = {Level.SEEN: 1_000_000, Level.INCLUDED: 100_000, Level.SAFE: 10_000}

Worth = Callable[[str, int], Fraction]
"""What an amount of an asset, in smallest units, is worth in units of money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What an account has of an asset, in smallest units but for the last.

    `final` credits and debits to the last final block, `debits` seen above it (not positive), `pending` credits above
    it, and `fast` of their value, in units of money, granted by the allowance.
    """

    final: int = 0
    debits: int = 0
    pending: int = 0
    fast: int = 0

    @property
    def counted(self) -> int:
        """What counts in smallest units: final credits less debits seen."""
        return self.final + self.debits


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """All that counts on a chain at one time, and the allowance after it.

    `held` in units of money by account and asset stands behind the risk that an account has, `new` behind more.
    """

    rows: Mapping[Key, Recognised]
    held: Mapping[Key, int]
    new: Mapping[Key, int]
    allowance: Allowance
    capacity: int


def recognise(
    journal: Journal,
    condition: Condition,
    allowance: Allowance,
    *,
    level: Callable[[Header], Level],
    worth: Worth,
    time_s: int,
    share_ppm: int = SHARE_PPM,
    loss_ppm: Mapping[Level, int] = LOSS_PPM,
) -> Recognition:
    """What counts of the journal at `time_s`; `level` gives a block's, `worth` the value of an amount.

    A pending credit that the health of the chain does not let count asks for nothing, and what was granted to it before
    is dropped."""
    check.within(share_ppm, "share_ppm", 0, MILLION, where="recognition")
    effect = EFFECTS[condition.health]
    rows = _rows(journal)
    total = sum((_floor(worth(key.asset, row.final)) for key, row in rows.items()), 0)
    capacity = capacity_of(total, share_ppm)
    wanted = _wanted(journal, level, worth, loss_ppm) if effect.fast else {}
    after = grant(allowance, {event: amount for event, (_, amount) in wanted.items()}, capacity=capacity, time_s=time_s)
    fast: dict[Key, int] = {}
    for event, (key, _) in wanted.items():
        fast[key] = fast.get(key, 0) + after.granted[event]
    rows = {
        key: Recognised(final=row.final, debits=row.debits, pending=row.pending, fast=fast.get(key, 0))
        for key, row in rows.items()
    }
    held = {key: _floor(worth(key.asset, row.counted)) + row.fast for key, row in rows.items()}
    new = {key: value if effect.final else min(value, 0) for key, value in held.items()}
    return Recognition(
        rows=MappingProxyType(rows),
        held=MappingProxyType(held),
        new=MappingProxyType(new),
        allowance=after,
        capacity=capacity,
    )


def by_level(journal: Journal, level: Callable[[Header], Level]) -> dict[Key, dict[Level, int]]:
    """What accounts have in smallest units by how final it is, as a book states holdings: level by level.

    FINAL holds final credits less all debits seen, so it can be below zero; the others hold credits above the root."""
    found = {key: {Level.FINAL: row.counted} for key, row in _rows(journal).items()}
    for block in best_branch(journal):
        at = min(level(block.header), Level.SAFE)  # Above the root nothing is final, whatever a tag says meanwhile.
        for movement in block.movements:
            if movement.amount > 0:
                levels = found[movement.key]
                levels[at] = levels.get(at, 0) + movement.amount
    return {key: {at: amount for at, amount in levels.items() if amount} for key, levels in found.items()}


def _rows(journal: Journal) -> dict[Key, Recognised]:
    """Final, debits and pending of each account and asset that has any."""
    final, debits, pending = dict(journal.final), dict[Key, int](), dict[Key, int]()
    seen = [movement for block in best_branch(journal) for movement in block.movements]
    for movement in (*seen, *(debit for group in announced(journal).values() for debit in group)):
        side = pending if movement.amount > 0 else debits
        side[movement.key] = side.get(movement.key, 0) + movement.amount
    return {
        key: Recognised(final=final.get(key, 0), debits=debits.get(key, 0), pending=pending.get(key, 0))
        for key in sorted({*final, *debits, *pending})
    }


def _wanted(
    journal: Journal, level: Callable[[Header], Level], worth: Worth, loss_ppm: Mapping[Level, int]
) -> dict[EventId, tuple[Key, int]]:
    """Each pending credit's value at its level, in the order of the branch."""
    found: dict[EventId, tuple[Key, int]] = {}
    for block in best_branch(journal):
        kept_ppm = MILLION - loss_ppm.get(level(block.header), 0)
        for movement in block.movements:
            if movement.amount > 0:
                found[block.id_of(movement)] = movement.key, _kept(movement, worth, kept_ppm)
    return found


def _kept(movement: Movement, worth: Worth, kept_ppm: int) -> int:
    return _floor(worth(movement.asset, movement.amount) * kept_ppm / MILLION)


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator


def refill_wait_s(allowance: Allowance, amount: int, capacity: int) -> int | None:
    """Whole seconds until `amount` is left in the allowance; None where it never will be."""
    if amount > capacity:
        return None
    missing = amount * REFILL_S - allowance.left
    return -(-missing // capacity) if missing > 0 else 0
