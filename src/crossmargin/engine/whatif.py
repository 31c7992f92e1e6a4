"""What-if on one account: what it would hold and require after a change, with everything that does not change kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray
from crossmargin.engine.accounts import account_report, provenance
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.plan import Plan, plan
from crossmargin.engine.reports import SimulateReport
from crossmargin.engine.variants import account_alone, with_added, with_quantities
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WhatIf:
    """One account over a table of what it holds and may trade, with R known.

    `after` answers a change of quantities; make it once, ask it often (a thousand times a second).
    """

    book: Book
    plan: Plan
    threads: int = 1

    def after(self, change: Mapping[str, float], *, group: int = 0) -> MarginResult:
        """The margin after adding `change` (contracts by instrument id) to the lines of `group`.

        Raises `UnknownName` for an instrument that the what-if was not made with.
        """
        row, positions = self.book.table.row, self.book.positions
        quantity = positions.quantity.copy()
        for name, amount in change.items():
            check.known(name, row, "instrument", where="what-if", remedy="Name it when the what-if is made.")
            line = np.flatnonzero((positions.instrument == row[name]) & (positions.owner == group))
            check.known(name if len(line) else "", [name], "line", where=f"what-if: {self.book.groups[group]}")
            quantity[line[-1]] += check.quantity(amount, f"quantity of {name}", where="what-if")
        return self.evaluate(quantity[None, :])

    def evaluate(self, quantity: FloatArray) -> MarginResult:
        """The margin of many versions of the account at once, `quantity` [variant, position]."""
        versions = with_quantities(self.book, quantity)
        return margin(versions, self.plan.snapshot, self.plan.model, prepared=self.plan, threads=self.threads)


def what_if(
    book: Book,
    snapshot: Snapshot,
    model: ModelDocument,
    *,
    account: str,
    candidates: tuple[str, ...] = (),
    group: str | None = None,
) -> WhatIf:
    """Prepare what-ifs on an account; `candidates` are instruments it does not hold yet but may trade in `group`."""
    wide = with_added(account_alone(book, account), dict.fromkeys(candidates, 0.0), {}, group=group)
    return WhatIf(book=wide, plan=plan(wide, snapshot, model))


def simulate(
    book: Book,
    snapshot: Snapshot,
    model: ModelDocument,
    *,
    account: str,
    add: Mapping[str, float] | None = None,
    collateral: Mapping[tuple[str, str], float] | None = None,
    group: str | None = None,
) -> SimulateReport:
    """An account before and after adding positions and collateral, side by side.

    `add` by instrument id, signed; `collateral` by (asset, chain), "" for no chain. Both sides are computed over the
    same scenarios, those of the account after the change, so that their difference is due to the change alone.
    """
    alone = account_alone(book, account)
    after = with_added(alone, add or {}, collateral or {}, group=group)
    none = with_added(alone, dict.fromkeys(add or {}, 0.0), dict.fromkeys(collateral or {}, 0.0), group=group)
    ready = plan(after, snapshot, model)
    results = [margin(version, snapshot, model, prepared=ready) for version in (none, after)]
    added = [f"{quantity:+g} {name}" for name, quantity in (add or {}).items()]
    added += [f"{amount:+g} {asset}{f' on {c}' if c else ''}" for (asset, c), amount in (collateral or {}).items()]
    return SimulateReport(
        provenance=provenance(results[1]),
        added=tuple(added),
        before=account_report(results[0], 0),
        after=account_report(results[1], 0),
    )
