"""A calibration as arrays for one margin period: weights, correlations and thresholds by number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray, frozen
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.sensitivities.parameters import (
    RESIDUAL,
    Buckets,
    Fx,
    Rates,
    SensitivityParameters,
)

MILLION: Final = 1e6
# Standard normal quantiles at 99 % and 99.5 %; `scipy.special.ndtri` gives the same digits, at the cost of an import.
QUANTILE_99: Final = 2.3263478740408408
QUANTILE_995: Final = 2.5758293035489004
CALENDAR_DAYS_PER_DAY: Final = 1.4  # ten business days are fourteen days of the calendar
YEAR_DAYS: Final = 365.0
_UNIT_DAYS: Final = {"d": 1.0, "w": 7.0, "m": YEAR_DAYS / 12.0, "y": YEAR_DAYS}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RatesTables:
    """`weight` [group, tenor]; `correlation` [tenor, tenor]; thresholds [group] in USD; `scaling` [tenor] is SF(t)."""

    stated: Rates
    tenors: dict[str, int]
    sub_curves: dict[str, int]
    weight: FloatArray
    inflation_weight: float
    basis_weight: float
    vega_weight: float
    curvature_factor: float
    correlation: FloatArray
    delta_threshold: FloatArray
    vega_threshold: FloatArray
    scaling: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BucketTables:
    """By bucket, Residual last: weights, correlations, and thresholds in USD, infinite without concentration.

    `between` [bucket, bucket] has a zero diagonal, and zeros for Residual. `sigma` [bucket] turns a vega per vol point
    into a volatility-weighted one.
    """

    buckets: dict[str, int]
    tenors: dict[str, int]
    has_residual: bool
    delta_weight: FloatArray
    vega_weight: FloatArray
    vega_ratio: float
    sigma: FloatArray
    same: FloatArray
    different: FloatArray
    between: FloatArray
    delta_threshold: FloatArray
    vega_threshold: FloatArray
    curved: BoolArray
    scaling: FloatArray
    base_weight: float | None = None
    base_correlation: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FxTables:
    """`weight` [group, group] and `correlation` [group, group] for the calculation currency; thresholds in USD."""

    stated: Fx
    currency: str
    currency_group: int
    tenors: dict[str, int]
    weight: FloatArray
    sigma: FloatArray
    vega_weight: float
    vega_ratio: float
    correlation: FloatArray
    vega_correlation: float
    delta_threshold: FloatArray
    vega_threshold: FloatArray
    scaling: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """All risk classes; `psi` [class, class] in the order of `RISK_CLASSES`."""

    name: str
    horizon_days: int
    rates: RatesTables
    buckets: dict[str, BucketTables]
    fx: FxTables
    psi: FloatArray


def tables_of(parameters: SensitivityParameters, *, horizon_days: int = 10, currency: str = "USD") -> Tables:
    """The arrays of a calibration for a margin period and a calculation currency.

    σ = RW·√(365/1.4h)/Φ⁻¹(0.99) and SF(t) = ½·min(1, 1.4h/t) for a period of h business days. Raises `UnknownName`
    for a period the calibration has no weights for, or a currency in none of its groups.
    """
    horizon = check.known(
        str(horizon_days), parameters.horizons, "margin period (days)", where=parameters.name, remedy="Choose one."
    )
    days = CALENDAR_DAYS_PER_DAY * horizon_days
    million = MILLION if horizon in parameters.concentrated else math.inf  # no concentration: no threshold
    return Tables(
        name=parameters.name,
        horizon_days=horizon_days,
        rates=_rates(parameters.rates, horizon, days, million),
        buckets={
            "credit_qualifying": _buckets(parameters.credit_qualifying, horizon, days, million, weighted=True),
            "credit_non_qualifying": _buckets(parameters.credit_non_qualifying, horizon, days, million, weighted=True),
            "equity": _buckets(parameters.equity, horizon, days, million, weighted=False),
            "commodity": _buckets(parameters.commodity, horizon, days, million, weighted=False),
        },
        fx=_fx(parameters.fx, horizon, days, million, currency, where=f"{parameters.name}: fx"),
        psi=frozen(parameters.risk_class_correlation),
    )


def tenor_days(label: str, *, where: str) -> float:
    """Days of `2w`, `6m` or `10y` in a year of 365 days; raises `InvalidInput` for other text."""
    number, unit = label[:-1], label[-1:]
    if unit not in _UNIT_DAYS or not number.isdigit() or int(number) == 0:
        raise InvalidInput("tenor", where=where, value=label, limit="like 2w, 6m or 10y", remedy="Correct it.")
    return int(number) * _UNIT_DAYS[unit]


def _numbered(names: tuple[str, ...]) -> dict[str, int]:
    return {name.lower(): i for i, name in enumerate(names)}


def _scaling(tenors: tuple[str, ...], days: float) -> FloatArray:
    return frozen([0.5 * min(1.0, days / tenor_days(t, where="tenors")) for t in tenors])


def _sigma(weight: FloatArray, days: float) -> FloatArray:
    return frozen(weight * (math.sqrt(YEAR_DAYS / days) / QUANTILE_99))


def _usd(values: dict[str, float], names: tuple[str, ...], million: float) -> FloatArray:
    return frozen([million * values[name] for name in names])


def _rates(r: Rates, horizon: str, days: float, million: float) -> RatesTables:
    w = r.weights[horizon]
    return RatesTables(
        stated=r,
        tenors=_numbered(r.tenors),
        sub_curves=_numbered(r.sub_curves),
        weight=frozen([w.delta[group] for group in r.volatility.names]),
        inflation_weight=w.inflation,
        basis_weight=w.basis,
        vega_weight=w.vega,
        curvature_factor=w.historical_ratio**-2,
        correlation=frozen(r.tenor_correlation),
        delta_threshold=_usd(r.delta_threshold, r.concentration.names, million),
        vega_threshold=_usd(r.vega_threshold, r.concentration.names, million),
        scaling=_scaling(r.tenors, days),
    )


def _buckets(b: Buckets, horizon: str, days: float, million: float, *, weighted: bool) -> BucketTables:
    w, names = b.weights[horizon], b.all
    delta = frozen([w.delta[name] for name in names])
    between = np.zeros((len(names), len(names)))
    size = len(b.order)
    between[:size, :size] = np.asarray(b.between).reshape(size, size) - np.eye(size)
    return BucketTables(
        buckets=_numbered(names),
        tenors=_numbered(b.tenors),
        has_residual=RESIDUAL in names,
        delta_weight=delta,
        vega_weight=frozen([w.vega[name] for name in names]),
        vega_ratio=w.historical_ratio,
        sigma=frozen(np.ones(len(names))) if weighted else _sigma(delta, days),
        same=frozen([b.same.get(name, 1.0) for name in names]),
        different=frozen([b.different[name] for name in names]),
        between=frozen(between),
        delta_threshold=_usd(b.delta_threshold, names, million),
        vega_threshold=_usd(b.vega_threshold, names, million),
        curved=frozen([name not in b.without_curvature for name in names], np.bool_),
        scaling=_scaling(b.tenors, days),
        base_weight=w.base_correlation,
        base_correlation=b.base_correlation,
    )


def _fx(f: Fx, horizon: str, days: float, million: float, currency: str, *, where: str) -> FxTables:
    w = f.weights[horizon]
    group = f.volatility.of(currency, where=f"{where}: calculation currency")
    weight = frozen(w.delta)
    return FxTables(
        stated=f,
        currency=currency,
        currency_group=group,
        tenors=_numbered(f.tenors),
        weight=weight,
        sigma=_sigma(weight, days),
        vega_weight=w.vega,
        vega_ratio=w.historical_ratio,
        correlation=frozen(f.correlation[f.volatility.names[group]]),
        vega_correlation=f.vega_correlation,
        delta_threshold=_usd(f.delta_threshold, f.concentration.names, million),
        vega_threshold=frozen(million * np.asarray(f.vega_threshold)),
        scaling=_scaling(f.tenors, days),
    )
