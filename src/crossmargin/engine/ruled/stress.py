"""Stress under a rulebook: P&L in named shocks, and what it would ask for in the market after each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crossmargin.engine.explaining.curves import account_pnl, risk_arrays
from crossmargin.engine.model import RulebookModel
from crossmargin.engine.moved import dealt_at_marks
from crossmargin.engine.reports import ScenarioLine, StressAccount, StressedMargin
from crossmargin.engine.ruled.accounts import ruling
from crossmargin.engine.ruled.versions import listed
from crossmargin.engine.verdict import status_name
from crossmargin.market.snapshot import Snapshot, bump, factors_of
from crossmargin.portfolio.book import Book, bucket_names, bucket_of
from crossmargin.scenarios.scenario_set import ScenarioSet

_BENT = ("skew:", "smile:")  # shocks that bend a smile, which leave no snapshot behind


def stressed_account(
    alone: Book,
    snapshot: Snapshot,
    model: RulebookModel,
    shocks: ScenarioSet,
    moves: Sequence[Mapping[str, float]],
) -> StressAccount:
    """A book of one account under shocks, `moves` [scenario] being their factors; vols move alike at all tenors.

    P&L is that of what the rulebook takes, like the equity beside it. What has no entry price gains from its mark on.
    """
    found, entered = model.evaluate(alone, snapshot), dealt_at_marks(alone, snapshot)
    seen = listed(alone, found.refused)
    gains = account_pnl(seen, snapshot, shocks)[0].tolist()
    return StressAccount(
        id=alone.accounts[0],
        equity_usd=found.equity_usd,
        lines=tuple(
            ScenarioLine(label=label, family=family, pnl_usd=gain)
            for label, family, gain in zip(shocks.labels, shocks.families, gains, strict=True)
        ),
        risk_arrays=risk_arrays(seen, snapshot, {}, _underlyings(seen, snapshot)),
        ruling=ruling(model, found),
        margins=tuple(
            _after(entered, snapshot, model, label, shock) for label, shock in zip(shocks.labels, moves, strict=True)
        ),
    )


def _underlyings(seen: Book, snapshot: Snapshot) -> list[str]:
    """The underlyings of all that is held, by name."""
    names, bucket = bucket_names(seen.table), bucket_of(seen.table)
    held = {names[bucket[row]] for lines in (seen.positions, seen.holdings) for row in lines.instrument}
    return sorted(held & snapshot.underlyings.keys())


def _after(
    alone: Book, snapshot: Snapshot, model: RulebookModel, label: str, shock: Mapping[str, float]
) -> StressedMargin:
    """What the rulebook asks for once a shock has happened; factors that no snapshot can be moved by stay."""
    held = set(factors_of(snapshot))
    moved = {factor: x for factor, x in shock.items() if factor in held and not factor.startswith(_BENT)}
    found = model.evaluate(alone, bump(snapshot, moved))
    return StressedMargin(
        label=label,
        equity_usd=found.equity_usd,
        held_equity_usd=found.equity_usd,
        initial_usd=found.initial_usd,
        maintenance_usd=found.maintenance_usd,
        status=status_name(found.equity_usd, found.initial_usd, found.maintenance_usd),
        unmoved=tuple(factor for factor in shock if factor not in moved),
    )
