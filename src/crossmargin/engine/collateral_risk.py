"""What collateral adds to the requirement of each pool: when it falls with the book, and what its chains may do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crossmargin.collateral.haircuts import Recognised
from crossmargin.core.arrays import BoolArray, FloatArray, frozen, tally
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.plan import Plan
from crossmargin.margin.chain_terms import (
    CHAIN_TERMS,
    Held,
    arrivals,
    arriving,
    bridge_failure,
    late,
    transfers,
    unavailable,
)
from crossmargin.margin.document import Factor
from crossmargin.margin.requirement import Requirements
from crossmargin.margin.scan import ScanMatrix, measure_of, order_losses, reduce_stored, scan
from crossmargin.measures.kernels.reduce import losses_rows
from crossmargin.measures.reduce import reduce_rows
from crossmargin.portfolio.book import Book, Lines, Mode, make_lines


def wrong_way_of(
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
    lost_at_most = np.where(recognised.gross > 0.0, recognised.own_value, recognised.gross)
    taken_off = tally(owner, lost_at_most - recognised.recognised, pools)
    covered = tally(book.group_pool, groups.covered, pools)
    beyond = np.maximum(joint - covered - taken_off, 0.0)
    return np.where(np.diff(book.holdings.ptr) > 0, needed_part(beyond, covered, worth), 0.0)


def needed_part(lost: FloatArray, covered: FloatArray, worth: FloatArray) -> FloatArray:
    """The part of a loss of what is held that positions need [pool], USD: x · min(1, covered / (worth − x)).

    Nothing where no position's loss is covered.
    """
    left = worth - lost
    share = np.where(left > covered, covered / np.where(left > covered, left, 1.0), 1.0)
    return np.asarray(np.where(covered > 0.0, lost * share, 0.0))


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


def chain_factors(model: ModelDocument) -> tuple[Factor, ...]:
    """The factors of the terms of chains, in the order of `CHAIN_TERMS`."""
    return tuple(getattr(model.chains, name) for name in CHAIN_TERMS)


def chain_terms_of(
    book: Book,
    ready: Plan,
    groups: Requirements,
    recognised: Recognised,
    worth: FloatArray,
    contained: FloatArray,
) -> FloatArray:
    """The terms of chains of each pool before their factors [pool, term], USD.

    `contained` [pool] is what the requirement already holds of bridges that fail. As with collateral that falls with
    the book (`shortfall`), a loss x of bridges or of chains that stand still counts as far as positions need what is
    left: x · min(1, covered / (worth − x)).
    """
    pools, risk, lines = len(book.pools), ready.chain_risk, book.holdings
    terms = np.zeros((pools, len(CHAIN_TERMS)))
    if risk is None or not len(lines):
        return terms
    held = held_of(lines, recognised)
    covered = tally(book.group_pool, groups.covered, pools)
    found = arrivals(held, risk)
    used = arriving(held, found, covered)
    failed = needed_part(bridge_failure(held, risk, pools), covered, worth)
    terms[:, 0] = np.maximum(failed - contained, 0.0)
    terms[:, 1] = late(used, held, found, pools)
    terms[:, 2] = needed_part(unavailable(held, risk, ready.terms.matrix, ready.model, pools), covered, worth)
    terms[:, 3] = transfers(used, held, found, risk, pools)
    return terms


def held_of(lines: Lines, recognised: Recognised) -> Held:
    """Holdings as the terms of chains take them: debts count for nothing."""
    credit = lines.quantity > 0.0
    return Held(
        pool=lines.owner,
        row=lines.instrument,
        amount=lines.quantity,
        value=np.where(credit, recognised.own_value, 0.0),
        recognised=np.where(credit, recognised.recognised, 0.0),
    )


def contained_failures(
    book: Book,
    ready: Plan,
    groups: Requirements,
    recognised: Recognised,
    worth: FloatArray,
    inside: BoolArray,
    wrong_way: FloatArray,
) -> FloatArray:
    """What the requirement already holds of bridges that fail [pool], USD.

    The scan of collateral inside the scenarios, elsewhere the wrong-way term: each less what it would be without the
    columns that move the backing of a bridge, and as far as its factor charges it.
    """
    none, matrix = np.zeros(len(book.pools)), ready.terms.matrix
    chains, columns = ready.snapshot.chains, ready.scenarios
    if chains is None or not len(book.holdings):
        return none
    moved = np.zeros(matrix.regular.shape[1], np.bool_)
    for bridge in chains.bridges:
        moved |= columns.row(f"backing:{bridge}")[: columns.regular] != 0.0
    if not moved.any():
        return none
    fewer = ScanMatrix(
        regular=frozen(matrix.regular[:, ~moved]), tail=matrix.tail, weight=frozen(matrix.weight[~moved])
    )
    calm = replace(ready, terms=replace(ready.terms, matrix=fewer))
    positions = with_collateral(book, inside) if inside.any() else book.positions
    terms, choice = calm.terms, ready.model.measure
    found = scan(positions, book.orders, fewer, terms.exposure, terms.table, choice)
    scanned = tally(book.group_pool, groups.scan_loss - found.regular, len(book.pools))
    less = wrong_way_of(book, calm, groups, recognised, worth, inside, 1)
    charged = [min(factor.maintenance, 1.0) for factor in (ready.model.scan, ready.model.wrong_way.factor)]
    held = np.where(inside, charged[0] * scanned, charged[1] * (wrong_way - less))
    return np.asarray(np.maximum(held, 0.0))
