"""Forced sales after a failure: its moves and halts as the beginning of a cascade, and the event at the last prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from crossmargin.accounts.cascade import Cascade, CascadeRules
from crossmargin.core.canon import digest
from crossmargin.engine.failures.cascading import Gathered, beginning, gather, last_moves, set_off
from crossmargin.engine.failures.crowd import coins_of
from crossmargin.engine.failures.desk import Desk, Outcome
from crossmargin.engine.failures.library import default_cascade, default_crowd
from crossmargin.engine.failures.reports import FailureAccount, SalesAccount, SalesLine, totals_of
from crossmargin.scenarios.failures.document import ForcedSales
from crossmargin.scenarios.failures.library import Failure

NO_DEPTH: Final = "Forced sales are not followed: no coin of this market says how it trades."


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdAsked:
    """The made-up accounts around a book in forced sales: how many (0 for none), and what they are drawn with."""

    accounts: int = 100_000
    seed: int = 0


def forces_sales(failure: Failure) -> bool:
    """Whether liquidations that move prices are among the effects of a failure."""
    return any(isinstance(effect, ForcedSales) for effect in failure.effects)


def forced_sales(
    desk: Desk, events: Sequence[tuple[Outcome, tuple[FailureAccount, ...]]], crowd: CrowdAsked
) -> list[SalesLine | None]:
    """What forced sales add to events, each with its accounts before any sale [event].

    None for one that forces none, or that moves no coin which says how it trades. The cascade is that of `cascade`
    under the shipped rules, so the figures are those that it reports."""
    snapshot = desk.ground.snapshot
    begun = [beginning(one.failure, one.found, snapshot) for one, _ in events]
    chosen = [i for i, (one, _) in enumerate(events) if forces_sales(one.failure) and begun[i]["shock"]]
    told: list[SalesLine | None] = [None] * len(events)
    if not chosen or not coins_of(snapshot):
        return told
    rules = default_cascade()
    gathered = gather(desk.standing(), default_crowd(), accounts=crowd.accounts, seed=crowd.seed)
    found = [set_off(gathered, begun[i]["shock"], begun[i]["clocks"], rules) for i in chosen]
    then = [_at_last_prices(desk, events[i][0], gathered, one) for i, one in zip(chosen, found, strict=True)]
    loss, still = desk.losses([one.found for one in then])
    for place, i in enumerate(chosen):
        accounts = desk.accounts(then[place], loss[:, place], still[:, place])
        told[i] = _line(desk, gathered, found[place], events[i][1], accounts, crowd, rules)
    return told


def _moves(desk: Desk, gathered: Gathered, found: Cascade) -> dict[str, float]:
    """Where prices end, by factor."""
    known = desk.ground.snapshot.underlyings
    ends = zip(gathered.everybody.assets, last_moves(gathered, found), strict=True)
    return {known[name].factor: float(x) for name, x in ends}


def _at_last_prices(desk: Desk, outcome: Outcome, gathered: Gathered, found: Cascade) -> Outcome:
    """The event with the last prices of the cascade as its moves of coins, all else as it was."""
    ends, event = _moves(desk, gathered, found), outcome.found
    moved = replace(
        event, true={**event.true, **ends}, cautious={**event.cautious, **ends}, settled={**event.settled, **ends}
    )
    return Outcome(outcome.failure, moved)


def _line(
    desk: Desk,
    gathered: Gathered,
    found: Cascade,
    before: tuple[FailureAccount, ...],
    then: tuple[FailureAccount, ...],
    crowd: CrowdAsked,
    rules: CascadeRules,
) -> SalesLine:
    rounds, book = found.rounds, _book(found, before, rules)
    gone = [
        one.before != "liquidation" and (one.liquidated or last.liquidated or mine.first_s is not None)
        for one, last, mine in zip(before, then, book, strict=True)
    ]
    ends = totals_of(then)
    return SalesLine(
        population=len(gathered.everybody),
        made_up=crowd.accounts,
        seed=crowd.seed,
        rules_hash=digest(rules),
        moves=_moves(desk, gathered, found),
        rounds=len(rounds.dealt),
        lasted_s=(len(rounds.dealt) - 1) * rules.round_s,
        settled=rounds.settled,
        sellers=int((rounds.first >= 0).sum()),
        failed=int((rounds.failed >= 0).sum()),
        lost_usd=float(np.maximum(found.loss, 0.0).sum()),
        penalty_usd=found.penalty,
        deficit_usd=found.deficit,
        fund_usd=found.fund_paid,
        charged_usd=float(found.charged.sum()),
        unpaid_usd=found.unpaid,
        loss_usd=ends.loss_usd - totals_of(before).loss_usd + sum(one.penalty_usd for one in book),
        liquidations=sum(gone),
        totals=ends,
        accounts=then,
        book=book,
    )


def _book(found: Cascade, before: tuple[FailureAccount, ...], rules: CascadeRules) -> tuple[SalesAccount, ...]:
    """The accounts of the book, which are the first of all."""
    rounds = found.rounds

    def at_s(code: int) -> float | None:
        return None if code < 0 else (code - 1) * rules.round_s

    return tuple(
        SalesAccount(
            id=one.id,
            first_s=at_s(int(rounds.first[i])),
            failed_s=at_s(int(rounds.failed[i])),
            loss_usd=float(found.loss[i]),
            penalty_usd=float(rounds.penalty[i]),
            deficit_usd=float(rounds.deficit[i]),
            charged_usd=float(found.charged[i]),
        )
        for i, one in enumerate(before)
    )
