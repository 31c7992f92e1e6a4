"""What chains and bridges add to the requirement of a pool: bridges that fail, collateral that is late, stuck or far.

Each term is zero without collateral on chains, never negative, and does not fall as more stands behind a bridge or on
a chain. What haircuts have taken off already, or the scan of the scenarios holds, is not asked for again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray, frozen, tally
from crossmargin.core.finality import Health
from crossmargin.instruments.table import InstrumentTable
from crossmargin.instruments.terms import Spot, Token
from crossmargin.margin.addons import running_sums
from crossmargin.margin.document import ChainTerms, MarginModel
from crossmargin.margin.scan import ScanMatrix, measure_of
from crossmargin.market.representations.build import ChainMarket
from crossmargin.market.snapshot import Snapshot
from crossmargin.measures.reduce import reduce_rows

CHAIN_TERMS: Final = ("bridge", "finality", "availability", "transfer")
DAY_S: Final = 86_400.0
NONE: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainRisk:
    """What each row of the table bears, made once per market and model.

    `failure` [instrument, pair] is the share of its value that is lost when a pair of bridges fails; `stretch`
    [instrument] is √(max(τ, τ₀)/τ₀) of the margin horizon of collateral held in it, `halt_stretch` the same of a halt
    of its chain.
    `chain` [instrument] is a code, −1 for what is on no stated chain; `works` [instrument] whether its chain produces
    blocks. `cost` [instrument] is the share of value, and `cost_usd` the amount, that a transfer takes.
    """

    failure: FloatArray
    arrival_s: FloatArray
    stretch: FloatArray
    halt_stretch: FloatArray
    chain: IndexArray
    works: FloatArray
    cost: FloatArray
    cost_usd: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """Collateral line by line: `pool`, `row` of the table, `amount`, `value` at the own price and what is
    `recognised`, USD; of debts both are 0."""

    pool: IndexArray
    row: IndexArray
    amount: FloatArray
    value: FloatArray
    recognised: FloatArray


def chain_risk(table: InstrumentTable, snapshot: Snapshot, model: MarginModel) -> ChainRisk | None:
    """What each row bears; none where the market states no chains."""
    chains = snapshot.chains
    if chains is None:
        return None
    horizon_s = model.liquidity.horizon_days * DAY_S
    rows = [_times(terms, chains, model.chains) for terms in table.terms]
    arrival_s, halt_s, chain, works, cost, cost_usd = np.asarray(rows, np.float64).reshape(-1, 6).T
    return ChainRisk(
        failure=frozen(_failures(table, chains, model.chains.bridge_loss)),
        arrival_s=frozen(arrival_s),
        stretch=frozen(np.sqrt(np.maximum(arrival_s, horizon_s) / horizon_s)),
        halt_stretch=frozen(np.sqrt(np.maximum(halt_s, horizon_s) / horizon_s)),
        chain=frozen(chain, np.int32),
        works=frozen(works),
        cost=frozen(cost),
        cost_usd=frozen(cost_usd),
    )


def _times(terms: object, chains: ChainMarket, rules: ChainTerms) -> tuple[float, float, int, float, float, float]:
    """Seconds until it arrives, seconds of a halt, code of its chain, whether that works, cost share and cost."""
    if not isinstance(terms, Spot) or terms.chain not in chains.chains:
        return 0.0, 0.0, NONE, 0.0, 0.0, 0.0
    finality, health = chains.registry.chains[terms.chain].finality, chains.health(terms.chain)
    arrival = rules.detect_s + rules.include_s + finality.final_s
    arrival += finality.halt_s if health == Health.HALTED else 0.0
    cost = cost_usd = 0.0
    if isinstance(terms, Token) and chains.needed_on not in {"", terms.chain}:
        way = chains.instances[terms.instance].transfer
        assert way is not None, "the way to where it is needed is checked where the market is built"
        arrival, cost, cost_usd = arrival + way.p95_s + rules.include_s, way.cost_bps * 1e-4, way.cost_usd
    code = tuple(chains.chains).index(terms.chain)
    works = 0.0 if health == Health.HALTED else 1.0
    return arrival, finality.halt_s, code, works, cost, cost_usd


def _failures(table: InstrumentTable, chains: ChainMarket, loss: float) -> FloatArray:
    """The share of its value that each row loses when a pair of bridges fails [instrument, pair].

    1 − (1 − loss)^k with k of the pair behind it, which is what R says of the two factors.
    """
    behind = [set(chains.registry.bridges_behind(t.instance) if isinstance(t, Token) else ()) for t in table.terms]
    bridges = sorted(set().union(*behind))
    pairs = tuple(combinations(bridges, min(len(bridges), 2))) if bridges else ()
    hits = np.asarray([[len(found.intersection(pair)) for pair in pairs] for found in behind], np.float64)
    return 1.0 - (1.0 - loss) ** hits.reshape(len(table), len(pairs))


def bridge_failure(held: Held, risk: ChainRisk, pools: int) -> FloatArray:
    """What equity loses when the two bridges fail that cost most together [pool], USD.

    Max over pairs of Σ max(0, loss of the holding − what its haircuts and caps took off): what does not count cannot
    be lost again.
    """
    worst, absorbed = np.zeros(pools), held.value - held.recognised
    for pair in range(risk.failure.shape[1]):
        share = risk.failure[held.row, pair]
        beyond = np.maximum(held.value * share - absorbed, 0.0)
        worst = np.maximum(worst, tally(held.pool, np.where(share > 0.0, beyond, 0.0), pools))
    return worst


def arriving(held: Held, risk: ChainRisk, needed: FloatArray) -> FloatArray:
    """The part of each holding that is used when `needed` [pool] is met by what arrives first [holding], USD."""
    order = np.lexsort((held.row, risk.arrival_s[held.row], held.pool))
    counted, pool = held.recognised[order], held.pool[order]
    before = running_sums(counted, pool.astype(np.int64)) - counted
    used = np.empty(len(order))
    used[order] = np.clip(needed[pool] - before, 0.0, counted)
    return used


def late(used: FloatArray, held: Held, risk: ChainRisk, pools: int) -> FloatArray:
    """The loss of the time that collateral arrives after the horizon of the scan [pool], USD.

    Σ used · (√(max(τ, τ₀)/τ₀) − 1): `used` is the part of the scan's loss, which is diffusive, that the holding must
    cover; jumps do not grow with time and stay as they are.
    """
    return tally(held.pool, used * (risk.stretch[held.row] - 1.0), pools)


def transfers(used: FloatArray, held: Held, risk: ChainRisk, pools: int) -> FloatArray:
    """What bringing collateral to where it is needed takes [pool], USD: a share of what is moved, and once for each
    token."""
    share = tally(held.pool, used * risk.cost[held.row], pools)
    rows = len(risk.cost_usd)
    moved = np.unique((held.pool.astype(np.int64) * rows + held.row)[used > 0.0])
    pool, row = np.divmod(moved, max(rows, 1))
    return share + tally(pool, risk.cost_usd[row], pools)


def unavailable(held: Held, risk: ChainRisk, matrix: ScanMatrix, model: MarginModel, pools: int) -> FloatArray:
    """What is expected to be lost while a chain stands still [pool], USD.

    Σ over chains of P(halt) · max(0, risk of what stands there · √(max(halt, τ₀)/τ₀) − what haircuts took off). A chain
    that stands still already takes a haircut instead.
    """
    on = np.flatnonzero((risk.chain[held.row] >= 0) & (held.recognised > 0.0))
    if not len(on):
        return np.zeros(pools)
    chains = int(risk.chain.max()) + 1
    key = held.pool[on].astype(np.int64) * chains + risk.chain[held.row[on]]
    order = np.lexsort((held.row[on], key))
    on, key = on[order], key[order]
    found, first = np.unique(key, return_index=True)
    ptr = np.append(first, len(on)).astype(np.int64)
    row = held.row[on]
    lost, _ = reduce_rows(ptr, row, held.amount[on], matrix.regular, measure_of(model.measure), weight=matrix.weight)
    taken = np.add.reduceat(held.value[on] - held.recognised[on], first)
    works, stretch = risk.works[row[first]], risk.halt_stretch[row[first]]
    expected = model.chains.halt_probability * np.maximum(lost * stretch - taken, 0.0) * works
    return tally(found // chains, expected, pools)


def halt_losses(
    table: InstrumentTable, risk: ChainRisk, matrix: ScanMatrix, model: MarginModel, value: FloatArray
) -> FloatArray:
    """The risk of holding a unit of each row over a halt of its chain, as a share of its `value` [instrument]."""
    rows = np.flatnonzero(risk.chain >= 0).astype(np.int32)
    share = np.zeros(len(table))
    if len(rows):
        unit = (np.arange(len(rows) + 1, dtype=np.int64), rows, np.ones(len(rows)))
        lost, _ = reduce_rows(*unit, matrix.regular, measure_of(model.measure), weight=matrix.weight)
        worth = value[rows]
        stretched = np.maximum(lost, 0.0) * risk.halt_stretch[rows]
        share[rows] = np.where(worth > 0.0, stretched / np.where(worth > 0.0, worth, 1.0), 0.0)
    return share
