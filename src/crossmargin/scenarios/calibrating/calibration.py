"""A fitted model of factors as it is stored, and the scenarios that it means.

Each scenario is one date of the past (or one draw), all factors together, so that what moved together stays together:

    move = residual · scale,   scale = max(floor · long run, regime, (1 − w) · now + w · stressed)

A residual is the move of that date over the volatility that was forecast for it (1 for plain history), or a draw from
the copula and the marginals that were fitted to all of them; `now` is the volatility forecast for the next bar. With
w > 0 and a floor the forecast is held against procyclicality, in the sense of EMIR RTS 153/2013, article 28(b) and (c),
factor by factor. Source of the filter: Hull and White (1998), Journal of Risk 1, 5–19; Barone-Adesi, Giannopoulos and
Vosper (1999), Journal of Futures Markets 19, 583–602.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.core.instant import YEAR_NS, format_instants
from crossmargin.scenarios.liquidity import LiquidityRule

Method: TypeAlias = Literal["historical", "filtered", "monte_carlo"]
Filter: TypeAlias = Literal["none", "ewma", "garch", "gjr"]
HorizonRule: TypeAlias = Literal["overlapping", "bootstrap", "square_root"]
Marginals: TypeAlias = Literal["empirical", "spliced"]
Copula: TypeAlias = Literal["gaussian", "t", "grouped_t", "vine"]
Correlation: TypeAlias = Literal["rank", "ledoit_wolf", "ewma", "dcc"]
Threshold: TypeAlias = Literal["share", "distance"]

DRAWS_MIN: Final = 100


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

    ewma: h' = decay·h + (1 − decay)·e²; garch, gjr: h' = omega + (alpha + gamma·1{e < 0})·e² + beta·h, e the move less
    `mean`. `degrees` of freedom and `skew` of the innovations, 0 for none fitted. `reason` says why the persistence was
    held, or why EWMA took the place of what was asked for; it is empty for a free fit.
    """

    kind: Filter
    decay: float = 0.0
    mean: float = 0.0
    omega: float = 0.0
    alpha: float = 0.0
    gamma: float = 0.0
    beta: float = 0.0
    degrees: float = 0.0
    skew: float = 0.0
    standard_errors: dict[str, float] = {}
    log_likelihood: float = 0.0
    reason: str = ""


class TailRule(_Part, frozen=True, kw_only=True):
    """Where a tail begins: at the outer `share` of the residuals, or where the fit lies nearest to them (distance)."""

    threshold: Threshold = "share"
    share: float = 0.10

    def __post_init__(self) -> None:
        """Check the share."""
        check.within(self.share, "share of a tail", 0.01, 0.25, where="tails")


class TailFit(_Part, frozen=True, kw_only=True):
    """A generalised Pareto tail of residuals beyond `threshold`, which `share` of them pass: ξ is `shape`, β `scale`.

    The threshold is a size on its side: of −residuals for falls. `rule` says how it was chosen. Errors are None where ξ
    stands at its limit.
    """

    threshold: float
    share: float
    shape: float
    scale: float
    shape_error: float | None = None
    scale_error: float | None = None
    rule: Threshold = "share"


class Scale(_Part, frozen=True, kw_only=True):
    """How far a forecast volatility may fall: the weight of the stressed one, the floor as a part of the long run."""

    stressed_weight: float = 0.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        """Check both."""
        check.within(self.stressed_weight, "stressed weight", 0.0, 1.0, where="scale")
        check.within(self.floor, "floor", 0.0, 10.0, where="scale")


class FactorModel(_Part, frozen=True, kw_only=True):
    """One factor: volatilities of a bar, and what its residuals were made of.

    `now` is forecast for the next bar, `long_run` over the whole history, `stressed` over its stressed period, and
    `regime` is the floor that the state of the market sets (0 for none).
    `observations` are the factor's own moves; `proxied` of the rows were filled from `proxy` at `proxy_beta`, with a
    resampled own part. `lower` and `upper` are the tails of its residuals; None where it never moved or none were
    fitted. `stress` is the state of its market, 0 calm to 1 full stress. `scale` is that of its kind, None where it is
    that of all.
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
    stress: float = 0.0
    scale: Scale | None = None


def held_volatilities(
    scales: Iterable[Scale], now: FloatArray, stressed: FloatArray, long_run: FloatArray, regime: FloatArray
) -> FloatArray:
    """max(floor · long run, regime, (1 − w) · now + w · stressed) [..., factor], floor and w by the scale of each."""
    floor, w = np.asarray([(scale.floor, scale.stressed_weight) for scale in scales], np.float64).reshape(-1, 2).T
    least = np.maximum(floor * long_run, regime)
    return np.asarray(np.maximum(least, (1.0 - w) * now + w * stressed))


class KindRule(_Part, frozen=True, kw_only=True):
    """How the volatility of one kind of factor is taken, where that differs from the rest of a recipe.

    A filter believes that large moves are followed by large ones. What jumps and returns, a peg or a basis, makes it
    ask for most once the jump is over: with the filter none, moves of the look-back are repeated as they were, in one
    volatility for all of it. `scale` says how far that may fall, and what it is blended with; None as the rest.
    """

    filter: Literal["none", "ewma"] = "none"
    scale: Scale | None = None


class CopulaRule(_Part, frozen=True, kw_only=True):
    """Which copula is fitted, and how its correlation is estimated.

    rank: of Kendall's τ; the others of normal scores: ledoit_wolf shrunk to the identity, ewma weighed by `decay`, dcc
    the one that is forecast for the next bar. A vine has none; `trees` cuts it off, all trees without one.
    """

    copula: Copula = "t"
    correlation: Correlation = "rank"
    decay: float = 0.97
    trees: int | None = None

    def __post_init__(self) -> None:
        """Check both numbers."""
        check.within(self.decay, "decay of correlations", 0.5, 0.9999, where="dependence")
        if self.trees is not None:
            check.within(self.trees, "trees of the vine", 1, 1_000, where="dependence")


class Dependence(_Part, frozen=True, kw_only=True):
    """A fitted copula of the `factors` that moved.

    `correlation` [factor, factor] by `method`; `group` of each factor and `degrees` of freedom of each group (one for
    t, none for Gaussian and vine) with errors (None at a limit); `vine` is the model as `pyvinecopulib` writes it. The
    estimated correlation was shrunk by `shrinkage` and changed by up to `repair_max` an entry to be positive
    semi-definite: its least eigenvalue was `eigenvalue_min`. `log_likelihood` is of each group.
    """

    copula: Copula
    factors: tuple[str, ...]
    correlation: Matrix
    method: Correlation = "rank"
    degrees: tuple[float, ...] = ()
    degrees_error: tuple[float | None, ...] = ()
    group: tuple[int, ...] = ()
    vine: str = ""
    shrinkage: float = 0.0
    repair_max: float = 0.0
    eigenvalue_min: float = 0.0
    log_likelihood: tuple[float, ...] = ()


class Stretch(_Part, frozen=True, kw_only=True):
    """The worst stretch of the history as it was: `moves` [bar, factor] of the bars that closed at `close_ms`.

    Its columns together weigh `weight` of all.
    """

    close_ms: tuple[int, ...]
    moves: Matrix
    weight: float


class CorrelationStress(_Part, frozen=True, kw_only=True):
    """Residuals once more with correlations stressed block by block: up to +1, and down to −1 between two sides.

    `stress` is how far, `weight` what both families together weigh of all columns. Each of `blocks` is a group of
    factors; without any, factors of one kind are one. The two sides of a block are those into which it falls apart most
    easily: the signs of the direction of greatest variance that leaves their sum alone.
    """

    stress: float = 0.5
    weight: float = 0.25
    blocks: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        """Check both numbers."""
        check.within(self.stress, "stress of correlations", 0.0, 1.0, where="correlation stress")
        check.within(self.weight, "weight of stressed correlations", 1e-6, 0.9, where="correlation stress")


class Calibration(_Part, frozen=True, kw_only=True):
    """A fitted model of factors; `residuals` [row, factor] without gaps, `close_ms` when each row's bar closed.

    `stretch` are columns of the worst time beside those of the method. `implied_weight` is what the volatility that
    options imply weighs in `now`, once a market is known. `liquidity` says what stress does to spreads and volumes.
    `spec_hash` is that of the specification it was fitted by, "" in files written before it was told.
    """

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
    stretch: Stretch | None = None
    correlation_stress: CorrelationStress | None = None
    implied_weight: float = 0.0
    liquidity: LiquidityRule | None = None
    spec_hash: str = ""

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
        check.within(self.implied_weight, "weight of implied volatility", 0.0, 1.0, where="calibration")
        check_columns(self.method, self.horizon_bars, self.horizon_rule, self.draws)
        base_share(self.stretch.weight if self.stretch else 0.0, self.correlation_stress)
        self._check_law()

    def _check_law(self) -> None:
        moves = np.asarray(np.ptp(self.residuals.array, axis=0) > 0.0)
        named = self.dependence.factors if self.dependence else ()
        for fit, moved in zip(self.factors, moves, strict=True):
            tails = sum(tail is not None for tail in (fit.lower, fit.upper))
            wanted = 2 if moved and self.marginals == "spliced" else 0
            remedy = "Calibrate again: spliced marginals have two tails for all that moves, empirical ones none."
            if tails != wanted:
                raise InvalidInput(
                    "tails", where=f"calibration of {fit.factor}", value=tails, limit=str(wanted), remedy=remedy
                )
            if moved and self.method == "monte_carlo" and fit.factor not in named:
                remedy = "Calibrate again: every factor that moves has one."
                raise MissingFactors([fit.factor], where="copula", remedy=remedy)

    @property
    def names(self) -> tuple[str, ...]:
        """The factors it moves."""
        return tuple(fit.factor for fit in self.factors)

    @property
    def horizon_days(self) -> float:
        """Days over which a scenario moves."""
        return self.bar_days * self.horizon_bars

    @property
    def overlap(self) -> int:
        """How many windows of the past share each bar: 1 for draws, and for single bars scaled to the horizon."""
        return self.horizon_bars if self.horizon_rule == "overlapping" and self.method != "monte_carlo" else 1

    @property
    def bars_a_year(self) -> float:
        """How many bars close in a year, weekends and holidays as they were."""
        span_ns = (self.close_ms[-1] - self.close_ms[0]) * 1_000_000
        return (len(self.close_ms) - 1) * YEAR_NS / span_ns

    def scales(self) -> FloatArray:
        """The volatility of a bar that scenarios use [factor]."""
        names = ("now", "stressed", "long_run", "regime")
        scales = [fit.scale or self.scale for fit in self.factors]
        return held_volatilities(scales, *(np.asarray([getattr(fit, name) for fit in self.factors]) for name in names))

    def correlation(self) -> FloatArray:
        """Pearson correlations of the residuals [factor, factor]; one that never moved has none with any other."""
        centred = self.residuals.array - self.residuals.array.mean(axis=0)
        size = np.linalg.norm(centred, axis=0)
        unit = centred / np.where(size > 0.0, size, 1.0)
        found = unit.T @ unit
        np.fill_diagonal(found, 1.0)
        return frozen(found)

    def labels(self) -> tuple[str, ...]:
        """The close of each row."""
        return format_instants(1_000_000 * np.asarray(self.close_ms, np.int64))


def require_factors(moved: Iterable[str], needed: Iterable[str]) -> None:
    """Raise `MissingFactors`, naming all that are needed and that no fitted factor moves."""
    missing = sorted(set(needed) - set(moved))
    if missing:
        raise MissingFactors(
            missing,
            where="calibration",
            remedy="Calibrate with a history of them, or take the positions that need them out of the book.",
        )


def check_columns(method: Method, bars: int, rule: HorizonRule, draws: int) -> None:
    """Raise `InvalidInput` where a method cannot make columns of a horizon by its rule."""
    drawn = method == "monte_carlo"
    if drawn or rule == "bootstrap":
        check.within(draws, "draws", DRAWS_MIN, 1_000_000, where="calibration")
    if drawn and bars > 1 and rule == "overlapping":
        raise InvalidInput(
            "horizon rule",
            where="calibration",
            value=rule,
            limit="square_root or bootstrap for draws, which do not follow each other in time",
            remedy='Set horizon_rule = "bootstrap".',
        )


def base_share(stretch_weight: float, stress: CorrelationStress | None) -> float:
    """What the columns of the method weigh of all; raises `InvalidInput` where the others leave nothing."""
    left = 1.0 - stretch_weight - (stress.weight if stress else 0.0)
    return check.within(left, "weight left to the columns of the method", 0.05, 1.0, where="calibration")
