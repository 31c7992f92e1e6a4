"""Failures on a book: each event's loss, what is asked for after it, what notices it, and who is liquidated.

Of ranges in the sources one end is taken for all figures, and the totals at both ends stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from crossmargin.core import check
from crossmargin.engine.failures.consequences import Rules, consequences
from crossmargin.engine.failures.crowd import coins_of
from crossmargin.engine.failures.desk import Desk, Outcome, OwnDesk
from crossmargin.engine.failures.footing import Footing, footing, view_of
from crossmargin.engine.failures.library import default_failures
from crossmargin.engine.failures.reports import (
    FailureAccount,
    FailureLine,
    FailureReport,
    FailureReports,
    FindingLine,
    SalesLine,
    totals_of,
)
from crossmargin.engine.failures.ruled import LEFT_OUT, RuledDesk
from crossmargin.engine.failures.sales import NO_DEPTH, CrowdAsked, forced_sales, forces_sales
from crossmargin.engine.model import AnyModel, RulebookModel
from crossmargin.engine.plan import Progress
from crossmargin.market.registry.registry import Registry
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.failures.document import FailureLibrary
from crossmargin.scenarios.failures.library import Failure, checked_library, failures
from crossmargin.scenarios.failures.severity import Severity, at_severity

Accounts: TypeAlias = tuple[FailureAccount, ...]


def run_failures(
    book: Book,
    snapshot: Snapshot,
    model: AnyModel,
    registry: Registry,
    *,
    library: FailureLibrary | None = None,
    events: Iterable[str] = (),
    severity: Severity = "high",
    bridge_share: float = 0.0,
    crowd: CrowdAsked | None = None,
    progress: Progress | None = None,
) -> FailureReports:
    """Events of a library (the shipped one; all, or those of the ids `events`) on a book.

    How chains finalise, which sequencers there are and what can be proved says the registry of the market; for one
    that states no chains it is `registry`, as it stands after its last change. With `bridge_share` also with that
    share of every pool's collateral behind the bridge that is behind most of it now. `crowd` are the made-up accounts
    around the book where an event forces sales. Under a rulebook equity and requirement are the rulebook's; what it
    has no words for is in `left_out`. Raises `UnknownName` for an event, `InvalidInput` for a share, and what `margin`
    raises."""
    check.within(bridge_share, "bridge share", 0.0, 1.0, where="failures")
    told = default_failures() if library is None else checked_library(library)
    view, sha256 = view_of(snapshot, registry)
    run = _Run(
        chosen=failures(told, events),
        rules=Rules(detection=told.detection),
        severity=severity,
        crowd=crowd or CrowdAsked(),
        progress=progress,
    )
    shares = dict.fromkeys((0.0, bridge_share))
    reports = [_report(footing(book, snapshot, model, view, share=x), run) for x in shares]
    return FailureReports(
        library=told.name,
        registry_sha256=sha256,
        severity=severity,
        asked_share=bridge_share,
        left_out=_left_out(model, snapshot, run.chosen),
        as_it_is=reports[0],
        bridged=reports[1] if len(reports) > 1 else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What is asked of each footing."""

    chosen: tuple[Failure, ...]
    rules: Rules
    severity: Severity
    crowd: CrowdAsked
    progress: Progress | None


def _left_out(model: AnyModel, snapshot: Snapshot, chosen: Sequence[Failure]) -> tuple[str, ...]:
    ruled = LEFT_OUT if isinstance(model, RulebookModel) else ()
    followed = coins_of(snapshot) or not any(map(forces_sales, chosen))
    return ruled if followed else (*ruled, NO_DEPTH)


def _report(ground: Footing, run: _Run) -> FailureReport:
    desk = _desk(ground, run.rules)
    ends = [_ends(failure, ground, run) for failure in run.chosen]
    found = _accounts(desk, [one for three in ends for one in dict.fromkeys(three)], run.progress)
    sold = forced_sales(desk, [(asked, found[asked]) for _, asked, _ in ends], run.crowd)
    bridge, total = ground.largest_bridge(), float(ground.gross.sum())
    behind = float(ground.gross[ground.behind(bridge)].sum()) if bridge else 0.0
    return FailureReport(
        provenance=desk.provenance,
        collateral_usd=total,
        largest_bridge=bridge,
        bridged_share=behind / total if total else 0.0,
        rulings=desk.rulings,
        events=tuple(
            _line(failure, three, [found[one] for one in three], sold[i])
            for i, (failure, three) in enumerate(zip(run.chosen, ends, strict=True))
        ),
    )


def _desk(ground: Footing, rules: Rules) -> Desk:
    model = ground.model
    return RuledDesk.of(ground, model) if isinstance(model, RulebookModel) else OwnDesk.of(ground, model, rules)


def _ends(failure: Failure, ground: Footing, run: _Run) -> tuple[Outcome, Outcome, Outcome]:
    """A failure at the low end, as asked, and at the high end; the same value where the severities agree."""
    made: list[Outcome] = []

    def outcome(severity: Severity) -> Outcome:
        point = at_severity(failure, severity)
        for known in made:
            if known.failure == point:
                return known
        made.append(Outcome(point, consequences(point, ground, run.rules)))
        return made[-1]

    return outcome("low"), outcome(run.severity), outcome("high")


def _accounts(desk: Desk, outcomes: list[Outcome], progress: Progress | None) -> dict[Outcome, Accounts]:
    """Every account after each failure."""
    loss, still = desk.losses([one.found for one in outcomes])
    told = {}
    for i, one in enumerate(outcomes):
        told[one] = desk.accounts(one, loss[:, i], still[:, i])
        if progress is not None:
            progress("failures", i + 1, len(outcomes))
    return told


def _line(
    failure: Failure, three: tuple[Outcome, Outcome, Outcome], accounts: list[Accounts], sales: SalesLine | None
) -> FailureLine:
    found = three[1].found
    seen = [x for x in found.findings if x.after_s is not None]
    first = min(seen, key=lambda x: (x.detector == "marks", x.after_s), default=None)
    low, asked, high = map(totals_of, accounts)
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
        totals=asked,
        low=low,
        high=high,
        accounts=accounts[1],
        sales=sales,
        sources=failure.sources,
        assumed=failure.assumed,
    )
