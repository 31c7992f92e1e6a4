"""Backtests: one model over the dates of strategy portfolios with options, and eight models over 2,000 dates."""

import datetime as dt
import math
import time
from functools import cache, partial

import numpy as np
from scipy.special import ndtr

from benchmarks.case import Bar, Case, Contender, Limit
from crossmargin.core.instant import DAY_NS, parse_instant
from crossmargin.engine.recipe import recipe
from crossmargin.measures.reduce import Measure
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.calibrating.walk import Walk, walk
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.validation.backtest import Series, Stage, realised_pnl, run
from crossmargin.validation.challengers.walked import Walked
from crossmargin.validation.evidence.held import hold_strategies
from crossmargin.validation.evidence.trial import Models, Question, trial

LOOKBACK, DATES, SCENARIOS = 1000, 2000, 1000
COINS = ("BTC", "ETH", "SOL", "ADA", "LTC", "XRP")
FACTORS = (*(f"spot:{coin}" for coin in COINS), "vol:BTC", "vol:ETH")
SHORTFALL = Measure(kind="expected_shortfall", level=0.975)
START = parse_instant("2015-01-01T00:00:00Z", where="benchmark")
SCRIPT = "numpy, date by date"
RIVALS = ("history", "fhs-0.94", "fhs-0.99", "gjr-t", "pot", "t-copula")


@cache
def history() -> FactorHistory:
    rng, bars = np.random.default_rng(0), LOOKBACK + DATES + 40
    market = 0.02 * rng.standard_t(4, size=(bars, 1))
    moves = market + 0.02 * rng.standard_t(4, size=(bars, len(FACTORS)))
    moves[:, 6:] = -0.5 * market + 0.03 * rng.standard_t(4, size=(bars, 2))
    levels = np.concatenate([np.geomspace(5e4, 0.5, 6), [0.6, 0.8]]) * np.exp(np.cumsum(moves, axis=0) * 0.1)
    return build_history(START + np.arange(bars) * DAY_NS, FACTORS, levels)


@cache
def prepared() -> tuple[Stage, Walk]:
    found = walk(history(), CalibrationSpec(lookback=LOOKBACK))
    held = hold_strategies(history(), classes={})
    moves = np.arange(LOOKBACK + 22, LOOKBACK + 22 + DATES)
    stage = Stage(
        book=held.book,
        snapshot=held.snapshot,
        factors=FACTORS,
        close_ns=found.close_ns,
        realised=found.realised(),
        moves=moves,
        horizon_days=1.0,
        rules={},
    )
    return stage, found


def backtests(dates: int) -> list[Contender]:
    whole, found = prepared()
    stage = Stage(**{name: getattr(whole, name) for name in whole.__slots__} | {"moves": whole.moves[:dates]})
    model = Walked(name="filtered", measure=SHORTFALL, walk=found)
    gains, few = realised_pnl(stage), whole.moves[:50]
    cells = len(stage.book.accounts) * SCENARIOS
    return [
        Contender(name="crossmargin", run=lambda: run(stage, model, gains=gains, threads=2), cells=dates * cells),
        Contender(
            name="numpy, date by date",
            run=lambda: [by_numpy(stage, found, int(t)) for t in few],
            cells=len(few) * cells,
        ),
    ]


def by_numpy(stage: Stage, found: Walk, t: int) -> np.ndarray:
    """Expected shortfall of every account after one move: the way of a script, without a loop over scenarios."""
    shocks, table, lines = found.columns(t), stage.book.table, stage.book.positions
    pnl = np.empty((len(table), shocks.shape[1]))
    for row, name in enumerate(table.ids):
        coin = name.split("-")[0]
        price = stage.snapshot.underlyings[coin].spot
        moved = price * (1.0 + shocks[FACTORS.index(f"spot:{coin}")])
        if table.family[row] == table.family[table.ids.index(f"{coin}-PERPETUAL.STRATEGY")]:
            pnl[row] = moved - price
            continue
        vol = history().level[-1, FACTORS.index(f"vol:{coin}")]
        shocked = vol * (1.0 + shocks[FACTORS.index(f"vol:{coin}")])
        sign, strike = (1.0 if name.endswith("C.STRATEGY") else -1.0), table.strike[row]
        pnl[row] = black(moved, strike, shocked, sign, 29.0) - black(price, strike, vol, sign, 30.0)
    losses = np.zeros((len(stage.book.accounts), shocks.shape[1]))
    np.subtract.at(losses, stage.book.group_account[lines.owner], lines.quantity[:, None] * pnl[lines.instrument])
    return np.sort(losses, axis=1)[:, -25:].mean(axis=1)


def black(forward: object, strike: float, vol: object, sign: float, days: float) -> np.ndarray:
    total = np.asarray(vol) * math.sqrt(days / 365.0)
    d1 = np.log(np.asarray(forward) / strike) / total + 0.5 * total
    return sign * (np.asarray(forward) * ndtr(sign * d1) - strike * ndtr(sign * (d1 - total)))


def error() -> float:
    """How far the margins of one date lie from the script's, at worst, in parts of the largest."""
    stage, found = prepared()
    one = Stage(**{name: getattr(stage, name) for name in stage.__slots__} | {"moves": stage.moves[:1]})
    ours: Series = run(one, Walked(name="filtered", measure=SHORTFALL, walk=found))
    theirs = np.maximum(by_numpy(stage, found, int(stage.moves[0])), 0.0)
    return float(np.abs(ours.margin[:, 0] - theirs).max() / theirs.max())


def eight_models() -> float:
    """Seconds of eight models over 2,000 dates, fits, tests and report included."""
    question = Question(
        start_ns=START + (LOOKBACK + 23) * DAY_NS,
        end_ns=START + (LOOKBACK + 23 + DATES) * DAY_NS,
        windows=(),
        unseen_from=dt.date(2022, 1, 1),
    )
    models = Models(recipes=(recipe("crossmargin-dynamic"),), challengers=RIVALS)
    start = time.perf_counter()
    trial(history(), partial(hold_strategies, classes={}), models, question, threads=2)
    return time.perf_counter() - start


def cases() -> list[Case]:
    return [
        Case(
            name="backtest, one model with options",
            unit=f"dates × 58 accounts × {SCENARIOS:,} scenarios",
            sizes=(200, 600, 2_000),
            contest=backtests,
            bars=(Bar(against=SCRIPT, ratio_min=3.0),),
            limits=(Limit(name="8 models, 2,000 dates, report", unit="s", at_most=60.0, measure=eight_models),),
            error=error,
            error_max=1e-9,
        )
    ]
