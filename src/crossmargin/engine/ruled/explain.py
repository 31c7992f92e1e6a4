"""Everything about one account under a rulebook, by asking the rulebook again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.engine.explaining.curves import risk_arrays, spot_curves
from crossmargin.engine.explaining.distance import Edge, distances, frontier
from crossmargin.engine.explaining.greeks import Greeks, greeks, position_line
from crossmargin.engine.model import RulebookModel
from crossmargin.engine.moved import dealt_at_marks
from crossmargin.engine.plan import Progress
from crossmargin.engine.reports import Change, ExplainReport, GroupExplanation, ScenarioLine, Share
from crossmargin.engine.ruled.accounts import answered, group_id, ruled_provenance
from crossmargin.engine.ruled.attribution import Asked, Shares, euler_shares, other_shares, shares_of
from crossmargin.engine.ruled.dealing import capacities
from crossmargin.engine.ruled.margin import RuledMargin
from crossmargin.engine.ruled.versions import listed
from crossmargin.margin.rulebooks.rulebook import RuleResult
from crossmargin.market.snapshot import Snapshot, bump
from crossmargin.portfolio.book import Book


def explain_ruled(
    alone: Book, snapshot: Snapshot, model: RulebookModel, change: Change | None, tell: Progress
) -> ExplainReport:
    """Explain what a rulebook asks of a book of one account. Raises what the rulebook raises.

    Liquidation prices, curves and sizes that fit are those of what the rulebook lists: what it refuses is in no figure.
    """
    found = model.evaluate(alone, snapshot)
    seen = listed(alone, found.refused)
    per_contract = greeks(alone.table, snapshot)
    by_risk = _by_risk(seen, snapshot, per_contract)
    asked = Asked(alone=alone, snapshot=snapshot, model=model, initial_usd=found.initial_usd)
    euler = euler_shares(asked, tell)
    group, by_group = _group(asked, per_contract, found, euler), _by_group(asked, euler)
    excess = found.equity_usd - found.initial_usd
    fits = capacities(seen, snapshot, model, excess_usd=excess, tell=tell)
    tell("liquidation prices", 3, 5)
    edge = edge_of(alone, snapshot, model)
    edges = distances(edge, by_risk)
    tell("frontier", 4, 5)
    joint = frontier(edge, by_risk[0], by_risk[1]) if len(by_risk) > 1 else ()
    tell("curves", 5, 5)
    return ExplainReport(
        provenance=ruled_provenance(RuledMargin(book=alone, snapshot=snapshot, model=model, results=(found,))),
        account=answered(alone, snapshot, model, found),
        groups=(group,),
        by_group=by_group,
        distances=edges,
        frontiers=joint,
        capacity=fits,
        spot_curves=spot_curves(seen, snapshot, {}, by_risk),
        risk_arrays=risk_arrays(seen, snapshot, {}, by_risk),
        change=change,
    )


def edge_of(alone: Book, snapshot: Snapshot, model: RulebookModel) -> Edge:
    """The edge of an account under a rulebook: the market is moved, and the rulebook asked again."""

    entered = dealt_at_marks(alone, snapshot)

    def excess(moves: Mapping[str, float]) -> FloatArray:
        found = model.evaluate(entered, bump(snapshot, moves))
        return np.asarray([found.equity_usd - found.maintenance_usd])

    return Edge(pools=alone.accounts, snapshot=snapshot, excess=excess)


def _by_risk(seen: Book, snapshot: Snapshot, per_contract: Greeks) -> list[str]:
    """Underlyings with lognormal prices of what the rulebook takes, the largest |delta| first."""
    total = np.zeros(len(per_contract.names))
    for lines in (seen.positions, seen.holdings):
        row = lines.instrument
        np.add.at(total, per_contract.bucket[row], np.abs(lines.quantity * per_contract.delta[row]))
    risk = {
        name: size
        for name, size in zip(per_contract.names, total.tolist(), strict=True)
        if size > 0.0 and name in snapshot.underlyings and snapshot.underlyings[name].curve.lognormal
    }
    return sorted(risk, key=lambda name: -risk[name])


def _group(asked: Asked, per_contract: Greeks, found: RuleResult, euler: Shares | None) -> GroupExplanation:
    alone = asked.alone
    lines = np.arange(len(alone.positions))
    bucket = per_contract.bucket[alone.positions.instrument]
    buckets = np.unique(bucket)
    return GroupExplanation(
        id=group_id(alone, asked.model),
        scenarios=tuple(
            ScenarioLine(label=s.label, family=_family(s.label, asked.model), pnl_usd=s.pnl_usd)
            for s in found.scenarios
        ),
        positions=tuple(
            position_line(
                alone,
                per_contract,
                i,
                None if euler is None else float(euler.positions[i]),
                asked.without(lines == i),
            )
            for i in lines.tolist()
        ),
        underlyings=shares_of(asked, [per_contract.names[b] for b in buckets], [bucket == b for b in buckets], euler),
    )


def _by_group(asked: Asked, euler: Shares | None) -> tuple[Share, ...]:
    """The groups of the book, which the rulebook does not see, then what orders and collateral add."""
    alone = asked.alone
    masks = [alone.positions.owner == g for g in range(len(alone.groups))]
    return (*shares_of(asked, alone.groups, masks, euler), *other_shares(asked, euler))


def _family(label: str, model: RulebookModel) -> str:
    """The account of the venue that a scenario is of (`BTC: spot up`), or the rulebook."""
    head, colon, _ = label.partition(": ")
    return head if colon else model.rulebook.id
