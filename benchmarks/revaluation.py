"""Inverse options on shocked smiles: the whole of one cell, read the smile, price, take the difference in USD."""

import math

import numpy as np
from scipy.special import ndtr

from benchmarks.case import Bar, Case, Contender, optional
from crossmargin.valuation.cells import OptionRows, SliceShocks, SliceSmiles
from crossmargin.valuation.kernels.revalue import option_pnl, option_values

SCENARIOS, SLICES, INDEX = 1000, 12, 60_000.0
BLOCK = 16  # Options at a time in NumPy by blocks: its temporaries then fit the cache, which is its best size here.
LOOPED = 10  # Options of the loop over single cells.


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


def quantlib_formula(right):
    """QuantLib's bare formula: the least that can be asked of it."""
    import QuantLib as ql  # noqa: N813 the name everyone gives it

    kind = ql.Option.Call if right > 0.0 else ql.Option.Put
    return lambda k, v: ql.blackFormula(kind, math.exp(k), 1.0, v)


def quantlib_engine(right):
    """QuantLib as its manual has it: an option, an engine, and quotes that move. Strikes move instead of forwards, as
    an option is made for one; the volatility is that of a year."""
    import QuantLib as ql  # noqa: N813 the name everyone gives it

    today, day = ql.Settings.instance().evaluationDate, ql.Actual365Fixed()
    forward, vol = ql.SimpleQuote(1.0), ql.SimpleQuote(0.2)
    rate = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, day))
    smile = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(vol), day))
    process = ql.BlackProcess(ql.QuoteHandle(forward), rate, smile)
    kind = ql.Option.Call if right > 0.0 else ql.Option.Put
    option = ql.EuropeanOption(ql.PlainVanillaPayoff(kind, 1.0), ql.EuropeanExercise(today + 365))
    option.setPricingEngine(ql.AnalyticEuropeanEngine(process))

    def price(k, v):
        forward.setValue(math.exp(-k))
        vol.setValue(v)
        return math.exp(k) * option.NPV()

    return price


def looped_pnl(rows, smiles, shocks, options, pricer):
    """The same job for the first `options` options, cell by cell: the smile in Python, the price by `pricer`."""
    pnl, base = [], option_values(rows, smiles).tolist()
    for i in range(options):
        j, k, price = int(rows.slice_index[i]), float(rows.moneyness[i]), pricer(float(rows.right[i]))
        a, b, rho, m, sigma = smiles.low[j].tolist()
        tau = float(smiles.tau[j])
        columns = (shocks.move[j], shocks.tau[j], shocks.vol_multiplier[j], shocks.numeraire[j])
        for move, after, multiplier, numeraire in zip(*(column.tolist() for column in columns), strict=True):
            x = k - move - m
            variance = a + b * (rho * x + math.sqrt(x * x + sigma * sigma))
            v = math.sqrt(variance / tau * after) * multiplier
            pnl.append(price(k - move, v) * numeraire - base[i])
    return pnl


def vollib_prices(flag, strike, v):
    import fast_vollib

    return fast_vollib.fast_black(flag, 1.0, strike, 1.0, 0.0, v, return_as="numpy")


def contest(options: int) -> list[Contender]:
    case = draw(options)
    cells = options * SCENARIOS
    k, v = (x.ravel() for x in numpy_total_vol(*case[:3], slice(0, options)))
    strike, flag = np.exp(k), np.where(np.repeat(case[0].right, SCENARIOS) > 0.0, "c", "p")
    no_quantlib, no_vollib = optional("QuantLib"), optional("fast_vollib")

    def looped(name, pricer):
        run = None if no_quantlib else lambda: looped_pnl(*case[:3], LOOPED, pricer)
        return Contender(name=name, run=run, cells=LOOPED * SCENARIOS, absent=no_quantlib)

    return [
        Contender(name="crossmargin, 1 thread", run=lambda: option_pnl(*case), cells=cells),
        Contender(name="NumPy + ndtr", run=lambda: numpy_pnl(*case, options_a_block=options), cells=cells),
        Contender(name="NumPy by blocks", run=lambda: numpy_pnl(*case, options_a_block=BLOCK), cells=cells),
        Contender(
            name="vollib, prices alone",
            run=None if no_vollib else lambda: vollib_prices(flag, strike, v),
            cells=cells,
            absent=no_vollib,
        ),
        looped("QuantLib engine in a loop", quantlib_engine),
        looped("QuantLib formula in a loop", quantlib_formula),
    ]


def error() -> float:
    """Largest distance from NumPy with SciPy's ndtr, as a share of the forward."""
    case = draw(500)
    return float(np.abs(option_pnl(*case) - numpy_pnl(*case, options_a_block=BLOCK)).max() / INDEX)


def cases() -> list[Case]:
    bars = (
        Bar(against="NumPy + ndtr", ratio_min=8.0),
        Bar(against="QuantLib engine in a loop", ratio_min=100.0),
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
