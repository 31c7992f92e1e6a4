"""What a series of margins says of groups of accounts, of windows, and of single accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray
from crossmargin.core.instant import format_instant
from crossmargin.validation.backtest import Forecast, Series
from crossmargin.validation.evidence.documents import AccountLine, Group, Spread, Verdict
from crossmargin.validation.procyclicality import largest_increase, peak_to_trough
from crossmargin.validation.statistics import coverage
from crossmargin.validation.statistics.distribution import berkowitz, berkowitz_tail
from crossmargin.validation.statistics.independence import conditional_coverage, dynamic_quantile
from crossmargin.validation.statistics.results import Conventions, Tested
from crossmargin.validation.statistics.scoring import long_run_variance, newey_west_lags
from crossmargin.validation.statistics.shortfall import Predictive, acerbi_szekely, exceedance_residuals

SIGNIFICANCE: Final = 0.05
EXACT_BELOW: Final = 0.005  # Up to this rate the chi-square of a count does not hold, and the binomial is used.
ZONE_DATES: Final = coverage.BASEL_OBSERVATIONS
RISES: Final = (1, 5, 10)
SIMULATIONS: Final = 999


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """One model's series with what its accounts are: `family` and `side` [account], and the baseline's margin."""

    series: Series
    family: tuple[str, ...]
    side: tuple[str, ...]
    baseline: FloatArray | None
    rate: float

    def group(self, name: str, accounts: BoolArray | IntArray, dates: BoolArray) -> Group | None:
        """The figures of some accounts over some dates; None where there are none."""
        rows = np.arange(len(self.series.accounts))[accounts]
        if not len(rows) or not dates.any():
            return None
        margin, pnl = (part[rows][:, dates] for part in (self.series.margin, self.series.pnl))
        beyond = np.maximum(-pnl - margin, 0.0)
        marks = beyond > 0.0
        breached = beyond[marks]
        ratio = _ratios(pnl, margin)
        low = _rejected_low(marks, self.rate)
        days = self.series.set_ns[dates]
        held = margin[(margin > 0.0).all(axis=1)]
        rises = {n: _spread(_rise(held, n)) for n in RISES}
        return Group(
            name=name,
            first=format_instant(int(days[0]))[:10],
            last=format_instant(int(days[-1]))[:10],
            accounts=len(rows),
            dates=margin.shape[1],
            observations=margin.size,
            exceptions=len(breached),
            coverage=1.0 - len(breached) / margin.size,
            too_many_p=too_many(marks, self.rate),
            pof_low=low[0],
            cc_low=low[1],
            loss_to_margin=float(ratio.mean()) if len(ratio) else None,
            loss_to_margin_max=float(ratio.max()) if len(ratio) else None,
            uncovered_mean_usd=float(breached.mean()) if len(breached) else 0.0,
            uncovered_max_usd=float(beyond.max()),
            rise_1=rises[1],
            rise_5=rises[5],
            rise_10=rises[10],
            peak_to_trough=_spread(peak_to_trough(held) - 1.0) if len(held) else None,
            margin_mean_usd=float(margin.mean()),
            cost_ratio=self._cost(rows, dates),
        )

    def _cost(self, rows: IntArray, dates: BoolArray) -> float | None:
        if self.baseline is None:
            return None
        plain = float(self.baseline[rows][:, dates].sum())
        return float(self.series.margin[rows][:, dates].sum()) / plain if plain > 0.0 else None

    def accounts(self, conventions: Conventions, *, seed: int) -> tuple[AccountLine, ...]:
        """Every account by itself, over all dates, with every test that its series allow."""
        series = self.series
        tests = self._tests(seed)
        marks = series.uncovered > 0.0
        zones = coverage.traffic_light(
            marks[:, -ZONE_DATES:].sum(axis=1), min(ZONE_DATES, marks.shape[1]), rate=self.rate
        )
        every = np.ones(marks.shape[1], bool)
        lines = []
        for row, name in enumerate(series.accounts):
            own = self.group(name, np.asarray([row]), every)
            assert own is not None, "an account has dates"
            lines.append(
                AccountLine(
                    account=name,
                    family=self.family[row],
                    side=self.side[row],
                    observations=own.observations,
                    exceptions=own.exceptions,
                    coverage=own.coverage,
                    zone=zones.at((row,), conventions).zone,
                    loss_to_margin=own.loss_to_margin,
                    loss_to_margin_max=own.loss_to_margin_max,
                    rise_1=_only(own.rise_1),
                    rise_5=_only(own.rise_5),
                    rise_10=_only(own.rise_10),
                    peak_to_trough=_only(own.peak_to_trough),
                    margin_mean_usd=own.margin_mean_usd,
                    cost_ratio=own.cost_ratio,
                    tests={n: _verdict(t, at[row], conventions) for n, (t, at) in tests.items() if row in at},
                )
            )
        return tuple(lines)

    def _tests(self, seed: int) -> dict[str, tuple[Tested, Mapping[int, int]]]:
        """Each test of many accounts, and the row of each account in it."""
        marks, rate = self.series.uncovered > 0.0, self.rate
        all_rows = {row: row for row in range(len(marks))}
        count = coverage.binomial if rate <= EXACT_BELOW else coverage.pof
        found: dict[str, tuple[Tested, Mapping[int, int]]] = {
            "pof": (count(marks.sum(axis=1), marks.shape[1], rate=rate), all_rows),
            "cc": (conditional_coverage(marks, rate=rate), all_rows),
            "tuff": (coverage.tuff(marks, rate=rate), all_rows),
            "tbfi": (coverage.tbfi(marks, rate=rate), all_rows),
            "dq": (dynamic_quantile(marks, self.series.margin, rate=rate), all_rows),
        }
        forecast = self.series.forecast
        if forecast is not None and len(forecast.kept):
            found |= _tests_of_tail(self.series, forecast, seed)
        return found


def too_many(marks: BoolArray, rate: float) -> float:
    """The chance of so many exceptions, or more, of marks [account, date] under the nominal rate; 1 without any.

    One-sided, normal: (mean daily share − rate)/√(long-run variance/T), variance by Newey and West. Accounts of one
    date fall together, so dates are what is counted. Where the share never moves the chance is 0 or 1.
    """
    share = marks.mean(axis=0)
    missed = float(share.mean()) - rate
    if not marks.any() or len(share) < 2:
        return 1.0 if missed <= 0.0 else 0.0
    lags = min(newey_west_lags(len(share)), len(share) - 1)
    error = float(np.sqrt(long_run_variance(share, lags=lags) / len(share)))
    return float(special.ndtr(-missed / error)) if error > 0.0 else float(missed <= 0.0)


def tail_predictive(forecast: Forecast, rows: Sequence[int]) -> Predictive:
    """Quantiles of forecasts of which only the tail was kept: u gives the ⌈n·u⌉-th smallest P&L, or the last kept."""
    tail = forecast.tail[list(rows)]

    def quantile(probability: FloatArray, date: IntArray) -> FloatArray:
        rank = np.ceil(forecast.scenarios * probability).astype(np.int64) - 1
        return tail[:, date, np.clip(rank, 0, tail.shape[2] - 1)]

    return quantile


def _tests_of_tail(series: Series, forecast: Forecast, seed: int) -> dict[str, tuple[Tested, Mapping[int, int]]]:
    """Tests of the forecast, for accounts whose tails were kept and whose forecast is a loss on all dates."""
    lossy = (forecast.value_at_risk[forecast.kept] > 0.0).all(axis=1)
    kept = forecast.kept[lossy]
    if not len(kept):
        return {}
    at = {int(row): place for place, row in enumerate(kept)}
    pnl, quantile, shortfall = (part[kept] for part in (series.pnl, forecast.value_at_risk, forecast.shortfall))
    predictive = tail_predictive(forecast, np.flatnonzero(lossy).tolist())
    both = acerbi_szekely(
        pnl, quantile, shortfall, rate=forecast.rate, predictive=predictive, seed=seed, simulations=SIMULATIONS
    )
    probability = forecast.probability[lossy]
    found = {
        "z1": both.z1,
        "z2": both.z2,
        "residuals": exceedance_residuals(pnl, quantile, shortfall, seed=seed, simulations=SIMULATIONS),
        "berkowitz_tail": berkowitz_tail(probability, tail=forecast.rate),
        "berkowitz": berkowitz(probability),
    }
    return {name: (tested, at) for name, tested in found.items()}


def _verdict(tested: Tested, row: int, conventions: Conventions) -> Verdict:
    one = tested.at((row,), conventions)
    return Verdict(
        statistic=one.statistic, p_value=one.p_value, critical=one.critical_value, side=one.side, flag=one.flag
    )


def _rejected_low(marks: BoolArray, rate: float) -> tuple[int, int]:
    """How many accounts Kupiec's test, and Christoffersen's, reject for too many exceptions."""
    dates = marks.shape[1]
    count = coverage.binomial if rate <= EXACT_BELOW else coverage.pof
    found = [count(marks.sum(axis=1), dates, rate=rate)]
    if dates > 1:
        found.append(conditional_coverage(marks, rate=rate))
    counts = [int((tested.rejects(SIGNIFICANCE) & (tested.side > 0)).sum()) for tested in found]
    return counts[0], counts[-1]


def _ratios(pnl: FloatArray, margin: FloatArray) -> FloatArray:
    """Loss over margin of every breach of accounts that were asked for any."""
    breach = (-pnl > margin) & (margin > 0.0)
    return np.asarray(-pnl[breach] / margin[breach])


def _rise(margin: FloatArray, dates: int) -> FloatArray:
    return largest_increase(margin, dates=dates) if len(margin) and margin.shape[1] > dates else np.empty(0)


def _spread(values: FloatArray) -> Spread | None:
    if not values.size:
        return None
    return Spread(median=float(np.median(values)), greatest=float(np.max(values)))


def _only(found: Spread | None) -> float | None:
    return None if found is None else found.greatest
