"""What may come and what came: the forecast of a requirement, a book through a crisis, and kept trees."""

from functools import cache
from typing import Any

import numpy as np
from msgspec.structs import replace

import crossmargin as xm
from benchmarks.case import Bar, Case, Contender, optional
from benchmarks.engine import account, market
from crossmargin.core.instant import DAY_NS
from crossmargin.engine.moved import dealt_at_marks, ladder_gains, parallel
from crossmargin.engine.outlook.replay import Event, Settings
from crossmargin.engine.outlook.trees import Trees, evaluate
from crossmargin.engine.plan import plan
from crossmargin.engine.recipe import recipe
from crossmargin.market.snapshot import bump
from crossmargin.scenarios.calibrating.calibrate import stepped
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.validation.predictive.exporting import trees_of

BARS = 700
OUTCOMES = 100
SAMPLED = 5  # scenarios that the naive way works off in one run
HOURS = 24


@cache
def history() -> FactorHistory:
    """Daily levels of what the account depends on, up to the market's own."""
    rng = np.random.default_rng(11)
    names = ("spot:BTC", "vol:BTC", "spot:ETH", "vol:ETH", "peg:USDC")
    size = np.asarray([0.03, 0.04, 0.04, 0.05, 2e-4])
    path = np.cumsum(size * rng.standard_t(5, size=(BARS, len(names))), axis=0)
    held = market().underlyings
    now = np.asarray([held["BTC"].spot, 0.5, held["ETH"].spot, 0.6, 1.0])
    close = market().time_ns - DAY_NS * np.arange(BARS - 1, -1, -1)
    return build_history(close, names, now * np.exp(path - path[-1]))


@cache
def model() -> xm.ModelDocument:
    """A model of 500 filtered dates."""
    made = recipe("crossmargin-dynamic")
    spec = replace(made.calibration, lookback=500)
    return xm.calibrated_model(replace(made, calibration=spec), xm.read_model("crossmargin-grid"), history())


def every_scenario(book: xm.Book) -> None:
    """Some of the scenarios, one margin call each, as a user would write it down."""
    fitted = model()
    assert fitted.calibration is not None
    ready = plan(book, market(), fitted)
    columns = ready.scenarios.take(np.arange(ready.scenarios.regular))
    entered, due = dealt_at_marks(book, market()), ladder_gains(book, market(), columns)
    for column in range(SAMPLED):
        shocks = {factor: float(columns.shock[i, column]) for i, factor in enumerate(columns.factors)}
        after = replace(fitted, calibration=stepped(fitted.calibration, shocks))
        xm.margin(entered, bump(market(), parallel(shocks)), after, cash=due[:, column])


def forecast(positions: int) -> list[Contender]:
    book, _ = account(positions)
    fitted = model()
    assert fitted.calibration is not None
    scenarios = len(fitted.calibration.close_ms)
    return [
        Contender(name="xm.forecast", run=lambda: xm.forecast(book, market(), fitted, account="a"), cells=1),
        Contender(name="every scenario margined", run=lambda: every_scenario(book), cells=SAMPLED / scenarios),
    ]


def forecast_error() -> float:
    """How far the 95 % requirement of the sampled outcomes is from that of every scenario, relative."""
    book, _ = account(5)
    said, whole = (
        xm.forecast(book, market(), model(), account="a", outcomes=count).quantiles[5].initial_usd
        for count in (OUTCOMES, 10 * OUTCOMES)
    )
    return abs(said / whole - 1.0)


@cache
def hours() -> FactorHistory:
    """A day of a crash by the hour."""
    names = ("spot:BTC", "vol:BTC", "spot:ETH", "vol:ETH", "peg:USDC")
    close = market().time_ns - DAY_NS // 24 * np.arange(HOURS + 1, -1, -1)
    fall = np.linspace(0.0, 1.0, HOURS + 2)[:, None] * np.asarray([-0.3, 0.5, -0.4, 0.5, -0.01])
    return build_history(close, names, np.asarray([6e4, 0.5, 2e3, 0.6, 1.0]) * np.exp(fall))


def bar_by_bar(book: xm.Book, grid: xm.ModelDocument) -> None:
    """The same day, the market built and the book planned anew at each bar."""
    told = hours()
    entered = dealt_at_marks(book, market())
    for bar in range(HOURS + 1):
        moves = np.log(told.level[bar] / told.level[0])
        shocks = {name: float(x) for name, x in zip(told.factors, np.expm1(moves), strict=True)}
        xm.margin(entered, bump(market(), parallel(shocks)), grid)


def replay(positions: int) -> list[Contender]:
    book, grid = account(positions)
    event = Event(label="crash", start_ns=int(hours().close_ns[0]))
    asked = Settings(days=1.0, still=("basis:*", "funding:*", "fwd:*", "index:*", "fx:*", "rate:*", "peg:*"))
    return [
        Contender(
            name="xm.replay",
            run=lambda: xm.replay(book, market(), grid, hours(), [event], settings=asked),
            cells=HOURS + 1,
        ),
        Contender(name="bar by bar, planned anew", run=lambda: bar_by_bar(book, grid), cells=HOURS + 1),
    ]


@cache
def learnt() -> tuple[Any, Trees]:
    """A learner of the size of a predictive margin's, and its trees as they are kept."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(3)
    features, target = rng.normal(size=(20_000, 40)), rng.standard_t(4, size=20_000)
    learner = HistGradientBoostingRegressor(
        loss="quantile", quantile=0.99, max_iter=60, max_leaf_nodes=6, min_samples_leaf=1_000, early_stopping=False
    ).fit(features, target)
    return learner, trees_of(learner, np.arange(40))


def trees(rows: int) -> list[Contender]:
    missing = optional("sklearn")
    if missing:
        return [Contender(name="evaluate", run=None, cells=rows, absent=missing)]
    learner, kept = learnt()
    features = np.random.default_rng(4).normal(size=(rows, 40))
    return [
        Contender(name="evaluate", run=lambda: evaluate(kept, features), cells=rows),
        Contender(name="scikit-learn", run=lambda: learner.predict(features), cells=rows),
    ]


def cases() -> list[Case]:
    """The cases of this module."""
    return [
        Case(
            name="forecast of a requirement",
            unit="forecast",
            sizes=(5, 10, 40),
            contest=forecast,
            bars=(Bar(against="every scenario margined", ratio_min=3.0),),
            error=forecast_error,
            error_max=0.02,
            notes="positions; error: 95 % requirement of 100 outcomes against all",
        ),
        Case(
            name="replay of a day by the hour",
            unit="bar",
            sizes=(5, 20, 80),
            contest=replay,
            bars=(Bar(against="bar by bar, planned anew", ratio_min=0.9),),
            notes="positions",
        ),
        Case(
            name="kept trees",
            unit="row",
            sizes=(1, 100, 10_000),
            contest=trees,
            bars=(Bar(against="scikit-learn", ratio_min=0.2),),
            notes="60 trees of 6 leaves, 40 features",
        ),
    ]
