"""Inverse options on shocked smiles: the whole of one cell, read the smile, price, take the difference in USD."""

import math

import numpy as np
from scipy.special import ndtr

from benchmarks.case import Bar, Case, Contender, optional
from crossmargin.valuation.cells import OptionRows, SliceShocks, SliceSmiles
from crossmargin.valuation.kernels.revalue import option_pnl, option_values

SCENARIOS, SLICES, INDEX = 1000, 12, 60_000.0
BLOCK = 16  # Options at a time in NumPy by blocks: its temporaries then fit the cache, which is its best size here.
LOOPED = 20  # Options of the loop over single cells.


def draw(options: int):
    """A chain of inverse options and scenarios of price, volatility and time."""
    rng = np.random.default_rng(0)
    tau = np.sort(rng.uniform(2 / 365, 1.0, SLICES))
    level = 0.6**2 * tau
    skew, middle, width = rng.uniform(-0.5, 0.2, SLICES), np.zeros(SLICES), np.full(SLICES, 0.3)
    svi = np.column_stack([0.5 * level, 0.3 * level, skew, middle, width])
    smiles = SliceSmiles(
        low=svi,
        high=svi,
        weight_low=np.ones(SLICES),
        weight_high=np.zeros(SLICES),
        tau=tau,
        numeraire=np.full(SLICES, INDEX),
    )
    grid = (SLICES, SCENARIOS)
    move = np.tile(rng.normal(0.0, 0.15, SCENARIOS), (SLICES, 1))
    none = np.zeros(grid)
    shocks = SliceShocks(
        move=move,
        tau=np.maximum(tau[:, None] - rng.uniform(0.0, 2 / 365, SCENARIOS), 0.0),
        vol_multiplier=np.tile(np.exp(rng.normal(0.0, 0.25, SCENARIOS)), (SLICES, 1)),
        vol_floor=none,
        skew_slope=none,
        skew_cap=none,
        smile_slope=none,
        smile_cap=none,
        numeraire=INDEX * np.exp(move),
    )
    rows = OptionRows(
        moneyness=rng.uniform(-0.7, 0.7, options),
        right=rng.choice([1.0, -1.0], options),
        slice_index=np.sort(rng.integers(0, SLICES, options)).astype(np.int32),
        multiplier=np.ones(options),
    )
    return rows, smiles, shocks, np.ones(SCENARIOS)


def numpy_total_vol(rows, smiles, shocks, block):
    j = rows.slice_index[block]
    k = rows.moneyness[block, None] - shocks.move[j]
    a, b, rho, m, sigma = (smiles.low[j, c][:, None] for c in range(5))
    x = k - m
    variance = a + b * (rho * x + np.sqrt(x * x + sigma * sigma))
    return k, np.sqrt(variance / smiles.tau[j][:, None] * shocks.tau[j]) * shocks.vol_multiplier[j]


def numpy_pnl(rows, smiles, shocks, damping, *, options_a_block):
    """The same job in NumPy."""
    out = np.empty((rows.moneyness.size, damping.size))
    base = option_values(rows, smiles)
    for start in range(0, out.shape[0], options_a_block):
        block = slice(start, start + options_a_block)
        k, v = numpy_total_vol(rows, smiles, shocks, block)
        right = rows.right[block, None]
        d1 = 0.5 * v - k / v
        coin = right * (ndtr(right * d1) - np.exp(k) * ndtr(right * (d1 - v)))
        value = coin * shocks.numeraire[rows.slice_index[block]]
        out[block] = damping * rows.multiplier[block, None] * (value - base[block, None])
    return out


def quantlib_pnl(rows, smiles, shocks, options):
    """The same job for the first `options` options, cell by cell: the smile in Python, the price by QuantLib."""
    import QuantLib as ql  # noqa: N813 the name everyone gives it

    kind, pnl = {1.0: ql.Option.Call, -1.0: ql.Option.Put}, []
    base = option_values(rows, smiles).tolist()
    for i in range(options):
        j, k, right = int(rows.slice_index[i]), float(rows.moneyness[i]), kind[float(rows.right[i])]
        a, b, rho, m, sigma = smiles.low[j].tolist()
        tau = float(smiles.tau[j])
        columns = (shocks.move[j], shocks.tau[j], shocks.vol_multiplier[j], shocks.numeraire[j])
        for move, after, multiplier, numeraire in zip(*(column.tolist() for column in columns), strict=True):
            x = k - move - m
            variance = a + b * (rho * x + math.sqrt(x * x + sigma * sigma))
            v = math.sqrt(variance / tau * after) * multiplier
            pnl.append(ql.blackFormula(right, math.exp(k - move), 1.0, v) * numeraire - base[i])
    return pnl


def vollib_prices(flag, strike, v):
    import fast_vollib

    return fast_vollib.fast_black(flag, 1.0, strike, 1.0, 0.0, v, return_as="numpy")


def contest(options: int) -> list[Contender]:
    case = draw(options)
    cells = options * SCENARIOS
    many = slice(0, min(options, 500))
    k_many, v_many = (x.ravel() for x in numpy_total_vol(*case[:3], many))
    strike, flag = np.exp(k_many), np.where(np.repeat(case[0].right[many], SCENARIOS) > 0.0, "c", "p")
    no_quantlib, no_vollib = optional("QuantLib"), optional("fast_vollib")
    return [
        Contender(name="crossmargin, 1 thread", run=lambda: option_pnl(*case), cells=cells),
        Contender(name="NumPy + ndtr", run=lambda: numpy_pnl(*case, options_a_block=options), cells=cells),
        Contender(name="NumPy by blocks", run=lambda: numpy_pnl(*case, options_a_block=BLOCK), cells=cells),
        Contender(
            name="vollib, prices alone",
            run=None if no_vollib else lambda: vollib_prices(flag, strike, v_many),
            cells=strike.size,
            absent=no_vollib,
        ),
        Contender(
            name="QuantLib in a loop",
            run=None if no_quantlib else lambda: quantlib_pnl(*case[:3], LOOPED),
            cells=LOOPED * SCENARIOS,
            absent=no_quantlib,
        ),
    ]


def error() -> float:
    """Largest distance from NumPy with SciPy's ndtr, as a share of the forward."""
    case = draw(500)
    return float(np.abs(option_pnl(*case) - numpy_pnl(*case, options_a_block=BLOCK)).max() / INDEX)


def cases() -> list[Case]:
    bars = (
        Bar(against="NumPy + ndtr", ratio_min=8.0),
        Bar(against="QuantLib in a loop", ratio_min=100.0),
        Bar(against="vollib, prices alone", ratio_min=10.0),
    )
    return [
        Case(
            name="revaluation",
            unit=f"inverse options × {SCENARIOS} scenarios",
            sizes=(1250, 2500, 5000),
            contest=contest,
            bars=bars,
            error=error,
            error_max=1e-12,
        )
    ]
