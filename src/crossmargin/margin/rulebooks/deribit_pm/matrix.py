"""The risk matrix of one coin: P&L of its legs in every bucket, what of it counts, and the shocks beside it, USD.

An account that settles in the coin counts coins; here they stand in USD at the index as it is now. The standard table
has 2n + 1 prices times three volatilities (down, same, up), the extended one far moves with volatility up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.core.instant import YEAR_DAYS
from crossmargin.margin.rulebooks.deribit_pm.parameters import CurrencyRules, PairRules, Parameters, Readings
from crossmargin.margin.rulebooks.scanning import (
    LinearLeg,
    OptionLeg,
    RiskUnit,
    VolRule,
    option_deltas,
    quantities,
    shocked_vols,
    unit_pnl,
)

Leg: TypeAlias = LinearLeg | OptionLeg


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """Columns of the tables of one pair, the standard table first: relative `move`, `direction` of the volatility, the
    `fraction` of the P&L that counts, `edge` (the price factor up to which coins are worth more), the `excess` of the
    move over the range, in ranges, that the dampener multiplies."""

    move: FloatArray
    direction: FloatArray
    fraction: FloatArray
    edge: FloatArray
    excess: FloatArray

    @property
    def labels(self) -> tuple[str, ...]:
        """What happens in each column, for people."""
        words = {-1.0: "down", 0.0: "same", 1.0: "up"}
        rows = zip(self.move.tolist(), self.direction.tolist(), self.fraction.tolist(), strict=True)
        return tuple(f"price {x:+.1%}, vol {words[d]}" + (f", times {f:.3g}" if f != 1.0 else "") for x, d, f in rows)


def grid_of(pair: PairRules, parameters: Parameters) -> Grid:
    """Standard moves range·k/n, k = −n..n; far moves m with the fraction factor·range/|m|."""
    n, r = parameters.buckets_count, pair.price_range
    near = np.repeat(r * np.arange(-n, n + 1) / n, 3)
    far = np.asarray(parameters.extended_moves, float)
    size = np.abs(far)
    at_edge = parameters.readings.extended_coins == "at the edge"
    return Grid(
        move=np.concatenate([near, far]),
        direction=np.concatenate([np.tile([-1.0, 0.0, 1.0], 2 * n + 1), np.ones(len(far))]),
        fraction=np.concatenate([np.ones(len(near)), pair.extended_table_factor * r / size]),
        edge=1.0 + np.concatenate([near, np.sign(far) * r if at_edge else far]),
        excess=np.concatenate([np.zeros(len(near)), np.maximum(size / r - 1.0, 0.0)]),
    )


def unit_matrix(unit: RiskUnit, grid: Grid, pair: PairRules, readings: Readings, *, in_coins: bool) -> FloatArray:
    """R of one coin [leg, bucket], the fraction of far moves taken.

    P&L at the moved price, so that coins lose and gain with it; an account `in_coins` divides by the price at which
    they are counted: Q·x/(1 + x) coins of an inverse contract, and the same at the edge of the range for far moves.
    """
    pnl = unit_pnl(unit, grid.move, _vols(unit, grid, pair, readings), coins_at="index moved") * grid.fraction
    return np.asarray(pnl / grid.edge if in_coins else pnl)


def _vols(unit: RiskUnit, grid: Grid, pair: PairRules, readings: Readings) -> FloatArray:
    on_base = readings.vol_floor == "base volatility"
    rule = VolRule(
        up=pair.volatility_range_up,
        down=pair.volatility_range_down,
        short_power=pair.short_term_vega_power,
        long_power=pair.long_term_vega_power,
        min_up=0.0 if on_base else pair.min_volatility_for_shock_up,
    )
    vols = shocked_vols(unit.options, grid.direction, rule)
    if not on_base:
        return vols
    lifted = [
        msgspec.structs.replace(o, volatility=max(o.volatility, pair.min_volatility_for_shock_up)) for o in unit.options
    ]
    return np.where(grid.direction > 0.0, shocked_vols(lifted, grid.direction, rule), vols)


def counted(pnl: FloatArray, grid: Grid, row: CurrencyRules, readings: Readings, *, in_coins: bool) -> FloatArray:
    """What of the P&L of a coin counts [bucket]: dampened towards zero in far moves, gains at their offset.

    Far P&L is reduced by min(|P&L|, (|m|/range − 1)·dampener), which an account `in_coins` counts at the edge; gains
    count offset·min(gain, cap), or min(offset·gain, cap), losses in full.
    """
    dampened = grid.excess * row.extended_dampener / (grid.edge if in_coins else 1.0)
    left = np.sign(pnl) * np.maximum(np.abs(pnl) - dampened, 0.0)
    cap = row.max_offsetable_pnl * (row.pnl_offset if readings.offset_cap == "before the offset" else 1.0)
    return np.where(left > 0.0, np.minimum(row.pnl_offset * left, cap), left)


def roll_shock(unit: RiskUnit, row: CurrencyRules, readings: Readings, *, orders: bool = False) -> float:
    """Σ over expiries |delta|·max(move to expiry, minimum)·index; perpetuals take the minimum, spot nothing.

    With `orders`, what is on order adds the larger of its two sides.
    """
    legs = unit.legs
    taken = np.asarray([getattr(leg, "kind", "option") != "spot" for leg in legs], bool)
    if not taken.any():
        return 0.0
    days = np.asarray([-1.0 if leg.days is None else leg.days for leg in legs], float)
    expiry, group = np.unique(days, return_inverse=True)
    delta = _deltas(unit) * taken
    net = np.abs(np.bincount(group, delta * quantities(unit), len(expiry)))
    if orders:
        most = np.asarray([max(leg.buys, leg.sells) for leg in legs], float)
        net += np.bincount(group, np.abs(delta) * most, len(expiry))
    grown = row.annualised_move_risk * np.maximum(expiry, 0.0) / YEAR_DAYS
    move = grown if readings.roll_form == "linear" else np.expm1(grown)
    return float(net @ np.maximum(move, row.min_annualised_move)) * unit.index


def delta_shock(unit: RiskUnit, pair: PairRules, readings: Readings) -> float:
    """|net|·min(m_inc·(|net| − threshold/index), maximum)·index for the delta that long options do not cover, USD.

    d₁ is the delta of long options, d₂ that of all else; net is d₂ brought towards zero by d₁, not beyond.
    """
    if readings.delta_shock == "none":
        return 0.0
    held = quantities(unit)
    exposed = np.asarray([getattr(leg, "kind", "option") != "spot" for leg in unit.legs], bool)
    delta = _deltas(unit) * held * exposed
    covering = np.asarray([isinstance(leg, OptionLeg) for leg in unit.legs], bool) & (held > 0.0)
    long, rest = float(delta[covering].sum()), float(delta[~covering].sum())
    net = min(max(long + rest, rest), 0.0) if rest < 0.0 else max(min(long + rest, rest), 0.0)
    over = max(abs(net) - pair.delta_total_liq_shock_threshold / unit.index, 0.0)
    return abs(net) * min(pair.m_inc * over, pair.max_delta_shock) * unit.index


def _deltas(unit: RiskUnit) -> FloatArray:
    """Coins of delta of one coin of each leg [leg]."""
    return np.concatenate([np.ones(len(unit.linear)), option_deltas(unit)])
