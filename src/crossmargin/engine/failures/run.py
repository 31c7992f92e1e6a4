"""Failures on a book: each event's loss, what is asked for after it, what notices it, and who is liquidated.

Two clocks, as in `market.oracles`: calls follow the worst credible price and leave out what stands still; liquidations
follow the price that is settled, and what is gone for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.accounts.health import status
from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IndexArray, tally
from crossmargin.core.instant import DAY_NS, SECOND_NS
from crossmargin.engine.accounts import provenance
from crossmargin.engine.explaining.curves import account_pnl
from crossmargin.engine.failures.consequences import Consequences, Rules, compounded, consequences
from crossmargin.engine.failures.footing import Footing, footing, view_of
from crossmargin.engine.failures.library import default_failures
from crossmargin.engine.failures.reports import (
    FailureAccount,
    FailureLine,
    FailureReport,
    FailureReports,
    FindingLine,
)
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.moved import dealt_at_marks, ladder_gains, one_column, snapshot_moves
from crossmargin.engine.plan import Plan, Progress, plan, replan
from crossmargin.engine.verdict import STATUS_NAMES
from crossmargin.market.registry.registry import Registry
from crossmargin.market.snapshot import USD, Snapshot, bump
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.failures.document import FailureLibrary
from crossmargin.scenarios.failures.library import Failure, checked_library, failures
from crossmargin.scenarios.scenario_set import Scenario, collect

DAY_S: Final = DAY_NS / SECOND_NS


def run_failures(
    book: Book,
    snapshot: Snapshot,
    model: ModelDocument,
    registry: Registry,
    *,
    library: FailureLibrary | None = None,
    events: Iterable[str] = (),
    bridge_share: float = 0.0,
    progress: Progress | None = None,
) -> FailureReports:
    """Events of a library (the shipped one; all, or those of the ids `events`) on a book.

    How chains finalise, which sequencers there are and what can be proved says the registry of the market; for one
    that states no chains it is `registry`, as it stands after its last change. With `bridge_share` also with that
    share of every pool's collateral behind the bridge that is behind most of it now. Raises `UnknownName` for an
    event, `InvalidInput` for a share, and what `margin` raises."""
    check.within(bridge_share, "bridge share", 0.0, 1.0, where="failures")
    told = default_failures() if library is None else checked_library(library)
    chosen, rules = failures(told, events), Rules(detection=told.detection)
    view, sha256 = view_of(snapshot, registry)
    grounds = [footing(book, snapshot, model, view, share=x) for x in dict.fromkeys((0.0, bridge_share))]
    reports = [_report(ground, chosen, rules, progress) for ground in grounds]
    return FailureReports(
        library=told.name,
        registry_sha256=sha256,
        asked_share=bridge_share,
        as_it_is=reports[0],
        bridged=reports[1] if len(reports) > 1 else None,
    )


def _report(ground: Footing, chosen: tuple[Failure, ...], rules: Rules, progress: Progress | None) -> FailureReport:
    desk = _Desk.of(ground)
    found = [consequences(failure, ground, rules) for failure in chosen]
    loss, still = desk.losses(found)
    lines = []
    for i, failure in enumerate(chosen):
        lines.append(desk.line(failure, found[i], rules, loss[:, i], still[:, i]))
        if progress is not None:
            progress("failures", i + 1, len(chosen))
    bridge, total = ground.largest_bridge(), float(ground.gross.sum())
    behind = float(ground.gross[ground.behind(bridge)].sum()) if bridge else 0.0
    return FailureReport(
        provenance=provenance(desk.base),
        collateral_usd=total,
        largest_bridge=bridge,
        bridged_share=behind / total if total else 0.0,
        events=tuple(lines),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Desk:
    """A footing and its margin before anything fails; margins of moved markets are made once each."""

    ground: Footing
    ready: Plan
    base: MarginResult
    entered: Book
    kept: dict[tuple[tuple[str, float], ...], MarginResult]

    @classmethod
    def of(cls, ground: Footing) -> _Desk:
        ready = plan(ground.book, ground.snapshot, ground.model)
        base = margin(ground.book, ground.snapshot, ground.model, prepared=ready)
        entered = dealt_at_marks(ground.book, ground.snapshot)
        return cls(ground=ground, ready=ready, base=base, entered=entered, kept={(): base})

    def after(self, moves: Mapping[str, float]) -> MarginResult:
        """The margin in the market after `moves`; chains that lose something are counted by line, not here."""
        plain, _ = snapshot_moves(self.ground.snapshot, {f: x for f, x in moves.items() if not f.startswith("chain:")})
        key = tuple(sorted((f, x) for f, x in plain.items() if x))
        if key not in self.kept:
            moved = replan(self.ready, bump(self.ground.snapshot, dict(key)))
            cash = ladder_gains(self.ground.book, self.ground.snapshot, one_column(dict(key)))[:, 0]
            self.kept[key] = margin(self.entered, moved.snapshot, moved.model, prepared=moved, cash=cash)
        return self.kept[key]

    def line(
        self, failure: Failure, found: Consequences, rules: Rules, loss: FloatArray, still: FloatArray
    ) -> FailureLine:
        """One event as a line of the report, with what each account loses and what stands still [account]."""
        short, gap, required = self._new_risk(failure, found, rules)
        before, after = (self._worst(x) for x in (self.base.pools.status, self._settled(found)))
        accounts = tuple(
            FailureAccount(
                id=name,
                loss_usd=float(loss[i]),
                unavailable_usd=float(still[i]),
                requirement_usd=float(required[i] + gap[i]),
                call_usd=float(short[i]),
                before=STATUS_NAMES[before[i]],
                status=STATUS_NAMES[max(after[i], 1 if short[i] > 0.0 else 0)],
            )
            for i, name in enumerate(self.ground.book.accounts)
        )
        seen = [x for x in found.findings if x.after_s is not None]
        first = min(seen, key=lambda x: (x.detector == "marks", x.after_s), default=None)
        return FailureLine(
            id=failure.id,
            label=failure.label,
            tests=failure.tests,
            duration_s=failure.duration_s,
            reported_s=failure.reported_s,
            moves=dict(found.true),
            availability=dict(found.availability),
            targets=found.targets,
            states=found.states,
            findings=tuple(FindingLine(detector=x.detector, after_s=x.after_s, words=x.words) for x in found.findings),
            detector=first.detector if first else "none",
            detect_s=first.after_s if first else None,
            accounts=accounts,
            sources=failure.sources,
            assumed=failure.assumed,
        )

    def losses(self, found: Sequence[Consequences]) -> tuple[FloatArray, FloatArray]:
        """What each account loses, and what more would be lost if what stands still were worth nothing
        [account, event], by one matrix R of all events."""
        true = [Scenario(label="true", family="failure", shocks=one.true) for one in found]
        still = [
            Scenario(label="still", family="failure", shocks=compounded((one.true, one.availability))) for one in found
        ]
        columns = collect((*true, *still), rules=self.ready.scenarios.rules)
        gains = account_pnl(self.ground.book, self.ground.snapshot, columns)
        lost, without = -gains[:, : len(found)], -gains[:, len(found) :]
        return lost + 0.0, np.maximum(without - lost, 0.0)

    def _new_risk(
        self, failure: Failure, found: Consequences, rules: Rules
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What is called, what waiting may cost, and what initial margin grows by [account], USD.

        What is held is priced at the worst that is credible, what is owed and required at what is settled."""
        result, shares = self.after(found.cautious), found.shares
        required = self.after(found.settled).pools.initial
        counted = np.maximum(result.holdings.recognised, 0.0)
        usable = (1.0 - shares["gone"]) * (1.0 - shares["frozen"])
        more = np.minimum(np.maximum(result.holdings.haircut, 0.0) * shares["haircut"], counted)
        left = result.pools.equity - self._by_pool(counted - (counted - more) * usable)
        before = self.base.pools
        short = np.maximum(required - left, 0.0) - np.maximum(before.initial - before.equity, 0.0)
        wait = rules.detection.gap_deviations * self._daily_vol() * np.sqrt(failure.duration_s[1] / DAY_S)
        gap = self._by_pool(counted * (1.0 - shares["gone"]) * shares["waiting"] * np.minimum(wait, 1.0))
        totals = (np.maximum(short, 0.0), gap, required - before.initial)
        called, waiting, grown = (self.base.by_account(x) for x in totals)
        return called, waiting, grown

    def _settled(self, found: Consequences) -> IndexArray:
        """The status of each pool by what liquidations are measured by [pool]."""
        result, shares = self.after(found.settled), found.shares
        counted = np.maximum(result.holdings.recognised, 0.0)
        left = self._by_pool(counted * (1.0 - (1.0 - shares["gone"]) * (1.0 - shares["run_off"])))
        return status(result.pools.equity - left, result.pools.initial, result.pools.maintenance)

    def _by_pool(self, by_line: FloatArray) -> FloatArray:
        return tally(self.ground.book.holdings.owner, by_line, len(self.ground.book.pools))

    def _worst(self, pools: IndexArray) -> list[int]:
        worst = np.zeros(len(self.ground.book.accounts), np.int32)
        np.maximum.at(worst, self.ground.book.pool_account, pools)
        return [int(code) for code in worst]

    def _daily_vol(self) -> FloatArray:
        """A day's standard deviation of what each line of collateral is counted in [holding]; 0 for dollars."""
        return np.asarray([_daily_vol(self.ground.snapshot, asset) for asset in self.ground.assets])


def _daily_vol(snapshot: Snapshot, asset: str) -> float:
    reference = USD if asset == USD else snapshot.assets[asset].reference
    if reference == USD:
        return 0.0
    liquidity = snapshot.underlyings[reference].liquidity
    return liquidity.daily_vol if liquidity is not None else 0.0
