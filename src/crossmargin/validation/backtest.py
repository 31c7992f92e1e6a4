"""Walk-forward backtest of scenario models on static portfolios: margin set before each move, and what the move did.

The book is held as it stands in one market, and the moves of each date are applied to it: the same R and the same
reduction as in a margin call, L = q·R, with the columns that were known on the date. Requirements here are the scan
alone, the part that answers for market moves; liquidity, basis and other terms would come on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, runtime_checkable

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import format_instant
from crossmargin.market.snapshot import Snapshot
from crossmargin.measures.kernels.reduce import losses_rows, tail_rows, weighted_tail_rows
from crossmargin.measures.reduce import Measure, reduce_rows
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.scenario_set import ScenarioSet, SurfaceRule
from crossmargin.valuation.pnl import pnl

Progress: TypeAlias = Callable[[str, int, int], None]
CELLS: Final = 500_000  # instrument × scenario worked off at a time: 4 MB of R, which a cache still holds
TAIL_KEPT: Final = 2.0  # of the tail, as a multiple of the rate: a draw beyond it is no exception
Csr: TypeAlias = tuple[IntArray, IntArray, FloatArray]


class Forecaster(Protocol):
    """What a backtest asks of a model: the columns that it means after a move, from the past of that move alone."""

    @property
    def name(self) -> str:
        """What it is called in a table."""
        ...

    @property
    def measure(self) -> Measure:
        """How its columns become one number."""
        ...

    def columns(self, t: int) -> FloatArray:
        """Shocks [factor, scenario] over the horizon that begins after move t; as many scenarios at every t."""
        ...


@runtime_checkable
class Weighted(Protocol):
    """A forecaster whose columns may be unequally likely."""

    def weights(self, t: int) -> FloatArray | None:
        """What each column of t weighs [scenario]; None where all weigh the same."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What all models of a backtest share.

    `factors` name the rows of shocks, `close_ns` [move] the end of each move, `realised` [factor, move] the shocks over
    the horizon that began there (NaN where it has not ended), `moves` the moves after which margin is set.
    """

    book: Book
    snapshot: Snapshot
    factors: tuple[str, ...]
    close_ns: IntArray
    realised: FloatArray
    moves: IntArray
    horizon_days: float
    rules: dict[str, SurfaceRule]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """What a model of equally likely columns said beside the margin, at the tail probability `rate`.

    `value_at_risk` and `shortfall` [account, date] are losses. Of the accounts `kept` [kept] there are the smallest
    P&L of each date's `scenarios`, ascending (`tail` [kept, date, rank]), and the probability that was given to what
    came or less (`probability` [kept, date]): (2·below + equal + 1)/(2·scenarios + 2).
    """

    rate: float
    value_at_risk: FloatArray
    shortfall: FloatArray
    scenarios: int
    kept: IntArray
    tail: FloatArray
    probability: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One model's backtest: `margin` [account, date] set at `set_ns` [date], `pnl` [account, date] of the horizon after
    it, both USD; a loss beyond the margin is an exception. A model without a distribution has no `forecast`. On its
    first `warm_up` dates a model that learns says what it was made from, and is not judged."""

    model: str
    accounts: tuple[str, ...]
    set_ns: IntArray
    margin: FloatArray
    pnl: FloatArray
    forecast: Forecast | None = None
    warm_up: int = 0

    @property
    def uncovered(self) -> FloatArray:
        """Loss beyond the margin [account, date], 0 where there is none."""
        return np.asarray(np.maximum(-self.pnl - self.margin, 0.0))


def moves_between(close_ns: IntArray, ready: BoolArray, realised: FloatArray, start_ns: int, end_ns: int) -> IntArray:
    """The moves after which a margin can be set and judged in [start, end).

    Models are `ready` [move], every factor moved, and the horizon has ended.

    Raises `InvalidInput` where there is none.
    """
    inside = (close_ns >= start_ns) & (close_ns < end_ns) & ready & ~np.isnan(realised).any(axis=0)
    found = np.flatnonzero(inside)
    if not len(found):
        raise InvalidInput(
            "period",
            where="backtest",
            value=f"{format_instant(start_ns)} to {format_instant(end_ns)}",
            limit="one in which every factor of the book moves",
            remedy="Choose dates inside the history.",
        )
    return found


def realised_pnl(stage: Stage, *, threads: int = 1) -> FloatArray:
    """P&L of every account over the horizon after each move [account, date], USD."""
    matrix = _matrix(stage, stage.realised[:, stage.moves], threads)
    lines = stage.book.positions
    account = stage.book.group_account[lines.owner]
    gains = np.zeros((len(stage.book.accounts), matrix.shape[1]))
    np.add.at(gains, account, lines.quantity[:, None] * matrix[lines.instrument])
    return gains


def run(
    stage: Stage,
    model: Forecaster,
    *,
    gains: FloatArray | None = None,
    rate: float | None = None,
    kept: Sequence[int] = (),
    threads: int = 1,
    progress: Progress | None = None,
) -> Series:
    """The backtest of one model; `gains` are those of `realised_pnl`, which all models share.

    Each account is margined as one portfolio. With a `rate` what the model forecasts of that tail is recorded too, and
    more of the accounts `kept`; its columns are then equally likely. `progress` is called with the model's name, dates
    done and their number.
    """
    gains = realised_pnl(stage, threads=threads) if gains is None else gains
    csr = by_account(stage.book)
    margin = np.empty((len(stage.book.accounts), len(stage.moves)))
    forecast: Forecast | None = None
    for first, last, columns in _batches(stage, model):
        shock = np.concatenate(columns, axis=1)
        shock.flags.writeable = False  # ours alone: no copy is needed to keep it
        matrix = _matrix(stage, shock, threads)
        width = columns[0].shape[1]
        if forecast is None and rate is not None:
            equal = _weights(model, int(stage.moves[first])) is None
            forecast = _unfilled(margin.shape, rate, width, kept if equal else ())
        for date in range(first, last):
            own = np.ascontiguousarray(matrix[:, (date - first) * width : (date - first + 1) * width])
            weight = _weights(model, int(stage.moves[date]))
            margin[:, date] = np.maximum(reduce_rows(*csr, own, model.measure, weight=weight, threads=threads)[0], 0.0)
            if forecast is not None:
                _record(forecast, date, csr, own, weight, gains[:, date], threads)
        if progress is not None:
            progress(model.name, last, len(stage.moves))
    return Series(
        model=model.name,
        accounts=stage.book.accounts,
        set_ns=frozen(stage.close_ns[stage.moves], np.int64),
        margin=frozen(margin),
        pnl=frozen(gains),
        forecast=forecast,
    )


def _unfilled(shape: tuple[int, ...], rate: float, scenarios: int, kept: Sequence[int]) -> Forecast:
    """A forecast to be recorded date by date."""
    ranks = Measure(level=1.0 - min(TAIL_KEPT * rate, 1.0)).tail_count(scenarios)
    return Forecast(
        rate=rate,
        value_at_risk=np.empty(shape),
        shortfall=np.empty(shape),
        scenarios=scenarios,
        kept=np.asarray(kept, np.int64),
        tail=np.empty((len(kept), shape[1], ranks)),
        probability=np.empty((len(kept), shape[1])),
    )


def _weights(model: Forecaster, t: int) -> FloatArray | None:
    """What the columns of t weigh; None where all weigh the same."""
    return model.weights(t) if isinstance(model, Weighted) else None


def _record(
    forecast: Forecast,
    date: int,
    csr: Csr,
    matrix: FloatArray,
    weight: FloatArray | None,
    gains: FloatArray,
    threads: int,
) -> None:
    """Write what the model says of one date into its forecast."""
    ptr, index, quantity = csr
    if weight is None:
        count = Measure(level=1.0 - forecast.rate).tail_count(forecast.scenarios)
        quantile, shortfall, _ = tail_rows(ptr, index, quantity, matrix, count, threads=threads)
    else:
        tail = forecast.rate * float(weight.sum())
        quantile, shortfall, _ = weighted_tail_rows(ptr, index, quantity, matrix, weight, tail, threads=threads)
    forecast.value_at_risk[:, date], forecast.shortfall[:, date] = quantile, shortfall
    if not len(forecast.kept):
        return
    lines = np.concatenate([np.arange(ptr[row], ptr[row + 1]) for row in forecast.kept])
    own = np.concatenate([[0], np.cumsum(np.diff(ptr)[forecast.kept])])
    pnl = -losses_rows(own, index[lines], quantity[lines], matrix, threads=threads)
    came = gains[forecast.kept, None]
    twice = 2 * (pnl < came).sum(axis=1) + (pnl == came).sum(axis=1)
    forecast.probability[:, date] = (twice + 1.0) / (2.0 * forecast.scenarios + 2.0)
    ranks = forecast.tail.shape[2]
    forecast.tail[:, date] = np.sort(np.partition(pnl, ranks - 1, axis=1)[:, :ranks], axis=1)


def _batches(stage: Stage, model: Forecaster) -> Iterator[tuple[int, int, Sequence[FloatArray]]]:
    """Dates [first, last) with the columns of each, as many as fit a batch."""
    rows, first = max(len(stage.book.table), 1), 0
    while first < len(stage.moves):
        columns = [model.columns(int(stage.moves[first]))]
        room = max(CELLS // (rows * columns[0].shape[1]), 1)
        last = min(first + room, len(stage.moves))
        columns += [model.columns(int(t)) for t in stage.moves[first + 1 : last]]
        yield first, last, columns
        first = last


def _matrix(stage: Stage, shock: FloatArray, threads: int) -> FloatArray:
    """R [instrument, column] of shocks [factor, column]."""
    count = shock.shape[1]
    scenarios = ScenarioSet(
        labels=("",) * count,
        families=("walk",) * count,
        factors=stage.factors,
        shock=frozen(shock),
        weight=frozen(np.ones(count)),
        horizon_days=frozen(np.full(count, stage.horizon_days)),
        damping=frozen(np.ones(count)),
        rules=stage.rules,
    )
    return pnl(stage.book.table, stage.snapshot, scenarios, threads=threads).values


def by_account(book: Book) -> Csr:
    """Positions as rows of accounts: pointers, instruments, quantities."""
    lines = book.positions
    account = book.group_account[lines.owner]
    order = np.argsort(account, kind="stable")
    ptr = np.searchsorted(account[order], np.arange(len(book.accounts) + 1))
    return ptr, lines.instrument[order].astype(np.int64), lines.quantity[order]
