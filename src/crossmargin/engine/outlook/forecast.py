"""What the requirement will be: the margin of an account after each move that its model thinks possible.

Every scenario of the calibration is let happen: prices move, the volatility forecast takes the move in, and the account
is margined again in that market. The spread of the answers is the predictive distribution of requirement and excess: it
says how likely a call is, and what posted now would make it unlikely.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.accounts import provenance
from crossmargin.engine.explaining.curves import account_pnl
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.moved import dealt_at_marks, ladder_gains, parallel
from crossmargin.engine.outlook.foretelling import Foretold, Standing, foretold
from crossmargin.engine.plan import Progress, plan
from crossmargin.engine.reports import Provenance
from crossmargin.engine.variants import account_alone
from crossmargin.market.snapshot import USD, Snapshot, bump, factors_of
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.calibrating.calibrate import stepped
from crossmargin.scenarios.scenario_set import ScenarioSet

OUTCOMES: Final = 100
LEVELS: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
CALL_CHANCES: Final = (0.05, 0.01)
PREDICTOR: Final = "predictor"


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts."""


class Quantile(_Part, frozen=True, kw_only=True):
    """At this level of probability, USD."""

    level: float
    initial_usd: float
    excess_usd: float


class Posting(_Part, frozen=True, kw_only=True):
    """The cash that, posted now, leaves this chance of a call; 0 where it is as small already."""

    chance: float
    amount_usd: float


class Outcome(_Part, frozen=True, kw_only=True):
    """One scenario let happen: equity and initial margin after it, USD; `held_equity_usd` is against liquidation."""

    label: str
    pnl_usd: float
    equity_usd: float
    held_equity_usd: float
    initial_usd: float
    maintenance_usd: float


class Answer(_Part, frozen=True, kw_only=True):
    """What to go by where a predictor stands beside the model: its figures only where it beat the best filter.

    `margin_usd` covers the loss over the horizon at the predictor's rate, as said by `margin_by`; the chance of a call
    and what to post are as said by `calls_by`: the name of a filter or model, or "predictor"."""

    margin_usd: float
    margin_by: str
    call_chance: float
    postings: tuple[Posting, ...]
    calls_by: str


class ForecastReport(_Part, frozen=True, kw_only=True):
    """Where an account will stand: `call_chance` of equity below initial margin, `liquidation_chance` of held equity
    below maintenance, each chance with its standard error.

    Figures without more are of now, those of `quantiles` and `outcomes` of `horizon_days` later. `outcomes` are equally
    likely, in the order of their P&L; `unmoved` factors of the market stay in all of them. With a predictor: what it
    says (`foretold`), and the `answer` that its verdict allows.
    """

    provenance: Provenance
    account: str
    horizon_days: float
    equity_usd: float
    initial_usd: float
    maintenance_usd: float
    call_chance: float
    call_chance_error: float
    liquidation_chance: float
    liquidation_chance_error: float
    quantiles: tuple[Quantile, ...]
    postings: tuple[Posting, ...]
    outcomes: tuple[Outcome, ...]
    unmoved: tuple[str, ...]
    foretold: Foretold | None = None
    answer: Answer | None = None


def forecast(
    book: Book,
    snapshot: Snapshot,
    model: ModelDocument,
    *,
    account: str,
    outcomes: int = OUTCOMES,
    standing: Standing | None = None,
    progress: Progress | None = None,
) -> ForecastReport:
    """The predictive distribution of an account's requirement over the horizon of the model's calibration.

    Of the calibration's columns, `outcomes` are taken at even ranks, by weight, of the account's own P&L. Options keep
    their time to expiry. With where the account stands under a kept predictor (`validation.predictive.standing`) its
    figures stand beside the model's, and are the answer where its verdict says so. Raises `InvalidInput` for a model
    without a calibration, `UnknownName` for the account, and what `plan` raises.
    """
    if model.calibration is None:
        raise InvalidInput(
            "model",
            where="forecast",
            value=f"{model.name}@{model.date}",
            limit="one with a calibration, which says how likely its scenarios are",
            remedy="`crossmargin calibrate` makes one from a history.",
        )
    alone = account_alone(book, account)
    ready = plan(alone, snapshot, model)
    now = margin(alone, snapshot, model, prepared=ready)
    columns = ready.scenarios.take(np.arange(ready.scenarios.regular))
    gains = account_pnl(alone, snapshot, columns)[0]
    chosen = _even_ranks(gains, columns.weight, outcomes)
    entered, due = dealt_at_marks(alone, snapshot), ladder_gains(alone, snapshot, columns)
    found = []
    for done, column in enumerate(chosen, start=1):
        found.append(_outcome(entered, due[:, column], snapshot, model, columns, int(column), float(gains[column])))
        if progress is not None:
            progress("forecast", done, len(chosen))
    report = _report(account, model.calibration.horizon_days, snapshot, now, tuple(found), columns)
    return report if standing is None else _answered(report, standing, model, coins_held=_coins_held(alone, snapshot))


def _coins_held(alone: Book, snapshot: Snapshot) -> bool:
    """Whether collateral is held whose price moves with more than a peg."""
    table = alone.table
    assets = {table.assets[i] for i in table.settle[alone.holdings.instrument].tolist()}
    return any(snapshot.assets[name].reference != USD for name in assets)


def _answered(report: ForecastReport, standing: Standing, model: ModelDocument, *, coins_held: bool) -> ForecastReport:
    """The report with what a predictor says, and the answer that its verdict allows."""
    said = foretold(
        standing,
        model=model.name,
        horizon_days=report.horizon_days,
        as_of_ns=report.provenance.as_of_ms * 1_000_000,
        initial_usd=report.initial_usd,
        equity_usd=report.equity_usd,
        coins_held=coins_held,
    )
    postings = tuple(
        Posting(chance=p.chance, amount_usd=p.amount_usd if learnt is None else learnt)
        for p in report.postings
        for learnt in (said.posting(p.chance, report.equity_usd),)
    )
    by_calls = said.calls_used and said.call_chance is not None
    answer = Answer(
        margin_usd=said.margin_usd if said.is_used else said.filter_usd,
        margin_by=PREDICTOR if said.is_used else said.filter,
        call_chance=said.call_chance if by_calls and said.call_chance is not None else report.call_chance,
        postings=postings if by_calls else report.postings,
        calls_by=PREDICTOR if by_calls else model.name,
    )
    return msgspec.structs.replace(report, foretold=said, answer=answer)


def _even_ranks(gains: FloatArray, weight: FloatArray, count: int) -> IntArray:
    """Columns at the middles of `count` equal parts of the weight, in the order of their P&L; all of them where there
    are fewer and they weigh the same."""
    order = np.argsort(gains, kind="stable").astype(np.int64)
    if count >= len(order) and (weight == weight[0]).all():
        return order
    reached = np.cumsum(weight[order])
    middles = (np.arange(count) + 0.5) / count * reached[-1]
    return np.asarray(order[np.searchsorted(reached, middles, side="left")])


def _outcome(
    entered: Book,
    due: FloatArray,
    snapshot: Snapshot,
    model: ModelDocument,
    columns: ScenarioSet,
    column: int,
    gain: float,
) -> Outcome:
    assert model.calibration is not None, "checked where the forecast begins"
    shocks = {factor: float(columns.shock[i, column]) for i, factor in enumerate(columns.factors)}
    after = msgspec.structs.replace(model, calibration=stepped(model.calibration, shocks))
    result = margin(entered, bump(snapshot, parallel(shocks)), after, cash=due)
    return Outcome(
        label=columns.labels[column],
        pnl_usd=gain,
        equity_usd=float(result.pools.equity.sum()),
        held_equity_usd=float(result.pools.held_equity.sum()),
        initial_usd=float(result.pools.initial.sum()),
        maintenance_usd=float(result.pools.maintenance.sum()),
    )


def _report(
    account: str,
    horizon_days: float,
    snapshot: Snapshot,
    now: MarginResult,
    outcomes: tuple[Outcome, ...],
    columns: ScenarioSet,
) -> ForecastReport:
    initial = np.asarray([o.initial_usd for o in outcomes])
    equity = np.asarray([o.equity_usd for o in outcomes])
    excess = equity - initial
    call = float((excess < 0.0).mean())
    liquidation = float(np.mean([o.held_equity_usd < o.maintenance_usd for o in outcomes]))
    moved = parallel(dict.fromkeys(columns.factors, 0.0)).keys()
    return ForecastReport(
        provenance=provenance(now),
        account=account,
        horizon_days=horizon_days,
        equity_usd=float(now.pools.equity.sum()),
        initial_usd=float(now.pools.initial.sum()),
        maintenance_usd=float(now.pools.maintenance.sum()),
        call_chance=call,
        call_chance_error=math.sqrt(call * (1.0 - call) / len(outcomes)),
        liquidation_chance=liquidation,
        liquidation_chance_error=math.sqrt(liquidation * (1.0 - liquidation) / len(outcomes)),
        quantiles=tuple(
            Quantile(level=q, initial_usd=quantile(initial, q), excess_usd=quantile(excess, q)) for q in LEVELS
        ),
        postings=tuple(Posting(chance=p, amount_usd=max(-quantile(excess, p), 0.0)) for p in CALL_CHANCES),
        outcomes=outcomes,
        unmoved=tuple(sorted(set(factors_of(snapshot)) - moved)),
    )


def quantile(values: FloatArray, level: float) -> float:
    """The ⌈n·level⌉-th smallest: the inverted distribution function."""
    return float(np.quantile(values, level, method="inverted_cdf"))
