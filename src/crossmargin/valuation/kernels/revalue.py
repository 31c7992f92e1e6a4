"""The revaluation kernel: options on shocked smiles and forwards, full revaluation in every scenario.

Options are rows, scenarios columns. What an option shares with its neighbours stands in *slices*: one row per expiry,
payout and settlement asset, with the smile at the snapshot, and per scenario the move of the forward and of the
volatilities. One cell costs a square root, two divisions and one exp; no logarithm, because the log of a move is
known. The out-of-the-money side is priced and the other follows by parity, so a far option keeps its digits.

Per cell, with k the log-moneyness after the move and w the total variance of the smile:

    k = ln(K/F) − ln(F'/F)
    σ' = max(floor, √(w(ln(K/F) − sticky · ln(F'/F)) / τ) · multiplier · shape(k)),   v = σ'√τ'
    shape(k) = max(0, 1 + clip(skew_slope · k, ±skew_cap) + clip(smile_slope · |k|, ±smile_cap))
    V' = numeraire' · Black(k, v),   P&L = damping · multiplier · (V' − V)
"""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossmargin.core.compile import compiled
from crossmargin.valuation.blocks import even_bounds, run_blocks
from crossmargin.valuation.cells import (
    Cells,
    Financing,
    Model,
    OptionRows,
    SliceShocks,
    SliceSmiles,
    cells_of,
    unshocked,
)
from crossmargin.valuation.kernels.american import SCRATCH, american_put_
from crossmargin.valuation.kernels.vmath import (
    INV_SQRT_TWO_PI,
    LARGE,
    exp_,
    fma_,
    inverse_root_,
    mills_loss_bottom_,
    mills_loss_top_,
    quick_mills_bottom_,
    quick_mills_top_,
    wide_,
)

TILE = 512  # Scenarios worked on at a time: six arrays of it stay in a 32 KiB first-level cache.
TINY = 1e-290  # Stands for a volatility of 0: the moneyness in its units is then beyond `LARGE`, unless it is 0 too.
CELL_WORTH = {Model.BLACK: 1, Model.NORMAL: 1, Model.AMERICAN: 1000}  # What a cell costs, in European ones.


def option_values(
    rows: OptionRows, smiles: SliceSmiles, *, model: Model = Model.BLACK, financing: Financing | None = None
) -> Float[ndarray, "option"]:
    """USD value of one contract at the snapshot, per option.

    The same arithmetic as `option_pnl`, bit for bit: a scenario that moves nothing has a P&L of exactly 0."""
    value: ndarray = rows.multiplier * _unit_values(rows, smiles, model, financing)
    return value


def option_pnl(
    rows: OptionRows,
    smiles: SliceSmiles,
    shocks: SliceShocks,
    damping: Float[ndarray, "scenario"],
    *,
    model: Model = Model.BLACK,
    financing: Financing | None = None,
    sticky: float = 1.0,
    threads: int = 1,
) -> Float[ndarray, "option scenario"]:
    """USD P&L of one contract held, per option and scenario: damping · multiplier · (V' − V).

    `damping`: factor on the P&L of each scenario. `sticky`: share of the forward's move that the smile follows, 1 for
    sticky moneyness, 0 for sticky strike. `threads` splits the options when there are enough of them. v = 0 or
    τ' = 0 gives intrinsic value. American options need `financing` (see `american`).
    Sources: Black (1976), Journal of Financial Economics 3, 167–179; Bachelier (1900);
    Gatheral and Jacquier (2014), Quantitative Finance 14(1), 59–71."""
    base = _unit_values(rows, smiles, model, financing)
    cells = cells_of(rows, smiles, shocks, damping, base, sticky, financing)
    pnl = np.empty((rows.moneyness.size, damping.size))
    run_blocks(
        lambda first, last: _fill(pnl, cells, model, first, last),
        even_bounds(rows.moneyness.size, damping.size * CELL_WORTH[model], threads),
    )
    return pnl


def _unit_values(
    rows: OptionRows, smiles: SliceSmiles, model: Model, financing: Financing | None
) -> Float[ndarray, "option"]:
    """The gain over 0 in the scenario that moves nothing: USD per unit of the multiplier."""
    count = rows.moneyness.size
    one = replace(rows, multiplier=np.ones(count))
    still = financing and replace(financing, rate_after=financing.rate[:, None], carry_after=financing.carry[:, None])
    value = np.empty((count, 1))
    _fill(value, cells_of(one, smiles, unshocked(smiles), np.ones(1), np.zeros(count), 1.0, still), model, 0, count)
    return value[:, 0]


def _fill(out: ndarray, cells: Cells, model: Model, first: int, last: int) -> None:
    """Write the P&L of options [first, last) to `out`."""
    if model is Model.AMERICAN:
        assert cells.rate.size, "American options need financing"
        _american_loop(out, cells, first, last)
    else:
        _gain_loop(out, cells, model is Model.NORMAL, first, last)


@compiled()
def _gain_loop(out: ndarray, cells: Cells, normal: bool, first: int, last: int) -> None:
    """P&L by tiles of scenarios; each option passes over its tile in place: total variance first, then gain."""
    wide_()
    for start in range(0, out.shape[1], TILE):
        tile = slice(start, min(start + TILE, out.shape[1]))
        for i in range(first, last):
            row = out[i, tile]
            _fill_variance(row, cells, tile, i)
            if normal:
                _normal_row(row, cells, tile, i)
            else:
                _black_row(row, cells, tile, i)


@compiled()
def _american_loop(out: ndarray, cells: Cells, first: int, last: int) -> None:
    """As `_gain_loop`, for American options."""
    whole, scratch = slice(0, out.shape[1]), np.empty(SCRATCH)
    for i in range(first, last):
        row = out[i]
        _fill_variance(row, cells, whole, i)
        _american_row(row, cells, i, scratch)


@compiled()
def _fill_variance(row: ndarray, cells: Cells, tile: slice, i: int) -> None:
    """Total variance of the smile that option `i` reads in each scenario, bent, but neither scaled nor floored."""
    j, k = cells.slice_index[i], cells.moneyness[i]
    read_move = cells.read_move[j, tile]
    _variance_row(row, read_move, k, cells.low[j], cells.weight_low[j])
    if cells.weight_high[j] != 0.0:
        _add_variance_row(row, read_move, k, cells.high[j], cells.weight_high[j])
    if cells.shaped[j]:
        _shape_row(row, cells.move[j, tile], cells.shape[:, j, tile], k)


@compiled(inline=True)
def _svi(x: float, a: float, b: float, rho: float, sigma_squared: float) -> float:
    square = fma_(x, x, sigma_squared)
    return fma_(b, fma_(rho, x, square * inverse_root_(square)), a)


@compiled()
def _variance_row(row: ndarray, move: ndarray, k: float, svi: ndarray, weight: float) -> None:
    """weight · w(k − move) of one raw SVI slice."""
    wide_()
    a, b, rho, m, sigma_squared = svi[0], svi[1], svi[2], svi[3], svi[4] * svi[4]
    centred = k - m
    for s in range(row.size):
        row[s] = weight * _svi(centred - move[s], a, b, rho, sigma_squared)


@compiled()
def _add_variance_row(row: ndarray, move: ndarray, k: float, svi: ndarray, weight: float) -> None:
    """The row plus weight · w(k − move) of one raw SVI slice."""
    wide_()
    a, b, rho, m, sigma_squared = svi[0], svi[1], svi[2], svi[3], svi[4] * svi[4]
    centred = k - m
    for s in range(row.size):
        row[s] = fma_(weight, _svi(centred - move[s], a, b, rho, sigma_squared), row[s])


@compiled()
def _shape_row(row: ndarray, move: ndarray, shape: ndarray, k: float) -> None:
    """Multiply the row's total variance by the square of each scenario's skew and smile factor."""
    wide_()
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
    top, bottom = quick_mills_top_(inner), quick_mills_bottom_(inner)
    signed = top if gap >= 0.0 else -top
    bottom_outer = quick_mills_bottom_(outer)
    tail = density * (fma_(signed, bottom_outer, -quick_mills_top_(outer) * bottom) / (bottom * bottom_outer))
    otm = tail if gap >= 0.0 else min(strike, 1.0) + tail
    return otm + max(right * (1.0 - strike), 0.0)


@compiled(inline=True)
def _normal(x: float, v: float, right: float) -> float:
    """Value per unit of scale: v·φ(d)·(1 − d·M(d)) out of the money, d = |x|/v, and parity."""
    d = min(abs(x) / max(v, TINY), LARGE)
    otm = v * (INV_SQRT_TWO_PI * exp_(-0.5 * d * d)) * (mills_loss_top_(d) / mills_loss_bottom_(d))
    return otm + max(-right * x, 0.0)


@compiled(inline=True)
def _terms(cells: Cells, i: int) -> tuple[int, float, float, float, float]:
    return cells.slice_index[i], cells.moneyness[i], cells.right[i], cells.base[i], cells.multiplier[i]


@compiled(inline=True)
def _moves(cells: Cells, tile: slice, j: int) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    return cells.move[j, tile], cells.growth[j, tile], cells.numeraire[j, tile], cells.damping[tile]


@compiled()
def _black_row(row: ndarray, cells: Cells, tile: slice, i: int) -> None:
    """Total variance to P&L. The difference is a plain one: fused with the product before it, it would leave the
    rounding of V where nothing moved, instead of 0."""
    wide_()
    j, k, right, base, multiplier = _terms(cells, i)
    move, growth, numeraire, damping = _moves(cells, tile, j)
    scale, floor, ratio = cells.vol_scale[j, tile], cells.vol_floor[j, tile], math.exp(k)
    for s in range(row.size):
        v = _total_vol(row[s], scale[s], floor[s])
        value = _black(k - move[s], v, ratio * growth[s], right) * numeraire[s]
        row[s] = (value - base) * (damping[s] * multiplier)


@compiled()
def _normal_row(row: ndarray, cells: Cells, tile: slice, i: int) -> None:
    """As `_black_row` in the normal model, per unit of scale."""
    wide_()
    j, k, right, base, multiplier = _terms(cells, i)
    move, _, numeraire, damping = _moves(cells, tile, j)
    scale, floor = cells.vol_scale[j, tile], cells.vol_floor[j, tile]
    for s in range(row.size):
        v = _total_vol(row[s], scale[s], floor[s])
        value = _normal(k - move[s], v, right) * numeraire[s]
        row[s] = (value - base) * (damping[s] * multiplier)


@compiled()
def _american_row(row: ndarray, cells: Cells, i: int, scratch: ndarray) -> None:
    """Total variance to P&L of an American option. Its price is taken over D·F, as that of a European one is:

    a put is K·P(S/K; R, Q), a call S·P(K/S; Q, R), and S = F·e^(Q − R), D = e^(−R)."""
    j, k, right, base, multiplier = _terms(cells, i)
    for s in range(row.size):
        x, rate, payout = k - cells.move[j, s], cells.rate[j, s], cells.payout[j, s]
        v = _total_vol(row[s], cells.vol_scale[j, s], cells.vol_floor[j, s])
        spot = math.exp(payout - rate - x)  # over the strike
        if right > 0.0:
            unit = math.exp(payout) * american_put_(1.0 / spot, payout, rate, v, scratch)
        else:
            unit = math.exp(x + rate) * american_put_(spot, rate, payout, v, scratch)
        row[s] = (unit * cells.numeraire[j, s] - base) * (cells.damping[s] * multiplier)
