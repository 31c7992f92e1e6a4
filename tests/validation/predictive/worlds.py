"""Backtested filters whose errors are known: P&L by a stated law against a forecast that misses some of it."""

from __future__ import annotations

import numpy as np
from scipy import special

from crossmargin.core.arrays import FloatArray
from crossmargin.core.instant import DAY_NS
from crossmargin.validation.backtest import Forecast, Series
from crossmargin.validation.predictive.features import FeatureTable, build_features

RATE = 0.05
QUANTILE = -float(special.ndtri(RATE))
SHORTFALL = float(np.exp(-0.5 * QUANTILE**2) / np.sqrt(2.0 * np.pi) / RATE)


def series_of(pnl: FloatArray, sigma: FloatArray, model: str = "filter") -> Series:
    """A filter that says normal P&L of this deviation, both [account, date]."""
    accounts, dates = pnl.shape
    forecast = Forecast(
        rate=RATE,
        value_at_risk=QUANTILE * sigma,
        shortfall=SHORTFALL * sigma,
        scenarios=0,
        kept=np.zeros(0, np.int64),
        tail=np.zeros((0, dates, 0)),
        probability=np.zeros((0, dates)),
    )
    return Series(
        model=model,
        accounts=tuple(f"account {i}" for i in range(accounts)),
        set_ns=np.arange(1, dates + 1) * DAY_NS,
        margin=QUANTILE * sigma,
        pnl=pnl,
        forecast=forecast,
    )


def filtered(accounts: int = 8, dates: int = 500, seed: int = 0, drift: float = 0.0) -> Series:
    """A right filter of independent normal P&L, whose deviation grows past it by e^(drift · date)."""
    rng = np.random.default_rng(seed)
    sigma = np.exp(rng.normal(size=(accounts, 1))) * np.ones(dates)
    return series_of(rng.normal(size=sigma.shape) * sigma * np.exp(drift * np.arange(dates)), sigma)


def warned(accounts: int = 8, dates: int = 900, seed: int = 0) -> tuple[Series, FeatureTable]:
    """A filter that misses a state of twice the deviation, which a feature `alarm` tells."""
    rng = np.random.default_rng(seed)
    alarm = (rng.random(dates) < 0.3).astype(np.float64)
    sigma = np.ones((accounts, dates))
    pnl = rng.normal(size=sigma.shape) * (1.0 + alarm)
    series = series_of(pnl, sigma)
    return series, build_features(series.set_ns, ("alarm",), alarm[:, None])
