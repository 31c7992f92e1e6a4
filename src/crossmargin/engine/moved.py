"""A book in a market that has moved: what a snapshot can be moved by, and the P&L that a fresh look at it would miss.

A margin of the moved market sees positions at their marks there. What settles daily and has no entry price, and what is
given by its sensitivities, shows no gain in it: the first is given the mark before the move as its entry, the gain of
the second is counted as money that is due.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, frozen, tally
from crossmargin.instruments.table import Family
from crossmargin.market.snapshot import Snapshot, factors_of
from crossmargin.portfolio.book import Book, Lines
from crossmargin.scenarios.factors import parse_factor
from crossmargin.scenarios.scenario_set import Scenario, ScenarioSet, collect
from crossmargin.valuation.marks import LINEAR_FAMILIES, marks
from crossmargin.valuation.pnl import pnl, values_usd

_UNMOVED: Final = ("skew", "smile")  # they bend a smile in a scenario, but leave no smile to margin on


def parallel(shocks: Mapping[str, float]) -> dict[str, float]:
    """Shocks as moves of a snapshot: nodes of a curve as their mean, smiles kept as they are."""
    found: dict[str, list[float]] = {}
    for factor, shock in shocks.items():
        kind, name = factor.split(":")[:2]
        if kind not in _UNMOVED:
            found.setdefault(f"{kind}:{name}", []).append(shock)
    return {factor: math.fsum(moves) / len(moves) for factor, moves in found.items()}


def snapshot_moves(snapshot: Snapshot, shocks: Mapping[str, float]) -> tuple[dict[str, float], tuple[str, ...]]:
    """Shocks of a scenario as moves for `bump`, nodes of a curve as their mean; and the factors that no snapshot takes.

    Those are the ones that it does not hold (a chain), and bends of a smile.
    """
    held = set(factors_of(snapshot))
    moves = parallel({factor: x for factor, x in shocks.items() if ":".join(factor.split(":")[:2]) in held})
    unmoved = tuple(f for f, x in shocks.items() if x and ":".join(f.split(":")[:2]) not in moves)
    return moves, unmoved


def leaves_a_market(shocks: Mapping[str, float]) -> bool:
    """Whether a snapshot can be moved by shocks: none stands at a node of a volatility or carry.

    The nodes of a rate are close to their mean; those of carries and volatilities would become another shock.
    """
    factors = [parse_factor(factor, where="shocks") for factor in shocks]
    return not any(f.kind in ("vol", "fwd") and f.node_years > 0.0 for f in factors)


def dealt_at_marks(book: Book, snapshot: Snapshot) -> Book:
    """The book with positions that have no entry price entered at their marks, so that their gains from here count."""
    return replace(book, positions=_entered(book, book.positions, snapshot))


def _entered(book: Book, lines: Lines, snapshot: Snapshot) -> Lines:
    table, rows = book.table, lines.instrument
    now = marks(table, snapshot)
    with np.errstate(divide="ignore", invalid="ignore"):
        option = values_usd(table, snapshot) / (table.multiplier * now.settle_usd)
    settled = (table.family == Family.OPTION) & ~table.upfront
    entry = np.where(np.isin(table.family, LINEAR_FAMILIES), now.price, np.where(settled, option, np.nan))
    return replace(lines, price=frozen(np.where(np.isnan(lines.price), entry[rows], lines.price)))


def one_column(moves: Mapping[str, float]) -> ScenarioSet:
    """Moves of a snapshot as a scenario, at the instant."""
    return collect([Scenario(label="moved", family="moved", shocks=dict(moves))])


def ladder_gains(book: Book, snapshot: Snapshot, columns: ScenarioSet) -> FloatArray:
    """What instruments given by their sensitivities gain, which no mark shows [pool, scenario], USD."""
    lines = book.positions
    mine = (book.table.family == Family.SENSITIVITIES)[lines.instrument]
    if not mine.any():
        return np.zeros((len(book.pools), len(columns)))
    gains = lines.quantity[mine, None] * pnl(book.table, snapshot, columns).values[lines.instrument[mine]]
    pool = book.group_pool[lines.owner[mine]]
    return np.stack([tally(pool, gains[:, s], len(book.pools)) for s in range(len(columns))], axis=1)
