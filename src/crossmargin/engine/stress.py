"""Stress: P&L of every account in named shocks, what is asked for after them, and P&L over prices by volatilities."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Final

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray
from crossmargin.engine.accounts import provenance
from crossmargin.engine.explaining.curves import account_pnl, risk_arrays
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.model import AnyModel, RulebookModel, in_force
from crossmargin.engine.moved import dealt_at_marks, ladder_gains, leaves_a_market, snapshot_moves
from crossmargin.engine.plan import Plan, Progress, plan, replan
from crossmargin.engine.reports import ScenarioLine, StressAccount, StressedMargin, StressEvent, StressReport
from crossmargin.engine.ruled.stress import stressed_account
from crossmargin.engine.variants import account_alone
from crossmargin.engine.verdict import STATUS_NAMES
from crossmargin.market.snapshot import Snapshot, bump
from crossmargin.portfolio.book import Book, part
from crossmargin.scenarios.document import NamedShock, StressDocument
from crossmargin.scenarios.scenario_set import ScenarioSet
from crossmargin.scenarios.stress import Cut, build_stress, pick, restrict

LIBRARY: Final = ("markets", "crypto", "hypothetical")
MARGINED: Final = 20_000  # positions of a book that is margined again after each shock


@cache
def default_stress() -> StressDocument:
    """The shipped named shocks: historical in the order of their dates, then hypothetical, each with its source."""
    shocks = [shock for name in LIBRARY for shock in _shipped(f"{name}.toml").scenarios]
    happened = sorted((s for s in shocks if s.date), key=lambda s: s.date)
    return StressDocument(name="crossmargin-library", scenarios=(*happened, *(s for s in shocks if not s.date)))


def _shipped(file: str) -> StressDocument:
    text = resources.files("crossmargin.engine").joinpath("models/stress", file).read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), StressDocument)


def stress(
    book: Book,
    snapshot: Snapshot,
    model: AnyModel,
    *,
    scenarios: StressDocument | None = None,
    library: bool = False,
    events: Iterable[str] = (),
    accounts: Iterable[str] | None = None,
    progress: Progress | None = None,
) -> StressReport:
    """P&L of accounts (all by default) under named shocks, and over a risk array.

    The shocks are `scenarios`, the shipped ones where there are none or `library` asks for both; `events` picks some by
    date or label. Vol shocks spread over tenors as the model's, under a rulebook alike over all. Books of up to
    `MARGINED` positions are margined again in the market after each shock that leaves one, where vols move alike at all
    tenors and rates by the mean of their nodes. Raises `MissingFactors` for a shock of `scenarios` to a factor that the
    market lacks, `UnknownName` for an event or account.
    """
    names = book.accounts if accounts is None else tuple(accounts)
    for name in names:
        check.known(name, book.accounts, "account", where="book", remedy="Name an account of the book.")
    chosen, told = _chosen(snapshot, scenarios, library, tuple(events))
    if isinstance(model, RulebookModel):
        return _stress_ruled(book, snapshot, in_force(model, snapshot), chosen, names, told)
    ready = plan(book, snapshot, model)
    result = margin(book, snapshot, model, prepared=ready)
    shocks = build_stress(chosen, snapshot, rules=dict(ready.scenarios.rules))
    gains = account_pnl(book, snapshot, shocks)
    equity = result.by_account(result.pools.held_equity)
    moves = _columns(chosen, shocks)
    after = _margins(book, ready, shocks, moves, progress) if len(book.positions) <= MARGINED else ()
    underlyings = sorted(ready.scenarios.rules)
    reports = []
    for name in names:
        row = book.accounts.index(name)
        alone = part(book, row, row + 1)
        lines = zip(shocks.labels, shocks.families, gains[row], strict=True)
        reports.append(
            StressAccount(
                id=name,
                equity_usd=float(equity[row]),
                lines=tuple(ScenarioLine(label=a, family=b, pnl_usd=float(x)) for a, b, x in lines),
                risk_arrays=risk_arrays(alone, snapshot, ready.scenarios.rules, underlyings),
                margins=tuple(shock[row] for shock in after),
            )
        )
    return StressReport(provenance=provenance(result), accounts=tuple(reports), events=told)


def _chosen(
    snapshot: Snapshot, own: StressDocument | None, library: bool, events: tuple[str, ...]
) -> tuple[StressDocument, tuple[StressEvent, ...]]:
    """The shocks to apply, and what there is to say of each, those that the market leaves nothing of too."""
    mine = () if own is None else own.scenarios
    shipped = default_stress().scenarios if library or own is None else ()
    name = default_stress().name if own is None else own.name
    whole = StressDocument(name=name, scenarios=(*mine, *shipped))
    wanted = pick(whole, events).scenarios if events else whole.scenarios
    left, cuts = restrict(StressDocument(name=name, scenarios=tuple(s for s in wanted if s not in mine)), snapshot)
    kept = (*(s for s in wanted if s in mine), *left.scenarios)
    applied, cut = {s.label: s.shocks for s in kept}, {c.label: c for c in cuts}
    told = tuple(_event(s, applied.get(s.label, {}), cut.get(s.label)) for s in wanted)
    return StressDocument(name=name, scenarios=kept), told


def _event(shock: NamedShock, moves: dict[str, float], cut: Cut | None) -> StressEvent:
    return StressEvent(
        label=shock.label,
        date=shock.date,
        window=shock.window,
        source=shock.source,
        moves=moves,
        left_out=cut.left_out if cut else (),
        shortened=cut.shortened if cut else {},
    )


def _columns(document: StressDocument, shocks: ScenarioSet) -> list[dict[str, float]]:
    """The moves of each scenario; zeros only of factors that it names."""
    return [
        {factor: x for factor, x in zip(shocks.factors, column, strict=True) if x or factor in shock.shocks}
        for shock, column in zip(document.scenarios, shocks.shock.T.tolist(), strict=True)
    ]


def _margins(
    book: Book, ready: Plan, shocks: ScenarioSet, columns: list[dict[str, float]], progress: Progress | None
) -> tuple[tuple[StressedMargin, ...], ...]:
    """What every account is asked for after each shock [shock][account]; shocks that leave no market have none."""
    snapshot = ready.snapshot
    entered, ladders = dealt_at_marks(book, snapshot), ladder_gains(book, snapshot, shocks)
    found = []
    for s, shock in enumerate(columns):
        if not leaves_a_market(shock):
            continue
        moves, unmoved = snapshot_moves(snapshot, shock)
        moved = replan(ready, bump(snapshot, moves))
        result = margin(entered, moved.snapshot, moved.model, prepared=moved, cash=ladders[:, s])
        found.append(_stressed(result, shocks.labels[s], unmoved))
        if progress is not None:
            progress("margin after each shock", s + 1, len(shocks))
    return tuple(found)


def _stressed(result: MarginResult, label: str, unmoved: tuple[str, ...]) -> tuple[StressedMargin, ...]:
    pools = result.pools
    columns: Sequence[FloatArray] = [
        result.by_account(x) for x in (pools.equity, pools.held_equity, pools.initial, pools.maintenance)
    ]
    worst = np.zeros(len(result.book.accounts), np.int32)
    np.maximum.at(worst, result.book.pool_account, pools.status)
    return tuple(
        StressedMargin(
            label=label,
            equity_usd=float(columns[0][row]),
            held_equity_usd=float(columns[1][row]),
            initial_usd=float(columns[2][row]),
            maintenance_usd=float(columns[3][row]),
            status=STATUS_NAMES[int(worst[row])],
            unmoved=unmoved,
        )
        for row in range(len(worst))
    )


def _stress_ruled(
    book: Book,
    snapshot: Snapshot,
    model: RulebookModel,
    library: StressDocument,
    names: tuple[str, ...],
    told: tuple[StressEvent, ...],
) -> StressReport:
    shocks = build_stress(library, snapshot)
    columns = _columns(library, shocks)
    result = margin(book, snapshot, model)
    accounts = tuple(stressed_account(account_alone(book, name), snapshot, model, shocks, columns) for name in names)
    return StressReport(provenance=provenance(result), accounts=accounts, events=told)
