"""A fitted model of factors as it is stored, and the scenarios that it means.

Each scenario is one date of the past (or one draw), all factors together, so that what moved together stays together:

    move = residual · scale,   scale = max(floor · long run, regime, (1 − w) · now + w · stressed)

A residual is the move of that date over the volatility that was forecast for it (1 for plain history), `now` the
volatility forecast for the next bar. With w > 0 and a floor the forecast is held against procyclicality, in the sense
of EMIR RTS 153/2013, article 28(b) and (c), factor by factor. Source of the filter: Hull and White (1998), Journal of
Risk 1, 5–19; Barone-Adesi, Giannopoulos and Vosper (1999), Journal of Futures Markets 19, 583–602.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.core.instant import format_instant

Method: TypeAlias = Literal["historical", "filtered", "monte_carlo"]
Filter: TypeAlias = Literal["none", "ewma", "garch", "gjr"]
HorizonRule: TypeAlias = Literal["overlapping", "bootstrap", "square_root"]
Marginals: TypeAlias = Literal["empirical", "spliced"]
Copula: TypeAlias = Literal["gaussian", "t", "grouped_t", "vine"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class Matrix(_Part, frozen=True, kw_only=True):
    """A matrix of float64 as it crosses a border: little-endian, row by row (base64 in JSON)."""

    rows: int
    columns: int
    values: bytes

    def __post_init__(self) -> None:
        """Check that the bytes are a matrix of this shape."""
        if self.rows < 0 or self.columns < 0 or len(self.values) != 8 * self.rows * self.columns:
            raise InvalidInput(
                "length of values",
                where="matrix",
                value=len(self.values),
                limit=f"8 × {self.rows} × {self.columns} bytes",
                remedy="The file is cut or altered; calibrate again.",
            )

    @staticmethod
    def of(array: FloatArray) -> Matrix:
        """The matrix of an array [row, column]."""
        rows, columns = array.shape
        return Matrix(rows=rows, columns=columns, values=np.ascontiguousarray(array, "<f8").tobytes())

    @property
    def array(self) -> FloatArray:
        """The values [row, column], read-only."""
        return frozen(np.frombuffer(self.values, "<f8").reshape(self.rows, self.columns))


class FilterFit(_Part, frozen=True, kw_only=True):
    """How the variance of one factor is forecast from its past moves e, and the standard errors of what was fitted.

    ewma: h' = decay·h + (1 − decay)·e²; garch, gjr: h' = omega + (alpha + gamma·1{e < 0})·e² + beta·h. `degrees` of
    freedom of Student-t innovations, 0 for none fitted.
    """

    kind: Filter
    decay: float = 0.0
    omega: float = 0.0
    alpha: float = 0.0
    gamma: float = 0.0
    beta: float = 0.0
    degrees: float = 0.0
    standard_errors: dict[str, float] = {}
    log_likelihood: float = 0.0


class TailFit(_Part, frozen=True, kw_only=True):
    """A generalised Pareto tail of residuals beyond `threshold` (a size, not negative), which `share` of them pass."""

    threshold: float
    share: float
    shape: float
    scale: float
    shape_error: float = 0.0


class FactorModel(_Part, frozen=True, kw_only=True):
    """One factor: volatilities of a bar, and what its residuals were made of.

    `now` is forecast for the next bar, `long_run` over the whole history, `stressed` over its stressed period, and
    `regime` is the floor that the state of the market sets (0 for none).
    `observations` are the factor's own moves; `proxied` of the rows were filled from `proxy` at `proxy_beta`, with a
    resampled own part.
    """

    factor: str
    is_log: bool
    observations: int
    now: float
    long_run: float
    stressed: float
    filter: FilterFit
    regime: float = 0.0
    lower: TailFit | None = None
    upper: TailFit | None = None
    proxy: str = ""
    proxy_beta: float = 0.0
    proxied: int = 0


class Scale(_Part, frozen=True, kw_only=True):
    """How far a forecast volatility may fall: the weight of the stressed one, the floor as a part of the long run."""

    stressed_weight: float = 0.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        """Check both."""
        check.within(self.stressed_weight, "stressed weight", 0.0, 1.0, where="scale")
        check.within(self.floor, "floor", 0.0, 10.0, where="scale")

    def of(self, now: FloatArray, stressed: FloatArray, long_run: FloatArray, regime: FloatArray) -> FloatArray:
        """max(floor · long run, regime, (1 − w) · now + w · stressed), elementwise."""
        w = self.stressed_weight
        least = np.maximum(self.floor * long_run, regime)
        return np.asarray(np.maximum(least, (1.0 - w) * now + w * stressed))


class Dependence(_Part, frozen=True, kw_only=True):
    """A copula: correlation [factor, factor], `degrees` of freedom by group (one for t), `group` of each factor."""

    copula: Copula
    correlation: Matrix
    degrees: tuple[float, ...] = ()
    group: tuple[int, ...] = ()
    vine: str = ""


class Calibration(_Part, frozen=True, kw_only=True):
    """A fitted model of factors; `residuals` [row, factor] without gaps, `close_ms` when each row's bar closed."""

    method: Method
    source: str
    history_hash: str
    bar_days: float
    horizon_bars: int
    horizon_rule: HorizonRule
    close_ms: tuple[int, ...]
    factors: tuple[FactorModel, ...]
    residuals: Matrix
    scale: Scale = Scale()
    marginals: Marginals = "empirical"
    dependence: Dependence | None = None
    draws: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        shape = (self.residuals.rows, self.residuals.columns)
        if shape != (len(self.close_ms), len(self.factors)):
            raise InvalidInput(
                "residuals",
                where="calibration",
                value=f"{shape[0]} × {shape[1]}",
                limit=f"{len(self.close_ms)} dates × {len(self.factors)} factors",
                remedy="Calibrate again.",
            )
        check.positive(self.bar_days, "bar (days)", where="calibration")
        check.within(self.horizon_bars, "horizon (bars)", 1, 10_000, where="calibration")
        for fit in self.factors:
            for name in ("now", "long_run", "stressed", "regime"):
                check.within(getattr(fit, name), f"{name} volatility of {fit.factor}", 0.0, 1e6, where="calibration")

    @property
    def names(self) -> tuple[str, ...]:
        """The factors it moves."""
        return tuple(fit.factor for fit in self.factors)

    @property
    def horizon_days(self) -> float:
        """Days over which a scenario moves."""
        return self.bar_days * self.horizon_bars

    def scales(self) -> FloatArray:
        """The volatility of a bar that scenarios use [factor]."""
        names = ("now", "stressed", "long_run", "regime")
        return self.scale.of(*(np.asarray([getattr(fit, name) for fit in self.factors]) for name in names))

    def labels(self) -> tuple[str, ...]:
        """The close of each row."""
        return tuple(format_instant(ms * 1_000_000) for ms in self.close_ms)


def require_factors(moved: Iterable[str], needed: Iterable[str]) -> None:
    """Raise `MissingFactors`, naming all that are needed and that no fitted factor moves."""
    missing = sorted(set(needed) - set(moved))
    if missing:
        raise MissingFactors(
            missing,
            where="calibration",
            remedy="Calibrate with a history of them, or take the positions that need them out of the book.",
        )
