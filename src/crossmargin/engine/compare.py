"""One account under many rulebooks: what each of them would ask for the same positions and collateral."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from crossmargin.core.instant import SECOND_NS
from crossmargin.engine.accounts import account_report, provenance
from crossmargin.engine.comparing.alone import alone_usd
from crossmargin.engine.comparing.cheapest import Assignment, GroupOffers, cheapest, group_offers
from crossmargin.engine.comparing.panel import Key, Panel
from crossmargin.engine.comparing.parts import (
    Grain,
    Part,
    collateral_part,
    finest_grain,
    own_margins,
    parts_by,
    whole,
)
from crossmargin.engine.comparing.rules import Rule, rules_at
from crossmargin.engine.comparing.split import SplitReport, default_venues, split_account, venues_of
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.plan import Progress, plan
from crossmargin.engine.reports import AccountReport, Provenance
from crossmargin.engine.variants import account_alone
from crossmargin.margin.rulebooks.registry import rulebooks
from crossmargin.margin.rulebooks.rulebook import Certainty
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

PARTS_MOST: Final = 24  # parts that stand alone unless a grain is asked for: what keeps 200 positions within a second


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What one rulebook asks, USD. `refused` are positions, orders and collateral that it does not list, out of its
    numbers, `left_out` the number of positions and orders among them; `error` says why there are no numbers at all.

    `excess_usd` = equity − initial. `own_initial_usd` is what Crossmargin's model asks for the same positions and
    orders. `alone_usd` is the initial margin of the account's parts, each alone, and `saving_usd` what their netting
    saves: None where a part alone has no answer.
    """

    rulebook: str
    name: str
    date: str
    certainty: Certainty
    initial_usd: float | None = None
    maintenance_usd: float | None = None
    equity_usd: float | None = None
    excess_usd: float | None = None
    own_initial_usd: float | None = None
    alone_usd: float | None = None
    saving_usd: float | None = None
    binding: str = ""
    worst_scenario: str = ""
    refused: tuple[str, ...] = ()
    left_out: int = 0
    notes: tuple[str, ...] = ()
    error: str = ""
    open_parts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class CompareReport(msgspec.Struct, frozen=True, kw_only=True):
    """An account under Crossmargin's own model and under rulebooks, the least initial margin first.

    Only rulebooks that refuse no position and no order margin the whole account; the others are partial and stand
    behind them. `lines` counts positions and orders. `grain` is that of the parts that stand alone, `groups` holds what
    each would cost where, `assignment` the least sum over venues; `split` is there where it was asked for.
    """

    provenance: Provenance
    account: str
    lines: int
    initial_usd: float
    maintenance_usd: float
    equity_usd: float
    excess_usd: float
    alone_usd: float
    saving_usd: float
    binding: str
    worst_scenario: str
    rows: tuple[Comparison, ...]
    grain: Grain
    groups: tuple[GroupOffers, ...]
    assignment: Assignment
    split: SplitReport | None = None


def compare(
    book: Book,
    snapshot: Snapshot,
    model: ModelDocument,
    *,
    account: str,
    names: Iterable[str] | None = None,
    date: dt.date | None = None,
    parameters: Mapping[str, msgspec.Struct] | None = None,
    grain: Grain | None = None,
    split: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> CompareReport:
    """An account under the named rulebooks (all by default), with the parameters in force on `date`.

    `date` is by default the day of the snapshot; a rulebook whose first known parameters are later uses those, and
    says so. `parameters` are sets of the caller's own by the id of the rulebook, used instead of the dated ones.
    `grain` says what stands alone: by default the finest that makes at most `PARTS_MOST` parts. With `split`, the
    account is also margined in pieces by venue, under the rulebooks that say so and those that `split` names by venue
    or chain. `progress` hears of each answer.

    Raises `UnknownName` for an account or a rulebook, `InvalidInput` for parameters of another kind than the
    rulebook's or of one that is not compared, and what `margin` raises for the account itself.
    """
    alone = account_alone(book, account)
    day = date or dt.datetime.fromtimestamp(snapshot.time_ns // SECOND_NS, dt.UTC).date()
    chosen = [*rulebooks()] if names is None else [*dict.fromkeys(names)]
    venues = None if split is None else venues_of(alone, default_venues() | dict(split))
    rules = rules_at([*dict.fromkeys([*chosen, *(venues or {}).values()])], day, parameters or {})
    compared = tuple(rule for rule in rules if rule.id in chosen)
    parts = parts_by(alone, grain or finest_grain(alone, PARTS_MOST))
    tell = _teller(progress, len(rules) * (2 + len(parts)))
    panel = Panel(alone=alone, snapshot=snapshot, rules=compared, tell=tell)
    panel.ask([whole(alone), *parts, collateral_part(alone)])
    own = _own(alone, snapshot, model, [*parts, *map(panel.taken, compared)])
    rows = [_row(panel, rule, parts, own.initial[panel.taken(rule).key]) for rule in compared]
    of_parts = [own.initial[part.key] for part in parts]
    total = account_report(own.result, 0)
    return CompareReport(
        provenance=provenance(own.result),
        account=account,
        lines=_lines(alone),
        initial_usd=total.initial_usd,
        maintenance_usd=total.maintenance_usd,
        equity_usd=total.equity_usd,
        excess_usd=total.excess_initial_usd,
        alone_usd=sum(of_parts),
        saving_usd=sum(of_parts) - total.initial_usd,
        binding=_binding(total),
        worst_scenario=_worst(total),
        rows=tuple(sorted(rows, key=_order)),
        grain=grain or finest_grain(alone, PARTS_MOST),
        groups=group_offers(panel, parts, of_parts),
        assignment=cheapest(panel, parts_by(alone, "underlying")),
        split=None if venues is None else split_account(replace(panel, rules=rules), own.result.plan, venues),
    )


def _teller(progress: Progress | None, about: int) -> Callable[[int], None]:
    """`progress` as a panel tells it; how many answers there will be is not known before."""
    if progress is None:
        return lambda _: None
    return lambda done: progress("comparing", min(done, about), about)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Own:
    """Crossmargin's own margin of the account, and the initial margin of parts by their key."""

    result: MarginResult
    initial: Mapping[Key, float]


def _own(alone: Book, snapshot: Snapshot, model: ModelDocument, parts: Sequence[Part]) -> _Own:
    ready = plan(alone, snapshot, model)
    distinct = {part.key: part for part in parts}
    initial, _ = own_margins(alone, ready, [*distinct.values()])
    return _Own(
        result=margin(alone, snapshot, model, prepared=ready),
        initial=dict(zip(distinct, initial.tolist(), strict=True)),
    )


def _row(panel: Panel, rule: Rule, parts: Sequence[Part], own_initial_usd: float) -> Comparison:
    """One row; what a rulebook refuses to margin is a result, not a failure of the comparison."""
    one, found = rule.rulebook, panel.together(rule)
    row = Comparison(
        rulebook=one.id,
        name=one.name,
        date=rule.date,
        certainty=one.certainty,
        open_parts=one.open_parts,
        sources=one.sources,
        error=found if isinstance(found, str) else "",
    )
    if isinstance(found, str):
        return row
    taken, alone = panel.taken(rule), alone_usd(panel, rule, parts)
    return msgspec.structs.replace(
        row,
        date=rule.date or found.date,
        certainty=found.certainty,
        initial_usd=found.initial_usd,
        maintenance_usd=found.maintenance_usd,
        equity_usd=found.equity_usd,
        excess_usd=found.equity_usd - found.initial_usd,
        own_initial_usd=own_initial_usd,
        alone_usd=alone,
        saving_usd=None if alone is None else alone - found.initial_usd,
        binding=found.binding,
        worst_scenario=found.worst_scenario,
        refused=found.refused,
        left_out=_lines(panel.alone) - int(taken.positions.sum() + taken.orders.sum()),
        notes=(*((rule.note,) if rule.note else ()), *found.notes),
    )


def _lines(alone: Book) -> int:
    return len(alone.positions) + len(alone.orders)


def _order(row: Comparison) -> tuple[bool, int, float]:
    return row.initial_usd is None, row.left_out, row.initial_usd or 0.0


def _binding(account: AccountReport) -> str:
    """The largest term of all groups and pools together, by initial margin."""
    sums: dict[str, float] = {}
    for pool in account.pools:
        for term in (*pool.terms, *(term for group in pool.groups for term in group.terms)):
            sums[term.name] = sums.get(term.name, 0.0) + term.initial
    return max(sums, key=lambda name: sums[name]).replace("_", " ") if sums else ""


def _worst(account: AccountReport) -> str:
    """The scenario that set the scan of the group that would lose most."""
    groups = [group for pool in account.pools for group in pool.groups]
    return max(groups, key=lambda group: group.worst_loss_usd).worst_scenario if groups else ""
