"""Margin of every account: requirement against equity, by pool.

The book is worked off in blocks of accounts, so that memory does not grow with it; what all accounts share (scenarios,
R, exposures) is made once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

import numpy as np

from crossmargin.accounts.equity import position_values, position_worth, unsettled
from crossmargin.accounts.health import margin_ratio, status
from crossmargin.collateral.haircuts import Recognised, larger, recognise
from crossmargin.collateral.tokens import Tokens
from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, frozen, tally
from crossmargin.engine.collateral_risk import (
    chain_factors,
    chain_terms_of,
    contained_failures,
    inside_scenarios,
    with_collateral,
    wrong_way_of,
)
from crossmargin.engine.model import AnyModel, ModelDocument, RulebookModel
from crossmargin.engine.plan import Plan, Progress, plan
from crossmargin.engine.ruled.margin import RuledMargin, ruled_margin
from crossmargin.margin.requirement import Requirements, requirements
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book, part

T = TypeVar("T", Requirements, "PoolFigures", Recognised)

BLOCK_LINES = 100_000  # positions worked off at a time: about 100 MB of intermediate columns at most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolFigures:
    """Per pool, USD: the parts of equity, the requirement with its pool-wide term, and the verdict.

    `equity` stands behind new risk, `held_equity` (never less) behind risk that was taken before: a quarantine takes
    collateral out of the first alone. `wrong_way` and `chain_terms` [pool, term] (in the order of
    `margin.chain_terms.CHAIN_TERMS`) are before their factors; `initial` and `maintenance` include them. What
    collateral adds to a requirement follows what stands behind held risk.
    """

    collateral: FloatArray
    unsettled: FloatArray
    position_value: FloatArray
    equity: FloatArray
    held_equity: FloatArray
    wrong_way: FloatArray
    chain_terms: FloatArray
    initial: FloatArray
    maintenance: FloatArray
    margin_ratio: FloatArray
    status: IndexArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarginResult:
    """The margin of a book, in columns: `groups` by group, `pools` by pool.

    By line of collateral `holdings` are for new risk and `held` for risk that was taken before, the same value where
    the two do not differ.
    """

    book: Book
    plan: Plan
    groups: Requirements
    pools: PoolFigures
    holdings: Recognised
    held: Recognised

    def by_account(self, pool_column: FloatArray) -> FloatArray:
        """Sums of a pool column over each account [account]."""
        return tally(self.book.pool_account, pool_column, len(self.book.accounts))


@overload
def margin(
    book: Book,
    snapshot: Snapshot,
    model: ModelDocument,
    *,
    prepared: Plan | None = ...,
    cash: FloatArray | None = ...,
    threads: int = ...,
    progress: Progress | None = ...,
) -> MarginResult: ...
@overload
def margin(
    book: Book, snapshot: Snapshot, model: RulebookModel, *, threads: int = ..., progress: Progress | None = ...
) -> RuledMargin: ...
def margin(
    book: Book,
    snapshot: Snapshot,
    model: AnyModel,
    *,
    prepared: Plan | None = None,
    cash: FloatArray | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> MarginResult | RuledMargin:
    """Initial and maintenance margin, equity and status of every pool of a book; of every account under a rulebook.

    `prepared` is a plan made before for the same table, market and model. `cash` [pool] is USD that is due but not
    yet among the collateral, such as the premium of a deal; it counts as unsettled. `threads` serves models of our
    own; `progress` is called with a label, the positions (under a rulebook, accounts) done and their number. Raises
    what `plan` raises, and `UnknownName` for collateral without haircuts; under a rulebook what `ruled_margin` raises.
    """
    if isinstance(model, RulebookModel):
        return ruled_margin(book, snapshot, model, progress=progress)
    ready = prepared or plan(book, snapshot, model, threads=threads)
    results = []
    due = np.zeros(len(book.pools)) if cash is None else cash
    for first, last in _blocks(book):
        pools = slice(*np.searchsorted(book.pool_account, [first, last]))
        results.append(_block(part(book, first, last), ready, due[pools], threads))
        if progress is not None:
            done = int(book.positions.ptr[np.searchsorted(book.group_account, last)])
            progress("margin", done, len(book.positions))
    holdings = _joined([r[2] for r in results])
    return MarginResult(
        book=book,
        plan=ready,
        groups=_joined([r[0] for r in results]),
        pools=_joined([r[1] for r in results]),
        holdings=holdings,
        held=holdings if ready.held_tokens is ready.tokens else _joined([r[3] for r in results]),
    )


def _blocks(book: Book) -> Iterator[tuple[int, int]]:
    """Ranges of accounts that hold about `BLOCK_LINES` positions each; one empty range for an empty book."""
    group_end = np.searchsorted(book.group_account, np.arange(1, len(book.accounts) + 1))
    lines = book.positions.ptr[group_end]
    first = 0
    while first < len(book.accounts):
        start = int(lines[first - 1]) if first else 0
        last = max(int(np.searchsorted(lines, start + BLOCK_LINES, side="right")), first + 1)
        yield first, last
        first = last
    if not len(book.accounts):
        yield 0, 0


def _joined(parts: Sequence[T]) -> T:
    """The columns of several blocks, end to end."""
    if len(parts) == 1:
        return parts[0]
    kind = type(parts[0])
    columns = {}
    for name in kind.__dataclass_fields__:
        column = np.concatenate([getattr(block, name) for block in parts])
        columns[name] = frozen(column, column.dtype)
    return kind(**columns)


def _block(
    book: Book, ready: Plan, cash: FloatArray, threads: int
) -> tuple[Requirements, PoolFigures, Recognised, Recognised]:
    inside = inside_scenarios(book, ready)
    positions = with_collateral(book, inside) if inside.any() else book.positions
    groups = requirements(positions, book.orders, book.group_mode, ready.terms, threads=threads)
    figures, holdings, held = _pool_figures(book, ready, groups, cash, inside, threads)
    return groups, figures, holdings, held


def _pool_figures(
    book: Book, ready: Plan, groups: Requirements, cash: FloatArray, inside: BoolArray, threads: int
) -> tuple[PoolFigures, Recognised, Recognised]:
    unpaid, value = unsettled(book, ready.terms) + cash, position_values(book, ready.terms)
    holdings, held = recognised_of(book, ready, inside, unpaid + value)
    collateral, stands = (tally(book.holdings.owner, x.recognised, len(book.pools)) for x in (holdings, held))
    equity, held_equity = collateral + unpaid + value, stands + unpaid + value
    worth = stands + unpaid + position_worth(book, ready.terms)
    wrong_way = wrong_way_of(book, ready, groups, held, worth, inside, threads)
    contained = contained_failures(book, ready, groups, held, worth, inside, wrong_way)
    chains = chain_terms_of(book, ready, groups, held, worth, contained)
    initial, maintenance = pool_requirement(book, ready, groups, wrong_way, chains)
    figures = PoolFigures(
        collateral=frozen(collateral),
        unsettled=frozen(unpaid),
        position_value=frozen(value),
        equity=frozen(equity),
        held_equity=frozen(held_equity),
        wrong_way=frozen(wrong_way),
        chain_terms=frozen(chains),
        initial=frozen(initial),
        maintenance=frozen(maintenance),
        margin_ratio=margin_ratio(held_equity, maintenance),
        status=status(equity, initial, maintenance, held=held_equity),
    )
    return figures, holdings, held


def pool_requirement(
    book: Book, ready: Plan, groups: Requirements, wrong_way: FloatArray, chains: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Initial and maintenance margin of each pool [pool]: its groups, its wrong-way term, and those of chains."""
    factor, pools = ready.model.wrong_way.factor, len(book.pools)
    initial = tally(book.group_pool, groups.initial.sum(axis=1), pools) + factor.initial * wrong_way
    maintenance = tally(book.group_pool, groups.maintenance.sum(axis=1), pools) + factor.maintenance * wrong_way
    if ready.chain_risk is not None:
        factors = chain_factors(ready.model)
        initial = initial + chains @ np.asarray([f.initial for f in factors])
        maintenance = maintenance + chains @ np.asarray([f.maintenance for f in factors])
    return initial, maintenance


def recognised_of(book: Book, ready: Plan, inside: BoolArray, other: FloatArray) -> tuple[Recognised, Recognised]:
    """What the holdings of a book count for, for new risk and for risk that was taken before.

    The same value where these do not differ, and the second never less in any pool. `other` [pool] is the rest of each
    pool's equity.
    """
    lines = book.holdings

    def counted(known: Tokens | None) -> Recognised:
        return recognise(
            book.table,
            ready.snapshot,
            ready.model.collateral,
            pool=lines.owner,
            instrument=lines.instrument,
            amount=lines.quantity,
            by_rule=~inside[lines.owner],
            known=known,
            other=other,
        )

    opening = counted(ready.tokens)
    if ready.held_tokens is ready.tokens:
        return opening, opening
    return opening, larger(counted(ready.held_tokens), opening, lines.owner, len(book.pools))
