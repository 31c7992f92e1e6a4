"""The margin of today's book through a crisis of the past, bar by bar.

At each bar the market of today is moved by what every factor had done since the event began, and the book is margined
there: by one model throughout, or by a recipe fitted anew at each bar to what was known by then. Calls follow the rule
within the day (EMIR RTS 153/2013, article 26). Time stands still: options keep their time to expiry, nobody trades.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

import msgspec
import numpy as np

from crossmargin.accounts.health import Status, status
from crossmargin.core.arrays import FloatArray, IndexArray, IntArray, frozen
from crossmargin.core.errors import MissingFactors, UnknownName
from crossmargin.core.instant import to_milliseconds
from crossmargin.engine.accounts import provenance
from crossmargin.engine.explaining.curves import account_pnl
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.model import AnyModel, ModelDocument, RulebookModel, in_force
from crossmargin.engine.moved import dealt_at_marks, ladder_gains, parallel
from crossmargin.engine.plan import Progress, moved_names, optioned, perpetual, plan, replan
from crossmargin.engine.recipe import Recipe, calibrated_model
from crossmargin.engine.reports import Provenance
from crossmargin.engine.reports import Status as StatusName
from crossmargin.engine.ruled.margin import RuledMargin
from crossmargin.engine.verdict import STATUS_NAMES
from crossmargin.margin.dynamic import CALL_TRIGGER, margin_calls
from crossmargin.market.snapshot import Snapshot, bump, factors_of
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.episode import Episode, episode, sampled
from crossmargin.scenarios.factors import PERPETUAL_KINDS
from crossmargin.scenarios.history import FactorHistory
from crossmargin.scenarios.scenario_set import Scenario, ScenarioSet, collect
from crossmargin.valuation.marks import ladder_names

DAYS: Final = 4.0
_STATES: Final = ("chain:", "backing:")  # what works or does not; no history has a level of it
Result: TypeAlias = MarginResult | RuledMargin
MarginAt: TypeAlias = Callable[[Snapshot, int, FloatArray], Result]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts."""


class ReplayPoint(_Part, frozen=True, kw_only=True):
    """One bar of one account, USD.

    `pnl_usd` of positions and collateral since the start, before haircuts. `collateral_usd` (None under a rulebook),
    `equity_usd`, which calls are measured by, and `held_equity_usd`, which liquidations are, are without what calls
    brought; `posted_usd` is what earlier calls brought by then, `called_usd` what is called at this bar. `status`
    counts what was posted, `unpaid_status` nothing of it.
    """

    time_ms: int
    pnl_usd: float
    collateral_usd: float | None
    equity_usd: float
    held_equity_usd: float
    initial_usd: float
    maintenance_usd: float
    posted_usd: float
    called_usd: float
    status: StatusName
    unpaid_status: StatusName


class AccountReplay(_Part, frozen=True, kw_only=True):
    """One account through one event.

    `worst` is the place among `points` of the smallest held equity over maintenance without any call paid;
    `liquidated_ms` the first bar at which an account that pays nothing would be liquidated (None for never).
    """

    account: str
    points: tuple[ReplayPoint, ...]
    worst: int
    calls: int
    called_usd: float
    first_call_ms: int | None
    liquidated_ms: int | None


class FactorPath(_Part, frozen=True, kw_only=True):
    """What one factor did since the start, at each bar: as the shock of a scenario."""

    factor: str
    moves: tuple[float, ...]


class EventReplay(_Part, frozen=True, kw_only=True):
    """One event: the times of its bars, the paths of its factors, and every account."""

    label: str
    times_ms: tuple[int, ...]
    paths: tuple[FactorPath, ...]
    accounts: tuple[AccountReplay, ...]


class ReplayReport(_Part, frozen=True, kw_only=True):
    """A book through events of the past.

    `provenance` is that of today's margin (with a recipe: of its model at the first event's start). `recipe` is the one
    that was fitted anew at each bar, "" for one model throughout. `still` are factors held by the user's word,
    `unmoved` others that the book may feel and that the history does not move.
    """

    provenance: Provenance
    history: str
    recipe: str
    trigger: float
    still: tuple[str, ...]
    unmoved: tuple[str, ...]
    events: tuple[EventReplay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Which stretch of the past to replay: its name, and when it begins."""

    label: str
    start_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A recipe fitted anew at each bar, to bars of `bar_days` counted back from it; `base` is its built-in model."""

    recipe: Recipe
    base: ModelDocument
    bar_days: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to replay: days after each start, hours between bars (0: all), factors held still, and when to call."""

    days: float = DAYS
    every_hours: float = 0.0
    still: tuple[str, ...] = ()
    trigger: float = CALL_TRIGGER


def replay(
    book: Book,
    snapshot: Snapshot,
    model: AnyModel | Walk,
    history: FactorHistory,
    events: Iterable[Event],
    *,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> ReplayReport:
    """The margin of every account of a book through events of a history, under a model or a recipe walked forward.

    Raises `MissingFactors`, naming all of them, for prices, volatilities, pegs and ladder factors that the book needs
    and that the history lacks, where `settings.still` does not hold them; what `episode`, `plan` and, with a recipe,
    `calibrate` raise.
    """
    asked = settings or Settings()
    held = _held(snapshot, asked.still)
    moved, needed = _moved(book, snapshot, history, held)
    entered = dealt_at_marks(book, snapshot)
    told = history.select(moved)
    replays, first = [], None
    for event in events:
        found = episode(told, moved, start_ns=event.start_ns, days=asked.days, every_hours=asked.every_hours)
        margin_at = _margin_at(entered, snapshot, model, history.select(needed))
        one, start = _replayed(entered, snapshot, margin_at, event, found, asked, progress)
        replays.append(one)
        first = first or start
    now = first or margin(book, snapshot, model.base if isinstance(model, Walk) else model)
    return ReplayReport(
        provenance=provenance(now),
        history=history.source,
        recipe=f"{model.recipe.name}@{model.recipe.date}" if isinstance(model, Walk) else "",
        trigger=asked.trigger,
        still=tuple(sorted(held)),
        unmoved=tuple(sorted(_relevant(book, snapshot) - _parallel_names(moved) - held)),
        events=tuple(replays),
    )


def _held(snapshot: Snapshot, still: Sequence[str]) -> set[str]:
    """The factors that the user holds still; `peg:*` stands for all of a kind."""
    factors = sorted(factors_of(snapshot))
    held: set[str] = set()
    for pattern in still:
        found = {name for name in factors if fnmatchcase(name, pattern)}
        if not found:
            raise UnknownName("factor", where="--still", value=pattern, known=factors)
        held |= found
    return held


def _moved(
    book: Book, snapshot: Snapshot, history: FactorHistory, held: set[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The factors of the history that may change the book's figures, and those of them that it needs.

    Carries and rates move where there is a history of them; a recipe is not fitted to those, which may be closed when
    the book's own markets are open. Raises for what the book needs and the history lacks.
    """
    names, assets = moved_names(book.table, snapshot)
    needed = {snapshot.underlyings[name].factor for name in names}
    needed |= {f"vol:{name}" for name in optioned(book.table) & names}
    needed |= {factor for asset in assets for factor in snapshot.asset_factors(asset)}
    for terms in book.table.ladders.values():
        needed |= ladder_names(terms.deltas, terms.gammas)
    needed = {factor for factor in needed if not factor.startswith(_STATES)}
    missing = sorted(needed - _parallel_names(history.factors) - held)
    if missing:
        remedy = "Add their history, or hold them still by name (--still), all of a kind as --still 'peg:*'."
        raise MissingFactors(missing, where="history", remedy=remedy)
    curves = {f"fwd:{name}" for name in names} | {f"rate:{currency}" for currency in snapshot.rates}
    curves |= {f"{kind}:{name}" for kind in PERPETUAL_KINDS for name in perpetual(book.table) & names}
    movable = (needed | curves) & set(factors_of(snapshot)) - held
    moved = tuple(name for name in history.factors if _parallel_names([name]) <= movable)
    return moved, tuple(name for name in moved if _parallel_names([name]) <= needed)


def _relevant(book: Book, snapshot: Snapshot) -> set[str]:
    """The factors of the market that the book may feel at all."""
    names, assets = moved_names(book.table, snapshot)
    felt = {snapshot.underlyings[name].factor for name in names} | {f"fwd:{name}" for name in names}
    felt |= {f"{kind}:{name}" for kind in ("vol", "skew", "smile") for name in optioned(book.table) & names}
    felt |= {f"{kind}:{name}" for kind in PERPETUAL_KINDS for name in perpetual(book.table) & names}
    felt |= {factor for asset in assets for factor in snapshot.asset_factors(asset)}
    return felt & set(factors_of(snapshot)) | {f"rate:{currency}" for currency in snapshot.rates}


def _parallel_names(factors: Iterable[str]) -> set[str]:
    return {":".join(name.split(":")[:2]) for name in factors}


def _replayed(
    entered: Book,
    snapshot: Snapshot,
    margin_at: MarginAt,
    event: Event,
    found: Episode,
    asked: Settings,
    progress: Progress | None,
) -> tuple[EventReplay, Result]:
    moves = [parallel(dict(zip(found.factors, row, strict=True))) for row in found.move.tolist()]
    columns = _columns(moves)
    ladders = ladder_gains(entered, snapshot, columns)
    results = []
    for bar, move in enumerate(moves):
        results.append(margin_at(bump(snapshot, move), int(found.close_ns[bar]), ladders[:, bar]))
        if progress is not None:
            progress(f"replay of {event.label}", bar + 1, len(found))
    gains = account_pnl(entered, snapshot, columns)
    replay_of = EventReplay(
        label=event.label,
        times_ms=tuple(to_milliseconds(int(t)) for t in found.close_ns),
        paths=tuple(
            FactorPath(factor=name, moves=tuple(found.move[:, i].tolist())) for i, name in enumerate(found.factors)
        ),
        accounts=_accounts(entered, found.close_ns, results, gains, asked.trigger),
    )
    return replay_of, results[0]


def _columns(moves: Sequence[dict[str, float]]) -> ScenarioSet:
    return collect(Scenario(label=str(bar), family="replay", shocks=move) for bar, move in enumerate(moves))


def _margin_at(entered: Book, snapshot: Snapshot, model: AnyModel | Walk, history: FactorHistory) -> MarginAt:
    """The margin of a moved market at an instant, with money that is due to each pool."""
    if isinstance(model, RulebookModel):
        rule = in_force(model, snapshot)
        return lambda moved, _time_ns, _cash: margin(entered, moved, rule)
    if isinstance(model, ModelDocument):
        ready = plan(entered, snapshot, model)

        def steady(moved: Snapshot, _time_ns: int, cash: FloatArray) -> Result:
            there = replan(ready, moved)
            return margin(entered, moved, there.model, prepared=there, cash=cash)

        return steady
    walk = model

    def walked(moved: Snapshot, time_ns: int, cash: FloatArray) -> Result:
        known = sampled(history, end_ns=time_ns, bar_days=walk.bar_days)
        fitted = calibrated_model(walk.recipe, walk.base, known)
        return margin(entered, moved, fitted, cash=cash)

    return walked


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pools:
    """Figures of pools [pool, bar], USD, and the account of each pool; a rulebook sees one pool an account."""

    account: IndexArray
    equity: FloatArray
    held_equity: FloatArray
    initial: FloatArray
    maintenance: FloatArray
    collateral: FloatArray | None


def _pools(book: Book, results: Sequence[Result]) -> _Pools:
    own = [r.pools for r in results if isinstance(r, MarginResult)]
    if own:
        return _Pools(
            account=book.pool_account,
            equity=np.stack([p.equity for p in own], axis=1),
            held_equity=np.stack([p.held_equity for p in own], axis=1),
            initial=np.stack([p.initial for p in own], axis=1),
            maintenance=np.stack([p.maintenance for p in own], axis=1),
            collateral=np.stack([p.collateral for p in own], axis=1),
        )
    ruled = [r for r in results if isinstance(r, RuledMargin)]
    equity = np.stack([r.figures("equity_usd") for r in ruled], axis=1)
    return _Pools(
        account=frozen(np.arange(len(book.accounts)), np.int32),
        equity=equity,
        held_equity=equity,
        initial=np.stack([r.figures("initial_usd") for r in ruled], axis=1),
        maintenance=np.stack([r.figures("maintenance_usd") for r in ruled], axis=1),
        collateral=None,
    )


def _accounts(
    book: Book, close_ns: IntArray, results: Sequence[Result], gains: FloatArray, trigger: float
) -> tuple[AccountReplay, ...]:
    pools = _pools(book, results)
    calls = margin_calls(pools.initial, pools.equity, trigger=trigger)
    paid, unpaid = (
        status(pools.equity + x, pools.initial, pools.maintenance, held=pools.held_equity + x)
        for x in (calls.posted, 0.0)
    )
    found = []
    for row, name in enumerate(book.accounts):
        mine = pools.account == row
        columns = (pools.equity, pools.held_equity, pools.initial, pools.maintenance)
        sums = [x[mine].sum(axis=0) for x in columns]
        held = None if pools.collateral is None else pools.collateral[mine].sum(axis=0)
        posted, called = calls.posted[mine].sum(axis=0), calls.called[mine].sum(axis=0)
        verdict, alone = (x[mine].max(axis=0, initial=Status.HEALTHY) for x in (paid, unpaid))
        points = tuple(
            ReplayPoint(
                time_ms=to_milliseconds(int(t)),
                pnl_usd=float(gains[row, bar]),
                collateral_usd=None if held is None else float(held[bar]),
                equity_usd=float(sums[0][bar]),
                held_equity_usd=float(sums[1][bar]),
                initial_usd=float(sums[2][bar]),
                maintenance_usd=float(sums[3][bar]),
                posted_usd=float(posted[bar]),
                called_usd=float(called[bar]),
                status=STATUS_NAMES[int(verdict[bar])],
                unpaid_status=STATUS_NAMES[int(alone[bar])],
            )
            for bar, t in enumerate(close_ns)
        )
        found.append(_account(name, points))
    return tuple(found)


def _account(name: str, points: tuple[ReplayPoint, ...]) -> AccountReplay:
    called = [p for p in points if p.called_usd > 0.0]
    lost = [p.time_ms for p in points if p.unpaid_status == "liquidation"]
    return AccountReplay(
        account=name,
        points=points,
        worst=min(range(len(points)), key=lambda i: points[i].held_equity_usd - points[i].maintenance_usd),
        calls=len(called),
        called_usd=sum(p.called_usd for p in called),
        first_call_ms=called[0].time_ms if called else None,
        liquidated_ms=lost[0] if lost else None,
    )
