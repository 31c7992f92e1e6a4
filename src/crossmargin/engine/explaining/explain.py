"""Everything about one account: why it requires what it does, how far it is from its call, and what still fits."""

from __future__ import annotations

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.engine.accounts import account_report, provenance
from crossmargin.engine.explaining.attribution import euler_shares, explain_groups, group_shares
from crossmargin.engine.explaining.chain_attribution import chain_term_shares, token_shares, without_each_holding
from crossmargin.engine.explaining.change import Previous, change
from crossmargin.engine.explaining.curves import risk_arrays, spot_curves
from crossmargin.engine.explaining.distance import distances, edge_of, frontier
from crossmargin.engine.margin import MarginResult
from crossmargin.engine.model import AnyModel, RulebookModel, in_force
from crossmargin.engine.plan import Progress, plan
from crossmargin.engine.reports import Capacity, ExplainReport
from crossmargin.engine.ruled.explain import explain_ruled
from crossmargin.engine.variants import account_alone
from crossmargin.engine.whatif import WhatIf, prepare
from crossmargin.instruments.table import Family
from crossmargin.market.snapshot import Snapshot
from crossmargin.optimize.capacity import largest_fits
from crossmargin.portfolio.book import Book


def explain(
    book: Book,
    snapshot: Snapshot,
    model: AnyModel,
    *,
    account: str,
    previous: Previous | None = None,
    progress: Progress | None = None,
) -> ExplainReport:
    """Explain the margin of one account. Raises what `margin` raises, and `UnknownName` for the account."""
    tell = progress or (lambda *_: None)
    moved = change(previous, book, snapshot, model, account=account) if previous else None
    if isinstance(model, RulebookModel):
        return explain_ruled(account_alone(book, account), snapshot, in_force(model, snapshot), moved, tell)
    alone = account_alone(book, account)
    ready = plan(alone, snapshot, model)
    what = prepare(alone, ready)
    result = what.base
    by_risk = _by_risk(what)
    tell("attribution", 1, 5)
    groups, shares = explain_groups(what, result), group_shares(what, result, euler_shares(result))
    without = without_each_holding(what)
    tell("capacity", 2, 5)
    fits = capacities(what, result)
    tell("liquidation prices", 3, 5)
    edge = edge_of(what)
    edges = distances(edge, by_risk)
    tell("frontier", 4, 5)
    joint = frontier(edge, by_risk[0], by_risk[1]) if len(by_risk) > 1 else ()
    tell("curves", 5, 5)
    return ExplainReport(
        provenance=provenance(result),
        account=account_report(result, 0),
        groups=groups,
        by_group=shares,
        distances=edges,
        frontiers=joint,
        capacity=fits,
        spot_curves=spot_curves(alone, snapshot, ready.scenarios.rules, by_risk),
        risk_arrays=risk_arrays(alone, snapshot, ready.scenarios.rules, by_risk),
        change=moved,
        by_token=token_shares(result, without),
        by_chain_term=chain_term_shares(result, without),
    )


def _by_risk(what: WhatIf) -> list[str]:
    """Underlyings of the account with lognormal prices, the largest |delta| × range first (collateral counted)."""
    exposed, total = what.plan.terms.exposure, np.zeros(len(what.plan.terms.exposure.names))
    for lines in (what.book.positions, what.book.holdings):
        np.add.at(total, exposed.bucket[lines.instrument], np.abs(lines.quantity * exposed.delta[lines.instrument]))
    held, classes = what.plan.snapshot.underlyings, what.plan.model.grid.classes
    risk = {
        name: size * classes[held[name].risk_class].price_range
        for name, size in zip(exposed.names, total, strict=True)
        if size > 0.0 and name in held and held[name].curve.lognormal
    }
    return sorted(risk, key=lambda name: -risk[name])


def capacities(what: WhatIf, result: MarginResult) -> tuple[Capacity, ...]:
    """The largest further buy and sell of each instrument held, after which its pool still covers initial margin."""
    lines = what.book.positions
    spot = what.book.table.family[lines.instrument] == Family.SPOT
    last = (np.diff(lines.instrument, append=-1) != 0) | (np.diff(lines.owner, append=-1) != 0)
    tradable = np.flatnonzero(~spot & last)
    if not len(tradable):
        return ()
    line, side = np.repeat(tradable, 2), np.tile([1.0, -1.0], len(tradable))
    pool = what.book.group_pool[lines.owner[line]]
    candidates = np.arange(len(line))

    def excess(size: FloatArray) -> FloatArray:
        quantity = np.tile(lines.quantity, (len(line), 1))
        quantity[candidates, line] += side * size
        figures = what.evaluate(quantity).pools
        at = candidates * len(what.book.pools) + pool
        return np.asarray(figures.equity[at] - figures.initial[at])

    notional = what.plan.terms.exposure.notional[lines.instrument[line]]
    equity = max(float(result.pools.equity.max(initial=0.0)), 1.0)
    found = largest_fits(excess, equity / np.where(notional > 0.0, notional, equity))
    sizes = np.where(np.isinf(found), np.nan, found).reshape(-1, 2)
    return tuple(
        Capacity(
            group=what.book.groups[lines.owner[at]],
            instrument=what.book.table.ids[lines.instrument[at]],
            buy=None if np.isnan(buy) else float(buy),
            sell=None if np.isnan(sell) else float(sell),
        )
        for at, (buy, sell) in zip(tradable, sizes, strict=True)
    )
