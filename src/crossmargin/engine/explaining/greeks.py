"""What each position is worth and how it moves, whatever margins it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray
from crossmargin.engine.reports import PositionLine
from crossmargin.instruments.table import Family, InstrumentTable
from crossmargin.margin.exposure import sensitivities
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book, bucket_names, bucket_of
from crossmargin.scenarios.scenario_set import Scenario, collect
from crossmargin.valuation.marks import marks
from crossmargin.valuation.pnl import pnl, values_usd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Greeks:
    """Per contract held long [instrument]: `price` in quote currency, the rest in USD.

    `delta` per 100 % move of the instrument's own bucket, `gamma` change of delta per 100 % move, `vega` per 1.00 of
    volatility, `theta` of a day in which nothing moves. `bucket` points into `names`.
    """

    bucket: IndexArray
    names: tuple[str, ...]
    price: FloatArray
    value: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray


def greeks(table: InstrumentTable, snapshot: Snapshot) -> Greeks:
    """The greeks of a table at a snapshot, by small moves of the full revaluation."""
    delta, gamma, vega = sensitivities(table, snapshot)
    day = collect([Scenario(label="a day passes", family="theta", shocks={}, horizon_days=1.0)])
    marked, value = marks(table, snapshot), values_usd(table, snapshot)
    is_valued = np.isin(table.family, (Family.OPTION, Family.SPOT))
    return Greeks(
        bucket=bucket_of(table),
        names=bucket_names(table),
        price=np.where(is_valued, value / (table.multiplier * marked.settle_usd), marked.price),
        value=value,
        delta=delta,
        gamma=gamma,
        vega=vega,
        theta=np.asarray(pnl(table, snapshot, day).values[:, 0]),
    )


def position_line(
    book: Book, per_contract: Greeks, line: int, euler_usd: float | None, marginal_usd: float
) -> PositionLine:
    """One position of a book with its greeks and its shares of the requirement."""
    row, q = int(book.positions.instrument[line]), float(book.positions.quantity[line])
    return PositionLine(
        instrument=book.table.ids[row],
        underlying=per_contract.names[per_contract.bucket[row]],
        quantity=q,
        price=float(np.nan_to_num(per_contract.price[row])),
        value_usd=q * float(per_contract.value[row]),
        delta_usd=q * float(per_contract.delta[row]),
        gamma_usd=q * float(per_contract.gamma[row]) / 100.0,
        vega_usd=q * float(per_contract.vega[row]) / 100.0,
        theta_usd=q * float(per_contract.theta[row]),
        euler_usd=euler_usd,
        marginal_usd=marginal_usd,
    )
