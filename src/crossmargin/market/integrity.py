"""How far a fitted chain can be trusted: its errors, and every quote that was left out, with the reason."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np
from scipy.special import ndtr

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray
from crossmargin.core.instant import YEAR_DAYS
from crossmargin.market.forwards import ParityViolation, Source
from crossmargin.market.implied import unit_price
from crossmargin.market.quotes import ChainQuotes
from crossmargin.market.smiles import FitSettings, Legs, Points

Reason: TypeAlias = Literal[
    "crossed", "old", "below intrinsic value", "beyond any price", "stale quote", "mark off the smile"
]

# The part of a chain that is judged: outside it vols are of prices of a few ticks.
DELTA_MIN, DELTA_MAX = 0.1, 0.9
TENOR_YEARS_MIN: Final = 1.0 / YEAR_DAYS
# Venues quote in ticks of 1e-4 of the coin; a quote in single precision is off by less than this.
_TICK_ROUNDING: Final = 1e-7
# Five ticks: differences below it are no evidence against a quote.
_EVIDENCE_MIN: Final = 5e-4
_NEIGHBOURHOOD: Final = 5  # A point and two on each side.


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A quote that took no part in the fit: `value` broke `limit`, in the unit that `measure` names."""

    instrument: str
    reason: Reason
    measure: str
    value: float
    limit: float


class OffMark(msgspec.Struct, frozen=True, kw_only=True):
    """A mark that the handed-on surface contradicts by more than two vol points and more than its quotes are apart."""

    instrument: str
    mark_vol: float
    fitted_vol: float


class FitError(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of the fit against marks, in vol points (0.01), and the share of fitted prices inside bid and ask.

    None where no quote is there to be judged.
    """

    marks: int
    median_points: float | None
    p90_points: float | None
    max_points: float | None
    two_sided: int
    inside_share: float | None


class ExpiryReport(msgspec.Struct, frozen=True, kw_only=True):
    """One expiry: its forward and who settled it, its points, its error, and what the absence of arbitrage cost.

    `method` is "ssvi" where fewer points than parameters left the smile to the shape of the others. `blend` says how
    far the smile fitted alone had to move towards SSVI before the joint fit could start (0 to 1), `repair_points` how
    far the joint smile ended from it, at most, in vol points over the judged deltas.
    """

    expiry: str
    tenor_years: float
    forward: float
    forward_source: Source
    pairs: int
    points: int
    method: Literal["svi", "ssvi"]
    error: FitError
    blend: float
    repair_points: float


class IntegrityReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a chain's quotes are worth and how well the surface explains them.

    `total` judges |delta| in 0.1–0.9 beyond one day. `marks_outside_quotes` counts marks that their own bid and ask
    contradict, `off_marks` names those that the surface does; both took part in the fit unless quarantined.
    `butterfly_before` and `calendar_before` count the smiles with arbitrage when each was fitted alone; `density_min`
    and `growth_min` are the least g and the least growth of total variance of the surface that is handed on, both at
    least 0. `dropped` names expiries that no quote speaks of.
    """

    underlying: str
    quotes: int
    total: FitError
    expiries: tuple[ExpiryReport, ...]
    violations: tuple[ParityViolation, ...]
    quarantined: tuple[Quarantined, ...]
    marks_outside_quotes: int
    off_marks: tuple[OffMark, ...]
    dropped: tuple[str, ...]
    butterfly_before: int
    calendar_before: int
    density_min: float
    growth_min: float
    notes: tuple[str, ...]

    def count(self, reason: Reason) -> int:
        """How many quotes were left out for `reason`."""
        return sum(q.reason == reason for q in self.quarantined)


def screen(quotes: ChainQuotes, settings: FitSettings, *, now_ns: int) -> tuple[BoolArray, list[Quarantined]]:
    """Which rows [quote] may be used before anything is fitted, and why the others may not: crossed, or old."""
    crossed = (quotes.bid > quotes.ask) & (quotes.ask > 0.0)
    age_s = (now_ns - quotes.seen_ns) / 1e9
    old = age_s > settings.age_s_max
    left_out = quarantine(quotes, crossed, "crossed", "bid", quotes.bid, quotes.ask)
    left_out += quarantine(quotes, old & ~crossed, "old", "age in seconds", age_s, settings.age_s_max)
    return ~(crossed | old), left_out


def quarantine(
    quotes: ChainQuotes, bad: BoolArray, reason: Reason, measure: str, value: FloatArray, limit: FloatArray | float
) -> list[Quarantined]:
    """An entry for each `bad` row."""
    limits = np.broadcast_to(limit, bad.shape)
    return [
        Quarantined(
            instrument=quotes.instrument[i],
            reason=reason,
            measure=measure,
            value=float(value[i]),
            limit=float(limits[i]),
        )
        for i in np.flatnonzero(bad)
    ]


def impossible(quotes: ChainQuotes, legs: Legs) -> list[Quarantined]:
    """Usable rows that offer an option for less than it would bring at once, by more than five ticks, or bid as much
    as it can ever be worth: the forward for a call, the strike for a put."""
    strike = np.exp(legs.k)
    intrinsic = np.maximum(np.where(legs.is_call, 1.0 - strike, strike - 1.0), 0.0)
    roof = np.where(legs.is_call, 1.0, strike)
    cheap = legs.usable & (legs.ask > 0.0) & (legs.ask < intrinsic - _EVIDENCE_MIN)
    dear = legs.usable & ~cheap & (legs.bid >= roof)
    left_out = quarantine(quotes, cheap, "below intrinsic value", "ask over the forward", legs.ask, intrinsic)
    return left_out + quarantine(quotes, dear, "beyond any price", "bid over the forward", legs.bid, roof)


def vol_of_neighbours(legs: Legs, points: Points, kept: IntArray, residual: FloatArray, vol: FloatArray) -> FloatArray:
    """The vol [quote] that the two strikes on each side of a leg would have it at.

    That is its smile's `vol` [quote] and the median of their marks' `residual` [point] from it: a wing that the smile
    misses as a whole is then no outlier. Expiries are the `kept` ones of the points; with few points the smile itself
    decides."""
    local = vol.copy()
    for i, e in enumerate(kept):
        k, r = (x[points.start[i] : points.start[i + 1]] for x in (points.k, residual))
        if k.size >= _NEIGHBOURHOOD:
            padded = np.pad(r, 2, mode="reflect")
            beside = np.median([padded[:-4], padded[1:-3], padded[3:-1], padded[4:]], axis=0)
            rows = np.flatnonzero(legs.expiry == e)
            local[rows] += beside[np.searchsorted(k, legs.k[rows]).clip(0, k.size - 1)]
    return local


def off_marks(quotes: ChainQuotes, legs: Legs, vol: FloatArray, settings: FitSettings) -> tuple[OffMark, ...]:
    """The marks that the fitted `vol` [quote] contradicts, in vol and in price."""
    known = np.isfinite(legs.vol_mark) & np.isfinite(vol)
    fitted, vol_mark = np.where(known, vol, 0.0), np.where(known, legs.vol_mark, 0.0)
    gap = unit_price(legs.k, fitted * legs.root_tenor, legs.is_call)
    gap = np.abs(gap - unit_price(legs.k, vol_mark * legs.root_tenor, legs.is_call))
    two_sided = (legs.bid > 0.0) & (legs.ask > 0.0)
    apart = np.maximum(np.where(two_sided, legs.ask - legs.bid, 0.0), _EVIDENCE_MIN)
    off = known & (np.abs(vol_mark - fitted) > settings.stray_vol) & (gap > apart)
    return tuple(
        OffMark(instrument=quotes.instrument[i], mark_vol=float(vol_mark[i]), fitted_vol=float(fitted[i]))
        for i in np.flatnonzero(off)
    )


def marks_outside_quotes(legs: Legs) -> int:
    """How many marks lie outside their own bid and ask."""
    known = np.isfinite(legs.vol_mark) & ((legs.bid > 0.0) | (legs.ask > 0.0))
    price = unit_price(legs.k, np.where(known, legs.vol_mark, 0.0) * legs.root_tenor, legs.is_call)
    return int((known & (_outside(legs, price) > _TICK_ROUNDING)).sum())


def strays(quotes: ChainQuotes, legs: Legs, vol: FloatArray, settings: FitSettings) -> list[Quarantined]:
    """Usable rows whose mark, or whose quotes, `vol` [quote] (that of their neighbours) contradicts in vol and price.

    A mark that lies inside its own bid and ask has a witness: to leave it out takes five times the evidence. Quotes
    are stale where they contradict the neighbours and their own mark alike."""
    price = unit_price(legs.k, np.maximum(vol, 0.0) * legs.root_tenor, legs.is_call)
    known = np.isfinite(legs.vol_mark)
    vol_mark = np.where(known, legs.vol_mark, vol)
    mark = unit_price(legs.k, np.maximum(vol_mark, 0.0) * legs.root_tenor, legs.is_call)
    two_sided = (legs.bid > 0.0) & (legs.ask > 0.0)
    limit = settings.stray_width * np.maximum(np.where(two_sided, legs.ask - legs.bid, 0.0), _EVIDENCE_MIN)
    witness = np.where(two_sided & (mark >= legs.bid) & (mark <= legs.ask), 5.0, 1.0)
    off = np.abs(vol_mark - vol)
    mark_off = legs.usable & (off > witness * settings.stray_vol) & (np.abs(mark - price) > witness * limit)
    outside = _outside(legs, price)
    beyond = np.maximum(legs.vol_bid - vol, vol - legs.vol_ask)
    contradicted = (outside > limit) & (beyond > settings.stray_vol)
    stale = legs.usable & ~mark_off & contradicted & (~known | (_outside(legs, mark) > 0.0))
    left_out = quarantine(quotes, mark_off, "mark off the smile", "vol", off, witness * settings.stray_vol)
    return left_out + quarantine(quotes, stale, "stale quote", "price off its quotes, over the forward", outside, limit)


def _outside(legs: Legs, price: FloatArray) -> FloatArray:
    """How far [quote] a price lies outside bid and ask; at most 0 inside them."""
    return np.asarray(np.maximum(legs.bid - price, np.where(legs.ask > 0.0, price - legs.ask, -1.0)))


def judged(legs: Legs) -> BoolArray:
    """Rows [quote] with |delta| in 0.1–0.9 at the mark's vol."""
    total = np.where(np.isfinite(legs.vol_mark), legs.vol_mark, 1.0) * legs.root_tenor
    call = ndtr(0.5 * total - legs.k / total)
    delta = np.where(legs.is_call, call, 1.0 - call)
    return np.asarray(np.isfinite(legs.vol_mark) & (delta >= DELTA_MIN) & (delta <= DELTA_MAX))


def measure_error(legs: Legs, vol: FloatArray, rows: BoolArray) -> FitError:
    """Errors of the fitted `vol` [quote] over the chosen `rows`, quarantined or not: what is left out still counts."""
    error = np.abs(legs.vol_mark - vol)[rows] * 100.0
    quoted = rows & (legs.bid > 0.0) & (legs.ask >= legs.bid)
    price = unit_price(legs.k[quoted], (vol * legs.root_tenor)[quoted], legs.is_call[quoted])
    inside = (price >= legs.bid[quoted] - _TICK_ROUNDING) & (price <= legs.ask[quoted] + _TICK_ROUNDING)
    return FitError(
        marks=error.size,
        median_points=float(np.median(error)) if error.size else None,
        p90_points=float(np.quantile(error, 0.9)) if error.size else None,
        max_points=float(error.max()) if error.size else None,
        two_sided=inside.size,
        inside_share=float(inside.mean()) if inside.size else None,
    )
