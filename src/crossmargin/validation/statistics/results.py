"""What a test of a margin model answers: arrays over many series, and one frozen value for each.

Axes: any number of leading axes (portfolio, model, side …), dates last. P&L is positive for a gain; margin, value at
risk and expected shortfall are positive losses. An exception is a date on which the loss exceeds the margin that was
set before the move.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec
import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray

Side: TypeAlias = Literal["neither", "understated", "overstated"]
Flag: TypeAlias = Literal[
    "",
    "no_exceptions",
    "all_exceptions",
    "no_pairs",
    "few_exceptions",
    "collinear",
    "clipped",
    "identical",
    "overlapping",
]
Row: TypeAlias = tuple[int, ...]

# Codes in arrays. Positive: the model says too little risk, so there are too many exceptions or too large losses.
SIDES: Final[dict[int, Side]] = {-1: "overstated", 0: "neither", 1: "understated"}
FLAGS: Final[tuple[Flag, ...]] = get_args(Flag)
UNDEFINED: Final = math.nan


class Conventions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the series rest on and their numbers do not say; stated in every result.

    `quantile_rule` names follow NumPy; `inverted_cdf` is the ⌈n·q⌉-th smallest. `shortfall_rule`: the mean of the
    ⌈n·q⌉ smallest, or the exact weighted tail of Acerbi and Tasche. `margin`: the requirement, or what was posted.
    """

    quantile_rule: Literal["inverted_cdf", "linear", "weibull", "median_unbiased"] = "inverted_cdf"
    shortfall_rule: Literal["tail_mean", "weighted_tail"] = "tail_mean"
    horizon_rule: Literal["non_overlapping", "overlapping", "square_root", "filtered_paths"] = "non_overlapping"
    horizon_days: float = 1.0
    return_type: Literal["log", "simple"] = "log"
    vol_target: Literal["current", "floored", "mid"] = "current"
    margin: Literal["requirement", "posted"] = "requirement"
    portfolio: Literal["static", "realised"] = "static"


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """One test of one series. `rule` is the test's own convention; a figure that is not defined is None.

    `flag` says why a figure is to be read with care: with no exceptions or no pair of them the statistic stands by
    0·ln 0 = 0; after `clipped` some probabilities were moved off 0 or 1; after `overlapping` the distribution named
    does not hold, as the horizons of neighbouring dates share their moves.
    """

    __test__ = False  # pytest: it is no test case

    test: str
    statistic: float | None
    p_value: float | None
    distribution: Literal["chi2", "binomial", "normal", "student", "simulated"]
    degrees_of_freedom: int
    critical_value: float | None
    side: Side
    flag: Flag
    rule: str
    conventions: Conventions


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """One test of many series: every array has their shape [...], of no axes for a single series.

    `side` and `flag` are codes (`SIDES`, `FLAGS`); `critical` is the statistic's value at the significance a simulation
    was asked for, NaN where no simulation was made."""

    test: str
    distribution: Literal["chi2", "binomial", "normal", "student", "simulated"]
    rule: str
    statistic: FloatArray
    p_value: FloatArray
    degrees_of_freedom: IntArray
    side: IntArray
    flag: IntArray
    critical: FloatArray = field(default_factory=lambda: np.asarray(UNDEFINED))

    def rejects(self, significance: float = 0.05) -> BoolArray:
        """Whether the p-value lies below `significance` [...]; False where it is not defined."""
        return np.asarray(self.p_value < significance, np.bool_)

    def at(self, row: Row, conventions: Conventions) -> TestResult:
        """The result of the series at `row`, `()` for a single one."""
        flag = FLAGS[int(self.flag[row])]
        return TestResult(
            test=self.test,
            statistic=_defined(self.statistic[row]),
            p_value=_defined(self.p_value[row]),
            distribution=self.distribution,
            degrees_of_freedom=int(self.degrees_of_freedom[row]),
            critical_value=_defined(np.broadcast_to(self.critical, self.statistic.shape)[row]),
            side=SIDES[int(self.side[row])],
            flag=flag or ("overlapping" if conventions.horizon_rule == "overlapping" else ""),
            rule=self.rule,
            conventions=conventions,
        )


def flags(shape: tuple[int, ...], *causes: tuple[Flag, Any]) -> IntArray:
    """Codes [...] of the first of the causes (a flag, and where it holds [...]) that holds for each series."""
    code = np.zeros(shape, np.int64)
    for name, holds in reversed(causes):
        code = np.where(holds, FLAGS.index(name), code)
    return code


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
