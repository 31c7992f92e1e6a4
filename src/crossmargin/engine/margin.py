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
from crossmargin.collateral.haircuts import Recognised, recognise
from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, frozen, tally
from crossmargin.engine.model import AnyModel, ModelDocument, RulebookModel
from crossmargin.engine.plan import Plan, Progress, plan
from crossmargin.engine.ruled.margin import RuledMargin, ruled_margin
from crossmargin.margin.requirement import Requirements, requirements
from crossmargin.margin.scan import measure_of, order_losses, reduce_stored
from crossmargin.market.snapshot import Snapshot
from crossmargin.measures.kernels.reduce import losses_rows
from crossmargin.measures.reduce import reduce_rows
from crossmargin.portfolio.book import Book, Lines, Mode, make_lines, part

T = TypeVar("T", Requirements, "PoolFigures", Recognised)

BLOCK_LINES = 100_000  # positions worked off at a time: about 100 MB of intermediate columns at most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolFigures:
    """Per pool, USD: the parts of equity, the requirement with its pool-wide term, and the verdict.

    `wrong_way` is before its factors; `initial` and `maintenance` include it.
    """

    collateral: FloatArray
    unsettled: FloatArray
    position_value: FloatArray
    equity: FloatArray
    wrong_way: FloatArray
    initial: FloatArray
    maintenance: FloatArray
    margin_ratio: FloatArray
    status: IndexArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarginResult:
    """The margin of a book, in columns: `groups` by group, `pools` by pool, `holdings` by line of collateral."""

    book: Book
    plan: Plan
    groups: Requirements
    pools: PoolFigures
    holdings: Recognised

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
    return MarginResult(
        book=book,
        plan=ready,
        groups=_joined([r[0] for r in results]),
        pools=_joined([r[1] for r in results]),
        holdings=_joined([r[2] for r in results]),
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


def _block(book: Book, ready: Plan, cash: FloatArray, threads: int) -> tuple[Requirements, PoolFigures, Recognised]:
    inside = inside_scenarios(book, ready)
    positions = with_collateral(book, inside) if inside.any() else book.positions
    groups = requirements(positions, book.orders, book.group_mode, ready.terms, threads=threads)
    held = book.holdings
    recognised = recognise(
        book.table,
        ready.snapshot,
        ready.model.collateral,
        pool=held.owner,
        instrument=held.instrument,
        amount=held.quantity,
        by_rule=~inside[held.owner],
    )
    return groups, _pool_figures(book, ready, groups, recognised, cash, inside, threads), recognised


def _pool_figures(
    book: Book,
    ready: Plan,
    groups: Requirements,
    recognised: Recognised,
    cash: FloatArray,
    inside: BoolArray,
    threads: int,
) -> PoolFigures:
    pools = len(book.pools)
    collateral = tally(book.holdings.owner, recognised.recognised, pools)
    unpaid, value = unsettled(book, ready.terms) + cash, position_values(book, ready.terms)
    equity = collateral + unpaid + value
    worth = collateral + unpaid + position_worth(book, ready.terms)
    wrong_way = _wrong_way(book, ready, groups, recognised, worth, inside, threads)
    initial, maintenance = pool_requirement(book, ready, groups, wrong_way)
    return PoolFigures(
        collateral=frozen(collateral),
        unsettled=frozen(unpaid),
        position_value=frozen(value),
        equity=frozen(equity),
        wrong_way=frozen(wrong_way),
        initial=frozen(initial),
        maintenance=frozen(maintenance),
        margin_ratio=margin_ratio(equity, maintenance),
        status=status(equity, initial, maintenance),
    )


def pool_requirement(
    book: Book, ready: Plan, groups: Requirements, wrong_way: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Initial and maintenance margin of each pool [pool]: its groups and its wrong-way term."""
    factor, pools = ready.model.wrong_way.factor, len(book.pools)
    initial = tally(book.group_pool, groups.initial.sum(axis=1), pools) + factor.initial * wrong_way
    maintenance = tally(book.group_pool, groups.maintenance.sum(axis=1), pools) + factor.maintenance * wrong_way
    return initial, maintenance


def inside_scenarios(book: Book, ready: Plan) -> BoolArray:
    """Pools whose collateral stands in the scenarios [pool]: the model says so, and a portfolio group is there."""
    if ready.model.collateral.mode == "rule":
        return np.zeros(len(book.pools), np.bool_)
    in_portfolio = book.group_pool[book.group_mode == Mode.PORTFOLIO]
    return np.bincount(in_portfolio, minlength=len(book.pools)) > 0


def with_collateral(book: Book, inside: BoolArray) -> Lines:
    """Positions with the collateral of pools `inside` the scenarios added to the pool's first portfolio group."""
    portfolio = np.flatnonzero(book.group_mode == Mode.PORTFOLIO)
    first_group = np.zeros(len(book.pools), np.int32)
    first_group[book.group_pool[portfolio][::-1]] = portfolio[::-1]
    held = book.holdings
    chosen = inside[held.owner]
    lines = book.positions
    return make_lines(
        np.concatenate([lines.owner, first_group[held.owner[chosen]]]),
        np.concatenate([lines.instrument, held.instrument[chosen]]),
        np.concatenate([lines.quantity, held.quantity[chosen]]),
        np.concatenate([lines.price, held.price[chosen]]),
        owners=len(book.groups),
        table=book.table,
    )


def _wrong_way(
    book: Book,
    ready: Plan,
    groups: Requirements,
    recognised: Recognised,
    worth: FloatArray,
    inside: BoolArray,
    threads: int,
) -> FloatArray:
    """The wrong-way term of each pool before its factors [pool], USD; none where collateral is in the scenarios."""
    if not len(book.holdings) or inside.all():
        return np.zeros(len(book.pools))
    together, terms = pool_lines(book), ready.terms
    matrix, measure = terms.matrix, measure_of(ready.model.measure)
    csr = (together.ptr, together.instrument, together.quantity)
    joint, _ = reduce_rows(*csr, matrix.regular, measure, weight=matrix.weight, threads=threads)
    working = np.flatnonzero(np.diff(book.orders.ptr))
    if len(working):
        pools, place = np.unique(book.group_pool[working], return_inverse=True)
        held = together.select(pools.astype(np.int64))
        losses = losses_rows(held.ptr, held.instrument, held.quantity, matrix.regular)
        added = order_losses(book.orders.select(working), matrix.regular, terms.exposure, terms.table)
        np.add.at(losses, place.reshape(-1), added)
        joint[pools], _ = reduce_stored(losses, measure, matrix.weight)
    return np.where(inside, 0.0, shortfall(book, groups, recognised, worth, joint))


def pool_lines(book: Book) -> Lines:
    """The positions and the collateral of each pool as one."""
    held, lines = book.holdings, book.positions
    return make_lines(
        np.concatenate([book.group_pool[lines.owner], held.owner]),
        np.concatenate([lines.instrument, held.instrument]),
        np.concatenate([lines.quantity, held.quantity]),
        np.concatenate([lines.price, held.price]),
        owners=len(book.pools),
        table=book.table,
    )


def shortfall(
    book: Book, groups: Requirements, recognised: Recognised, worth: FloatArray, joint: FloatArray
) -> FloatArray:
    """What collateral falls short when it falls with the positions, beyond its haircuts [pool], USD.

    `joint` [pool] is the risk of positions, orders and collateral together; `worth` [pool] what collateral, unsettled
    P&L and positions count for. With x the part of the joint risk that neither requirements nor haircuts cover, and W
    the worth, only as much matters as the positions need: x · min(1, covered / (W − x)). W ≥ covered + this if and
    only if W − x ≥ covered: an account that meets its requirement still covers its positions' loss after the fall.
    One without positions or without collateral requires nothing.
    """
    pools, owner = len(book.pools), book.holdings.owner
    taken_off = tally(owner, recognised.gross - recognised.recognised, pools)
    covered = tally(book.group_pool, groups.covered, pools)
    beyond = np.maximum(joint - covered - taken_off, 0.0)
    left = worth - beyond
    share = np.where(left > covered, covered / np.where(left > covered, left, 1.0), 1.0)
    is_needed = (covered > 0.0) & (np.diff(book.holdings.ptr) > 0)
    return np.asarray(np.where(is_needed, beyond * share, 0.0))
