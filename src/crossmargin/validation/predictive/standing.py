"""Where an account stands under a kept predictor: the same features, made by the same code, of what is known now.

The account is held as it is over the dates that its own features look back on, each margined by the models that the
predictor corrects; the last date is the last bar that had closed by the market's time. Later bars and later features
are never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.check import known
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import format_instant, to_milliseconds
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.outlook.foretelling import Standing
from crossmargin.engine.outlook.predictor import Base, Predictor
from crossmargin.engine.outlook.resembling import families_like, held_hash
from crossmargin.engine.variants import account_alone
from crossmargin.market.snapshot import Snapshot
from crossmargin.measures.reduce import Measure
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.calibrating.walk import Walk, walk
from crossmargin.scenarios.history import FactorHistory
from crossmargin.validation.backtest import Series, Stage, run
from crossmargin.validation.challengers.refitted import refit_of
from crossmargin.validation.challengers.walked import Walked
from crossmargin.validation.evidence.held import Held, felt, hold_book
from crossmargin.validation.predictive.adoption import forecast_of
from crossmargin.validation.predictive.features import FeatureTable, joined, market_features
from crossmargin.validation.predictive.fitting import past_hash
from crossmargin.validation.predictive.margin import named_features

LOOKED_BACK: Final = 252  # dates: the longest window of an account's own features, and the one that is not known yet


def standing(
    book: Book,
    snapshot: Snapshot,
    model: ModelDocument,
    history: FactorHistory,
    predictor: Predictor,
    *,
    account: str,
    given: Sequence[FeatureTable] = (),
) -> Standing:
    """Features and corrected figures of one account at the last bar of a history that had closed by the market's time.

    Raises `MissingFactors` for factors that the book or the predictor needs, `UnknownName` for the account or a feature
    that the predictor was given and nobody gives now, `InvalidInput` for a market before what it learnt from, a name in
    two tables, or too short a history."""
    if to_milliseconds(book.as_of_ns) < predictor.last_ms:
        raise InvalidInput(
            "market",
            where="predictor",
            value=format_instant(book.as_of_ns),
            limit=f"at or after {format_instant(predictor.last_ms * 1_000_000)}, up to which it has learnt",
            remedy="Forecast from a later market, or fit a predictor to an earlier past.",
        )
    told = replace(history.select(predictor.factors), scale=predictor.scale).until(book.as_of_ns)
    alone = account_alone(book, account)
    proxies = {p for base in _bases(predictor) for p in _proxies(base)}
    walked = felt(told, snapshot, frozenset(proxies))
    held = hold_book(alone, snapshot, model, walked)
    tables = _tables(predictor, told, given)
    filtered = _series(predictor.filter, held, walked, rate=predictor.spec.rate)
    var = forecast_of(filtered).value_at_risk
    need, scan = None, 0.0
    if predictor.model is not None:
        margined = _series(predictor.model, held, walked, rate=predictor.spec.rate)
        scan = float(margined.margin[0, -1])
        need = _last(margined, np.where(margined.margin > 0.0, margined.margin, np.nan), tables, predictor)
    return Standing(
        predictor=predictor,
        account=account,
        time_ns=int(filtered.set_ns[-1]),
        families=families_like(alone),
        held=held_hash(book, book.accounts.index(account)),
        loss_features=_last(filtered, var, tables, predictor),
        value_at_risk_usd=float(var[0, -1]),
        shortfall_usd=float(forecast_of(filtered).shortfall[0, -1]),
        need_features=need,
        scan_usd=scan,
        same_history=past_hash(told.until(predictor.last_ms * 1_000_000)) == predictor.history_hash,
    )


def _bases(predictor: Predictor) -> tuple[Base, ...]:
    return (predictor.filter, *(() if predictor.model is None else (predictor.model,)))


def _proxies(base: Base) -> tuple[str, ...]:
    return base.calibration.default_proxy, *base.calibration.proxies.values()


def _tables(predictor: Predictor, told: FactorHistory, given: Sequence[FeatureTable]) -> tuple[FeatureTable, ...]:
    """The market's features and those given, which must have what the predictor was given."""
    names = {name for table in given for name in table.names}
    for name in predictor.given:
        known(name, names, "feature", where="predictor", remedy="Give its table with --features.")
    return (market_features(told), *given)


def _series(base: Base, held: Held, told: FactorHistory, *, rate: float) -> Series:
    """The account under one model over the dates that features look back on, the last of them not yet judged."""
    found = walk(told, base.calibration, refit=refit_of(base.calibration))
    moves = _moves(found)
    stage = Stage(
        book=held.book,
        snapshot=held.snapshot,
        factors=found.history.factors,
        close_ns=found.close_ns,
        realised=np.nan_to_num(found.realised()),  # Of the last date: not known, and read by no feature.
        moves=moves,
        horizon_days=found.history.bar_days * base.calibration.horizon_bars,
        rules=held.rules,
    )
    model = Walked(name=base.name, measure=Measure(kind=base.measure.kind, level=base.measure.level), walk=found)
    series = run(stage, model, rate=rate)
    return series if base.factor == 1.0 else replace(series, margin=base.factor * series.margin)


def _moves(found: Walk) -> IntArray:
    """Up to the last move, one in each horizon, those after which the model is ready."""
    last, bars = len(found.close_ns) - 1, found.spec.horizon_bars
    ready = found.ready()
    moves = np.arange(last, -1, -bars)[:LOOKED_BACK][::-1]
    kept = moves[ready[moves]] if len(moves) else moves
    if not len(kept) or kept[-1] != last:
        raise InvalidInput(
            "history",
            where="predictor",
            value=f"{len(found.close_ns)} moves",
            limit=f"at least {found.spec.lookback}, each factor with {found.spec.least_bars} of its own",
            remedy="Give a longer history.",
        )
    return np.asarray(kept, np.int64)


def _last(series: Series, scale: FloatArray, tables: Sequence[FeatureTable], predictor: Predictor) -> FloatArray:
    """Features of the last date [name], in the predictor's order."""
    found = named_features(series, scale, joined(tables, series.set_ns), lag=1)
    lacking = [name for name in predictor.features if name not in found]
    if lacking:
        remedy = "Give the history that it learnt from, with all of its factors."
        raise InvalidInput("features", where="predictor", value=", ".join(lacking), limit="known", remedy=remedy)
    return np.asarray([found[name][0, -1] for name in predictor.features])
