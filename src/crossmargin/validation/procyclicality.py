"""How margin moves with the market, what that costs, and how far losses go beyond it.

Series are [..., date], one portfolio or many, in time order; margin and loss in one currency, losses positive. Each
figure is stated for a static portfolio; overlapping or gross P&L make it another figure.
Source: Murphy, Vasios and Vause (2014), Bank of England Financial Stability Paper 29; Bank of England Staff Working
Papers 597 (2016) and 950 (2021).
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput
from crossmargin.validation import check
from crossmargin.validation.statistics.results import UNDEFINED, Conventions

HORIZONS: Final = (1, 5, 10, 20, 30)


def peak_to_trough(margin: ArrayLike) -> FloatArray:
    """max IM/min IM over the window [...]; at least 1. (Eurex prints this minus 1.)

    Raises `InvalidInput` for NaN or a margin that is not above zero."""
    held = check.above_zero(margin, "margin", where="peak_to_trough")
    return np.asarray(held.max(axis=-1) / held.min(axis=-1))


def largest_increase(margin: ArrayLike, *, dates: int) -> FloatArray:
    """max_t IM_{t+n}/IM_t − 1 over n `dates` [...]; negative where margin fell throughout.

    Raises `InvalidInput` as `peak_to_trough`, and for a window of n dates or fewer."""
    held = check.above_zero(margin, "margin", where="largest_increase")
    _window(held, dates, "largest_increase")
    return np.asarray((held[..., dates:] / held[..., :-dates]).max(axis=-1) - 1.0)


def mean_cost(margin: ArrayLike) -> FloatArray:
    """Mean margin [...]: what it costs to hold. Raises `InvalidInput` for NaN or no dates."""
    return np.asarray(check.series(margin, "margin", where="mean_cost").mean(axis=-1))


def cost(margin: ArrayLike, unmitigated: ArrayLike) -> FloatArray:
    """Mean margin beyond that of the same model without tools against procyclicality [...], in its currency.

    Raises `InvalidInput` for NaN or shapes that differ."""
    held = check.series(margin, "margin", where="cost")
    return np.asarray((held - check.series(unmitigated, "unmitigated margin", where="cost", like=held)).mean(axis=-1))


def shortfall(loss: ArrayLike, margin: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Mean over breaches, and maximum, of loss − margin where it is above zero [...]; both 0 without a breach.

    Raises `InvalidInput` for NaN or shapes that differ."""
    lost = check.series(loss, "loss", where="shortfall")
    beyond = np.maximum(lost - check.series(margin, "margin", where="shortfall", like=lost), 0.0)
    breaches = np.count_nonzero(beyond, axis=-1)
    return np.asarray(beyond.sum(axis=-1) / np.maximum(breaches, 1)), np.asarray(beyond.max(axis=-1))


def loss_to_margin(loss: ArrayLike, margin: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Mean over breaches, and maximum, of loss/margin where loss > margin [...]; NaN without a breach.

    Raises `InvalidInput` for NaN, shapes that differ, or a margin that is not above zero."""
    lost = check.series(loss, "loss", where="loss_to_margin")
    held = check.above_zero(margin, "margin", where="loss_to_margin", like=lost)
    ratio = np.where(lost > held, lost / held, 0.0)
    breaches = np.count_nonzero(ratio, axis=-1)
    some = breaches > 0
    mean = np.where(some, ratio.sum(axis=-1) / np.maximum(breaches, 1), UNDEFINED)
    return np.asarray(mean), np.where(some, ratio.max(axis=-1), UNDEFINED)


def responsiveness(margin: ArrayLike, volatility: ArrayLike, *, dates: int = 1) -> FloatArray:
    """The elasticity d ln IM/d ln σ [...]: the slope of changes of ln IM over n `dates` on those of ln σ.

    With intercept. 1 for margin that follows volatility in full, 0 for margin that stands still; NaN where volatility
    never moves. CPMI-IOSCO propose a responsiveness metric as item 6.9 of the quantitative disclosures (consultation of
    2026-05-06) without a final formula: this is ours, to be named with its horizon. Raises `InvalidInput` for NaN,
    shapes that differ, figures that are not above zero, or a window with fewer than two changes."""
    held = check.above_zero(margin, "margin", where="responsiveness")
    sigma = check.above_zero(volatility, "volatility", where="responsiveness", like=held)
    _window(held, dates + 1, "responsiveness")
    y, x = (np.log(part[..., dates:] / part[..., :-dates]) for part in (held, sigma))
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = (centred**2).sum(axis=-1)
    moves = spread > 1e-18 * x.shape[-1]
    return np.where(moves, (centred * y).sum(axis=-1) / np.where(moves, spread, 1.0), UNDEFINED)


class Procyclicality(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one portfolio, shown together: none says much alone. None where a figure is not defined."""

    peak_to_trough: float
    largest_increase: dict[int, float]
    mean_margin: float
    cost_mean: float | None
    shortfall_mean: float
    shortfall_max: float
    loss_to_margin_mean: float | None
    loss_to_margin_max: float | None
    coverage: float
    responsiveness: float | None
    responsiveness_dates: int
    observations: int
    conventions: Conventions


def procyclicality(
    margin: ArrayLike,
    pnl: ArrayLike,
    *,
    conventions: Conventions,
    unmitigated: ArrayLike | None = None,
    volatility: ArrayLike | None = None,
    horizons: tuple[int, ...] = HORIZONS,
    responsiveness_dates: int = 1,
) -> Procyclicality:
    """All figures of one portfolio from margin and P&L [date]; horizons that the window does not hold are left out.

    Raises `InvalidInput` for more than one portfolio, and as the figures do."""
    held = check.above_zero(margin, "margin", where="procyclicality")
    if held.ndim != 1:
        raise InvalidInput(
            "margin",
            where="procyclicality",
            value=held.shape,
            limit="one portfolio, [date]",
            remedy="Call it for each portfolio; the single figures take many.",
        )
    loss = -check.series(pnl, "pnl", where="procyclicality", like=held)
    short, ratio = shortfall(loss, held), loss_to_margin(loss, held)
    elastic = None if volatility is None else responsiveness(held, volatility, dates=responsiveness_dates)
    return Procyclicality(
        peak_to_trough=float(peak_to_trough(held)),
        largest_increase={n: float(largest_increase(held, dates=n)) for n in horizons if n < len(held)},
        mean_margin=float(mean_cost(held)),
        cost_mean=None if unmitigated is None else float(cost(held, unmitigated)),
        shortfall_mean=float(short[0]),
        shortfall_max=float(short[1]),
        loss_to_margin_mean=_defined(ratio[0]),
        loss_to_margin_max=_defined(ratio[1]),
        coverage=float(1.0 - (loss > held).mean()),
        responsiveness=_defined(elastic),
        responsiveness_dates=responsiveness_dates,
        observations=len(held),
        conventions=conventions,
    )


def _defined(value: FloatArray | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _window(margin: FloatArray, dates: int, where: str) -> None:
    if not 1 <= dates < margin.shape[-1]:
        raise InvalidInput(
            "dates",
            where=where,
            value=dates,
            limit=f"between 1 and {margin.shape[-1] - 1}, as the window holds {margin.shape[-1]} dates",
            remedy="Take a shorter horizon or a longer window.",
        )
