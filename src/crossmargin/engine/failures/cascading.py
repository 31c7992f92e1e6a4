"""A cascade around a book: its accounts among all others, prices round by round, who fails, and what it leaves.

In the cascade a book's accounts are linear. At the last prices the book is margined anew by full revaluation, as it
would be if it had dealt nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypedDict

import msgspec
import numpy as np

from crossmargin.accounts.cascade import Cascade, CascadeRules, ChainClock, Depth, Population, cascade
from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IntArray, tally
from crossmargin.core.canon import digest
from crossmargin.engine.accounts import provenance
from crossmargin.engine.failures.consequences import Consequences, Rules, consequences
from crossmargin.engine.failures.crowd import (
    Crowd,
    Standing,
    coins_of,
    depth_of,
    joined,
    made_up_crowd,
    population_of,
    standing_of,
)
from crossmargin.engine.failures.footing import footing, view_of
from crossmargin.engine.failures.library import default_cascade, default_crowd
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.moved import dealt_at_marks, ladder_gains, one_column
from crossmargin.engine.plan import plan, replan
from crossmargin.engine.reports import Provenance, Status
from crossmargin.engine.verdict import STATUS_NAMES
from crossmargin.market.registry.registry import Registry
from crossmargin.market.snapshot import Snapshot, bump
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.failures.library import Failure

ROUNDS_SHOWN: Final = 240


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts of an answer."""


class AssetCascade(_Part, frozen=True, kw_only=True):
    """One asset: relative moves by the shock and in all, what was dealt net (USD at prices before, sold > 0), and what
    prices took of all accounts before and after anybody dealt."""

    asset: str
    shock: float
    move: float
    lowest: float
    dealt_usd: float
    shock_usd: float
    impact_usd: float
    path: tuple[float, ...]


class ChainCascade(_Part, frozen=True, kw_only=True):
    """The accounts of one chain ("" for none): how many dealt and failed, what the losers lost and could not pay."""

    chain: str
    halted_s: float
    delay_s: float
    accounts: int
    dealt: int
    failed: int
    lost_usd: float
    deficit_usd: float


class AccountCascade(_Part, frozen=True, kw_only=True):
    """One account of the book: when it first dealt and when it failed (seconds; None for never), what it lost, and its
    full revaluation at the last prices, with nothing dealt."""

    id: str
    chain: str
    first_s: float | None
    failed_s: float | None
    loss_usd: float
    deficit_usd: float
    equity_usd: float
    maintenance_usd: float
    status: Status


class RoundCascade(_Part, frozen=True, kw_only=True):
    """One round that is told: how many accounts dealt in it, and by then."""

    after_s: float
    dealing: int
    penalty_usd: float
    deficit_usd: float


class CascadeReport(_Part, frozen=True, kw_only=True):
    """A cascade. lost − gained = loss = shock + impact + penalty − deficit; deficit = fund + socialised.

    `rounds_s` are the seconds of `rounds` and of every asset's `path`. `charged_usd` of what is socialised is paid by
    those who are left, `unpaid_usd` by nobody. `settled` is false where no fixed point was found. `left_out` are
    underlyings of the book that do not take part."""

    provenance: Provenance
    rules_hash: str
    shock: dict[str, float]
    accounts: int
    made_up: int
    seed: int
    rounds: int
    lasted_s: float
    settled: bool
    lost_usd: float
    gained_usd: float
    loss_usd: float
    shock_usd: float
    impact_usd: float
    penalty_usd: float
    deficit_usd: float
    fund_usd: float
    fund_left_usd: float
    socialised_usd: float
    charged_usd: float
    unpaid_usd: float
    buyers_gain_usd: float
    by_asset: tuple[AssetCascade, ...]
    by_chain: tuple[ChainCascade, ...]
    by_round: tuple[RoundCascade, ...]
    book: tuple[AccountCascade, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeAsked:
    """What sets a cascade off: relative moves of coins by name (`*` for all others), clocks of chains, and the made-up
    accounts around the book."""

    shock: Mapping[str, float]
    clocks: Mapping[str, ChainClock] = field(default_factory=dict)
    crowd: int = 100_000
    seed: int = 0


def asked_of(
    failure: Failure, book: Book, snapshot: Snapshot, model: ModelDocument, registry: Registry, rules: Rules
) -> CascadeAsked:
    """The shock and the halts of an event of the library, its targets those of this book."""
    ground = footing(book, snapshot, model, view_of(snapshot, registry)[0])
    return CascadeAsked(**beginning(failure, consequences(failure, ground, rules), snapshot))


class Beginning(TypedDict):
    """What sets a cascade off: moves of coins by name, and the clocks of chains."""

    shock: dict[str, float]
    clocks: dict[str, ChainClock]


def beginning(failure: Failure, found: Consequences, snapshot: Snapshot) -> Beginning:
    """The moves of coins that say how they trade, and the chains that stand still, of what a failure comes to."""
    known = {snapshot.underlyings[name].factor: name for name in coins_of(snapshot)}
    halted = [factor.partition(":")[2] for factor in found.availability if factor.startswith("chain:")]
    return Beginning(
        shock={known[factor]: x for factor, x in found.true.items() if factor in known},
        clocks={chain: ChainClock(halted_s=failure.duration_s[1]) for chain in halted},
    )


def run_cascade(
    book: Book,
    snapshot: Snapshot,
    model: ModelDocument,
    asked: CascadeAsked,
    *,
    rules: CascadeRules | None = None,
    crowd: Crowd | None = None,
) -> CascadeReport:
    """What a shock sets off among a book's accounts and a made-up crowd (none with `crowd` 0 accounts).

    Raises `UnknownName` for a coin that the market does not say how it trades, or a chain on which nobody is, and what
    `margin` raises."""
    ready = plan(book, snapshot, model)
    result = margin(book, snapshot, model, prepared=ready)
    gathered = gather(standing_of(result), crowd or default_crowd(), accounts=asked.crowd, seed=asked.seed)
    used = rules or default_cascade()
    found = set_off(gathered, asked.shock, asked.clocks, used)
    told = _Told(result, gathered.everybody, gathered.depth, found, used, asked, gathered.left_out)
    return _reported(told, _after(result, gathered.everybody.assets, last_moves(gathered, found)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gathered:
    """A book's accounts, first, and a made-up crowd around them; `left_out` are underlyings that do not take part."""

    everybody: Population
    depth: Depth
    left_out: tuple[str, ...]


def gather(standing: Standing, crowd: Crowd, *, accounts: int, seed: int) -> Gathered:
    """The accounts of a margined book among so many made-up ones. Raises `MissingFactors` if no coin of the market says
    how it trades."""
    assets, depth = depth_of(standing.snapshot)
    own, left_out = population_of(standing, assets, depth)
    if not accounts:
        return Gathered(everybody=own, depth=depth, left_out=left_out)
    drawn = made_up_crowd(assets, depth, crowd, accounts=accounts, seed=seed)
    return Gathered(everybody=joined(own, drawn), depth=depth, left_out=left_out)


def set_off(
    gathered: Gathered, shock: Mapping[str, float], clocks: Mapping[str, ChainClock], rules: CascadeRules
) -> Cascade:
    """The cascade of a shock by coin (`*` for all others). Raises `UnknownName` for a coin that does not take part."""
    assets = gathered.everybody.assets
    for name in shock:
        check.known(name, (*assets, "*"), "coin", where="cascade", remedy="Name a coin with liquidity in the market.")
    moves = np.asarray([shock.get(name, shock.get("*", 0.0)) for name in assets])
    return cascade(gathered.everybody, gathered.depth, moves, rules, clocks=clocks)


def last_moves(gathered: Gathered, found: Cascade) -> FloatArray:
    """Where prices end, relative to those before the shock [asset]."""
    return np.asarray(found.rounds.price[-1] / gathered.depth.price - 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """All that a report is made of."""

    result: MarginResult
    everybody: Population
    depth: Depth
    found: Cascade
    rules: CascadeRules
    asked: CascadeAsked
    left_out: tuple[str, ...]


def _after(result: MarginResult, assets: tuple[str, ...], moves: FloatArray) -> MarginResult:
    """The margin of the book at the last prices, nothing dealt."""
    snapshot = result.plan.snapshot
    named = {snapshot.underlyings[name].factor: float(x) for name, x in zip(assets, moves, strict=True) if x}
    moved = replan(result.plan, bump(snapshot, named))
    cash = ladder_gains(result.book, snapshot, one_column(named))[:, 0]
    entered = dealt_at_marks(result.book, snapshot)
    return margin(entered, moved.snapshot, moved.model, prepared=moved, cash=cash)


def _reported(told: _Told, after: MarginResult) -> CascadeReport:
    found, rules = told.found, told.rules
    rounds = len(found.rounds.dealt)
    shown = np.unique(np.linspace(0, rounds, min(rounds + 1, ROUNDS_SHOWN)).astype(np.int64))
    return CascadeReport(
        provenance=provenance(told.result),
        rules_hash=digest(rules),
        shock=dict(told.asked.shock),
        accounts=len(told.everybody),
        made_up=told.asked.crowd,
        seed=told.asked.seed,
        rounds=rounds,
        lasted_s=(rounds - 1) * rules.round_s,
        settled=found.rounds.settled,
        lost_usd=float(np.maximum(found.loss, 0.0).sum()),
        gained_usd=float(np.maximum(-found.loss, 0.0).sum()),
        loss_usd=float(found.loss.sum()),
        shock_usd=float(found.shock_by_asset.sum()),
        impact_usd=float(found.impact_by_asset.sum()),
        penalty_usd=found.penalty,
        deficit_usd=found.deficit,
        fund_usd=found.fund_paid,
        fund_left_usd=found.fund_left,
        socialised_usd=found.socialised,
        charged_usd=float(found.charged.sum()),
        unpaid_usd=found.unpaid,
        buyers_gain_usd=found.buyers_gain,
        by_asset=_by_asset(told, shown),
        by_chain=_by_chain(told),
        by_round=_by_round(told, shown),
        book=_book(told, after),
        left_out=told.left_out,
    )


def _by_asset(told: _Told, shown: IntArray) -> tuple[AssetCascade, ...]:
    price, found = told.found.rounds.price / told.depth.price - 1.0, told.found
    dealt = found.rounds.dealt.sum(axis=0) * told.depth.price
    return tuple(
        AssetCascade(
            asset=name,
            shock=float(price[1, j]),
            move=float(price[-1, j]),
            lowest=float(price[:, j].min()),
            dealt_usd=float(dealt[j]),
            shock_usd=float(found.shock_by_asset[j]),
            impact_usd=float(found.impact_by_asset[j]),
            path=tuple(price[shown, j].tolist()),
        )
        for j, name in enumerate(told.everybody.assets)
    )


def _by_chain(told: _Told) -> tuple[ChainCascade, ...]:
    people, found, names = told.everybody, told.found, told.everybody.chains
    size = len(names)
    counted = tally(people.chain, np.ones(len(people)), size)
    dealt, failed = (tally(people.chain, x >= 0, size) for x in (found.rounds.first, found.rounds.failed))
    lost, deficit = (
        tally(people.chain, np.maximum(found.loss, 0.0), size),
        tally(people.chain, found.rounds.deficit, size),
    )
    clock = [told.asked.clocks.get(name, ChainClock()) for name in names]
    return tuple(
        ChainCascade(
            chain=names[c],
            halted_s=clock[c].halted_s,
            delay_s=clock[c].delay_s,
            accounts=int(counted[c]),
            dealt=int(dealt[c]),
            failed=int(failed[c]),
            lost_usd=float(lost[c]),
            deficit_usd=float(deficit[c]),
        )
        for c in range(size)
        if counted[c]
    )


def _by_round(told: _Told, shown: IntArray) -> tuple[RoundCascade, ...]:
    """What happened up to each price that is told since the one before; the first is before the shock."""
    total = np.vstack([np.zeros(3), np.cumsum(told.found.rounds.counted, axis=0)])[shown]
    step = np.diff(total, axis=0, prepend=0.0)
    seconds = np.maximum(shown - 1, 0) * told.rules.round_s
    return tuple(
        RoundCascade(after_s=float(s), dealing=int(x[0]), penalty_usd=float(x[1]), deficit_usd=float(x[2]))
        for s, x in zip(seconds, step, strict=True)
    )


def _book(told: _Told, after: MarginResult) -> tuple[AccountCascade, ...]:
    book, rounds, people = told.result.book, told.found.rounds, told.everybody
    equity, needed = (after.by_account(x) for x in (after.pools.held_equity, after.pools.maintenance))
    worst = np.zeros(len(book.accounts), np.int32)
    np.maximum.at(worst, book.pool_account, after.pools.status)

    def at_s(code: int) -> float | None:
        return None if code < 0 else (code - 1) * told.rules.round_s

    return tuple(
        AccountCascade(
            id=name,
            chain=people.chains[people.chain[i]],
            first_s=at_s(int(rounds.first[i])),
            failed_s=at_s(int(rounds.failed[i])),
            loss_usd=float(told.found.loss[i]),
            deficit_usd=float(rounds.deficit[i]),
            equity_usd=float(equity[i]),
            maintenance_usd=float(needed[i]),
            status=STATUS_NAMES[int(worst[i])],
        )
        for i, name in enumerate(book.accounts)
    )
