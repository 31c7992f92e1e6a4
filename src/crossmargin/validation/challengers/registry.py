"""Challengers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec

from crossmargin.core.check import known
from crossmargin.engine.outlook.predictor import PredictiveSpec
from crossmargin.scenarios.history import FactorHistory
from crossmargin.validation.backtest import Forecaster, Series
from crossmargin.validation.challengers.refitted import gjr, pareto_tails, t_copula, vine
from crossmargin.validation.challengers.walked import Setting
from crossmargin.validation.predictive.adoption import forecast_of
from crossmargin.validation.predictive.features import FeatureTable, joined, market_features
from crossmargin.validation.predictive.margin import NAME as CONFORMAL
from crossmargin.validation.predictive.margin import predict

Challenger: TypeAlias = Callable[[Setting, str], Forecaster]
BASELINE: Final = "fhs-0.97"  # what the cost of others is measured against
GRID: Final = "grid"  # made by `fixed_grid`: it has no columns that move


def _history(setting: Setting, name: str) -> Forecaster:
    return setting.walked(name, method="historical", filter="none")


def _filtered(decay: float, setting: Setting, name: str) -> Forecaster:
    return setting.walked(name, decay=decay)


CHALLENGERS: Final[Mapping[str, Challenger]] = MappingProxyType(
    {
        "history": _history,
        "fhs-0.94": partial(_filtered, 0.94),
        BASELINE: partial(_filtered, 0.97),
        "fhs-0.99": partial(_filtered, 0.99),
        "gjr-t": gjr,
        "pot": pareto_tails,
        "t-copula": t_copula,
        "vine": vine,
    }
)


DEFAULT_SPEC: Final = PredictiveSpec()
Derived: TypeAlias = Callable[[Series, FactorHistory], Series]


def conformal(
    baseline: Series,
    history: FactorHistory,
    *,
    spec: PredictiveSpec = DEFAULT_SPEC,
    given: Sequence[FeatureTable] = (),
) -> Series:
    """The baseline corrected by what its errors have been, at the baseline's rate; before it has learnt, the baseline.

    `given` are features beside those that the history makes. Raises as `predict` does."""
    asked = msgspec.structs.replace(spec, rate=forecast_of(baseline).rate)
    table = joined((market_features(history), *given), baseline.set_ns)
    return predict(baseline, table, asked).series


# What is made of the series of the baseline, and of the history that was known on each date.
DERIVED: Final[Mapping[str, Derived]] = MappingProxyType({CONFORMAL: conformal})


def challenger(name: str, setting: Setting) -> Forecaster:
    """A challenger by its name, fitted where it is fitted; raises `UnknownName` with the nearest ones."""
    known(name, CHALLENGERS, "challenger", where="backtest")
    return CHALLENGERS[name](setting, name)
