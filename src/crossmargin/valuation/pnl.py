"""R, block by block: the unit P&L of every instrument in every scenario, in USD.

`R[i, s] = damping_s · (V_i(snapshot ⊕ shock_s, t + h_s) − V_i(snapshot, t))`, by full revaluation. Families are
separate blocks of rows; options are priced once per distinct column of the shocks they feel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray, frozen
from crossmargin.instruments.table import Family, InstrumentTable, PayoutCode
from crossmargin.instruments.terms import Token
from crossmargin.market.snapshot import Snapshot, normal_scale
from crossmargin.scenarios.scenario_set import ScenarioSet, still
from crossmargin.valuation.bonds import bond_future_pnl
from crossmargin.valuation.ladders import ladder_pnl
from crossmargin.valuation.marks import Marks, discount_currency, marks
from crossmargin.valuation.options import option_blocks, option_values_usd
from crossmargin.valuation.world import World


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScenarioPnl:
    """`values` [instrument, scenario]: USD P&L of one contract held long. Rows follow the table it was made from."""

    values: FloatArray
    scenarios: ScenarioSet


def pnl(
    table: InstrumentTable,
    snapshot: Snapshot,
    scenarios: ScenarioSet,
    *,
    sticky: float = 1.0,
    threads: int = 1,
) -> ScenarioPnl:
    """The matrix R of a table under a scenario set.

    `sticky` is the share of a forward's move that its smile follows: 1 sticky moneyness, 0 sticky strike. Raises
    `MissingFactors` where the market lacks a price, surface or curve.
    """
    world = World(snapshot=snapshot, scenarios=scenarios)
    price = marks(table, snapshot)
    result = np.empty((len(table), len(scenarios)))
    for family, block in _BLOCKS.items():
        rows = table.rows_of(family)
        if len(rows):
            found = block(table, world, price, rows)
            found *= scenarios.damping
            result[rows] = found
    for rows, found in option_blocks(table, world, table.rows_of(Family.OPTION), sticky=sticky, threads=threads):
        result[rows] = found
    result.flags.writeable = False
    return ScenarioPnl(values=result, scenarios=scenarios)


def values_usd(table: InstrumentTable, snapshot: Snapshot) -> FloatArray:
    """What one contract is worth [instrument], USD: spot, options (also futures-style ones) and forwards.

    Zero for what is settled to its mark (futures and perpetuals) and for sensitivities.
    """
    value = np.zeros(len(table))
    spot = table.rows_of(Family.SPOT)
    price = marks(table, snapshot)
    value[spot] = price.settle_usd[spot]
    options = table.rows_of(Family.OPTION)
    if len(options):
        value[options] = option_values_usd(table, snapshot, options)
    forwards = table.rows_of(Family.FORWARD)
    if len(forwards):
        value[forwards] = _forward_value(table, World(snapshot=snapshot, scenarios=still()), forwards)[:, 0]
    return frozen(value)


def _spot_block(table: InstrumentTable, world: World, price: Marks, rows: IndexArray) -> FloatArray:
    block = np.empty((len(rows), len(world.scenarios)))
    now = price.settle_usd[rows].copy()
    for i, row in enumerate(rows):
        asset, chain = table.assets[table.settle[row]], table.chains[table.chain[row]] if table.chain[row] >= 0 else ""
        terms = table.terms[row]
        block[i] = world.asset_price(asset, chain)
        if isinstance(terms, Token):
            ratio = world.token_ratio(terms.instance)
            block[i], now[i] = block[i] * ratio, world.snapshot.token_price(asset, terms.instance, held=True)
    return block - now[:, None]


def _settle_usd(table: InstrumentTable, world: World, rows: IndexArray) -> FloatArray:
    """USD price of each row's settlement asset [row, scenario]; one row where all settle in one."""
    codes, inverse = np.unique(table.settle[rows], return_inverse=True)
    prices = np.stack([world.asset_price(table.assets[code]) for code in codes])
    return prices if len(codes) == 1 else prices[inverse]


def shocked_price(table: InstrumentTable, world: World, price: Marks, rows: IndexArray) -> FloatArray:
    """Futures and perpetual prices in each scenario [row, scenario], in quote currency."""
    shocked = np.empty((len(rows), len(world.scenarios)))
    for code in np.unique(table.underlying[rows]):
        here = np.flatnonzero(table.underlying[rows] == code)
        u = world.snapshot.underlyings[table.underlyings[code]]
        base, expiry = price.price[rows[here], None], table.expiry_ns[rows[here]]
        if u.curve.lognormal:
            shocked[here] = base * world.growth(u, expiry)
        else:
            shocked[here] = base + world.log_move(u, expiry) * normal_scale(u)
    return shocked


def _linear_block(table: InstrumentTable, world: World, price: Marks, rows: IndexArray) -> FloatArray:
    """m (P' − P) in the settlement asset, or m (1/P − 1/P') coins, at the scenario's price of that asset."""
    before, after = price.price[rows, None], shocked_price(table, world, price, rows)
    inverse = table.payout[rows] == PayoutCode.INVERSE
    with np.errstate(divide="ignore", invalid="ignore"):  # a price of zero is one where prices may be negative
        coins = 1.0 / before[inverse] - 1.0 / after[inverse]
        gain = np.subtract(after, before, out=after)  # most of the time is memory, so none is asked for twice
        gain[inverse] = coins
        gain -= _funding(table, world, price, rows)
    gain *= table.multiplier[rows, None]
    gain *= _settle_usd(table, world, rows)
    return gain


def _funding(table: InstrumentTable, world: World, price: Marks, rows: IndexArray) -> FloatArray:
    """Funding that a long perpetual pays over the horizon at the scenario's daily rate, by its multiplier.

    [row, scenario]; one column of zeros where nobody pays any."""
    days, perpetual = world.scenarios.horizon_days, table.family[rows] == Family.PERPETUAL
    due = {}
    for code in np.unique(table.underlying[rows[perpetual]]):
        u = world.snapshot.underlyings[table.underlyings[code]]
        due[code] = (u.funding_daily + world.scenarios.row(f"funding:{u.name}")) * days
    if not any(share.any() for share in due.values()):
        return np.zeros((len(rows), 1))
    base = np.where(table.payout[rows] == PayoutCode.INVERSE, 1.0 / price.price[rows], price.price[rows])
    paid = np.zeros((len(rows), len(days)))
    for code, share in due.items():
        here = np.flatnonzero(perpetual & (table.underlying[rows] == code))
        paid[here] = base[here, None] * share
    return paid


def _forward_value(table: InstrumentTable, world: World, rows: IndexArray) -> FloatArray:
    """D'·m·(F' − K) in USD [row, scenario]."""
    value = np.empty((len(rows), len(world.scenarios)))
    for i, row in enumerate(rows):
        u = world.snapshot.underlyings[table.underlyings[table.underlying[row]]]
        expiry = table.expiry_ns[row : row + 1]
        forward, move = float(u.curve(expiry)[0]), world.log_move(u, expiry)[0]
        moved = forward * np.exp(move) if u.curve.lognormal else forward + move * normal_scale(u)
        currency = discount_currency(table, world.snapshot, int(row))
        discount = world.discount(currency, expiry)[0] if table.discounted[row] else 1.0
        value[i] = discount * table.multiplier[row] * (moved - table.strike[row])
    return value * _settle_usd(table, world, rows)


def _forward_block(table: InstrumentTable, world: World, _: Marks, rows: IndexArray) -> FloatArray:
    now = World(snapshot=world.snapshot, scenarios=still())
    return _forward_value(table, world, rows) - _forward_value(table, now, rows)


def _bond_block(table: InstrumentTable, world: World, price: Marks, rows: IndexArray) -> FloatArray:
    block = np.stack([bond_future_pnl(table.bonds[int(row)], price.price[row], world) for row in rows])
    return block * _settle_usd(table, world, rows)


def _ladder_block(table: InstrumentTable, world: World, _: Marks, rows: IndexArray) -> FloatArray:
    block = np.stack([ladder_pnl(table.ladders[int(row)], world) for row in rows])
    return block * _settle_usd(table, world, rows)


_BLOCKS: dict[Family, Callable[[InstrumentTable, World, Marks, IndexArray], FloatArray]] = {
    Family.SPOT: _spot_block,
    Family.PERPETUAL: _linear_block,
    Family.FUTURE: _linear_block,
    Family.FORWARD: _forward_block,
    Family.BOND_FUTURE: _bond_block,
    Family.SENSITIVITIES: _ladder_block,
}
