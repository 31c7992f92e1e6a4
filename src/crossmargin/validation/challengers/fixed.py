"""The fixed grid: margins that no market moves."""

from __future__ import annotations

import numpy as np

from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.plan import moved_names
from crossmargin.margin.addons import Stock, addons
from crossmargin.margin.exposure import exposure
from crossmargin.measures.reduce import Measure, reduce_rows
from crossmargin.scenarios.grid import build_grid
from crossmargin.validation.backtest import Series, Stage, by_account
from crossmargin.valuation.pnl import pnl

WORST = Measure()


def fixed_grid(stage: Stage, model: ModelDocument, name: str, *, gains: FloatArray, threads: int = 1) -> Series:
    """The backtest of a model's grid: initial scan, jump and basis terms of each account, the same on every date.

    scan factor · worst regular loss + jump factor · (what far moves lose beyond it) + the basis term, which is what
    stands for the moves of longs against shorts that a grid has no column for. The market is that of the stage, so
    nothing after the first date enters. Raises `UnknownName` for risk classes that the grid does not hold, and
    `MissingFactors` for correlations and liquidity that the market lacks.
    """
    names, assets = moved_names(stage.book.table, stage.snapshot)
    grid = build_grid(model.grid, stage.snapshot, underlyings=names, assets=assets)
    matrix = pnl(stage.book.table, stage.snapshot, grid, threads=threads).values
    csr = by_account(stage.book)
    regular, whole = (
        np.maximum(reduce_rows(*csr, np.ascontiguousarray(part), WORST)[0], 0.0)
        for part in (matrix[:, : grid.regular], matrix)
    )
    margin = model.scan.initial * regular + model.jump.initial * (whole - regular) + _basis(stage, model)
    dates = len(stage.moves)
    return Series(
        model=name,
        accounts=stage.book.accounts,
        set_ns=frozen(stage.close_ns[stage.moves], np.int64),
        margin=frozen(np.repeat(margin[:, None], dates, axis=1)),
        pnl=gains,
    )


def _basis(stage: Stage, model: ModelDocument) -> FloatArray:
    """The initial basis term of each account [account], USD, its positions as one portfolio."""
    book, exposed = stage.book, exposure(stage.book.table, stage.snapshot)
    instrument, account = book.positions.instrument, book.group_account[book.positions.owner]
    order = np.lexsort((exposed.tenor_years[instrument], exposed.bucket[instrument], account))
    held = Stock(group=account[order], instrument=instrument[order], quantity=book.positions.quantity[order])
    orders = Stock(group=account[:0], instrument=instrument[:0], quantity=book.positions.quantity[:0])
    alone = np.zeros((len(book.accounts), len(exposed.names)))
    return model.basis.factor.initial * addons(held, orders, alone, exposed, model).basis
