"""Whose requirement it is: Euler shares of the scan, and the requirement with and without each part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, tally
from crossmargin.engine.collateral_risk import inside_scenarios, with_collateral
from crossmargin.engine.explaining.greeks import Greeks, greeks, position_line
from crossmargin.engine.margin import MarginResult
from crossmargin.engine.plan import Plan
from crossmargin.engine.reports import GroupExplanation, ScenarioLine, Share
from crossmargin.engine.whatif import WhatIf
from crossmargin.margin.addons import Stock
from crossmargin.margin.rule import rule_margin
from crossmargin.margin.scan import measure_of
from crossmargin.measures.reduce import tail_weights
from crossmargin.portfolio.book import Book, Mode


def explain_groups(what: WhatIf, result: MarginResult) -> tuple[GroupExplanation, ...]:
    """The explanation of each group of a one-account result."""
    euler, marginal = euler_shares(result), _without_each_position(what, result)
    per_contract = greeks(what.plan.table, what.plan.snapshot)
    return tuple(_group(what, result, g, euler, marginal, per_contract) for g in range(len(what.book.groups)))


def euler_shares(result: MarginResult) -> FloatArray:
    """Each position's share of its group's scan [line], USD; they add up to it, without what orders add.

    −q_i · Σ_s w_s R_is, the weights w being those with which the measure averages the group's own losses (one, on the
    worst scenario, for the worst case). Euler's theorem makes the shares add up, because the measure is homogeneous
    (Tasche 1999). What they add up to is `Requirements.scan_loss`: the measure itself, before factors, and before the
    terms of options bought are scaled to their value, which is no risk. Collateral inside the scenarios has the rest.
    In groups by rule the share is the position's own initial margin.
    """
    book, terms = result.book, result.plan.terms
    lines, share = book.positions, np.zeros(len(book.positions))
    margined = with_collateral(book, inside_scenarios(book, result.plan))
    measure = measure_of(result.plan.model.measure)
    for group in range(len(book.groups)):
        mine, whole = lines.of(group), margined.of(group)
        if book.group_mode[group] == Mode.PORTFOLIO:
            losses = -(margined.quantity[whole] @ terms.matrix.regular[margined.instrument[whole]])
            weights = tail_weights(losses, measure, weight=terms.matrix.weight)
            if weights @ losses > 0.0:
                share[mine] = -lines.quantity[mine] * (terms.matrix.regular[lines.instrument[mine]] @ weights)
    return np.where((book.group_mode == Mode.PORTFOLIO)[lines.owner], share, _rule_shares(book, result.plan))


def _rule_shares(book: Book, ready: Plan) -> FloatArray:
    lines, none = book.positions, np.zeros(0, np.int32)
    each = Stock(group=np.arange(len(lines), dtype=np.int32), instrument=lines.instrument, quantity=lines.quantity)
    orders = Stock(group=none, instrument=none, quantity=np.zeros(0))
    return rule_margin(each, orders, ready.terms.rules, ready.terms.exposure, len(lines))[0]


def marginal(what: WhatIf, result: MarginResult, parts: Sequence[BoolArray]) -> FloatArray:
    """The account's initial margin with each part minus without it [part], USD; `parts` are masks of lines."""
    if not parts:
        return np.zeros(0)
    quantity = np.where(np.stack(parts), 0.0, what.book.positions.quantity)
    without = what.evaluate(quantity)
    return np.asarray(float(result.pools.initial.sum()) - without.by_account(without.pools.initial))


def _without_each_position(what: WhatIf, result: MarginResult) -> FloatArray:
    return marginal(what, result, list(np.eye(len(what.book.positions), dtype=np.bool_)))


def _group(
    what: WhatIf, result: MarginResult, group: int, euler: FloatArray, alone: FloatArray, per_contract: Greeks
) -> GroupExplanation:
    book, ready = what.book, what.plan
    mine = book.positions.of(group)
    rows = book.positions.instrument[mine]
    gains = -np.concatenate([what.losses.group[group], what.losses.tail[group]])
    names = ready.terms.exposure.names
    bucket = ready.terms.exposure.bucket
    of_bucket = [bucket[book.positions.instrument] == b for b in np.unique(bucket[rows])]
    masks = [mask & (book.positions.owner == group) for mask in of_bucket]
    shares = marginal(what, result, masks)
    return GroupExplanation(
        id=book.groups[group],
        scenarios=tuple(
            ScenarioLine(label=label, family=family, pnl_usd=float(gain))
            for label, family, gain in zip(ready.scenarios.labels, ready.scenarios.families, gains, strict=True)
        ),
        positions=tuple(
            position_line(book, per_contract, i, float(euler[i]), float(alone[i])) for i in range(mine.start, mine.stop)
        ),
        underlyings=tuple(
            Share(name=names[b], euler_usd=float(euler[mask].sum()), marginal_usd=float(share))
            for b, mask, share in zip(np.unique(bucket[rows]), masks, shares, strict=True)
        ),
    )


def group_shares(what: WhatIf, result: MarginResult, euler: FloatArray) -> tuple[Share, ...]:
    """Each group's Euler share and marginal requirement."""
    owner = what.book.positions.owner
    groups = range(len(what.book.groups))
    shares = marginal(what, result, [owner == g for g in groups])
    total = tally(owner, euler, len(groups))
    return tuple(
        Share(name=what.book.groups[g], euler_usd=float(total[g]), marginal_usd=float(shares[g])) for g in groups
    )


def worst_scenarios(explanation: GroupExplanation, count: int = 10) -> Iterable[ScenarioLine]:
    """The scenarios in which a group loses most, worst first."""
    return sorted(explanation.scenarios, key=lambda line: line.pnl_usd)[:count]
