"""P&L of an account by price and by volatility, from R: what the plots show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.engine.reports import RiskArray, SpotCurve
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.scenario_set import Scenario, ScenarioSet, SurfaceRule, collect
from crossmargin.scenarios.stress import spot_vol_grid
from crossmargin.valuation.pnl import pnl

CURVE_MOVES: Final = tuple(np.round(np.linspace(-0.6, 0.8, 71), 4).tolist())
ARRAY_MOVES: Final = (-0.5, -0.3, -0.2, -0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
ARRAY_VOLS: Final = (-0.4, -0.25, 0.0, 0.25, 0.5, 1.0)
ALL: Final = "all"


def account_pnl(book: Book, snapshot: Snapshot, scenarios: ScenarioSet) -> FloatArray:
    """P&L of positions and collateral of each account [account, scenario], USD, before haircuts."""
    values = pnl(book.table, snapshot, scenarios).values
    result = np.zeros((len(book.accounts), len(scenarios)))
    for lines, account in (
        (book.positions, book.group_account[book.positions.owner]),
        (book.holdings, book.pool_account[book.holdings.owner]),
    ):
        for row in np.unique(account):
            mine = account == row
            result[row] += lines.quantity[mine] @ values[lines.instrument[mine]]
    return result


def spot_curves(
    alone: Book, snapshot: Snapshot, rules: Mapping[str, SurfaceRule], underlyings: Sequence[str]
) -> tuple[SpotCurve, ...]:
    """P&L of one account by the price of each underlying, everything else held."""
    columns = [
        Scenario(label=f"{name} {x:+.0%}", family="curve", shocks={snapshot.underlyings[name].factor: x})
        for name in underlyings
        for x in CURVE_MOVES
    ]
    if not columns:
        return ()
    gains = account_pnl(alone, snapshot, collect(columns, rules=rules))[0].reshape(len(underlyings), -1)
    return tuple(
        SpotCurve(underlying=name, moves=CURVE_MOVES, pnl_usd=tuple(row.tolist()))
        for name, row in zip(underlyings, gains, strict=True)
    )


def risk_arrays(
    book: Book, snapshot: Snapshot, rules: Mapping[str, SurfaceRule], underlyings: Sequence[str], *, account: int = 0
) -> tuple[RiskArray, ...]:
    """P&L of an account by price and vol, of each underlying with a surface and of all underlyings together."""
    with_surface = [name for name in underlyings if snapshot.underlyings[name].surface is not None]
    sets = [(name, [name]) for name in with_surface] + ([(ALL, list(underlyings))] if len(underlyings) > 1 else [])
    return tuple(_risk_array(book, snapshot, rules, title, names, account) for title, names in sets)


def _risk_array(
    book: Book, snapshot: Snapshot, rules: Mapping[str, SurfaceRule], title: str, names: Sequence[str], account: int
) -> RiskArray:
    held = snapshot.underlyings
    vols = [f"vol:{name}" for name in names if held[name].surface is not None]
    grid = spot_vol_grid(
        [held[name].factor for name in names], vols, moves=ARRAY_MOVES, vol_moves=ARRAY_VOLS, rules=dict(rules)
    )
    gains = account_pnl(book, snapshot, grid)[account].reshape(len(ARRAY_MOVES), len(ARRAY_VOLS))
    return RiskArray(
        underlying=title,
        moves=ARRAY_MOVES,
        vol_moves=ARRAY_VOLS,
        pnl_usd=tuple(tuple(row) for row in gains.tolist()),
    )
