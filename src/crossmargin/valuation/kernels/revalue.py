"""The revaluation kernel: options on shocked smiles and forwards, full revaluation in every scenario.

Options are rows, scenarios columns. What an option shares with its neighbours stands in *slices*: one row per expiry,
payout and settlement asset, with the smile at the snapshot, and per scenario the move of the forward and of the
volatilities. One cell costs two square roots, two divisions and one exp; no logarithm, because the log of a move is
known. The out-of-the-money side is priced and the other follows by parity, so a far option keeps its digits.

Per cell, with k the log-moneyness after the move and w the total variance of the smile:

    k = ln(K/F) − ln(F'/F)
    σ' = max(floor, √(w(ln(K/F) − sticky · ln(F'/F)) / τ) · multiplier · shape(k)),   v = σ'√τ'
    shape(k) = max(0, 1 + clip(skew_slope · k, ±skew_cap) + clip(smile_slope · |k|, ±smile_cap))
    V' = numeraire' · Black(k, v),   P&L = damping · multiplier · (V' − V)
"""

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from crossmargin.core.compile import compiled
from crossmargin.valuation.blocks import even_bounds, run_blocks, uniform
from crossmargin.valuation.kernels.vmath import (
    INV_SQRT_TWO_PI,
    LARGE,
    exp_,
    fma_,
    mills_bottom_,
    mills_loss_bottom_,
    mills_loss_top_,
    mills_top_,
)

TILE = 512  # Scenarios worked on at a time: six arrays of it stay in a 32 KiB first-level cache.
TINY = 1e-290  # Stands for a volatility of 0: the moneyness in its units is then beyond `LARGE`, unless it is 0 too.


class Model(Enum):
    """How a price follows from moneyness and volatility."""

    BLACK = "black"  # lognormal forward; moneyness ln(K/F), value in units of the forward
    NORMAL = "normal"  # normal forward; moneyness (K − F)/scale, value in units of scale


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRows:
    """European options, one row each.

    `moneyness`: ln(K/F) at the snapshot (normal model: (K − F)/scale). `right`: +1 call, −1 put. `slice_index`: the
    row of the smiles and shocks that the option belongs to. `multiplier`: units of the underlying per contract."""

    moneyness: Float[ndarray, "option"]
    right: Float[ndarray, "option"]
    slice_index: Int[ndarray, "option"]
    multiplier: Float[ndarray, "option"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSmiles:
    """The smile of each slice at the snapshot, as a weighted sum of two raw SVI total variances.

    w(k) = weight_low · w_low(k) + weight_high · w_high(k), each w = a + b(ρ(k − m) + √((k − m)² + σ²)), columns
    (a, b, rho, m, sigma). A listed expiry has weights (1, 0); one between two listed ones has both. `tau`: years to
    expiry at the snapshot; an expired slice (0) is worth its intrinsic value. `numeraire`: USD value of one unit of
    the model's price, which is the settlement asset's price for an inverse option (its value in coin is C/F),
    D·F·(settlement price) for a linear one, D·scale·(settlement price) in the normal model."""

    low: Float[ndarray, "slice 5"]
    high: Float[ndarray, "slice 5"]
    weight_low: Float[ndarray, "slice"]
    weight_high: Float[ndarray, "slice"]
    tau: Float[ndarray, "slice"]
    numeraire: Float[ndarray, "slice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceShocks:
    """What each scenario does to each slice.

    `move`: ln(F'/F) (normal model: (F' − F)/scale). `tau`: years to expiry at the horizon, max(τ − h, 0).
    `vol_multiplier`: factor on implied volatility. `vol_floor`: least volatility after the shock, 0 for none.
    `skew_slope`, `skew_cap`, `smile_slope`, `smile_cap`: see `shape` in the module's formula; all 0 for none.
    `numeraire`: as in `SliceSmiles`, in the scenario."""

    move: Float[ndarray, "slice scenario"]
    tau: Float[ndarray, "slice scenario"]
    vol_multiplier: Float[ndarray, "slice scenario"]
    vol_floor: Float[ndarray, "slice scenario"]
    skew_slope: Float[ndarray, "slice scenario"]
    skew_cap: Float[ndarray, "slice scenario"]
    smile_slope: Float[ndarray, "slice scenario"]
    smile_cap: Float[ndarray, "slice scenario"]
    numeraire: Float[ndarray, "slice scenario"]


def _no_shocks(smiles: SliceSmiles) -> SliceShocks:
    """The single scenario in which nothing moves and no time passes; shapes [slice, 1]."""
    zero = np.zeros((smiles.tau.size, 1))
    return SliceShocks(
        move=zero,
        tau=smiles.tau[:, None],
        vol_multiplier=np.ones_like(zero),
        vol_floor=zero,
        skew_slope=zero,
        skew_cap=zero,
        smile_slope=zero,
        smile_cap=zero,
        numeraire=smiles.numeraire[:, None],
    )


def option_values(rows: OptionRows, smiles: SliceSmiles, *, model: Model = Model.BLACK) -> Float[ndarray, "option"]:
    """USD value of one contract at the snapshot, per option.

    The same arithmetic as `option_pnl`, bit for bit: a scenario that moves nothing has a P&L of exactly 0."""
    value: ndarray = rows.multiplier * _unit_values(rows, smiles, model)
    return value


def option_pnl(
    rows: OptionRows,
    smiles: SliceSmiles,
    shocks: SliceShocks,
    damping: Float[ndarray, "scenario"],
    *,
    model: Model = Model.BLACK,
    sticky: float = 1.0,
    threads: int = 1,
) -> Float[ndarray, "option scenario"]:
    """USD P&L of one contract held, per option and scenario: damping · multiplier · (V' − V).

    `damping`: factor on the P&L of each scenario. `sticky`: share of the forward's move that the smile follows, 1 for
    sticky moneyness, 0 for sticky strike. `threads` splits the options when there are enough of them. v = 0 or
    τ' = 0 gives intrinsic value. Sources: Black (1976), Journal of Financial Economics 3, 167–179; Bachelier (1900);
    Gatheral and Jacquier (2014), Quantitative Finance 14(1), 59–71."""
    cells = _cells(rows, smiles, shocks, damping, _unit_values(rows, smiles, model), sticky)
    pnl = np.empty((rows.moneyness.size, damping.size))

    def work(first: int, last: int) -> None:
        _gain_loop(pnl, cells, model is Model.NORMAL, first, last)

    run_blocks(work, even_bounds(rows.moneyness.size, damping.size, threads))
    return pnl


class _Cells(NamedTuple):
    """What the compiled loop reads. All that does not depend on both option and scenario is worked out once, here."""

    moneyness: ndarray  # [option]
    right: ndarray
    slice_index: ndarray
    multiplier: ndarray
    base: ndarray  # unit value at the snapshot
    low: ndarray  # [slice 5]
    high: ndarray
    weight_low: ndarray  # [slice]
    weight_high: ndarray
    shaped: ndarray  # whether any scenario bends the smile
    move: ndarray  # [slice scenario]
    growth: ndarray  # F/F', so that K/F' needs no exp per cell
    read_move: ndarray  # the part of the move that the smile follows
    vol_scale: ndarray  # multiplier · √(τ'/τ), on √w
    vol_floor: ndarray  # floor · √τ'
    numeraire: ndarray
    shape: ndarray  # [4 slice scenario]: skew slope and cap, smile slope and cap
    damping: ndarray  # [scenario]


def _cells(
    rows: OptionRows,
    smiles: SliceSmiles,
    shocks: SliceShocks,
    damping: Float[ndarray, "scenario"],
    base: Float[ndarray, "option"],
    sticky: float,
) -> _Cells:
    tau, tau_after = smiles.tau[:, None], np.maximum(shocks.tau, 0.0)
    ratio = np.divide(tau_after, tau, out=np.zeros_like(tau_after), where=tau > 0.0)
    shape = np.stack(
        [
            _tainted(shocks.skew_slope, shocks.skew_cap),
            shocks.skew_cap,
            _tainted(shocks.smile_slope, shocks.smile_cap),
            shocks.smile_cap,
        ]
    )
    return _Cells(
        moneyness=uniform(rows.moneyness),
        right=uniform(rows.right),
        slice_index=uniform(rows.slice_index, np.int64),
        multiplier=uniform(rows.multiplier),
        base=uniform(base),
        low=uniform(smiles.low),
        high=uniform(smiles.high),
        weight_low=uniform(smiles.weight_low),
        weight_high=uniform(smiles.weight_high),
        shaped=uniform((shape[0] * shape[1] != 0.0).any(axis=1) | (shape[2] * shape[3] != 0.0).any(axis=1), np.bool_),
        move=uniform(shocks.move),
        growth=uniform(np.exp(-shocks.move)),
        read_move=uniform(sticky * shocks.move),
        vol_scale=uniform(_tainted(shocks.vol_multiplier, shocks.vol_floor) * np.sqrt(ratio)),
        vol_floor=uniform(shocks.vol_floor * np.sqrt(tau_after)),
        numeraire=uniform(shocks.numeraire),
        shape=uniform(shape),
        damping=uniform(damping),
    )


def _tainted(x: ndarray, limit: ndarray) -> ndarray:
    """`x`, NaN where its limit is: `min` and `max` would drop the NaN of their second argument."""
    return np.where(np.isnan(limit), np.nan, x)


def _unit_values(rows: OptionRows, smiles: SliceSmiles, model: Model) -> Float[ndarray, "option"]:
    """The gain over 0 in the scenario that moves nothing: USD per unit of the multiplier."""
    count = rows.moneyness.size
    still = replace(rows, multiplier=np.ones(count))
    value = np.empty((count, 1))
    cells = _cells(still, smiles, _no_shocks(smiles), np.ones(1), np.zeros(count), 1.0)
    _gain_loop(value, cells, model is Model.NORMAL, 0, count)
    return value[:, 0]


@compiled()
def _gain_loop(out: ndarray, cells: _Cells, normal: bool, first: int, last: int) -> None:
    """P&L by tiles of scenarios; each option passes over its tile in place: total variance first, then gain."""
    for start in range(0, out.shape[1], TILE):
        tile = slice(start, min(start + TILE, out.shape[1]))
        for i in range(first, last):
            j, k, row = cells.slice_index[i], cells.moneyness[i], out[i, tile]
            read_move = cells.read_move[j, tile]
            _variance_row(row, read_move, k, cells.low[j], cells.weight_low[j])
            if cells.weight_high[j] != 0.0:
                _add_variance_row(row, read_move, k, cells.high[j], cells.weight_high[j])
            if cells.shaped[j]:
                _shape_row(row, cells.move[j, tile], cells.shape[:, j, tile], k)
            if normal:
                _normal_row(row, cells, tile, i)
            else:
                _black_row(row, cells, tile, i)


@compiled(inline=True)
def _svi(x: float, a: float, b: float, rho: float, sigma_squared: float) -> float:
    return fma_(b, fma_(rho, x, math.sqrt(fma_(x, x, sigma_squared))), a)


@compiled()
def _variance_row(row: ndarray, move: ndarray, k: float, svi: ndarray, weight: float) -> None:
    """weight · w(k − move) of one raw SVI slice."""
    a, b, rho, m, sigma_squared = svi[0], svi[1], svi[2], svi[3], svi[4] * svi[4]
    centred = k - m
    for s in range(row.size):
        row[s] = weight * _svi(centred - move[s], a, b, rho, sigma_squared)


@compiled()
def _add_variance_row(row: ndarray, move: ndarray, k: float, svi: ndarray, weight: float) -> None:
    """The row plus weight · w(k − move) of one raw SVI slice."""
    a, b, rho, m, sigma_squared = svi[0], svi[1], svi[2], svi[3], svi[4] * svi[4]
    centred = k - m
    for s in range(row.size):
        row[s] = fma_(weight, _svi(centred - move[s], a, b, rho, sigma_squared), row[s])


@compiled()
def _shape_row(row: ndarray, move: ndarray, shape: ndarray, k: float) -> None:
    """Multiply the row's total variance by the square of each scenario's skew and smile factor."""
    for s in range(row.size):
        x = k - move[s]
        factor = 1.0 + _clip(shape[0, s] * x, shape[1, s]) + _clip(shape[2, s] * abs(x), shape[3, s])
        row[s] *= max(factor, 0.0) * max(factor, 0.0)


@compiled(inline=True)
def _clip(x: float, cap: float) -> float:
    return max(min(x, cap), -cap)


@compiled(inline=True)
def _total_vol(variance: float, scale: float, floor: float) -> float:
    """Shocked total volatility. Variance below 0 counts as 0; a NaN stays one."""
    v = math.sqrt(max(variance, 0.0)) * scale
    return max(v, floor)


@compiled(inline=True)
def _black(x: float, v: float, strike: float, right: float) -> float:
    """Value per unit of the forward. With q = x/v, t = v/2, M Mills' ratio and d = t − q:

    out of the money = φ(d)·(M(|q| − t) − M(|q| + t)), where M(−y) = 1/φ(y) − M(y); and parity."""
    q = x / max(v, TINY)
    t = 0.5 * v
    d = t - q
    gap = abs(q) - t
    inner, outer = min(abs(gap), LARGE), min(abs(q) + t, LARGE)
    density = INV_SQRT_TWO_PI * exp_(-0.5 * d * d)
    top, bottom = mills_top_(inner), mills_bottom_(inner)
    signed = top if gap >= 0.0 else -top
    bottom_outer = mills_bottom_(outer)
    tail = density * (fma_(signed, bottom_outer, -mills_top_(outer) * bottom) / (bottom * bottom_outer))
    otm = tail if gap >= 0.0 else min(strike, 1.0) + tail
    return otm + max(right * (1.0 - strike), 0.0)


@compiled(inline=True)
def _normal(x: float, v: float, right: float) -> float:
    """Value per unit of scale: v·φ(d)·(1 − d·M(d)) out of the money, d = |x|/v, and parity."""
    d = min(abs(x) / max(v, TINY), LARGE)
    otm = v * (INV_SQRT_TWO_PI * exp_(-0.5 * d * d)) * (mills_loss_top_(d) / mills_loss_bottom_(d))
    return otm + max(-right * x, 0.0)


@compiled(inline=True)
def _terms(cells: _Cells, i: int) -> tuple[int, float, float, float, float]:
    return cells.slice_index[i], cells.moneyness[i], cells.right[i], cells.base[i], cells.multiplier[i]


@compiled(inline=True)
def _moves(cells: _Cells, tile: slice, j: int) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    return cells.move[j, tile], cells.growth[j, tile], cells.numeraire[j, tile], cells.damping[tile]


@compiled()
def _black_row(row: ndarray, cells: _Cells, tile: slice, i: int) -> None:
    """Total variance to P&L. The difference is a plain one: fused with the product before it, it would leave the
    rounding of V where nothing moved, instead of 0."""
    j, k, right, base, multiplier = _terms(cells, i)
    move, growth, numeraire, damping = _moves(cells, tile, j)
    scale, floor, ratio = cells.vol_scale[j, tile], cells.vol_floor[j, tile], math.exp(k)
    for s in range(row.size):
        v = _total_vol(row[s], scale[s], floor[s])
        value = _black(k - move[s], v, ratio * growth[s], right) * numeraire[s]
        row[s] = (value - base) * (damping[s] * multiplier)


@compiled()
def _normal_row(row: ndarray, cells: _Cells, tile: slice, i: int) -> None:
    """As `_black_row` in the normal model, per unit of scale."""
    j, k, right, base, multiplier = _terms(cells, i)
    move, _, numeraire, damping = _moves(cells, tile, j)
    scale, floor = cells.vol_scale[j, tile], cells.vol_floor[j, tile]
    for s in range(row.size):
        v = _total_vol(row[s], scale[s], floor[s])
        value = _normal(k - move[s], v, right) * numeraire[s]
        row[s] = (value - base) * (damping[s] * multiplier)
