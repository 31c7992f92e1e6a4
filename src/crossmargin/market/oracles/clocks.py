"""Two clocks: what stops new risk at once, and what is settled enough to liquidate by.

Stopping new risk is cheap and undone in a minute, so it follows the worst price that any family credibly says. A
liquidation is neither: it follows the price that several families agree on, and only when that has lasted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import OracleRules
from crossmargin.market.oracles.quotes import Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A price for what is held and one for what is owed, in the quote currency."""

    collateral: float
    debt: float


def new_risk_prices(mark: Mark) -> Band | None:
    """What new risk is measured by: the worst that any family says, outliers too, or the edge of the band.

    None where there is no price: then no new risk is taken.
    """
    if mark.lo is None or mark.hi is None:
        return None
    prices = [vote.price for vote in mark.votes]
    return Band(collateral=min(mark.lo, *prices), debt=max(mark.hi, *prices))


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What enough families said at one update: `collateral` no lower, `debt` no higher than each of them.

    `fresh_ns` is a time since when at least that many families have published.
    """

    time_ns: int
    fresh_ns: int
    collateral: float
    debt: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """The updates that a liquidation price is made of, oldest first; a new one remembers nothing."""

    updates: tuple[Update, ...] = ()


def observe(track: Persistence, mark: Mark, rules: OracleRules, *, families: int) -> Persistence:
    """The track after one more mark.

    `families` is how many upstream families the asset has, whether they speak now or not. With k of them needed
    (`liquidation_families`, or all where it has fewer, never below two), an update carries the k-th lowest vote as the
    price of collateral and the k-th highest as that of debts: fewer than k families cannot push it against an account.
    It counts as news only if k families have published since the last one; without news it can only help the account.
    With fewer voices than k all persistence is lost. Raises `InvalidInput` for a mark from before the last one."""
    if track.updates and mark.time_ns < track.updates[-1].time_ns:
        raise InvalidInput(
            "time of a mark",
            where="liquidation clock",
            value=mark.time_ns,
            limit=f"{track.updates[-1].time_ns} or later",
            remedy="Give marks in the order of time.",
        )
    votes = mark.votes
    needed = max(min(rules.liquidation_families, families), 2)
    if len(votes) < needed or mark.state == "HALT":
        return Persistence()
    update = Update(
        time_ns=mark.time_ns,
        fresh_ns=sorted(vote.publish_ns for vote in votes)[-needed],
        collateral=sorted(vote.price for vote in votes)[needed - 1],
        debt=sorted(vote.price for vote in votes)[-needed],
    )
    return Persistence(updates=_needed_still((*_merged(track.updates, update),), mark.time_ns, rules))


def liquidation_prices(track: Persistence, rules: OracleRules, *, now_ns: int) -> Band | None:
    """What liquidations are measured by: the best for the account of the last updates that span the persistence time.

    None before there are enough of them over enough time: then nobody is liquidated.
    """
    chosen = _spanning(track.updates, now_ns, rules)
    if not chosen:
        return None
    return Band(collateral=max(u.collateral for u in chosen), debt=min(u.debt for u in chosen))


def _merged(updates: tuple[Update, ...], update: Update) -> tuple[Update, ...]:
    if not updates or update.fresh_ns > updates[-1].fresh_ns:
        return (*updates, update)
    last = updates[-1]
    kinder = Update(
        time_ns=last.time_ns,
        fresh_ns=last.fresh_ns,
        collateral=max(last.collateral, update.collateral),
        debt=min(last.debt, update.debt),
    )
    return (*updates[:-1], kinder)


def _spanning(updates: Sequence[Update], now_ns: int, rules: OracleRules) -> tuple[Update, ...]:
    """The fewest last updates that are enough and reach back over the persistence time; none where there are not."""
    start_ns = now_ns - int(rules.liquidation_persistence_s * SECOND_NS)
    for first in range(len(updates) - max(rules.liquidation_updates, 1), -1, -1):
        if updates[first].time_ns <= start_ns:
            return tuple(updates[first:])
    return ()


def _needed_still(updates: tuple[Update, ...], now_ns: int, rules: OracleRules) -> tuple[Update, ...]:
    return _spanning(updates, now_ns, rules) or updates
