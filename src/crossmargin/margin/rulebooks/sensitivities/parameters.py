"""The parameters of the sensitivity-based rule, as a user states them: none ship with the package.

All weights are in the units of the sensitivities: per basis point for rates and credit, per percent for equity,
commodity and FX, per unit of volatility-weighted vega. Thresholds are in millions of USD. Whatever depends on the
margin period stands in a table by its days ("10", "1").
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import Final, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import DuplicateName, InvalidInput
from crossmargin.margin.rulebooks.sensitivities.currencies import CURRENCIES

RESIDUAL: Final = "Residual"
OTHER: Final = "Other"
RISK_CLASSES: Final = ("rates", "credit_qualifying", "credit_non_qualifying", "equity", "commodity", "fx")
# Calibrations appear every half year or year; a set that does not say when it ends is not used for longer than this.
LIFE_DAYS: Final = 371

Matrix: TypeAlias = tuple[tuple[float, ...], ...]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts of a parameter set."""


class CurrencyGroups(_Part, frozen=True, kw_only=True):
    """Which currencies stand in which group; `Other` in a group's list stands for every currency not named."""

    groups: dict[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The groups in their order."""
        return tuple(self.groups)

    def of(self, currency: str, *, where: str) -> int:
        """The place of a currency's group; raises `UnknownName` for what is no currency, or is in no group."""
        listed = {name: place for place, names in enumerate(self.groups.values()) for name in names}
        if currency in listed and currency != OTHER:
            return listed[currency]
        check.known(
            currency,
            CURRENCIES,
            "currency",
            where=where,
            remedy="Write its ISO 4217 code; map a coin to a risk factor of the rule.",
        )
        check.known(OTHER, listed, f"group of the currency {currency}", where=where, remedy="Put it into a group.")
        return listed[OTHER]


class RatesWeights(_Part, frozen=True, kw_only=True):
    """`delta` [group, tenor] per basis point; `historical_ratio` divides curvature (as its square)."""

    delta: dict[str, tuple[float, ...]]
    inflation: float
    basis: float
    vega: float
    historical_ratio: float


class Rates(_Part, frozen=True, kw_only=True):
    """Interest rates with inflation and cross-currency basis.

    `tenor_correlation` [tenor, tenor]; `currency_correlation` between any two currencies. `volatility` groups choose
    the weights, `concentration` groups the thresholds.
    """

    tenors: tuple[str, ...]
    sub_curves: tuple[str, ...]
    volatility: CurrencyGroups
    weights: dict[str, RatesWeights]
    tenor_correlation: Matrix
    sub_curve_correlation: float
    inflation_correlation: float
    basis_correlation: float
    currency_correlation: float
    concentration: CurrencyGroups
    delta_threshold: dict[str, float]
    vega_threshold: dict[str, float]


class BucketWeights(_Part, frozen=True, kw_only=True):
    """`delta` and `vega` by bucket; `historical_ratio` scales vega (1 where vegas arrive volatility-weighted)."""

    delta: dict[str, float]
    vega: dict[str, float]
    historical_ratio: float = 1.0
    base_correlation: float | None = None


class Buckets(_Part, frozen=True, kw_only=True):
    """A risk class in buckets: credit, equity or commodity.

    `different` is the correlation of two names inside a bucket, `same` that of two tenors or currencies of one name
    (of one group of names for securitisations; equity and commodity have no such). `between` [bucket, bucket] is that
    of the buckets in `order`. A bucket named Residual, if there is one, is in the tables by bucket but not in `order`.
    `without_curvature` names buckets whose curvature is zero.
    """

    order: tuple[str, ...]
    weights: dict[str, BucketWeights]
    different: dict[str, float]
    between: Matrix
    delta_threshold: dict[str, float]
    vega_threshold: dict[str, float]
    tenors: tuple[str, ...]
    same: dict[str, float] = {}
    base_correlation: float | None = None
    without_curvature: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """The buckets, with Residual last where there is one."""
        return (*self.order, RESIDUAL) if RESIDUAL in self.different else self.order


class FxWeights(_Part, frozen=True, kw_only=True):
    """`delta` [group, group]: of a currency against the calculation currency, or of a pair for its volatility."""

    delta: Matrix
    vega: float
    historical_ratio: float


class Fx(_Part, frozen=True, kw_only=True):
    """Foreign exchange. `correlation` by group of the calculation currency [group, group]."""

    tenors: tuple[str, ...]
    volatility: CurrencyGroups
    weights: dict[str, FxWeights]
    correlation: dict[str, Matrix]
    vega_correlation: float
    concentration: CurrencyGroups
    delta_threshold: dict[str, float]
    vega_threshold: Matrix


class SensitivityParameters(_Part, frozen=True, kw_only=True):
    """One calibration. `effective` and `until` are its first and last day (ISO 8601); without `until` it is refused
    `LIFE_DAYS` after `effective`. Concentration counts at the margin periods in `concentrated` alone: the thresholds
    are of ten days, and the method has none of one day. `risk_class_correlation` [class, class] in the order of
    `RISK_CLASSES`.
    """

    name: str
    source: str
    effective: str
    until: str = ""
    rates: Rates
    credit_qualifying: Buckets
    credit_non_qualifying: Buckets
    equity: Buckets
    commodity: Buckets
    fx: Fx
    risk_class_correlation: Matrix
    concentrated: tuple[str, ...] = ("10",)

    def __post_init__(self) -> None:
        check_parameters(self)

    @property
    def horizons(self) -> tuple[str, ...]:
        """The margin periods, in days, for which it holds weights."""
        return tuple(self.rates.weights)

    @property
    def last_day(self) -> dt.date:
        """The last day on which it applies."""
        first = _day(self.effective, "effective", self.name)
        return _day(self.until, "until", self.name) if self.until else first + dt.timedelta(days=LIFE_DAYS)


def parameters_at(sets: Iterable[SensitivityParameters], day: dt.date) -> SensitivityParameters:
    """The set in force on a day: the latest that is not after it.

    Raises `InvalidInput` before the first and after the last day of the latest, `DuplicateName` where two begin on
    one day.
    """
    ordered = sorted(sets, key=lambda s: s.effective)
    for first, second in pairwise(ordered):
        if first.effective == second.effective:
            raise DuplicateName("day of two parameter sets", where=second.name, value=second.effective)
    known = [s for s in ordered if _day(s.effective, "effective", s.name) <= day]
    if not known or day > known[-1].last_day:
        spans = ", ".join(f"{s.name} {s.effective} to {s.last_day.isoformat()}" for s in ordered) or "none"
        raise InvalidInput(
            "valuation date",
            where="sensitivity parameters",
            value=day.isoformat(),
            limit=f"within the dates of a parameter set ({spans})",
            remedy="Load the set that was in force on that day.",
        )
    return known[-1]


def check_parameters(p: SensitivityParameters) -> None:
    """Raise `InvalidInput` for a number out of range or a table of the wrong shape, with its place."""
    if p.last_day < _day(p.effective, "effective", p.name):
        raise InvalidInput(
            "until", where=p.name, value=p.until, limit=f"on or after {p.effective}", remedy="Swap them."
        )
    _check_rates(p.rates, f"{p.name}: rates", p.horizons)
    for name in RISK_CLASSES[1:5]:
        _check_buckets(getattr(p, name), f"{p.name}: {name}", p.horizons)
    _check_fx(p.fx, f"{p.name}: fx", p.horizons)
    _correlations(p.risk_class_correlation, len(RISK_CLASSES), f"{p.name}: risk_class_correlation")


def _day(text: str, what: str, where: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            what, where=where, value=text, limit="a date like 2026-03-31", remedy="Write it in ISO 8601."
        ) from None


def _keys(found: Collection[str], wanted: Collection[str], what: str, where: str) -> None:
    if set(found) != set(wanted):
        raise InvalidInput(
            what, where=where, value=", ".join(found), limit=f"one each for {', '.join(wanted)}", remedy="Complete it."
        )


def _scales(values: Mapping[str, float], wanted: Collection[str], what: str, where: str, *, low: float = 0.0) -> None:
    _keys(values, wanted, what, where)
    for name, value in values.items():
        check.within(value, f"{what} of {name}", low, 1e12, where=where)


def _correlations(matrix: Matrix, size: int, where: str, *, unit: bool = True) -> None:
    """Symmetric, within [−1, 1] and, if `unit`, with ones on the diagonal."""
    _square(matrix, size, where)
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            check.within(value, f"correlation [{i}][{j}]", -1.0, 1.0, where=where)
            if value != matrix[j][i] or (unit and i == j and value != 1.0):
                raise InvalidInput(
                    f"correlation [{i}][{j}]",
                    where=where,
                    value=value,
                    limit="that of [j][i], and 1 on the diagonal" if unit else "that of [j][i]",
                    remedy="Make the matrix symmetric.",
                )


def _square(matrix: Matrix, size: int, where: str) -> None:
    shape = (len(matrix), *sorted({len(row) for row in matrix}))
    if shape != (size, size):
        raise InvalidInput(
            "shape", where=where, value=shape, limit=f"{size} rows of {size} numbers", remedy="Complete the matrix."
        )


def _thresholds(values: Mapping[str, float], wanted: Collection[str], what: str, where: str) -> None:
    _scales(values, wanted, what, where, low=1e-9)  # zero would make every position infinitely concentrated


def _check_rates(r: Rates, where: str, horizons: Collection[str]) -> None:
    _keys(r.weights, horizons, "weights by horizon", where)
    _correlations(r.tenor_correlation, len(r.tenors), f"{where}: tenor_correlation")
    names = ("sub_curve", "inflation", "basis", "currency")
    for value, name in zip(
        (r.sub_curve_correlation, r.inflation_correlation, r.basis_correlation, r.currency_correlation),
        names,
        strict=True,
    ):
        check.within(value, f"{name}_correlation", -1.0, 1.0, where=where)
    for horizon, w in r.weights.items():
        place = f"{where}: weights of {horizon} days"
        _keys(w.delta, r.volatility.names, "delta weights by group", place)
        for group, weights in w.delta.items():
            _scales(dict(zip(r.tenors, weights, strict=False)), r.tenors, f"delta weight of group {group}", place)
        scalars = {"inflation": w.inflation, "basis": w.basis, "vega": w.vega}
        _scales(scalars, scalars, "weight", place)
        check.within(w.historical_ratio, "historical_ratio", 1e-6, 1e6, where=place)
    _thresholds(r.delta_threshold, r.concentration.names, "delta_threshold", where)
    _thresholds(r.vega_threshold, r.concentration.names, "vega_threshold", where)


def _check_buckets(b: Buckets, where: str, horizons: Collection[str]) -> None:
    check.unique(b.order, "bucket", where=f"{where}: order")
    if RESIDUAL in b.order:
        raise InvalidInput(
            "order",
            where=where,
            value=RESIDUAL,
            limit="buckets other than Residual, which nets with none",
            remedy="Leave it out here, and give it weights, correlations and thresholds.",
        )
    _keys(b.weights, horizons, "weights by horizon", where)
    _correlations(b.between, len(b.order), f"{where}: between")
    for what, values in (("same", b.same), ("different", b.different)):
        if values or what == "different":
            _keys(values, b.all, what, where)
        for bucket, value in values.items():
            check.within(value, f"{what} of {bucket}", -1.0, 1.0, where=where)
    for horizon, w in b.weights.items():
        place = f"{where}: weights of {horizon} days"
        _scales(w.delta, b.all, "delta weight", place)
        _scales(w.vega, b.all, "vega weight", place)
        check.within(w.historical_ratio, "historical_ratio", 1e-6, 1e6, where=place)
        if w.base_correlation is not None:
            check.within(w.base_correlation, "base_correlation", 0.0, 1e12, where=place)
    if b.base_correlation is not None:
        check.within(b.base_correlation, "base_correlation", -1.0, 1.0, where=where)
    for bucket in b.without_curvature:
        check.known(bucket, b.all, "bucket", where=f"{where}: without_curvature")
    _thresholds(b.delta_threshold, b.all, "delta_threshold", where)
    _thresholds(b.vega_threshold, b.all, "vega_threshold", where)


def _check_fx(f: Fx, where: str, horizons: Collection[str]) -> None:
    _keys(f.weights, horizons, "weights by horizon", where)
    groups = f.volatility.names
    for horizon, w in f.weights.items():
        place = f"{where}: weights of {horizon} days"
        _square(w.delta, len(groups), f"{place}: delta")
        for i, row in enumerate(w.delta):
            for j, value in enumerate(row):
                check.within(value, f"delta [{i}][{j}]", 0.0, 1e12, where=place)
        check.within(w.vega, "vega", 0.0, 1e12, where=place)
        check.within(w.historical_ratio, "historical_ratio", 1e-6, 1e6, where=place)
    _keys(f.correlation, groups, "correlation by group", where)
    for group, matrix in f.correlation.items():
        _correlations(matrix, len(groups), f"{where}: correlation of {group}", unit=False)
    check.within(f.vega_correlation, "vega_correlation", -1.0, 1.0, where=where)
    _thresholds(f.delta_threshold, f.concentration.names, "delta_threshold", where)
    _square(f.vega_threshold, len(f.concentration.names), f"{where}: vega_threshold")
    for i, row in enumerate(f.vega_threshold):
        for j, value in enumerate(row):
            check.within(value, f"vega_threshold [{i}][{j}]", 1e-9, 1e12, where=where)
