"""What chains and bridges add to the requirement of a pool: bridges that fail, collateral that is late, stuck or far.

Each term is zero without collateral on chains, never negative, and does not fall as more stands behind a bridge or on
a chain and takes the same way. What haircuts have taken off already, or the scan of the scenarios holds, is not asked
for again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray, IntArray, frozen, tally
from crossmargin.core.finality import Health
from crossmargin.instruments.table import InstrumentTable
from crossmargin.instruments.terms import Spot, Token
from crossmargin.margin.addons import running_sums
from crossmargin.margin.document import ChainTerms, MarginModel
from crossmargin.margin.scan import ScanMatrix, measure_of
from crossmargin.margin.ways import Lanes, cheapest_ways, lanes_of
from crossmargin.market.representations.build import ChainMarket
from crossmargin.market.snapshot import Snapshot
from crossmargin.measures.reduce import reduce_rows

CHAIN_TERMS: Final = ("bridge", "finality", "availability", "transfer")
DAY_S: Final = 86_400.0
NONE: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainRisk:
    """What each row of the table bears, made once per market and model.

    `failure` [instrument, pair] is the share of its value that is lost when one of `pairs` of bridges fails;
    `halt_stretch` [instrument] is √(max(τ, τ₀)/τ₀) of a halt of its chain, τ₀ being `horizon_s` of the margin.
    `chain` [instrument] is a code, −1 for what is on no stated chain; `works` [instrument] whether its chain produces
    blocks. `lane` [instrument] is the row of `lanes` in which it gets to where it is needed, −1 for what need not;
    `arrival_s` [instrument] is when it is there, beside the time of its way. `price` [instrument] is that of a unit
    from which R falls, USD, 0 for what is on no stated chain.
    """

    failure: FloatArray
    pairs: tuple[tuple[str, ...], ...]
    arrival_s: FloatArray
    halt_stretch: FloatArray
    chain: IndexArray
    works: FloatArray
    price: FloatArray
    lane: IndexArray
    lanes: Lanes
    horizon_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """Collateral line by line: `pool`, `row` of the table, `amount`, `value` at the own price and what is
    `recognised`, USD; of debts both are 0."""

    pool: IndexArray
    row: IndexArray
    amount: FloatArray
    value: FloatArray
    recognised: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrivals:
    """When each holding is where it is needed [holding], and what bringing it takes: `share` of what is moved, and
    `fixed_usd` once for each token of a pool. `stretch` is √(max(τ, τ₀)/τ₀) of the margin horizon."""

    arrival_s: FloatArray
    stretch: FloatArray
    share: FloatArray
    fixed_usd: FloatArray


def chain_risk(table: InstrumentTable, snapshot: Snapshot, model: MarginModel) -> ChainRisk | None:
    """What each row bears; none where the market states no chains."""
    chains = snapshot.chains
    if chains is None:
        return None
    horizon_s = model.liquidity.horizon_days * DAY_S
    rows = [_times(terms, chains, model.chains) for terms in table.terms]
    arrival_s, halt_s, chain, works = np.asarray(rows, np.float64).reshape(-1, 4).T
    lane, lanes = _lanes(table, snapshot, chains)
    failure, pairs = bridge_failures(table, chains, model.chains.bridge_loss)
    return ChainRisk(
        failure=failure,
        pairs=pairs,
        arrival_s=frozen(arrival_s),
        halt_stretch=frozen(np.sqrt(np.maximum(halt_s, horizon_s) / horizon_s)),
        chain=frozen(chain, np.int32),
        works=frozen(works),
        price=frozen(
            [_price(terms, snapshot) if code >= 0 else 0.0 for terms, code in zip(table.terms, chain, strict=True)]
        ),
        lane=lane,
        lanes=lanes,
        horizon_s=horizon_s,
    )


def _price(terms: object, snapshot: Snapshot) -> float:
    """USD of a unit: of a token its own price behind old risk."""
    if isinstance(terms, Token):
        return snapshot.token_price(terms.asset, terms.instance, held=True)
    return snapshot.asset_price(terms.asset) if isinstance(terms, Spot) else 0.0


def _times(terms: object, chains: ChainMarket, rules: ChainTerms) -> tuple[float, float, int, float]:
    """Seconds until it arrives, but for its way; seconds of a halt, code of its chain, and whether that works."""
    if not isinstance(terms, Spot) or terms.chain not in chains.chains:
        return 0.0, 0.0, NONE, 0.0
    finality, health = chains.registry.chains[terms.chain].finality, chains.health(terms.chain)
    arrival = rules.detect_s + rules.include_s
    arrival += rules.include_s if _is_far(terms, chains) else finality.final_s  # A way's own time has its finality.
    arrival += finality.halt_s if health == Health.HALTED else 0.0
    code = tuple(chains.chains).index(terms.chain)
    works = 0.0 if health == Health.HALTED else 1.0
    return arrival, finality.halt_s, code, works


def _is_far(terms: object, chains: ChainMarket) -> bool:
    """Whether a row is a token that must get to another chain."""
    return isinstance(terms, Token) and chains.needed_on not in {"", terms.chain}


def _lanes(table: InstrumentTable, snapshot: Snapshot, chains: ChainMarket) -> tuple[IndexArray, Lanes]:
    """The lane of each row [instrument], −1 for what need not go anywhere, and the ways of each lane."""
    far = {i: t for i, t in enumerate(table.terms) if _is_far(t, chains) and isinstance(t, Token)}
    coins = {gas.coin for gas in chains.routes.gas.values()} if chains.routes is not None and far else set()
    coin_usd = {coin: snapshot.asset_price(coin) for coin in coins & snapshot.assets.keys()}
    instances = sorted({t.instance for t in far.values()})
    found = [chains.ways(instance, coin_usd) for instance in instances]
    code = {instance: i for i, instance in enumerate(instances)}
    lane = np.full(len(table), NONE)
    lane[list(far)] = [code[t.instance] for t in far.values()]
    lanes = lanes_of([ways for ways in found if ways is not None], within_s=chains.needed_within_s)
    return frozen(lane, np.int32), lanes


def bridge_failures(
    table: InstrumentTable, chains: ChainMarket, loss: float, *, spared: str = ""
) -> tuple[FloatArray, tuple[tuple[str, ...], ...]]:
    """The share of its value that each row loses when a pair of bridges fails [instrument, pair], and the pairs.

    1 − (1 − loss)^k with k of the pair behind it, which is what R says of the two factors. `spared` is a bridge that
    does not fail."""
    behind = [set(chains.registry.bridges_behind(t.instance) if isinstance(t, Token) else ()) for t in table.terms]
    bridges = sorted(set().union(*behind) - {spared})
    pairs = tuple(combinations(bridges, min(len(bridges), 2))) if bridges else ()
    hits = np.asarray([[len(found.intersection(pair)) for pair in pairs] for found in behind], np.float64)
    return frozen(1.0 - (1.0 - loss) ** hits.reshape(len(table), len(pairs))), pairs


def bridge_failure(held: Held, risk: ChainRisk, pools: int) -> FloatArray:
    """What equity loses when the two bridges fail that cost most together [pool], USD.

    Max over pairs of Σ max(0, loss of the holding − what its haircuts and caps took off): what does not count cannot
    be lost again.
    """
    worst = np.zeros(pools)
    for pair in range(risk.failure.shape[1]):
        worst = np.maximum(worst, tally(held.pool, lost_beyond(held, risk.failure[held.row, pair]), pools))
    return worst


def lost_beyond(held: Held, share: FloatArray) -> FloatArray:
    """What a loss of a `share` of its value takes beyond what its haircuts and caps took off [holding], USD."""
    beyond = np.maximum(held.value * share - (held.value - held.recognised), 0.0)
    return np.where(share > 0.0, beyond, 0.0)


def arrivals(held: Held, risk: ChainRisk) -> Arrivals:
    """When holdings are where they are needed, each token of a pool by the cheapest way in time for all of it."""
    arrival_s = risk.arrival_s[held.row]
    share, fixed_usd = np.zeros(len(held.row)), np.zeros(len(held.row))
    far = np.flatnonzero(risk.lane[held.row] >= 0)
    if len(far):
        tokens, first, line = np.unique(_token_keys(held, risk)[far], return_index=True, return_inverse=True)
        value = tally(line, held.recognised[far], len(tokens))
        amount = tally(line, np.maximum(held.amount[far], 0.0), len(tokens))
        taken = cheapest_ways(risk.lanes, risk.lane[held.row[far[first]]], value, amount)
        arrival_s[far] += taken.p95_s[line]
        share[far], fixed_usd[far] = taken.share[line], taken.fixed_usd[line]
    return Arrivals(
        arrival_s=frozen(arrival_s),
        stretch=frozen(np.sqrt(np.maximum(arrival_s, risk.horizon_s) / risk.horizon_s)),
        share=frozen(share),
        fixed_usd=frozen(fixed_usd),
    )


def _token_keys(held: Held, risk: ChainRisk) -> IntArray:
    """One number for each pool and row [holding]."""
    return held.pool.astype(np.int64) * len(risk.lane) + held.row


def arriving(held: Held, found: Arrivals, needed: FloatArray) -> FloatArray:
    """The part of each holding that is used when `needed` [pool] is met by what arrives first [holding], USD."""
    order = np.lexsort((held.row, found.arrival_s, held.pool))
    counted, pool = held.recognised[order], held.pool[order]
    before = running_sums(counted, pool.astype(np.int64)) - counted
    used = np.empty(len(order))
    used[order] = np.clip(needed[pool] - before, 0.0, counted)
    return used


def late(used: FloatArray, held: Held, found: Arrivals, pools: int) -> FloatArray:
    """The loss of the time that collateral arrives after the horizon of the scan [pool], USD.

    Σ used · (√(max(τ, τ₀)/τ₀) − 1): `used` is the part of the scan's loss, which is diffusive, that the holding must
    cover; jumps do not grow with time and stay as they are.
    """
    return tally(held.pool, used * (found.stretch - 1.0), pools)


def transfers(used: FloatArray, held: Held, found: Arrivals, risk: ChainRisk, pools: int) -> FloatArray:
    """What bringing collateral to where it is needed takes [pool], USD."""
    return tally(held.pool, transfer_parts(used, held, found, risk), pools)


def transfer_parts(used: FloatArray, held: Held, found: Arrivals, risk: ChainRisk) -> FloatArray:
    """What bringing each holding takes [holding], USD: a share of what is moved, and once for each token of a pool."""
    parts, moved = np.asarray(used * found.share), np.flatnonzero(used > 0.0)
    _, first = np.unique(_token_keys(held, risk)[moved], return_index=True)
    parts[moved[first]] += found.fixed_usd[moved[first]]
    return parts


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
    lost, _ = reduce_rows(
        ptr, row, units(held, risk)[on], matrix.regular, measure_of(model.measure), weight=matrix.weight
    )
    taken = np.add.reduceat(held.value[on] - held.recognised[on], first)
    works, stretch = risk.works[row[first]], risk.halt_stretch[row[first]]
    expected = model.chains.halt_probability * np.maximum(lost * stretch - taken, 0.0) * works
    return tally(found // chains, expected, pools)


def units(held: Held, risk: ChainRisk) -> FloatArray:
    """How much of each row would be worth what each holding is [holding]: its amount, unless a pool stands by what it
    counts for new risk, at another price than that from which R falls."""
    price = risk.price[held.row]
    return np.where(price > 0.0, held.value / np.where(price > 0.0, price, 1.0), held.amount)


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
