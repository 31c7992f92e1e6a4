"""The report of a backtest, from the series of every model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.core.instant import YEAR_DAYS, YEAR_NS, format_instant, to_milliseconds
from crossmargin.validation.backtest import Series
from crossmargin.validation.disclosure import (
    LargestExceptionId,
    MonthlyResult,
    Principle6,
    monthly_result,
    principle6,
)
from crossmargin.validation.evidence.documents import (
    Group,
    ModelEvidence,
    Path,
    Scores,
    Spread,
    Target,
    WindowLine,
)
from crossmargin.validation.evidence.scores import scores
from crossmargin.validation.evidence.statistics import Judged
from crossmargin.validation.evidence.windows import Window
from crossmargin.validation.predictive.margin import on_dates
from crossmargin.validation.statistics.results import Conventions

# Targets of a margin at 99 %: on public data the plain filter misses 99 % in crises, and article 28(b) of EMIR RTS
# 153/2013 reaches 99.7 % with losses of 1.6 margins at 1.3 times its cost.
COVERAGE_MIN: Final = 0.995
CRISIS_COVERAGE_MIN: Final = 0.99
LOSS_TO_MARGIN_MAX: Final = 2.0
RISE_5_MAX: Final = 0.30
PEAK_TO_TROUGH_MAX: Final = 2.0
COST_MAX: Final = 1.35
REJECTED_SHARE_MAX: Final = 0.05  # what a true model's tests reject


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scope:
    """What series are judged by: kinds of accounts, windows, the day from which data was unseen, and conventions."""

    family: tuple[str, ...]
    side: tuple[str, ...]
    windows: tuple[Window, ...]
    unseen_from: dt.date
    rate: float
    conventions: Conventions
    seed: int = 0

    def periods(self) -> tuple[Window, Window]:
        """Before and from the day on which the choice of the model was fixed."""
        day = self.unseen_from
        return (
            Window(name=f"before {day}", start=dt.date(1700, 1, 1), end=day),
            Window(name=f"from {day}", start=day, end=dt.date(2260, 1, 1)),
        )


def held_only(series: Sequence[Series], scope: Scope) -> tuple[list[Series], Scope]:
    """Series and scope without the accounts for which no model ever asks anything: they hold nothing."""
    held = np.logical_or.reduce([(one.margin > 0.0).any(axis=1) for one in series])
    if held.all():
        return list(series), scope
    rows = np.flatnonzero(held)
    kept = [_rows(one, rows) for one in series]
    return kept, replace(
        scope,
        family=tuple(scope.family[i] for i in rows),
        side=tuple(scope.side[i] for i in rows),
    )


def _rows(series: Series, rows: np.ndarray) -> Series:
    forecast = series.forecast
    if forecast is not None:
        there = np.isin(forecast.kept, rows)
        forecast = replace(
            forecast,
            value_at_risk=forecast.value_at_risk[rows],
            shortfall=forecast.shortfall[rows],
            kept=np.searchsorted(rows, forecast.kept[there]),
            tail=forecast.tail[there],
            probability=forecast.probability[there],
        )
    return replace(
        series,
        accounts=tuple(series.accounts[i] for i in rows),
        margin=series.margin[rows],
        pnl=series.pnl[rows],
        forecast=forecast,
    )


def judge(told: Series, scope: Scope, *, rule: str, baseline: FloatArray | None) -> ModelEvidence:
    """Everything that one series says, by account, side, family, period and window, on dates on which it had learnt."""
    series = on_dates(told, told.set_ns[told.warm_up :])
    baseline = None if baseline is None else baseline[:, told.warm_up :]
    judged = Judged(series=series, family=scope.family, side=scope.side, baseline=baseline, rate=scope.rate)
    everyone, every = np.ones(len(series.accounts), bool), np.ones(len(series.set_ns), bool)
    whole = judged.group("all", everyone, every)
    assert whole is not None, "a backtest has accounts and dates"

    def parts(kinds: tuple[str, ...]) -> tuple[Group, ...]:
        names = dict.fromkeys(kinds if len(set(kinds)) > 1 else ())
        marks = {name: np.asarray([kind == name for kind in kinds]) for name in names}
        return _there(judged.group(name, mark, every) for name, mark in marks.items())

    def spans(windows: Iterable[Window]) -> tuple[Group, ...]:
        return _there(judged.group(w.name, everyone, w.dates(series.set_ns)) for w in windows)

    beyond = series.uncovered
    worst = int(np.argmax(beyond.max(axis=1)))
    return ModelEvidence(
        model=series.model,
        rule=rule,
        whole=whole,
        periods=spans(scope.periods()),
        sides=parts(scope.side),
        families=parts(scope.family),
        windows=spans(scope.windows),
        accounts=judged.accounts(scope.conventions, seed=scope.seed),
        disclosed=disclosed(series, scope),
        largest_exception=series.accounts[worst] if beyond.max() > 0.0 else "",
        warm_up_dates=told.warm_up,
    )


def disclosed(series: Series, scope: Scope) -> Principle6:
    """The disclosure items of the latest twelve months."""
    year = series.set_ns > series.set_ns[-1] - YEAR_NS
    return principle6(
        series.pnl[:, year],
        series.margin[:, year],
        model=series.model,
        confidence=1.0 - scope.rate,
        currency="USD",
        window_days=int(YEAR_DAYS),
        conventions=scope.conventions,
    )


def message(found: ModelEvidence) -> MonthlyResult:
    """The disclosed figures as auth.066 states them."""
    identity = LargestExceptionId(id=found.largest_exception) if found.largest_exception else None
    result = monthly_result(found.disclosed)
    return result if not found.disclosed.exceptions else monthly_result(found.disclosed, largest_exception_id=identity)


def all_scores(series: Sequence[Series], scope: Scope, *, baseline: str) -> tuple[Scores, ...]:
    """Scores over all dates, and before and after the choice was fixed, of series that had learnt by then."""
    spans: dict[str, BoolArray] = {"all": np.ones(len(series[0].set_ns), bool)}
    spans |= {w.name: w.dates(series[0].set_ns) for w in scope.periods()}
    found = (
        scores(_learnt_by(series, dates), dates, period=name, baseline=baseline, rate=scope.rate, seed=scope.seed)
        for name, dates in spans.items()
    )
    return tuple(one for one in found if one is not None)


def _learnt_by(series: Sequence[Series], dates: BoolArray) -> list[Series]:
    """The series without warm-up on any of the dates."""
    return [one for one in series if not dates[: one.warm_up].any()]


def targets(found: ModelEvidence) -> tuple[Target, ...]:
    """What the default model should reach, and whether it does: over all dates, and in crisis windows."""
    crises = found.windows
    accounts = found.whole.accounts
    return (
        _target("coverage of all", found.whole.coverage, COVERAGE_MIN, at_least=True),
        _target(
            "coverage of the worst window",
            min((g.coverage for g in crises), default=None),
            CRISIS_COVERAGE_MIN,
            at_least=True,
        ),
        _target("p-value of so many exceptions", found.whole.too_many_p, REJECTED_SHARE_MAX, at_least=True),
        _target("accounts that POF rejects as too few", found.whole.pof_low / accounts, REJECTED_SHARE_MAX),
        _target("accounts that CC rejects as too few", found.whole.cc_low / accounts, REJECTED_SHARE_MAX),
        _target("loss/margin, worst of windows", _most(g.loss_to_margin_max for g in crises), LOSS_TO_MARGIN_MAX),
        *_rise_targets(crises),
        _target("mean margin over the baseline's", found.whole.cost_ratio, COST_MAX),
    )


def _rise_targets(crises: Sequence[Group]) -> tuple[Target, ...]:
    rise, peak = greatest(g.rise_5 for g in crises), greatest(g.peak_to_trough for g in crises)
    return tuple(
        _target(f"{what} in windows, {which} account", getattr(found, name) if found else None, limit)
        for what, found, limit in (
            ("rise over 5 dates", rise, RISE_5_MAX),
            ("peak/trough − 1", peak, PEAK_TO_TROUGH_MAX),
        )
        for which, name in (("middle", "median"), ("worst", "greatest"))
    )


def greatest(spreads: Iterable[Spread | None]) -> Spread | None:
    """The greatest middle and the greatest worst of several spreads."""
    known = [spread for spread in spreads if spread is not None]
    if not known:
        return None
    return Spread(median=max(s.median for s in known), greatest=max(s.greatest for s in known))


def paths(series: Sequence[Series], accounts: Sequence[str]) -> tuple[Path, ...]:
    """Some accounts date by date, by every series given."""
    first = series[0]
    times = tuple(to_milliseconds(int(t)) for t in first.set_ns)
    found = []
    for name in accounts:
        row = first.accounts.index(name)
        margins = {one.model: tuple(one.margin[row].tolist()) for one in series}
        found.append(Path(account=name, set_ms=times, pnl_usd=tuple(first.pnl[row].tolist()), margin_usd=margins))
    return tuple(found)


def covered(windows: Sequence[Window], series: Series) -> tuple[WindowLine, ...]:
    """The windows in which a series has dates."""
    return tuple(
        WindowLine(name=w.name, start=str(w.start), end=str(w.end), source=w.source)
        for w in windows
        if w.dates(series.set_ns).any()
    )


def span(series: Series) -> tuple[str, str]:
    """The first and the last date on which margin was set."""
    return format_instant(int(series.set_ns[0])), format_instant(int(series.set_ns[-1]))


def _there(groups: Iterable[Group | None]) -> tuple[Group, ...]:
    return tuple(group for group in groups if group is not None)


def _most(values: Iterable[float | None]) -> float | None:
    return max((x for x in values if x is not None), default=None)


def _target(name: str, value: float | None, limit: float, *, at_least: bool = False) -> Target:
    met = None if value is None else (value >= limit if at_least else value <= limit)
    return Target(name=name, value=value, limit=limit, at_least=at_least, met=met)
