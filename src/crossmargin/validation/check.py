"""Checks of series where they enter a statistic."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, require_finite
from crossmargin.core.check import finite
from crossmargin.core.errors import InvalidInput

SIMULATIONS_MAX = 1_000_000


def rate(value: float, what: str = "exception rate", *, where: str) -> float:
    """`value`, if it lies strictly between 0 and 1; 0.01 for a confidence of 99 %."""
    if not 0.0 < finite(value, what, where=where) < 1.0:
        raise InvalidInput(
            what, where=where, value=value, limit="strictly between 0 and 1", remedy="Give 0.01 for 99 % confidence."
        )
    return float(value)


def series(values: ArrayLike, what: str, *, where: str, like: NDArray[Any] | None = None) -> FloatArray:
    """Finite numbers [..., date] of at least one date, of the shape of `like`."""
    array = np.asarray(values, np.float64)
    _has_dates(array, what, where)
    if like is not None and array.shape != like.shape:
        raise InvalidInput(
            f"shape of {what}",
            where=where,
            value=array.shape,
            limit=f"that of the other series, {like.shape}",
            remedy="Give one value for every series and date, dates last.",
        )
    require_finite(array, what, where=where)
    return array


def above_zero(values: ArrayLike, what: str, *, where: str, like: NDArray[Any] | None = None) -> FloatArray:
    """As `series`, and every number above zero."""
    array = series(values, what, where=where, like=like)
    bad = np.argwhere(array <= 0.0)
    if len(bad):
        at = tuple(int(i) for i in bad[0])
        raise InvalidInput(
            what,
            where=f"{where} at {list(at)}",
            value=float(array[at]),
            limit="above zero",
            remedy="State losses, margins and volatilities as positive numbers.",
        )
    return array


def exceptions(values: ArrayLike, *, where: str, dates_min: int = 1) -> BoolArray:
    """Marks of exceptions [..., date], true or false (or 0 and 1)."""
    array = np.asarray(values)
    _has_dates(array, "exceptions", where, dates_min)
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise InvalidInput(
            "exceptions",
            where=where,
            value=f"{array.dtype} with values other than 0 and 1",
            limit="true or false",
            remedy="Mark a date as exception where pnl + margin < 0.",
        )
    return array.astype(np.bool_)


def counts(observations: ArrayLike, exceptional: ArrayLike, *, where: str) -> tuple[IntArray, IntArray]:
    """Observations N ≥ 1 and exceptions 0 ≤ x ≤ N, whole numbers of one shape [...]."""
    n, x = np.asarray(observations), np.asarray(exceptional)
    for what, array in (("observations", n), ("exceptions", x)):
        if not np.isfinite(array).all() or (array != np.floor(array)).any():
            raise InvalidInput(
                what, where=where, value=array.tolist(), limit="a whole number", remedy="Count dates and exceptions."
            )
    n, x = np.broadcast_arrays(n.astype(np.int64), x.astype(np.int64))
    if (n < 1).any():
        raise InvalidInput(
            "observations", where=where, value=int(n.min()), limit="at least 1", remedy="Test a series that has dates."
        )
    if ((x < 0) | (x > n)).any():
        raise InvalidInput(
            "exceptions", where=where, value=x.tolist(), limit="between 0 and the observations", remedy="Count again."
        )
    return n, x


def simulations(value: int, *, where: str) -> int:
    """A number of simulations or resamples, at least 100."""
    if not 100 <= value <= SIMULATIONS_MAX:
        raise InvalidInput(
            "simulations",
            where=where,
            value=value,
            limit=f"between 100 and {SIMULATIONS_MAX}",
            remedy="A p-value from B simulations is a multiple of 1/(B + 1).",
        )
    return value


def _has_dates(array: NDArray[Any], what: str, where: str, dates_min: int = 1) -> None:
    if array.ndim == 0 or array.shape[-1] < dates_min:
        raise InvalidInput(
            f"dates of {what}",
            where=where,
            value=0 if array.ndim == 0 else array.shape[-1],
            limit=f"at least {dates_min}",
            remedy="Give arrays whose last axis is the date.",
        )
